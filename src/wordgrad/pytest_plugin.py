"""A pytest fixture that checks gradients.

Name the plugin in the ``conftest.py`` at the root of your tests::

    pytest_plugins = ["wordgrad.pytest_plugin"]

and ask for the fixture::

    def test_my_loss(assert_gradients):
        assert_gradients(my_loss, numpy.random.default_rng(0).normal(size=5))

It is not loaded unless you name it, so that no other test run pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from wordgrad.maths import GradientReport


@pytest.fixture(name="assert_gradients", scope="session")
def assert_gradients_fixture() -> Callable[..., GradientReport]:
    """Give :func:`wordgrad.maths.assert_gradients`."""
    from wordgrad.maths import assert_gradients

    return assert_gradients

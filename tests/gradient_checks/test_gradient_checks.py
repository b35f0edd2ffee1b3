"""Every formula passes its checks, and would not if the mathematics or a kernel were wrong."""

import re
from pathlib import Path

import numpy as np
import pytest

from wordgrad import maths
from wordgrad.classification.trainer import Member
from wordgrad.gradient_checks import (
    BOUNDS,
    GradientCheck,
    all_checks,
    run_check,
    subword_error,
    text_kernel_error,
)
from wordgrad.training.engines.block_softmax import BlockSoftmax
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.subwords import SubwordEngine

ROOT = Path(__file__).parents[2]
CHECKS = all_checks()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.formula)
def test_every_check_passes(check):
    result = run_check(check)
    assert result.passed, result
    assert "differences" in result.errors
    assert ("kernels" in result.errors) == (check.kernels is not None)


def test_the_checks_cover_every_loss_and_architecture_by_every_checker_they_have():
    assert len({check.formula for check in CHECKS}) == len(CHECKS) == 36
    assert sum(check.oracle is not None for check in CHECKS) == 35  # test_algebra.py takes these
    assert sum(check.kernels is not None for check in CHECKS) == 21


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.formula)
def test_every_check_names_a_section_that_exists(check):
    page, section = check.document.split("#")
    text = (ROOT / "docs" / page).read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert section in slugs


# --- a wrong library fails ---

WRONG = {
    "sigmoid_grad": lambda s: s * (1 - s) * 1.0005,
    "sigmoid": lambda x: 0.9995 / (1 + np.exp(-x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum() * 1.0005,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_function_fails_by_differences(monkeypatch, name):
    monkeypatch.setattr(f"wordgrad.maths.{name}", WRONG[name])
    failed = [result for result in map(run_check, CHECKS[:5]) if not result.passed]
    assert failed
    assert any(not result.agrees("differences") for result in failed)


def scaled(function, factor):
    def wrong(*arguments, **options):
        loss, d_v, d_W = function(*arguments, **options)
        return loss, factor * d_v, d_W

    return wrong


@pytest.mark.parametrize("factor", [1.0005, -1])
def test_a_wrong_pair_loss_fails_by_differences(monkeypatch, factor):
    wrong = scaled(maths.negative_sampling_loss, factor)
    monkeypatch.setattr("wordgrad.maths.negative_sampling_loss", wrong)
    check = next(c for c in CHECKS if c.formula.startswith("negative sampling"))
    assert not run_check(check).agrees("differences")


def kernels_alone(check):
    return GradientCheck(check.formula, check.document, kernels=check.kernels)


class ScaledEngine(HogwildEngine):
    """A kernel whose step is 0.05% too long."""

    def apply_batch(self, parameters, windows, learning_rate):
        return super().apply_batch(parameters, windows, 1.0005 * learning_rate)


class SilentEngine(HogwildEngine):
    """A kernel that reports a wrong loss."""

    def apply_batch(self, parameters, windows, learning_rate):
        loss = super().apply_batch(parameters, windows, learning_rate)
        return loss._replace(total=1.0005 * loss.total)


@pytest.mark.parametrize("engine", [ScaledEngine, SilentEngine])
def test_a_wrong_kernel_fails(monkeypatch, engine):
    monkeypatch.setattr("wordgrad.gradient_checks.HogwildEngine", engine)
    for check in CHECKS:
        plain = check.kernels is not None and "softmax" not in check.formula
        plain = plain and check.kernels is not subword_error
        if plain and check.kernels is not text_kernel_error:
            result = run_check(kernels_alone(check))
            assert not result.agrees("kernels")
            assert not result.passed


class WrongBlocks(BlockSoftmax):
    """Blocks that are 0.05% off, in the place that ``wrong`` names."""

    wrong = "loss"

    def gradients(self, *arguments):
        found = super().gradients(*arguments)
        return found._replace(**{self.wrong: 1.0005 * getattr(found, self.wrong)})


@pytest.mark.parametrize("wrong", ["loss", "d_inputs", "d_W_out"])
def test_a_wrong_block_fails(monkeypatch, wrong):
    monkeypatch.setattr("wordgrad.gradient_checks.BlockSoftmax", WrongBlocks)
    monkeypatch.setattr(WrongBlocks, "wrong", wrong)
    checks = [c for c in CHECKS if c.kernels is not None and "softmax" in c.formula]
    assert len(checks) == 7
    for check in checks:
        assert not run_check(kernels_alone(check)).passed


@pytest.mark.parametrize("factor", [0.0, 1.0005])
def test_a_wrong_step_of_the_words_vectors_fails(monkeypatch, factor):
    apply = Member.apply

    def wrong(self, texts):
        before = self.network.vectors.copy()
        loss = apply(self, texts)
        self.network.vectors[:] = before + factor * (self.network.vectors - before)
        return loss

    monkeypatch.setattr(Member, "apply", wrong)
    (check,) = (one for one in CHECKS if one.kernels is text_kernel_error)
    assert not run_check(check).agrees("kernels")


# --- results ---


def test_a_check_without_a_checker_does_not_pass():
    assert run_check(GradientCheck("f", "d")).errors == {}
    assert not run_check(GradientCheck("f", "d")).passed
    assert run_check(GradientCheck("f", "d", differences=lambda: 0.0)).passed


def test_bounds_are_inclusive_and_nan_does_not_pass():
    bound = BOUNDS["differences"]
    assert run_check(GradientCheck("f", "d", differences=lambda: bound)).passed
    assert not run_check(GradientCheck("f", "d", differences=lambda: bound * 1.01)).passed
    assert not run_check(GradientCheck("f", "d", differences=lambda: float("nan"))).passed
    assert not run_check(GradientCheck("f", "d", lambda: 0.0, kernels=lambda: 1.0)).passed


class WrongComposition(SubwordEngine):
    """Composed vectors whose steps are 0.05% too long."""

    def apply_batch(self, parameters, batch, learning_rate):
        return super().apply_batch(parameters, batch, 1.0005 * learning_rate)


def test_a_wrong_step_of_composed_vectors_fails(monkeypatch):
    monkeypatch.setattr("wordgrad.gradient_checks.SubwordEngine", WrongComposition)
    check = next(c for c in CHECKS if c.kernels is subword_error)
    assert not run_check(kernels_alone(check)).passed

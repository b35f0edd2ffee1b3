from __future__ import annotations

import pytest

from wordgrad.cli.options import repeat_option_names


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("v --set a b c", "v --set a --set b --set c"),
        ("--set a v", "--set a v"),
        ("--set a b v", "--set a --set b v"),
        ("--set a --set b v", "--set a --set b v"),
        ("--n 3 --set a b v", "--n 3 --set a --set b v"),
        ("v --set a b --n 3", "v --set a --set b --n 3"),
        ("v --set a b --flag", "v --set a --set b --flag"),
        ("--set a b --n 3 v", "--set a --set b --n 3 v"),
        ("--set a b --other x y v", "--set a --set b --other x --other y v"),
        ("v --set=a b", "v --set=a b"),
        ("v --set - a", "v --set - --set a"),
        ("v --set a -- --odd", "v --set a -- --odd"),
        ("v --set", "v --set"),
        ("", ""),
    ],
)
def test_names_are_repeated(args, expected):
    result = repeat_option_names(args.split(), ["--set", "--other"], ["--n"])
    assert " ".join(result) == expected

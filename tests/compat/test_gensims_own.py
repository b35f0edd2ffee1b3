"""gensim's own tests pass with the names of gensim taken from here."""

from __future__ import annotations

import unittest
import warnings
from importlib.util import find_spec

import gensims_own
import pytest

PASSING = ("keyedvectors", "phrases", "word2vec", "doc2vec", "fasttext")


@pytest.mark.skipif(not find_spec("gensim"), reason="gensim is not installed")
@pytest.mark.parametrize("name", PASSING)
def test_they_pass_but_those_left_out(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests, left_out = gensims_own.cases(name), gensims_own.reasons(name)
        assert not left_out.keys() - tests.keys(), "gensim has no such test any more"
        result = unittest.TestResult()
        for test, case in tests.items():
            if test not in left_out:
                case.run(result)
    failed = {case.id(): trace for case, trace in [*result.errors, *result.failures]}
    assert not failed, "\n".join(failed.values())
    assert result.testsRun == len(tests) - len(left_out)

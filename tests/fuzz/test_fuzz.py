"""Some damaged files for every reader, the same ones each time; ``soak.py`` tries many more.

A failure names target, seed and number of a case: ``python tests/fuzz/soak.py --case TARGET SEED
NUMBER FILE`` writes its bytes to a file.
"""

from __future__ import annotations

import random
import sys

import fuzz_mutations
import pytest
from fuzz_campaign import campaign
from fuzz_child import case_bytes
from fuzz_targets import TARGETS, Target

from wordgrad.io.formats import FORMATS

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
NAMES = [target.name for target in TARGETS]
CASES = {"sets": 150, "vectors": 150, "corpora": 60, "slow": 30}
CASES |= {"checkpoints": 60, "classifiers": 60}
SLOW = {"loss-history", "arguments"}


def test_every_format_of_vectors_is_a_target():
    assert {known.name for known in FORMATS} <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


@linux
@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_damaged_input_is_read_or_refused(target: Target):
    cases = CASES["slow" if target.name in SLOW else target.family]
    tally = campaign(target.name, 1, cases=cases)
    assert tally.failures == []
    assert tally.inputs == cases
    # The first cases are whole: a reader that refuses them has not been tried.
    assert tally.read >= 1
    if target.name != "arguments":  # whose refusals are exit codes
        assert tally.refused >= cases / 10


class TestTheHarnessFindsWhatItLooksFor:
    """Each fault, made on purpose, in the place of a reader."""

    FAULTS = (
        ("raise KeyError('x')", "KeyError"),
        ("import warnings; warnings.warn('careful')", "UserWarning: careful"),
        ("import os; os.abort()", "killed by SIGABRT"),
        ("import time; time.sleep(60)", "hung"),
        ("bytearray(3 << 30)", "MemoryError"),
        ("open('../stolen', 'w').close()", "files that nobody asked for: ['../stolen']"),
        ("import tempfile; tempfile.mkdtemp()", "left behind"),
        ("import sys; print('thread panicked', file=sys.stderr)", "standard error: thread"),
    )

    @linux
    @pytest.mark.parametrize(("code", "told"), FAULTS, ids=[told for _, told in FAULTS])
    def test_fault(self, code, told, monkeypatch):
        plant = f"""
import fuzz_child, fuzz_targets
def fault(path, rng):
    if path.read_bytes() and fuzz_child.case_number() == 9:
        {code}
original = fuzz_targets.read_pairs
fuzz_targets.read_pairs = lambda path: (fault(path, None), original(path))
fuzz_child.SECONDS_A_CASE = 1
"""
        monkeypatch.setenv("FUZZ_PLANT", plant)
        tally = campaign("word-pairs", 1, cases=12)
        assert tally.failed == 1
        assert len(tally.failures) == 1
        assert tally.failures[0].startswith("word-pairs 1 ")
        assert told in tally.failures[0]
        assert tally.inputs == 12 + (told.startswith("standard"))


def test_a_case_is_known_by_its_numbers():
    for target in TARGETS:
        assert case_bytes(target.name, 5, 17) == case_bytes(target.name, 5, 17)
    cases = {case_bytes("text", 1, number) for number in range(40)}
    assert len(cases) > 30


def test_every_kind_of_damage_is_done():
    rng = random.Random(0)
    data = b"12 words and 3 numbers\n" * 9
    results = {fuzz_mutations.blind(rng, data) for _ in range(2000)}
    assert len(results) > 1800
    assert any(len(one) < len(data) / 2 for one in results)
    assert any(b"1000000000000" in one for one in results)
    assert any(b"\0" in one for one in results)

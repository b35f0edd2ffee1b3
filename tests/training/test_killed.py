"""Training killed at random moments, in the middle of a checkpoint write too, and resumed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20
SETTINGS = {"vector_size": 48, "min_count": 1, "sample": 0, "epochs": 4, "negative": 5}
MODES = [
    pytest.param({"workers": 1}, id="one worker"),
    pytest.param({"workers": 2, "reproducible": True}, id="reproducible"),
]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.parametrize("mode", MODES)
def test_twenty_kills_cost_nothing_that_was_saved(tmp_path, mode):
    """The program checks after each kill that every checkpoint is whole and none is lost, and at
    the end that the result has the bytes of a training without a break."""
    program = Path(__file__).with_name("killed_training.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(KILLS), json.dumps(SETTINGS | mode)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["kills"] == KILLS
    assert report["finished"] >= 1
    # The odd kills wait for a write; were none of them hit, the test would have shown little.
    assert report["in_a_write"] >= 5
    assert report["left_over"] >= 1
    assert report["most_saved"] >= 2
    print(report)

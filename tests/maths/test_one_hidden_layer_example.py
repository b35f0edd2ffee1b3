"""The example that trains the network of the derivations reaches what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "one_hidden_layer.py"


def test_the_network_reads_digits():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2410 parameters")
    assert lines[1].startswith("Gradient check passed")
    assert lines[2].startswith("Gradient check failed")
    trained, others = (float(re.match(r"([\d.]+)% of", line)[1]) for line in lines[-2:])
    assert trained >= 99
    assert others >= 96  # scikit-learn's MLPClassifier(activation="logistic") reaches 97

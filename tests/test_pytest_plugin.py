"""The fixture, in a test run of its own: it passes what is right and fails what is wrong."""

import subprocess
import sys

TESTS = """
def half_square(x, factor=1.0):
    return 0.5 * (x * x).sum(), factor * x

def test_right(assert_gradients):
    import numpy as np
    assert assert_gradients(half_square, np.array([1.0, -2.0])).passed

def test_wrong(assert_gradients):
    import numpy as np
    assert_gradients(lambda x: half_square(x, 1.0005), np.array([1.0, -2.0]))
"""


def test_the_fixture_in_a_project_that_names_the_plugin(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["wordgrad.pytest_plugin"]\n')
    (tmp_path / "test_losses_of_mine.py").write_text(TESTS)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            ".",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "GradientError: Gradient check failed at x[" in done.stdout

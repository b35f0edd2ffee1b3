"""A forked child knows whether Polars' threads were lost with the fork."""

import subprocess
import sys

import pytest

CODE = """
import os, sys
{before}
import wordgrad.forking as forking
{after}
child = os.fork()
if child == 0:
    try:
        forking.refuse_after_fork("Reading a table")
    except wordgrad.errors.InputError as error:
        print(forking.forked_after_polars(), error, flush=True)
    else:
        print(forking.forked_after_polars(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(forking.forked_after_polars())
"""
USE = 'import polars; polars.Series(["a b"] * 9).str.split(" ").explode()'


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names threads in /proc")
@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [("", "", False), ("import polars", "", False), ("", USE, True), (USE, "", True)],
)
def test_a_child_knows_that_the_threads_are_lost(before, after, lost):
    code = CODE.format(before=before, after="import wordgrad.errors; " + after)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    child, parent = done.stdout.splitlines()
    assert parent == "False"
    assert child.startswith(str(lost))
    if lost:
        assert "Reading a table needs the threads of Polars" in child
        assert '"spawn" or "forkserver"' in child

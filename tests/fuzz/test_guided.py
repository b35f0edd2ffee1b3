"""The guided mode finds faults made on purpose, in the place of a reader."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import guided
import pytest

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason=f"atheris is not installed ({guided.INSTALL})",
)
PLANT = """
import fuzz_targets
import atheris
original, seen = fuzz_targets.read_pairs, []
def fault(path):
    seen.append(path)
    number, data = len(seen), path.read_bytes()
    {code}
fault = atheris.instrument_func(fault)
fuzz_targets.read_pairs = lambda path: (fault(path), original(path))
"""


@pytest.fixture
def plant(monkeypatch, tmp_path):
    """Put code into the reader of pairs, and give back what the guided mode makes of it."""

    def found(code: str, runs: int = 60) -> guided.Guided:
        monkeypatch.setenv("FUZZ_PLANT", PLANT.format(code=code))
        return guided.guide("word-pairs", tmp_path / "findings", seconds=120, runs=runs, timeout=1)

    return found


@needs_atheris
class TestFaultsAreFound:
    def test_exceptions_memory_and_files_and_the_run_goes_on(self, plant):
        code = (
            "if number == 30: raise KeyError('x')",
            "if number == 35: bytearray(3 << 30)",
            "if number == 40: open('../stolen', 'w').close()",
        )
        done = plant("\n    ".join(code))
        why = [path.with_suffix(".txt").read_text() for path in done.findings]
        assert done.inputs == 60
        for told in ("KeyError: 'x'", "MemoryError", "files that nobody asked for"):
            assert sum(one.startswith(told) for one in why) == 1
        assert len(why) == 3

    @pytest.mark.parametrize(
        ("code", "kind"),
        [("import os; os.abort()", "crash-"), ("import time; time.sleep(60)", "timeout-")],
    )
    def test_the_end_of_the_process(self, plant, code, kind):
        done = plant(f"if number == 30:\n        {code}")
        assert [path.name.partition("-")[0] + "-" for path in done.findings] == [kind]

    def test_behind_branches_that_blind_damage_would_not_pass(self, plant):
        done = plant("if data[:8] == b'fault\\xffxy': raise KeyError('behind')", runs=20000)
        assert [path.read_bytes()[:8] for path in done.findings] == [b"fault\xffxy"]

    def test_a_finding_is_found_again(self, plant, tmp_path):
        (found,) = plant("if number == 30: raise KeyError('x')").findings
        plant("if data: raise KeyError('again')", runs=1)
        assert "KeyError: 'again'" in guided.again("word-pairs", found).said


@needs_atheris
def test_a_sound_reader_has_none(tmp_path):
    done = guided.guide("word-pairs", tmp_path / "findings", seconds=60, runs=300)
    assert done.findings == []
    assert done.inputs == 300
    assert done.edges >= done.edges_of_seeds > 20


def test_without_atheris_the_way_to_get_it_is_told():
    script = Path(guided.__file__)
    code = (
        "import sys; sys.modules['atheris'] = None\n"
        f"import importlib.util, runpy; sys.path.insert(0, {str(script.parent)!r})\n"
        "importlib.util.find_spec = lambda name, f=importlib.util.find_spec: "
        "None if name == 'atheris' else f(name)\n"
        f"sys.argv = ['guided.py', 'npz']; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("run: python -m pip install 'wordgrad[fuzz]'.")

"""A million rows go through every format without being held twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wordgrad.io.formats import FORMATS, named
from wordgrad.word_vectors import WordVectors

ROWS, SIZE = 1_000_000, 16
# GloVe's text goes through the same code as word2vec's.
WRITABLE = [known.name for known in FORMATS if known.endings and known.name != "glove"]
FIXED = 160e6  # bytes: libraries, blocks and buffers, whatever the size of the file
READ_AND_WRITE = """
import sys
from wordgrad import load
source, target = sys.argv[1:]
if source:
    vectors = load(source, check=True)
    vectors.save(target)
else:  # what words and matrix take in memory, without any file
    import numpy as np
    from wordgrad import WordVectors
    matrix = np.ones((1_000_000, 16), dtype=np.float32)
    matrix.flags.writeable = False
    vectors = WordVectors([f"word{row}" for row in range(1_000_000)], matrix)
# ru_maxrss would begin with the size of the process that started this one.
status = dict(line.split(":") for line in open("/proc/self/status"))
print(1024 * int(status["VmHWM"].split()[0]))
"""


def peak(source="", target=""):
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_WRITE, str(source), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.fixture(scope="module")
def vectors():
    matrix = np.random.default_rng(0).standard_normal((ROWS, SIZE), dtype=np.float32)
    return WordVectors([f"word{row}" for row in range(ROWS)], matrix)


@pytest.fixture(scope="module")
def without_a_file():
    return peak()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' peak of memory")
@pytest.mark.parametrize("name", WRITABLE)
def test_reading_and_writing_hold_blocks(tmp_path, vectors, without_a_file, name):
    source = tmp_path / f"a{named(name).endings[0]}"
    target = tmp_path / f"b{named(name).endings[0]}"
    vectors.save(source)
    more = peak(source, target) - without_a_file
    assert more < FIXED
    assert target.stat().st_size == source.stat().st_size
    if not name.startswith("safetensors"):  # whose library writes metadata in any order
        assert target.read_bytes() == source.read_bytes()

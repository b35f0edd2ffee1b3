"""Two trainings at the same time, into one folder or one file."""

from __future__ import annotations

import os
import re
import sys
import threading

import pytest
from load_runs import start

from wordgrad.word_vectors import load

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
SENTENCES = "to be or not to be\nthat is the question\n" * 400


def train_together(folder, outputs, *options):
    """Two trainings that wait for their text, so that both have begun before one can end."""
    (folder / "tmp").mkdir()
    pipes = [folder / "tmp" / f"{number}.txt" for number in range(2)]
    for pipe in pipes:
        os.mkfifo(pipe)
    runs = [
        start(pipe, output, folder / "tmp", "--seed", seed, "--vector-size", 16, *options)
        for seed, (pipe, output) in enumerate(zip(pipes, outputs, strict=True), start=1)
    ]
    opened = [open(pipe, "w") for pipe in pipes]  # noqa: SIM115 (both must wait)
    writers = [threading.Thread(target=_send, args=(file,)) for file in opened]
    for writer in writers:
        writer.start()
    said = [run.communicate(timeout=120)[1] for run in runs]
    for writer in writers:
        writer.join()
    assert sorted(os.listdir(folder / "tmp")) == ["0.txt", "1.txt"]
    return [run.returncode for run in runs], said


def _send(file):
    with file:
        file.write(SENTENCES)


def test_into_one_folder(tmp_path):
    outputs = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    codes, _ = train_together(tmp_path, outputs)
    assert codes == [0, 0]
    seeds = [load(path).metadata["settings"]["seed"] for path in outputs]
    assert seeds == [1, 2]
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors", "b.safetensors", "tmp"]


def test_into_one_file_that_may_be_replaced(tmp_path):
    output = tmp_path / "v.safetensors"
    codes, _ = train_together(tmp_path, [output, output], "--overwrite")
    assert codes == [0, 0]
    assert load(output, check=True).metadata["settings"]["seed"] in (1, 2)
    assert sorted(os.listdir(tmp_path)) == ["tmp", "v.safetensors"]


def test_into_one_file_that_may_not(tmp_path):
    """The slower one keeps what it has learnt, and says where."""
    output = tmp_path / "v.safetensors"
    codes, said = train_together(tmp_path, [output, output])
    assert sorted(codes) == [0, 1]
    slower = codes.index(1)
    told = " ".join(said[slower].split())
    assert re.search(r"v\.safetensors exists already; .* what was trained is in .*v\.partial", told)
    kept = load(tmp_path / "v.partial.safetensors", check=True).metadata["settings"]["seed"]
    assert (load(output, check=True).metadata["settings"]["seed"], kept) == (2 - slower, slower + 1)
    assert len(os.listdir(tmp_path)) == 3

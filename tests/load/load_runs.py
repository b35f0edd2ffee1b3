"""Trainings from the command line that are stopped somewhere, and what they leave behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wordgrad.word_vectors import WordVectors, load

CODES = {
    # Before the program has begun to listen, the system ends it by the signal itself.
    "SIGINT": (0, 130, -2),
    "SIGTERM": (0, 143, -15),
    "SIGKILL": (0, -9),
}
MOST_ADDRESSES, MOST_MEMORY = 6 << 30, 2 << 30  # bytes
OLD = WordVectors(["old"], [[1.0, 2.0]])


def write_text(path: Path, words: int = 40_000, tokens: int = 200_000) -> None:
    """Random words, so many that saving their vectors takes a while."""
    draw = np.random.default_rng(3)
    ids = np.concatenate([np.arange(words), draw.integers(0, words, tokens - words)])
    lines = (" ".join(f"w{i}" for i in row) for row in ids.reshape(-1, 20))
    path.write_text("\n".join(lines) + "\n")


TRAIN = """
import json, sys, time
from wordgrad import Word2Vec
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
samples, began, last = [], None, 0.0
def progress(record):
    global began, last
    if not hasattr(record, "epoch"):
        return
    began = began or time.monotonic()  # kernels are compiled by then
    now = time.monotonic() - began
    if now - last >= 1.0:
        samples.append((round(now, 1), resident(), record.words_done))
        last = now
    if now > float(sys.argv[2]):
        raise KeyboardInterrupt
model = Word2Vec(vector_size=100, epochs=1_000_000, workers=2, progress=progress)
try:
    model.fit(sys.argv[1])
except KeyboardInterrupt:
    pass
print(json.dumps({"samples": samples, "epochs": len(model.history_)}))
"""


def write_zipf(path: Path, tokens: int, seed: int) -> None:
    """Words as frequent as in a text: the n-th in about 1/n of the cases."""
    draw = np.random.default_rng(seed)
    with open(path, "w") as file:
        for _ in range(max(1, tokens // 20_000)):
            rows = np.minimum(draw.zipf(1.2, 20_000), 50_000).reshape(-1, 20)
            file.writelines(" ".join(f"w{i}" for i in row) + "\n" for row in rows)


def child(code: str, *arguments: object) -> Any:
    """What a script prints as JSON, run in a process that cannot eat the machine's memory.

    Addresses are cheap and memory is not: the first are limited by the system, the second is
    looked at some times a second.
    """
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MOST_ADDRESSES},) * 2)\n"
    command = [sys.executable, "-c", limit + code, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        statm = Path(f"/proc/{process.pid}/statm")
        while process.poll() is None:
            if statm.exists() and int(statm.read_text().split()[1]) * 4096 > MOST_MEMORY:
                process.kill()
                raise AssertionError(f"more than {MOST_MEMORY} bytes of memory")
            time.sleep(0.2)
        said = process.stdout.read()
        assert process.returncode == 0, process.returncode
    return json.loads(said)


def start(text: Path, output: Path, temporary: Path, *more: object) -> subprocess.Popen[str]:
    """``wordgrad train`` as a process with a folder of its own for temporary files."""
    options = ("--vector-size", 200, "--epochs", 2, "--min-count", 1, "--workers", 2, *more)
    command = [sys.executable, "-m", "wordgrad", "train", text, "-o", output, *options]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


@dataclass(frozen=True)
class Stop:
    """A training that was stopped, and all that is wrong with what it left."""

    signal: str
    moment: str
    code: int
    seconds: float
    wrong: list[str]
    said: str


def stop_somewhere(
    text: Path, work: Path, number: signal.Signals, rng: random.Random, *, saving: bool
) -> Stop:
    """Start a training, send it a signal at a random moment, look at what is left.

    With ``saving`` the moment is just after the output's temporary file has appeared.
    """
    work.mkdir()
    temporary = work / "tmp"
    temporary.mkdir()
    folder = work / "out"
    folder.mkdir()
    output = folder / "v.safetensors"
    replaced = rng.random() < 0.5
    if replaced:
        OLD.save(output)
    began = time.monotonic()
    process = start(text, output, temporary, *(["--overwrite"] if replaced else []))
    moment = rng.uniform(0.0, 4.0)
    if saving:
        while process.poll() is None and not _is_saving(folder):
            time.sleep(0.001)
        moment = rng.uniform(0.0, 0.05)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        said += "\nit did not stop"
    wrong = list(_faults(number, process.returncode, said, folder, temporary, replaced=replaced))
    when = "while saving" if saving else f"after {moment:.2f} s"
    return Stop(number.name, when, process.returncode, time.monotonic() - began, wrong, said)


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".part")]


def _is_saving(folder: Path) -> bool:
    """Whether a temporary file holds something: an empty one only tries the folder."""
    try:
        return any(part.stat().st_size for part in _parts(folder))
    except FileNotFoundError:
        return False


def _faults(number, code, said, folder, temporary, *, replaced):  # type: ignore[no-untyped-def]
    if code not in CODES[number.name]:
        yield f"exit code {code}: {said}"
    if "it did not stop" in said or ("Traceback" in said and code != -number):
        yield said
    for path in folder.glob("[!.]*"):
        try:
            load(path, check=True)
        except Exception as error:
            yield f"{path.name} is not whole: {error}"
    if replaced and not (folder / "v.safetensors").exists():
        yield "the file of before is gone"
    if code == 0 and "old" in load(folder / "v.safetensors"):
        yield "done, but not written"
    if number.name != "SIGKILL":  # which no program can tidy up after
        for path in [*_parts(folder), *temporary.iterdir()]:
            yield f"{path.name} was left behind"

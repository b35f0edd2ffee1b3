"""Trains in forked children and kills them; a program of its own, run by test_killed.py.

    python killed_training.py FOLDER KILLS SETTINGS-AS-JSON

The parent has imported and compiled everything, so a child starts within milliseconds.  It never
reads text itself: Polars' threads would not survive a fork.  Its last line is a JSON report.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import wordgrad.files
from wordgrad import Word2Vec
from wordgrad.training.checkpoint import Checkpoint, CheckpointFolder
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.parameters import Parameters

WORDS = 500
RESULT = "result"


def text():
    draw = np.random.default_rng(1)
    words = np.minimum(draw.zipf(1.3, (3000, 20)), WORDS) - 1
    return [[f"w{word}" for word in sentence] for sentence in words]


def warm(settings):
    """Compile in the parent what every child needs."""
    names = TrainingConfig.__dataclass_fields__
    config = TrainingConfig(**{name: v for name, v in settings.items() if name in names})
    corpus = SimpleNamespace(
        ids=np.zeros(2, np.int32),
        offsets=np.array([0, 2]),
        vocabulary=SimpleNamespace(counts=np.array([2, 1])),
    )
    make_engine(corpus, config).prepare(Parameters.zeros(2, 2, config.vector_size))


def train(folder, settings, tell):
    """What a child does: begin or go on, telling of every checkpoint, with a slow disk."""
    save, sync = CheckpointFolder.save, os.fsync

    def told(self, checkpoint):
        tell("begin")
        path = save(self, checkpoint)
        tell(f"saved {checkpoint.state.epoch} {checkpoint.state.token}")
        return path

    def slow(descriptor):
        time.sleep(0.004)
        sync(descriptor)

    CheckpointFolder.save = told
    wordgrad.files.os.fsync = slow
    if list(folder.glob("checkpoint-*.safetensors")):
        Word2Vec.from_checkpoint(folder).resume()
    else:
        Word2Vec(**settings, checkpoint=folder).fit(text())


def start(folder, settings):
    """Fork a child; return its id and the reading end of what it tells."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        train(folder, settings, lambda said: os.write(writing, f"{said}\n".encode()))
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def wait_for_a_write(reading, number):
    """Return when the child begins its ``number``-th checkpoint, or ends; and what it said."""
    said = b""
    while said.count(b"begin") < number:
        data = os.read(reading, 4096)
        if not data:
            break
        said += data
    return said


def rest_of(reading):
    said = b""
    while data := os.read(reading, 4096):
        said += data
    os.close(reading)
    return said


def check_after_kill(folder, said, report):
    """Every checkpoint is whole, and nothing that was saved is lost."""
    files = sorted(folder.glob("checkpoint-*.safetensors"), key=lambda p: int(p.stem[11:]))
    states = [Checkpoint.read(path).state for path in files]
    saved = [tuple(map(int, line.split()[1:])) for line in said.splitlines() if b"saved" in line]
    if saved:
        newest = states[-1]
        assert (newest.epoch, newest.token) >= saved[-1], (newest, saved)
    assert len(files) <= 3, files
    report["in_a_write"] += said.count(b"begin") > len(saved)
    report["left_over"] += bool(list(folder.glob(".*.part")))
    report["before_any_checkpoint"] += not files
    report["most_saved"] = max(report["most_saved"], len(saved))


def result_of(folder):
    newest = max(folder.glob("checkpoint-*.safetensors"), key=lambda p: int(p.stem[11:]))
    checkpoint = Checkpoint.read(newest)
    return {
        "W_in": checkpoint.parameters.W_in_rows.tobytes().hex(),
        "W_out": checkpoint.parameters.W_out_rows.tobytes().hex(),
        "epoch": checkpoint.state.epoch,
        "losses": [(r.loss, r.pairs, r.learning_rate) for r in checkpoint.state.history],
    }


def main():
    folder, kills, settings = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    draw = random.Random(5)
    warm(settings)
    child, reading = start(folder / "whole", settings | {"checkpoint_every": 1e9})
    assert os.waitpid(child, 0)[1] == 0
    os.close(reading)
    whole = result_of(folder / "whole")
    report = dict.fromkeys(
        ("kills", "in_a_write", "left_over", "before_any_checkpoint", "most_saved", "finished"), 0
    )
    killed = folder / "killed"
    while True:
        child, reading = start(killed, settings | {"checkpoint_every": 0.02})
        said = b""
        if report["kills"] < kills:
            if report["kills"] % 2:
                said = wait_for_a_write(reading, draw.randrange(2, 8))
                time.sleep(draw.uniform(0, 0.004))
            else:
                time.sleep(draw.uniform(0, 0.15))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        said += rest_of(reading)
        if os.WIFSIGNALED(status):
            report["kills"] += 1
            check_after_kill(killed, said, report)
            continue
        assert os.WEXITSTATUS(status) == 0
        assert result_of(killed) == whole
        assert sorted(p.name for p in killed.glob(".*")) == []
        assert len(list(killed.glob("checkpoint-*"))) == 2
        report["finished"] += 1
        if report["kills"] >= kills:
            break
        shutil.rmtree(killed)
    print(json.dumps(report))


if __name__ == "__main__":
    main()

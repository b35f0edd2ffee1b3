"""``wordgrad train --checkpoint`` and ``--resume``, and text held out from training."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
import typer

from wordgrad import load
from wordgrad.cli.options import seconds
from wordgrad.training.checkpoint import Checkpoint
from wordgrad.training.trainer import Trainer

SMALL = ["--vector-size", 8, "--min-count", 1, "--workers", 1, "--sample", 0]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat\nThe dog sat on the rug\n" * 50)
    return path


@pytest.fixture
def held_out(tmp_path):
    path = tmp_path / "held out.txt"
    path.write_text("the cat sat on the rug\nno dog sat there\n" * 5)
    return path


def refused(outcome, code, *parts):
    assert (outcome.code, outcome.out) == (code, "")
    for part in parts:
        assert part in outcome.message, outcome.message


def test_a_stopped_training_goes_on_alone(wordgrad, text, tmp_path, monkeypatch):
    whole, output, run = (tmp_path / name for name in ("w.safetensors", "o.safetensors", "run"))
    assert wordgrad("train", text, "-o", whole, *SMALL, "--epochs", 4).code == 0
    end_epoch = Trainer._end_epoch

    def stop(self, rate):
        end_epoch(self, rate)
        if self.state.epoch == 2:
            raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_end_epoch", stop)
        patch.setattr(Trainer, "_is_due", lambda self: True)
        options = [*SMALL, "--epochs", 4, "--checkpoint", run, "--checkpoint-every", "1h"]
        assert wordgrad("train", text, "-o", output, *options).code == 1
    text.unlink()
    outcome = wordgrad("train", "--resume", run, "-o", output)
    assert (outcome.code, outcome.out) == (0, "")
    assert "Epoch 4 of 4: loss " in outcome.err
    assert "Epoch 1 of 4" not in outcome.err
    assert (load(output).matrix == load(whole).matrix).all()
    assert len(load(output).metadata["history"]) == 4


def test_more_epochs_changed_settings_and_another_text(wordgrad, text, tmp_path):
    output, run = tmp_path / "o.safetensors", tmp_path / "run"
    options = [*SMALL, "--epochs", 2, "--checkpoint", run]
    assert wordgrad("train", text, "-o", output, *options).code == 0
    again = ["train", "--resume", run, "-o", output, "--overwrite"]
    assert wordgrad(*again, "--epochs", 3, "--window", 5).code == 0
    assert len(load(output).metadata["history"]) == 3
    refused(wordgrad(*again, "--window", 4, "--lowercase"), 2, "window is 4 and was 5", "lowercase")
    refused(wordgrad(*again, "--epochs", 2), 2, "epochs must be at least 3")
    assert wordgrad(*again, text).code == 0
    text.write_text("the cat sat\n" * 50)
    refused(wordgrad(*again, text), 1, "150 words instead of 600")
    refused(
        wordgrad("train", text, "-o", output, "--overwrite", *options),
        1,
        "holds checkpoints",
        "--resume",
    )


def test_wrong_usage(wordgrad, text, tmp_path):
    output = tmp_path / "o.safetensors"
    refused(wordgrad("train", "-o", output), 2, "name the text to train on")
    both = ["--resume", tmp_path, "--checkpoint", tmp_path]
    refused(wordgrad("train", text, "-o", output, *both), 2, "leave one of them out")
    refused(wordgrad("train", "-o", output, "--resume", tmp_path / "no"), 1, "There is no folder")
    refused(wordgrad("train", "-o", output, "--resume", tmp_path), 1, "holds no checkpoint")
    refused(wordgrad("train", text, "-o", output, "--checkpoint", text), 1, "cannot be made")
    plain = ["train", text, "-o", output]
    refused(wordgrad(*plain, "--checkpoint-every", "soon"), 2, "not a span of time")
    refused(wordgrad(*plain, "--checkpoint-every", "0s"), 2, "checkpoint_every")
    refused(wordgrad(*plain, "--early-stopping", 2), 2, "needs a loss to watch")
    missing = tmp_path / "missing.txt"
    refused(
        wordgrad("train", text, "-o", output, *SMALL, "--validation", missing),
        1,
        "The validation text cannot be used: There is no file",
    )
    assert not output.exists()


def test_a_damaged_checkpoint_is_told_of(wordgrad, text, tmp_path):
    output, run = tmp_path / "o.safetensors", tmp_path / "run"
    options = [*SMALL, "--epochs", 2, "--checkpoint", run]
    assert wordgrad("train", text, "-o", output, *options).code == 0
    (run / "checkpoint-2.safetensors").write_bytes(b"half of it")
    outcome = wordgrad("train", "--resume", run, "-o", output, "--overwrite")
    assert outcome.code == 0
    assert "checkpoint-2.safetensors is damaged" in outcome.message
    assert "Training goes on from the one before, at token 0 of epoch 1." in outcome.message


def test_validation_is_shown_and_kept(wordgrad, text, held_out, tmp_path):
    output = tmp_path / "o.safetensors"
    outcome = wordgrad(
        "train", text, "-o", output, *SMALL, "--validation", held_out, "--epochs", 3,
        "--early-stopping", 1,
    )  # fmt: skip
    assert outcome.code == 0
    assert "Epoch 2 of 3: loss " in outcome.err
    losses = [epoch["validation_loss"] for epoch in load(output).metadata["history"]]
    assert np.isfinite(losses).all()
    for loss in losses:
        assert f"validation loss {loss:.4f}, " in outcome.err
    assert "On 50 words of validation text, 10 of them unknown and skipped" in outcome.message
    assert (
        f"after epoch {1 + int(np.argmin(losses))}: {min(losses):.4f} per pair" in outcome.message
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_message_is_the_way_to_go_on(wordgrad, text, tmp_path, number, code):
    output, run = tmp_path / "o.safetensors", tmp_path / "my run"
    command = [sys.executable, "-m", "wordgrad", "train", text, "-o", output, "--checkpoint", run]
    command += [*SMALL, "--epochs", 10_000_000, "--checkpoint-every", "1h"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while "Epoch 3 of" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(number)
        rest = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == code
    last = rest.splitlines()[-1]
    assert last.startswith("Interrupted; ")
    assert last.endswith(f"resume with: wordgrad train --resume '{run}' -o {output}")
    assert "Traceback" not in rest
    files = sorted(path.name for path in run.glob("checkpoint-*"))
    assert files == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]
    newest = Checkpoint.read(run / files[-1]).state
    assert newest.epoch >= 3
    outcome = wordgrad("train", "--resume", run, "-o", output, "--epochs", newest.epoch + 1)
    assert outcome.code == 0
    assert len(load(output).metadata["history"]) == newest.epoch + 1


@pytest.mark.parametrize("text", ["", "s", "1d", "-5s", "1e3s", "5 5", "nan", "٣s"])
def test_spans_of_time_that_are_none(text):
    with pytest.raises(typer.BadParameter, match="is not a span of time"):
        seconds(text)

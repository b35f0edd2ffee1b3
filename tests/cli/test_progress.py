"""The display of progress, with a clock that the test turns."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from wordgrad import ReadingProgress, TrainingProgress
from wordgrad.classification.trainer import ClassifierProgress
from wordgrad.cli import progress
from wordgrad.cli.progress import PREPARING, ProgressDisplay
from wordgrad.training.engine import CountingProgress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def console(columns=80, terminal=False):
    return Console(
        file=io.StringIO(), width=columns, force_terminal=terminal, color_system=None, height=20
    )


def reading(tokens, done=50_000_000, total=100_000_000, file="wiki8"):
    return ReadingProgress(bytes_done=done, bytes_total=total, tokens=tokens, file=file)


def training(epoch, share, loss=2.5, left=12.0):
    return TrainingProgress(
        epoch=epoch,
        epochs=2,
        words_done=int(share * 34_000_000),
        words_total=34_000_000,
        words_per_second=4.12e6,
        loss=loss,
        learning_rate=0.0315,
        seconds_left=left,
    )


def test_lines_for_a_log(clock):
    out = console(40)
    display = ProgressDisplay(out, clock)
    with display:
        for second in range(0, 45, 3):
            clock.now = float(second)
            display(reading(second * 400_000))
        display(training(0, 0.1, 2.9))
        clock.now = 50.0
        display(training(0, 0.5, 2.7))
        display(training(1, 0.6, 2.6))
        display(training(1, 1.0, 2.4))
    assert out.file.getvalue().splitlines() == [
        "Reading 50% | 4.80 M words | 50.0 MB of 100 MB | wiki8",
        "Reading 50% | 9.60 M words | 50.0 MB of 100 MB | wiki8",
        "Reading 50% | 14.4 M words | 50.0 MB of 100 MB | wiki8",
        "Read 16.8 M words.",
        "Epoch 1 of 2: loss 2.7000, 4.12 M words/s.",
        "Epoch 2 of 2: loss 2.4000, 4.12 M words/s.",
    ]


def test_training_lines_come_every_ten_seconds(clock):
    out = console()
    with ProgressDisplay(out, clock) as display:
        for second in range(25):
            clock.now = float(second)
            display(training(0, second / 50))
    assert out.file.getvalue().splitlines() == [
        "Training 20% | epoch 1 of 2 | 4.12 M words/s | loss 2.5000 | learning rate 0.0315 | "
        "12 s left",
        "Training 40% | epoch 1 of 2 | 4.12 M words/s | loss 2.5000 | learning rate 0.0315 | "
        "12 s left",
        "Epoch 1 of 2: loss 2.5000, 4.12 M words/s.",
    ]


def test_no_epoch_is_claimed_after_a_failure(clock):
    out = console()
    display = ProgressDisplay(out, clock)
    display(training(0, 0.2))
    display.__enter__()
    display.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "Epoch" not in out.file.getvalue()
    assert display.training_began


def test_unknown_sizes_and_times():
    assert progress.reading(reading(5, 0, None, "")).line == "Reading | 5 words"
    assert progress.reading(reading(5, 12, None, "-")).line == "Reading | 5 words | 12 bytes | -"
    assert progress.training(training(0, 0.0, math.nan, math.inf)).line.endswith(
        "loss nan | learning rate 0.0315 | ? left"
    )


def counting(words):
    return CountingProgress(words_done=words, words_total=10_000, pairs=4.2e6)


def test_counting_of_pairs_is_shown_until_it_is_over(clock):
    assert progress.counting(counting(2_500)).line == (
        "Counting pairs 25% | pairs of 2,500 of 10,000 words | 4.20 M pairs expected"
    )
    out = console()
    display = ProgressDisplay(out, clock)
    display(counting(2_500))
    shown = " ".join(frame(display, out))
    assert "Counting" in shown
    assert "25%" in shown
    display(counting(10_000))
    assert "Counting" not in " ".join(frame(display, out))
    assert not display.training_began


def frame(display, out):
    with out.capture() as captured:
        out.print(display.bar)
    return captured.get().splitlines()


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120])
def test_the_bar_fits_the_terminal(clock, columns):
    out = console(columns, terminal=True)
    display = ProgressDisplay(out, clock)
    assert frame(display, out) == ["Starting ..."]
    display(reading(8_000_000))
    shown = frame(display, out)
    assert shown[0].startswith("Reading")
    assert shown[0].rstrip().endswith("50%")
    assert " · ".join(shown[1:]) == "8.00 M words · 50.0 MB of 100 MB · wiki8"
    display(training(1, 0.75))
    shown = frame(display, out)
    assert shown[0].rstrip().endswith("75%")
    assert " · ".join(shown[1:]) == (
        "epoch 2 of 2 · 4.12 M words/s · loss 2.5000 · learning rate 0.0315 · 12 s left"
    )
    assert all(len(line) <= columns for line in shown)


def test_what_comes_between_reading_and_training_is_said(clock):
    out = console(80, terminal=True)
    display = ProgressDisplay(out, clock)
    display(reading(5, 100, 100))
    assert frame(display, out)[0].startswith("Preparing to train")
    display = ProgressDisplay(out, clock)
    display(reading(5, 0, None, ""))
    assert frame(display, out)[0].startswith("Reading")
    clock.now += 2
    assert frame(display, out)[0].startswith("Preparing to train")


def test_a_terminal_gets_a_bar_and_keeps_the_lines(clock):
    out = console(80, terminal=True)
    with ProgressDisplay(out, clock) as display:
        display(reading(5))
        clock.now = 60.0
        display(training(0, 0.5))
        display(training(1, 1.0))
    text = out.file.getvalue()
    assert "Epoch 2 of 2: loss 2.5000" in text
    assert " | " not in text  # no log lines beside the bar


def epoch(number, seconds, **measured):
    defaults = {"validation_loss": None, "validation_accuracy": None}
    return ClassifierProgress(
        epoch=number, epochs=4, loss=0.5, learning_rate=0.01, seconds=seconds,
        **(defaults | measured),
    )  # fmt: skip


def test_a_classifiers_epochs_are_lines_and_a_bar(clock):
    out = console(60, terminal=True)
    display = ProgressDisplay(out, clock, waiting=PREPARING)
    assert frame(display, out)[0].startswith("Preparing to train")
    display.end_epoch(epoch(1, 0.012))
    display.end_epoch(epoch(3, 75.0, validation_loss=0.625, validation_accuracy=0.875))
    assert out.file.getvalue().splitlines() == [
        "Epoch 1 of 4: loss 0.5000, 12 ms.",
        "Epoch 3 of 4: loss 0.5000, on held-out texts 0.6250, 87.5% of them right, 1 min 15 s.",
    ]
    shown = frame(display, out)
    assert len(shown) == 1
    assert shown[0].startswith("Training")
    assert shown[0].rstrip().endswith("75%")


def test_a_bar_of_unknown_length_gives_way_to_one_of_known_length(clock):
    out = console(60, terminal=True)
    display = ProgressDisplay(out, clock)
    display(reading(5, 12, None, "-"))
    assert "%" not in frame(display, out)[0]
    display(reading(5, 50, 100, "wiki8"))
    assert frame(display, out)[0].rstrip().endswith("50%")

"""Ctrl-C and SIGTERM while checkpoints are saved: rest first, save, then end."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.training import trainer as trainer_module
from wordgrad.training.trainer import Interrupts

TEXT = [["a", "b", "c", "d", "e", "f"] * 4] * 400
SETTINGS = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", -1.0)


@pytest.fixture(autouse=True)
def handlers_come_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def sending(number, at=(1, 2000), times=1):
    """Progress that sends this process a signal once training has come to a position."""

    def progress(event):
        if hasattr(event, "epoch") and event.words_done >= at[0] * 9600 + at[1]:
            while progress.left:
                progress.left -= 1
                os.kill(os.getpid(), number)
                time.sleep(0.01)  # a handler runs between two instructions of this thread

    progress.left = times
    return progress


def test_ctrl_c_saves_and_the_training_goes_on_to_the_same_bytes(tmp_path, at_once):
    whole = Word2Vec(**SETTINGS, epochs=40).fit(TEXT)
    model = Word2Vec(
        **SETTINGS, epochs=40, checkpoint=tmp_path, checkpoint_every=1e9,
        progress=sending(signal.SIGINT),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT)
    assert 1 <= len(model.history_) < 40
    assert np.isfinite(model.vectors_.matrix).all()
    resumed = Word2Vec.from_checkpoint(tmp_path).resume()
    assert len(resumed.history_) == 40
    assert resumed.vectors_.matrix.tobytes() == whole.vectors_.matrix.tobytes()


def test_sigterm_saves_and_exits_with_its_code(tmp_path, at_once):
    model = Word2Vec(
        **SETTINGS, epochs=40, checkpoint=tmp_path, checkpoint_every=1e9,
        progress=sending(signal.SIGTERM),
    )  # fmt: skip
    with pytest.raises(SystemExit) as exit_:
        model.fit(TEXT)
    assert exit_.value.code == 128 + signal.SIGTERM
    assert len(Word2Vec.from_checkpoint(tmp_path).resume().history_) == 40


def test_a_handler_that_was_there_is_called_after_the_saving(tmp_path, at_once):
    class OursError(Exception):
        pass

    def ours(number, frame):
        saved.extend(tmp_path.glob("checkpoint-*"))
        raise OursError(number)

    saved = []
    before = signal.signal(signal.SIGTERM, ours)
    try:
        with pytest.raises(OursError, match=str(int(signal.SIGTERM))):
            Word2Vec(
                **SETTINGS, epochs=40, checkpoint=tmp_path, checkpoint_every=1e9,
                progress=sending(signal.SIGTERM),
            ).fit(TEXT)  # fmt: skip
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(saved) == 2


def test_a_second_signal_does_not_wait(tmp_path, at_once):
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(
            **SETTINGS, epochs=40, checkpoint=tmp_path, checkpoint_every=1e9,
            progress=sending(signal.SIGINT, times=2),
        ).fit(TEXT)  # fmt: skip
    # Only the beginning was saved: there was no time to pause.
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-1.safetensors"]


def test_without_checkpoints_ctrl_c_acts_at_once(at_once):
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS, epochs=40, progress=sending(signal.SIGINT)).fit(TEXT)


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(threading.Event()) as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert interrupts.received is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_nothing_happens_in_other_threads():
    def enter():
        with Interrupts(threading.Event()):
            seen.append(signal.getsignal(signal.SIGINT))

    seen = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]

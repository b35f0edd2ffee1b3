"""A signal at any moment: nothing half written, nothing left behind, the right exit code."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading

import pytest
from load_runs import start, stop_somewhere, write_text

from wordgrad.cli import main
from wordgrad.cli.exit import Stopped, exit_code, stopping_in_order
from wordgrad.cli.train import keep_partial, save_or_keep
from wordgrad.errors import OutputError
from wordgrad.word_vectors import WordVectors, load

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
VECTORS = WordVectors(["a", "b"], [[1.0, 0.0], [0.5, 1.0]])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    write_text(path)
    return path


@pytest.mark.parametrize(
    ("name", "saving"),
    [("SIGINT", False), ("SIGINT", True), ("SIGTERM", False), ("SIGTERM", True), ("SIGKILL", True)],
)
def test_a_stop_leaves_nothing_half_written(text, tmp_path, name, saving):
    """Some of the many that ``tests/fuzz/soak.py`` tries."""
    rng = random.Random(f"{name} {saving}")
    number = signal.Signals[name]
    stop = stop_somewhere(text, tmp_path / "work", number, rng, saving=saving)
    assert stop.wrong == []


def test_a_closed_terminal_keeps_what_was_learnt(text, tmp_path):
    """As Ctrl-C does: the vectors as trained so far are in a file of their own."""
    number = signal.SIGHUP
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("SIGHUP is ignored here, as under nohup, and stays so")
    output = tmp_path / "v.safetensors"
    with start(text, output, tmp_path, "--epochs", 100_000, "--vector-size", 8) as process:
        said = ""
        while "Epoch 2 of" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(number)
        process.send_signal(number)  # a second one does not cut the tidying short
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert rest.splitlines()[-1].startswith("Interrupted; the vectors as trained so far are in ")
    assert len(load(tmp_path / "v.partial.safetensors")) == 40_000
    assert os.listdir(tmp_path) == ["v.partial.safetensors"]


def test_an_ignored_request_stays_ignored():
    """``nohup wordgrad train`` asks for it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_nothing():
    found = []

    def look():
        with stopping_in_order():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)

    def asked():
        with stopping_in_order():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with pytest.raises(Stopped, match="stopped by SIGTERM") as caught:
        asked()
    assert signal.getsignal(signal.SIGTERM) is before
    assert exit_code(caught.value) == 143


def test_a_second_request_does_not_cut_the_tidying_short():
    tidied = []

    def asked_twice():
        with stopping_in_order():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGTERM)
                tidied.append(True)

    with pytest.raises(Stopped, match="stopped by SIGTERM"):
        asked_twice()
    assert tidied == [True]


def test_a_stop_before_the_command_begins(monkeypatch):
    """While the arguments are read, say."""
    from wordgrad.cli import app

    def stopped(**_options):
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(app, "app", stopped)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 143


def test_the_code_is_that_of_the_signal_behind_an_error():
    def wrapped():
        try:
            raise Stopped(signal.SIGTERM)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt("with a sentence") from stop

    with pytest.raises(KeyboardInterrupt, match="with a sentence") as caught:
        wrapped()
    assert exit_code(caught.value) == 143
    assert exit_code(KeyboardInterrupt()) == 130


class TestWhatWasLearntIsKept:
    def test_where_it_was_meant_to_go(self, tmp_path):
        save_or_keep(VECTORS, tmp_path / "v.safetensors", overwrite=False)
        assert os.listdir(tmp_path) == ["v.safetensors"]

    def test_beside_it_if_another_was_faster(self, tmp_path):
        output = tmp_path / "v.safetensors"
        output.write_bytes(b"theirs")
        message = r"v\.safetensors exists already.*what was trained is in .*v\.partial\.safetensors"
        with pytest.raises(OutputError, match=message):
            save_or_keep(VECTORS, output, overwrite=False)
        assert output.read_bytes() == b"theirs"
        assert load(tmp_path / "v.partial.safetensors").words == ("a", "b")

    def test_nowhere_if_there_is_no_room(self, tmp_path):
        with pytest.raises(OutputError, match=r"folder .*gone does not exist; create it first\.$"):
            save_or_keep(VECTORS, tmp_path / "gone" / "v.safetensors", overwrite=False)

    def test_under_a_name_that_nobody_takes_meanwhile(self, tmp_path, monkeypatch):
        save = WordVectors.save

        def another_is_faster(self, path, **options):
            if path.name == "v.partial.safetensors":
                path.write_bytes(b"theirs")
            save(self, path, **options)

        monkeypatch.setattr(WordVectors, "save", another_is_faster)
        kept = keep_partial(VECTORS, tmp_path / "v.safetensors")
        assert kept.name == "v.partial-2.safetensors"
        assert (tmp_path / "v.partial.safetensors").read_bytes() == b"theirs"

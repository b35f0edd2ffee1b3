"""Checkpoints on other storage: what one goes on from, whenever a training was killed."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.doc2vec import Doc2Vec
from wordgrad.errors import DamagedCheckpointWarning, FormatError, InputError, OutputError
from wordgrad.storage import names_in, path_of
from wordgrad.training.checkpoint import CheckpointFolder, check_holds_checkpoint

pytest.importorskip("upath")
fsspec = pytest.importorskip("fsspec")
LINES = [f"the {i % 7} cat sat on new york mat {i % 31}" for i in range(300)]
SETTINGS = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "checkpoint_every": 1e-6}


@pytest.fixture(params=["memory", "s3"])
def there(request, tmp_path) -> str:
    """A folder on other storage that no test has used, and nothing in it."""
    if request.param == "s3":
        request.getfixturevalue("s3_server")
    url = f"{request.param}://checkpoints/{tmp_path.name}"
    path_of(url).fs.makedirs("checkpoints", exist_ok=True)
    return url


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES))
    return path


def _interrupt(epoch):
    def stop(live):
        if live.epoch == epoch:
            raise KeyboardInterrupt

    return stop


def _stopped(there, source, after=2, **settings) -> None:
    model = Word2Vec(**SETTINGS | settings, epochs=4, checkpoint=there, on_epoch=_interrupt(after))
    with pytest.raises(KeyboardInterrupt):
        model.fit(source)


@pytest.mark.parametrize("more", [{}, {"phrases": 1, "validation": LINES[:50]}])
def test_a_training_goes_on_to_the_same_bytes(there, text, more, monkeypatch) -> None:
    wanted = Word2Vec(**SETTINGS | more, epochs=4).fit(text)
    monkeypatch.chdir(text.parent)
    _stopped(there, text.name, **more)
    monkeypatch.chdir("/")
    found = names_in(path_of(there))
    assert sum(name.startswith("checkpoint-") for name in found) == 2
    rest = {"sources.json"} | ({"phrases.safetensors", "held-out.safetensors"} if more else set())
    assert {name for name in found if not name.startswith("checkpoint-")} == rest
    again = Word2Vec.from_checkpoint(there).resume()
    assert again.vectors_.words == wanted.vectors_.words
    np.testing.assert_array_equal(again.vectors_.matrix, wanted.vectors_.matrix)
    assert [epoch["epoch"] for epoch in again.history_] == [1, 2, 3, 4]


def test_documents_go_on_too(there, text) -> None:
    settings = {name: SETTINGS[name] for name in ("vector_size", "min_count", "sample", "workers")}
    settings["learning_rate"] = 0.5
    found = []
    for folder in (str(text.parent / "folder"), there):
        Doc2Vec(**settings, epochs=1, checkpoint=folder).fit(text)
        found.append(Doc2Vec.from_checkpoint(folder, epochs=3).resume())
    wanted, again = found
    np.testing.assert_array_equal(again.documents_.matrix, wanted.documents_.matrix)


def test_text_in_memory_has_to_be_given_again(there) -> None:
    wanted = Word2Vec(**SETTINGS, epochs=4).fit(LINES)
    _stopped(there, LINES)
    with pytest.raises(FormatError, match=r"sources\.json names no files.*give the text again"):
        Word2Vec.from_checkpoint(there).resume()
    with pytest.raises(InputError, match=r"text"):
        Word2Vec.from_checkpoint(there).resume(LINES[::-1])
    again = Word2Vec.from_checkpoint(there).resume(LINES)
    np.testing.assert_array_equal(again.vectors_.matrix, wanted.vectors_.matrix)


@pytest.mark.parametrize("sent", range(1, 6))
def test_whatever_file_is_not_sent_any_more(text, monkeypatch, sent) -> None:
    """As if killed before a file is sent, and after it: the last checkpoint goes on."""
    there = f"memory://checkpoints/send-{sent}"
    wanted = Word2Vec(**SETTINGS, epochs=4).fit(text)
    system = type(fsspec.filesystem("memory"))
    put, calls = system.put_file, []

    def killed(self, file, place, **options):
        calls.append(place)
        if len(calls) >= sent:
            if sent % 2:
                put(self, file, place, **options)
            raise KeyboardInterrupt
        put(self, file, place, **options)

    with monkeypatch.context() as patch:
        patch.setattr(system, "put_file", killed)
        with pytest.raises(KeyboardInterrupt):
            Word2Vec(**SETTINGS, epochs=4, checkpoint=there).fit(text)
    try:
        check_holds_checkpoint(path_of(there))
    except InputError:
        assert sent <= 2  # sources.json, and the first checkpoint, before any step
        found = Word2Vec(**SETTINGS, epochs=4, checkpoint=there).fit(text)
    else:
        found = Word2Vec.from_checkpoint(there).resume()
    np.testing.assert_array_equal(found.vectors_.matrix, wanted.vectors_.matrix)


def test_kills_at_any_moment(s3_server, text, tmp_path) -> None:
    there = f"s3://checkpoints/{tmp_path.name}"
    path_of(there).fs.makedirs("checkpoints", exist_ok=True)
    settings = SETTINGS | {"epochs": 15, "checkpoint": there}
    wanted = Word2Vec(**SETTINGS | {"epochs": 15}).fit(text)
    begin = f"Word2Vec(**{settings}).fit({str(text)!r})"
    resume = f"Word2Vec.from_checkpoint({there!r}).resume()"
    kills = 0
    for wait in (0.1, 0.5, 1.0):
        act = resume if any("checkpoint-" in name for name in names_in(path_of(there))) else begin
        code = f"from wordgrad import Word2Vec; print('begun', flush=True); {act}"
        program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert program.stdout.readline()
        before = _newest(there)
        deadline = time.monotonic() + 60
        while _newest(there) == before and program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait / 10)
        program.send_signal(signal.SIGKILL)
        kills += program.wait() == -signal.SIGKILL
        program.stdout.close()
    assert kills >= 2
    found = Word2Vec.from_checkpoint(there).resume()
    np.testing.assert_array_equal(found.vectors_.matrix, wanted.vectors_.matrix)


def _newest(there) -> str:
    return max((n for n in names_in(path_of(there)) if "checkpoint-" in n), key=len, default="")


def test_a_damaged_checkpoint_and_one_of_another_training(there, text) -> None:
    _stopped(there, text)
    folder = path_of(there)
    numbers = sorted(int(name[11:-12]) for name in names_in(folder) if "checkpoint-" in name)
    newest = folder / f"checkpoint-{numbers[-1]}.safetensors"
    data = newest.read_bytes()
    newest.fs.pipe_file(newest.path, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.warns(DamagedCheckpointWarning, match="fails its checksum"):
        again = Word2Vec.from_checkpoint(there, epochs=3).resume()
    assert len(again.history_) == 3
    with CheckpointFolder.open(folder) as one, CheckpointFolder.open(folder) as other:
        held = other.newest()
        one.save(one.newest())
        with pytest.raises(OutputError, match="Another training saves to the checkpoint folder"):
            other.save(held)


class TestRefusals:
    def test_what_holds_checkpoints_or_none(self, there, text) -> None:
        with pytest.raises(InputError, match="holds no checkpoint"):
            Word2Vec.from_checkpoint(there)
        Word2Vec(**SETTINGS, epochs=1, checkpoint=there).fit(text)
        with pytest.raises(OutputError, match="holds checkpoints of a training"):
            Word2Vec(**SETTINGS, epochs=1, checkpoint=there).fit(text)

    def test_what_cannot_be_written(self, s3_server, text) -> None:
        with pytest.raises(OutputError, match=r"could not be written \(.*bucket does not exist\)"):
            Word2Vec(**SETTINGS, checkpoint="s3://no-such-bucket/a").fit(text)

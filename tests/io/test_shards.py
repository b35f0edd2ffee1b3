"""Vectors in shards: all of them and in their order, or one sentence; and never half a set."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from wordgrad import Word2Vec, WordVectors, load
from wordgrad.cli.app import app
from wordgrad.container import checksum
from wordgrad.errors import FormatError, InputError, OutputError, ParameterError
from wordgrad.files import GrowingArray
from wordgrad.io import shards

INDEX = "v.safetensors.index.json"


def _vectors(n=50, size=6, seed=1) -> WordVectors:
    rng = np.random.default_rng(seed)
    words = [f"wörd{i}" for i in range(n)]
    return WordVectors(words, rng.normal(size=(n, size)), range(2 * n, n, -1), {"a": {"b": 1}})


@pytest.fixture
def index(tmp_path):
    path = tmp_path / INDEX
    _vectors().save(path, shard_bytes=500)
    return path


def _same(a, b) -> None:
    assert a.words == b.words
    np.testing.assert_array_equal(a.matrix, b.matrix)
    np.testing.assert_array_equal(a.counts, b.counts)
    assert a.metadata == b.metadata


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(n=st.integers(1, 40), size=st.integers(1, 5), shard_bytes=st.integers(1, 3000))
def test_whatever_is_cut_comes_back(tmp_path, n, size, shard_bytes) -> None:
    vectors = _vectors(n, size)
    path = tmp_path / INDEX
    vectors.save(path, overwrite=True, shard_bytes=shard_bytes)
    _same(load(path), vectors)
    names = json.loads(path.read_text())["weight_map"].values()
    assert {file.name for file in tmp_path.iterdir()} == {INDEX, *names}
    for limit in (1, n // 2 + 1, n + 5):
        some = load(path, limit=limit)
        assert some.words == vectors.words[:limit]
        np.testing.assert_array_equal(some.matrix, vectors.matrix[:limit])
    one = load(tmp_path / min(names))  # each is a file by itself
    assert one.words == vectors.words[: len(one)]


def test_shards_are_not_larger_than_was_allowed(index) -> None:
    record = json.loads(index.read_text())
    assert list(record["weight_map"])[:2] == ["matrix[0:10]", "matrix[10:20]"]
    assert next(iter(record["weight_map"].values())) == "v-00001-of-00005.safetensors"
    assert record["metadata"]["total_size"] == 50 * 6 * 4
    data = (index.parent / "v-00001-of-00005.safetensors").read_bytes()
    header = int.from_bytes(data[:8], "little")
    assert len(data) - 8 - header <= 500


def test_output_vectors_are_kept_and_trained_on(tmp_path) -> None:
    text = [f"the {i % 7} cat sat on mat {i % 31}" for i in range(300)]
    for loss in ("negative-sampling", "hierarchical-softmax"):  # whose tree has a node less
        given = {"vector_size": 8, "min_count": 1, "workers": 1, "loss": loss}
        model = Word2Vec(**given, keep_output=True, epochs=3, sample=0).fit(text)
        whole, path = tmp_path / "whole.safetensors", tmp_path / INDEX
        model.vectors_.save(whole, overwrite=True)
        wanted = load(whole).outputs
        size = 4 * 8 * 2 * (len(wanted) - 1)
        model.vectors_.save(path, overwrite=True, shard_bytes=size)
        np.testing.assert_array_equal(load(path).outputs, wanted)
        assert load(path, limit=3).outputs is None


def test_no_shard_is_whole_in_memory(tmp_path) -> None:
    matrix = np.ones((70_000, 1000), np.float32)  # 280 MB
    matrix.flags.writeable = False
    vectors = WordVectors([str(i) for i in range(len(matrix))], matrix)
    tracemalloc.start()
    try:
        vectors.save(tmp_path / INDEX, shard_bytes=60 << 20)
        assert tracemalloc.get_traced_memory()[1] < 60e6
        tracemalloc.reset_peak()
        found = load(tmp_path / INDEX)
        assert tracemalloc.get_traced_memory()[1] < 220e6  # a shard of 60 MB is checked, too
    finally:
        tracemalloc.stop()
    assert found.matrix.shape == matrix.shape
    assert (found.matrix[::997] == 1).all()


class TestDamage:
    def test_a_shard_is_missing(self, index) -> None:
        (index.parent / "v-00003-of-00005.safetensors").unlink()
        with pytest.raises(FormatError, match=r"names v-00003-of-00005\.safetensors, which is not"):
            load(index)
        assert len(load(index, limit=20)) == 20

    def test_a_shard_of_another_training(self, index, tmp_path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        _vectors(seed=2).save(other / INDEX, shard_bytes=500)
        name = "v-00002-of-00005.safetensors"
        shutil.copy(other / name, index.parent / name)
        with pytest.raises(FormatError, match=rf"{name} is a shard of other vectors"):
            load(index)

    def test_shards_that_changed_places(self, index) -> None:
        one, two = (index.parent / f"v-0000{k}-of-00005.safetensors" for k in (1, 2))
        one.rename(index.parent / "x")
        two.rename(one)
        (index.parent / "x").rename(two)
        with pytest.raises(FormatError, match="is a shard of other vectors"):
            load(index)

    def test_outputs_that_a_shard_lacks(self, tmp_path) -> None:
        path, words = tmp_path / INDEX, [f"word{i}" for i in range(20)]
        matrix = np.ones((20, 3), np.float32)
        WordVectors(words, matrix, outputs=matrix).save(path, shard_bytes=400)
        record = json.loads(path.read_text())
        first = tmp_path / next(iter(record["weight_map"].values()))
        rows = len(load(first))
        WordVectors(words[:rows], matrix[:rows]).save(first, overwrite=True)
        record["metadata"]["checksums"][0] = shards._checksum_of(first)
        self._write(path, record)
        with pytest.raises(FormatError, match=r"shards before .* hold too few outputs"):
            load(path)

    def test_a_flipped_bit_in_a_shard(self, index) -> None:
        path = index.parent / "v-00004-of-00005.safetensors"
        whole = path.read_bytes()
        for place in range(0, len(whole), 37):
            damaged = bytearray(whole)
            damaged[place] ^= 4
            path.write_bytes(damaged)
            with pytest.raises(FormatError):
                load(index)

    @pytest.mark.parametrize(
        "name",
        ["../v-00001-of-00005.safetensors", "/etc/a.safetensors", "a\\b.safetensors", "a.bin",
         ".hidden.safetensors", "s3://a/b.safetensors", "", 3, None],
    )  # fmt: skip
    def test_names_that_lead_elsewhere(self, index, name) -> None:
        shutil.copy(index.parent / "v-00001-of-00005.safetensors", index.parent.parent)
        record = json.loads(index.read_text())
        record["weight_map"]["matrix[0:10]"] = name
        self._write(index, record)
        with pytest.raises(FormatError, match=r"a shard cannot be called|not what wordgrad"):
            load(index)

    @pytest.mark.parametrize(
        ("path", "value"),
        [("shape", [51, 6]), ("shape", [50, 7]), ("shape", [50]), ("shape", [-1, 6]),
         ("shape", "ab"), ("shape", [50, 1 << 60]), ("shape", [50, "6"]), ("checksums", []),
         ("checksums", 7), ("wordgrad", "9"), ("wordgrad", None)],
    )  # fmt: skip
    def test_metadata_that_cannot_be(self, index, path, value) -> None:
        record = json.loads(index.read_text())
        record["metadata"][path] = value
        self._write(index, record)
        with pytest.raises(InputError):
            load(index)

    @pytest.mark.parametrize(
        "parts",
        [{}, {"matrix[0:10]": 1}, {"matrix[0:50]": 1}, {"matrix[5:50]": 1}, {"rows": 1},
         {"matrix[10:0]": 1}, {"matrix[0:25]": 1, "matrix[24:50]": 2}],
    )  # fmt: skip
    def test_rows_that_do_not_follow(self, index, parts) -> None:
        record = json.loads(index.read_text())
        name = "v-0000{}-of-00005.safetensors"
        record["weight_map"] = {part: name.format(k) for part, k in parts.items()}
        record["metadata"]["checksums"] = record["metadata"]["checksums"][: len(parts)]
        self._write(index, record)
        with pytest.raises(FormatError, match=r"is damaged"):
            load(index)

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"metadata": 3}', '{"metadata": ' + "[" * 9**5]
    )
    def test_what_is_no_index(self, index, text) -> None:
        index.write_text(text)
        with pytest.raises(FormatError):
            load(index)

    def test_an_index_of_something_else(self, index) -> None:
        index.write_text('{"metadata": {"total_size": 3}, "weight_map": {"a": "b.safetensors"}}')
        with pytest.raises(FormatError, match="is an index of something else; name one"):
            load(index)
        with index.open("wb") as file:
            file.truncate(1 << 30)
        with pytest.raises(FormatError, match="is no index of word vectors"):
            load(index, format="safetensors-shards")

    def _write(self, path, record) -> None:
        """With a right checksum, whatever it is of."""
        known = {name: one for name, one in record["metadata"].items() if name != "crc32"}
        text = json.dumps([known, record["weight_map"]], sort_keys=True)
        record["metadata"]["crc32"] = f"{checksum(text.encode()):08x}"
        path.write_text(json.dumps(record))


class TestWriting:
    def test_an_old_set_stays_until_the_new_one_is_there(self, index, monkeypatch) -> None:
        old, before = load(index), sorted(os.listdir(index.parent))
        new = _vectors(seed=3)
        write = shards.safetensors.write
        calls = []

        def full(part, path):
            calls.append(path)
            if len(calls) == 3:
                raise OSError(28, "No space left on device")
            write(part, path)

        with monkeypatch.context() as patch:
            patch.setattr(shards.safetensors, "write", full)
            with pytest.raises(OutputError, match=r"v\.2-00003-of-00005.*No space left"):
                new.save(index, overwrite=True, shard_bytes=500)
        assert sorted(os.listdir(index.parent)) == before
        _same(load(index), old)
        new.save(index, overwrite=True, shard_bytes=500)
        _same(load(index), new)
        assert len(os.listdir(index.parent)) == len(before)
        with pytest.raises(OutputError, match="exists already"):
            old.save(index)

    def test_a_kill_leaves_the_old_set_whole(self, index) -> None:
        old = load(index)
        code = f"""if True:
            import os, signal
            import numpy as np
            from wordgrad import WordVectors
            from wordgrad.io import shards
            write, calls = shards.safetensors.write, []
            def killed(part, path):
                calls.append(path)
                if len(calls) == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                write(part, path)
            shards.safetensors.write = killed
            vectors = WordVectors([str(i) for i in range(50)], np.ones((50, 6)))
            vectors.save({str(index)!r}, overwrite=True, shard_bytes=400)
        """
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == -signal.SIGKILL
        _same(load(index), old)
        new = _vectors(seed=4)
        new.save(index, overwrite=True, shard_bytes=400)  # beside what the kill left
        _same(load(index), new)

    def test_shard_bytes_are_for_shards(self, tmp_path) -> None:
        with pytest.raises(ParameterError, match=r"shard_bytes is for names that end in \.safeten"):
            _vectors().save(tmp_path / "v.safetensors", shard_bytes=500)
        with pytest.raises(ParameterError, match="shard_bytes must be an integer >= 1"):
            _vectors().save(tmp_path / INDEX, shard_bytes=0)

    def test_no_room_for_what_is_joined(self, index, monkeypatch) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10}))
        with pytest.raises(InputError, match=r"take 1,200 bytes of .*room for 10;.*TMPDIR"):
            load(index)

    def test_the_temporary_file_says_what_it_is_of(self, index, monkeypatch) -> None:
        def full(**options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("tempfile.TemporaryFile", full)
        rows = GrowingArray(np.float32, in_memory=1, what="Vectors in shards")
        with pytest.raises(OutputError, match="Vectors in shards could not be written to"):
            rows.append(np.zeros(9))


def test_elsewhere(tmp_path) -> None:
    pytest.importorskip("upath")
    vectors, url = _vectors(), f"memory://shards/{tmp_path.name}/{INDEX}"
    vectors.save(url, shard_bytes=500)
    _same(load(url), vectors)
    _same(load(url, limit=None, check=True), vectors)
    _vectors(seed=2).save(url, shard_bytes=300, overwrite=True)
    _same(load(url), _vectors(seed=2))


def test_commands(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = Path("text.txt")
    text.write_text("\n".join(f"the {i % 7} cat sat on mat {i % 31}" for i in range(300)))

    def run(*arguments) -> str:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    small = ("--vector-size", "8", "--min-count", "1", "--epochs", "2", "--workers", "1")
    run("train", "text.txt", "-o", "one.safetensors", *small)
    assert "Wrote a.safetensors.index.json: " in " ".join(
        run("train", "text.txt", "-o", "a.safetensors.index.json", *small).split()
    )
    np.testing.assert_array_equal(
        load("a.safetensors.index.json").matrix, load("one.safetensors").matrix
    )
    assert run("similar", "a.safetensors.index.json", "cat") == run(
        "similar", "one.safetensors", "cat"
    )
    assert "from safetensors in shards to" in " ".join(
        run("convert", "a.safetensors.index.json", "a.txt").split()
    )
    run("convert", "a.txt", "b.safetensors.index.json")
    np.testing.assert_allclose(load("b.safetensors.index.json").matrix, load("a.txt").matrix)

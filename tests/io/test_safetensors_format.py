"""The safetensors layout: what only this format can get wrong."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wordgrad.errors import FormatError
from wordgrad.io import safetensors as safetensors_format
from wordgrad.word_vectors import WordVectors, load


def parts():
    return {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "words": np.frombuffer(b"tobe", dtype=np.uint8),
        "offsets": np.array([0, 2, 4]),
        "counts": np.array([5, 3]),
    }


def write(path, tensors, **changes):
    """A file with right checksums, whatever it holds."""
    metadata = {"wordgrad": "1", **changes}
    metadata["crc32.matrix"] = f"{zlib.crc32(tensors['matrix'].tobytes()):08x}"
    rest = {name: tensor for name, tensor in tensors.items() if name != "matrix"}
    metadata["crc32.rest"] = safetensors_format._checksum(metadata, rest)
    save_file(tensors, path, metadata=metadata)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "v.safetensors"


def test_the_layout_is_the_one_documented(path):
    WordVectors(["to", "bé"], parts()["matrix"], [5, 3], {"training": {"seed": 1}}).save(path)
    tensors = load_file(path)
    assert tensors["words"].tobytes() == "tobé".encode()
    assert tensors["offsets"].tolist() == [0, 2, 5]
    assert tensors["counts"].tolist() == [5, 3]
    assert tensors["matrix"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert {name: str(tensor.dtype) for name, tensor in tensors.items()} == {
        "words": "uint8",
        "offsets": "int64",
        "counts": "int64",
        "matrix": "float32",
    }
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    metadata = json.loads(raw[8 : 8 + length])["__metadata__"]
    assert metadata["wordgrad"] == "1"
    assert json.loads(metadata["meta.training"]) == {"seed": 1}
    assert metadata["crc32.matrix"] == f"{zlib.crc32(tensors['matrix'].tobytes()):08x}"


def test_equal_vectors_are_equal_files(tmp_path):
    # The library orders metadata anew at each call: twenty entries hardly come out alike twice.
    metadata = {f"name {k}": f"é \x1f \\ {k}" for k in range(20)}
    for name in ("a", "b"):
        WordVectors(["x", "y"], np.eye(2), metadata=metadata).save(tmp_path / f"{name}.safetensors")
    contents = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("a", "b")]
    assert contents[0] == contents[1]
    (length,) = struct.unpack("<Q", contents[0][:8])
    names = list(json.loads(contents[0][8 : 8 + length])["__metadata__"])
    assert names == sorted(names)
    assert load(tmp_path / "a.safetensors").metadata == metadata


def test_a_file_with_right_checksums_is_read(path):
    assert load(write(path, parts()))["be"].tolist() == [3, 4, 5]


def test_the_matrix_is_mapped_not_read(path):
    vectors = load(write(path, parts()))
    base = vectors.matrix
    while base.base is not None and isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert vectors.matrix.flags.aligned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": np.zeros((2, 3))}, r"matrix must be float32 with 2 dimensions, got float64"),
        ({"matrix": np.zeros(6, np.float32)}, r"matrix must be float32 with 2 dimensions"),
        ({"matrix": np.zeros((3, 2), np.float32)}, r"3 x 2 does not fit its 2 words"),
        ({"matrix": np.zeros((0, 3), np.float32)}, r"does not fit"),
        ({"counts": np.array([1, 2, 3])}, r"does not fit its 2 words and 3 counts"),
        ({"offsets": np.array([0, 2, 9])}, r"offsets do not rise"),
        ({"offsets": np.array([0, 2, 4], np.int32)}, r"offsets must be int64"),
        ({"words": np.frombuffer(b"to\xff\xff", np.uint8)}, r"word 1 is not valid UTF-8"),
        ({"more": np.zeros(3)}, r"it holds unknown tensors"),
        ({"words": None}, r"words is missing"),
        ({"counts": np.array([-1, 2])}, r"counts must not be negative, got -1"),
    ],
)
def test_tensors_that_do_not_fit(path, change, message):
    tensors = {k: v for k, v in {**parts(), **change}.items() if v is not None}
    with pytest.raises(FormatError, match=rf"v\.safetensors is damaged: .*{message}"):
        load(write(path, tensors))


def test_other_layouts_and_other_files(path):
    with pytest.raises(
        FormatError, match=r"has layout '3' and .* reads '1' and '2'; install a newer"
    ):
        load(write(path, parts(), wordgrad="3"))
    save_file({"weights": np.zeros(3)}, path)
    with pytest.raises(FormatError, match=r"not one of word vectors \(it holds weights\)"):
        load(path)


@pytest.mark.parametrize("value", ["{", "[" * 100_000])
def test_metadata_that_is_not_json(path, value):
    with pytest.raises(FormatError, match=r"metadata entry 'meta\.training' is not JSON"):
        load(write(path, parts(), **{"meta.training": value}))


def test_a_word_twice(path):
    tensors = {**parts(), "words": np.frombuffer(b"toto", dtype=np.uint8)}
    vectors = load(write(path, tensors))
    with pytest.raises(FormatError, match=r"v\.safetensors holds the word 'to' twice"):
        vectors["to"]


def test_values_that_are_not_finite(path, monkeypatch):
    matrix = parts()["matrix"]
    matrix[1, 2] = np.nan
    write(path, {**parts(), "matrix": matrix})
    with pytest.raises(FormatError, match=r"v\.safetensors holds nan in row 1, column 2"):
        load(path)
    monkeypatch.setattr(safetensors_format, "CHECKED_AT_ONCE", 0)
    vectors = load(path)
    assert vectors["to"].tolist() == [0, 1, 2]
    with pytest.raises(FormatError, match=r"not finite in row 1 \('be'\)"):
        vectors["be"]
    with pytest.raises(FormatError, match=r"v\.safetensors holds nan in row 1, column 2"):
        vectors.most_similar("to")
    with pytest.raises(FormatError, match="holds nan in row 1, column 2"):
        load(path, check=True)


def test_a_large_matrix_is_checked_only_when_asked(path, monkeypatch):
    WordVectors(["to", "be"], parts()["matrix"]).save(path)
    damaged = bytearray(path.read_bytes())
    place = damaged.index(np.float32(4.0).tobytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match="its matrix fails its checksum"):
        load(path)
    monkeypatch.setattr(safetensors_format, "CHECKED_AT_ONCE", 0)
    assert load(path)["be"][1] == pytest.approx(4.0)
    with pytest.raises(FormatError, match="its matrix fails its checksum"):
        load(path, check=True)


def test_a_matrix_that_is_not_aligned_is_copied(path):
    """Other writers may leave the data anywhere; a header one byte longer moves them."""
    write(path, parts())
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    moved = struct.pack("<Q", length + 1) + raw[8 : 8 + length] + b" " + raw[8 + length :]
    path.write_bytes(moved)
    vectors = load(path)
    assert vectors.matrix.flags.aligned
    assert not vectors.matrix.flags.writeable
    assert vectors["be"].tolist() == [3, 4, 5]


def test_the_same_vectors_make_the_same_bytes(tmp_path):
    """The library alone would write the metadata in another order each time."""
    metadata = {f"{i}": [i, 'é\u0000\u001f\x7f\u2028"\\/\b\t'] for i in range(9)} | {"\n🙂": {}}
    vectors = WordVectors(["a", "\x00"], [[1.0], [2.0]], [2, 1], metadata)
    found = set()
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        vectors.save(path)
        found.add(path.read_bytes())
        assert load(path).metadata == metadata
    assert len(found) == 1

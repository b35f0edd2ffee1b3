"""npz: archives of other programs, forged headers, damaged files."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError, OutputError
from wordgrad.io import npz
from wordgrad.word_vectors import WordVectors, load

WORDS = ["the", "naïve", "no\u00a0break", "a b", ""]
MATRIX = np.arange(10, dtype=np.float32).reshape(5, 2) / 4


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text, data=b"", version=b"\x01\x00"):
    """An .npy file with the header ``text``, whatever it promises."""
    text = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def forged(shape, dtype="<f4", data=b""):
    return header(f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}", data)


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "v.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_of_numpy(path, save, dtype, order):
    matrix = np.array(MATRIX, dtype=dtype, order=order)
    save(path, matrix=matrix, words=np.array(WORDS), counts=np.arange(5, dtype=np.uint8))
    vectors = load(path)
    assert list(vectors.words) == WORDS
    assert (vectors.matrix == MATRIX).all()
    assert vectors.matrix.dtype == np.float32
    assert vectors.counts.tolist() == [0, 1, 2, 3, 4]


def test_numpy_opens_ours_without_unpickling(path):
    WordVectors(WORDS, MATRIX, [9, 4, 2, 1, 1], {"seed": 1}).save(path)
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["counts", "matrix", "metadata", "words"]
        assert arrays["words"].tolist() == WORDS
        assert arrays["matrix"].tobytes() == MATRIX.tobytes()
        assert arrays["counts"].dtype == np.int64
        assert json.loads(str(arrays["metadata"])) == {"seed": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": None}, r"without the arrays 'matrix' and 'words' \(it holds matrix\)"),
        ({"words": None, "matrix": None}, r"without the arrays .* \(it holds nothing\)"),
        ({"other": npy(MATRIX)}, "holds arrays that are not of word vectors"),
        ({"matrix": npy(MATRIX[0])}, r"floating-point numbers of 2 dimensions, got float32 of sh"),
        ({"matrix": npy(MATRIX.astype(int))}, "floating-point numbers of 2 dimensions, got int64"),
        ({"matrix": npy(MATRIX * 1j)}, "floating-point numbers of 2 dimensions, got complex64"),
        ({"matrix": npy(MATRIX[:4])}, r"has shape \(4, 2\), and there are 5 words"),
        ({"matrix": npy(MATRIX[:, :0])}, r"has shape \(5, 0\)"),
        ({"words": npy(np.arange(5))}, "words as strings of 1 dimension, got int64"),
        ({"words": npy(np.array(WORDS)[None])}, r"words as strings of 1 dimension, got <U8 of sh"),
        ({"words": npy(np.array([b"a"] * 5))}, r"words as strings of 1 dimension, got \|S1"),
        ({"words": npy(np.array(WORDS, object))}, "words as Python objects, which would have to"),
        ({"counts": npy(np.arange(4))}, "4 counts for 5 words"),
        ({"counts": npy(np.arange(5.0))}, "counts as integers of 1 dimension, got float64"),
        ({"counts": npy(np.array([1, 2, -3, 4, 5]))}, r"\(row 2\) was seen -3 times"),
        ({"metadata": npy(np.array("[1]"))}, "its metadata is not JSON"),
        ({"metadata": npy(np.array("{"))}, "its metadata is not JSON"),
        ({"metadata": npy(np.array(7))}, "metadata as strings of 0 dimensions, got int64"),
        ({"matrix": npy(np.where(MATRIX == 1, np.nan, MATRIX))}, "holds nan in row 2 .*value 1"),
        ({"matrix": npy(MATRIX.astype(float) * 1e300)}, "holds inf in row 0"),
        ({"matrix": b"no array"}, "matrix is no NumPy array"),
        ({"matrix": header("{}")}, "matrix is no NumPy array"),
        ({"matrix": header("__import__('os')")}, "matrix is no NumPy array"),
        ({"matrix": header("{'descr': ", version=b"\x09\x00")}, "matrix is no NumPy array"),
        ({"words": forged((5,), "<U3", b"\xff" * 60)}, "a word is not Unicode"),
        ({"words": forged((5,), "<U1", struct.pack("<5I", 0xD800, 1, 2, 3, 4))}, "not Unicode"),
        ({"words": forged((10**15,), "<U0")}, "words as strings of 1 dimension, got <U0"),
        ({"matrix": forged((10**12, 300))}, r"of shape \(1000000000000, 300\) .* does not take"),
        ({"matrix": forged((2**62, 2**62))}, "does not take the 0 bytes that are there"),
        ({"matrix": forged((-5, -2), data=bytes(40))}, "does not take the 40 bytes"),
        ({"matrix": npy(MATRIX)[:-1]}, "does not take the 39 bytes"),
        ({"matrix": npy(MATRIX) + b"1"}, "does not take the 41 bytes"),
    ],
)  # fmt: skip
def test_archives_that_do_not_fit(path, change, message):
    members = {"words": npy(np.array(WORDS)), "matrix": npy(MATRIX), **change}
    archive(path, {name: made for name, made in members.items() if made is not None})
    with pytest.raises(FormatError, match=rf"v\.npz .*{message}"):
        load(path)


def test_an_array_named_twice(path):
    archive(path, {"words": npy(np.array(WORDS)), "matrix": npy(MATRIX)})
    with zipfile.ZipFile(path, "a") as more, pytest.warns(UserWarning, match="Duplicate name"):
        more.writestr("matrix.npy", npy(MATRIX + 1))
    with pytest.raises(FormatError, match=r"keep counts, matrix, metadata, words alone, each once"):
        load(path)


def lying_sizes(path, name, size):
    """Let the directory of an archive promise ``size`` bytes for the array ``name``."""
    whole = bytearray(path.read_bytes())
    local, central = whole.index(f"{name}.npy".encode()), whole.rindex(f"{name}.npy".encode())
    whole[local - 8 : local - 4] = whole[central - 22 : central - 18] = struct.pack("<I", size)
    path.write_bytes(whole)


def test_sizes_that_no_deflated_bytes_can_have(path):
    """4 GB from a thousand bytes: refused before memory is allocated."""
    members = {"words": npy(np.array(WORDS)), "matrix": forged((2**29, 2), data=bytes(999))}
    archive(path, members, zipfile.ZIP_DEFLATED)
    lying_sizes(path, "matrix", (1 << 32) - 1)
    with pytest.raises(FormatError, match=r"matrix cannot have 4294967295 bytes"):
        load(path)


def test_less_than_was_promised(path):
    """As much as the header and the directory agree on, but not in the file."""
    rows = 10**5
    members = {"words": npy(np.array(WORDS)), "matrix": forged((rows, 1), data=bytes(4096))}
    archive(path, members, zipfile.ZIP_DEFLATED)
    start = len(forged((rows, 1)))
    lying_sizes(path, "matrix", start + 4 * rows)
    with zipfile.ZipFile(path) as made:
        assert made.getinfo("matrix.npy").file_size == start + 4 * rows
    with pytest.raises(FormatError, match=r"matrix cannot have|is cut short in matrix|not a whole"):
        load(path)


def test_more_than_the_machine_has(path, monkeypatch):
    """A bomb that inflates to all that it promises is refused where it cannot fit."""
    np.savez_compressed(path, matrix=np.zeros((10**6, 1), np.float32), words=np.array(WORDS))
    sizes = {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": 2000}
    monkeypatch.setattr("os.sysconf", sizes.get, raising=False)
    with pytest.raises(FormatError, match="promises 4000128 bytes, and this machine has 2000000"):
        load(path)


def test_a_word_too_long_for_npz(path, monkeypatch):
    monkeypatch.setattr(npz, "WORDS_BYTES", 100)
    with pytest.raises(OutputError, match=r"'a+'\.\.\. of 20 characters .* take 160 bytes as npz"):
        WordVectors(["a" * 20, "b"], [[1], [2]]).save(path)


@pytest.mark.parametrize("place", ["beside the member", "in the directory"])
def test_names_of_members_that_are_no_text(path, place):
    """The standard library raises UnicodeDecodeError for them, in two places."""
    np.savez(path, matrix=MATRIX, words=np.array(WORDS))
    whole = bytearray(path.read_bytes())
    entry = whole.index(b"PK\x01\x02")
    for flags in (entry + 9, whole.index(b"PK\x03\x04") + 7):
        whole[flags] |= 8  # says that the name is UTF-8
    name = whole.index(b"matrix.npy", entry if place == "in the directory" else 0)
    whole[name] = 0xFF
    path.write_bytes(whole)
    with pytest.raises(FormatError, match=r"is not a whole npz file \('utf-8' codec can't decode"):
        load(path)


def test_names_of_members_are_told_on_one_line(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a\nb", "c" * 60_000):
            archive.writestr(name, b"")
    with pytest.raises(FormatError, match=r"it holds 'a\\nb', c{80}\)"):
        load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data(), compressed=st.booleans())
def test_damage_is_found_or_harmless(tmp_path, data, compressed):
    """The archive's checksums let no change of a value pass."""
    path = tmp_path / "whole.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, matrix=MATRIX, words=np.array(WORDS))
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    bad = tmp_path / "bad.npz"
    bad.write_bytes(whole)
    try:
        again = load(bad)
    except FormatError as error:
        found = str(error)
    else:
        found = "harmless"
        assert list(again.words) == WORDS
        assert again.matrix.tobytes() == MATRIX.tobytes()
    assert found == "harmless" or "bad.npz" in found

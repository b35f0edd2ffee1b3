"""Headers of arrays and of the archive that NumPy and zipfile have much to say about."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from wordgrad.errors import FormatError
from wordgrad.word_vectors import WordVectors, load


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "v.npz"
    WordVectors(["a", "b"], [[1.0], [2.0]]).save(path)
    return path


def with_header(path, header):
    """Put another header before the matrix, the archive whole around it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    length = struct.unpack("<H", members["matrix.npy"][8:10])[0]
    text = header.ljust(length - 1).encode() + b"\n"
    members["matrix.npy"] = b"\x93NUMPY\1\0" + struct.pack("<H", length) + text
    members["matrix.npy"] += np.array([[1.0], [2.0]], np.float32).tobytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    path.write_bytes(packed.getvalue())


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, }",
        "((((((((((((((((((((((",
        "{'descr': '<f4', 'fortran_order': False, 'shape': '''",
    ],
)
def test_a_header_without_its_end(npz, header):
    with_header(npz, header)
    with pytest.raises(FormatError, match=r"v\.npz is damaged: matrix is no NumPy array"):
        load(npz)


def test_a_header_of_python_2(npz):
    """Warnings are errors here; NumPy gives one."""
    with_header(npz, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L), }")
    assert load(npz).matrix.tolist() == [[1.0], [2.0]]


def test_names_that_differ_are_told_in_short(npz):
    data = npz.read_bytes()
    # The directory says that the first member begins elsewhere, where a long "name" stands.
    directory = data.rindex(b"PK\1\2", 0, data.rindex(b"words.npy") - 40)
    local = data.index(b"PK\3\4")
    broken = data[: local + 26] + struct.pack("<H", 300) + data[local + 28 :]
    assert directory > local
    npz.write_bytes(broken)
    with pytest.raises(FormatError, match="is not a whole npz file") as caught:
        load(npz)
    assert len(str(caught.value)) < 500

"""The container of every file of ours: whole, checked, of its own kind, never trusted."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from wordgrad import container
from wordgrad.container import Container, open_tensors, write_tensors
from wordgrad.errors import FormatError, InputError, OutputError

TABLE = Container(
    part="table",
    layout="1",
    remedy="make it again.",
    origin="name a table.",
    schema={"x": ("float32", 2), "n": ("int64", 1)},
)
ARRAYS = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([7, -1])}


@pytest.fixture
def path(tmp_path):
    TABLE.write(tmp_path / "t.safetensors", {"name": "é", "rate": 0.1}, ARRAYS)
    return tmp_path / "t.safetensors"


def header_of(data):
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(record=st.dictionaries(st.text(), plain))
def test_what_is_written_comes_back(tmp_path_factory, record):
    path = tmp_path_factory.mktemp("container") / "t"
    TABLE.write(path, record, ARRAYS)
    found, arrays = TABLE.read(path)
    assert found == record == TABLE.read_record(path)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert (arrays[name] == array).all()


def test_equal_contents_make_equal_files(path):
    for number in range(8):  # the library's own order of metadata differs from call to call
        again = path.with_name(f"{number}.safetensors")
        TABLE.write(again, {"name": "é", "rate": 0.1}, dict(reversed(ARRAYS.items())))
        assert again.read_bytes() == path.read_bytes()
    assert list(header_of(path.read_bytes())["__metadata__"]) == [
        "crc32.record", "crc32: n", "crc32: x", "layout", "record", "wordgrad.part",
    ]  # fmt: skip


def test_strided_arrays_are_written_as_they_read(tmp_path):
    wide = np.arange(24, dtype=np.float32).reshape(4, 6)
    TABLE.write(tmp_path / "t", {}, {"x": wide[::2, 1::2], "n": np.arange(9)[::-3]})
    _, arrays = TABLE.read(tmp_path / "t")
    assert arrays["x"].tolist() == [[1, 3, 5], [13, 15, 17]]
    assert arrays["n"].tolist() == [8, 5, 2]


def test_every_flipped_bit_and_every_cut_is_found(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        for content in (bytes(flipped), whole[:place]):
            path.write_bytes(content)
            try:
                TABLE.read(path)
            except FormatError:
                continue
            # White space between the parts of JSON carries nothing.
            assert header_of(content) == header_of(whole)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": ARRAYS["x"]}, "n is missing"),
        (ARRAYS | {"y": np.zeros(1)}, "it holds unknown tensors"),
        (ARRAYS | {"x": np.zeros((2, 3))}, "x must be float32 with 2 dimensions, got float64"),
        (ARRAYS | {"n": np.zeros((1, 1), np.int64)}, r"n must be .*, got int64 of shape \(1, 1\)"),
        (ARRAYS | {"n": np.zeros(1, np.int16)}, "n has dtype I16"),
    ],
)
def test_other_arrays_are_refused_before_they_are_read(path, arrays, message, monkeypatch):
    TABLE.write(path, {}, arrays)
    with pytest.raises(
        FormatError, match=rf"t\.safetensors is damaged: {message}.*; make it again"
    ):
        TABLE.read(path)


def test_a_file_of_another_kind_or_layout_is_named(path):
    chair = Container("chair", "1", "make it again.", "name a chair.")
    newer = Container("table", "2", "make it again.", "name a table.")
    with pytest.raises(FormatError, match=r"is no chair .*content: table\); name a chair"):
        chair.read(path)
    with pytest.raises(FormatError, match="has layout '1' and this version of wordgrad reads '2'"):
        newer.read_record(path)
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(FormatError, match=r"is no table .*content: something else"):
        TABLE.read(path)
    save_file({"x": np.zeros(2)}, path, metadata={"wordgrad": "1"})
    with pytest.raises(FormatError, match=r"is no table .*content: word vectors"):
        TABLE.read(path)


def test_a_record_that_is_no_object(path):
    TABLE.write(path, [1, 2], ARRAYS)
    with pytest.raises(FormatError, match="its record is not a JSON object"):
        TABLE.read(path)


def test_a_promise_of_more_than_the_file_holds_asks_for_no_memory(path):
    entry = {"dtype": "F32", "shape": [10**9, 10**3], "data_offsets": [0, 4 * 10**12]}
    header = json.dumps({"__metadata__": {"wordgrad.part": "table"}, "x": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)
    with pytest.raises(FormatError, match="not a whole safetensors file"):
        TABLE.read(path)


def test_a_reader_of_an_earlier_layout_is_given_the_arrays(path):
    seen = []

    def read(path, metadata, arrays):
        seen.append((path, dict(metadata), arrays["n"].tolist()))
        return {"old": True}

    old = Container(
        "table", "2", "make it again.", "name a table.", TABLE.schema, earlier={"tab": read}
    )
    save_file(ARRAYS, path, metadata={"tab": "1"})
    assert old.read(path)[0] == {"old": True}
    assert seen == [(path, {"tab": "1"}, [7, -1])]


def test_files_that_cannot_be_opened(path, tmp_path):
    with pytest.raises(InputError, match=r"no cannot be opened \("):
        TABLE.read(tmp_path / "no")
    with pytest.raises(InputError, match="is a directory; name a file in it"):
        TABLE.read(tmp_path)


def test_a_file_is_replaced_only_if_it_may_be(path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        TABLE.write(path, {}, ARRAYS, overwrite=False)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="not JSON compliant"):
        TABLE.write(path, {"loss": float("nan")}, ARRAYS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_error_of_the_library_is_one_of_the_system(tmp_path, monkeypatch):
    """It reports a full disk as an error of its own kind."""

    def fail(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(container, "save_file", fail)
    with pytest.raises(
        OutputError, match=r"could not be written .*; free some space and try again"
    ):
        TABLE.write(tmp_path / "t", {}, ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_sorting_moves_no_tensor(tmp_path):
    metadata = dict.fromkeys(("b", "a", "ü"), 'é\t"\\\x7f\u2028')
    write_tensors(tmp_path / "t", ARRAYS, metadata)
    assert (load_file(tmp_path / "t")["x"] == ARRAYS["x"]).all()
    with open_tensors(tmp_path / "t", "mend it.") as file:
        assert file.metadata() == metadata
    assert list(header_of((tmp_path / "t").read_bytes())["__metadata__"]) == ["a", "b", "ü"]

import gzip
from io import BytesIO

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.corpus.blocks import decompressed, text_blocks
from wordgrad.errors import InputError

ASCII_TEXT = st.text(alphabet="ab \n\t\r", max_size=60).map(str.encode)


@given(ASCII_TEXT, st.integers(1, 9), st.sampled_from([0, 5, None]))
def test_blocks_joined_are_the_text(data, size, longest_line):
    blocks = list(text_blocks(BytesIO(data).read, size=size, longest_line=longest_line))
    ending = b"" if data.endswith(b"\n") or not data else b"\n"
    assert b"".join(blocks) == data + ending
    assert all(blocks)


@given(ASCII_TEXT, st.integers(1, 9), st.sampled_from([0, 5, None]))
def test_no_token_is_cut(data, size, longest_line):
    blocks = text_blocks(BytesIO(data).read, size=size, longest_line=longest_line)
    assert [token for block in blocks for token in block.split()] == data.split()


@given(ASCII_TEXT, st.integers(1, 9))
def test_whole_lines_end_blocks_at_line_feeds(data, size):
    for block in text_blocks(BytesIO(data).read, size=size, longest_line=None):
        assert block.endswith(b"\n")


@given(ASCII_TEXT, st.integers(1, 9), st.integers(10, 40))
def test_lines_up_to_the_limit_are_whole(data, size, limit):
    blocks = list(text_blocks(BytesIO(data).read, size=size, longest_line=limit))
    starts = {0}
    for block in blocks:
        starts.add(max(starts) + len(block))
    position = 0
    for line in data.splitlines(keepends=True) if b"\r" not in data else []:
        if len(line) <= limit:
            assert not any(position < start < position + len(line) for start in starts)
        position += len(line)


def test_memory_is_bounded_by_the_block_not_by_the_line():
    def read(size, left=[200]):  # noqa: B006
        left[0] -= 1
        return (b"word " * size)[:size] if left[0] >= 0 else b""

    sizes = [len(block) for block in text_blocks(read, size=1000)]
    assert max(sizes) <= 2000
    assert sum(sizes) == 200 * 1000 + 1


@pytest.mark.parametrize("filler", [b" ", b"\n", b"\r", b"\r\n", b"\x0b"])
def test_white_space_alone_does_not_pile_up(filler):
    blocks = list(text_blocks(BytesIO(filler * 5000).read, size=100))
    assert max(map(len, blocks)) <= 202


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_a_byte_order_mark_is_taken_off_once(step):
    data = b"\xef\xbb\xbfone \xef\xbb\xbftwo"
    blocks = text_blocks(decompressed(BytesIO(data), None, "text.txt"), size=step)
    assert b"".join(blocks) == b"one \xef\xbb\xbftwo\n"
    mark_alone = decompressed(BytesIO(b"\xef\xbb\xbf"), None, "text.txt")
    assert list(text_blocks(mark_alone, size=step)) == []


def test_short_reads_are_no_end():
    chunks = iter([b"on", b"e", b" ", b"two\nthr", b"ee"])
    blocks = text_blocks(lambda _size: next(chunks, b""), size=100)
    assert b"".join(blocks) == b"one two\nthree\n"


def test_cr_lf_stays_in_one_block():
    data = b"aaaa\r\n" * 10
    for size in range(1, 14):
        for block in text_blocks(BytesIO(data).read, size=size):
            assert not block.endswith(b"\r")


def compress(data, kind):
    return {"gzip": gzip.compress, "zstd": zstandard.compress}[kind](data)


def read_all(data, kind):
    read = decompressed(BytesIO(data), kind, "news.txt.z")
    return b"".join(iter(lambda: read(1000), b""))


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_data_of_several_members(kind):
    text = b"a long text " * 10_000
    assert read_all(compress(text, kind), kind) == text
    assert read_all(compress(text, kind) + compress(b"more", kind), kind) == text + b"more"
    assert read_all(compress(b"", kind), kind) == b""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("missing", [1, 4, 9, 20])
def test_a_truncated_file_is_an_error(kind, missing):
    data = compress(bytes(range(256)) * 100, kind)
    with pytest.raises(InputError, match=r"news\.txt\.z is cut short"):
        read_all(data[:-missing], kind)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_damaged_data_are_an_error(kind):
    data = bytearray(compress(bytes(range(256)) * 100, kind))
    data[len(data) // 2] ^= 0xFF
    data[-6] ^= 0xFF
    with pytest.raises(InputError, match=r"news\.txt\.z is (damaged|cut short)"):
        read_all(bytes(data), kind)
    with pytest.raises(InputError, match="damaged or not compressed as its suffix says"):
        read_all(b"plain text, not compressed at all", kind)


def test_a_failing_disk_is_an_error():
    class Broken(BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    for kind in (None, "gzip", "zstd"):
        with pytest.raises(InputError, match=r"cannot be read to its end \(Input/output error\)"):
            decompressed(Broken(), kind, "news.txt")(10)

"""Files as other programs write them: read where their meaning is clear, else called by name."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import warnings
import zipfile

import numpy as np
import pytest

from wordgrad.errors import FormatError, FormatWarning, ParameterError
from wordgrad.io.common import VectorParts
from wordgrad.io.fasttext_model import MAGIC
from wordgrad.io.formats import FORMATS, format_of_file, guess
from wordgrad.io.text import size_of_rows
from wordgrad.vocabulary import Vocabulary
from wordgrad.word_vectors import WordVectors, load

STREAMED = [known for known in FORMATS if known.streamed]
OTHERS = [known for known in FORMATS if known.endings and "safetensors" not in known.name]


@pytest.fixture
def read(tmp_path):
    def read(content, name="v.vec", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(path, **options)

    return read


def check(vectors, words, matrix):
    assert vectors.words == tuple(words)
    assert vectors.matrix.tolist() == np.asarray(matrix, dtype=np.float32).tolist()


def binary(*rows, header=None, end=b"\n"):
    size = len(rows[0]) - 1
    packed = (word + b" " + struct.pack(f"<{size}f", *values) + end for word, *values in rows)
    return b"".join([header or b"%d %d\n" % (len(rows), size), *packed])


class TestRows:
    """Departures from single spaces and a line feed after every row."""

    @pytest.mark.parametrize("header", ["2 2\n", ""], ids=["word2vec", "GloVe"])
    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ("the  1 -2\nking -3  4\n", ["the", "king"]),
            ("the   1   -2\nking   -3   4\n", ["the", "king"]),
            ("   the 1 -2\n  king -3 4\n", ["the", "king"]),  # aligned to the right
            ("the 1 -2\nking -3 4\n\n", ["the", "king"]),
            ("the 1 -2\nking -3 4\n\n \n\r\n\n", ["the", "king"]),
            ("the 1 -2\n  -3 4\n", ["the", " "]),
            ("the 1 -2\n -3 4\n", ["the", ""]),
            ("the\t1 -2\nking\t-3 4\n", ["the", "king"]),
            ("the\t1\t-2\nking\t-3\t4\n", ["the", "king"]),
            ("the \t1 \t-2\t\nking\t -3\t 4 \n", ["the", "king"]),
            ("the\t1\t-2\nNew York\t-3\t4\n", ["the", "New York"]),
            ("New York\t1\t-2\nking\t-3\t4\n", ["New York", "king"]),
            ("the\t1\t-2\nking -3 4\n", ["the", "king"]),
            ("the 1 -2\nNew  York -3 4\n", ["the", "New  York"]),
            ("the 1 -2 \t\r\nking -3 4\t\r\n", ["the", "king"]),
        ],
    )
    def test_read_as_they_are_meant(self, read, header, rows, words):
        check(read(header + rows), words, [[1, -2], [-3, 4]])
        check(read("\ufeff" + header + rows), words, [[1, -2], [-3, 4]])

    @pytest.mark.parametrize("header", ["2 2", "2\t2", " 2  2 ", "2 2\r"])
    def test_headers(self, read, header):
        check(read(f"{header}\nthe\t1\t2\nking\t3\t4\n"), ["the", "king"], [[1, 2], [3, 4]])

    @pytest.mark.parametrize("header", ["2 2\n", ""], ids=["word2vec", "GloVe"])
    def test_a_last_line_without_its_end_is_read_with_a_remark(self, read, header):
        with pytest.warns(FormatWarning, match="does not end with a line end: if it was cut short"):
            found = read(f"{header}the 1 2\nking 3 4")
        check(found, ["the", "king"], [[1, 2], [3, 4]])

    def test_both_files_for_the_projector_without_a_last_line_end(self, read, tmp_path):
        (tmp_path / "metadata.tsv").write_text("\ufeffthe\nking")
        with pytest.warns(FormatWarning) as caught:
            found = read("1\t2\n3\t4", "vectors.tsv")
        check(found, ["the", "king"], [[1, 2], [3, 4]])
        assert "vectors.tsv does not end with a line end" in str(caught[0].message)
        assert "metadata.tsv does not end with a line end" in str(caught[1].message)
        (tmp_path / "metadata.tsv").write_text("the\nking\n\n")
        check(read("1\t2\n3\t4\n\n", "vectors.tsv"), ["the", "king"], [[1, 2], [3, 4]])

    def test_a_binary_file_may_end_in_line_ends(self, read):
        rows = binary((b"the", 1, 2), (b"king", 3, 4))
        check(read(rows + b"\r\n\n", "v.bin"), ["the", "king"], [[1, 2], [3, 4]])

    def test_a_word_of_many_pieces_does_not_hide_how_long_rows_are(self):
        rows = b"at 7 1 2\n. . . 3 4\nthe 5 6\nof 7 8\n"
        assert size_of_rows("v", io.BytesIO(rows)) == 2

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                "2 3\nthe 0,1 0,2 0,3\nking 0,4 0,5 0,6\n",
                "'0,1' as value 1 in line 2, .* decimal",
            ),
            (
                "2 3\nthe 0.1 0.2 0.3\nking 0.4 0,5 0.6\n",
                "'0,5' as value 2 in line 3, .* decimal",
            ),
            ("the 0,1 0,2 0,3\nking 0,4 0,5 0,6\n", "'0,1' as value 1 in line 1, .* decimal point"),
            ("the 0.1 0,2 0.3\n", "'0,2' as value 2 in line 1, .* decimal point"),
            (
                "2 90\nthe 9:0.02 11:0.5\nking 1:0.3\n",
                "'9:0.02' as value 1 in line 2, .* sparse",
            ),
            (
                "2 2\nthe 9:0.02 11:0.5\nking 1:0.3\n",
                "'9:0.02' as value 1 in line 2, .* sparse",
            ),
            ("the 9:0.02 11:0.5\nking 1:0.3\n", "'9:0.02' as value 1 in line 1, .* are sparse"),
            (
                "2 2\nthe\t0,1\t0,2\nking\t0,3\t0,4\n",
                "'0,1' as value 1 in line 2, .* decimal",
            ),
            ("2 2\nthe 1/2 1/4\nking 1/8 0\n", "'1/2' as value 1 in line 2, which is not a number"),
        ],
    )
    def test_numbers_that_are_none_are_shown_and_not_taken_for_binary(self, read, content, message):
        for name in ("v.vec", "v.txt", "v"):
            with pytest.raises(FormatError, match=message):
                read(content, name)

    def test_text_of_any_kind_after_a_header_is_not_binary(self):
        rows = "".join(f"word{row} [value one; value two; value three]\n" for row in range(9))
        assert guess(b"9 3\n" + rows.encode()) == "word2vec-text"
        assert guess(b"9 3\n" + "東 [ä]\n".encode() * 2000) == "word2vec-text"

    @pytest.mark.parametrize("size", [1, 2, 5, 300])
    def test_binary_is_binary(self, size):
        rng = np.random.default_rng(size)
        for _ in range(200):
            values = rng.normal(scale=0.3, size=(30, size)).astype("<f4")
            rows = b"".join(b"word " + row.tobytes() for row in values)
            assert guess(b"30 %d\n" % size + rows) == "word2vec-binary"


class TestDuplicates:
    """The first row of a word stays, and the others are counted."""

    @pytest.mark.parametrize("known", OTHERS, ids=lambda known: known.name)
    def test_in_every_format(self, tmp_path, known):
        words = np.frombuffer(b"abbac", dtype=np.uint8)
        table = Vocabulary.from_packed(words, np.arange(6), "test")
        matrix = np.arange(10, dtype=np.float32).reshape(5, 2)
        path = tmp_path / f"v{known.endings[0]}"
        parts = VectorParts(table, matrix, np.array([5, 4, 3, 2, 1]))
        known.write(parts, path)
        if known.paired:
            known.write_companion(parts, known.companion(path))
        with pytest.warns(FormatWarning) as caught:
            found = load(path)
        assert len(caught) == 1
        assert "2 rows repeat words of earlier rows ('b' in " in str(caught[0].message)
        assert caught[0].filename == __file__
        check(found, ["a", "b", "c"], [[0, 1], [2, 3], [8, 9]])
        assert found.counts is None or found.counts.tolist() == [5, 4, 1]
        assert found.most_similar("a")
        found.save(tmp_path / "again.safetensors")
        check(load(tmp_path / "again.safetensors"), ["a", "b", "c"], [[0, 1], [2, 3], [8, 9]])

    def test_among_very_many(self, read, monkeypatch):
        monkeypatch.setattr("wordgrad.io.common.ROWS_AT_ONCE", 3)
        kept = [f"w{row} {row}" for row in range(20)]
        lines = [line for row, line in enumerate(kept) for line in [line, "w0 99"][: 1 + row % 2]]
        with pytest.warns(FormatWarning, match="10 rows repeat words"):
            found = read("\n".join([f"{len(lines)} 1", *lines, ""]))
        check(found, [f"w{row}" for row in range(20)], [[row] for row in range(20)])


class TestErrors:
    """Words that are not UTF-8, as word2vec.c cuts them."""

    CUT = "я".encode() * 49 + b"\xd1"

    def files(self):
        text = self.CUT + b" 1 2\nking 3 4\n"
        yield "v.bin", binary((self.CUT, 1, 2), (b"king", 3, 4))
        yield "v.vec", b"2 2\n" + text
        yield "v.glove", text

    def test_strict_names_the_remedy(self, read):
        for name, content in self.files():
            with pytest.raises(FormatError, match=r'not UTF-8 in .* with errors="replace" .--err'):
                read(content, name)

    def test_replaced_and_counted(self, read):
        for name, content in self.files():
            with pytest.warns(FormatWarning, match="has 1 word that is not UTF-8 .* replaced by"):
                found = read(content, name, errors="replace")
            check(found, ["я" * 49 + "\ufffd", "king"], [[1, 2], [3, 4]])

    def test_ignored_and_counted(self, read):
        for name, content in self.files():
            with pytest.warns(FormatWarning, match="has 1 word that is not UTF-8 .* left out"):
                found = read(content, name, errors="ignore")
            check(found, ["я" * 49, "king"], [[1, 2], [3, 4]])

    def test_words_that_become_equal_are_duplicates(self, read):
        content = binary((b"caf\xc3", 1, 2), (b"caf\xc5", 3, 4), (b"of", 5, 6))
        with pytest.warns(FormatWarning) as caught:
            found = read(content, "v.bin", errors="replace")
        check(found, ["caf\ufffd", "of"], [[1, 2], [5, 6]])
        messages = [str(one.message) for one in caught]
        assert "2 words that are not UTF-8" in messages[0]
        assert "1 row repeats a word" in messages[1]

    def test_of_the_projector(self, read, tmp_path):
        (tmp_path / "metadata.tsv").write_bytes(b"caf\xc3\nof\n")
        with pytest.warns(FormatWarning, match=r"metadata\.tsv has 1 word that is not UTF-8"):
            found = read("1\t2\n3\t4\n", "vectors.tsv", errors="replace")
        check(found, ["caf\ufffd", "of"], [[1, 2], [3, 4]])

    def test_other_names_are_refused(self, read):
        with pytest.raises(ParameterError, match=r"errors must be one of 'strict', 'replace'"):
            read("1 1\na 1\n", errors="surrogateescape")


class TestLimit:
    """The first rows alone, and nothing after them is looked at."""

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 100])
    @pytest.mark.parametrize(
        "known", [known for known in FORMATS if known.endings], ids=lambda known: known.name
    )
    def test_in_every_format(self, tmp_path, known, limit):
        matrix = np.arange(12, dtype=np.float32).reshape(6, 2)
        path = tmp_path / f"v{known.endings[0]}"
        whole = WordVectors(list("abcdef"), matrix, range(6, 0, -1), {"seed": 1})
        whole.save(path)
        found = load(path, limit=limit)
        check(found, "abcdef"[:limit], matrix[:limit])
        assert found.counts is None or found.counts.tolist() == [6, 5, 4, 3, 2, 1][:limit]
        assert found.metadata == ({"seed": 1} if "metadata" in known.keeps else {})
        assert found.most_similar("a", topn=1)[:1] == found.most_similar("a")[:1]

    def test_of_arrays_by_columns(self, tmp_path):
        matrix = np.asfortranarray(np.arange(6.0).reshape(3, 2))
        np.savez_compressed(tmp_path / "v.npz", matrix=matrix, words=np.array(list("abc")))
        check(load(tmp_path / "v.npz", limit=2), "ab", matrix[:2])

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("v.vec", b"3 1\na 1\nb 2\nc damaged\n"),
            ("v.vec", b"3 1\na 1\nb 2\n"),  # fewer than promised
            ("v.glove", b"a 1\nb 2\n\n\nc damaged\n"),
            ("v.bin", binary((b"a", 1), (b"b", 2), (b"\xff\xff", 3))[:-3]),
        ],
    )
    def test_what_follows_is_not_looked_at(self, read, name, content):
        for block in (5, 1000):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("wordgrad.io.text.BLOCK", block)
                check(read(content, name, limit=2), "ab", [[1], [2]])

    @pytest.mark.parametrize("limit", [0, -1, 1.5, True])
    def test_at_least_one(self, read, limit):
        with pytest.raises(ParameterError, match="limit must be an integer >= 1, got"):
            read("1 1\na 1\n", limit=limit)


class KeyedVectors:
    """Stands for gensim's class of the name."""

    def __init__(self):
        self.index_to_key = ["the", "of"]
        self.vectors = np.ones((2, 3))


class TestWhatIsNoFileOfVectors:
    """Called by its name, whatever name the file has, and not damaged text."""

    @pytest.mark.parametrize("name", ["v", "v.txt", "v.vec", "v.bin", "v.glove", "v.tsv", "v.npz"])
    @pytest.mark.parametrize("protocol", range(6))
    def test_pickles(self, read, protocol, name):
        objects = [
            KeyedVectors(),
            {"the": [0.5, 1.0], "of": [2.0, 3.0]},
            {"the": np.ones(3)},
            [("the", 0.5)],
            np.ones((3, 2)),
            {},
            "the 0.5 1.0",
            (1, 2.5),
        ]
        for one in objects:
            with pytest.raises(FormatError, match=r"Python pickle, .*\.save_word2vec_format"):
                read(pickle.dumps(one, protocol), name)

    def archive(self, kind):
        made = io.BytesIO()
        if kind == "tar":
            with tarfile.open(fileobj=made, mode="w") as archive:
                archive.addfile(tarfile.TarInfo("glove.txt"), io.BytesIO(b""))
        else:
            with zipfile.ZipFile(made, "w") as archive:
                archive.writestr("glove.6B.50d.txt", "the 1 2\n")
        return made.getvalue()

    @pytest.mark.parametrize("name", ["v", "v.txt", "v.vec", "v.bin"])
    @pytest.mark.parametrize(
        ("start", "message"),
        [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR 0.5", "is a picture"),
            (b"\x89HDF\r\n\x1a\n\0 5", "is an HDF5 file"),
            (b"%PDF-1.4\n1 0 obj\n", "is a PDF document"),
            (b"SQLite format 3\0", "is an SQLite database"),
            (b"FiFu\0\0\0\0", "is a finalfusion file"),
            ("the 0.5\n".encode("utf-16"), "is text in UTF-16; convert it to UTF-8"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n", "Git LFS"),
            (b"50000 300 4 5 2 2166136261 < >\n0 0.1 0.2\n", "is a table of floret"),
            (b"\x1f\x9d\x90the", "compressed in a way that is not read"),
        ],
    )
    def test_others(self, read, start, message, name):
        with pytest.raises(FormatError, match=message):
            read(start, name)

    def test_archives(self, read):
        with pytest.raises(FormatError, match="is a tar archive; unpack it first"):
            read(self.archive("tar"), "glove.txt")
        with pytest.raises(FormatError, match=r"zip archive .*glove\.6B\.50d\.txt.* unpack it"):
            read(self.archive("zip"), "glove.6B.zip")

    @pytest.mark.parametrize(
        "word", ["BZh9", "cat", "%PDF-1", "GIF89a", "FiFu", "PK", "(lp0", "N.", "ctest", "Rar!"]
    )
    def test_words_that_look_like_such_beginnings(self, read, word):
        check(read(f"{word} 0.5 1\nof 2 3\n", "v.txt"), [word, "of"], [[0.5, 1], [2, 3]])

    def test_a_model_of_fasttext_compressed(self, tmp_path):
        import gzip

        path = tmp_path / "cc.en.300.bin.gz"
        path.write_bytes(gzip.compress(MAGIC + bytes(100)))
        with pytest.raises(FormatError, match=r"is fastText binary compressed with gzip, .*"):
            load(path)


def test_a_name_with_a_text_ending_may_be_glove(tmp_path):
    for name in ("v.vec", "v.txt", "v.vec.gz"):
        (tmp_path / name).write_text("the 0.5 1\n")
        with warnings.catch_warnings():
            assert format_of_file(tmp_path / name).name == "glove"

"""Text that nobody sends on purpose, in its real size where that is quick.

The largest (a line of a gigabyte) are in ``tests/fuzz/soak.py``.
"""

import gzip
import json
import os
import subprocess
import sys

import polars as pl
import pytest
import zstandard

from wordgrad.corpus import blocks
from wordgrad.corpus import reader as memory
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import InputError, TrainingWarning
from wordgrad.word2vec import Word2Vec

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def words(source, **options):
    with encode_corpus(source, **{"min_count": 1, **options}) as corpus:
        return sorted(corpus.vocabulary.words)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\0b \0 a\0b\n", ["\0", "a\0b"]),
        (b"one\r\ntwo\r\rthree\r\n", ["one", "three", "two"]),
        (b"\xef\xbb\xbfmark\nmark no\xef\xbb\xbfmark\n", ["mark", "no\ufeffmark"]),
        ("שלום עולם \u202eabc\u202c שלום".encode(), ["עולם", "שלום", "\u202eabc\u202c"]),
        ("🙂👩\u200d🚀 ｆｕｌｌ\u3000width".encode(), ["width", "ｆｕｌｌ", "🙂👩\u200d🚀"]),
        (b"\x1b[31mred\x1b[0m a\x07b", ["\x1b[31mred\x1b[0m", "a\x07b"]),
    ],
)
def test_odd_characters_are_parts_of_words(tmp_path, data, expected):
    path = tmp_path / "odd.txt"
    path.write_bytes(data)
    assert words(path) == expected


def test_one_accent_written_in_two_ways_makes_two_words(tmp_path):
    path = tmp_path / "accents.txt"
    path.write_text("caf\u00e9 cafe\u0301\n", encoding="utf-8")
    assert words(path) == ["cafe\u0301", "caf\u00e9"]


def test_a_million_sentences_of_one_word(tmp_path):
    path = tmp_path / "million.txt"
    path.write_bytes(b"one\ntwo\n" * 500_000)
    with encode_corpus(path) as corpus:
        assert len(corpus) == corpus.report.tokens_kept == 1_000_000
    model = Word2Vec(vector_size=4, epochs=1, workers=1, sample=0.0)
    with pytest.warns(TrainingWarning, match="No sentence holds two words"):
        model.fit(path)
    assert len(model.vectors_) == 2


@pytest.mark.parametrize("options", [{}, {"lowercase": True}, {"pattern": r"\w+"}])
def test_words_of_ten_megabytes(tmp_path, options):
    long = ["x" * 10_000_000, "é" * 5_000_000]
    path = tmp_path / "long.txt"
    path.write_text(f"short {long[0]} {long[1]}\n", encoding="utf-8")
    assert words(path, **options) == ["short", *long]


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_words_of_ten_megabytes_can_be_trained_on(tmp_path):
    long = "x" * 10_000_000
    path = tmp_path / "long.txt"
    path.write_text(f"short {long} words\n" * 3)
    model = Word2Vec(vector_size=4, min_count=1, epochs=1, workers=1, sample=0.0).fit(path)
    assert sorted(model.vectors_.words) == ["short", "words", long]


@pytest.mark.parametrize("pattern", [None, r"\w+"])
def test_what_never_ends_is_no_word(tmp_path, pattern):
    path = tmp_path / "endless.txt"
    path.write_bytes(b"x" * 30_000_000)
    message = r"endless\.txt holds more than 16 MiB without white space.* put white space between"
    with pytest.raises(InputError, match=message):
        words(path, pattern=pattern)
    with pytest.raises(InputError, match="A sentence holds more than 16 MiB without white space"):
        words(["x" * 30_000_000], pattern=pattern)


@posix
def test_a_device_without_an_end():
    with pytest.raises(InputError, match="/dev/zero holds more than 16 MiB without white space"):
        words("/dev/zero")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("row.jsonl", b'{"text": "' + b"a b " * 250_000 + b'"}\n'),
        ("row.csv", b"text\n" + b"a b " * 250_000 + b"\n"),
        ("quote.csv", b'text,n\n"a b\n' + b"c,d\n" * 250_000),
    ],
)
def test_a_row_has_a_limit_and_a_file_has_none(tmp_path, monkeypatch, name, data):
    monkeypatch.setattr(blocks, "LONGEST_ROW", 500_000)
    monkeypatch.setattr("wordgrad.corpus.tables.LONGEST_ROW", 500_000)
    monkeypatch.setitem(blocks.text_blocks.__kwdefaults__, "size", 100_000)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} holds a row of more than .* split it"):
        words(path)
    path.write_bytes(
        b'{"text": "a b"}\n' * 60_000 if name.endswith("l") else b"text\na b\n" * 90_000
    )
    assert {"a", "b"} <= set(words(path))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_messages_stay_short_where_names_of_columns_do_not(tmp_path, suffix):
    path = tmp_path / f"wide.{suffix}"
    names = [f"{i}{'x' * 5000}" for i in range(50)]
    if suffix == "jsonl":
        path.write_text(json.dumps(dict.fromkeys(names, "a")) + "\n")
    else:
        path.write_text(("," if suffix == "csv" else "\t").join(names) + "\n")
    with pytest.raises(InputError, match=r"'1x{39}\.\.\.', .* and 30 more") as caught:
        words(path)
    assert len(str(caught.value)) < 2000


class TestHalfASurrogatePair:
    """Escaped in JSON it is no character, and Polars would make U+0000 of it."""

    @pytest.mark.parametrize("half", [r"\ud800", r"\uDBFF", r"\udc00", r"\udc00\ud800", r"\ud800A"])
    def test_it_is_refused_by_line(self, tmp_path, half):
        path = tmp_path / "half.jsonl"
        path.write_text(f'{{"text": "a b"}}\n\n{{"text": "c {half} d"}}\n')
        message = r"half\.jsonl, line 3, holds a lone surrogate \(\\u.*errors=.replace"
        with pytest.raises(InputError, match=message):
            words(path)

    def test_or_replaced_and_counted(self, tmp_path):
        path = tmp_path / "half.jsonl"
        path.write_text(r'{"text": "a\ud800b \udc00\ud800 \ud83d\ude42 \\ud800"}' + "\n")
        with encode_corpus(path, min_count=1, errors="replace") as corpus:
            assert sorted(corpus.vocabulary.words) == [r"\ud800", "a\ufffdb", "\ufffd\ufffd", "🙂"]
            assert corpus.report.bytes_replaced == 9


@pytest.mark.parametrize("depth", [300, 5_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_json_nested_deeply(tmp_path, depth, opening, closing):
    path = tmp_path / "deep.jsonl"
    inside = opening * depth + "1" + closing * depth
    path.write_text(f'{{"text": "a b"}}\n{{"text": "c", "x": {inside}}}\n')
    if depth == 300:
        assert words(path) == ["a", "b", "c"]
    else:
        with pytest.raises(InputError, match=r"not valid JSONL in line 2 \(nested too deeply\)"):
            words(path)


@pytest.mark.parametrize("digits", [300, 10_000])
def test_json_numbers_that_no_number_can_hold(tmp_path, digits):
    path = tmp_path / "digits.jsonl"
    path.write_text(f'{{"n": {"9" * digits}, "text": "c"}}\n')
    with pytest.raises(InputError, match=r"digits\.jsonl is not valid JSONL in line"):
        words(path)


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t")])
def test_more_columns_than_any_table_has(tmp_path, suffix, separator):
    path = tmp_path / f"wide.{suffix}"
    path.write_text("text" + separator * 1_000_000 + "\n")
    with pytest.raises(InputError, match=rf"wide\.{suffix} has 1000001 columns .* at most 100000"):
        words(path)


@posix
@pytest.mark.parametrize("kind", ["gz", "zst", "line", "pattern"])
def test_memory_does_not_grow_with_the_text(tmp_path, kind):
    """A small text first, which pays for the libraries; then one of 128 MB, in the same process."""
    pack = {"gz": lambda data: gzip.compress(data, 1), "zst": zstandard.compress}.get(kind)
    path = tmp_path / (f"t.txt.{kind}" if pack else "t.txt")
    part = b"to be or not to be is " * 50_000
    part += b"\n" if pack else b""
    sizes = (20, 120)
    for number, times in enumerate(sizes):
        target = path.with_name(f"{number}{path.name}")
        data = part * times
        target.write_bytes(pack(data) if pack else data)
    code = """
import json, resource, sys
from wordgrad.corpus.corpus import encode_corpus
found = []
for path in sys.argv[1:3]:
    with encode_corpus(path, pattern=sys.argv[3] or None, workers=2) as corpus:
        found += [corpus.report.tokens_read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]
print(json.dumps(found))
"""
    arguments = [*(str(path.with_name(f"{i}{path.name}")) for i in (0, 1))]
    arguments.append(r"\w+" if kind == "pattern" else "")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    tokens_small, small, tokens, large = json.loads(done.stdout)
    assert (tokens_small, tokens) == tuple(350_000 * times for times in sizes)
    unit = 1 if sys.platform == "darwin" else 1024
    # The ids of a corpus are mapped, and count while they are written and read: 4 bytes a token.
    # With a pattern, three blocks of 8 MiB are in hand, each with 20 times its size in matches;
    # all the text would take two gigabytes.
    noise = 300_000_000 if kind == "pattern" else 40_000_000
    assert (large - small) * unit < 4 * (tokens - tokens_small) + noise


class TestLinesTooLongToBeMatchedWhole:
    """Over 8 MiB a line is matched in parts; here from 1,000 bytes on."""

    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch):
        monkeypatch.setattr("wordgrad.corpus.corpus.LONGEST_WHOLE_LINE", 1_000)
        monkeypatch.setattr(memory, "BLOCK_BYTES", 250)
        monkeypatch.setattr("wordgrad.corpus.reader.BLOCK_BYTES", 250)
        monkeypatch.setitem(blocks.text_blocks.__kwdefaults__, "size", 500)

    @pytest.mark.parametrize(
        "pattern", [r"\w+", r"[^\s,]+", r"\b[a-z]{2,}\b", r"\S+", r"", r"é+|[a-z]", r"(?:be|is)\b"]
    )
    @pytest.mark.parametrize("in_memory", [False, True])
    def test_patterns_of_words_find_the_same(self, tmp_path, pattern, in_memory, monkeypatch):
        text = "to be, or not; é to\u00a0be\t is " * 300
        path = tmp_path / "line.txt"
        path.write_text(text, encoding="utf-8")
        source = [text] if in_memory else path

        def counted():
            with encode_corpus(source, min_count=1, pattern=pattern) as corpus:
                return corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), len(corpus)

        if pattern == "":
            with pytest.raises(InputError, match="no tokens"):
                counted()
            return
        parts = counted()
        monkeypatch.setattr("wordgrad.corpus.corpus.LONGEST_WHOLE_LINE", 1 << 20)
        assert counted() == parts

    @pytest.mark.parametrize(
        "pattern", [r"\w+ \w+", r".+", r"[a-z ]+", r"^\w+", r"\w+\s?$", r"(?:to )?be", r"\A\w"]
    )
    def test_others_are_refused(self, tmp_path, pattern):
        path = tmp_path / "line.txt"
        path.write_text("ah\nto be or not to be is " * 3 + "to be or not to be is " * 300)
        message = r"line\.txt holds a line of more than .* depend on where it is cut; break such"
        with pytest.raises(InputError, match=message):
            words(path, pattern=pattern)

    def test_short_lines_are_matched_whole(self, tmp_path):
        path = tmp_path / "lines.txt"
        path.write_text("to be\n" * 2_000 + "or not\n")
        assert words(path, pattern="^.+$") == ["or not", "to be"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".jsonl", ".parquet"])
def test_names_that_are_not_utf8(tmp_path, suffix):
    named, path = tmp_path / f"a{suffix}", tmp_path / os.fsdecode(b"\xff\xe9" + suffix.encode())
    frame = pl.DataFrame({"text": ["a b"]})
    if suffix == ".parquet":
        frame.write_parquet(named)
    else:
        named.write_text(frame.write_ndjson() if suffix == ".jsonl" else "text\na b\n")
    named.rename(path)
    if suffix == ".parquet":
        with pytest.raises(InputError, match=r"name that is not UTF-8.*; rename it") as e:
            words(path)
        str(e.value).encode()  # can be shown anywhere
    else:
        assert {"a", "b"} <= set(words(path))


@posix
def test_a_folder_with_more_than_files(tmp_path):
    """Named pipes, broken links and folders named like files are no text."""
    (tmp_path / "a.txt").write_text("a b\n")
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    os.symlink(tmp_path / "nowhere", tmp_path / "broken.txt")
    assert words(tmp_path) == ["a", "b"]

import gc
import gzip
import io
import os
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.corpus.encode import ReadingProgress
from wordgrad.errors import InputError, OutputError, ParameterError

ALPHABET = "abcAB\u00e9\u0130\u03a3\u4e2d .\t\r\n\n\n\u3000\u00a0\x1c\x1f\x00\ufeff\u2028"


def oracle(sentences, min_count=1, max_vocab=None):
    """What encode_corpus promises, token by token in plain Python."""
    counts = Counter(token for sentence in sentences for token in sentence)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    words = [word for word in ranked if counts[word] >= min_count][:max_vocab]
    ids = {word: i for i, word in enumerate(words)}
    encoded = [[ids[t] for t in s if t in ids] for s in sentences]
    return words, [counts[w] for w in words], [s for s in encoded if s]


def contents(corpus):
    bounds = corpus.offsets.tolist()
    ids = corpus.ids.tolist()
    sentences = [ids[a:b] for a, b in pairwise(bounds)]
    return corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), sentences


def encode(source, **options):
    with encode_corpus(source, **{"min_count": 1, "workers": 2, **options}) as corpus:
        return contents(corpus)


def lines_of(text):
    return [line.split() for line in text.split("\n")]


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(text=st.text(alphabet=ALPHABET, max_size=120), min_count=st.integers(1, 2))
def test_a_file_gives_what_plain_python_gives(text, min_count, tmp_path):
    sentences = lines_of(text.removeprefix("\ufeff"))
    wanted = oracle(sentences, min_count)
    if len(wanted[0]) < 2:
        return
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    with encode_corpus(path, min_count=min_count, workers=2) as corpus:
        assert contents(corpus) == wanted
        report = corpus.report
        assert corpus.ids.dtype == np.int32
        assert corpus.offsets.dtype == np.int64
    tokens = [token for sentence in sentences for token in sentence]
    body = text.removeprefix("\ufeff")
    assert report.files == 1
    assert report.bytes_read == len(text.encode())
    assert report.sentences_read == body.count("\n") + (not body.endswith("\n") and body != "")
    assert report.sentences_kept == len(wanted[2])
    assert report.tokens_read == len(tokens)
    assert report.types_read == len(set(tokens))
    assert report.tokens_kept == sum(map(len, wanted[2])) == sum(wanted[1])
    assert report.bytes_replaced == 0
    assert report.seconds > 0


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(items=st.lists(st.text(alphabet=ALPHABET, max_size=20), max_size=12))
def test_strings_are_sentences(items):
    wanted = oracle([item.split() for item in items])
    if len(wanted[0]) >= 2:
        assert encode(iter(items)) == wanted


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(items=st.lists(st.lists(st.text(alphabet=ALPHABET, max_size=4), max_size=6), max_size=9))
def test_token_lists_are_sentences(items):
    wanted = oracle(items)
    if len(wanted[0]) >= 2:
        assert encode(iter(items)) == wanted


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(text=st.text(alphabet="abAB\u00e9\u00c9 \n", max_size=100))
def test_lower_case_joins_words(text, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    wanted = oracle(lines_of(text.lower()))
    if len(wanted[0]) >= 2:
        assert encode(path, lowercase=True) == wanted
        assert encode(path, lowercase=True, pattern=r"\S+") == wanted


@pytest.mark.parametrize("word", ["ΟΔΟΣ", "İSTANBUL", "STRASSE", "ΣΣ", "Ǆ"])
def test_lower_case_of_unusual_letters(word):
    words, _, _ = encode([f"{word} other other"], lowercase=True)
    assert words == ["other", word.lower()]


def test_the_reads_of_an_iterator_are_one_pass():
    passes = []

    class Once:
        def __iter__(self):
            passes.append(1)
            return iter(["a b", "b"])

    assert encode(Once()) == (["b", "a"], [2, 1], [[1, 0], [0]])
    assert passes == [1]
    assert encode(s for s in ["a b", "b"]) == (["b", "a"], [2, 1], [[1, 0], [0]])


def test_an_open_file_is_an_iterable_of_lines(tmp_path):
    (tmp_path / "text.txt").write_text("a b\nb c\n")
    with open(tmp_path / "text.txt") as lines:
        assert encode(lines) == (["b", "a", "c"], [2, 1, 1], [[1, 0], [0, 2]])


def test_token_lists_of_other_kinds():
    wanted = (["New York", "is"], [2, 1], [[0, 1], [0]])
    assert encode([("New York", "is"), ("New York",)]) == wanted
    assert encode([np.array(["New York", "is"]), ["New York"]]) == wanted
    assert encode([iter(["New York", "is"]), (w for w in ["New York"])]) == wanted


@pytest.mark.parametrize(
    "token", [" ", "", "\t", "\x85", "\u3000 ", "\u200b", "\0", "\x1f", "\x1f\x1f"]
)
def test_a_token_may_be_anything(token):
    """White space among tokens, as in k-mers with gaps, is a word like any other."""
    with encode_corpus([["a", token, "a", token], [token]], min_count=1) as corpus:
        assert contents(corpus) == oracle([["a", token, "a", token], [token]])
        assert corpus.report.tokens_read == corpus.report.tokens_kept == 5
        assert corpus.report.types_read == 2


def test_a_match_may_be_anything_but_empty():
    with encode_corpus(["ab c\x1f d"], min_count=1, pattern=".|x*") as corpus:
        assert contents(corpus) == oracle([list("ab c\x1f d")])
        assert corpus.report.tokens_read == 7


def test_tables_in_memory_are_read_by_their_text():
    wanted = oracle([["a", "joy"], ["dull"]])
    texts = ["a joy", "dull"]
    for source in [pl.DataFrame({"n": [1, 2], "body": texts}), {"body": texts}, pl.Series(texts)]:
        assert encode(source) == wanted
    assert encode(pl.DataFrame({"text": ["x", "y"], "body": texts}), column="body") == wanted
    # A column that happens to hold names of files is text all the same.
    assert encode(pl.Series(["-", "."])) == oracle([["-"], ["."]])
    assert encode(pl.Series([["a", "joy"], ["dull"]])) == wanted


@pytest.mark.parametrize("kind", [GeneratorExit, KeyboardInterrupt, ZeroDivisionError, InputError])
@pytest.mark.parametrize("sentence", ["a b", ["a", "b"]])
def test_what_an_iterable_raises_comes_through(tmp_path, kind, sentence):
    def sentences():
        yield sentence
        raise kind("of the user's own")

    with pytest.raises(kind, match="of the user's own"):
        encode_corpus(sentences(), min_count=1, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress, zstandard.compress])
def test_compressed_files(tmp_path, compress):
    suffix = {gzip.compress: ".gz", zstandard.compress: ".zst"}.get(compress, "")
    path = tmp_path / f"text.txt{suffix}"
    text = "".join(f"w{i % 97} w{i % 89}\n" for i in range(3000))
    path.write_bytes(compress(text.encode()))
    wanted = oracle(lines_of(text))
    with encode_corpus(path, min_count=1) as corpus:
        assert contents(corpus) == wanted
        assert corpus.report.bytes_read == path.stat().st_size


def test_files_end_sentences_and_keep_their_order(tmp_path):
    for name, text in [("b.txt", "x y"), ("a.txt", "y z"), ("c.md", "no")]:
        (tmp_path / name).write_text(text)
    assert encode(tmp_path) == (["y", "x", "z"], [2, 1, 1], [[0, 2], [1, 0]])
    both = [tmp_path / "b.txt", str(tmp_path / "a.txt")]
    assert encode(both) == (["y", "x", "z"], [2, 1, 1], [[1, 0], [0, 2]])
    assert encode(str(tmp_path / "?.txt")) == encode(tmp_path)


def test_standard_input(monkeypatch):
    class Stdin:
        buffer = io.BytesIO("a b\nb é".encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    assert encode("-") == (["b", "a", "é"], [2, 1, 1], [[1, 0], [0, 2]])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a POSIX feature")
def test_a_named_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("a b\nb\n"))
    writer.start()
    seen = []
    with encode_corpus(pipe, min_count=1, progress=seen.append) as corpus:
        assert contents(corpus) == (["b", "a"], [2, 1], [[1, 0], [0]])
    writer.join()
    assert seen[-1].bytes_total is None


def test_a_line_of_any_length_is_one_sentence(tmp_path):
    path = tmp_path / "line.txt"
    path.write_bytes(b"alpha beta gamma delta " * 400_000)  # over four blocks
    with encode_corpus(path, workers=3) as corpus:
        assert corpus.offsets.tolist() == [0, 1_600_000]
        assert corpus.vocabulary.counts.tolist() == [400_000] * 4
        assert np.array_equal(corpus.ids.reshape(-1, 4), np.tile([0, 1, 3, 2], (400_000, 1)))


def test_one_string_of_any_length_is_one_sentence():
    text = "alpha beta\ngamma delta " * 400_000
    with encode_corpus([text], workers=3) as corpus:
        assert corpus.offsets.tolist() == [0, 1_600_000]


def test_a_match_is_not_cut_between_blocks(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("in New York we\n" * 300_000)  # over two blocks
    with encode_corpus(path, pattern=r"New York|\w+") as corpus:
        assert corpus.vocabulary.words == ["New York", "in", "we"]
        assert corpus.vocabulary.counts.tolist() == [300_000] * 3
        assert len(corpus) == 300_000


def test_results_do_not_depend_on_the_number_of_threads(tmp_path):
    path = tmp_path / "text.txt"
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 5000, (60_000, 12))
    path.write_text("\n".join(" ".join(map("w{}".format, row)) for row in rows))
    found = []
    for workers in (1, 2, 5):
        with encode_corpus(path, workers=workers) as corpus:
            found.append((corpus.vocabulary, np.array(corpus.ids), np.array(corpus.offsets)))
    for vocabulary, ids, offsets in found[1:]:
        assert vocabulary == found[0][0]
        assert np.array_equal(ids, found[0][1])
        assert np.array_equal(offsets, found[0][2])


FORK = """
import os, sys
from wordgrad import encode_corpus
from wordgrad.corpus.tokenizer import TextBlock, Tokenizer
from wordgrad.processes import forked_after_polars

def encoded():
    with encode_corpus(sys.argv[1], min_count=1, lowercase=True, workers=2) as corpus:
        return corpus.vocabulary.words, corpus.ids.tolist(), corpus.offsets.tolist()

Tokenizer("[a-z]+").encode(TextBlock(b"one two\\n" * 1000))  # Polars' threads run
wanted = encoded()
child = os.fork()
if child == 0:
    os._exit(0 if forked_after_polars() and encoded() == wanted else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_encodes_as_its_parent_does(tmp_path):
    """Polars' threads are not there, and plain text needs none of them."""
    (tmp_path / "text.txt").write_text("A rose is a Rose\nÉté été\n" * 100_000)  # two blocks
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "text.txt")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


def test_max_vocab_keeps_the_most_frequent():
    sentences = ["d d d b b a a c", "c c"]
    assert encode(sentences, max_vocab=3) == oracle(lines_of("\n".join(sentences)), 1, 3)
    assert encode(sentences, max_vocab=100) == oracle(lines_of("\n".join(sentences)))


def test_invalid_bytes_are_replaced_and_counted(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"caf\xe9 ol\xe9 \xe2\x80 a\n\xef\xbf\xbd \xc3\xa9 a\n")
    with encode_corpus(path, min_count=1, errors="replace") as corpus:
        assert sorted(corpus.vocabulary) == sorted(["caf\ufffd", "ol\ufffd", "\ufffd", "a", "é"])
        assert corpus.vocabulary.counts[corpus.vocabulary.index("\ufffd")] == 2
        assert corpus.report.bytes_replaced == 4


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_invalid_bytes_are_counted_once_over_many_blocks(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"text\n" + b"one tw\xff\nthree \xc3\n" * 20 + b"four\n" * 20)
    with encode_corpus([path, path], min_count=1, errors="replace") as corpus:
        assert corpus.report.bytes_replaced == 80
        assert "tw\ufffd" in corpus.vocabulary


@pytest.mark.usefixtures("small_blocks")
def test_lone_surrogates_are_replaced_and_counted():
    for source in (["a \ud800b", "c"], [["a", "\ud800b"], ["c"]]):
        with encode_corpus(source, min_count=1, errors="replace") as corpus:
            assert corpus.vocabulary.words == ["a", "c", "\ufffdb"]
            assert corpus.report.bytes_replaced == 3


def test_progress_is_reported(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("one two\n" * 600_000)
    (tmp_path / "more.txt").write_text("two three")
    seen = []
    with encode_corpus([path, tmp_path / "more.txt"], min_count=1, progress=seen.append):
        pass
    total = path.stat().st_size + 9
    assert len(seen) == 3
    assert all(isinstance(state, ReadingProgress) for state in seen)
    assert all(state.bytes_total == total for state in seen)
    assert [s.bytes_done for s in seen] == sorted(s.bytes_done for s in seen)
    assert seen[-1] == ReadingProgress(total, total, 1_200_002, str(tmp_path / "more.txt"))


class TestTemporaryFolder:
    @staticmethod
    def left(folder):
        return list(folder.iterdir())

    def test_it_goes_with_the_corpus(self, tmp_path):
        corpus = encode_corpus(["a b", "b"], min_count=1, folder=tmp_path)
        assert len(self.left(tmp_path)) == 1
        assert corpus.ids.tolist() == [1, 0, 0]
        del corpus
        gc.collect()
        assert self.left(tmp_path) == []

    def test_close_may_be_called_twice(self, tmp_path):
        corpus = encode_corpus(["a b"], min_count=1, folder=tmp_path)
        corpus.close()
        corpus.close()
        assert self.left(tmp_path) == []
        assert len(corpus.ids) == len(corpus) == 0

    def test_it_goes_when_a_block_fails(self, tmp_path):
        with (
            pytest.raises(RuntimeError, match="on purpose"),
            encode_corpus(["a b"], min_count=1, folder=tmp_path),
        ):
            raise RuntimeError("on purpose")
        assert self.left(tmp_path) == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
    def test_it_goes_when_reading_is_interrupted(self, tmp_path, error):
        def sentences():
            yield "a b"
            raise error("stopped")

        with pytest.raises(error, match="stopped") as caught:
            encode_corpus(sentences(), min_count=1, folder=tmp_path)
        assert type(caught.value) is error  # not taken for a failure to write
        assert self.left(tmp_path) == []

    def test_it_goes_when_progress_interrupts(self, tmp_path):
        def stop(_state):
            raise KeyboardInterrupt("stopped")

        with pytest.raises(KeyboardInterrupt, match="stopped"):
            encode_corpus(["a b"], folder=tmp_path, progress=stop)
        assert self.left(tmp_path) == []

    def test_the_maps_are_read_only_files(self, tmp_path):
        with encode_corpus(["a b", "b"], min_count=1, folder=tmp_path) as corpus:
            assert isinstance(corpus.ids, np.memmap)
            assert isinstance(corpus.offsets, np.memmap)
            with pytest.raises(ValueError, match="read-only"):
                corpus.ids[0] = 1
            corpus.release_pages()
            assert corpus.ids.tolist() == [1, 0, 0]

    def test_a_folder_that_does_not_exist(self, tmp_path):
        with pytest.raises(OutputError, match=r"No temporary folder could be made in .*missing"):
            encode_corpus(["a b"], min_count=1, folder=tmp_path / "missing")

    @pytest.mark.skipif(
        not Path("/dev/full").is_char_device(), reason="/dev/full is a Linux device"
    )
    def test_a_full_disk(self, tmp_path, monkeypatch):
        from wordgrad.corpus import corpus as storage

        real = open
        monkeypatch.setattr(
            storage,
            "open",
            lambda path, mode: real("/dev/full" if "w" in mode else path, mode),
            raising=False,
        )
        with pytest.raises(OutputError, match=r"No space left on device\); free some space"):
            encode_corpus(["a b"] * 100_000, folder=tmp_path)
        assert self.left(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": -1}, "min_count must be an integer >= 0, got -1"),
        ({"min_count": 2.0}, "min_count must be an integer >= 0, got 2.0"),
        ({"max_vocab": 1}, "max_vocab must be an integer >= 2, got 1"),
        ({"workers": 0}, "workers must be an integer >= 1, got 0"),
        ({"errors": "ignore"}, "errors must be one of 'strict', 'replace', got 'ignore'"),
        ({"pattern": "["}, "pattern must be a regular expression"),
        ({"pattern": 5}, "pattern must be a string, got 5"),
        ({"lowercase": "yes"}, "lowercase must be True or False, got 'yes'"),
        ({"column": "text"}, "column is for .jsonl, .csv, .tsv and .parquet files alone"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ParameterError, match=message):
        encode_corpus(["a b"], **options)


def test_a_pattern_has_no_use_for_tokens():
    with pytest.raises(ParameterError, match=r"pattern splits text .* lists of tokens"):
        encode_corpus([["a", "b"]], pattern="[a-z]+")


def test_repr():
    with encode_corpus(["a b", "b"], min_count=1) as corpus:
        assert repr(corpus) == "EncodedCorpus(3 tokens, 2 sentences, 2 words)"
        assert isinstance(corpus, EncodedCorpus)

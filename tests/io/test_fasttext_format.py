"""Models of fastText: rows of words, means with character n-grams, damaged files."""

from __future__ import annotations

import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import FormatError, FormatWarning
from wordgrad.io.fasttext_model import MAGIC
from wordgrad.subwords import ngram_hashes
from wordgrad.word_vectors import load

# fastText 0.9.2: train_unsupervised(dim=2, minCount=1, epoch=0, minn=1, maxn=3, bucket=5), the
# input matrix set to arange(20) / 4 - 2, and save_model; below, its own get_word_vector.
MODEL = base64.b64decode(
    "uhZPLwwAAAACAAAABQAAAAAAAAABAAAABQAAAAEAAAACAAAAAgAAAAUAAAABAAAAAwAAAGQAAAAtQxzr4jYaPwUAAAAF"
    "AAAAAAAAANEAAAAAAAAA//////////9uYcOvdmUAMQAAAAAAAAAAdGhlAC8AAAAAAAAAAGFiACoAAAAAAAAAAOadseS6"
    "rAAqAAAAAAAAAAA8L3M+AB0AAAAAAAAAAAAKAAAAAAAAAAIAAAAAAAAAAAAAwAAA4L8AAMC/AACgvwAAgL8AAEC/AAAA"
    "vwAAgL4AAAAAAACAPgAAAD8AAEA/AACAPwAAoD8AAMA/AADgPwAAAEAAABBAAAAgQAAAMEAABQAAAAAAAAACAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)
WORDS = ["naïve", "the", "ab", "東京", "</s>"]
VECTORS = [
    [0.9705882668495178, 1.220588207244873],
    [1.0909091234207153, 1.3409091234207153],
    [0.8125, 1.0625],
    [1.0625, 1.3125],
    [0.0, 0.25],
]


def model(
    words=(b"ab", b"c"),
    matrix=((1.0, 2.0), (3.0, 4.0)),
    *,
    version=12,
    kind=2,
    bucket=0,
    maxn=0,
    entries=None,
    pruned=-1,
    quantised=False,
    shape=None,
    kinds=(0, 0),
):
    """A model put together by hand after the documented layout."""
    values = np.array(matrix, dtype="<f4")
    head = [values.shape[1], 5, 1, 1, 5, 1, 2, kind, bucket, 1, maxn, 100]
    parts = [MAGIC, struct.pack("<i12id", version, *head, 1e-4)]
    parts.append(struct.pack("<3i2q", entries or len(words), len(words), 0, 99, pruned))
    for count, (word, type_) in enumerate(zip(words, kinds, strict=False), 7):
        parts.append(word + b"\0" + struct.pack("<qb", count, type_))
    parts.append(struct.pack("<?2q", quantised, *(shape or values.shape)))
    return b"".join([*parts, values.tobytes()])


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / "v.bin"
        path.write_bytes(content)
        return load(path, **options)

    return read


def test_a_model_of_fasttext(read):
    vectors = read(MODEL)
    assert list(vectors.words) == WORDS
    np.testing.assert_allclose(vectors.matrix, VECTORS, rtol=1e-6)
    assert vectors.counts.tolist() == [49, 47, 42, 42, 29]


def test_a_model_without_ngrams_has_its_own_rows(read):
    vectors = read(model())
    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]
    assert vectors.counts.tolist() == [7, 8]
    labelled = model((b"ab", b"__label__x"), kinds=(0, 1))
    labelled = labelled.replace(struct.pack("<3i", 2, 2, 0), struct.pack("<3i", 2, 1, 1))
    assert read(labelled).words == ("ab",)


def test_supervised_models_of_version_11_have_no_ngrams(read):
    matrix = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    old = read(model(matrix=matrix, version=11, kind=3, bucket=1, maxn=3))
    assert old.matrix.tolist() == matrix[:2]
    # "<a", "a", "<ab", "ab", "ab>", "b", "b>" all fall into the one bucket: (1 + 7 * 5) / 8.
    new = read(model(matrix=matrix, version=12, kind=3, bucket=1, maxn=3))
    assert new["ab"].tolist() == [4.5, 5.5]


def _ngrams_of_one(word, minn, maxn):
    """The n-grams' hashes by the words of fastText's Dictionary::computeSubwords."""
    text = f"<{word}>"
    found = []
    for start in range(len(text)):
        for length in range(1, maxn + 1):
            piece = text[start : start + length]
            alone = length == 1 and (start == 0 or start + 1 == len(text))
            if len(piece) < length or length < minn or alone:
                continue
            value = 2166136261
            for byte in piece.encode():
                value ^= byte if byte < 128 else byte | 0xFFFFFF00
                value = value * 16777619 % 2**32
            found.append(value)
    return found


@given(
    words=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=5),
    minn=st.integers(0, 4),
    maxn=st.integers(1, 6),
)
def test_hashes_are_those_of_one_ngram_after_another(words, minn, maxn):
    owners, hashes = ngram_hashes([word.encode() for word in words], minn, maxn)
    for row, word in enumerate(words):
        expected = [] if word == "</s>" else _ngrams_of_one(word, minn, maxn)
        assert sorted(hashes[owners == row].tolist()) == sorted(expected)


@pytest.mark.parametrize("content", [MODEL, model()], ids=["with n-grams", "without"])
def test_every_cut_and_every_flip_ends_in_one_sentence(read, content):
    for length in range(1, len(content) - (72 if content is MODEL else 0)):
        with pytest.raises(FormatError, match=r"v\.bin "):
            read(content[:length], format="fasttext")
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        try:
            again = read(bytes(damaged), format="fasttext")
        except FormatError as error:
            assert "v.bin " in str(error)  # noqa: PT017
        else:
            assert np.isfinite(again.matrix).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (model(quantised=True), r"is cut short|is damaged"),
        (model(pruned=3), r"its pruned n-grams must be 3 different numbers below 0"),
        (model(pruned=0), r"n-grams were pruned, but its input matrix is not quantised"),
        (model(version=13), r"version 13 of fastText's format, and \(11, 12\) are read"),
        (model(entries=3), r"promises 3 entries, 2 words, 0 labels"),
        (
            model(shape=(10**12, 2)),
            r"the input matrix needs 8000000000000 bytes, and 16 are left",
        ),
        (model(shape=(1, 2)), r"its input matrix is 1 x 2, for 2 rows of 2 values"),
        (model(shape=(2, 1)), r"its input matrix is 2 x 1, for 2 rows of 2 values"),
        (model(kinds=(0, 1)), r"entry 1 of its dictionary has type 1"),
        (model((b"a", b"\xff")), r"not UTF-8 in row 1"),
        (model(matrix=[[1.0], [np.inf]]), r"holds inf in row 1 \('c'\), value 1"),
        (b"2 1\na 1\nb 2\n" * 20, r"not a model of fastText: it does not begin with its number"),
    ],
)
def test_files_that_cannot_be(read, content, message):
    with pytest.raises(FormatError, match=rf"v\.bin .*{message}"):
        read(content, format="fasttext")


def test_a_dictionary_that_promises_too_much(read):
    content = bytearray(model())
    struct.pack_into("<3i", content, 64, 2**31 - 1, 2**31 - 1, 0)
    with pytest.raises(FormatError, match="promises 2147483647 entries with 2 values"):
        read(bytes(content))


def test_of_a_word_that_comes_twice_the_first_row_stays(read):
    with pytest.warns(FormatWarning, match=r"1 row repeats a word of .*'a' in row 0 and row 1"):
        found = read(model((b"a", b"a")))
    assert found.words == ("a",)
    assert found.matrix.tolist() == [[1, 2]]
    assert found.counts.tolist() == [7]


def test_words_that_are_not_utf8_keep_their_ngrams(read):
    """fastText hashes bytes: U+FFFD in their place would be other n-grams, other vectors."""
    rows = [[float(row), 1.0] for row in range(40)]
    content = model((b"caf\xc3",), matrix=rows, bucket=39, maxn=4)
    with pytest.warns(FormatWarning, match="has 1 word that is not UTF-8"):
        replaced = read(content, errors="replace")
    with pytest.warns(FormatWarning, match="not UTF-8"):
        ignored = read(content, errors="ignore")
    assert (replaced.words, ignored.words) == (("caf\ufffd",), ("caf",))
    assert (replaced.matrix == ignored.matrix).all()


def test_the_first_words_alone(read):
    found = read(MODEL, limit=2)
    assert list(found.words) == WORDS[:2]
    np.testing.assert_allclose(found.matrix, VECTORS[:2], rtol=1e-6)
    assert found.counts.tolist() == [49, 47]

"""Character n-grams in files: kept by safetensors and by models of fastText, composed on demand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from wordgrad import Word2Vec, WordVectors, load
from wordgrad.errors import FormatError, OutputError, UnknownWordError
from wordgrad.io import fasttext as fasttext_format
from wordgrad.io import fasttext_model
from wordgrad.io import safetensors as safetensors_format
from wordgrad.io.fasttext_model import DenseMatrix, _Reading, read_model
from wordgrad.subwords import Subwords

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")

UNSEEN = ["singin", "undanced", "žluťoučký"]


@pytest.fixture(scope="module")
def vectors():
    text = ["the singer sings a song to the dancer", "the dancer dances", "naïve мир of birds"]
    settings = {"vector_size": 10, "min_count": 1, "sample": 0, "workers": 1}
    model = Word2Vec(**settings, subwords=(2, 4), buckets=800, learning_rate=0.1).fit(text * 30)
    return model.vectors_


@pytest.mark.parametrize(("name", "format"), [("v.safetensors", None), ("v.bin", "fasttext")])
def test_files_keep_what_unseen_words_are_composed_of(vectors, tmp_path, name, format):
    path = tmp_path / name
    vectors.save(path, format=format)
    again = load(path)
    assert again.words == vectors.words
    assert again.counts.tolist() == vectors.counts.tolist()
    assert again.subwords.kind == (2, 4, 800)
    for word in [*vectors.words, *UNSEEN]:
        np.testing.assert_allclose(again[word], vectors[word], rtol=1e-5, atol=1e-6)
    rows = np.arange(len(vectors) + 800)
    np.testing.assert_allclose(
        again.subwords.table.rows(rows), vectors.subwords.table.rows(rows), atol=1e-7
    )
    plain = tmp_path / f"plain-{name}"
    vectors.save(plain, format=format, ngrams=False)
    assert plain.stat().st_size < path.stat().st_size
    without = load(plain)
    np.testing.assert_allclose(without.matrix, vectors.matrix, atol=1e-6)
    assert UNSEEN[0] not in without
    with pytest.raises(KeyError, match="vocabulary"):
        _ = without[UNSEEN[0]]


def test_models_go_from_fasttext_to_safetensors_and_back(vectors, tmp_path):
    first, second, third = (tmp_path / name for name in ("a.bin", "b.safetensors", "c.bin"))
    vectors.save(first, format="fasttext")
    load(first).save(second)
    load(second).save(third, format="fasttext")
    assert first.read_bytes()[64:] == third.read_bytes()[64:]  # the settings apart
    assert len(load(third).subwords.ngrams(["a"])[0]) == 3


def test_a_selection_is_a_model_of_its_own(vectors, tmp_path):
    chosen = vectors.select(["dances", "singer"])
    chosen.save(tmp_path / "v.bin", format="fasttext")
    again = load(tmp_path / "v.bin")
    for word in ["dances", "singer", "song", *UNSEEN]:
        wanted = vectors[word] if word in chosen else vectors.subwords.vector(word)
        np.testing.assert_allclose(again[word], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kept", [[(1, 0), (4, 2), (6, 1)], []])
def test_pruned_n_grams_stay_pruned(tmp_path, kept):
    table = DenseMatrix(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32))
    pruned = np.array(kept, np.int32).reshape(-1, 2)
    subwords = Subwords(table, 2, 1, 3, 7, pruned)
    words = ["ab", "cd"]
    vectors = WordVectors(words, subwords.compose(words, [0, 1]), subwords=subwords)
    vectors.save(tmp_path / "v.safetensors")
    again = load(tmp_path / "v.safetensors")
    texts = ["ab", "cd", "abc", "xyzxyz"]
    np.testing.assert_allclose(again.subwords.compose(texts), subwords.compose(texts), atol=1e-6)
    with pytest.raises(OutputError, match="cannot be a model of fastText, for the n-grams were"):
        vectors.save(tmp_path / "v.bin", format="fasttext")


def test_fasttext_itself_reads_our_models(vectors, tmp_path):
    fasttext = pytest.importorskip("fasttext", reason="fastText is not installed")
    path = tmp_path / "v.bin"
    vectors.save(path, format="fasttext")
    model = fasttext.load_model(str(path))
    assert model.get_words() == list(vectors.words)
    for word in [*vectors.words, *UNSEEN]:
        np.testing.assert_allclose(model.get_word_vector(word), vectors[word], atol=1e-6)
    for word in ["singer", *UNSEEN]:
        theirs = model.get_nearest_neighbors(word, 3)
        ours = vectors.most_similar(word, topn=3)
        assert [name for _, name in theirs] == [name for name, _ in ours]
        np.testing.assert_allclose([score for score, _ in theirs], [s for _, s in ours], atol=1e-5)
    vectors.save(tmp_path / "plain.bin", format="fasttext", ngrams=False)
    plain = fasttext.load_model(str(tmp_path / "plain.bin"))
    np.testing.assert_allclose(plain.get_word_vector("song"), vectors["song"], atol=1e-6)


# ------------------------------------------------------------------ on demand


@pytest.fixture(params=[(0, 1 << 18), (16, 1 << 18), (1, 30)])
def lazy(vectors, tmp_path, monkeypatch, request):
    """A model of fastText whose vectors are not composed when it is opened.

    Its words are found by an index; by a search; by a search that leaves later words to the index.
    """
    searches, near = request.param
    monkeypatch.setattr(fasttext_format, "SEARCHES", searches)
    monkeypatch.setattr(fasttext_model, "NEAR", near)
    monkeypatch.setattr(fasttext_format, "COMPOSED_AT_ONCE", 3)
    monkeypatch.setattr(fasttext_model, "READ_AT_ONCE", 3)
    vectors.save(tmp_path / "v.bin", format="fasttext")
    return tmp_path / "v.bin"


def test_a_large_model_is_opened_without_reading_it(vectors, lazy):
    found = load(lazy)
    assert "_matrix" not in found.__dict__
    assert "_packed" not in found.vocabulary.__dict__
    assert len(found) == len(vectors)
    assert found.vector_size == 10
    for word in ["singer", *UNSEEN]:
        np.testing.assert_allclose(found[word], vectors[word], atol=1e-6)
        assert not found[word].flags.writeable
    assert found.similarity("singer", "song") == pytest.approx(vectors.similarity("singer", "song"))
    chosen = found.select(["singer", "song"])
    np.testing.assert_allclose(chosen["song"], vectors["song"], atol=1e-6)
    assert found.counts.tolist() == vectors.counts.tolist()
    assert "_matrix" not in found.__dict__
    assert found.most_similar("singer", topn=2)[0][0] == vectors.most_similar("singer")[0][0]
    np.testing.assert_allclose(found.matrix, vectors.matrix, atol=1e-6)
    assert found.words == vectors.words
    assert load(lazy, limit=5).words == vectors.words[:5]


def test_a_dictionary_that_does_not_end_at_the_matrices_is_told(lazy):
    content = bytearray(lazy.read_bytes())
    place = content.index(b"the\0")
    content[place + 3] = ord("x")  # two entries become one
    lazy.write_bytes(content)
    found = load(lazy)
    with pytest.raises(FormatError, match=r"v\.bin (is damaged|is cut short)"):
        _ = found.words


def test_few_words_of_a_large_model_are_looked_up_without_decoding_the_others(vectors, lazy):
    found = load(lazy)
    assert [found.rank(word) for word in vectors.words] == list(range(len(vectors)))
    assert "unseen" not in found
    assert "\ud800" not in found
    assert found.similarity("singer", "song") == pytest.approx(vectors.similarity("singer", "song"))
    assert not {"words", "ids"} & found.vocabulary.__dict__.keys()
    with pytest.raises(UnknownWordError, match=r"did you mean 'singer'"):
        found.rank("singr")
    assert found.words == vectors.words


def test_a_word_that_comes_twice_in_a_large_model_is_told(vectors, lazy):
    lazy.write_bytes(lazy.read_bytes().replace(b"singer\0", b"dancer\0"))
    found = load(lazy).vocabulary
    for _ in range(fasttext_format.SEARCHES):
        assert found.get("nowhere") is None
    with pytest.raises(FormatError, match=r"v\.bin holds the word 'dancer' twice, in rows"):
        found.get("nowhere")


@given(data=st.data())
def test_a_scanned_dictionary_is_the_one_that_is_read_word_by_word(data):
    names = data.draw(st.lists(st.binary(max_size=12).filter(lambda b: 0 not in b), max_size=30))
    n_words = data.draw(st.integers(0, len(names)))
    counts = data.draw(
        st.lists(st.integers(0, 2**63 - 1), min_size=len(names), max_size=len(names))
    )
    whole = bytearray().join(
        name + b"\0" + struct.pack("<qb", count, number >= n_words)
        for number, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    intact = bytes(whole)
    for place in data.draw(st.lists(st.integers(0, max(len(whole) - 1, 0)), max_size=2)):
        if whole:
            whole[place] ^= data.draw(st.integers(0, 255))
    end = len(whole) - data.draw(st.sampled_from([0, 0, 0, 1, 5]))
    if end < 10 * len(names) or not end:
        return
    one, other = (_Reading(Path("v.bin"), bytes(whole[:end])) for _ in range(2))
    for word in [*names, b"x", b"\0"]:
        row = other.search(end, n_words, word)
        if row is not None and names == list(dict.fromkeys(names)) and whole == intact:
            known = names[:n_words]
            assert row == (known.index(word) if word in known else -1)
    expected = told(lambda: (*one.dictionary(len(names), n_words, 1), one.place))
    found = told(lambda: (*other.dictionary_up_to(end, len(names), n_words), end))
    if expected is None or expected[3] != end:
        assert found is None
    else:
        assert found is not None
        assert [np.array(part).tolist() for part in found] == [
            np.array(part).tolist() for part in expected
        ]


def told(read):
    """Return what it returns, or None if it tells of damage."""
    try:
        return read()
    except FormatError:
        return None


def test_values_that_are_not_finite_are_told_when_they_are_used(vectors, lazy):
    content = bytearray(lazy.read_bytes())
    own = read_model(lazy).input.values
    place = len(content) - 17 - 4 * 10 * len(vectors) - own.nbytes
    content[place : place + 4] = struct.pack("<f", np.nan)
    lazy.write_bytes(content)
    found = load(lazy)
    assert np.isfinite(found[vectors.words[1]]).all()
    with pytest.raises(FormatError, match="not finite in row 0"):
        _ = found[vectors.words[0]]
    with pytest.raises(FormatError, match="nan in row 0, column 0"):
        found.most_similar(vectors.words[1])


# ------------------------------------------------------------------ damaged


def rewritten(path, changes, record=None):
    """The file with other tensors and right checksums."""
    tensors = load_file(path) | changes
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata = json.loads(file.read(length))["__metadata__"]
    if record is not None:
        metadata["ngrams"] = record
    for name in ("matrix", "ngrams"):
        metadata[f"crc32.{name}"] = f"{safetensors_format.checksum(tensors[name]):08x}"
    rest = {name: one for name, one in tensors.items() if name not in ("matrix", "ngrams")}
    metadata["crc32.rest"] = safetensors_format._checksum(metadata, rest)
    save_file(tensors, path, metadata=metadata)


def described(**changes):
    return json.dumps({"words": 3, "minn": 2, "maxn": 4, "bucket": 800, "pruned": False, **changes})


@pytest.mark.parametrize(
    ("changes", "record"),
    [
        ({"ngrams": np.zeros((9, 3), np.float32)}, None),
        ({"ngram-parts": np.zeros(9, np.float32)}, None),
        ({"ngram-rows": np.full(3, 10**6, np.int32)}, None),
        ({"ngram-buckets": np.array([1, 1, 2], np.int32)}, None),
        ({}, described(words=10**9)),
        ({}, described(maxn=10**9)),
        ({}, described(bucket=1)),
        ({}, described(words=True)),
        ({}, described(pruned=0)),
        ({}, "[" * 100_000),
        ({}, "[]"),
    ],
)
def test_n_grams_that_do_not_fit_are_refused(vectors, tmp_path, changes, record):
    path = tmp_path / "v.safetensors"
    vectors.save(path)
    rewritten(path, {})
    assert load(path).subwords is not None
    rewritten(path, changes, record)
    with pytest.raises(FormatError, match=r"is damaged: its (\d+ rows of )?n-grams"):
        load(path)


def test_a_flipped_bit_is_found_in_the_n_grams(vectors, tmp_path):
    path = tmp_path / "v.safetensors"
    vectors.save(path)
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    begin, _ = json.loads(content[8 : 8 + length])["ngrams"]["data_offsets"]
    content[8 + length + begin + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(FormatError, match="ngrams fails its checksum"):
        load(path)

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from wordgrad.errors import ParameterError, UnknownWordError
from wordgrad.word_vectors import WordVectors


def lattice(rows=40, columns=6):
    """Vectors anyone can compute again; all different, none zero."""
    return np.array(
        [
            [(i * i * 7 + j * j * i * 3 + j * 5 + i * j) % 101 - 50 for j in range(columns)]
            for i in range(rows)
        ],
        dtype=np.float32,
    )


@pytest.fixture
def vectors():
    return WordVectors([f"w{i}" for i in range(40)], lattice(), range(40, 0, -1))


def words_of(answers):
    return [word for word, _ in answers]


def cosines_of(answers):
    return pytest.approx([cosine for _, cosine in answers], abs=2e-7)


# gensim 4.4.0, KeyedVectors.most_similar on the same vectors.
GENSIM = [
    (
        {"positive": "w3", "topn": 5},
        [
            ("w11", 0.8935530781745911),
            ("w31", 0.7619213461875916),
            ("w27", 0.7302252054214478),
            ("w7", 0.677210807800293),
            ("w24", 0.6022385954856873),
        ],
    ),
    (
        {"positive": ["w1", "w2"], "negative": ["w5"], "topn": 3},
        [("w0", 0.7079579830169678), ("w34", 0.5269912481307983), ("w4", 0.45868104696273804)],
    ),
    (
        {"positive": "w3", "topn": 3, "restrict_vocab": 20},
        [("w11", 0.8935530781745911), ("w7", 0.677210807800293), ("w16", 0.5143000483512878)],
    ),
]


@pytest.mark.parametrize(("question", "answers"), GENSIM)
def test_most_similar_answers_as_gensim(vectors, question, answers):
    found = vectors.most_similar(**question)
    assert words_of(found) == words_of(answers)
    assert [cosine for _, cosine in found] == cosines_of(answers)


def test_analogy_is_most_similar_with_a_negative(vectors):
    found = vectors.analogy(positive=["w1", "w2"], negative=["w5"], topn=3)
    assert words_of(found) == ["w0", "w34", "w4"]
    assert vectors.analogy(["w1", "w2"], "w5", 3) == found


def test_a_vector_is_a_query_and_excludes_nothing(vectors):
    found = vectors.most_similar(vectors["w3"] * 7, topn=2)
    assert words_of(found) == ["w3", "w11"]
    assert found[0][1] == pytest.approx(1.0, abs=1e-12)
    assert found[0][1] <= 1.0


def test_words_and_vectors_mix_with_equal_weight(vectors):
    by_words = vectors.most_similar(["w1", "w2"], topn=38)
    mixed = vectors.most_similar(["w1", vectors["w2"] * 100], topn=39)
    assert [pair for pair in mixed if pair[0] != "w2"] == [
        (word, pytest.approx(cosine, abs=1e-12)) for word, cosine in by_words
    ]


def test_the_vocabulary_bounds_the_answers(vectors):
    assert len(vectors.most_similar("w3", topn=1000)) == 39
    assert len(vectors.most_similar("w3", topn=1000, restrict_vocab=10)) == 9
    assert len(vectors.most_similar("w30", topn=1000, restrict_vocab=10)) == 10


def test_similarity(vectors):
    a, b = vectors["w3"].astype(np.float64), vectors["w11"].astype(np.float64)
    expected = a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)
    assert vectors.similarity("w3", "w11") == pytest.approx(expected, abs=1e-14)
    assert vectors.similarity("w3", "w3") == pytest.approx(1.0, abs=1e-14)
    assert dict(vectors.most_similar("w3"))["w11"] == pytest.approx(expected, abs=1e-14)


def test_zero_vectors_give_zero_not_nan():
    vectors = WordVectors(["a", "zero", "b"], [[1, 2], [0, 0], [-1, 0]])
    assert vectors.similarity("a", "zero") == 0.0
    assert vectors.similarity("zero", "zero") == 0.0
    assert vectors.most_similar("zero") == [("a", 0.0), ("b", 0.0)]
    assert words_of(vectors.most_similar("a")) == ["zero", "b"]
    assert vectors.most_similar("a", negative="a") == [("zero", 0.0), ("b", 0.0)]


def test_one_word_has_no_neighbours():
    assert WordVectors(["alone"], [[1.0]]).most_similar("alone") == []


def test_what_there_is(vectors):
    assert len(vectors) == 40
    assert vectors.vector_size == 6
    assert vectors.words[:2] == ("w0", "w1")
    assert list(vectors) == list(vectors.words)
    assert "w39" in vectors
    assert "w40" not in vectors
    assert 3 not in vectors
    assert vectors.rank("w7") == 7
    assert vectors["w7"].dtype == np.float32
    assert vectors.counts.tolist() == list(range(40, 0, -1))
    assert vectors.metadata == {}
    assert repr(vectors) == "<WordVectors: 40 words, 6 dimensions>"


def test_nothing_can_be_changed(vectors):
    for array in (vectors.matrix, vectors["w1"], vectors.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        vectors.words = ()


def test_a_writeable_matrix_is_copied_and_a_read_only_one_shared():
    matrix = lattice()
    words = [f"w{i}" for i in range(40)]
    vectors = WordVectors(words, matrix)
    matrix[:] = 0
    assert vectors["w1"].any()
    frozen = lattice()
    frozen.flags.writeable = False
    assert np.shares_memory(WordVectors(words, frozen).matrix, frozen)
    part = lattice(40, 16)[:, :6]  # rows padded, as training leaves them
    assert WordVectors(words, part).matrix.flags.c_contiguous


def test_metadata_is_a_copy_of_plain_values():
    given = {"training": {"epochs": np.int64(5), "rates": np.array([0.5, 0.25])}, "name": "é"}
    vectors = WordVectors(["a"], [[1.0]], metadata=given)
    given["training"]["epochs"] = 6
    vectors.metadata["training"]["epochs"] = 7
    assert vectors.metadata == {"training": {"epochs": 5, "rates": [0.5, 0.25]}, "name": "é"}


def test_pickles_and_copies(vectors):
    for twin in (pickle.loads(pickle.dumps(vectors)), copy.deepcopy(vectors)):
        assert twin.words == vectors.words
        assert (twin.matrix == vectors.matrix).all()
        assert (twin.counts == vectors.counts).all()
        assert twin.most_similar("w3") == vectors.most_similar("w3")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "a"], np.eye(2)), r"must not repeat, got 'a' in rows 0 and 1"),
        ((["a", "b", "c", "b"], np.eye(4)), r"must not repeat, got 'b' in rows 1 and 3"),
        ((["a", 3], np.eye(2)), r"words must be strings, got 3 in position 1"),
        (("ab", np.eye(2)), r"words must be a sequence of strings, got one string"),
        ((["a"], np.eye(2)), r"one row a word, got 2 rows for 1 words"),
        ((["a", "b"], np.ones(2)), r"shape \(words, dimensions\), .* got \(2,\)"),
        (([], np.ones((0, 3))), r"both at least 1, got \(0, 3\)"),
        ((["a"], np.ones((1, 0))), r"both at least 1, got \(1, 0\)"),
        ((["a"], [["x"]]), r"matrix must hold real numbers, got dtype <U1"),
        ((["a"], [[1 + 2j]]), r"matrix must hold real numbers, got dtype complex128"),
        ((["a", "b"], [[1, 2], [3, np.nan]]), r"finite values, got nan in row 1, column 1"),
        ((["a"], [[1e39]]), r"finite values, got inf in row 0, column 0"),
        ((["a"], [[1.0]], [1, 2]), r"counts must be 1 integers"),
        ((["a"], [[1.0]], [1.5]), r"counts must be 1 integers, .* float64"),
        ((["a"], [[1.0]], [-1]), r"counts must not be negative, got -1"),
        ((["a"], [[1.0]], None, {"x": object()}), r"metadata .* object is not a JSON value"),
        ((["a"], [[1.0]], None, {1: 2}), r"metadata .* key is not a string"),
    ],
)
def test_wrong_parts_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        WordVectors(*arguments)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"positive": "w1", "topn": 0}, r"topn must be an integer >= 1, got 0"),
        ({"positive": "w1", "topn": 2.5}, r"topn must be an integer >= 1, got 2.5"),
        ({"positive": "w1", "restrict_vocab": 0}, r"restrict_vocab must be an integer >= 1"),
        ({"positive": []}, r"positive must name at least one word or vector"),
        ({"positive": 3}, r"positive must be a word, a vector or several, got 3"),
        ({"positive": ["w1", 3]}, r"vectors of 6 numbers, got an array of shape \(\)"),
        ({"positive": np.ones(5)}, r"vectors of 6 numbers, got an array of shape \(5,\)"),
        ({"positive": "w1", "negative": [np.full(6, np.nan)]}, r"negative must hold finite"),
    ],
)
def test_wrong_questions_are_refused(vectors, question, message):
    with pytest.raises(ParameterError, match=message):
        vectors.most_similar(**question)


def test_a_word_must_be_a_string(vectors):
    with pytest.raises(ParameterError, match="A word must be a string, got 3"):
        vectors[3]


def test_unknown_words_are_named_with_words_spelt_alike():
    vectors = WordVectors(["the", "king", "kings", "queen"], np.eye(4))
    message = r"^'kingg' is not in the vocabulary; did you mean 'king' or 'kings'\?$"
    for ask in (
        lambda: vectors["kingg"],
        lambda: vectors.most_similar("kingg"),
        lambda: vectors.analogy(["the", "king"], ["kingg"]),
        lambda: vectors.similarity("the", "kingg"),
    ):
        with pytest.raises(UnknownWordError, match=message):
            ask()
    with pytest.raises(KeyError, match="none is spelt like it"):
        vectors["zzzzzz"]


def test_a_selection_keeps_order_counts_and_metadata():
    matrix = np.arange(18, dtype=np.float32).reshape(9, 2)
    vectors = WordVectors(list("abcdefghi"), matrix, range(9, 0, -1), {"seed": 1})
    chosen = vectors.select(word for word in ("i", "b", "i"))
    assert chosen.words == ("b", "i")
    assert chosen.matrix.tolist() == [[2, 3], [16, 17]]
    assert chosen.counts.tolist() == [8, 1]
    assert chosen.metadata == {"seed": 1}
    assert chosen.most_similar("b")[0][0] == "i"
    assert WordVectors(["a"], [[1.0]]).select(["a"]).counts is None


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([], ParameterError, "at least one word, got none"),
        ("the", ParameterError, "must be a sequence of strings, got 'the'"),
        (["kin"], UnknownWordError, "'kin' is not in the vocabulary; did you mean 'king'"),
        ([3], ParameterError, "A word must be a string, got 3"),
    ],
)
def test_a_selection_that_cannot_be(words, error, message):
    vectors = WordVectors(["the", "king"], [[1.0, 2], [3, 4]])
    with pytest.raises(error, match=message):
        vectors.select(words)

"""Questions about given words: distances, means of documents, odd ones out, places."""

from __future__ import annotations

import numpy as np
import pytest

from wordgrad.errors import FormatError, ParameterError, SkippedWordsWarning, UnknownWordError
from wordgrad.word_vectors import WordVectors, document_words, load


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
    return WordVectors([f"w{i}" for i in range(40)], lattice())


@pytest.fixture
def with_zero():
    return WordVectors(["a", "zero", "b"], [[1, 2], [0, 0], [-1, 0]])


# Golden values: gensim 4.4.0, the method of the same name on the same vectors, in float32.


def test_distance(vectors):
    assert vectors.distance("w3", "w11") == pytest.approx(0.10644698, abs=2e-7)
    assert vectors.distance("w3", "w11") == 1 - vectors.similarity("w3", "w11")


def test_distances(vectors):
    found = vectors.distances("w3", ["w11", "w4", "w3"])
    assert found == pytest.approx([0.10644698, 1.6495678, 0.0], abs=2e-7)
    everything = vectors.distances("w3")
    assert everything[:4] == pytest.approx([1.0253081, 1.0591588, 1.2463241, 0.0], abs=2e-7)
    assert everything.shape == (40,)
    assert everything == pytest.approx(vectors.distances(vectors["w3"] * 9), abs=1e-14)
    assert vectors.distances("w3", []).shape == (0,)


def test_n_similarity(vectors):
    found = vectors.n_similarity(["w1", "w2"], ["w5", "w6", "w7"])
    assert found == pytest.approx(-0.4710945, abs=2e-7)
    assert vectors.n_similarity("w1 w2", "w5 w6 w7") == found
    assert vectors.n_similarity("w1", "w1") == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("words", "odd"),
    [("w3 w11 w31 w4", "w4"), ("w1 w2 w3 w0", "w3"), ("w20 w21 w22 w23 w24", "w22")],
)
def test_doesnt_match(vectors, words, odd):
    assert vectors.doesnt_match(words.split()) == odd
    assert vectors.doesnt_match(words.split()[::-1]) == odd


def test_mean_vector(vectors):
    mean = vectors.mean_vector(["w1", "w2", "w9"])
    expected = [-0.24981324, -0.3820289, 0.17898755, -0.24944639, 0.11295269, -0.16623718]
    assert mean.vector == pytest.approx(expected, abs=2e-7)
    assert (mean.used, mean.skipped, mean.vector.dtype) == (3, (), np.float64)


def test_weighted_mean_vector(vectors):
    mean = vectors.mean_vector(["w1", "w2", "w9"], weights=[1, 2, -3])
    expected = [-0.27285787, 0.16363446, -0.24019384, -0.19499713, 0.09815595, -0.57081693]
    assert mean.vector == pytest.approx(expected, abs=2e-7)
    assert not vectors.mean_vector(["w1", "w2"], weights=[0, 0]).vector.any()


def test_mean_of_vectors_as_they_are(vectors):
    mean = vectors.mean_vector(["w1", "nope", "w9"], normalise=False, on_unknown="skip")
    assert mean.vector.tolist() == [-15.5, -41.0, 14.0, -2.0, 12.0, 5.5]
    assert (mean.used, mean.skipped) == (2, ("nope",))


def test_the_weight_of_a_skipped_word_is_skipped(vectors):
    mean = vectors.mean_vector("w1 nope w9", weights=[1, 50, 3], on_unknown="skip")
    assert mean.vector == pytest.approx(vectors.mean_vector("w1 w9", weights=[1, 3]).vector)


def test_closer_than(vectors):
    assert [w for w, _ in vectors.closer_than("w3", "w24")] == ["w11", "w31", "w27", "w7"]
    assert vectors.closer_than("w3", "w24") == [
        (word, pytest.approx(cosine, abs=1e-14))
        for word, cosine in vectors.most_similar("w3", topn=4)
    ]
    assert vectors.closer_than("w3", "w3") == []


def test_neighbour_rank(vectors):
    assert vectors.neighbour_rank("w3", "w24") == 5
    assert vectors.neighbour_rank("w3", "w11") == 1
    order = [word for word, _ in vectors.most_similar("w8", topn=39)]
    assert [vectors.neighbour_rank("w8", word) for word in order] == list(range(1, 40))


# ------------------------------------------------------------------ extremes


def test_zero_vectors_give_no_nan(with_zero):
    assert with_zero.distance("a", "zero") == 1.0
    assert with_zero.distances("zero").tolist() == [1.0, 1.0, 1.0]
    assert with_zero.n_similarity(["zero"], ["a"]) == 0.0
    assert with_zero.n_similarity(["a", "zero"], ["a"]) == pytest.approx(1.0)
    assert with_zero.mean_vector(["zero", "zero"]).vector.tolist() == [0.0, 0.0]
    assert with_zero.doesnt_match(["zero", "zero"]) == "zero"
    assert with_zero.neighbour_rank("zero", "a") == 1
    assert [c for _, c in with_zero.closest_to_text("zero")] == [0.0, 0.0, 0.0]


def test_opposite_words_cancel():
    vectors = WordVectors(["up", "down"], [[3, 1], [-3, -1]])
    assert vectors.mean_vector("up down").vector.tolist() == [0.0, 0.0]
    assert vectors.doesnt_match(["up", "down"]) == "up"
    assert vectors.distance("up", "down") == pytest.approx(2.0)


def test_repeated_words_weigh_as_often_as_they_come(vectors):
    twice = vectors.mean_vector("w1 w1 w2").vector
    assert twice == pytest.approx(vectors.mean_vector("w1 w2", weights=[2, 1]).vector)


# ------------------------------------------------------------------ unknown words


def test_unknown_words_are_named(vectors):
    for ask in (
        lambda: vectors.distance("w1", "w1x"),
        lambda: vectors.distances("w1x"),
        lambda: vectors.distances("w1", ["w1x"]),
        lambda: vectors.n_similarity("w1", "w1x"),
        lambda: vectors.doesnt_match(["w1", "w2", "w1x"]),
        lambda: vectors.mean_vector("w1 w1x"),
        lambda: vectors.closer_than("w1", "w1x"),
        lambda: vectors.neighbour_rank("w1x", "w1"),
    ):
        with pytest.raises(UnknownWordError, match=r"'w1x' is not .*did you mean 'w1'"):
            ask()


def test_skipping_warns_with_the_words(vectors):
    with pytest.warns(SkippedWordsWarning, match=r"2 of 5 words were left out.*'x', 'y'") as told:
        found = vectors.n_similarity("w1 x w2", "w5 y", on_unknown="skip")
    assert found == vectors.n_similarity("w1 w2", "w5")
    assert told[0].message.words == ("x", "y")
    assert told[0].filename == __file__
    with pytest.warns(SkippedWordsWarning, match="1 of 4 words was left out"):
        odd = vectors.doesnt_match(["w3", "w11", "nope", "w4"], on_unknown="skip")
    assert odd == "w4"


def test_many_skipped_words_are_counted_not_listed():
    warning = SkippedWordsWarning([f"x{i}" for i in range(9)], 12)
    assert "9 of 12 words were left out" in str(warning)
    assert str(warning).endswith("'x3', 'x4', ....")


def test_nothing_known_is_a_zero_mean(vectors):
    mean = vectors.mean_vector("none of these", on_unknown="skip")
    assert (mean.used, len(mean.skipped)) == (0, 3)
    assert mean.vector.tolist() == [0.0] * 6
    assert vectors.mean_vector("", on_unknown="skip").used == 0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v.mean_vector([]), "document must hold at least one word, got none"),
        (lambda v: v.mean_vector(3), "document must be a text or its words, got 3"),
        (lambda v: v.mean_vector(["w1", 3]), "document must hold words.*got 3"),
        (lambda v: v.mean_vector("w1 w2", weights=[1]), r"weights must be 2 finite.*\(1,\)"),
        (lambda v: v.mean_vector("w1", weights=[np.nan]), "weights must be 1 finite numbers"),
        (lambda v: v.mean_vector("w1", on_unknown="x"), "on_unknown must be one of"),
        (lambda v: v.n_similarity([], ["w1"]), "document must hold at least one word"),
        (lambda v: v.doesnt_match(["w1"]), "at least two words of the vocabulary, got 1"),
        (
            lambda v: v.doesnt_match(["w1", "x"], on_unknown="skip"),
            "at least two words of the vocabulary, got 1",
        ),
    ],
)
def test_wrong_questions_are_refused(vectors, ask, message):
    with pytest.raises(ParameterError, match=message):
        ask(vectors)


# ------------------------------------------------------------------ texts


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["Mr.", "Wren's", "tea,", "TEA!"]),
        ({"lowercase": False, "pattern": None}, ["Mr.", "Wren's", "tea,", "TEA!"]),
        ({"lowercase": True}, ["mr.", "wren's", "tea,", "tea!"]),
        ({"pattern": r"\w+"}, ["Mr", "Wren", "s", "tea", "TEA"]),
        ({"pattern": r"[a-z]+", "lowercase": True}, ["mr", "wren", "s", "tea", "tea"]),
    ],
)
def test_a_text_is_cut_as_the_training_text_was(settings, expected):
    assert document_words("Mr. Wren's\ttea,\nTEA!", {"settings": settings}) == expected


@pytest.mark.parametrize("metadata", [{}, {"settings": None}, {"settings": "x"}])
def test_without_settings_a_text_is_cut_at_white_space(metadata):
    assert document_words(" Ünï  cøde ", metadata) == ["Ünï", "cøde"]


def test_words_in_a_list_stay_as_they_are():
    vectors = WordVectors(["New York", "York"], np.eye(2), metadata={"settings": {"pattern": "o"}})
    assert vectors.mean_vector(["New York"]).vector.tolist() == [1.0, 0.0]


def test_values_that_are_not_finite_are_refused_not_passed_on(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("3 2\na nan 1\nb 1 1\nc 0 1\n")
    vectors = load(path, allow_nonfinite=True)
    for ask in (
        lambda: vectors.similarity("a", "b"),
        lambda: vectors.mean_vector("a b"),
        lambda: vectors.mean_vector("a b", normalise=False),
        lambda: vectors.n_similarity("a", "b"),
        lambda: vectors.doesnt_match(["b", "c"]),
        lambda: vectors.distances("b"),
    ):
        with pytest.raises(FormatError, match=r"odd\.txt holds nan in row 0, column 0"):
            ask()
    assert vectors.similarity("b", "c") == pytest.approx(0.5**0.5)


@pytest.mark.parametrize(
    ("kind", "bits"), [("f2", 0x7C01), ("f4", 0x7F800001), ("f8", 0x7FF << 52 | 1)]
)
def test_a_signalling_nan_is_refused_like_any_other_and_without_a_warning(tmp_path, kind, bits):
    path = tmp_path / "odd.npz"
    matrix = np.array([[1, 2], [0, 1], [1, 1]], dtype=f"<{kind}")
    matrix.view(f"<u{kind[1]}")[0, 0] = bits
    np.savez(path, matrix=matrix, words=np.array(["a", "b", "c"]))
    vectors = load(path, allow_nonfinite=True)
    for ask in (
        lambda: vectors.similarity("a", "b"),
        lambda: vectors.mean_vector("a b", normalise=False),
        lambda: vectors.most_similar("b"),
    ):
        with pytest.raises(FormatError, match=r"odd\.npz holds nan in row 0, column 0"):
            ask()
    with pytest.raises(FormatError, match=r"odd\.npz holds nan in row 0"):
        load(path)
    with pytest.raises(ParameterError, match="got nan in row 0, column 0"):
        WordVectors(["a", "b", "c"], matrix).most_similar("b")

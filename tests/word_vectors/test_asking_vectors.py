"""Questions answered by a search: batches, 3CosMul, texts, unknown words."""

from __future__ import annotations

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import ParameterError, UnknownWordError
from wordgrad.search import exact
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
    return WordVectors([f"w{i}" for i in range(40)], lattice())


def random_vectors(seed, rows, columns, zeros=0.1):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)).astype(np.float32)
    matrix[rng.random(rows) < zeros] = 0.0
    return WordVectors([f"w{i}" for i in range(rows)], matrix)


# ------------------------------------------------------------------ batches


def test_a_batch_answers_what_single_queries_answer(vectors):
    queries = ["w3", ["w1", "w2"], vectors["w5"] * 3, ["w7", vectors["w8"], "w9", "w10"]]
    for topn, limit in ((5, None), (100, None), (3, 20)):
        batch = vectors.most_similar_batch(queries, topn, limit)
        single = [vectors.most_similar(query, topn, None, limit) for query in queries]
        assert [[word for word, _ in ranking] for ranking in batch] == [
            [word for word, _ in ranking] for ranking in single
        ]
        for ours, theirs in zip(batch, single, strict=True):
            assert [c for _, c in ours] == pytest.approx([c for _, c in theirs], abs=1e-14)


def test_an_array_is_a_batch_of_vectors(vectors):
    batch = vectors.most_similar_batch(vectors.matrix[:3], topn=1)
    assert [ranking[0][0] for ranking in batch] == ["w0", "w1", "w2"]


def test_an_empty_batch_has_no_answers(vectors):
    assert vectors.most_similar_batch([]) == []


def test_a_batch_larger_than_a_block(monkeypatch):
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 7)
    vectors = random_vectors(0, 300, 5)
    batch = vectors.most_similar_batch(vectors.words, topn=3)
    assert batch[123] == vectors.most_similar("w123", topn=3)
    assert len(batch) == 300


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ("w1", r"queries must be a list of queries, got 'w1'; .* most_similar"),
        (3, r"queries must be a list of queries, got 3"),
        ([[]], r"positive must name at least one word or vector"),
        ([3], r"positive must be a word, a vector or several, got 3"),
    ],
)
def test_wrong_batches_are_refused(vectors, queries, message):
    with pytest.raises(ParameterError, match=message):
        vectors.most_similar_batch(queries)


# ------------------------------------------------------------------ 3CosMul

# gensim 4.4.0, KeyedVectors.most_similar_cosmul on the same vectors.
COSMUL = [
    (
        (["w1", "w2"], ["w5"]),
        [
            ("w0", 3.331921100616455),
            ("w34", 1.6047537326812744),
            ("w4", 1.5999118089675903),
            ("w39", 1.3811651468276978),
        ],
    ),
    (
        (["w7"], ["w5", "w9"]),
        [
            ("w27", 23.403017044067383),
            ("w3", 21.45811653137207),
            ("w1", 16.645618438720703),
            ("w11", 14.879652976989746),
        ],
    ),
    (
        (["w7", "w30"], []),
        [("w19", 0.7947021524375876), ("w22", 0.6850817505261597), ("w11", 0.5364504456433654)],
    ),
]


@pytest.mark.parametrize(("question", "answers"), COSMUL)
def test_analogy_by_3cosmul_answers_as_gensim(vectors, question, answers):
    found = vectors.analogy(*question, topn=len(answers), method="3cosmul")
    assert [word for word, _ in found] == [word for word, _ in answers]
    # gensim computes in float32, whose cosines are off by 6e-8, divided by small denominators.
    assert [s for _, s in found] == pytest.approx([s for _, s in answers], rel=5e-7)


def brute_force_cosmul(vectors, positive, negative, topn, limit):
    lengths = np.linalg.norm(vectors.matrix.astype(np.float64), axis=1, keepdims=True)
    units = np.divide(
        vectors.matrix, lengths, out=np.zeros(vectors.matrix.shape), where=lengths > 0
    )
    scores = []
    for row in range(min(limit, len(vectors))):
        if row in {*positive, *negative}:
            continue
        above = np.prod([(1 + units[row] @ units[p]) / 2 for p in positive])
        below = np.prod([(1 + units[row] @ units[n]) / 2 for n in negative])
        scores.append((-above / (below + 1e-6), row))
    return [(f"w{row}", -score) for score, row in sorted(scores)[:topn]]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(6, 200),
    columns=st.integers(1, 8),
    n_positive=st.integers(1, 3),
    n_negative=st.integers(0, 2),
    topn=st.integers(1, 9),
    limit=st.integers(1, 250),
    held=st.integers(1, 300),
)
def test_3cosmul_equals_sorting_everything(
    seed, rows, columns, n_positive, n_negative, topn, limit, held
):
    vectors = random_vectors(seed, rows, columns)
    members = np.random.default_rng(seed).choice(rows, n_positive + n_negative).tolist()
    positive, negative = members[:n_positive], members[n_positive:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "SCORES_HELD", held)
        patch.setattr(exact, "FEWEST_SETS", 2)
        patch.setattr(exact, "PAIRS_AT_ONCE", 3)
        found = vectors.analogy(
            [f"w{row}" for row in positive],
            [f"w{row}" for row in negative],
            topn,
            limit,
            method="3cosmul",
        )
    expected = brute_force_cosmul(vectors, positive, negative, topn, limit)
    assert len(found) == len(expected)
    scores = [score for _, score in found]
    # Opposite vectors have a denominator of 1e-6, which magnifies rounding by a million.
    assert scores == pytest.approx([score for _, score in expected], rel=1e-8, abs=1e-9)
    assert scores == sorted(scores, reverse=True)


def test_equal_rows_have_equal_3cosmul_scores_and_go_by_frequency():
    rng = np.random.default_rng(1)
    distinct = rng.normal(size=(5, 37)).astype(np.float32)
    matrix = distinct[rng.integers(0, 5, size=2000)]
    vectors = WordVectors([f"w{i}" for i in range(2000)], matrix)
    found = vectors.analogy(["w0", "w1"], ["w2"], 1997, method="3cosmul")
    for (first, high), (second, low) in pairwise(found):
        same = (vectors[first] == vectors[second]).all()
        assert (high == low) == same
        assert not same or int(first[1:]) < int(second[1:])


def test_3cosmul_of_zero_and_opposite_vectors_is_finite():
    vectors = WordVectors(["a", "zero", "b", "c"], [[1, 0], [0, 0], [-1, 0], [0, 2]])
    found = dict(vectors.analogy("zero", ["a"], method="3cosmul"))
    assert found == {"b": pytest.approx(0.5e6), "c": pytest.approx(0.5 / (0.5 + 1e-6))}


def test_the_method_of_an_analogy_is_checked(vectors):
    with pytest.raises(ParameterError, match="method must be one of '3cosadd', '3cosmul', got 'x'"):
        vectors.analogy("w1", "w2", method="x")
    with pytest.raises(ParameterError, match="positive must name at least one word"):
        vectors.analogy([], ["w1"], method="3cosmul")
    with pytest.raises(ParameterError, match="topn must be an integer >= 1, got 0"):
        vectors.analogy("w1", "w2", 0, method="3cosmul")


# ------------------------------------------------------------------ texts


def test_closest_to_text_keeps_the_texts_own_words(vectors):
    """gensim 4.4.0: similar_by_vector(get_mean_vector(["w1", "w2", "w9"]))."""
    found = vectors.closest_to_text("w1 w2 w9", topn=4)
    assert [word for word, _ in found] == ["w39", "w2", "w4", "w1"]
    expected = [0.8483725190162659, 0.7606293559074402, 0.6717430949211121, 0.6673345565795898]
    assert [cosine for _, cosine in found] == pytest.approx(expected, abs=2e-7)
    assert vectors.closest_to_text(["w1", "w2", "w9"], topn=4) == found
    assert vectors.closest_to_text("w1 w2 w9", topn=4, restrict_vocab=3)[0][0] == "w2"


def test_closest_to_text_tells_what_it_skipped(vectors):
    found = vectors.closest_to_text("the w1 and w2 the w9")
    assert found.skipped == ("the", "and", "the")
    assert found == vectors.closest_to_text("w1 w2 w9")
    with pytest.raises(UnknownWordError, match="'the' is not"):
        vectors.closest_to_text("the w1", on_unknown="error")
    nothing = vectors.closest_to_text("not one of them")
    assert nothing == []
    assert len(nothing.skipped) == 4


@pytest.mark.parametrize("text", ["", " \n", []])
def test_a_text_without_words_is_refused(vectors, text):
    with pytest.raises(ParameterError, match="text must hold at least one word, got none"):
        vectors.closest_to_text(text)


# ------------------------------------------------------------------ unknown words


def test_unknown_words_are_skipped_and_counted_on_request(vectors):
    found = vectors.most_similar(["w1", "nope", "w2"], 3, ["w5", "never"], on_unknown="skip")
    assert found == vectors.most_similar(["w1", "w2"], 3, ["w5"])
    assert found.skipped == ("nope", "never")
    assert vectors.most_similar("w1").skipped == ()
    nothing = vectors.most_similar(["nope", "never"], on_unknown="skip")
    assert (nothing, nothing.skipped) == ([], ("nope", "never"))


def test_a_batch_tells_for_each_query_what_was_skipped(vectors):
    batch = vectors.most_similar_batch(["w1", "nope", ["w2", "never"]], on_unknown="skip")
    assert [ranking.skipped for ranking in batch] == [(), ("nope",), ("never",)]
    assert [len(ranking) for ranking in batch] == [10, 0, 10]
    with pytest.raises(UnknownWordError, match="'nope' is not"):
        vectors.most_similar_batch(["w1", "nope"])


def test_on_unknown_is_checked(vectors):
    with pytest.raises(ParameterError, match="on_unknown must be one of 'error', 'skip', got 'x'"):
        vectors.most_similar("w1", on_unknown="x")


def test_rankings_survive_pickling(vectors):
    found = vectors.most_similar(["w1", "nope"], on_unknown="skip")
    twin = pickle.loads(pickle.dumps(found))
    assert (twin, twin.skipped) == (found, ("nope",))


# ---------------------------------------------------------------- weights, lists, negatives alone


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(11)
    return WordVectors([f"w{number}" for number in range(60)], rng.normal(size=(60, 7)))


def units(vectors):
    return vectors.matrix / np.linalg.norm(vectors.matrix.astype(float), axis=1, keepdims=True)


def test_weights_multiply_unit_vectors(many):
    u = units(many)
    query = 2.0 * u[3] - 0.5 * u[8] - 3.0 * u[5]
    cosines = u @ query / np.linalg.norm(query)
    cosines[[3, 5]] = -9  # words of the query are no answers; an array names no word
    found = many.most_similar([("w3", 2.0), (u[8], -0.5)], negative=[("w5", 3)], topn=4)
    best = np.argsort(-cosines)[:4]
    assert [name for name, _ in found] == [f"w{row}" for row in best]
    np.testing.assert_allclose([score for _, score in found], cosines[best], rtol=1e-6)
    assert many.most_similar([("w3", 1.0)]) == many.most_similar("w3")
    assert many.most_similar_batch([[("w3", 2.0), "w4"]])[0] == many.most_similar(
        [("w3", 2.0), "w4"]
    )


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_weights_are_finite(many, weight):
    with pytest.raises(ParameterError, match="A weight in positive must be a finite number"):
        many.most_similar([("w3", weight)])


def test_3cosmul_takes_no_weights(many):
    with pytest.raises(ParameterError, match="3CosMul multiplies cosines and has no weights"):
        many.analogy([("w1", 2.0), "w2"], ["w3"], method="3cosmul")


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_a_list_restricts_the_answers(many, method):
    chosen = ["w40", "w7", "w21", "w7", "w2"]
    full = many.analogy(["w1", "w2"], ["w3"], topn=60, method=method)
    found = many.analogy(["w1", "w2"], ["w3"], topn=60, restrict_vocab=chosen, method=method)
    kept = [pair for pair in full if pair[0] in chosen]
    assert [name for name, _ in found] == [name for name, _ in kept]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in kept], rtol=1e-12)
    assert len(found) == 3  # w2 is of the question


def test_a_list_restricts_batches_and_texts(many):
    batch = many.most_similar_batch(["w1", "w2"], restrict_vocab=["w2", "w3"])
    assert [[name for name, _ in one] for one in batch] == [
        [name for name, _ in many.most_similar(word, topn=60) if name in ("w2", "w3")]
        for word in ("w1", "w2")
    ]
    assert len(many.closest_to_text("w1 w5", restrict_vocab=("w1",))) == 1


@pytest.mark.parametrize(
    ("restriction", "match"),
    [
        ([], "restrict_vocab must name at least one word"),
        (["w1", "nowhere"], "nowhere"),
        ("w1", "restrict_vocab must be an integer >= 1, got 'w1'"),
        ([3], "A word must be a string, got 3"),
        (0, "restrict_vocab must be an integer >= 1, got 0"),
    ],
)
def test_lists_that_restrict_to_nothing(many, restriction, match):
    with pytest.raises((ParameterError, UnknownWordError), match=match):
        many.most_similar("w2", restrict_vocab=restriction)


def test_a_negative_alone_asks_for_the_least_alike(many):
    u = units(many)
    cosines = -(u @ u[4])
    cosines[4] = -9
    assert [name for name, _ in many.most_similar(negative="w4", topn=3)] == [
        f"w{row}" for row in np.argsort(-cosines)[:3]
    ]
    with pytest.raises(ParameterError, match="at least one word or vector, got none"):
        many.most_similar()


def test_a_list_of_words_gives_a_matrix(many):
    found = many[["w5", "w1", "w5"]]
    np.testing.assert_array_equal(found, many.matrix[[5, 1, 5]])
    assert found.dtype == np.float32
    assert many[[]].shape == (0, 7)
    with pytest.raises(UnknownWordError, match="nowhere"):
        many[["w5", "nowhere"]]

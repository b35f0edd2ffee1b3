from __future__ import annotations

import json
import math

import numpy as np
import pytest

from wordgrad.errors import ParameterError
from wordgrad.evaluation import evaluate_analogies, evaluate_similarity, spearman_interval
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


def write(path, text):
    path.write_text(text)
    return path


QUESTIONS = """: part 0
w0 w1 w2 w23
w3 w8 w13 w23
w6 w15 w24 w35
w9 w22 w35 w10
w12 w29 w6 w17
w15 w36 w17 w8
w18 w3 w28 w11
w21 w10 w39 w2
w24 w17 w10 w39
w27 w24 w21 w26
w30 w31 w32 w18
w33 w38 w3 w27
w1 w2 w3 missing
: part 1
w4 w9 w13 w32
w7 W16 w24 w37
w10 w23 w35 w25
w13 w30 w6 w29
w16 w37 w17 w29
w19 w4 w28 w18
w22 w11 w39 w28
w25 w18 W10 w37
w28 w25 w21 w23
w34 w39 w3 w16
w1 w2 w3 missing
"""


def test_similarity_agrees_with_gensim(vectors, tmp_path):
    """gensim 4.4.0, evaluate_word_pairs: scores with many ties, two words missing."""
    lines = [f"w{i}\tW{(i * 3 + 1) % 42}\t{(i * 5) % 7}\n" for i in range(38)]
    result = evaluate_similarity(vectors, write(tmp_path / "pairs.tsv", "".join(lines)))
    assert result.correlation == pytest.approx(0.11386496737138312, abs=1e-12)
    assert (result.name, result.pairs, result.total) == ("pairs", 36, 38)
    assert 1 - result.pairs / result.total == pytest.approx(0.05263157894736842)
    assert result.low < result.correlation < result.high


@pytest.mark.parametrize(
    ("limit", "first", "second"),
    [(40, (8, 12), (7, 10)), (30, (3, 5), (0, 2))],
)
def test_analogies_agree_with_gensim(vectors, tmp_path, limit, first, second):
    """gensim 4.4.0, evaluate_word_analogies, by section."""
    path = write(tmp_path / "questions.txt", QUESTIONS)
    result = evaluate_analogies(vectors, path, restrict_vocab=limit)
    assert [(s.name, s.correct, s.questions, s.total) for s in result.sections] == [
        ("part 0", *first, 13),
        ("part 1", *second, 11),
    ]
    assert result.accuracy == (first[0] + second[0]) / (first[1] + second[1])
    assert result.overall.total == 24


@pytest.mark.parametrize(
    ("method", "topn", "correct"),
    [
        ("3cosadd", 1, (8, 7)),
        ("3cosadd", 2, (12, 10)),
        ("3cosmul", 1, (3, 5)),
        ("3cosmul", 2, (5, 8)),
        ("3cosmul", 3, (7, 9)),
        ("3cosmul", 5, (9, 10)),
    ],
)
def test_analogies_by_each_method_and_depth(vectors, tmp_path, method, topn, correct):
    """gensim 4.4.0: most_similar and most_similar_cosmul asked one question after another.

    (Its evaluate_word_analogies takes similarity_function and does not use it.)
    """
    path = write(tmp_path / "questions.txt", QUESTIONS)
    result = evaluate_analogies(vectors, path, method=method, topn=topn)
    assert tuple(section.correct for section in result.sections) == correct
    assert (result.method, result.topn) == (method, topn)
    assert result.to_dict()["topn"] == topn


def test_a_word_as_written_goes_before_lower_case(tmp_path):
    matrix = [[1, 0], [0, 1], [0.2, 1], [-1, 1]]
    path = write(tmp_path / "s.tsv", "Polish\tverb\t1\npolish\tverb\t2\nVerb\tnoun\t3\n")
    result = evaluate_similarity(WordVectors(["Polish", "polish", "verb", "noun"], matrix), path)
    assert result.pairs == 3
    only_lower = evaluate_similarity(WordVectors(["x", "polish", "verb", "noun"], matrix), path)
    assert only_lower.pairs == 3
    assert only_lower.correlation != result.correlation


def test_lower_case_is_tried_where_the_word_as_written_is_too_rare(tmp_path):
    words = ["a", "b", "c", "d", "A"]
    matrix = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [-1, 0, 5]]
    path = write(tmp_path / "q.txt", ": x\nA b c d\n")
    result = evaluate_analogies(WordVectors(words, matrix), path, restrict_vocab=4)
    assert (result.overall.correct, result.overall.questions) == (1, 1)


def test_a_question_whose_answer_is_among_its_words_counts_as_wrong(vectors, tmp_path):
    path = write(tmp_path / "q.txt", ": x\nw1 w2 w3 w3\n")
    assert evaluate_analogies(vectors, path).overall.correct == 0


def test_no_pair_and_no_question_covered(tmp_path):
    vectors = WordVectors(["x"], [[1.0]])
    similarity = evaluate_similarity(vectors, write(tmp_path / "s", "a b 1\nc d 2\n"))
    assert math.isnan(similarity.correlation)
    assert (similarity.pairs, similarity.total) == (0, 2)
    assert similarity.to_dict()["correlation"] is None
    analogies = evaluate_analogies(vectors, write(tmp_path / "q", ": x\na b c d\n"))
    assert math.isnan(analogies.accuracy)
    assert analogies.overall.questions == 0
    text = json.dumps([similarity.to_dict(), analogies.to_dict()], allow_nan=False)
    assert '"accuracy": null' in text


@pytest.mark.parametrize("text", ["w1 w2 5\nw3 w4 5\nw5 w6 5\n", "w1 w2 1\nw2 w1 2\nw1 w2 3\n"])
def test_values_that_do_not_vary_have_no_correlation(vectors, tmp_path, text):
    assert math.isnan(evaluate_similarity(vectors, write(tmp_path / "s", text)).correlation)


def test_perfect_agreement(tmp_path):
    matrix = [[1, 0], [0.9, 0.1], [0.5, 0.5], [0, 1], [-1, 0.1]]
    path = write(tmp_path / "s", "a b 9\na c 5\na d 2\na e 0\n")
    result = evaluate_similarity(WordVectors(list("abcde"), matrix), path)
    assert result.correlation == pytest.approx(1.0)
    assert result.low == result.high == result.correlation


def test_many_questions_are_answered_in_blocks(tmp_path):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 8)).astype(np.float32)
    vectors = WordVectors([f"w{i}" for i in range(300)], matrix)
    questions, right = [], 0
    for _ in range(1500):
        a, b, c = rng.choice(300, 3, replace=False)
        if rng.random() < 0.1:
            d = vectors.analogy([f"w{b}", f"w{c}"], [f"w{a}"], topn=1)[0][0]
            right += 1
        else:
            d = f"w{a}"
        questions.append(f"w{a} w{b} w{c} {d}\n")
    path = write(tmp_path / "q", ": x\n" + "".join(questions))
    assert evaluate_analogies(vectors, path).overall.correct == right > 0


def test_wrong_arguments(vectors, tmp_path):
    path = write(tmp_path / "q.txt", QUESTIONS)
    with pytest.raises(ParameterError, match="method must be one of '3cosadd', '3cosmul', got 'x'"):
        evaluate_analogies(vectors, path, method="x")
    with pytest.raises(ParameterError, match="restrict_vocab must be an integer >= 1, got 0"):
        evaluate_analogies(vectors, path, restrict_vocab=0)
    with pytest.raises(ParameterError, match="topn must be an integer >= 1, got 0"):
        evaluate_analogies(vectors, path, topn=0)


def test_interval_covers_what_it_promises():
    """Spearman's correlation of normal pairs with r = 0.6: the interval holds the true value."""
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    truth = 6 / math.pi * math.asin(0.6 / 2)  # Kruskal 1958: Spearman's rho of a normal pair
    hits, runs = 0, 600
    for _ in range(runs):
        x, y = rng.normal(size=(2, 60))
        r = scipy_stats.spearmanr(x, 0.6 * x + 0.8 * y).statistic
        low, high = spearman_interval(float(r), 60)
        hits += low <= truth <= high
    assert 0.92 < hits / runs < 0.98


def test_interval_at_the_ends():
    assert spearman_interval(0.9, 3) == (-1.0, 1.0)
    assert spearman_interval(1.0, 50) == (1.0, 1.0)
    assert all(math.isnan(end) for end in spearman_interval(math.nan, 50))
    low, high = spearman_interval(0.5, 4)
    assert -1 < low < 0.5 < high < 1

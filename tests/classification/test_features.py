"""Texts as bags of words and n-grams."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.classification.features import (
    SPACES,
    UNKNOWN,
    Features,
    TextEncoder,
    in_order,
    tokenise,
)
from wordgrad.errors import ParameterError

WORDS = st.sampled_from(["a", "B", "b", "c", "é", "\u00a0", "\n", "d\u2003e", "", "  "])
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=8)


def split(texts, lowercase=False):
    tokens = tokenise(texts, pattern=SPACES, lowercase=lowercase)
    words = [tokens.types[i] for i in tokens.ids]
    return [words[i:j] for i, j in zip(tokens.offsets, tokens.offsets[1:], strict=False)]


def same(one, other):
    assert one.types == other.types
    assert one.ids.tolist() == other.ids.tolist()
    assert one.offsets.tolist() == other.offsets.tolist()


@given(TEXTS, st.booleans())
def test_many_texts_are_split_as_few_are(texts, lowercase):
    encoder = TextEncoder(SPACES, lowercase=lowercase)
    encoder.add(texts[:3])
    encoder.add(texts[3:])
    same(encoder.tokens(), tokenise(texts, pattern=SPACES, lowercase=lowercase))


def test_texts_are_encoded_part_by_part(monkeypatch):
    texts = [f"W{i} w{i} É{i % 7}" for i in range(300)]
    whole = tokenise(texts, pattern=SPACES, lowercase=True)
    monkeypatch.setattr("wordgrad.classification.features._CHARACTERS", 50)
    same(tokenise(texts, pattern=SPACES, lowercase=True), whole)
    assert whole.types[:3] == ["w0", "é0", "w1"]


@given(TEXTS, st.booleans())
def test_tokens_are_those_of_split(texts, lowercase):
    expected = [(text.lower() if lowercase else text).split() for text in texts]
    assert split(texts, lowercase) == expected


def test_a_pattern_finds_the_tokens_of_each_text():
    tokens = tokenise(["It's\nnew.", "", "New"], pattern="[a-z]+", lowercase=True)
    assert tokens.types == ["it", "s", "new"]
    assert tokens.ids.tolist() == [0, 1, 2, 2]
    assert tokens.offsets.tolist() == [0, 3, 3, 4]


@given(TEXTS, st.booleans(), st.sampled_from([r"\w+", "[a-c]", r"b?", "é|E"]))
def test_a_pattern_finds_its_matches_and_empty_ones_are_no_tokens(texts, lowercase, pattern):
    found = tokenise(texts, pattern=pattern, lowercase=lowercase)
    lines = [(text.lower() if lowercase else text).replace("\n", " ") for text in texts]
    expected = [[match for match in re.findall(pattern, line) if match] for line in lines]
    assert [found.types[i] for i in found.ids] == [match for line in expected for match in line]
    assert np.diff(found.offsets).tolist() == [len(line) for line in expected]


def test_types_are_numbered_by_first_occurrence_whatever_was_tokenised_before():
    tokenise(["z y x"], pattern=SPACES, lowercase=False)
    assert tokenise(["x Y y"], pattern=SPACES, lowercase=True).types == ["x", "y"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fine", None], "texts must be strings, got None in position 1"),
        (["half \ud800 pair"], "texts must be valid Unicode, got '.ud800' in position 0"),
    ],
)
def test_what_is_no_text_is_refused(texts, message):
    with pytest.raises(ParameterError, match=message):
        tokenise(texts, pattern=SPACES, lowercase=False)


# ---------------------------------------------------------------- features


def learn(texts, **settings):
    settings = {"min_count": 1, "prefix": 0, "ngrams": 2, "buckets": 2**22} | settings
    tokens = tokenise(texts, pattern=SPACES, lowercase=False)
    return Features.learn(tokens, **settings), tokens


def rows_of(bags, text):
    return bags.features[bags.offsets[text] : bags.offsets[text + 1]].tolist()


def symbols(words, n):
    """The n-grams of a text, its edges as symbols, in the order in which they are hashed."""
    edged = ["^", *words, "$"] if words else []
    return [tuple(edged[i : i + n]) for i in range(len(edged) - n + 1)]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=6))
def test_features_are_the_words_and_one_row_for_each_different_ngram(texts):
    texts.append(["a"])  # one text at least is not empty
    features, tokens = learn([" ".join(text) for text in texts], ngrams=3)
    bags = features.bags(tokens)
    rows = {}
    counts = Counter(word for words in texts for word in words)
    for i, words in enumerate(texts):
        found = rows_of(bags, i)
        common = [word if counts[word] > 1 else "rare" for word in words]
        expected = [(word,) for word in words] + symbols(common, 2) + symbols(common, 3)
        assert len(found) == len(expected)
        for row, ngram in zip(found, expected, strict=True):
            assert rows.setdefault(ngram, row) == row
    assert sorted(rows.values()) == list(range(len(features)))
    assert all((row < len(features.words)) == (len(ngram) == 1) for ngram, row in rows.items())


def test_words_are_numbered_by_frequency_and_rare_ones_are_unknown():
    features, tokens = learn(["b a b", "a b c"], min_count=2)
    assert features.words == ["b", "a"]
    assert features.word_ids(tokens).tolist() == [0, 1, 0, 1, 0, UNKNOWN]
    bags = features.bags(tokens)
    assert (bags.tokens, bags.unknown, bags.empty) == (6, 1, 0)


def test_what_was_not_seen_in_training_adds_nothing():
    features, _ = learn(["a b", "c", "a b"])
    bags = features.bags(tokenise(["a b", "z z", "", "b a"], pattern=SPACES, lowercase=False))
    assert len(rows_of(bags, 0)) == 5  # a, b, ^a, ab, b$
    # Like the only rare word of training, z begins a text and ends one: ^z, z$.
    assert len(rows_of(bags, 1)) == 2
    assert rows_of(bags, 2) == []
    assert rows_of(bags, 3) == [features.words.index("b"), features.words.index("a")]
    assert (bags.unknown, bags.empty) == (2, 1)


def test_long_words_share_their_beginnings_even_if_unknown():
    features, _ = learn(["hopeful hope", "hopeless hoping"], ngrams=1, prefix=4)
    assert features.beginnings == ["hope", "hopi"]
    texts = ["hopeful", "hope", "hoped", "hop", "hopping"]
    bags = features.bags(tokenise(texts, pattern=SPACES, lowercase=False))
    hope = len(features.words)
    assert rows_of(bags, 0) == [features.words.index("hopeful"), hope]
    assert rows_of(bags, 1) == [features.words.index("hope")]
    assert rows_of(bags, 2) == [hope]
    assert rows_of(bags, 3) == rows_of(bags, 4) == []


def test_ngrams_share_a_row_when_buckets_are_few():
    features, tokens = learn(["a b c d e f g g f e d c b a"], buckets=3)
    assert features.hashes.tolist() == sorted(set(features.hashes.tolist()))
    assert set(features.hashes.tolist()) <= {0, 1, 2}
    assert len(features.bags(tokens).features) == 14 + 15


def test_without_ngrams_there_are_words_alone():
    features, tokens = learn(["a b a"], ngrams=1)
    assert len(features) == 2
    assert features.bags(tokens).features.tolist() == [0, 1, 0]


def test_ngrams_of_a_text_tell_their_places():
    features, _ = learn(["a b c"] * 2, ngrams=3)
    ids = np.array([0, 1, 2], np.int32)
    places = [(first, n) for first, n, _ in features.ngrams_of(ids)]
    assert places == [(-1, 2), (0, 2), (1, 2), (2, 2), (-1, 3), (0, 3), (1, 3)]
    bags = features.bags(tokenise(["a b c"], pattern=SPACES, lowercase=False))
    assert [row for _, _, row in features.ngrams_of(ids)] == rows_of(bags, 0)[3:]


@given(st.lists(st.sampled_from(["a b", "c", "", "b b a"]), min_size=1, max_size=6), st.data())
def test_bags_can_be_taken_in_any_order(texts, data):
    features, tokens = learn(["a b c", *texts])
    bags = features.bags(tokens)
    chosen = data.draw(st.lists(st.integers(0, len(texts)), max_size=8))
    part = bags.take(np.array(chosen, np.int64))
    assert [rows_of(part, i) for i in range(len(part))] == [rows_of(bags, i) for i in chosen]


def test_blocks_and_threads_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(list("abcdefgh"), rng.integers(0, 9))) for _ in range(300)]
    features, tokens = learn(texts, ngrams=3)
    bags = features.bags(tokens)
    monkeypatch.setattr("wordgrad.classification.features._TOKENS", 50)
    others = Features.learn(tokens, min_count=1, prefix=0, ngrams=3, buckets=2**22, workers=3)
    assert others.hashes.tolist() == features.hashes.tolist()
    again = others.bags(tokens, 3)
    assert again.features.tolist() == bags.features.tolist()
    assert again.offsets.tolist() == bags.offsets.tolist()
    assert (again.tokens, again.unknown) == (bags.tokens, bags.unknown)


@pytest.mark.parametrize("buckets", [2**22, 2**40])
def test_hashes_are_found_by_table_and_by_bisection(buckets):
    features, tokens = learn(["a b c d b"] * 3 + ["d e a"], buckets=buckets)
    bags = features.bags(tokens)
    assert len(bags.features) == 3 * (5 + 6) + 3 + 4
    table = features._table("ngrams", features.hashes, 2**30)
    assert len(table) == (buckets if buckets < 2**24 else 0)
    again = replace(features, _tables={"ngrams": np.zeros(0, np.int32)}).bags(tokens)
    assert again.features.tolist() == bags.features.tolist()


def test_results_come_in_order_and_errors_come_through():
    assert list(in_order(lambda n: -n, range(50), 3)) == [-n for n in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda n: 1 // n, range(-3, 3), 2))


def test_ngrams_of_letters_are_rows_of_their_own():
    features, tokens = learn(["ab abc", "b ab"], ngrams=1, subwords=(1, 3))
    bags = features.bags(tokens)
    first = len(features.words)
    letters = {"a", "b", "c", "^a", "ab", "b$", "bc", "c$", "^b", "^ab", "ab$", "abc", "bc$", "^b$"}
    assert len(features) == first + len(letters)
    of_ab = [row for row in rows_of(bags, 1) if row >= first]
    # b has b, ^b, b$, ^b$; ab has a, b, ^a, ab, b$, ^ab, ab$.
    assert (len(of_ab), len(set(of_ab))) == (11, 9)
    assert [row for row in rows_of(bags, 1) if row < first] == features.word_ids(tokens)[
        2:
    ].tolist()
    new = features.bags(tokenise(["xabx"], pattern=SPACES, lowercase=False))
    assert len(rows_of(new, 0)) == 3  # a, b, ab
    assert set(rows_of(new, 0)) <= set(of_ab)


def test_words_that_do_not_occur_give_no_rows():
    tokens = tokenise(["ab", "hopeful cd"], pattern=SPACES, lowercase=False)
    part = replace(tokens, ids=tokens.ids[:1], offsets=tokens.offsets[:2])
    features = Features.learn(part, min_count=1, prefix=3, ngrams=2, buckets=2**22, subwords=(2, 2))
    assert (features.words, features.beginnings) == (["ab"], [])
    assert len(features) == 1 + 2 + 3


RAW = st.text(
    alphabet=st.sampled_from(
        "ab'\u2019_!?, \n\t\u00a0\u3000é\u0939\u093f\u4e2d\uff0c\U0001f600\U00020000"
    ),
    max_size=12,
)


@given(st.lists(RAW, min_size=1, max_size=6), st.booleans())
def test_words_and_signs_of_raw_text(texts, lowercase):
    encoder = TextEncoder(None, lowercase=lowercase)
    encoder.add(texts)
    same(encoder.tokens(), tokenise(texts, pattern=None, lowercase=lowercase))


def test_apostrophes_and_signs():
    text = "Don't 'quote' it's...rock'n'roll, a_b: "
    text += "\u0939\u093f\u0928\u094d\u0926\u0940\u0964 x' \U0001f600\U0001f600"
    tokens = tokenise([text], pattern=None, lowercase=True)
    assert [tokens.types[i] for i in tokens.ids] == [
        *("don't", "'", "quote", "'", "it's", ".", ".", ".", "rock'n'roll", ",", "a_b", ":"),
        *("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0964", "x", "'", "\U0001f600", "\U0001f600"),
    ]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=6), st.data())
def test_few_texts_have_the_features_of_many(texts, data):
    ngrams = data.draw(st.integers(1, 4))
    subwords = data.draw(st.sampled_from([None, (1, 3)]))
    texts.append(["abc", "a"])
    given = [" ".join(text) for text in texts]
    features, tokens = learn(given, ngrams=ngrams, subwords=subwords, prefix=2)
    with pytest.MonkeyPatch.context() as patch:
        few = features.bags(tokens)
        patch.setattr("wordgrad.classification.features.FEW", -2)
        many = features.bags(tokens)
    assert few.features.tolist() == many.features.tolist()
    assert few.offsets.tolist() == many.offsets.tolist()
    assert (few.tokens, few.unknown) == (many.tokens, many.unknown)

"""Phrases: as a plain program finds and joins them, as gensim does, and never more than memory."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wordgrad.corpus.phrase_counts as kernels
from wordgrad import PhraseTable, encode_corpus, join_phrases, learn_phrases
from wordgrad.container import Container
from wordgrad.corpus.phrase_table import ENGLISH_CONNECTOR_WORDS, PHRASES, Pass, PhraseSettings
from wordgrad.corpus.phrases import phrase_counts
from wordgrad.corpus.tokenizer import TokenBlock, Tokenizer
from wordgrad.errors import FormatError, InputError, OutputError, ParameterError
from wordgrad.maths import npmi, phrase_score

LETTERS = [chr(code) for code in range(0x4E00, 0x4E00 + 400)]
TEXT = [
    "the bank of america is in new york city",
    "new york city has a bank of america",
    "a bank is in america and new york is old",
    "of new york city the city of new york",
]


def plain_counts(sentences, connectors):
    """What a candidate is, in a few lines of Python; phrases are tuples of words."""
    words, candidates, tokens = {}, {}, 0
    for sentence in sentences:
        run = []
        for word in sentence:
            tokens += 1
            if word in connectors:
                run = [*run, word] if run else []
                continue
            words[word] = words.get(word, 0) + 1
            if run:
                key = (*run, word)
                candidates[key] = candidates.get(key, 0) + 1
            run = [word]
    return words, candidates, tokens


def plain_scores(sentences, connectors, score, threshold, min_count):
    words, candidates, tokens = plain_counts(sentences, connectors)
    found = {}
    for key, n in candidates.items():
        a, b = words[key[0]], words[key[-1]]
        if score == "default":
            value = (n - min_count) / (a * b) * (len(words) + len(candidates))
        else:
            value = (
                math.log(n * tokens / (a * b)) / -math.log(n / tokens) if n >= min_count else -2.0
            )
        # On the threshold rounding decides, and there it may.
        assert value == pytest.approx(value)
        if value > threshold:
            found[key] = value
    return found


SENTENCES = st.lists(
    st.lists(st.sampled_from("abcdex"), max_size=9), min_size=1, max_size=12
).filter(lambda text: any(text))


@given(
    SENTENCES,
    st.sampled_from([(), ("x",), ("x", "e"), ("x", "zz")]),
    st.sampled_from(["default", "npmi"]),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_one_pass_finds_and_joins_what_a_plain_program_does(text, connectors, score, min_count):
    threshold = 0.2137 if score == "npmi" else 0.7131
    table = learn_phrases(
        text, score=score, threshold=threshold, min_count=min_count, connector_words=connectors
    )
    expected = plain_scores(text, connectors, score, threshold, min_count)
    (found,) = table.passes
    assert dict(zip(found.phrases, found.scores, strict=True)) == pytest.approx(expected)
    counts = plain_counts(text, connectors)[1]
    assert dict(zip(found.phrases, found.counts, strict=True)) == {k: counts[k] for k in expected}
    joined = [table.join(sentence) for sentence in text]
    assert ["_".join(s).split("_") for s in joined if s] == [s for s in text if s]
    # Ids on disk are joined as token lists are.
    with encode_of(joined) as plain, encode_of(text, phrases=table) as corpus:
        assert corpus.vocabulary == plain.vocabulary
        assert np.array_equal(corpus.ids, plain.ids)
        assert np.array_equal(corpus.offsets, plain.offsets)
        assert corpus.report.tokens_joined == sum(map(len, text)) - sum(map(len, joined))


def encode_of(text, **options):
    # Two words that are no phrase, so that there is always a vocabulary.
    return encode_corpus([*text, ["L"], ["R"]], min_count=1, **options)


@given(SENTENCES, st.sampled_from([(), ("x",)]))
@settings(max_examples=30, deadline=None)
def test_passes_are_passes_over_the_joined_text(text, connectors):
    options = {"threshold": 0.5, "min_count": 1, "connector_words": connectors}
    table = learn_phrases(text, passes=3, **options)
    for one in table.passes:
        again = learn_phrases(text, **options).passes[0]
        assert again.phrases == one.phrases
        assert again.scores == pytest.approx(one.scores)
        text = [PhraseTable(table.settings, [one]).join(sentence) for sentence in text]


def test_a_text_of_many_chunks_is_joined_as_a_short_one(monkeypatch):
    rng = random.Random(5)
    words = [*"abcdefgh", "of", "the"]
    text = [rng.choices(words, k=rng.randrange(30)) for _ in range(60)]
    options = {"threshold": 0.5, "min_count": 1, "connector_words": ["of", "the"], "passes": 2}
    whole = learn_phrases(text, **options)
    for chunk in (1, 2, 7):
        monkeypatch.setattr(kernels, "_CHUNK", chunk)
        assert learn_phrases(text, **options) == whole
        with encode_of(text, phrases=whole) as corpus, encode_of(whole.join_all(text)) as plain:
            assert np.array_equal(corpus.ids, plain.ids)
            assert np.array_equal(corpus.offsets, plain.offsets)
            assert corpus.vocabulary == plain.vocabulary


def test_golden_values():
    """By hand: 36 words; without connectors 8 distinct ones, and 14 candidates: L = 22."""
    text = [sentence.split() for sentence in TEXT]
    words, candidates, tokens = plain_counts(text, ENGLISH_CONNECTOR_WORDS)
    assert (tokens, len(words), len(candidates)) == (36, 8, 14)
    table = learn_phrases(TEXT, threshold=0.5, min_count=1, connector_words="english")
    # (n - 1) / (n_a n_b) * L
    assert table.scores == pytest.approx(
        {
            "bank_of_america": 1 / (3 * 3) * 22,
            "new_york": 4 / (5 * 5) * 22,
            "york_city": 2 / (5 * 4) * 22,
        }
    )
    assert list(table.scores) == ["new_york", "bank_of_america", "york_city"]
    npmi_table = learn_phrases(
        TEXT, threshold=0.6, min_count=2, score="npmi", connector_words="english"
    )
    assert npmi_table.scores == pytest.approx(
        {
            "new_york": 1.0,
            "york_city": math.log((3 / 36) / ((5 / 36) * (4 / 36))) / -math.log(3 / 36),
            "bank_of_america": math.log((2 / 36) / ((3 / 36) * (3 / 36))) / -math.log(2 / 36),
        }
    )
    twice = learn_phrases(TEXT, threshold=0.5, min_count=1, connector_words="english", passes=2)
    assert twice.join(TEXT[0].split()) == ["the", "bank_of_america", "is", "in", "new_york_city"]


def test_scores_of_arrays_are_those_of_numbers():
    assert phrase_score([3, 2], [4, 5], [6, 7], 100, 2) == pytest.approx([100 / 24, 0])
    assert npmi([3, 3], [3, 9], [3, 9], 27) == pytest.approx([1, 0])


@pytest.mark.parametrize("scoring", ["default", "npmi"])
@pytest.mark.parametrize("connectors", [frozenset(), ENGLISH_CONNECTOR_WORDS])
def test_phrases_are_gensims(scoring, connectors):
    gensim = pytest.importorskip("gensim")
    phrases = pytest.importorskip("gensim.models.phrases")
    assert phrases.ENGLISH_CONNECTOR_WORDS == ENGLISH_CONNECTOR_WORDS
    path = Path(gensim.__file__).parent / "test" / "test_data" / "head500.noblanks.cor"
    if not path.exists():
        pytest.skip("this gensim comes without its test data")
    # gensim splits phrases at the delimiter, whatever the words hold.
    lines = path.read_text("utf-8").replace("+", " ").splitlines()[:150]
    sentences = [line.split() for line in lines]
    threshold = 0.3 if scoring == "npmi" else 10.0
    options = {"threshold": threshold, "min_count": 3, "delimiter": "+"}
    theirs, text = [], sentences
    for _ in range(2):
        model = phrases.Phrases(text, scoring=scoring, connector_words=connectors, **options)
        theirs.append(model)
        text = [model[sentence] for sentence in text]
    ours = learn_phrases(sentences, score=scoring, connector_words=connectors, passes=2, **options)
    assert [ours.join(sentence) for sentence in sentences] == text
    first = PhraseTable(ours.settings, ours.passes[:1]).scores
    exported = theirs[0].export_phrases()
    assert first.keys() == exported.keys()
    assert [first[one] for one in exported] == pytest.approx(list(exported.values()), rel=1e-12)
    assert len(first) > 50
    counts, tokens = phrase_counts(sentences, delimiter="+", connector_words=connectors)
    assert counts == theirs[0].vocab
    assert tokens == theirs[0].corpus_word_count


def test_the_result_does_not_depend_on_threads():
    text = [[f"w{(i * j) % 23}" for j in range(12)] for i in range(300)]
    one, four = (learn_phrases(text, threshold=0.1, passes=2, workers=n) for n in (1, 4))
    assert one == four


def test_a_word_spelled_like_a_phrase_is_the_same_word_and_is_counted():
    text = [["new", "york"]] * 9 + [["new_york", "x"]] * 2
    table = learn_phrases(text, threshold=0.1)
    assert (table.report[0]["holding_delimiter"], table.report[0]["occurrences"]) == (1, 2)
    with encode_corpus(text, min_count=1, phrases=table) as corpus:
        assert dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts, strict=True)) == {
            "new_york": 11,
            "x": 2,
        }
        assert corpus.report.tokens_joined == 9
        assert corpus.report.types_read == 4


def test_past_the_bound_the_rarest_pairs_go_and_are_counted():
    rng = random.Random(3)
    text = [["new", "york", str(rng.random())] for _ in range(4000)]
    whole = learn_phrases(text, threshold=0.5)
    assert whole.report[0]["pairs"] == 4001
    table = learn_phrases(text, threshold=0.5, max_pairs=100)
    report = table.report[0]
    assert list(table.scores) == ["new_york"] == list(whole.scores)
    assert report["pairs"] <= 100
    assert report["pruned"] >= 3900
    lost = whole.passes[0].counts[0] - table.passes[0].counts[0]
    assert 0 <= lost <= report["most_lost"]


def test_what_is_pruned_and_what_is_left_are_all_occurrences(tmp_path):
    rng = random.Random(4)
    words = [str(int(rng.paretovariate(0.4))) for _ in range(5000)]
    tokenizer = Tokenizer()
    ids = tokenizer.encode(TokenBlock(words, [len(words)]))
    ids.tofile(tmp_path / "ids")
    counts = kernels.count_phrases(
        tmp_path / "ids", tokenizer.types(), np.zeros(0, np.int64), max_pairs=200
    )
    assert counts.pairs <= 200
    left = sum(int(part[3].sum()) for part in counts.candidates())
    assert left + counts.pruned == 4999
    true = dict[tuple[str, str], int]()
    for pair in itertools.pairwise(words):
        true[pair] = true.get(pair, 0) + 1
    of = counts.types.words
    for first, second, _, n in counts.candidates():
        for a, b, found in zip(of.at(first), of.at(second), n.tolist(), strict=True):
            assert true[a, b] - counts.most_lost <= found <= true[a, b]


def test_runs_of_connector_words_without_end_are_missed_and_counted(monkeypatch):
    monkeypatch.setattr(kernels, "MOST_BETWEEN", 8)
    text = [["a", *["of"] * n, "b"] for n in range(30)] + [["a", "b"]] * 9
    table = learn_phrases(text, threshold=0.05, min_count=1, connector_words=["of"])
    assert table.scores.keys() == {"a_b"}
    assert table.report[0]["missed"] == 30 - 8
    assert table.report[0]["pairs"] == 8


# ---------------------------------------------------------------- the table


def test_a_table_is_saved_and_loaded_and_pickled(tmp_path):
    table = learn_phrases(TEXT, passes=2, threshold=0.5, min_count=1, connector_words="english")
    assert len(table) == 4
    path = tmp_path / "phrases.safetensors"
    table.save(path)
    for again in (PhraseTable.load(path), pickle.loads(pickle.dumps(table))):
        assert again == table
        assert again.report == table.report
        assert again.join(TEXT[1].split()) == table.join(TEXT[1].split())
    first = path.read_bytes()
    table.save(path)
    assert path.read_bytes() == first
    with pytest.raises(OutputError, match="exists already"):
        table.save(path, overwrite=False)
    assert table != PhraseTable(table.settings, table.passes[:1])
    assert table != "new_york"
    assert repr(table) == "PhraseTable(4 phrases, 2 passes)"


def test_an_empty_table_is_a_table(tmp_path):
    table = learn_phrases(["a b c"])
    assert len(table) == 0
    table.save(tmp_path / "t")
    assert PhraseTable.load(tmp_path / "t") == table
    assert table.join(["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("array", "value", "match"),
    [
        ("parts", [0, 7], "do not fit"),
        ("parts", [0, -1], "do not fit"),
        ("part_offsets", [0, 1], "do not fit"),
        ("part_offsets", [0, 3], "do not fit"),
        ("part_offsets", [], "do not fit"),
        ("scores", [1.0, 2.0], "do not fit"),
        ("scores", [math.nan], "do not fit"),
        ("passes", [0, 2], "do not fit"),
        ("passes", [1], "do not fit"),
    ],
)
def test_a_table_whose_numbers_are_wrong_is_refused(tmp_path, array, value, match):
    path = tmp_path / "t"
    found = Pass([("new", "york")], np.array([12.5]), np.array([40]))
    PhraseTable(PhraseSettings.checked(), [found]).save(path)
    record, arrays = PHRASES.read(path)
    arrays[array] = np.array(value, dtype=arrays[array].dtype)
    PHRASES.write(path, record, arrays)
    with pytest.raises(FormatError, match=match):
        PhraseTable.load(path)


@pytest.mark.parametrize(
    "change", [{"settings": {}}, {"settings": {"score": 3}}, {"report": [{"a": "x"}]}, {}]
)
def test_a_table_whose_record_is_wrong_is_refused(tmp_path, change):
    path = tmp_path / "t"
    learn_phrases(TEXT).save(path)
    record, arrays = PHRASES.read(path)
    if change.get("settings") == {}:
        change = {"settings": {"nonsense": 1}}
    record = {**record, **change} if change else {}
    PHRASES.write(path, record, arrays)
    with pytest.raises(FormatError, match="does not hold settings"):
        PhraseTable.load(path)


def test_another_file_is_refused(tmp_path):
    Container("index", "1", "r.", "o.").write(tmp_path / "i", {}, {"x": np.zeros(1)})
    with pytest.raises(FormatError, match="is no phrases of wordgrad"):
        encode_corpus(TEXT, phrases=tmp_path / "i")


# ---------------------------------------------------------------- texts


def test_a_text_is_written_with_its_phrases_joined(tmp_path, monkeypatch):
    source = tmp_path / "text.txt"
    source.write_text("new york\n\nis new\tyork  big\nnew\nyork is it", encoding="utf-8")
    expected = "new_york\n\nis new_york big\nnew\nyork is it\n"
    for chunk in (1 << 20, 2):
        monkeypatch.setattr("wordgrad.corpus.phrases._CHUNK", chunk)
        table = learn_phrases(
            source, threshold=0.1, min_count=1, joined=tmp_path / "a.txt", overwrite=True
        )
        shorter = join_phrases(source, table, tmp_path / "b.txt", overwrite=True)
        assert shorter == 2
        assert (tmp_path / "a.txt").read_text("utf-8") == expected
        assert (tmp_path / "b.txt").read_text("utf-8") == expected


def test_words_with_white_space_make_no_text(tmp_path):
    with pytest.raises(InputError, match="'a b' holds white space"):
        learn_phrases([["a b", "c"]] * 9, joined=tmp_path / "t.txt")
    assert not (tmp_path / "t.txt").exists()


def test_words_that_all_went_into_phrases_are_no_words():
    text = [["new", "york"]] * 9
    table = learn_phrases(text, threshold=0.1)
    with pytest.raises(InputError, match="is one word, 'new_york'"):
        encode_corpus(text, min_count=1, phrases=table)
    for min_count in (0, 1):
        with encode_corpus([*text, ["x"]], min_count=min_count, phrases=table) as corpus:
            assert list(corpus.vocabulary.words) == ["new_york", "x"]
            assert corpus.report.types_read == 3


def test_a_number_of_passes_learns_with_the_defaults():
    rng = random.Random(1)
    text = [[*"abcd", *rng.choices(LETTERS, k=12)] for _ in range(30)]
    with encode_corpus(text, min_count=1, phrases=2) as corpus:
        assert corpus.phrases == learn_phrases(text, passes=2)
        assert "a_b_c_d" in corpus.vocabulary


def test_iterators_are_read_once():
    sentences = (one.split() for one in TEXT)
    assert len(learn_phrases(sentences, threshold=0.1, min_count=1, passes=2)) > 0
    table = learn_phrases(TEXT, threshold=0.5, min_count=1)
    endless = table.join_all(itertools.cycle([["new", "york"]]))
    assert next(endless) == ["new_york"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"threshold": 0}, "threshold must be a finite number > 0, got 0"),
        ({"threshold": 2, "score": "npmi"}, r"threshold must be .* \[-1, 1\], got 2"),
        ({"score": "pmi"}, "score must be"),
        ({"min_count": 0}, "min_count must be an integer >= 1, got 0"),
        ({"delimiter": ""}, "delimiter must be a string of at least one character"),
        ({"delimiter": "a b"}, "delimiter must be"),
        ({"delimiter": 3}, "delimiter must be"),
        ({"connector_words": "of"}, 'connector_words must be "english" or a list of words'),
        ({"connector_words": [3]}, "connector_words must be"),
        ({"passes": 17}, r"passes must be an integer in \[1, 16\], got 17"),
        ({"max_pairs": 0}, "max_pairs must be"),
    ],
)
def test_nonsense_is_refused(options, match):
    with pytest.raises(ParameterError, match=match):
        learn_phrases(TEXT, **options)


def test_what_is_no_table_is_refused(tmp_path):
    for wrong in (0, 1.5, True, 99, "0"):
        with pytest.raises(ParameterError, match="phrases must be an integer"):
            encode_corpus(TEXT, phrases=wrong)
    with pytest.raises(InputError, match="cannot be opened"):
        encode_corpus(TEXT, phrases=tmp_path / "missing")
    with pytest.raises(InputError, match="There are no tokens in the sentences given"):
        learn_phrases([])
    with pytest.raises(ParameterError, match="must be a list of words, got the string 'new york'"):
        learn_phrases(TEXT).join("new york")

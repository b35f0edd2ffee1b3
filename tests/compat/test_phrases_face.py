"""``Phrases`` by gensim's names gives what gensim gives."""

from __future__ import annotations

import copy
import inspect
import pickle
import random

import pytest

from wordgrad.compat.gensim.models import FrozenPhrases, Phrases
from wordgrad.compat.gensim.models import phrases as module
from wordgrad.errors import FormatError
from wordgrad.maths import npmi, phrase_score

TEXT = [["new", "york", "is", "big"], ["i", "like", "new", "york"], ["the", "bank", "of", "rome"],
        ["a", "bank", "of", "rome"], ["new_york"], []] * 3  # fmt: skip


@pytest.fixture
def theirs():
    return pytest.importorskip("gensim.models.phrases", reason="gensim is not installed")


@pytest.mark.parametrize("options", [
    {"threshold": 0.5}, {"threshold": 2, "delimiter": " "}, {"threshold": 0.1, "min_count": 2},
    {"threshold": 0.5, "connector_words": ["of", "a"]}, {"threshold": 0.3, "scoring": "npmi"},
])  # fmt: skip
def test_counts_scores_and_phrases_are_gensims(theirs, options) -> None:
    draw = random.Random(5)
    words = ["new", "york", "is", "bank", "of", "rome", "a"]
    text = TEXT + [draw.choices(words, k=9) for _ in range(60)]
    options = {"min_count": 1} | options
    ours, wanted = Phrases(text, **options), theirs.Phrases(text, **options)
    assert ours.vocab == dict(wanted.vocab)
    assert ours.corpus_word_count == wanted.corpus_word_count
    assert ours.export_phrases() == pytest.approx(wanted.export_phrases())
    assert ours.find_phrases(text) == pytest.approx(wanted.find_phrases(text))
    assert [ours[one] for one in text] == [wanted[one] for one in text]
    frozen, other = ours.freeze(), wanted.freeze()
    assert frozen.phrasegrams == pytest.approx(other.phrasegrams)
    assert list(frozen[text]) == list(other[text])
    longer, third = Phrases(ours[text], **options), theirs.Phrases(wanted[text], **options)
    assert longer.vocab == dict(third.vocab)
    assert list(longer[frozen[text]]) == list(third[other[text]])


def test_every_signature_is_gensims(theirs) -> None:
    for name in ("Phrases", "FrozenPhrases", "original_scorer", "npmi_scorer"):
        ours, wanted = (inspect.signature(getattr(one, name)) for one in (module, theirs))
        assert [(one.name, one.default) for one in ours.parameters.values()] == [
            (one.name, one.default) for one in wanted.parameters.values()
        ]
    assert theirs.ENGLISH_CONNECTOR_WORDS == module.ENGLISH_CONNECTOR_WORDS


def test_scores_are_those_of_the_mathematics() -> None:
    counts = {"worda_count": 30, "wordb_count": 40, "bigram_count": 25}
    rest = {"len_vocab": 5000, "min_count": 5, "corpus_word_count": 9000}
    assert module.original_scorer(**counts, **rest) == phrase_score(25, 30, 40, 5000, 5)
    assert module.npmi_scorer(**counts, **rest) == pytest.approx(float(npmi(25, 30, 40, 9000)))
    for bad in ({"bigram_count": 4}, {"bigram_count": 9000}):
        assert module.npmi_scorer(**counts | bad, **rest) == float("-inf")
    assert module.original_scorer(0, 4, 0, 1, 1, 1) == float("-inf")


def test_text_may_be_added_and_rare_words_are_dropped() -> None:
    phrases = Phrases(min_count=1, threshold=0.1)
    phrases.add_vocab(TEXT[:1])
    phrases.add_vocab([])
    phrases.add_vocab(iter(TEXT[:1]))
    assert phrases.vocab["new_york"] == 2
    assert Phrases(TEXT, max_vocab_size=4).vocab.keys() <= {"new", "york", "bank", "rome", "of"}
    assert len(Phrases(TEXT, max_vocab_size=4).vocab) <= 4


def constant(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    return 1.0


def test_a_file_holds_no_function(tmp_path) -> None:
    path = tmp_path / "phrases"
    for scoring in ("default", "npmi"):
        phrases = Phrases(TEXT, 1, 0.1, scoring=scoring, connector_words=["of"])
        for one in (phrases, phrases.freeze()):
            one.save(path)
            again = type(one).load(path)
            assert again.scoring is one.scoring
            assert again.connector_words == {"of"}
            assert list(again[TEXT]) == list(one[TEXT])
            for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
                assert list(twin[TEXT]) == list(one[TEXT])
    own = Phrases(TEXT, threshold=0.5, scoring=constant)
    assert own[["a", "bank"]] == ["a_bank"]
    own.save(path)
    again = Phrases.load(path)
    with pytest.raises(RuntimeError, match=r"not in the file.*set phrases\.scoring"):
        _ = again[["a", "bank"]]
    again.scoring = constant
    assert again[["a", "bank"]] == ["a_bank"]
    with pytest.raises(AttributeError, match=r"FrozenPhrases\.load|Phrases\.load"):
        FrozenPhrases.load(path)
    path.write_bytes(pickle.dumps(own))
    with pytest.raises(FormatError, match=r"pickle saved by gensim.*adopt\(model\)"):
        Phrases.load(path)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"min_count": 0}, "at least 1"),
        ({"threshold": 0}, "positive"),
        ({"scoring": "npmi"}, "between -1 and 1"),
        ({"scoring": "nothing"}, "unknown scoring"),
        ({"scoring": len}, "missing expected parameters.*bigram_count"),
    ],
)
def test_nonsense_is_refused(options, match) -> None:
    with pytest.raises(ValueError, match=match):
        Phrases(TEXT, **options)

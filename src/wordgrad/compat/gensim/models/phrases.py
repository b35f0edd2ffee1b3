"""``Phrases``: gensim's phrases over this package's counts."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, cast

from wordgrad.compat.gensim.models.word2vec import OnClass
from wordgrad.compat.gensim.saving import Saveable
from wordgrad.corpus.phrase_table import ENGLISH_CONNECTOR_WORDS as ENGLISH_CONNECTOR_WORDS
from wordgrad.corpus.phrase_table import MOST_PAIRS
from wordgrad.corpus.phrases import phrase_counts
from wordgrad.errors import InputError

NEGATIVE_INFINITY = float("-inf")
BETWEEN = "\0"
"""What joins words while they are counted: a delimiter of gensim's may be a space."""

Scorer = Callable[..., float]


def original_scorer(
    worda_count: int,
    wordb_count: int,
    bigram_count: int,
    len_vocab: int,
    min_count: int,
    corpus_word_count: int,
) -> float:
    """Score of a pair by :func:`wordgrad.maths.phrase_score`.

    >>> original_scorer(30, 40, 25, len_vocab=5000, min_count=5, corpus_word_count=0)
    83.33333333333333
    """
    both = worda_count * wordb_count
    return (bigram_count - min_count) / both * len_vocab if both else NEGATIVE_INFINITY


def npmi_scorer(
    worda_count: int,
    wordb_count: int,
    bigram_count: int,
    len_vocab: int,
    min_count: int,
    corpus_word_count: int,
) -> float:
    """Score of a pair by :func:`wordgrad.maths.npmi`, for pairs met ``min_count`` times.

    >>> npmi_scorer(10, 10, 10, len_vocab=0, min_count=5, corpus_word_count=100)
    1.0
    """
    if bigram_count < min_count or not 0 < bigram_count < corpus_word_count:
        return NEGATIVE_INFINITY
    information = math.log(bigram_count * corpus_word_count / (worda_count * wordb_count))
    return information / math.log(corpus_word_count / bigram_count)


SCORERS: Mapping[str, Scorer] = {"default": original_scorer, "npmi": npmi_scorer}


class _Transformed:
    """Sentences with their phrases joined, each time they are asked for."""

    def __init__(self, phrases: _PhrasesTransformation, corpus: Iterable[Any]) -> None:
        self.obj, self.corpus = phrases, corpus

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self.corpus:
            yield self.obj.joined(sentence)

    def __len__(self) -> int:
        return len(cast(Sequence[Any], self.corpus))


class _PhrasesTransformation(Saveable):
    """Sentences in, the same with phrases joined out."""

    scoring: Scorer

    def __init__(self, connector_words: Iterable[str] = frozenset()) -> None:
        self.connector_words = frozenset(connector_words)

    def score_candidate(
        self, word_a: str, word_b: str, in_between: list[str]
    ) -> tuple[str | None, float | None]:
        """Return a phrase with its score, or two None if these words are none."""
        raise NotImplementedError("score_candidate is what a class of phrases defines")

    def analyze_sentence(self, sentence: Iterable[str]) -> Iterator[tuple[str, float | None]]:
        """Words and phrases of a sentence, phrases with their scores, from left to right."""
        held: list[str] = []  # what may begin a phrase, and connector words behind it
        for word in sentence:
            if word in self.connector_words:
                if held:
                    held.append(word)
                else:
                    yield word, None
                continue
            if held:
                phrase, score = self.score_candidate(held[0], word, held[1:])
                if phrase is not None:
                    yield phrase, score
                    held = []
                    continue
                for one in held:
                    yield one, None
            held = [word]
        for one in held:
            yield one, None

    def joined(self, sentence: Iterable[str]) -> list[str]:
        """Return a sentence with its phrases joined."""
        return [word for word, _ in self.analyze_sentence(sentence)]

    def __getitem__(self, sentence: Any) -> Any:
        if isinstance(sentence, _Transformed):
            return _Transformed(self, sentence)
        words = sentence
        if iter(sentence) is sentence:  # looking at the first takes it away
            first = list(islice(sentence, 1))
            words = chain(first, sentence)
        else:
            first = list(islice(iter(sentence), 1))
        if first and isinstance(first[0], str):
            return self.joined(words)
        return _Transformed(self, words) if first else []

    def find_phrases(self, sentences: Iterable[Iterable[str]]) -> dict[str, float]:
        """Phrases of a text with their scores."""
        found = chain.from_iterable(self.analyze_sentence(one) for one in sentences)
        return {phrase: score for phrase, score in found if score is not None}

    @OnClass
    def load(cls: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Open a file that ``save`` wrote; see :meth:`Word2Vec.load`.

        A scoring function of one's own is not in the file: set ``scoring``.
        """
        return cls._load(*args)

    def _state(self) -> dict[str, Any]:
        names = {function: name for name, function in SCORERS.items()}
        return {**self.__dict__, "scoring": names.get(self.scoring)}

    def _restored(self) -> None:
        if not callable(self.scoring):
            self.scoring = SCORERS.get(self.scoring, _no_scoring)


def _no_scoring(**counts: int) -> float:
    raise RuntimeError(
        "scoring was a function and is not in the file, for a file holds no code; set "
        "phrases.scoring to that function."
    )


def _scorer(scoring: str | Scorer) -> Scorer:
    """The function that scores.

    Raises
    ------
    ValueError
        If it is none, or does not take what it will be given.
    """
    found = SCORERS.get(scoring) if isinstance(scoring, str) else scoring
    if not callable(found):
        raise ValueError(f"unknown scoring method/function {scoring!r} specified")
    wanted = inspect.signature(original_scorer).parameters.keys()
    takes = inspect.signature(found).parameters
    missing = wanted - takes.keys()
    if missing and not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
        raise ValueError(f"scoring function missing expected parameters {sorted(missing)}")
    return found


class Phrases(_PhrasesTransformation):
    """Words and pairs of a text, counted, and what of them are phrases.

    Parameters
    ----------
    sentences : iterable of iterables of str, optional
    min_count, threshold, delimiter, connector_words
        See :func:`wordgrad.learn_phrases`; the delimiter may be a space, too.
    max_vocab_size : int
        Words and pairs that are counted; beyond, rare ones are dropped.
    progress_per : int
        Of no effect.
    scoring : {"default", "npmi"} or callable
        A function that is given ``worda_count``, ``wordb_count``, ``bigram_count``, ``len_vocab``,
        ``min_count`` and ``corpus_word_count``.

    Attributes
    ----------
    vocab : dict of str to int
        Words, and pairs joined.
    corpus_word_count : int

    Examples
    --------
    >>> phrases = Phrases([["new", "york", "is", "big"], ["i", "like", "new", "york"]],
    ...     min_count=1, threshold=1)
    >>> phrases[["we", "like", "new", "york"]]
    ['we', 'like', 'new_york']
    """

    def __init__(
        self,
        sentences: Iterable[Any] | None = None,
        min_count: float = 5,
        threshold: float = 10.0,
        max_vocab_size: int = MOST_PAIRS,
        delimiter: str = "_",
        progress_per: int = 10000,
        scoring: str | Scorer = "default",
        connector_words: Iterable[str] = frozenset(),
    ) -> None:
        super().__init__(connector_words)
        self.scoring = _scorer(scoring)
        if min_count <= 0:
            raise ValueError("min_count should be at least 1")
        if threshold <= 0 and scoring == "default":
            raise ValueError("threshold should be positive for default scoring")
        if scoring == "npmi" and not -1 <= threshold <= 1:
            raise ValueError("threshold should be between -1 and 1 for npmi scoring")
        self.min_count, self.threshold, self.delimiter = min_count, threshold, delimiter
        self.max_vocab_size, self.progress_per = max_vocab_size, progress_per
        self.vocab: dict[str, int] = {}
        self.min_reduce, self.corpus_word_count = 1, 0
        if sentences is not None:
            self.add_vocab(sentences)

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}<{len(self.vocab)} vocab, min_count={self.min_count}, "
            f"threshold={self.threshold}, max_vocab_size={self.max_vocab_size}>"
        )

    def add_vocab(self, sentences: Iterable[Any]) -> None:
        """Count the words and pairs of a text."""
        self.add_lifecycle_event("add_vocab")
        try:
            counts, tokens = phrase_counts(
                map(list, sentences),
                delimiter=BETWEEN,
                connector_words=sorted(self.connector_words),
                max_pairs=max(1, self.max_vocab_size),
            )
        except InputError:  # no words at all, which gensim takes
            return
        self.corpus_word_count += tokens
        for name, number in counts.items():
            joined = name.replace(BETWEEN, self.delimiter)
            self.vocab[joined] = self.vocab.get(joined, 0) + number
        while len(self.vocab) > self.max_vocab_size:
            self.min_reduce += 1
            self.vocab = {one: n for one, n in self.vocab.items() if n >= self.min_reduce}

    def score_candidate(
        self, word_a: str, word_b: str, in_between: list[str]
    ) -> tuple[str | None, float | None]:
        """Return a phrase with its score, or two None if these words are none."""
        first, second = self.vocab.get(word_a, 0), self.vocab.get(word_b, 0)
        if not first or not second:
            return None, None
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        score = self.scoring(
            worda_count=first,
            wordb_count=second,
            bigram_count=self.vocab.get(phrase, 0),
            len_vocab=len(self.vocab),
            min_count=self.min_count,
            corpus_word_count=self.corpus_word_count,
        )
        return (phrase, score) if score > self.threshold else (None, None)

    def export_phrases(self) -> dict[str, float]:
        """All phrases with their scores."""
        found = {}
        for name in list(self.vocab):
            first, *between = name.split(self.delimiter)
            if between:
                phrase, score = self.score_candidate(first, between[-1], between[:-1])
                if phrase is not None and score is not None:
                    found[phrase] = score
        return found

    def freeze(self) -> FrozenPhrases:
        """Return the phrases alone, which take less memory."""
        return FrozenPhrases(self)


class FrozenPhrases(_PhrasesTransformation):
    """Phrases without what was counted.

    Attributes
    ----------
    phrasegrams : dict of str to float
        Phrases and their scores.

    Examples
    --------
    >>> frozen = FrozenPhrases(Phrases([["new", "york"]] * 9, min_count=1, threshold=0.1))
    >>> list(frozen.phrasegrams), frozen[["in", "new", "york"]]
    (['new_york'], ['in', 'new_york'])
    """

    def __init__(self, phrases_model: Phrases) -> None:
        super().__init__(phrases_model.connector_words)
        self.threshold, self.min_count = phrases_model.threshold, phrases_model.min_count
        self.delimiter, self.scoring = phrases_model.delimiter, phrases_model.scoring
        self.phrasegrams = phrases_model.export_phrases()

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}<{len(self.phrasegrams)} phrases, min_count={self.min_count}, "
            f"threshold={self.threshold}>"
        )

    def score_candidate(
        self, word_a: str, word_b: str, in_between: list[str]
    ) -> tuple[str | None, float | None]:
        """Return a phrase with its score, or two None if these words are none."""
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        score = self.phrasegrams.get(phrase, NEGATIVE_INFINITY)
        return (phrase, score) if score > self.threshold else (None, None)


Phraser = FrozenPhrases

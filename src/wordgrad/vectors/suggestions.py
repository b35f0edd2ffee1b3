"""Words spelt like a word that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import islice

WORDS_SCANNED = 200_000
LIKENESS = 0.7
LONGEST_WORD = 100  # characters; what is longer was no slip of the finger, and takes its square


def close_spellings(word: str, words: Sequence[str], number: int = 3) -> list[str]:
    """Up to ``number`` of ``words`` spelt like ``word``, the likest first.

    A word that differs in case alone comes first.  Others are ranked by
    :meth:`difflib.SequenceMatcher.ratio`, then by frequency (``words`` are most frequent first).
    To answer at once in a vocabulary of a million words, only the most frequent 200,000 are
    scanned, and only those of about the same length that begin or end alike.

    >>> close_spellings("Qeen", ["the", "queen", "seen", "king"])
    ['queen', 'seen']
    """
    if not word or len(word) > LONGEST_WORD:
        return []
    folded = word.casefold()
    head, tail = folded[0], folded[-2:]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(folded)
    ranked: list[tuple[float, int, str]] = []
    for rank, candidate in enumerate(islice(words, WORDS_SCANNED)):
        if abs(len(candidate) - len(word)) > 2:
            continue
        other = candidate.casefold()
        if other[:1] != head and other[-2:] != tail:
            continue
        matcher.set_seq1(other)
        if matcher.real_quick_ratio() < LIKENESS or matcher.quick_ratio() < LIKENESS:
            continue
        ratio = matcher.ratio()
        if ratio >= LIKENESS:
            ranked.append((-ratio, rank, candidate))
    return [candidate for _, _, candidate in sorted(ranked)[:number]]

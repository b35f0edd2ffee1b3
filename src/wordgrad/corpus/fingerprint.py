"""Checksums of an encoded text, which tell whether it is the one that a training began with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import IDS, OFFSETS, CorpusFolder, CorpusReport, EncodedCorpus
from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.errors import FormatError
from wordgrad.vocabulary import Vocabulary

_CHUNK = 1 << 20  # numbers hashed at a time
_REMEDY = "give the text again, so that it is encoded again, or begin a new training."


@dataclass(frozen=True)
class Fingerprint:
    """What two encoded texts have in common if, and only if, they train alike.

    Attributes
    ----------
    tokens, sentences, words : int
        T, S and V: they tell in which way two texts differ.
    vocabulary, text : str
        BLAKE2b (16 bytes) of the words with their counts, and of the ids with the sentences' ends.

    Examples
    --------
    >>> from wordgrad.corpus.corpus import encode_corpus
    >>> one, two = (encode_corpus([text], min_count=1) for text in ("a b a", "b a a"))
    >>> Fingerprint.of(two).difference(Fingerprint.of(one))
    'as many words in as many sentences, but others or in another order'
    """

    tokens: int
    sentences: int
    words: int
    vocabulary: str
    text: str

    @classmethod
    def of(cls, corpus: EncodedCorpus | ValidationCorpus) -> Fingerprint:
        """Read a corpus once, a piece at a time.

        Raises
        ------
        FormatError
            If an id is not a word's or an offset is out of order, which no kernel would notice.
        """
        words = hashlib.blake2b(digest_size=16)
        for word in corpus.vocabulary.words:
            data = word.encode("utf-8", "surrogatepass")
            words.update(len(data).to_bytes(8, "little") + data)
        words.update(corpus.vocabulary.counts.astype("<i8").tobytes())
        text = hashlib.blake2b(digest_size=16)
        for name, array in (("ids", corpus.ids), ("offsets", corpus.offsets)):
            for start in range(0, len(array), _CHUNK):
                piece = np.asarray(array[start : start + _CHUNK])
                _check(piece, name, start, corpus)
                text.update(piece.data)
            if isinstance(corpus, EncodedCorpus):
                corpus.release_pages()
        return cls(
            tokens=len(corpus.ids),
            sentences=len(corpus.offsets) - 1,
            words=len(corpus.vocabulary),
            vocabulary=words.hexdigest(),
            text=text.hexdigest(),
        )

    def difference(self, before: Fingerprint) -> str | None:
        """Say how the text differs from the one ``before``; None if it does not."""
        if self == before:
            return None
        parts = [
            f"{getattr(self, name):,} {title} instead of {getattr(before, name):,}"
            for name, title in (
                ("tokens", "words"),
                ("sentences", "sentences"),
                ("words", "distinct words"),
            )
            if getattr(self, name) != getattr(before, name)
        ]
        if not parts and self.vocabulary != before.vocabulary:
            parts = ["as many distinct words, but others or with other counts"]
        return ", ".join(parts) or (
            "as many words in as many sentences, but others or in another order"
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain values, for a file."""
        return asdict(self)


def open_kept(
    folder: Path, vocabulary: Vocabulary, report: CorpusReport, expected: Fingerprint
) -> EncodedCorpus:
    """Open a corpus that :func:`~wordgrad.corpus.corpus.encode_corpus` kept, and check all of it.

    Raises
    ------
    FormatError
        If its files are missing, or are not what they were.
    """
    sizes: Mapping[str, int] = {IDS: 4 * expected.tokens, OFFSETS: 8 * (expected.sentences + 1)}
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or size < 8:
            found = f"{path.stat().st_size} bytes" if path.is_file() else "none"
            raise FormatError(
                f"The encoded text {path} should hold {size} bytes, got {found}; {_REMEDY}"
            )
    corpus = EncodedCorpus(CorpusFolder.existing(folder), vocabulary, report)
    difference = Fingerprint.of(corpus).difference(expected)
    if difference:
        raise FormatError(f"The encoded text in {folder} is damaged ({difference}); {_REMEDY}")
    return corpus


def _check(
    piece: NDArray[Any], name: str, start: int, corpus: EncodedCorpus | ValidationCorpus
) -> None:
    """Kernels trust what they are given: let nothing point out of the tables."""
    if name == "ids":
        good = piece.min() >= 0 and piece.max() < len(corpus.vocabulary)
    else:
        before = -1 if start == 0 else int(corpus.offsets[start - 1])
        ends = start + len(piece) < len(corpus.offsets) or piece[-1] == len(corpus.ids)
        good = bool((np.diff(piece, prepend=before) > 0).all()) and ends
        good = good and (start > 0 or piece[0] == 0)
    if not good:
        raise FormatError(f"The encoded text is damaged: its {name} are out of range; {_REMEDY}")

"""Vectors of documents and all that new ones are inferred with, in one file of ours.

Layout
------
A file of :mod:`wordgrad.container` of the part "documents", with these arrays:

=================  ============  ================================================================
``tags``           U8 (bytes)    all tags in UTF-8, one after another
``tag_offsets``    I64 (N+1)     tag ``i`` is ``tags[tag_offsets[i]:tag_offsets[i + 1]]``
``tag_counts``     I64 (N)       how many documents have each
``documents``      F32 (N, D)    row ``i`` is the vector of tag ``i``
``words``          U8 (bytes)    the words, as the tags
``word_offsets``   I64 (V+1)
``counts``         I64 (V)       how often each word was seen
``word_vectors``   F32 (R, D)    input vectors: R = V, V + 1 with a row of padding, or 0 where words
                                 have none
``outputs``        F32 (M, D)    output vectors: of a tree's inner nodes, of words, or of both
``phrases: ...``                 the arrays of the phrases that were joined, if any were
=================  ============  ================================================================

The record holds the metadata of the vectors, ``settings`` and ``history``, and ``phrases``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import Arrays, Container
from wordgrad.corpus.phrase_table import SCHEMA, PhraseTable
from wordgrad.errors import FormatError
from wordgrad.io.common import LoadOptions, VectorParts
from wordgrad.vocabulary import Vocabulary

PART = "documents"
DOCUMENTS = Container(
    part=PART,
    layout="1",
    remedy="train again, or fetch an undamaged copy.",
    origin="name a file that Doc2Vec.save wrote.",
    schema={
        "tags": ("uint8", 1),
        "tag_offsets": ("int64", 1),
        "tag_counts": ("int64", 1),
        "documents": ("float32", 2),
        "words": ("uint8", 1),
        "word_offsets": ("int64", 1),
        "counts": ("int64", 1),
        "word_vectors": ("float32", 2),
        "outputs": ("float32", 2),
        **{f"phrases: {name}": kind for name, kind in SCHEMA.items()},
    },
    optional=frozenset(f"phrases: {name}" for name in SCHEMA),
)


@dataclass(frozen=True)
class DocumentModel:
    """What such a file holds.

    Attributes
    ----------
    tags : Vocabulary
        N tags with their counts.
    documents : float32 (N, D)
    words : Vocabulary
        V words with their counts.
    word_vectors : float32 (R, D)
        R is V, V + 1 or 0.
    outputs : float32 (M, D)
    metadata : dict
    phrases : PhraseTable or None
    """

    tags: Vocabulary
    documents: NDArray[np.float32]
    words: Vocabulary
    word_vectors: NDArray[np.float32]
    outputs: NDArray[np.float32]
    metadata: dict[str, Any]
    phrases: PhraseTable | None = None

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        OutputError
            If it exists and ``overwrite`` is false, or cannot be written.
        """
        tags, tag_offsets = self.tags.packed()
        words, word_offsets = self.words.packed()
        arrays: Arrays = {
            "tags": tags,
            "tag_offsets": tag_offsets,
            "tag_counts": self.tags.counts,
            "documents": self.documents,
            "words": words,
            "word_offsets": word_offsets,
            "counts": self.words.counts,
            "word_vectors": self.word_vectors,
            "outputs": self.outputs,
        }
        record = self.metadata
        if self.phrases is not None:
            settings, parts = self.phrases.packed()
            record = record | {"phrases": settings}
            arrays |= {f"phrases: {name}": part for name, part in parts.items()}
        DOCUMENTS.write(path, record, arrays, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path) -> DocumentModel:
        """Read a file and check all of it.

        Raises
        ------
        InputError
            If it cannot be opened.
        FormatError
            If it is another file, or damaged.
        """
        record, arrays = DOCUMENTS.read(path)
        try:
            return cls(
                tags=_vocabulary(path, arrays, "tags", "tag_offsets", "tag_counts"),
                documents=arrays["documents"],
                words=_vocabulary(path, arrays, "words", "word_offsets", "counts"),
                word_vectors=arrays["word_vectors"],
                outputs=arrays["outputs"],
                metadata={name: value for name, value in record.items() if name != "phrases"},
                phrases=_phrases(path, record, arrays),
            )._checked()
        except ValueError as error:
            raise DOCUMENTS.damaged(path, str(error).rstrip(".")) from error

    def _checked(self) -> DocumentModel:
        V, D = len(self.words), self.documents.shape[1]
        rows, outputs = self.word_vectors, self.outputs
        if self.documents.shape[0] != len(self.tags) or D == 0 or not len(self.tags):
            raise FormatError(f"{self.documents.shape} vectors do not fit {len(self.tags)} tags")
        if rows.shape[1] != D or len(rows) not in (0, V, V + 1):
            raise FormatError(f"word vectors of shape {rows.shape} do not fit {V} words of {D}")
        if V < 2 or outputs.shape[1] != D or not len(outputs):
            raise FormatError(f"output vectors of shape {outputs.shape} do not fit {V} words")
        for matrix in (self.documents, rows, outputs):
            if not np.isfinite(matrix).all():
                raise FormatError("a vector is not finite")
        if int(self.words.counts.min()) < 1 or int(self.tags.counts.min()) < 0:
            raise FormatError("a count is not positive")
        return self


def _vocabulary(path: Path, arrays: dict[str, NDArray[Any]], *names: str) -> Vocabulary:
    words, offsets, counts = (arrays[name] for name in names)
    return Vocabulary.from_packed(words, offsets, str(path)).with_counts(counts)


def _phrases(path: Path, record: dict[str, Any], arrays: Arrays) -> PhraseTable | None:
    if "phrases" not in record:
        return None
    parts = {name: arrays.get(f"phrases: {name}") for name in SCHEMA}
    found = {name: part for name, part in parts.items() if part is not None}
    if not isinstance(record["phrases"], dict) or len(found) != len(SCHEMA):
        raise FormatError("its phrases are not whole")
    return PhraseTable.from_packed(record["phrases"], found, str(path))


def read_vectors(path: Path, options: LoadOptions) -> VectorParts:
    """The vectors of documents alone, their tags as words; see :func:`wordgrad.load`."""
    model = DocumentModel.read(path)
    n = options.rows(len(model.tags))
    tags = Vocabulary.from_words(model.tags.words[:n])
    return VectorParts(tags, model.documents[:n], model.tags.counts[:n], model.metadata)

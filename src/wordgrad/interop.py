"""Word vectors from and to other libraries, in memory.

None of these libraries is needed by wordgrad: each is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.word_vectors import WordVectors


class KeyedVectorsLike(Protocol):
    """What :func:`from_gensim` uses of gensim's ``KeyedVectors``."""

    index_to_key: list[str]
    vectors: NDArray[np.float32]


def to_gensim(vectors: WordVectors) -> Any:
    """A ``gensim.models.KeyedVectors`` with the same words, vectors and counts.

    The matrix is copied, for gensim's may be written to.

    Raises
    ------
    ParameterError
        If gensim is not installed.
    """
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise _missing("gensim", "KeyedVectors", "pip install 'gensim>=4'") from error
    keyed = KeyedVectors(vector_size=vectors.vector_size, count=0)
    keyed.add_vectors(list(vectors.words), np.array(vectors.matrix))
    if vectors.counts is not None:
        # add_vectors(extras=...) of gensim 4.4 fails for every argument.
        keyed.allocate_vecattrs(attrs=["count"], types=[np.int64])
        keyed.expandos["count"][:] = vectors.counts
    return keyed


def from_gensim(keyed_vectors: KeyedVectorsLike) -> WordVectors:
    """Vectors with the words, vectors and counts of a ``gensim.models.KeyedVectors``.

    The matrix is copied.  gensim numbers the words of a file without counts V, V - 1, ..., 1 and
    calls that their counts; exactly these are left out.

    Parameters
    ----------
    keyed_vectors : gensim.models.KeyedVectors
        Of a model, its ``wv``.  The vectors of a FastText model are those of its words.

    Raises
    ------
    ParameterError
        If it is something else, a word comes twice, or a value is not finite.

    Examples
    --------
    >>> from types import SimpleNamespace  # stands for gensim's object here
    >>> keyed = SimpleNamespace(index_to_key=["to", "be"], vectors=np.eye(2), expandos={})
    >>> from_gensim(keyed)["be"]
    array([0., 1.], dtype=float32)
    """
    if not hasattr(keyed_vectors, "index_to_key") or not hasattr(keyed_vectors, "vectors"):
        hint = "pass its attribute wv" if hasattr(keyed_vectors, "wv") else "pass KeyedVectors"
        raise ParameterError(
            "keyed_vectors must be gensim.models.KeyedVectors of gensim 4, got "
            f"{type(keyed_vectors).__name__}; {hint}."
        )
    words = list(keyed_vectors.index_to_key)
    counts = getattr(keyed_vectors, "expandos", {}).get("count")
    if counts is not None:
        counts = np.asarray(counts).astype(np.int64)
        if np.array_equal(counts, np.arange(len(words), 0, -1)):
            counts = None
    return WordVectors(words, keyed_vectors.vectors, counts)


def to_spacy(vectors: WordVectors, name: str = "wordgrad") -> Any:
    """A ``spacy.vectors.Vectors`` with the same words and vectors.

    Give it to a pipeline with ``nlp.vocab.vectors = to_spacy(vectors)``.

    Raises
    ------
    ParameterError
        If spaCy is not installed.
    """
    try:
        from spacy.strings import StringStore
        from spacy.vectors import Vectors
    except ImportError as error:
        raise _missing("spacy", "Vectors", "pip install 'spacy>=3.8'") from error
    words = list(vectors.words)
    return Vectors(strings=StringStore(words), data=np.array(vectors.matrix), keys=words, name=name)


def to_embedding(
    vectors: WordVectors, first: Sequence[str] = ()
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """The array that a layer of embeddings starts from, and the row of each word.

    With PyTorch: ``torch.nn.Embedding.from_pretrained(torch.from_numpy(array), freeze=False)``.

    Parameters
    ----------
    vectors : WordVectors
    first : sequence of str
        Marks such as ``"<pad>"`` that get the first rows, all zeros.

    Returns
    -------
    array : ndarray of float32, shape (len(first) + V, D)
        A copy of its own, contiguous and writeable.
    rows : dict of str to int

    Raises
    ------
    ParameterError
        If a mark comes twice or is a word.

    Examples
    --------
    >>> vectors = WordVectors(["to", "be"], [[1, 2], [3, 4]])
    >>> array, rows = to_embedding(vectors, first=["<pad>"])
    >>> array[rows["be"]], array[rows["<pad>"]]
    (array([3., 4.], dtype=float32), array([0., 0.], dtype=float32))
    """
    if isinstance(first, str):
        raise ParameterError(f"first must be a sequence of strings, got the string {first!r}.")
    array = np.zeros((len(first) + len(vectors), vectors.vector_size), dtype=np.float32)
    array[len(first) :] = vectors.matrix
    rows = {word: row for row, word in enumerate((*first, *vectors.words))}
    if len(rows) < len(array):
        raise ParameterError(
            f"first must hold marks that are no words, each once, got {list(first)!r}; rename "
            "those that are."
        )
    return array, rows


def _missing(library: str, what: str, command: str) -> ParameterError:
    return ParameterError(
        f"{what} of {library} cannot be made, for {library} is not installed; run: {command}."
    )

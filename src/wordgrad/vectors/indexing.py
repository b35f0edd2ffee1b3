"""The approximate index of a set of vectors: building it, keeping it, using it."""

from __future__ import annotations

import os

from wordgrad.errors import ParameterError, check_int
from wordgrad.vectors import index_file
from wordgrad.vectors.approximate import ApproximateIndex
from wordgrad.vectors.word_matrix import WordMatrix


class Indexing(WordMatrix):
    """The part of :class:`wordgrad.WordVectors` that looks after an approximate index."""

    def build_index(
        self,
        restrict_vocab: int | None = None,
        *,
        connectivity: int = 16,
        expansion_add: int = 128,
        expansion_search: int = 64,
    ) -> None:
        """Build the index for ``approximate=True``; it lives as long as these vectors, or is saved.

        Needs the library usearch (``pip install 'wordgrad[ann]'``).  How long it takes, and what
        part of the true neighbours is found, is in ``docs/from-gensim.md``.

        Parameters
        ----------
        restrict_vocab : int, optional
            Index the most frequent ``restrict_vocab`` words only.
        connectivity, expansion_add, expansion_search : int
            Of the graph: see :class:`wordgrad.vectors.approximate.ApproximateIndex`.

        Raises
        ------
        ParameterError
            If usearch is not installed, or a number is out of range.
        """
        limit = checked_limit(restrict_vocab)
        self.__dict__["_approximate"] = ApproximateIndex(
            self._index,
            rows=len(self) if limit is None else min(limit, len(self)),
            connectivity=check_int("connectivity", connectivity, minimum=2),
            expansion_add=check_int("expansion_add", expansion_add, minimum=1),
            expansion_search=check_int("expansion_search", expansion_search, minimum=1),
        )

    def save_index(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index that :meth:`build_index` made to a file of its own.

        Raises
        ------
        ParameterError
            If there is no index yet.
        OutputError
            If the file exists and ``overwrite`` is false, or it cannot be written.
        """
        index_file.write(self._approximate_index(None), self._matrix, path, overwrite=overwrite)

    def load_index(self, path: str | os.PathLike[str]) -> None:
        """Take the index that :meth:`save_index` wrote for the same vectors.

        Raises
        ------
        ParameterError
            If usearch is not installed.
        InputError
            If the file cannot be opened.
        FormatError
            If it is damaged, no index, or one of other vectors.

        >>> import tempfile, pathlib
        >>> from wordgrad import WordVectors
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.index"
        >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
        >>> vectors.build_index()
        >>> vectors.save_index(path)
        >>> again = WordVectors(vectors.words, vectors.matrix)
        >>> again.load_index(path)
        >>> again.most_similar("king", topn=1, approximate=True)
        [('queen', 0.79999...)]
        """
        self.__dict__["_approximate"] = index_file.read(path, self._index, self._matrix)

    def _built(self) -> ApproximateIndex | None:
        index: ApproximateIndex | None = self.__dict__.get("_approximate")
        return index

    def _approximate_index(self, limit: int | None) -> ApproximateIndex:
        index = self._built()
        if index is None:
            raise ParameterError(
                "There is no approximate index yet; call build_index() or load_index() first."
            )
        if limit is not None and min(limit, len(self)) != index.rows:
            raise ParameterError(
                f"restrict_vocab must be that of the index, {index.rows}, got {limit}; call "
                f"build_index(restrict_vocab={limit}) first."
            )
        return index


def checked_limit(restrict_vocab: int | None) -> int | None:
    """``restrict_vocab``, if it is None or a number of words."""
    if restrict_vocab is None:
        return None
    return check_int("restrict_vocab", restrict_vocab, minimum=1)

"""fastText's Python interface for opened models: ``import wordgrad.compat.fasttext as fasttext``.

Signatures, names and values are those of fastText 0.9.2; what trains, quantises or saves is not
here.  A model's matrices stay mapped in its file.

>>> model = load_model("lid.176.ftz")  # doctest: +SKIP
>>> model.predict("Guten Tag")  # doctest: +SKIP
(('__label__de',), array([0.97...]))
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.fasttext_classifier import FastTextClassifier, as_bytes
from wordgrad.io.fasttext_model import SUPERVISED, DenseMatrix, Matrix, read_model
from wordgrad.subwords import Subwords
from wordgrad.word_vectors import WordVectors

EOS, BOW, EOW = "</s>", "<", ">"


def load_model(path: str | os.PathLike[str]) -> FastText:
    """Open a ``.bin`` or ``.ftz`` file.

    Raises
    ------
    InputError, FormatError
        See :func:`wordgrad.io.fasttext_model.read_model`.
    """
    return FastText(path)


def tokenize(text: str) -> list[str]:
    """Words of a text, with ``</s>`` for each new line."""
    lines = text.split("\n")
    found = [[*_words(line), EOS] for line in lines[:-1]]
    return [word for line in [*found, _words(lines[-1])] for word in line]


class FastText:
    """A model that fastText wrote; get one from :func:`load_model`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._model = model = read_model(path)
        settings = model.settings
        self._subwords = Subwords(
            model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
        )

    @cached_property
    def words(self) -> list[str]:
        """The words, most frequent first."""
        return [word.decode(errors="surrogateescape") for word in self._model.words]

    @cached_property
    def labels(self) -> list[str]:
        """The labels, in the order of the file; of a model of word vectors, its words."""
        if self._model.settings.model != SUPERVISED:
            return self.words
        return [label.decode(errors="surrogateescape") for label in self._model.labels]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _classifier(self) -> FastTextClassifier:
        return FastTextClassifier(self._model)

    @cached_property
    def _vectors(self) -> WordVectors:
        matrix = self._subwords.compose(self._model.words, np.arange(self._model.n_words))
        return WordVectors(self.words, matrix, subwords=self._subwords)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        return self.get_word_vector(word)

    # ---------------------------------------------------------------- classify

    def predict(
        self, text: str | list[str], k: int = 1, threshold: float = 0.0,
        on_unicode_error: str = "strict",
    ) -> tuple[Any, Any]:  # fmt: skip
        """Labels and probabilities of a text, as a tuple and an array, or of each of a list.

        Raises
        ------
        ParameterError
            A text has a new line in it.
        """
        texts = text if isinstance(text, list) else [text]
        for one in texts:
            if "\n" in one:
                raise ParameterError("predict processes one line at a time (remove '\\n')")
        if isinstance(text, list):
            labels, probabilities = self._classifier.predict(text, k, threshold)
            return [list(one) for one in labels], probabilities
        names, values = self._classifier.predict(text, k, threshold)
        return names, values.astype(np.float64)

    def test(
        self, path: str | os.PathLike[str], k: int = 1, threshold: float = 0.0
    ) -> tuple[int, float, float]:
        """Lines with a known label, precision and recall of the k best labels of each."""
        known = set(self.labels)
        texts, golden = [], []
        with open(path, "rb") as file:
            for line in file:
                words = _words(line.decode(errors="surrogateescape"))
                labels = [word for word in words if word in known]
                if labels:
                    texts.append(line.rstrip(b"\n"))
                    golden.append(labels)
        found = self._classifier.predict(texts, k, threshold)[0]
        right = sum(label in set(labels) for one, labels in zip(found, golden, strict=True)
                    for label in one)  # fmt: skip
        given, wanted = sum(map(len, found)), sum(map(len, golden))
        return (
            len(texts), right / given if given else float("nan"),
            right / wanted if wanted else float("nan"),
        )  # fmt: skip

    # ---------------------------------------------------------------- look up

    def get_dimension(self) -> int:
        """Return D."""
        return self._model.settings.dim

    def is_quantized(self) -> bool:
        """Return whether the input matrix is quantised."""
        return not isinstance(self._model.input, DenseMatrix)

    def get_words(self, include_freq: bool = False, on_unicode_error: str = "strict") -> Any:
        """Words, with ``include_freq`` and their counts."""
        return (self.words, self._model.counts[: len(self.words)]) if include_freq else self.words

    def get_labels(self, include_freq: bool = False, on_unicode_error: str = "strict") -> Any:
        """Labels, with ``include_freq`` and their counts; of a model of word vectors, its words."""
        first = self._model.n_words if self._model.settings.model == SUPERVISED else 0
        counts = self._model.counts[first:]
        return (self.labels, counts) if include_freq else self.labels

    def get_word_id(self, word: str) -> int:
        """Row of a word, or -1."""
        return self._ids.get(word, -1)

    def get_label_id(self, label: str) -> int:
        """Row of a label, or -1."""
        return self.labels.index(label) if label in self.labels else -1

    def get_subword_id(self, subword: str) -> int:
        """Row of an n-gram of characters before pruning, whether or not the model knows it."""
        h = 2166136261
        for byte in as_bytes(subword):  # FNV-1a, of signed characters
            h = (h ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 % 2**32
        return self._model.n_words + h % self._model.settings.bucket

    def get_subwords(
        self, word: str, on_unicode_error: str = "strict"
    ) -> tuple[list[str], NDArray[np.int64]]:
        """The word, if it has a row, and all its n-grams; and the rows that pruning has left."""
        minn, maxn, text = self._model.settings.minn, self._model.settings.maxn, BOW + word + EOW
        names = [word] if word in self._ids else []
        own = [self._ids[word]] if names else []
        for i in range(len(text) if word != EOS else 0):
            for n in range(max(1, minn), min(maxn, len(text) - i) + 1):
                if n > 1 or 0 < i < len(text) - 1:
                    names.append(text[i : i + n])
        return names, np.array([*own, *self._subwords.ngrams([word])[1]], dtype=np.int64)

    def get_input_vector(self, ind: int) -> NDArray[np.float32]:
        """Row ``ind`` of the input matrix."""
        return np.asarray(self._model.input.rows([ind])[0])

    def get_input_matrix(self) -> NDArray[np.float32]:
        """Return the whole input matrix, which must not be quantised."""
        return _dense(self._model.input)

    def get_output_matrix(self) -> NDArray[np.float32]:
        """Return the whole output matrix, which must not be quantised."""
        if self._model.output is None:
            raise ParameterError(f"{self._model.path} holds no output matrix; use a whole copy.")
        return _dense(self._model.output)

    # ---------------------------------------------------------------- vectors

    def get_word_vector(self, word: str) -> NDArray[np.float32]:
        """Vector of any word; zero for one without a row and without n-grams."""
        return np.asarray(self._subwords.compose([word], [self.get_word_id(word)])[0])

    def get_sentence_vector(self, text: str) -> NDArray[np.float32]:
        """Mean of a line's rows, or in a model of word vectors of its words' unit vectors.

        Raises
        ------
        ParameterError
            The text has a new line in it.
        """
        if "\n" in text:
            raise ParameterError("predict processes one line at a time (remove '\\n')")
        if self._model.settings.model == SUPERVISED:
            return self._classifier.text_vector(text)
        words = _words(text)
        vectors = self._subwords.compose(words, [self.get_word_id(word) for word in words])
        norms = np.linalg.norm(vectors, axis=1)
        kept = norms > 0
        if not kept.any():
            return np.zeros(self.get_dimension(), dtype=np.float32)
        return np.asarray((vectors[kept] / norms[kept, None]).mean(axis=0))

    def _asked(self, word: str) -> str | NDArray[np.float32]:
        """A word that is not among its own answers, or the vector of an unseen one."""
        return word if word in self._ids else self.get_word_vector(word)

    def get_nearest_neighbors(
        self, word: str, k: int = 10, on_unicode_error: str = "strict"
    ) -> list[tuple[float, str]]:
        """The k nearest words, as pairs of cosine and word."""
        found = self._vectors.most_similar(self._asked(word), topn=k)
        return [(cosine, name) for name, cosine in found]

    def get_analogies(
        self, wordA: str, wordB: str, wordC: str, k: int = 10, on_unicode_error: str = "strict"
    ) -> list[tuple[float, str]]:
        """The k words nearest to A - B + C, as pairs of cosine and word."""
        a, b, c = (self._asked(word) for word in (wordA, wordB, wordC))
        found = self._vectors.most_similar([a, c], topn=k, negative=[b])
        return [(cosine, name) for name, cosine in found]


def _dense(matrix: Matrix) -> NDArray[np.float32]:
    if not isinstance(matrix, DenseMatrix):
        raise ParameterError("Can't get quantized Matrix")
    return matrix.rows(np.arange(matrix.shape[0]))


def _words(line: str) -> list[str]:
    """Split at white space as fastText defines it."""
    for space in "\n\r\t\v\f\0":
        line = line.replace(space, " ")
    return [word for word in line.split(" ") if word]

"""fastText's Python interface: ``import wordgrad.compat.fasttext as fasttext``.

Signatures, names and values are those of fastText 0.9.2.  The matrices of an opened model stay
mapped in its file.

>>> model = load_model("lid.176.ftz")  # doctest: +SKIP
>>> model.predict("Guten Tag")  # doctest: +SKIP
(('__label__de',), array([0.97...]))
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, wraps
from inspect import signature
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.classification.quantisation import cutoff_of_size
from wordgrad.errors import ParameterError, check_choice, check_real
from wordgrad.fasttext_classifier import FastTextClassifier, as_bytes
from wordgrad.io.fasttext_model import (
    SUPERVISED,
    DenseMatrix,
    FastTextModel,
    Matrix,
    read_model,
    write_model,
)
from wordgrad.subwords import Subwords
from wordgrad.word2vec import Word2Vec
from wordgrad.word_vectors import WordVectors

EOS, BOW, EOW = "</s>", "<", ">"
PREFIX = "__label__"
LINES_AT_ONCE = 1 << 12
MISSED = np.float32(-1)
LOSSES = {
    "softmax": "softmax",
    "ova": "one-vs-all",
    "hs": "hierarchical-softmax",
    "ns": "negative-sampling",
}
ALIASES = {
    "min_count": "minCount",
    "word_ngrams": "wordNgrams",
    "lr_update_rate": "lrUpdateRate",
    "label_prefix": "label",
    "pretrained_vectors": "pretrainedVectors",
}


def load_model(path: str | os.PathLike[str]) -> FastText:
    """Open a ``.bin`` or ``.ftz`` file.

    Raises
    ------
    InputError, FormatError
        See :func:`wordgrad.io.fasttext_model.read_model`.
    """
    return FastText(read_model(path))


def _noting_what_is_given(function: Callable[..., FastText]) -> Callable[..., FastText]:
    """Tell a function which of its arguments were given, in ``autotuneFixed``."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> FastText:
        bound = signature(function).bind(*arguments, **named).arguments
        given = {*bound, *(ALIASES.get(name, name) for name in named)}
        return function(*arguments, **named, autotuneFixed=frozenset(given))

    return called


@_noting_what_is_given
def train_supervised(
    input: str | os.PathLike[str], lr: float = 0.1, dim: int = 100, ws: int = 5, epoch: int = 5,
    minCount: int = 1, minCountLabel: int = 0, minn: int = 0, maxn: int = 0, neg: int = 5,
    wordNgrams: int = 1, loss: str = "softmax", bucket: int = 2_000_000, thread: int | None = None,
    lrUpdateRate: int = 100, t: float = 1e-4, label: str = PREFIX, verbose: int = 2,
    pretrainedVectors: str = "", seed: int = 0, autotuneValidationFile: str = "",
    autotuneMetric: str = "f1", autotunePredictions: int = 1, autotuneDuration: float = 300,
    autotuneModelSize: str = "", **aliases: Any,
) -> FastText:  # fmt: skip
    """Train a classifier; see :meth:`wordgrad.FastTextClassifier.train`.

    ``word_ngrams``, ``min_count``, ``label_prefix`` and ``pretrained_vectors`` are other names, as
    in fastText.  ``ws``, ``t``, ``lrUpdateRate`` and ``verbose`` have no effect.

    With ``autotuneValidationFile`` settings are searched for (:func:`wordgrad.autotune.search`) for
    ``autotuneDuration`` seconds: those of :data:`wordgrad.autotune.FASTTEXT_SPACE` that are not
    given.  The best model is the
    one whose ``autotunePredictions`` best labels score highest on that file by ``autotuneMetric``:
    ``f1``, ``f1:LABEL``, ``precisionAtRecall:30``, ``recallAtPrecision:30:LABEL``.  With
    ``autotuneModelSize`` ("2M") each is pruned, trained again and quantised, so that its file takes
    no more.

    Raises
    ------
    ParameterError
        A setting is out of range, or no model of the size has room for a word.
    InputError, TrainingError
        See :meth:`wordgrad.FastTextClassifier.train`.
    """
    fixed = aliases.pop("autotuneFixed")
    given = _named({name: value for name, value in locals().items() if name != "fixed"})
    if not given["autotuneValidationFile"]:
        return _trained(_classifier_of(given, None).model, given, "supervised")
    from wordgrad.autotune import FASTTEXT_SPACE, search  # half a second to import

    scored = _metric(given["autotuneMetric"])
    size = _bytes(given["autotuneModelSize"])
    space = {
        name: values
        for name, values in FASTTEXT_SPACE.items()
        if not fixed.intersection(name.split(", "))
    }

    def attempt(chosen: dict[str, Any], pause: Callable[[int, int], None]) -> Any:
        chosen = dict(chosen)
        if "minn, maxn" in chosen:
            chosen["minn"], chosen["maxn"] = chosen.pop("minn, maxn")
        used = {**given, **chosen}
        classifier = _classifier_of(used, lambda epoch, _: pause(epoch, used["epoch"]))
        if size is not None:
            cutoff = cutoff_of_size(classifier.model, size, norms=True)
            rows = classifier.model.input.shape[0]
            again = {"retrain": used["input"], "learning_rate": used["lr"],
                     "label_prefix": used["label"], "workers": used["thread"],
                     "seed": used["seed"]}  # fmt: skip
            classifier = classifier.quantize(
                cutoff=cutoff, norms=True, **(again if cutoff < rows else {})
            )
        model = _trained(classifier.model, used, "supervised")
        meter = Meter(model, used["autotuneValidationFile"], used["autotunePredictions"])
        return model, scored(meter)

    duration = check_real("autotuneDuration", given["autotuneDuration"], above=0.0)
    best: FastText = search(space, attempt, duration=duration, fixed={}, seed=given["seed"])[0]
    return best


def _classifier_of(
    given: dict[str, Any], progress: Callable[[int, float], None] | None
) -> FastTextClassifier:
    return FastTextClassifier.train(
        given["input"],
        vector_size=given["dim"],
        epochs=given["epoch"],
        learning_rate=given["lr"],
        loss=_chosen("loss", given["loss"], LOSSES),
        ngrams=given["wordNgrams"],
        subwords=(max(1, given["minn"]), given["maxn"]) if given["maxn"] > 0 else None,
        buckets=given["bucket"],
        negative=given["neg"],
        min_count=given["minCount"],
        min_count_label=given["minCountLabel"],
        label_prefix=given["label"],
        vectors=given["pretrainedVectors"] or None,
        workers=given["thread"],
        seed=given["seed"],
        progress=progress,
    )


def _metric(name: str) -> Callable[[Meter], float]:
    """Return the score of a meter that fastText calls by this name; NaN counts 0."""
    kind, _, rest = name.partition(":")
    share, _, label = rest.partition(":")
    if kind == "f1":
        return lambda meter: meter.f1(rest or None)
    curves = {
        "precisionAtRecall": Meter.precision_at_recall,
        "recallAtPrecision": Meter.recall_at_precision,
    }
    try:
        least = float(share) / 100
    except ValueError:
        least = math.nan
    if kind not in curves or not 0 <= least <= 1:
        raise ParameterError(
            "autotuneMetric must be f1, precisionAtRecall:30 or recallAtPrecision:30, each perhaps "
            f"with :LABEL after it, got {name!r}."
        )
    return lambda meter: curves[kind](meter, least, label or None)


def _bytes(size: str) -> int | None:
    """Return the bytes of ``2M``; None of nothing.

    >>> _bytes("2M"), _bytes("500k"), _bytes("123"), _bytes("")
    (2000000, 500000, 123, None)
    """
    if size == "":
        return None
    found = re.fullmatch(r"([0-9]+)([kKmMgG]?)", size)
    if found is None:
        raise ParameterError(
            f'autotuneModelSize must be a number of bytes like "2M", got {size!r}.'
        )
    return int(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[found[2].lower()]


def train_unsupervised(
    input: str | os.PathLike[str], model: str = "skipgram", lr: float = 0.05, dim: int = 100,
    ws: int = 5, epoch: int = 5, minCount: int = 5, minCountLabel: int = 0, minn: int = 3,
    maxn: int = 6, neg: int = 5, wordNgrams: int = 1, loss: str = "ns", bucket: int = 2_000_000,
    thread: int | None = None, lrUpdateRate: int = 100, t: float = 1e-4, label: str = PREFIX,
    verbose: int = 2, pretrainedVectors: str = "", seed: int = 0, **aliases: Any,
) -> FastText:  # fmt: skip
    """Train word vectors; see :class:`wordgrad.Word2Vec`, whose ``subwords`` these are.

    ``wordNgrams``, ``label``, ``lrUpdateRate`` and ``verbose`` have no effect.  ``</s>`` is no
    word, and windows do not reach over the end of a line, as in fastText.

    Raises
    ------
    ParameterError, InputError, TrainingError
        See :class:`wordgrad.Word2Vec`.
    """
    given = _named(locals())
    kinds = {"skipgram": "skipgram", "cbow": "cbow"}
    estimator = Word2Vec(
        architecture=_chosen("model", given["model"], kinds),
        learning_rate=given["lr"],
        vector_size=given["dim"],
        window=given["ws"],
        epochs=given["epoch"],
        min_count=given["minCount"],
        subwords=(max(1, given["minn"]), given["maxn"]) if given["maxn"] > 0 else None,
        buckets=given["bucket"],
        negative=given["neg"],
        loss=_chosen("loss", given["loss"], LOSSES),
        sample=given["t"],
        workers=given["thread"],
        vectors=given["pretrainedVectors"] or None,
        seed=given["seed"],
        keep_output=True,
    ).fit(os.fspath(given["input"]))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # mapped: it stays open
        path = Path(folder, "vectors.bin")
        estimator.vectors_.save(path, format="fasttext")
        written = read_model(path)
        written.dictionary  # noqa: B018  # read while the file has its name
    outputs = np.zeros((written.n_words, given["dim"]), np.float32)
    outputs[: len(estimator.output_vectors_)] = estimator.output_vectors_  # a tree has one less
    return _trained(replace(written, path=None, output=DenseMatrix(outputs)), given, given["model"])


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments by fastText's first name for each."""
    aliases = given.pop("aliases")
    for name, value in aliases.items():
        usual = ALIASES.get(name)
        if usual is None and name in ALIASES.values():
            usual = name
        if usual is None or usual not in given:
            raise TypeError(f"unexpected keyword argument '{name}'")
        given[usual] = value
    return given


def _chosen(name: str, value: str, choices: dict[str, str]) -> str:
    check_choice(name, value, tuple(choices))
    return choices[value]


def _trained(model: FastTextModel, given: dict[str, Any], kind: str) -> FastText:
    """Model that knows what it was trained with, as fastText's does."""
    found = FastText(model)
    for name, value in {**given, "model": kind}.items():
        if name not in ("input", "seed") and not name.startswith("autotune"):
            setattr(found, name, value)
    return found


def tokenize(text: str) -> list[str]:
    """Words of a text, with ``</s>`` for each new line."""
    lines = text.split("\n")
    found = [[*_words(line), EOS] for line in lines[:-1]]
    return [word for line in [*found, _words(lines[-1])] for word in line]


class FastText:
    """A model of fastText; get one from :func:`load_model` or :func:`train_supervised`.

    One that was trained here has its settings as attributes: ``model.lr``, ``model.dim``, ...
    """

    def __init__(self, model: FastTextModel) -> None:
        self._set(model)

    def _set(self, model: FastTextModel) -> None:
        """Take a model, and forget what was made from the one before."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                vars(self).pop(name, None)
        self._model = model
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
    def _known_labels(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}

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

    def get_line(self, text: str | list[str], on_unicode_error: str = "strict") -> tuple[Any, Any]:
        """Words and known labels of a line, or of each of a list; unknown labels are left out.

        Raises
        ------
        ParameterError
            A text has a new line in it.
        """
        if isinstance(text, list):
            found = [self.get_line(one) for one in text]
            return [words for words, _ in found], [labels for _, labels in found]
        if "\n" in text:
            raise ParameterError("get_line processes one line at a time (remove '\\n')")
        words = [*_words(text), EOS]
        words = words[: 1 + words.index(EOS)]
        known = self._known_labels
        return (
            [one for one in words if one in self._ids or not one.startswith(PREFIX)],
            [one for one in words if one in known and one not in self._ids],
        )

    def test(
        self, path: str | os.PathLike[str], k: int = 1, threshold: float = 0.0
    ) -> tuple[int, float, float]:
        """Lines with a known label, precision and recall of the k best labels of each."""
        counts = Meter(self, path, k, threshold)
        right, given, wanted = counts.right.sum(), counts.given.sum(), counts.wanted.sum()
        return counts.lines, _share(right, given), _share(right, wanted)

    def test_label(
        self, path: str | os.PathLike[str], k: int = 1, threshold: float = 0.0
    ) -> dict[str, dict[str, float]]:
        """Precision, recall and F1 of each label among the k best of each line; NaN for 0 / 0."""
        found = Meter(self, path, k, threshold)
        return {
            label: {
                "precision": _share(right, given),
                "recall": _share(right, wanted),
                "f1score": _share(2 * right, given + wanted),
            }
            for label, right, given, wanted in zip(
                self.labels, found.right, found.given, found.wanted, strict=True
            )
        }

    def get_meter(self, path: str | os.PathLike[str], k: int = -1) -> Meter:
        """Scores of the k best labels of each line of a file, beside the true labels."""
        return Meter(self, path, k)

    # ---------------------------------------------------------------- change, save

    def quantize(
        self, input: str | None = None, qout: bool = False, cutoff: int = 0, retrain: bool = False,
        epoch: int | None = None, lr: float | None = None, thread: int | None = None,
        verbose: int | None = None, dsub: int = 2, qnorm: bool = False,
    ) -> None:  # fmt: skip
        """Make the model small in place; see :meth:`wordgrad.FastTextClassifier.quantize`.

        ``verbose`` has no effect; ``retrain`` has none without ``cutoff``, as in fastText.

        Raises
        ------
        ValueError
            ``retrain`` without ``input``.
        ParameterError
            A setting is out of range.
        InputError
            It is quantised already, or no classifier; ``input`` cannot be read.
        """
        if retrain and not input:
            raise ValueError("Need input file path if retraining")
        rows = self._model.input.shape[0]
        again: dict[str, Any] = {
            "retrain": input,
            "epochs": epoch or self._model.settings.epoch,
            "learning_rate": lr or getattr(self, "lr", 0.05),
            "label_prefix": getattr(self, "label", PREFIX),
            "workers": thread,
        }
        small = self._classifier.quantize(
            cutoff=cutoff, width=dsub, norms=qnorm, output=qout,
            **(again if retrain and 0 < cutoff < rows else {}),
        )  # fmt: skip
        self._set(small.model)

    def set_matrices(self, input_matrix: ArrayLike, output_matrix: ArrayLike) -> None:
        """Replace both matrices by others of the same shape.

        Raises
        ------
        ParameterError
            A shape differs.
        """
        before = (self._model.input, self._model.output)
        matrices = [np.array(one, dtype=np.float32) for one in (input_matrix, output_matrix)]
        for name, one, old in zip(("input", "output"), matrices, before, strict=True):
            if old is not None and one.shape != old.shape:
                raise ParameterError(
                    f"{name}_matrix must have the shape {old.shape} of the one it replaces, got "
                    f"{one.shape}."
                )
        first, last = (DenseMatrix(one) for one in matrices)
        self._set(replace(self._model, path=None, input=first, output=last))

    def save_model(self, path: str | os.PathLike[str]) -> None:
        """Write ``.bin``, or of a quantised model ``.ftz``; a file that is there is replaced.

        Raises
        ------
        OutputError
            See :func:`wordgrad.io.fasttext_model.write_model`.
        """
        write_model(self._model, path, overwrite=True)

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
            raise ParameterError(f"{self._model.name} holds no output matrix; use a whole copy.")
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


class Meter:
    """The k best labels of every line of a file beside its true ones.

    Lines without a known label, or without a known word, do not count.

    Parameters
    ----------
    model : FastText
    path : path
        Labels and text on each line.
    k, threshold
        As in :meth:`FastText.predict`.

    Attributes
    ----------
    lines : int
    right, given, wanted : int64 (C,)
        Of each label how often it was predicted rightly, predicted, and true.
    """

    def __init__(
        self, model: FastText, path: str | os.PathLike[str], k: int, threshold: float = 0.0
    ) -> None:
        self._model = model
        n = len(model.labels)
        self.lines = 0
        self.right, self.given, self.wanted = (np.zeros(n, np.int64) for _ in range(3))
        scores: list[NDArray[np.float32]] = []
        labels: list[NDArray[np.int64]] = []
        truths: list[NDArray[np.bool_]] = []
        with open(path, "rb") as file:
            while batch := list(islice(file, LINES_AT_ONCE)):
                for number, text in enumerate(batch):
                    batch[number] = text.rstrip(b"\n")
                golden = [self._labels_of(line) for line in batch]
                lines = [line for line, gold in zip(batch, golden, strict=True) if gold]
                golden = [gold for gold in golden if gold]
                known = model._classifier.predict(lines)[0]
                found = model._classifier.predict(lines, k, threshold)
                for gold, any_word, names, values in zip(golden, known, *found, strict=True):
                    if any_word:
                        ids = np.array([model._known_labels[one] for one in names], np.int64)
                        missed = np.array([one for one in gold if one not in ids], np.int64)
                        labels += [ids, missed]
                        scores.append(np.minimum(values, np.float32(1)))
                        scores.append(np.full(len(missed), MISSED, np.float32))
                        truths += [np.isin(ids, gold), np.ones(len(missed), np.bool_)]
                        np.add.at(self.wanted, gold, 1)
                        self.lines += 1
        self._labels = np.concatenate([np.zeros(0, np.int64), *labels])
        self._scores = np.concatenate([np.zeros(0, np.float32), *scores])
        self._truths = np.concatenate([np.zeros(0, np.bool_), *truths])
        given = self._scores != MISSED
        self.given += np.bincount(self._labels[given], minlength=n)
        self.right += np.bincount(self._labels[given & self._truths], minlength=n)

    def _labels_of(self, line: bytes) -> list[int]:
        words = _words(line.decode(errors="surrogateescape"))
        known = self._model._known_labels
        return [known[word] for word in words if word in known]

    def score_vs_true(self, label: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores of a label by rising score, and whether it was true (1) or not (0).

        A line whose true label is not among its k best has the score -1.
        """
        return self._rising(label)

    def _rising(self, label: str | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen: Any = slice(None)
        if label is not None:
            chosen = self._labels == self._number(label)
        scores, truths = self._scores[chosen], self._truths[chosen].astype(np.float32)
        order = np.lexsort((truths, scores))
        return scores[order], truths[order]

    def _number(self, label: str) -> int:
        number = self._model.get_label_id(label)
        if number < 0:
            raise ParameterError(f"label must be one of the model's, got {label!r}.")
        return number

    def f1(self, label: str | None = None) -> float:
        """F1 of one label, or of all together; 0 where it is 0 / 0."""
        chosen: Any = slice(None) if label is None else [self._number(label)]
        right, given, wanted = (one[chosen].sum() for one in (self.right, self.given, self.wanted))
        return float(2 * right / (given + wanted)) if given + wanted else 0.0

    def precision_recall_curve(
        self, label: str | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Precision and recall of one label, or of all, for every score as the threshold.

        From the highest score down to the one from which every true label is found, and (1, 0).
        """
        scores, truths = (one[::-1] for one in self._rising(label))
        scores, truths = scores[scores != MISSED], truths[scores != MISSED]
        if len(scores) == 0:
            return np.zeros(0), np.zeros(0)
        wanted = self.wanted.sum() if label is None else self.wanted[self._number(label)]
        last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of equal scores
        right = np.cumsum(truths, dtype=np.float64)[last]
        stop = 1 + int(np.searchsorted(right, wanted))
        precision = (right / (last + 1))[:stop]
        with np.errstate(invalid="ignore"):
            recall = (right / wanted if wanted else np.full(len(right), np.nan))[:stop]
        return np.append(precision, 1.0), np.append(recall, 0.0)

    def precision_at_recall(self, recall: float, label: str | None = None) -> float:
        """Best precision of a threshold that reaches a recall; 0 if none does."""
        curve = self.precision_recall_curve(label)
        return float(curve[0][curve[1] >= recall].max(initial=0.0))

    def recall_at_precision(self, precision: float, label: str | None = None) -> float:
        """Best recall of a threshold that reaches a precision; 0 if none does."""
        curve = self.precision_recall_curve(label)
        return float(curve[1][curve[0] >= precision].max(initial=0.0))


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else float("nan")


def _dense(matrix: Matrix) -> NDArray[np.float32]:
    if not isinstance(matrix, DenseMatrix):
        raise ParameterError("Can't get quantized Matrix")
    return matrix.rows(np.arange(matrix.shape[0]))


def _words(line: str) -> list[str]:
    """Split at white space as fastText defines it."""
    for space in "\n\r\t\v\f\0":
        line = line.replace(space, " ")
    return [word for word in line.split(" ") if word]

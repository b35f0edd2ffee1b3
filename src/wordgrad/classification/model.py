r"""A trained text classifier: features and network, what it answers, and its file.

A text with the features f_1 .. f_n is seen as the weighted sum of their vectors, scaled::

    x = (a_1 v_1 + ... + a_n v_n) / sqrt(a_1 + ... + a_n)

and x goes through the network of :mod:`wordgrad.maths.network`, with a hidden layer or without.
``a`` is fixed before training (see :mod:`wordgrad.classification.examples`), the vectors are
learned with the network: by the chain rule ``dJ/dv_i = a_i / sqrt(a_1 + ... + a_n) dJ/dx``.  A text
without features has x = 0.
Between a sum and a mean lies the root: a long text says more than a short one, but not in
proportion.

Layout of a file
----------------
A :class:`~wordgrad.container.Container` of the part "classifier", with the arrays

================== =========== ==================================================================
``vectors``       F32 (R, D)   one row a feature: words, beginnings of words, n-grams of words and
                               of letters
``importance``    F32 (R)      what each feature counts
``W1``, ``b1``    F32          (D, H), (H); H is 0 without a hidden layer
``W2``, ``b2``    F32          (H or D, C), (C)
``hashes``        I64 (G)      rising hashes of the n-grams of words
``subword_hashes`` I64 (S)     those of the n-grams of letters; files without any may lack it
``words``         U8           the vocabulary in UTF-8, one word after another
``word_offsets``  I64 (V + 1)  word ``i`` is ``words[word_offsets[i]:word_offsets[i + 1]]``
``beginnings``    U8           beginnings of words, likewise, with ``beginning_offsets``
``labels``        U8           the classes in UTF-8, one after another
``label_offsets`` I64 (C + 1)
================== =========== ==================================================================

or, where the vectors are quantised (:mod:`wordgrad.classification.quantisation`), in their place
``codes`` U8 (R, P), ``centroids`` F32 (256 D), and of the rows' lengths ``norm_codes`` U8 (R) with
``norm_values`` F32 (at most 256); ``settings["width"]`` tells how many columns a code stands for.

The settings are its record.  With ``settings["loss"]`` "hierarchical-softmax" W2 and b2 have
C - 1 columns, and ``settings["label_counts"]`` makes its tree; files without that setting are
those of "softmax".  ``settings["several"]`` tells whether texts have several labels.
``settings["label_type"]`` is "str", "int" or "bool", what the
labels were in Python; files written before it was kept have none, and their labels are strings.
``settings["signs"]`` is true where tokens are words and signs; files of before have none, and if
they have no pattern either, white space separates their tokens.
Sizes in the file are compared with each other before anything is used.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.features import (
    FEW,
    RANGES,
    SPACES,
    UNKNOWN,
    Bags,
    Features,
    Tokens,
    are_lengths,
    tokenise,
)
from wordgrad.classification.losses import (
    LOSSES,
    NO_TREE,
    Tree,
    class_tree,
    log_odds_slopes,
    probabilities,
)
from wordgrad.container import Arrays, Container, checksum
from wordgrad.errors import FormatError, OutputError
from wordgrad.files import check_output
from wordgrad.io.fasttext_model import CENTROIDS, DenseMatrix, QuantisedMatrix
from wordgrad.maths import OneHiddenLayer, SoftmaxLayer, sigmoid
from wordgrad.training.parameters import aligned_rows
from wordgrad.vocabulary import Vocabulary

Array32 = NDArray[np.float32]

START = np.float32(0.1)
"""Vectors start uniform on [-START, START)."""


class NetworkArrays(NamedTuple):
    """Parameters of the network; ``W1`` to ``b2`` are views of ``layers``, in this order.

    vectors : float32 (R, D); importance : float32 (R,); W1 : float32 (D, H); W2 : float32 (H, C).
    Without hidden units W1 has no columns, and W2 is (D, C).
    """

    vectors: Array32
    importance: Array32
    layers: Array32
    W1: Array32
    b1: Array32
    W2: Array32
    b2: Array32


@dataclass(frozen=True)
class TextNetwork:
    """Parameters of the network, and the weights of the features.

    Attributes
    ----------
    vectors : float32 (R, D)
        One row a feature.
    importance : float32 (R,)
        ``a``, positive.
    layers : float32 (P,)
        W1 ``(D, H)``, b1, W2 ``(H, C)`` and b2, row by row, one after another.
    hidden_size, n_classes : int
        H, C; of the tree of hierarchical softmax, C counts its questions.
    loss : str
        What the C scores mean: see :mod:`wordgrad.classification.losses`.
    tree : Tree
        Of hierarchical softmax.
    quantised : QuantisedMatrix or None
        What ``vectors`` were decoded from: a file holds its codes in their place.
    """

    vectors: Array32
    importance: Array32
    layers: Array32
    hidden_size: int
    n_classes: int
    loss: str = "softmax"
    tree: Tree = NO_TREE
    quantised: QuantisedMatrix | None = None

    @classmethod
    def initial(
        cls,
        importance: Array32,
        vector_size: int,
        hidden_size: int,
        n_classes: int,
        seed: int,
        loss: str = "softmax",
        tree: Tree = NO_TREE,
    ) -> TextNetwork:
        """Random vectors, and layers as :class:`~wordgrad.maths.OneHiddenLayer` starts them."""
        rng = np.random.default_rng([seed, 2])
        vectors = aligned_rows(len(importance), vector_size)
        rng.random(dtype=np.float32, out=vectors)
        vectors -= np.float32(0.5)
        vectors *= 2 * START
        flat = _layers(vector_size, hidden_size, n_classes, seed).pack().astype(np.float32)
        return cls(vectors, importance, flat, hidden_size, n_classes, loss, tree)

    @classmethod
    def of(
        cls, tensors: Mapping[str, NDArray[Any]], loss: str = "softmax", tree: Tree = NO_TREE
    ) -> TextNetwork:
        """Network with the arrays that :meth:`tensors` names; their shapes fit each other."""
        layers = np.concatenate([tensors[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        hidden_size, n_classes = tensors["W1"].shape[1], tensors["W2"].shape[1]
        return cls(
            tensors["vectors"], tensors["importance"], layers, hidden_size, n_classes, loss, tree
        )

    @classmethod
    def joined(cls, members: Sequence[TextNetwork], *, last: bool = False) -> TextNetwork:
        """One network whose logits are the mean of the members' logits.

        Its vectors and hidden units are the members' side by side, its W1 is block-diagonal, and
        its W2 and b2 are theirs over their number.  The members share features and importance.

        With ``last`` the members' vectors are gone afterwards: memory holds them once, not twice.
        """
        n = len(members)
        parts = [member.parts(member.layers) for member in members]
        W1 = np.zeros((sum(len(p[0]) for p in parts), sum(len(p[1]) for p in parts)), np.float32)
        row = column = 0
        for block, *_ in parts:
            W1[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        layers = [
            W1.ravel(),
            np.concatenate([b1 for _, b1, _, _ in parts]),
            np.concatenate([W2 for _, _, W2, _ in parts]).ravel() / np.float32(n),
            sum(b2 for _, _, _, b2 in parts) / np.float32(n),
        ]
        vectors = _side_by_side([member.vectors for member in members], last=last)
        for member in members if last and n > 1 else ():  # what they pointed to is gone
            object.__setattr__(
                member, "vectors", np.zeros((0, member.vectors.shape[1]), np.float32)
            )
        return cls(
            vectors,
            members[0].importance,
            np.concatenate(layers).astype(np.float32),
            column,
            members[0].n_classes,
            members[0].loss,
            members[0].tree,
        )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name: vectors (or their codes), importance, W1, b1, W2, b2."""
        arrays = self.arrays()._asdict()
        del arrays["layers"]
        small = self.quantised
        if small is not None and small.norms is not None:
            del arrays["vectors"]
            values, norms = np.unique(small.norms, return_inverse=True)
            arrays |= {
                "codes": np.ascontiguousarray(small.codes),
                "centroids": small.centroids,
                "norm_codes": norms.astype(np.uint8),
                "norm_values": values,
            }
        return arrays

    def arrays(self) -> NetworkArrays:
        """Return what kernels take: the same memory."""
        return NetworkArrays(self.vectors, self.importance, self.layers, *self.parts(self.layers))

    def parts(self, flat: Array32) -> list[Array32]:
        """Views of W1, b1, W2, b2 in an array that is laid out as ``layers``."""
        size, hidden, classes = self.vectors.shape[1], self.hidden_size, self.n_classes
        shapes = [(size, hidden), (hidden,), (hidden or size, classes), (classes,)]
        cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        return [
            part.reshape(shape) for part, shape in zip(np.split(flat, cuts), shapes, strict=True)
        ]

    def copy(self) -> TextNetwork:
        """Return a network whose parameters no longer change with this one's."""
        return replace(self, vectors=self.vectors.copy(), layers=self.layers.copy())

    def inputs_and_logits(self, bags: Bags) -> tuple[Array32, Array32]:
        """Inputs x ``(N, D)`` and logits ``(N, C)`` of every text."""
        x = np.zeros((len(bags), self.vectors.shape[1]), np.float32)
        logits = np.zeros((len(bags), self.n_classes), np.float32)
        if len(bags) <= FEW:
            self._few(bags, x, logits)
            return x, logits
        from wordgrad.classification.kernels import forward

        forward(bags.features, bags.offsets, self.arrays(), x, logits)
        return x, logits

    def _few(self, bags: Bags, x: Array32, logits: Array32) -> None:
        """The same for few texts, in NumPy: compiled code takes half a second to load."""
        W1, b1, W2, b2 = self.parts(self.layers)
        for i in range(len(bags)):
            rows = bags.features[bags.offsets[i] : bags.offsets[i + 1]]
            weights = self.importance[rows]
            if len(rows):
                x[i] = weights @ self.vectors[rows] / np.sqrt(weights.sum())
            h = sigmoid(x[i] @ W1 + b1).astype(np.float32) if self.hidden_size else x[i]
            logits[i] = h @ W2 + b2

    def exact_layers(self) -> OneHiddenLayer | SoftmaxLayer:
        """Return the layers as the float64 network of the mathematics."""
        layers = _layers(self.vectors.shape[1], self.hidden_size, self.n_classes, 0)
        return layers.unpack(self.layers)


_ROWS = 1 << 16  # that are joined at a time


def _side_by_side(parts: Sequence[Array32], *, last: bool) -> Array32:
    """Columns of several matrices; with ``last`` these shrink as their rows are taken."""
    if last and len(parts) == 1:
        return parts[0]
    columns = np.cumsum([0, *(part.shape[1] for part in parts)])
    whole = np.empty((len(parts[0]), int(columns[-1])), np.float32)
    for part, first, end in zip(parts, columns, columns[1:], strict=False):
        memory, width = part.base, part.shape[1]  # of aligned_rows
        if not last or memory is None or memory.ndim != 1 or not memory.flags.owndata:
            whole[:, first:end] = part
            continue
        skip = (part.ctypes.data - memory.ctypes.data) // part.itemsize
        for start in range((len(whole) - 1) // _ROWS * _ROWS, -1, -_ROWS):
            rows = memory[skip + start * width :][: len(whole[start : start + _ROWS]) * width]
            whole[start : start + _ROWS, first:end] = rows.reshape(-1, width)
            # Rows from the end on: what is before them stays as it is.  No one else looks.
            memory.resize(skip + start * width, refcheck=False)
    return whole


def _layers(
    vector_size: int, hidden_size: int, n_classes: int, seed: int
) -> OneHiddenLayer | SoftmaxLayer:
    if hidden_size == 0:
        return SoftmaxLayer(vector_size, n_classes, seed=seed)
    return OneHiddenLayer(vector_size, hidden_size, n_classes, seed=seed)


def contributions(
    network: TextNetwork, features: Features, tokens: Tokens, label: int
) -> NDArray[np.float64]:
    r"""Contribution of every token of one text.

    :math:`g = d/dx \log p / (1 - p)` is the gradient of the label's log odds: that for the scores
    (:func:`~wordgrad.classification.losses.log_odds_slopes`), propagated back by
    :class:`wordgrad.maths.OneHiddenLayer`.  (The gradient of :math:`\log p` is g times
    :math:`1 - p`: it vanishes where the network is sure.)  Feature f adds
    :math:`a_f v_f / \sqrt{\sum a}` to x; its product with g is shared equally among the tokens of
    the feature (the edges of a text, which are symbols of n-grams, leave their part to the words).

    Returns
    -------
    float64 (T,)
        Their sum is :math:`g \cdot x`.
    """
    bags = features.bags(tokens)
    x, _ = network.inputs_and_logits(bags)
    d_x = _log_odds_gradient(network, x.astype(np.float64), label)
    values = np.zeros(len(tokens.ids))
    total = float(network.importance[bags.features].astype(np.float64).sum())
    if total == 0:
        return values
    pushes = network.importance * (network.vectors.astype(np.float64) @ d_x) / np.sqrt(total)
    ids = features.word_ids(tokens)
    values[ids != UNKNOWN] += pushes[ids[ids != UNKNOWN]]
    parts, ends = features.parts_of(tokens.types)
    sums = np.concatenate([[0], np.cumsum(pushes[parts])])[ends]
    values += np.diff(sums)[tokens.ids]
    for first, n, row in features.ngrams_of(ids):
        inside = slice(max(first, 0), min(first + n, len(ids)))
        values[inside] += pushes[row] / (inside.stop - inside.start)
    return values


def _log_odds_gradient(
    network: TextNetwork, x: NDArray[np.float64], label: int
) -> NDArray[np.float64]:
    """Gradient of ``log(p / (1 - p))`` for one row x ``(1, D)``: float64 (D,)."""
    layers = network.exact_layers()
    slopes = log_odds_slopes(network.loss, layers.forward(x).logits[0], label, network.tree)
    found = layers.loss_and_gradients(x, slopes[None], loss=_given_slopes)
    return np.asarray(found.d_X[0], np.float64)


def _given_slopes(logits: Any, slopes: Any, reduction: str) -> tuple[float, Any]:
    """A loss whose gradient is known."""
    return 0.0, slopes


ENTRY = "wordgrad-classifier"  # metadata of version 0.1
REMEDY = "train again, or fetch an undamaged copy."

_TENSORS: dict[str, tuple[str, int]] = {  # dtype and number of dimensions
    "vectors": ("float32", 2),
    "importance": ("float32", 1),
    "W1": ("float32", 2),
    "b1": ("float32", 1),
    "W2": ("float32", 2),
    "b2": ("float32", 1),
    "hashes": ("int64", 1),
    "subword_hashes": ("int64", 1),
    "words": ("uint8", 1),
    "word_offsets": ("int64", 1),
    "beginnings": ("uint8", 1),
    "beginning_offsets": ("int64", 1),
    "labels": ("uint8", 1),
    "label_offsets": ("int64", 1),
    "codes": ("uint8", 2),
    "centroids": ("float32", 1),
    "norm_codes": ("uint8", 1),
    "norm_values": ("float32", 1),
}

_QUANTISED = ("codes", "centroids", "norm_codes", "norm_values")
"""In place of ``vectors``."""

_STRINGS = {
    "words": "word_offsets",
    "beginnings": "beginning_offsets",
    "labels": "label_offsets",
}


def _read_layout_1(path: Path, metadata: Mapping[str, str], arrays: Arrays) -> dict[str, Any]:
    """Settings in a file of version 0.1, which has one checksum of all, in one metadata entry."""
    try:
        about = json.loads(metadata[ENTRY])
        layout, settings, found = about["layout"], dict(about["settings"]), about["crc32"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CLASSIFIER.damaged(path, "its metadata are not what wordgrad writes") from error
    value = checksum(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(arrays):
        value = checksum(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode(), value)
        value = checksum(arrays[name], value)
    if layout != "1":
        raise CLASSIFIER.damaged(path, f"its layout is {layout!r}, and not '1'")
    if found != f"{value:08x}":
        raise CLASSIFIER.damaged(path, "it fails its checksum")
    return settings


CLASSIFIER = Container(
    part="classifier",
    layout="2",
    remedy=REMEDY,
    origin="name one that `wordgrad classify train` or TextClassifier.save wrote.",
    schema=_TENSORS,
    optional=frozenset({"subword_hashes", "vectors", *_QUANTISED}),
    earlier={ENTRY: _read_layout_1},
)


def write_model(
    path: str | os.PathLike[str],
    arrays: Arrays,
    strings: dict[str, list[str]],
    settings: dict[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write a file of this layout; it is whole or absent at any moment.

    Parameters
    ----------
    path : path
    arrays : dict of arrays
        Those of the table above but those of ``strings``.
    strings : dict of list of str
        Words, beginnings, labels.
    settings : dict
        What JSON can hold.

    Raises
    ------
    OutputError
        If the name does not end in ``.safetensors``, the file exists and ``overwrite`` is false, or
        it cannot be written.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise OutputError(
            f"The output {path} must end in .safetensors, the format of classifiers; rename it."
        )
    target = check_output(path, overwrite=overwrite)
    whole = dict(arrays)
    for name, offsets in _STRINGS.items():
        whole[name], whole[offsets] = Vocabulary.from_words(strings[name]).packed()
    CLASSIFIER.write(target, settings, whole, overwrite=overwrite)


def read_model(
    path: str | os.PathLike[str],
) -> tuple[Arrays, dict[str, list[str]], dict[str, Any]]:
    """Arrays, strings and settings of a file that :func:`write_model` made.

    Raises
    ------
    InputError
        If the file cannot be opened.
    FormatError
        If it is damaged or something else.
    """
    file = Path(path)
    settings, arrays = CLASSIFIER.read(file)
    arrays.setdefault("subword_hashes", np.zeros(0, np.int64))
    whole = "vectors" in arrays
    if sum(name in arrays for name in _QUANTISED) != (0 if whole else len(_QUANTISED)):
        raise FormatError(
            f"{file} is damaged: it must hold vectors, or their codes, centroids and norms; "
            f"{REMEDY}"
        )
    if not whole:
        arrays["vectors"] = quantised_of(file, arrays, settings).rows(
            np.arange(len(arrays["codes"]))
        )
    _check_shapes(file, arrays, settings)
    strings = {
        name: Vocabulary.from_packed(arrays.pop(name), arrays.pop(offsets), str(file)).words
        for name, offsets in _STRINGS.items()
    }
    return arrays, strings, settings


def quantised_of(file: Path, tensors: Arrays, settings: dict[str, Any]) -> QuantisedMatrix:
    """Quantised vectors of a file; raises :class:`FormatError` if the sizes do not fit."""
    size, width = len(tensors["W1"]), settings.get("width")
    codes, values = tensors["codes"], tensors["norm_values"]
    if type(width) is not int or not 1 <= width <= max(size, 1):
        raise FormatError(f"{file} is damaged: a code stands for {width!r} columns; {REMEDY}")
    shapes = {
        "codes": (len(tensors["importance"]), -(-size // width)),
        "centroids": (CENTROIDS * size,),
        "norm_codes": (len(codes),),
    }
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise FormatError(
                f"{file} is damaged: {name} has the shape {tensors[name].shape}, where the other "
                f"sizes ask for {shape}; {REMEDY}"
            )
    if int(tensors["norm_codes"].max(initial=0)) >= max(len(values), 1):
        raise FormatError(f"{file} is damaged: it holds {len(values)} norms; {REMEDY}")
    norms = values[tensors["norm_codes"]]
    return QuantisedMatrix(codes, tensors["centroids"], width, size, norms)


def _check_shapes(file: Path, tensors: Arrays, settings: dict[str, Any]) -> None:
    rows, size = tensors["vectors"].shape
    hidden, outputs = tensors["W1"].shape[1], tensors["W2"].shape[1]
    classes = outputs + (settings.get("loss") == "hierarchical-softmax")
    n_others = len(tensors["beginning_offsets"]) - 1
    n_others += len(tensors["hashes"]) + len(tensors["subword_hashes"])
    expected = {
        "importance": (rows,),
        "W1": (size, hidden),
        "W2": (hidden or size, outputs),
        "b1": (hidden,),
        "b2": (outputs,),
        "label_offsets": (classes + 1,),
        "word_offsets": (rows - n_others + 1,),
    }
    for name, shape in expected.items():
        if tensors[name].shape != shape or size < 1 or classes < 2:
            raise FormatError(
                f"{file} is damaged: {name} has the shape {tensors[name].shape}, where the other "
                f"sizes ask for {shape}; {REMEDY}"
            )
    floats = (name for name in tensors if tensors[name].dtype == np.float32)
    if not all(np.isfinite(tensors[name]).all() for name in floats):
        raise FormatError(f"{file} is damaged: it holds numbers that are not finite; {REMEDY}")
    if (tensors["importance"] <= 0).any():
        raise FormatError(f"{file} is damaged: importance must be positive; {REMEDY}")
    if any((np.diff(tensors[name]) <= 0).any() for name in ("hashes", "subword_hashes")):
        raise FormatError(f"{file} is damaged: its hashes do not rise; {REMEDY}")


@dataclass(frozen=True)
class TextModel:
    """Features and network of a trained classifier: texts in, probabilities out.

    Attributes
    ----------
    features : Features
    network : TextNetwork
    pattern : str or None
    lowercase : bool
        How texts are split into tokens; see :class:`~wordgrad.corpus.tokenizer.Tokenizer`.
    several : bool
        Whether a text has several labels.
    label_counts : tuple of int (C,)
        Of hierarchical softmax: how often each class was seen, which makes the tree.
    """

    features: Features
    network: TextNetwork
    pattern: str | None
    lowercase: bool
    several: bool = False
    label_counts: tuple[int, ...] = ()

    @property
    def splits_by_itself(self) -> bool:
        """Whether texts are split without a regular expression, and so without Polars."""
        return self.pattern in (None, SPACES)

    def bags(self, texts: Sequence[str]) -> Bags:
        """Features of the texts."""
        return self.features.bags(tokenise(texts, pattern=self.pattern, lowercase=self.lowercase))

    def probabilities(self, bags: Bags) -> NDArray[np.float64]:
        """Probability of every class: float64 (N, C); rows sum to 1 unless it is one-vs-all."""
        logits = self.network.inputs_and_logits(bags)[1].astype(np.float64)
        return probabilities(self.network.loss, logits, self.network.tree)

    def quantised(self, width: int, ngrams: int | None, seed: int) -> TextModel:
        """Return the model made small: ``ngrams`` hashed features at most, the others quantised.

        Of n-grams those are kept whose weighted vectors are longest: the others move a text least.
        """
        from wordgrad.classification.quantisation import quantise_matrix

        features, network = self.features, self.network
        n = len(features) - len(features.hashes) - len(features.subword_hashes)
        if ngrams is not None and len(features) - n > ngrams:
            lengths = np.linalg.norm(network.vectors[n:], axis=1) * network.importance[n:]
            kept = np.sort(np.argsort(-lengths, kind="stable")[:ngrams])
            first = len(features.hashes)
            features = replace(
                features,
                hashes=features.hashes[kept[kept < first]],
                subword_hashes=features.subword_hashes[kept[kept >= first] - first],
                _tables={},
            )
            rows = np.concatenate([np.arange(n), n + kept])
            network = replace(
                network, vectors=network.vectors[rows], importance=network.importance[rows]
            )
        small = quantise_matrix(DenseMatrix(network.vectors), width, norms=True, seed=seed)
        decoded = small.rows(np.arange(len(network.vectors)))
        return replace(
            self, features=features, network=replace(network, vectors=decoded, quantised=small)
        )

    def explain(self, text: str, label: int | None) -> list[tuple[str, float]]:
        """Tokens of a text with their contributions to a class, by default the most probable."""
        tokens = tokenise([text], pattern=self.pattern, lowercase=self.lowercase)
        if label is None:
            label = int(self.probabilities(self.features.bags(tokens))[0].argmax())
        values = contributions(self.network, self.features, tokens, label)
        words = [tokens.types[i] for i in tokens.ids.tolist()]
        return list(zip(words, values.tolist(), strict=True))

    def save(
        self,
        path: str | os.PathLike[str],
        labels: Sequence[str] | Sequence[int] | Sequence[bool],
        history: list[dict[str, Any]],
        *,
        overwrite: bool,
    ) -> None:
        """Write to a safetensors file; see :mod:`wordgrad.classification.model`.

        Parameters
        ----------
        labels : sequence of str, of int or of bool (C,)
            The classes in their order, all of one type.
        """
        features = self.features
        settings = {
            "label_type": type(labels[0]).__name__,
            "loss": self.network.loss,
            "several": self.several,
            "label_counts": list(self.label_counts),
            "pattern": self.pattern,
            "signs": self.pattern is None,
            "lowercase": self.lowercase,
            "common": features.common,
            "prefix": features.prefix,
            "ngrams": features.ngrams,
            "buckets": features.buckets,
            "subwords": list(features.subwords) if features.subwords else None,
            # Without seconds: the same training gives the same file.
            "history": [{k: v for k, v in row.items() if k != "seconds"} for row in history],
        }
        if self.network.quantised is not None:
            settings["width"] = self.network.quantised.width
        arrays = self.network.tensors() | {
            "hashes": features.hashes,
            "subword_hashes": features.subword_hashes,
        }
        strings = {
            "words": features.words,
            "beginnings": features.beginnings,
            "labels": [str(label) for label in labels],
        }
        write_model(path, arrays, strings, settings, overwrite=overwrite)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str]
    ) -> tuple[TextModel, list[Any], list[dict[str, Any]]]:
        """Model, labels and history of a file that :meth:`save` wrote."""
        arrays, strings, settings = read_model(path)
        if not _are_settings(settings):
            raise FormatError(
                f"{path} is damaged: its settings are not those of a classifier; {REMEDY}"
            )
        features = Features(
            strings["words"],
            settings["common"],
            strings["beginnings"],
            settings["prefix"],
            arrays["hashes"],
            settings["ngrams"],
            settings["buckets"],
            tuple(settings["subwords"]) if settings.get("subwords") else None,
            arrays["subword_hashes"],
        )
        loss, counts = settings.get("loss", "softmax"), tuple(settings.get("label_counts", ()))
        if loss == "hierarchical-softmax" and len(counts) != len(strings["labels"]):
            raise FormatError(
                f"{path} is damaged: it counts {len(counts)} of {len(strings['labels'])} labels; "
                f"{REMEDY}"
            )
        tree = class_tree(np.array(counts)) if loss == "hierarchical-softmax" else NO_TREE
        network = TextNetwork.of(arrays, loss, tree)
        if "codes" in arrays:
            network = replace(network, quantised=quantised_of(Path(path), arrays, settings))
        pattern = settings["pattern"]
        if pattern is None and not settings.get("signs", False):
            pattern = SPACES
        model = cls(
            features,
            network,
            pattern,
            settings["lowercase"],
            settings.get("several", False),
            counts,
        )
        labels = _typed(strings["labels"], settings.get("label_type", "str"))
        if labels is None:
            raise FormatError(
                f"{path} is damaged: its labels are not of the type "
                f"{settings['label_type']!r}; {REMEDY}"
            )
        return model, labels, settings["history"]


def _typed(labels: list[str], kind: object) -> list[Any] | None:
    """Labels as they were in Python; None if their text is not what ``str`` gives of that type."""
    if kind == "str":
        return list(labels)
    if kind == "bool":
        values: list[Any] = [label == "True" for label in labels]
    elif kind == "int":
        if not all(re.fullmatch(r"-?[0-9]{1,1000}", label) for label in labels):
            return None
        values = [int(label) for label in labels]
    else:
        return None
    return values if [str(value) for value in values] == labels else None


def _are_settings(found: dict[str, Any]) -> bool:
    ranges = RANGES | {"common": (0, 1 << 62)}
    numbers = all(
        type(found.get(name)) is int and least <= found[name] <= most
        for name, (least, most) in ranges.items()
    )
    pattern = found.get("pattern", 0)
    lengths = found.get("subwords")
    counts = found.get("label_counts", [])
    return (
        numbers
        and (lengths is None or are_lengths(lengths))
        and found.get("loss", "softmax") in LOSSES
        and isinstance(found.get("several", False), bool)
        and isinstance(counts, list)
        and all(type(count) is int and 0 <= count < 1 << 40 for count in counts)
        and isinstance(found.get("lowercase"), bool)
        and (pattern is None or isinstance(pattern, str))
        and isinstance(found.get("history"), list)
    )

"""The labelled texts of the comparison: how they are read, and what is trained and tested on.

``DATA`` is a folder with the files as their authors published them::

    sst/datasetSentences.txt    sentence_index, sentence (Stanford Sentiment Treebank)
    sst/sentence_labels.tsv     sentence_index, split (1 train, 2 test, 3 validation), label 0-4
    classification/TREC.train   label and question, a line each; TREC.test likewise
    classification/rt-polarity.all, subj.all    label and sentence

Every program gets the same words: lower-cased, one blank between them.  Only whole sentences of the
treebank are used, not its phrases.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

TITLES = {
    "sst5": "SST, five-way",
    "sst2": "SST, two-way",
    "trec": "TREC",
    "mr": "MR",
    "subj": "Subj",
}
FOLDS = 10
SEED = 1
_FILES = {
    "sst5": ("sst/datasetSentences.txt", "sst/sentence_labels.tsv"),
    "sst2": ("sst/datasetSentences.txt", "sst/sentence_labels.tsv"),
    "trec": ("classification/TREC.train", "classification/TREC.test"),
    "mr": ("classification/rt-polarity.all",),
    "subj": ("classification/subj.all",),
}
_TRAIN, _TEST, _VALIDATION = 1, 2, 3


@dataclass(frozen=True)
class LabelledSet:
    """Texts with labels, and which are for what.

    ``split`` holds 1 (train), 2 (test), 3 (validation); it is ``None`` where there is no standard,
    and ten folds are made.
    """

    name: str
    texts: list[str]
    labels: list[str]
    split: Rows | None

    @property
    def rounds(self) -> int:
        """How many times a program is trained for one accuracy."""
        return FOLDS if self.split is None else 1

    def parts(self, stage: str, fold: int) -> tuple[Rows, Rows]:
        """Rows to train on, in a random order, and rows to predict.

        The files of the treebank and of TREC are sorted, and fastText takes texts as they come: in
        the order of the file it would be at 69% on two-way SST.
        ``stage`` is "test", or "validation": then settings are chosen, and no test row is touched.
        Of ten folds, the validation part is a tenth of what the first fold trains on.
        """
        if self.split is None:
            folds = np.array_split(np.random.default_rng(SEED).permutation(len(self.texts)), FOLDS)
            train, test = np.concatenate([*folds[:fold], *folds[fold + 1 :]]), folds[fold]
        else:
            rng = np.random.default_rng(SEED)
            train = rng.permutation(np.flatnonzero(self.split == _TRAIN))
            test = np.flatnonzero(self.split == _TEST)
        if stage == "test":
            return train, test
        if self.split is not None and (self.split == _VALIDATION).any():
            return train, np.flatnonzero(self.split == _VALIDATION)
        shuffled = np.random.default_rng(SEED).permutation(train)
        tenth = len(shuffled) // 10
        return shuffled[tenth:], shuffled[:tenth]


def load_set(data: Path, name: str) -> LabelledSet:
    """Read one of :data:`TITLES` from the folder ``data``."""
    if name in ("sst5", "sst2"):
        return _treebank(data, name)
    if name == "trec":
        train, test = (_labelled_lines(data / file) for file in _FILES[name])
        split = np.repeat([_TRAIN, _TEST], [len(train), len(test)])
        return _made(name, [*train, *test], split)
    return _made(name, _labelled_lines(data / _FILES[name][0]), None)


def set_hash(data: Path, name: str) -> str:
    """SHA-256 of the set's files, one after another."""
    digest = hashlib.sha256()
    for file in _FILES[name]:
        digest.update((data / file).read_bytes())
    return digest.hexdigest()


def _made(name: str, rows: list[tuple[str, str]], split: Rows | None) -> LabelledSet:
    return LabelledSet(name, [text for _, text in rows], [label for label, _ in rows], split)


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # MR and TREC.train
    return [line for line in text.split("\n") if line.strip()]


def _clean(text: str) -> str:
    return " ".join(text.lower().split())


def _labelled_lines(path: Path) -> list[tuple[str, str]]:
    rows = (line.split(None, 1) for line in _lines(path))
    return [(label, _clean(text)) for label, text in rows]


def _treebank(data: Path, name: str) -> LabelledSet:
    sentences, labels = (data / file for file in _FILES[name])
    texts = dict(line.rstrip("\r").split("\t", 1) for line in _lines(sentences)[1:])
    rows, split = [], []
    for line in _lines(labels)[1:]:
        index, part, label = line.split()
        if name == "sst2":
            if label == "2":  # neutral
                continue
            label = "positive" if label in "34" else "negative"
        rows.append((label, _clean(texts[index])))
        split.append(int(part))
    return _made(name, rows, np.array(split))

"""What each part of the text classifier does for its accuracy: one change at a time.

    python benchmarks/classification_levers.py DATA [--only NAME] [--vectors wiki8.safetensors]

Test parts are never touched: every lever is measured by cross-validation within the training parts
(for the treebank, with its validation part), the first :data:`USED` of five folds, the same ones
for all.
Each lever's accuracies are written to ``results/classification-levers.json`` as soon as they are
there; what is there already is not measured again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from labelled_sets import LabelledSet, load_set
from lever_figures import TITLES
from machine import RESULTS, circumstances
from tables import Record

OUT = RESULTS / "classification-levers.json"
FOLDS, USED = 5, 3

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "one network of the same size": {"members": 1},
    "four networks of the same joint size": {"members": 4},
    "four networks of twice the joint size": {
        "members": 4,
        "vector_size": 128,
        "hidden_size": 64,
    },
    "no beginnings of words": {"prefix": 0},
    "beginnings of 4 letters": {"prefix": 4},
    "beginnings of 6 letters": {"prefix": 6},
    "words alone, no pairs": {"ngrams": 1},
    "up to three words": {"ngrams": 3},
    "3 epochs": {"epochs": 3},
    "10 epochs": {"epochs": 10},
    "rate 0.01": {"learning_rate": 0.01},
    "rate 0.05": {"learning_rate": 0.05},
    "labels smoothed by 0.2": {"smoothing": 0.2},
    "a third of the features dropped": {"dropout": 0.33},
    "l2 of 1e-5": {"l2": 1e-5},
    "words seen once unknown": {"min_count": 2},
    "batches of 16": {"batch_size": 16},
    "stopped early": {"early_stopping": True, "epochs": 10},
}
PATCHES = (
    "all features count alike",
    "rare words as they are in pairs",
    "pairs seen once left out",
)
VECTORS = {
    "start from `wiki8` vectors": {"train_vectors": True},
    "`wiki8` vectors, not trained": {"train_vectors": False},
}


@contextmanager
def changed(name: str) -> Iterator[None]:
    """The classifier without one of the parts that no option turns off."""

    class Twice:
        """NumPy, but for what keeps the hashes of n-grams."""

        def __getattr__(self, name: str) -> Any:
            return getattr(np, name)

        def unique(self, hashes: Any) -> Any:
            found, counts = np.unique(hashes, return_counts=True)
            return found[counts > 1]

    def alike(examples: Any, n_features: int, n_classes: int) -> Any:
        return np.ones(n_features, np.float32)

    if name == PATCHES[0]:
        with patch("wordgrad.text_classifier.divergences", alike):
            yield
    elif name == PATCHES[1]:
        with patch("wordgrad.classification.features.COMMON", 1):
            yield
    elif name == PATCHES[2]:
        with patch("wordgrad.classification.features.np", Twice()):
            yield
    else:
        yield


def accuracies(one: LabelledSet, settings: dict[str, Any]) -> list[float]:
    """Accuracy on each of the folds used."""
    from wordgrad import TextClassifier

    rows = np.arange(len(one.texts)) if one.split is None else np.flatnonzero(one.split != 2)
    folds = np.array_split(np.random.default_rng(0).permutation(rows), FOLDS)
    found = []
    for fold in range(USED):
        train = np.concatenate([*folds[:fold], *folds[fold + 1 :]])
        texts, labels = ([column[i] for i in train.tolist()] for column in (one.texts, one.labels))
        model = TextClassifier(**settings).fit(texts, labels)
        answers = model.predict([one.texts[i] for i in folds[fold]])
        right = [one.labels[i] for i in folds[fold]]
        found.append(float(np.mean(answers == np.array(right))))
    return found


def measure(data: Path, vectors: Path | None, only: str | None) -> None:
    """Measure every lever that is not on record, in the order of the table."""
    record: Record = json.loads(OUT.read_text()) if OUT.exists() else {}
    levers: dict[str, Record] = record.get("levers", {})
    settings = OPTIONS | {name: {} for name in PATCHES}
    if vectors is not None:
        settings |= {name: {"vectors": vectors, **rest} for name, rest in VECTORS.items()}
    sets = {name: load_set(data, name) for name in TITLES}
    for name, chosen in settings.items():
        if name in levers or (only is not None and name != only):
            continue
        with changed(name):
            levers[name] = {key: accuracies(one, chosen) for key, one in sets.items()}
        head = {
            "question": "What does each part of the text classifier do for its accuracy?",
            "method": f"the default with one change; accuracy by {FOLDS}-fold cross-validation "
            f"within the training parts, folds 1 to {USED}, the same for all; seed 1",
        }
        OUT.write_text(json.dumps(head | circumstances() | {"levers": levers}, indent=1) + "\n")
        mean = np.mean([np.mean(values) for values in levers[name].values()])
        print(f"{name}: {100 * mean:.2f}", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="word vectors trained on wiki8")
    parser.add_argument("--only", help="measure this lever alone")
    arguments = parser.parse_args()
    measure(arguments.data, arguments.vectors, arguments.only)


if __name__ == "__main__":
    main()

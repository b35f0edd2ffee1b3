"""Tables of what the parts of the classifiers do, from ``results``."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from tables import Record, load, table

TITLES = {"sst5": "SST, five-way", "trec": "TREC", "mr": "MR", "subj": "Subj"}


def classification_levers() -> str:
    """Accuracy of the default in percent, and points that each change adds or takes away."""
    levers = load("classification-levers.json")["levers"]
    means = {name: [100 * fmean(values[key]) for key in TITLES] for name, values in levers.items()}
    base = means.pop("default")
    rows = [["default", *(f"{value:.1f}%" for value in [*base, fmean(base)])]]
    for name, values in means.items():
        points = [a - b for a, b in zip(values, base, strict=True)]
        rows.append([name, *(f"{point:+.1f}" for point in [*points, fmean(points)])])
    return table(["points of accuracy", *TITLES.values(), "mean"], rows)


def dense_layers() -> str:
    """Milliseconds of both ways for each size, and of an epoch beside scikit-learn's."""
    result: Record = load("dense-layers.json")
    rows = [
        [f"{one['inputs']} inputs, {one['hidden']} units", *_cells(one["seconds"].values())]
        for one in result["passes"]
    ]
    return table(["forward and backward, 9,000 rows", "BLAS", "compiled loops"], rows)


def dense_epochs() -> str:
    """Milliseconds an epoch of both classifiers."""
    row = [
        "100 inputs, 100 units, 9,000 rows",
        *_cells(load("dense-layers.json")["epoch_seconds"].values()),
    ]
    return table(["an epoch", "`OneHiddenLayerClassifier`", "`MLPClassifier`"], [row])


def _cells(seconds: Any) -> list[str]:
    return [f"{1000 * value:.1f} ms" for value in seconds]

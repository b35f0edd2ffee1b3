"""Tables of what the parts of the classifiers do, from ``results``."""

from __future__ import annotations

from statistics import fmean

from tables import load, table

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

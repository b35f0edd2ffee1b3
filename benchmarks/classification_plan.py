"""Which cells are run for which table, and which settings are chosen on what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from classification_cells import Cell, Place, Record, accuracy, run_cells, seconds, succeeded

Settings = dict[str, Any]

FASTTEXT_RATES = (0.1, 0.25, 0.5)
FASTTEXT_GRID: list[Settings] = [
    {"dim": 100, "wordNgrams": ngrams, "epoch": epochs, "lr": rate}
    for ngrams in (1, 2)
    for epochs in (5, 15, 30)
    for rate in FASTTEXT_RATES
]
LOGISTIC_GRID: list[Settings] = [{"C": C, "ngrams": 2} for C in (0.5, 1.0, 2.0, 5.0, 10.0)]
MLP: Settings = {"hidden_size": 100}
TFIDF_MLP: Settings = {**MLP, "ngrams": 1}
"""Words alone: with pairs of words its first layer has nine million numbers, and takes minutes."""
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Learning rates of ours, two powers of ten around the default: does any diverge?"""


@dataclass(frozen=True)
class Contestant:
    """A row of the table: a program with one choice of settings, or the best of several.

    The best is chosen on the validation part; should it fail on the test part (fastText stops where
    its numbers overflow), the next best is taken, and the failure counted.
    """

    title: str
    program: str
    grid: list[Settings]
    needs_vectors: bool = False


def ours_like_fasttext() -> Settings:
    """The sizes and epochs of ``TextClassifier``'s default configuration, in fastText's words."""
    from wordgrad import TextClassifier

    defaults = TextClassifier().get_params()
    names = {"vector_size": "dim", "ngrams": "wordNgrams", "epochs": "epoch"}
    return {theirs: defaults[mine] for mine, theirs in names.items()}


def contestants() -> dict[str, Contestant]:
    """Rows of the table of accuracies."""
    same = ours_like_fasttext()
    return {
        "wordgrad": Contestant("wordgrad, default", "wordgrad", [{}]),
        "wordgrad-wiki8": Contestant(
            "wordgrad, started from `wiki8`", "wordgrad", [{"vectors": True}], needs_vectors=True
        ),
        "fasttext": Contestant("fastText, best of 18", "fasttext", FASTTEXT_GRID),
        "fasttext-same": Contestant(
            "fastText, sizes and epochs as wordgrad's",
            "fasttext",
            [{**same, "lr": rate} for rate in FASTTEXT_RATES],
        ),
        "logistic": Contestant(
            "TF-IDF, logistic regression, best of 5", "tfidf-logistic", LOGISTIC_GRID
        ),
        "tfidf-mlp": Contestant("TF-IDF of words, `MLPClassifier`", "tfidf-mlp", [TFIDF_MLP]),
        "vectors-mlp": Contestant(
            "`wiki8` means, `MLPClassifier`", "vectors-mlp", [MLP], needs_vectors=True
        ),
    }


def compare(one: Contestant, name: str, place: Place) -> tuple[Record | None, list[Record]]:
    """Record of the test part at the chosen settings (None if all failed), and the grid's."""
    if len(one.grid) == 1:
        (record,) = run_cells([Cell(one.program, name, "test", one.grid[0])], place)
        return (record if succeeded(record) else None), [record]
    grid = run_cells([Cell(one.program, name, "validation", s) for s in one.grid], place)
    tried: list[Record] = []
    for candidate in ranked(grid):
        (record,) = run_cells([Cell(one.program, name, "test", candidate["settings"])], place)
        tried.append(record)
        if succeeded(record):
            return record, [*grid, *tried]
    return None, [*grid, *tried]


def ranked(records: Iterable[Record]) -> list[Record]:
    """Those that succeeded, the most accurate first, of equal ones the fastest."""
    good = [one for one in records if succeeded(one)]
    return sorted(good, key=lambda one: (-accuracy(one), seconds(one)))


def rate_cells(name: str) -> list[Cell]:
    """Our classifier on the validation part at every rate of :data:`RATES`."""
    return [Cell("wordgrad", name, "validation", {"learning_rate": rate}) for rate in RATES]

"""Tables of evaluations for a terminal: one file of vectors, or several side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordgrad.vectors.evaluation import AnalogyResult, SectionResult, SimilarityResult

NARROW = 60  # columns; a narrower terminal has intervals below correlations


@dataclass(frozen=True)
class Evaluated:
    """Everything measured of one file: one result for each test set, in the order given."""

    file: Path
    similarity: list[SimilarityResult]
    analogies: list[AnalogyResult]


def show_tables(evaluated: Sequence[Evaluated], console: Console) -> None:
    """Print tables; of several files side by side if they fit, else one below another."""
    if len(evaluated) == 1:
        tables = _of_one_file(evaluated[0], console.width)
    else:
        tables = _side_by_side(evaluated)
        if any(_width(table, console) > console.width for table in tables):
            tables = _one_below_another(evaluated, console.width)
    for table in tables:
        console.print(table)
        console.print()


def labels(files: Sequence[Path]) -> list[str]:
    """Names to tell files apart: without folder and ending, if that is enough.

    >>> labels([Path("runs/a.safetensors"), Path("runs/b.safetensors")])
    ['a', 'b']
    >>> labels([Path("x/a.bin"), Path("y/a.bin")])
    ['x/a.bin', 'y/a.bin']
    """
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [file.as_posix() for file in files]


def _width(table: Table, console: Console) -> int:
    """Columns the table takes if nothing in it is broken or cut."""
    unbounded = console.options.update(max_width=100_000)
    return console.measure(table, options=unbounded).maximum


# -------------------------------------------------------------------- several files


def _side_by_side(evaluated: Sequence[Evaluated]) -> list[Table]:
    """One column a file."""
    names = labels([one.file for one in evaluated])
    tables = []
    if evaluated[0].similarity:
        table = _table("Similarity: Spearman, 95% interval", "set", *names, "pairs")
        for results in zip(*(one.similarity for one in evaluated), strict=True):
            cells = ["\n".join(_correlation(result)) for result in results]
            covered = [f"{result.pairs:,} of {result.total:,}" for result in results]
            table.add_row(results[0].name, *_with_coverage(cells, covered))
        tables.append(table)
    for results in zip(*(one.analogies for one in evaluated), strict=True):
        table = _table(_title(results[0]), "section", *names, "covered")
        for sections in zip(*(result.sections for result in results), strict=True):
            _add_sections(table, sections)
        table.add_section()
        _add_sections(table, [result.overall for result in results], style="bold")
        tables.append(table)
    return tables


def _add_sections(table: Table, sections: Sequence[SectionResult], style: str = "") -> None:
    cells = [_accuracy(section) for section in sections]
    covered = [f"{section.questions:,} of {section.total:,}" for section in sections]
    table.add_row(sections[0].name, *_with_coverage(cells, covered), style=style)


def _with_coverage(cells: list[str], covered: list[str]) -> list[str]:
    """The cells and what all cover; where they differ, each says what it covers."""
    if len(set(covered)) == 1:
        return [*cells, covered[0]]
    return [*(f"{cell}\n{part}" for cell, part in zip(cells, covered, strict=True)), "differ"]


def _one_below_another(evaluated: Sequence[Evaluated], width: int) -> list[Table]:
    """Similarity: a table a set, one line a file.  Analogies: a table a file and set."""
    names = labels([one.file for one in evaluated])
    tables = []
    for results in zip(*(one.similarity for one in evaluated), strict=True):
        lines = list(zip(names, results, strict=True))
        tables.append(_similarity_table(results[0].name, "vectors", lines, width))
    for results in zip(*(one.analogies for one in evaluated), strict=True):
        for name, result in zip(names, results, strict=True):
            tables.append(_analogy_table(f"{name}: {_title(result)}", result))
    return tables


# -------------------------------------------------------------------- one file


def _of_one_file(one: Evaluated, width: int) -> list[Table]:
    tables = [_analogy_table(_title(result), result) for result in one.analogies]
    if one.similarity:
        lines = [(result.name, result) for result in one.similarity]
        tables.insert(0, _similarity_table("Similarity", "set", lines, width))
    return tables


def _similarity_table(
    title: str, first: str, lines: Sequence[tuple[str, SimilarityResult]], width: int
) -> Table:
    narrow = width < NARROW
    measures = ["Spearman\n95% interval"] if narrow else ["Spearman", "95% interval"]
    table = _table(title, first, *measures, "pairs")
    for name, result in lines:
        cells = _correlation(result)
        covered = f"{result.pairs:,} of {result.total:,}"
        table.add_row(name, *(["\n".join(cells)] if narrow else cells), covered)
    return table


def _analogy_table(title: str, result: AnalogyResult) -> Table:
    table = _table(title, "section", "correct", "covered")
    for section in result.sections:
        _add_sections(table, [section])
    table.add_section()
    _add_sections(table, [result.overall], style="bold")
    return table


def _title(result: AnalogyResult) -> str:
    method = {"3cosadd": "3CosAdd", "3cosmul": "3CosMul"}[result.method]
    top = "" if result.topn == 1 else f", among the first {result.topn} answers"
    return f"{result.name}: {method}, the {result.restrict_vocab:,} most frequent words{top}"


def _correlation(result: SimilarityResult) -> list[str]:
    if math.isnan(result.correlation):
        return ["none", ""]
    return [f"{result.correlation:.3f}", f"{result.low:.3f} to {result.high:.3f}"]


def _accuracy(section: SectionResult) -> str:
    return f"{100 * section.accuracy:.1f}%" if section.questions else "none"


def _table(title: str, first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table

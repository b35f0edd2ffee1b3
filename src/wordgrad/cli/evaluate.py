"""``wordgrad evaluate``: word vectors measured on similarity and analogy sets.

Results of one file are tables of their own; those of several are shown side by side where the
terminal is wide enough, else one below another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.console import (
    results_console,
    results_table,
    short_names,
    write_json,
    write_lines,
)
from wordgrad.cli.options import JSON_OUTPUT, OVERWRITE, path_given
from wordgrad.cli.query import METHOD

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordgrad.evaluation import AnalogyResult, SectionResult, SimilarityResult


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


def _width(table: Table, console: Console) -> int:
    """Columns the table takes if nothing in it is broken or cut."""
    unbounded = console.options.update(max_width=100_000)
    return console.measure(table, options=unbounded).maximum


# -------------------------------------------------------------------- several files


def _side_by_side(evaluated: Sequence[Evaluated]) -> list[Table]:
    """One column a file."""
    names = short_names([one.file for one in evaluated])
    tables = []
    if evaluated[0].similarity:
        table = results_table("Similarity: Spearman, 95% interval", "set", *names, "pairs")
        for results in zip(*(one.similarity for one in evaluated), strict=True):
            cells = ["\n".join(_correlation(result)) for result in results]
            covered = [_covered(result) for result in results]
            table.add_row(results[0].name, *_with_coverage(cells, covered))
        tables.append(table)
    for results in zip(*(one.analogies for one in evaluated), strict=True):
        table = results_table(_title(results[0]), "section", *names, "covered")
        for sections in zip(*(result.sections for result in results), strict=True):
            _add_sections(table, sections)
        table.add_section()
        _add_sections(table, [result.overall for result in results], style="bold")
        tables.append(table)
    return tables


def _add_sections(table: Table, sections: Sequence[SectionResult], style: str = "") -> None:
    cells = [
        f"{100 * section.accuracy:.1f}%" if section.questions else "none" for section in sections
    ]
    covered = [f"{section.questions:,} of {section.total:,}" for section in sections]
    table.add_row(sections[0].name, *_with_coverage(cells, covered), style=style)


def _with_coverage(cells: list[str], covered: list[str]) -> list[str]:
    """The cells and what all cover; where they differ, each says what it covers."""
    if len(set(covered)) == 1:
        return [*cells, covered[0]]
    return [*(f"{cell}\n{part}" for cell, part in zip(cells, covered, strict=True)), "differ"]


def _one_below_another(evaluated: Sequence[Evaluated], width: int) -> list[Table]:
    """Similarity: a table a set, one line a file.  Analogies: a table a file and set."""
    names = short_names([one.file for one in evaluated])
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
    table = results_table(title, first, *measures, "pairs")
    for name, result in lines:
        cells = _correlation(result)
        covered = _covered(result)
        table.add_row(name, *(["\n".join(cells)] if narrow else cells), covered)
    return table


def _analogy_table(title: str, result: AnalogyResult) -> Table:
    table = results_table(title, "section", "correct", "covered")
    for section in result.sections:
        _add_sections(table, [section])
    table.add_section()
    _add_sections(table, [result.overall], style="bold")
    return table


def _title(result: AnalogyResult) -> str:
    method = {"3cosadd": "3CosAdd", "3cosmul": "3CosMul"}[result.method]
    top = "" if result.topn == 1 else f", among the first {result.topn} answers"
    return f"{result.name}: {method}, the {result.restrict_vocab:,} most frequent words{top}"


def _covered(result: SimilarityResult) -> str:
    apart = f"\n{result.composed:,} composed" if result.composed else ""
    return f"{result.pairs:,} of {result.total:,}{apart}"


def _correlation(result: SimilarityResult) -> list[str]:
    if math.isnan(result.correlation):
        return ["none", ""]
    return [f"{result.correlation:.3f}", f"{result.low:.3f} to {result.high:.3f}"]


def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Files of word vectors; several are compared.",
            parser=path_given,
        ),
    ],
    similarity: Annotated[
        list[Path] | None,
        typer.Option(
            "--similarity",
            metavar="SET",
            help="Word pairs with scores, one or more files: two words and a number per line.",
        ),
    ] = None,
    analogies: Annotated[
        list[Path] | None,
        typer.Option(
            "--analogies",
            metavar="SET",
            help="Analogy questions, one or more files: four words per line, ': name' before "
            "each section.",
        ),
    ] = None,
    restrict_vocab: Annotated[
        int,
        typer.Option(
            "--restrict-vocab",
            help="Consider only this many of the most frequent words in analogies.",
        ),
    ] = 30_000,
    method: Annotated[str, METHOD] = "3cosadd",
    topn: Annotated[
        int,
        typer.Option(
            "--topn",
            "-n",
            help="A question counts as solved if its answer is among the first this many.",
        ),
    ] = 1,
    compose: Annotated[
        bool,
        typer.Option(
            "--compose",
            help="Let unknown words take part in similarity, where their vectors can be composed "
            "of character n-grams; their pairs are counted apart.",
        ),
    ] = False,
    json_output: Annotated[Path | None, JSON_OUTPUT] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
) -> None:
    """Evaluate vectors: Spearman correlation with people's scores, and analogies solved.

    A word that is not in the vocabulary as written is looked up in lower case. Pairs and questions
    with unknown words are skipped and counted: compare files only where they cover the same.
    Through a pipe, lines separated by tabs: FILE, 'similarity', set, correlation, low, high,
    covered, total (with --compose, composed); then FILE, 'analogies', set, section, accuracy,
    correct, covered, total.
    """
    if not similarity and not analogies:
        raise typer.BadParameter("Name a test set with --similarity or --analogies.")
    from wordgrad.evaluation import evaluate_analogies, evaluate_similarity
    from wordgrad.files import check_output
    from wordgrad.word_vectors import load

    if json_output is not None and str(json_output) != "-":
        check_output(json_output, overwrite=overwrite)
    evaluated = []
    for file in files:  # one in memory at a time
        vectors = load(file)
        pairs = [evaluate_similarity(vectors, path, compose=compose) for path in similarity or []]
        questions = [
            evaluate_analogies(
                vectors, path, restrict_vocab=restrict_vocab, method=method, topn=topn
            )
            for path in analogies or []
        ]
        evaluated.append(Evaluated(file, pairs, questions))
    if json_output is not None:
        results = [
            {
                "vectors": str(one.file),
                "similarity": [result.to_dict() for result in one.similarity],
                "analogies": [result.to_dict() for result in one.analogies],
            }
            for one in evaluated
        ]
        write_json(results[0] if len(results) == 1 else results, json_output, overwrite=overwrite)
    if str(json_output) == "-":
        return
    console = results_console()
    if console.is_terminal:
        show_tables(evaluated, console)
        return
    for one in evaluated:
        _write_plain(one, compose=compose)


def _write_plain(one: Evaluated, *, compose: bool) -> None:
    write_lines(
        (
            one.file,
            "similarity",
            r.name,
            *_known(r.correlation, r.low, r.high),
            r.pairs,
            r.total,
            *([r.composed] if compose else []),
        )
        for r in one.similarity
    )
    write_lines(
        (
            one.file,
            "analogies",
            result.name,
            part.name,
            *_known(part.accuracy),
            part.correct,
            part.questions,
            part.total,
        )
        for result in one.analogies
        for part in (*result.sections, result.overall)
    )


def _known(*values: float) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]

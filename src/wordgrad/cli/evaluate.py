"""``wordgrad evaluate``: vectors against test sets that people made."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.answers import VECTORS
from wordgrad.cli.console import results_console, say, write_lines

if TYPE_CHECKING:
    from rich.table import Table

    from wordgrad.vectors.evaluation import AnalogyResult, SectionResult, SimilarityResult


def evaluate(
    file: Annotated[Path, VECTORS],
    similarity: Annotated[
        list[Path] | None,
        typer.Option(
            "--similarity",
            metavar="SET",
            help="Word pairs with scores, one file or several: two words and a number a line.",
        ),
    ] = None,
    analogies: Annotated[
        list[Path] | None,
        typer.Option(
            "--analogies",
            metavar="SET",
            help="Analogy questions, one file or several: four words a line, ': name' before "
            "each section.",
        ),
    ] = None,
    restrict_vocab: Annotated[
        int,
        typer.Option(
            "--restrict-vocab",
            help="Analogies among the most frequent so many words only.",
        ),
    ] = 30_000,
    json_output: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write the results as JSON; '-' to print them."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the JSON file if it exists.")
    ] = False,
) -> None:
    """Measure vectors: Spearman correlation with people's scores, and analogies solved.

    A word that is not in the vocabulary as written is looked up in lower case. Pairs and questions
    with unknown words are left out and counted. Through a pipe, lines parted by tabs: 'similarity',
    set, correlation, low, high, covered, total; then 'analogies', set, section, accuracy, correct,
    covered, total.
    """
    if not similarity and not analogies:
        raise typer.BadParameter("Name a test set with --similarity or --analogies.")
    from wordgrad.files import check_output
    from wordgrad.vectors.evaluation import evaluate_analogies, evaluate_similarity
    from wordgrad.vectors.formats import load

    if json_output is not None and str(json_output) != "-":
        check_output(json_output, overwrite=overwrite)
    vectors = load(file)
    pairs = [evaluate_similarity(vectors, path) for path in similarity or []]
    questions = [
        evaluate_analogies(vectors, path, restrict_vocab=restrict_vocab) for path in analogies or []
    ]
    if json_output is not None:
        _write_json(file, pairs, questions, json_output)
    if str(json_output) != "-":
        _show(pairs, questions)


def _write_json(
    file: Path, pairs: list[SimilarityResult], questions: list[AnalogyResult], output: Path
) -> None:
    from wordgrad.files import atomic_write

    results = {
        "vectors": str(file),
        "similarity": [result.to_dict() for result in pairs],
        "analogies": [result.to_dict() for result in questions],
    }
    text = json.dumps(results, ensure_ascii=False, indent=2) + "\n"
    if str(output) == "-":
        sys.stdout.write(text)
        return
    with atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"Wrote {output}.")


def _show(pairs: list[SimilarityResult], questions: list[AnalogyResult]) -> None:
    console = results_console()
    if not console.is_terminal:
        _write_plain(pairs, questions)
        return
    if pairs:
        console.print(_similarity_table(pairs, narrow=console.width < 60))
        console.print()
    for result in questions:
        console.print(_analogy_table(result))
        console.print()


def _write_plain(pairs: list[SimilarityResult], questions: list[AnalogyResult]) -> None:
    write_lines(
        ("similarity", r.name, *_known(r.correlation, r.low, r.high), r.pairs, r.total)
        for r in pairs
    )
    write_lines(
        (
            "analogies",
            result.name,
            part.name,
            *_known(part.accuracy),
            part.correct,
            part.questions,
            part.total,
        )
        for result in questions
        for part in (*result.sections, result.overall)
    )


def _known(*values: float) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


def _similarity_table(pairs: list[SimilarityResult], *, narrow: bool) -> Table:
    """Table of correlations; a narrow one has the intervals below them."""
    measures = ["Spearman\n95% interval"] if narrow else ["Spearman", "95% interval"]
    table = _table("Similarity", "set", *measures, "pairs")
    for result in pairs:
        cells = ["none", ""]
        if not math.isnan(result.correlation):
            cells = [f"{result.correlation:.3f}", f"{result.low:.3f} to {result.high:.3f}"]
        covered = f"{result.pairs:,} of {result.total:,}"
        table.add_row(result.name, *(["\n".join(cells)] if narrow else cells), covered)
    return table


def _analogy_table(result: AnalogyResult) -> Table:
    title = f"{result.name}, among the {result.restrict_vocab:,} most frequent words"
    table = _table(title, "section", "correct", "covered")
    for section in result.sections:
        table.add_row(*_section_row(section))
    table.add_section()
    table.add_row(*_section_row(result.overall), style="bold")
    return table


def _section_row(section: SectionResult) -> tuple[str, str, str]:
    accuracy = f"{100 * section.accuracy:.1f}%" if section.questions else "none"
    return section.name, accuracy, f"{section.questions:,} of {section.total:,}"


def _table(title: str, first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table

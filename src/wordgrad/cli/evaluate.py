"""``wordgrad evaluate``: vectors against test sets that people made."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.answers import METHOD
from wordgrad.cli.console import results_console, say, write_lines
from wordgrad.cli.evaluation_tables import Evaluated, show_tables


def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files of word vectors, to be compared if several."),
    ],
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
    method: Annotated[str, METHOD] = "3cosadd",
    topn: Annotated[
        int,
        typer.Option(
            "--topn", "-n", help="A question is solved if its answer is among the first so many."
        ),
    ] = 1,
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
    with unknown words are left out and counted: compare files only where they cover the same.
    Through a pipe, lines parted by tabs: FILE, 'similarity', set, correlation, low, high, covered,
    total; then FILE, 'analogies', set, section, accuracy, correct, covered, total.
    """
    if not similarity and not analogies:
        raise typer.BadParameter("Name a test set with --similarity or --analogies.")
    from wordgrad.files import check_output
    from wordgrad.vectors.evaluation import evaluate_analogies, evaluate_similarity
    from wordgrad.vectors.formats import load

    if json_output is not None and str(json_output) != "-":
        check_output(json_output, overwrite=overwrite)
    evaluated = []
    for file in files:  # one in memory at a time
        vectors = load(file)
        pairs = [evaluate_similarity(vectors, path) for path in similarity or []]
        questions = [
            evaluate_analogies(
                vectors, path, restrict_vocab=restrict_vocab, method=method, topn=topn
            )
            for path in analogies or []
        ]
        evaluated.append(Evaluated(file, pairs, questions))
    if json_output is not None:
        _write_json(evaluated, json_output, overwrite=overwrite)
    if str(json_output) != "-":
        _show(evaluated)


def _write_json(evaluated: Sequence[Evaluated], output: Path, *, overwrite: bool) -> None:
    """Write an object for one file, a list of them for several."""
    from wordgrad.files import atomic_write

    results = [
        {
            "vectors": str(one.file),
            "similarity": [result.to_dict() for result in one.similarity],
            "analogies": [result.to_dict() for result in one.analogies],
        }
        for one in evaluated
    ]
    whole = results[0] if len(results) == 1 else results
    text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    if str(output) == "-":
        sys.stdout.write(text)
        return
    with atomic_write(output, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"Wrote {output}.")


def _show(evaluated: Sequence[Evaluated]) -> None:
    console = results_console()
    if console.is_terminal:
        show_tables(evaluated, console)
        return
    for one in evaluated:
        _write_plain(one)


def _write_plain(one: Evaluated) -> None:
    write_lines(
        (one.file, "similarity", r.name, *_known(r.correlation, r.low, r.high), r.pairs, r.total)
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

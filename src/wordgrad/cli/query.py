"""``wordgrad similar``, ``analogy`` and ``doesnt-match``: queries of word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.console import (
    errors_console,
    format_size,
    results_console,
    say,
    write_json,
    write_lines,
)
from wordgrad.cli.options import path_given

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wordgrad.word_vectors import WordVectors


VECTORS = typer.Argument(
    metavar="FILE",
    help="A file of word vectors, in any format that wordgrad reads; or the URL of one.",
    parser=path_given,
)
TOPN = typer.Option("--topn", "-n", help="Number of answers to show.")
RESTRICT = typer.Option(
    "--restrict-vocab", help="Consider only this many of the most frequent words as answers."
)
METHOD = typer.Option("--method", help="3cosadd sums cosines, 3cosmul multiplies them.")
AS_JSON = typer.Option("--json", help="Print JSON instead.")


@dataclass(frozen=True)
class Answers:
    """The answers to one question: words and what they score, best first."""

    question: str
    found: list[tuple[str, float]]
    score: str = "cosine"


def show_answers(answers: list[Answers], *, as_json: bool) -> None:
    """Print answers: as tables to a terminal, as tab-separated lines to anything else."""
    if as_json:
        entries = [
            {
                "question": answer.question,
                "answers": [{"word": word, answer.score: score} for word, score in answer.found],
            }
            for answer in answers
        ]
        write_json(entries)
        return
    console = results_console()
    if not console.is_terminal:
        write_lines(
            (answer.question, word, score) for answer in answers for word, score in answer.found
        )
        return
    from rich.columns import Columns

    console.print(Columns([_table(answer) for answer in answers], padding=(0, 3)))


def _table(answers: Answers) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(Text(answers.question, style="bold cyan"), overflow="fold")
    table.add_column(answers.score, justify="right", no_wrap=True)
    for word, score in answers.found:
        table.add_row(Text(word), f"{score:.4f}")
    return table


def similar(
    file: Annotated[Path, VECTORS],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="Words to find neighbours of.")
    ],
    topn: Annotated[int, TOPN] = 10,
    together: Annotated[
        bool,
        typer.Option("--together", help="Find the words nearest to all of them together."),
    ] = False,
    text: Annotated[
        bool,
        typer.Option(
            "--text",
            help="Treat the words as a text: search near its mean, and skip unknown words.",
        ),
    ] = False,
    restrict_vocab: Annotated[int | None, RESTRICT] = None,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Search an approximate index, which may miss a word; it is built on first use and "
            "saved as FILE.index. For very large vocabularies.",
        ),
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Show the words nearest to each word, by the cosine of their vectors.

    Through a pipe: one line a neighbour, with word, neighbour and cosine, separated by tabs.
    """
    if text and together:
        raise typer.BadParameter("Use either --text or --together.")
    if approximate and restrict_vocab is not None:
        raise typer.BadParameter("Use either --approximate or --restrict-vocab.")
    from wordgrad.word_vectors import load

    vectors = load(file)
    if approximate:
        _index(vectors, file.with_name(f"{file.name}.index"))
    if text:
        found = vectors.closest_to_text(
            " ".join(words), topn, restrict_vocab, approximate=approximate
        )
        if found.skipped:
            listed = ", ".join(dict.fromkeys(found.skipped))
            say(
                f"{len(found.skipped)} of the text's words skipped, not in the vocabulary: {listed}"
            )
        answers = [Answers(" ".join(words), found)]
    else:
        questions: list[list[str]] = [words] if together else [[word] for word in words]
        rankings = vectors.most_similar_batch(
            questions, topn, restrict_vocab, approximate=approximate
        )
        answers = [
            Answers(" + ".join(asked), found)
            for asked, found in zip(questions, rankings, strict=True)
        ]
    show_answers(answers, as_json=as_json)


def _index(vectors: WordVectors, path: Path) -> None:
    """Load the index at ``path``, or build it and save it there."""
    if path.exists():
        vectors.load_index(path)
        return
    from wordgrad.files import check_output

    check_output(path)  # building takes long: not only to find that it cannot be kept
    with errors_console().status("Building the index ..."):
        vectors.build_index()
    vectors.save_index(path)
    say(f"Wrote {path}: {format_size(path.stat().st_size)}.")


def analogy(
    file: Annotated[Path, VECTORS],
    a: Annotated[str, typer.Argument(metavar="A", help="A is to B ...")],
    b: Annotated[str, typer.Argument(metavar="B", help="... as C is to the answer.")],
    c: Annotated[str, typer.Argument(metavar="C", help="The word to answer for.")],
    topn: Annotated[int, TOPN] = 10,
    method: Annotated[str, METHOD] = "3cosadd",
    restrict_vocab: Annotated[int | None, RESTRICT] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Answer "A is to B as C is to what?": man king woman gives queen, if the vectors are good.

    Through a pipe: one line an answer, with the question, answer and cosine (3cosmul: score),
    separated by tabs.
    """
    from wordgrad.word_vectors import load

    found = load(file).analogy([b, c], [a], topn, restrict_vocab, method=method)
    score = "cosine" if method == "3cosadd" else "score"
    show_answers([Answers(f"{a} : {b} = {c} : ?", found, score)], as_json=as_json)


def doesnt_match(
    file: Annotated[Path, VECTORS],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="At least two words, one of them odd.")
    ],
) -> None:
    """Print the word that fits the others least: the one farthest from the mean of all."""
    from wordgrad.word_vectors import load

    write_lines([(load(file).doesnt_match(words),)])

"""``wordgrad documents``: train vectors of documents, infer those of new ones, and query them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli.console import errors_console, format_size, say, say_command
from wordgrad.cli.options import OVERWRITE, path_given, path_or_url, source_of, takes
from wordgrad.cli.query import AS_JSON, TOPN, Answers, show_answers
from wordgrad.cli.train import settings_given, train_to_file
from wordgrad.training.config import CHECKPOINTS, DOCUMENT_SETTINGS

if TYPE_CHECKING:
    from wordgrad.doc2vec import Doc2Vec

RESUMED = ", ".join(
    f"--{name.replace('_', '-')}"
    for name, setting in DOCUMENT_SETTINGS.items()
    if setting.resumable
)

MODEL = typer.Argument(
    metavar="MODEL", help="A file that 'wordgrad documents train' wrote.", parser=path_given
)
INPUTS = typer.Argument(
    metavar="INPUT",
    help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), folders, quoted globs, "
    "URLs (s3://...), or '-' for standard input. A line, or a row of a table, is a document.",
    show_default=False,
)


@takes(DOCUMENT_SETTINGS.values())
def train(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to write: .safetensors.", parser=path_given),
    ],
    inputs: Annotated[list[str] | None, INPUTS] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
    *,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Resume the training saved in this folder, with its text and its settings; only "
            f"these may be changed: {RESUMED}.",
            rich_help_panel=CHECKPOINTS,
            show_default=False,
            parser=path_or_url,
        ),
    ] = None,
    **settings: Any,
) -> None:
    """Train vectors of documents, and write them to a file.

    A document's tag, by which its vector is asked for, is its number from 0, or what the column
    --tag-column of a table holds. Ctrl-C stops the training and saves what it has learnt so far to
    a separate file.
    """
    settings = settings_given(context, resume, inputs, settings)
    train_to_file(
        source_of(inputs) if inputs else None,
        settings,
        output,
        overwrite=overwrite,
        resume=resume,
        documents=True,
    )
    say("Now give vectors to new documents:")
    say_command(f"wordgrad documents infer {output} INPUT -o vectors.parquet")


@takes(DOCUMENT_SETTINGS[name] for name in ("column", "tag_column", "errors"))
def infer(
    model: Annotated[Path, MODEL],
    inputs: Annotated[list[str], INPUTS],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The file of vectors to write: .safetensors, .parquet, .npz."
        ),
    ],
    overwrite: Annotated[bool, OVERWRITE] = False,
    *,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over each document.", show_default="as many as in training"),
    ] = None,
    **settings: Any,
) -> None:
    """Infer the vectors of new documents, and write them to a file.

    A document's vector depends on its own words alone. Documents are named as in training.
    """
    from wordgrad.files import check_output
    from wordgrad.io.formats import format_of_name

    format_of_name(output)
    check_output(output, overwrite=overwrite)
    trained = _load(model)
    with errors_console().status("Inferring ..."):
        vectors = trained.infer_file(source_of(inputs), epochs=epochs, **settings)
    vectors.save(output, overwrite=overwrite)
    say(
        f"Wrote {output}: {len(vectors):,} documents, {vectors.vector_size} dimensions, "
        f"{format_size(output.stat().st_size)}."
    )


def similar(
    model: Annotated[Path, MODEL],
    tags: Annotated[
        list[str] | None,
        typer.Argument(metavar="TAG", help="Documents to find the neighbours of, each by itself."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="A new document, whose vector is inferred.")
    ] = None,
    word: Annotated[str | None, typer.Option(help="A word, if words were trained.")] = None,
    among: Annotated[
        str, typer.Option(help="What answers: documents, words or both.")
    ] = "documents",
    topn: Annotated[int, TOPN] = 10,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Show the documents or words nearest to documents, to a text, or to a word."""
    if not tags and text is None and word is None:
        raise typer.BadParameter("name a TAG, or give --text or --word.", param_hint="TAG")
    trained = _load(model)
    questions: list[tuple[str, dict[str, Any]]] = [(tag, {"documents": tag}) for tag in tags or ()]
    if text is not None:
        questions.append((text, {"documents": trained.infer([text])[0]}))
    if word is not None:
        questions.append((word, {"words": word}))
    answers = [
        Answers(
            question, [near[:2] for near in trained.most_similar(topn=topn, among=among, **given)]
        )
        for question, given in questions
    ]
    show_answers(answers, as_json=as_json)


def _load(path: Path) -> Doc2Vec:
    from wordgrad.doc2vec import Doc2Vec

    return Doc2Vec.load(path)

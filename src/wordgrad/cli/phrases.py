"""``wordgrad phrases``: find the phrases of a text, and join them in it or in another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli.console import errors_console, format_count, format_size, say
from wordgrad.cli.exit import Interrupted, make_reads_interruptible
from wordgrad.cli.options import OVERWRITE, source_of, takes
from wordgrad.training.config import SETTINGS

if TYPE_CHECKING:
    from wordgrad.corpus.phrase_table import PhraseTable

READING = [SETTINGS[name] for name in ("column", "lowercase", "pattern", "errors", "workers")]


@takes(READING)
def phrases(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), folders, quoted "
            "globs, URLs (s3://...), or '-' for standard input. A line is a sentence.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="TABLE", help="Write the table of phrases here."),
    ] = None,
    joined: Annotated[
        Path | None,
        typer.Option(
            metavar="TEXT", help="Write the text with its phrases joined, a sentence a line."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Learn nothing: join the phrases of this table."),
    ] = None,
    passes: Annotated[
        int, typer.Option(help="Passes; each may join two phrases of the one before.")
    ] = 1,
    min_count: Annotated[
        int, typer.Option(help="What is met so often, or less, is no phrase; npmi: less often.")
    ] = 5,
    threshold: Annotated[
        float | None,
        typer.Option(help="A phrase scores more. Default: 10, and 0.5 for npmi.", metavar="FLOAT"),
    ] = None,
    score: Annotated[
        str,
        typer.Option(
            metavar="default|npmi",
            help="default: word2vec's and gensim's; npmi: between -1 and 1, whatever the text.",
        ),
    ] = "default",
    connector_words: Annotated[
        str,
        typer.Option(
            metavar="english|WORD,WORD...",
            help="Words that may be inside a phrase, as in bank_of_america; 'english' is a list "
            "of 15.",
        ),
    ] = "",
    delimiter: Annotated[str, typer.Option(help="Between the words of a phrase.")] = "_",
    max_pairs: Annotated[
        int | None,
        typer.Option(
            help="Pairs counted at a time, 24 to 48 bytes each; when there are more, the rarest "
            "are dropped. Default: 40,000,000.",
            metavar="N",
        ),
    ] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
    **reading: Any,
) -> None:
    """Find phrases such as new_york in a text: words that are neighbours more often than by chance.

    The table serves 'wordgrad train --phrases', and joins phrases in other texts.
    """
    if output is None and joined is None:
        raise typer.BadParameter(
            "say what to write: a table of phrases, or the text with phrases joined (--joined).",
            param_hint="--output",
        )
    if table is not None and output is not None:
        raise typer.BadParameter(
            "a table that is there already is not learned; leave one of them out.",
            param_hint="--table",
        )
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.corpus.phrase_table import MOST_PAIRS, PhraseTable
    from wordgrad.corpus.phrases import join_phrases, learn_phrases
    from wordgrad.files import check_output

    for path in filter(None, (output, joined)):
        check_output(path, overwrite=overwrite)
    source = source_of(inputs)
    known = PhraseTable.load(table) if table is not None else None
    connectors = connector_words.split(",") if connector_words not in ("", "english") else ()
    display = ProgressDisplay(errors_console())
    try:
        with display:
            make_reads_interruptible()
            reading["progress"] = display
            if known is not None and joined is not None:
                shorter = join_phrases(source, known, joined, overwrite=overwrite, **reading)
            else:
                known = learn_phrases(
                    source,
                    passes=passes,
                    min_count=min_count,
                    threshold=threshold,
                    score=score,
                    delimiter=delimiter,
                    connector_words=connectors or connector_words or (),
                    max_pairs=MOST_PAIRS if max_pairs is None else max_pairs,
                    joined=joined,
                    overwrite=overwrite,
                    **reading,
                )
                if output is not None:
                    known.save(output, overwrite=overwrite)
    except KeyboardInterrupt as interrupt:
        raise Interrupted("Interrupted; nothing was saved.") from interrupt
    if table is not None:
        say(f"Wrote {joined}: phrases made the text shorter by {format_count(shorter)} words.")
        return
    if output is not None:
        say(f"Wrote {output}: {len(known):,} phrases, {format_size(output.stat().st_size)}.")
    if joined is not None:
        say(f"Wrote {joined}: the text with its phrases joined.")
    _say_what_was_lost(known)


def _say_what_was_lost(table: PhraseTable) -> None:
    for number, one in enumerate(table.report, start=1):
        if one["pruned"]:
            say(
                f"Pass {number} met more pairs than --max-pairs {table.settings.max_pairs:,}: "
                f"{format_count(one['pruned'])} occurrences of rare ones were dropped, so a count "
                f"may be too small by {one['most_lost']:,}.",
                style="yellow",
            )
        if one["missed"]:
            say(
                f"Pass {number} left out {one['missed']:,} candidates with too many different "
                "connector words inside.",
                style="yellow",
            )
        if one.get("holding_delimiter"):
            say(
                f"{one['holding_delimiter']:,} words of the text hold "
                f"{table.settings.delimiter!r}, {one['occurrences']:,} times: they look like "
                "phrases; another --delimiter tells them apart.",
                style="yellow",
            )

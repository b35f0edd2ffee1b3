"""``wordgrad demo``: vectors in under a minute, from the English every installation carries."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli.console import results_console, say, say_command, wrap_parts, write_lines
from wordgrad.cli.train import train_to_file
from wordgrad.errors import WordgradError

if TYPE_CHECKING:
    from wordgrad.word_vectors import WordVectors


PROBES = ("list", "server", "directory", "matrix", "string", "thread", "day", "probability")
NEIGHBOURS = 5
MAP_WORDS = 1000
SETTINGS = {"lowercase": True, "min_count": 20, "sample": 1e-3, "epochs": 15}
"""A small text wants more passes, and to drop fewer of its frequent words."""


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write the vectors to.")
    ] = Path("demo.safetensors"),
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the output, even if no demo wrote it."),
    ] = False,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster", help="Start a cluster of two Ray nodes on this machine, and train on them."
        ),
    ] = False,
) -> None:
    """Train on the documentation of Python and of the installed libraries, and show the result.

    Needs no text and no network. Writes the vectors to demo.safetensors and a map of them to
    demo.html; files of an earlier demo are replaced.
    """
    from wordgrad.corpus.builtin import builtin_sentences

    say("Training on the documentation of Python, NumPy, SciPy, scikit-learn and Polars.")
    with ExitStack() as stack:
        settings: dict[str, Any] = dict(SETTINGS)
        if cluster:
            from wordgrad.cluster import nodes_on_this_machine

            say("Starting two nodes of Ray on this machine ...")
            threads = stack.enter_context(nodes_on_this_machine(2))
            settings |= {"cluster": "auto", "nodes": 2, "threads_per_node": threads}
        vectors = train_to_file(
            builtin_sentences(),
            settings,
            output,
            overwrite=overwrite or _is_demo(output),
            note={"source": "demo"},
        )
    _show(vectors)
    _draw(vectors, output, overwrite=overwrite)
    word = next(iter(_probes(vectors)), vectors.words[0])
    say("What next: look up other words; train on a text of yours; draw your own map.")
    say_command(f"wordgrad similar {output} {word}")
    say_command("wordgrad train YOUR-TEXT.txt -o vectors.safetensors")
    say_command("wordgrad map vectors.safetensors -o map.html")


def _is_demo(output: Path) -> bool:
    """Whether an earlier demo wrote the file, so that replacing it loses nothing."""
    if not output.exists():
        return False
    from wordgrad.word_vectors import load

    try:
        return load(output).metadata.get("source") == "demo"
    except WordgradError:
        return False


def _probes(vectors: WordVectors) -> list[str]:
    return [word for word in PROBES if word in vectors]


def _show(vectors: WordVectors) -> None:
    answers = [(word, vectors.most_similar(word, NEIGHBOURS)) for word in _probes(vectors)]
    console = results_console()
    if not console.is_terminal:
        write_lines((word, near, cosine) for word, found in answers for near, cosine in found)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    room = console.width - max(map(len, PROBES)) - 3  # what the first column and its gap leave
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("word", no_wrap=True, style="bold cyan")
    table.add_column("nearest words, with cosines", overflow="fold")
    for word, found in answers:
        near = [f"{other} {cosine:.2f}" for other, cosine in found]
        table.add_row(Text(word), Text("\n".join(wrap_parts(near, room, "  "))))
    console.print(table)
    console.print()


def _draw(vectors: WordVectors, output: Path, *, overwrite: bool) -> None:
    """Write a map beside the vectors, unless a file that is no map would be lost."""
    from wordgrad.cli.plot import drawing, write_map
    from wordgrad.plotting import make_map
    from wordgrad.plotting.page import is_page

    page = output.with_suffix(".html")
    if page.exists() and not overwrite and not is_page(page):
        say(f"{page} is not a map and was not replaced; draw one with another name:")
        say_command(f"wordgrad map {output} -o map.html")
        return
    with drawing():
        drawn = make_map(vectors, most_frequent_words=MAP_WORDS)
    write_map(drawn, page, overwrite=True)
    say("Open it in a browser: find a word, click it, and its neighbours light up.")

"""Compare wordgrad with gensim and fastText: speed, quality, memory, start.

One question a command, one JSON a question in ``benchmarks/results/``::

    python benchmarks/training.py speed wiki8.txt
    python benchmarks/training.py quality wiki8.txt --sets DATA
    python benchmarks/training.py memory wiki8.txt
    python benchmarks/training.py startup

The comparison needs ``pip install ".[bench]"``.  ``DATA`` holds ``similarity/*`` and
``analogies/questions-words.txt``; the names are in :mod:`quality`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import memory as memory_question
import quality as quality_question
import speed as speed_question
import startup as startup_question
import typer
from settings import Architecture, Program
from texts import break_lines

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Text = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Plain text to train on.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of every program.")]
Work = Annotated[
    Path,
    typer.Option(file_okay=False, help="Folder for texts and vectors; kept, so runs can continue."),
]
Programs = Annotated[list[Program], typer.Option("--program", help="Run this program; repeatable.")]
_WORK = Path(tempfile.gettempdir()) / "wordgrad-benchmark"
_PROGRAMS = list(Program)
_ARCHITECTURES = list(Architecture)
_CONFIGURATIONS = list(speed_question.CONFIGURATIONS)
_SEEDS = list(quality_question.SEEDS)


def _say(message: str) -> None:
    typer.echo(message)


def _lines(text: Path, work: Path) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    return break_lines(text, work / f"{text.stem}-lines.txt")


@app.command()
def speed(
    text: Text,
    configuration: Annotated[
        list[str], typer.Option(help=f"One of {', '.join(_CONFIGURATIONS)}; repeatable.")
    ] = _CONFIGURATIONS,
    program: Programs = _PROGRAMS,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating rounds.")] = 3,
    threads: Threads = 2,
    work: Work = _WORK,
) -> None:
    """Time training and the vocabulary pass in alternating rounds of one epoch."""
    lines = _lines(text, work)
    contestants = [speed_question.Contestant(one, one, lines) for one in program]
    contestants.append(speed_question.Contestant("wordgrad, one line", "wordgrad", text))
    for name in configuration:
        _say(str(speed_question.compare(name, contestants, rounds, threads, _say)))


@app.command()
def quality(
    text: Text,
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The test sets.")],
    program: Programs = _PROGRAMS,
    architecture: Annotated[
        list[Architecture], typer.Option(help="skipgram or cbow; repeatable.")
    ] = _ARCHITECTURES,
    seed: Annotated[list[int], typer.Option(help="Seed; repeatable.")] = _SEEDS,
    threads: Threads = 2,
    work: Work = _WORK,
    again: Annotated[bool, typer.Option(help="Run what is on record once more.")] = False,
) -> None:
    """Score five epochs: a sweep of learning rates, then more seeds at the best of them."""
    lines = _lines(text, work)
    result = quality_question.measure(
        lines, sets, work, program, architecture, seed, threads, _say, again
    )
    _say(str(result))


@app.command()
def memory(text: Text, threads: Threads = 2, work: Work = _WORK) -> None:
    """Measure peak memory on the text and on ten copies of it."""
    work.mkdir(parents=True, exist_ok=True)
    _say(str(memory_question.measure(text, work, threads, _say)))


@app.command()
def startup(
    times: Annotated[int, typer.Option(min=1, help="Fresh processes a command.")] = 10,
) -> None:
    """Time ``import wordgrad`` and ``wordgrad --help``."""
    _say(str(startup_question.measure(times, _say)))


if __name__ == "__main__":
    app()

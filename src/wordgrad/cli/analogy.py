"""``wordgrad analogy``: what C is to, as A is to B."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.answers import AS_JSON, METHOD, RESTRICT, TOPN, VECTORS, Answers, show_answers


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
    """Answer "A is to B as C is to what?": man king woman gives queen, if all is well.

    Through a pipe: one line an answer, with the question, answer and cosine (3cosmul: score),
    parted by tabs.
    """
    from wordgrad.vectors.formats import load

    found = load(file).analogy([b, c], [a], topn, restrict_vocab, method=method)
    score = "cosine" if method == "3cosadd" else "score"
    show_answers([Answers(f"{a} : {b} = {c} : ?", found, score)], as_json=as_json)

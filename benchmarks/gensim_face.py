"""One program with gensim's import line and with ours: how fast, and vectors how good.

::

    python benchmarks/gensim_face.py wiki-articles.txt --pairs ws353.tsv --speed-text wiki8.txt

The program builds ``Word2Vec(text, ...)`` with gensim's defaults but for what the name of a cell
says.  Seconds are those of that call, in turns, each in a fresh process that has made a tiny model
before; beside them processor seconds, which other programs on the machine change less.  The text is
a Python list of lists of words that is there, or a file given as ``corpus_file``.  Quality is the
rank correlation with people's similarity scores, and on random walks over a graph of communities
the share of a node's ten nearest that are of its own, over seeds.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from machine import Cells, describe_text, last_lines, run_script, spread
from texts import break_lines

IMPORTS = {"gensim": "gensim.models", "wordgrad": "wordgrad.compat.gensim.models"}
"""The line that differs between the two programs."""

ARCHITECTURES = {"CBOW": {}, "skip-gram": {"sg": 1}}
TEXT_EPOCHS, SEEDS = 20, (1, 2, 3)
GOAL = 5.0  # times as fast
COMMUNITIES, MEMBERS, NEIGHBOURS, WALKS, STEPS = 40, 25, 6, 10, 40
OUTSIDE = 0.25  # share of a node's links that leave its community


def communities(seed: int) -> list[list[str]]:
    """Random walks over a graph whose links are mostly inside communities; a node is ``c/n``."""
    draw = random.Random(seed)
    nodes = [f"{c}/{n}" for c in range(COMMUNITIES) for n in range(MEMBERS)]
    links: dict[str, set[str]] = {node: set() for node in nodes}
    for node in nodes:
        for _ in range(NEIGHBOURS):
            inside = f"{node.split('/')[0]}/{draw.randrange(MEMBERS)}"
            other = draw.choice(nodes) if draw.random() < OUTSIDE else inside
            links[node].add(other)
            links[other].add(node)
    walks = []
    for _ in range(WALKS):
        for node in draw.sample(nodes, len(nodes)):
            walk = [node]
            while len(walk) < STEPS:
                walk.append(draw.choice(sorted(links[walk[-1]])))
            walks.append(walk)
    return walks


def own_community(wv: Any) -> float:
    """Share of the ten nearest nodes that are of the same community, mean over all nodes."""
    same = total = 0
    for node in wv.index_to_key:
        for other, _ in wv.most_similar(node, topn=10):
            same += node.split("/")[0] == other.split("/")[0]
            total += 1
    return same / total


def child(program: str, options: dict[str, Any]) -> dict[str, float]:
    """Build one model in this process; return its seconds, or how good it is."""
    logging.disable(logging.CRITICAL)
    models = import_module(IMPORTS[program])
    what, settings = options["what"], options["settings"]
    if what == "graph":
        walks = communities(options["seed"])
        return {
            "quality": own_community(models.Word2Vec(walks, seed=options["seed"], **settings).wv)
        }
    if what == "pairs":
        text = models.word2vec.LineSentence(options["text"])
        wv = models.Word2Vec(text, seed=options["seed"], **settings).wv
        return {"quality": float(wv.evaluate_word_pairs(options["pairs"])[1][0])}
    models.Word2Vec([["tiny", "text"]] * 100, min_count=1, **settings)
    given: dict[str, Any] = {"corpus_file": options["text"]}
    if what == "list":
        given = {"sentences": list(models.word2vec.LineSentence(options["text"]))}
    begin, processor = perf_counter(), process_time()
    model = models.Word2Vec(**given, **settings)
    seconds, processor = perf_counter() - begin, process_time() - processor
    words = model.corpus_total_words
    return {"seconds": seconds, "processor_seconds": processor, "words": words}


def run(program: str, threads: int, **options: Any) -> dict[str, float]:
    """Do :func:`child` in a fresh process."""
    script, seed = Path(__file__), int(options.get("seed", 1))
    arguments = ["--child", program, "--options", json.dumps(options)]
    done = run_script(script, arguments, threads, seed=seed)
    if done.returncode:
        raise SystemExit(f"{program} failed: {last_lines(done)}")
    return dict(json.loads(done.stdout))


def speed(threads: int, rounds: int, **options: Any) -> dict[str, Any]:
    """Seconds of both programs in turns, and how many times as fast ours is, by rounds."""
    found: dict[str, list[dict[str, float]]] = {program: [] for program in IMPORTS}
    for _ in range(rounds):
        for program, runs in found.items():
            runs.append(run(program, threads, **options))
    record: dict[str, Any] = {"words": found["wordgrad"][0]["words"]}
    for figure in ("seconds", "processor_seconds"):
        values = {program: [one[figure] for one in runs] for program, runs in found.items()}
        ratios = [a / b for a, b in zip(values["gensim"], values["wordgrad"], strict=True)]
        record |= {f"{program} {figure}": spread(of) for program, of in values.items()}
        record[f"times as fast as gensim, {figure}"] = spread(ratios)
    record["passed"] = record["times as fast as gensim, seconds"]["median"] >= GOAL
    return record


def quality(threads: int, **options: Any) -> dict[str, Any]:
    """How good both programs' vectors are, for every seed."""
    return {
        program: spread([run(program, threads, seed=s, **options)["quality"] for s in SEEDS])
        for program in IMPORTS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path, nargs="?", help="the text of the similarities")
    parser.add_argument("--pairs", type=Path, help="word pairs with people's scores, by tabs")
    parser.add_argument("--speed-text", type=Path, help="the text that is timed")
    parser.add_argument("--megabytes", type=int, default=20, help="how much of it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    parser.add_argument("--only", default="", help="cells whose names hold this")
    parser.add_argument("--child", choices=IMPORTS, help=argparse.SUPPRESS)
    parser.add_argument("--options", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, given.options)))
        return
    head = {
        "question": "Does a program with another import line do as well, and how fast?",
        "method": __doc__,
        "threads": given.threads,
        "goal": f"at least {GOAL:g} times as fast as gensim; quality within its noise",
    }
    result = Cells("gensim-face.json", head, fresh=given.fresh)

    def measure(name: str, key: dict[str, Any], work: Any, **options: Any) -> None:
        if given.only in name:
            result.measure(name, key, lambda: work(given.threads, **options))

    for label, architecture in ARCHITECTURES.items():
        measure(
            f"graph, {label}", architecture, quality, what="graph",
            settings={**architecture, "epochs": 1, "min_count": 1},
        )  # fmt: skip
        if given.text and given.pairs:
            settings = {**architecture, "epochs": TEXT_EPOCHS}
            measure(
                f"text, {label}", {**settings, "text": describe_text(given.text)}, quality,
                what="pairs", text=str(given.text), pairs=str(given.pairs), settings=settings,
            )  # fmt: skip
    if given.speed_text is None:
        return
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        head_of_text = Path(folder) / "head.txt"
        with given.speed_text.open("rb") as file:
            head_of_text.write_bytes(file.read(given.megabytes << 20))
        lines = break_lines(head_of_text, Path(folder) / "lines.txt", 30)
        for label, architecture in ARCHITECTURES.items():
            for what, title in (("list", "a list of lists"), ("file", "corpus_file")):
                settings = {**architecture, "workers": given.threads}
                measure(
                    f"speed, {label}, {title}",
                    {**settings, "text": describe_text(lines), "rounds": given.rounds},
                    speed, rounds=given.rounds, what=what, text=str(lines), settings=settings,
                )  # fmt: skip


if __name__ == "__main__":
    main()

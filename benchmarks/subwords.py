"""Subwords: an epoch beside fastText's, in turns; and the quality of both programs' vectors.

    python benchmarks/subwords.py speed TEXT --rounds 3
    python benchmarks/subwords.py quality TEXT SETS FOLDER --seeds 3
    python benchmarks/subwords.py opening MODEL

``speed`` starts a fresh process for every measurement.  fastText does not tell how long it counts
words: a run of no epoch is taken away from one of one epoch.  Processor seconds stand beside those
of the clock, for they are what a busy machine does not change.

``quality`` trains what is missing in FOLDER, and scores it: cosines of words and of unseen words,
which are counted apart, and analogies among the 30,000 most frequent words.  Both programs draw
noise words as they do by default.  fastText has no seed in its Python interface: its runs differ by
what its threads do.

Every call replaces its own part of ``results/subwords.json``.
"""

from __future__ import annotations

import json
import resource
import statistics
import struct
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
        SIZE, WINDOW, MIN_COUNT, architecture, epochs=epochs, seed=seed, workers=2,
        sample=1e-4, subwords=NGRAMS, buckets=BUCKETS,
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
            peak = min(ours["peak"], again["peak"])  # the first may have compiled kernels
            record["wordgrad beyond matrices"] = peak - ours["matrices"]
            record["fasttext peak"], record["wordgrad peak"] = one["peak"], peak
            found.append(record)
            print(json.dumps(record), flush=True)
    _write("speed", {"text": describe_text(text), "rounds": found})


@app.command()
def quality(
    text: Path, sets: Path, folder: Path, seeds: int = 3, epochs: int = 5, fasttext_runs: int = 3,
    train: bool = True,
) -> None:  # fmt: skip
    """Train what is missing in FOLDER, unless told not to, and score all that is there.

    Runs on record of the same text whose vectors FOLDER lacks stay on record.
    """
    folder.mkdir(exist_ok=True)
    part, described = f"quality of {text.stem}", describe_text(text)
    on_record = json.loads((RESULTS / "subwords.json").read_text()).get(part, {})
    same = on_record.get("text") == described and on_record.get("epochs") == epochs
    runs = {
        (one["seed"], one["architecture"], one["program"]): one
        for one in (on_record["runs"] if same else [])
    }
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
                runs[seed, architecture, program] = record
                # After each, for one of fastText takes long.
                ordered = [runs[key] for key in sorted(runs, key=str)]
                _write(part, {"text": described, "epochs": epochs, "runs": ordered})


def write_large(path: Path, words: int = 2_000_000, size: int = 300) -> None:
    """Write a model with the shape of ``cc.en.300.bin``, its numbers drawn at random."""
    rng = np.random.default_rng(1)
    settings = (size, WINDOW, 1, MIN_COUNT, NEGATIVE, 1, 2, 1, BUCKETS, *NGRAMS, 100)
    with path.open("wb") as file:
        file.write(struct.pack("<2i12id3i2q", 793712314, 12, *settings, 1e-4, words, words, 0,
                               10**11, -1))  # fmt: skip
        for number in range(words):
            entry = b"word%x" % (number * 2_654_435_761 % 2**32)
            file.write(entry + struct.pack("<bqb", 0, words - number, 0))
        numbers = rng.standard_normal((20_000, size), np.float32).tobytes()
        for rows in (words + BUCKETS, words):
            file.write(struct.pack("<?2q", False, rows, size))
            for _ in range(rows // 20_000):
                file.write(numbers)


def memory() -> tuple[int, int]:
    """Bytes of this process's own memory, and those with the pages of files that it has mapped."""
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    own, mapped = (1024 * int(status[name].split()[0]) for name in ("RssAnon", "RssFile"))
    return own, own + mapped


@app.command()
def opening(model: Path, own: int = 300) -> None:
    """Seconds of the processor to open a large model, and for its first answers.

    A model that is missing is written.  All but the last answer, for which all vectors are
    composed, must do with so many MB of memory of the process's own (``RLIMIT_DATA``).
    """
    from wordgrad import load
    from wordgrad.corpus.word_table import WordIndex
    from wordgrad.io.fasttext import SEARCHES
    from wordgrad.io.fasttext_model import read_model

    if not model.exists():
        write_large(model)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (own * 1_000_000, most))
    times: Record = {"limit": own * 1_000_000}

    def timed(name: str, function: Any) -> Any:
        began = time.process_time()
        found = function()
        times[name] = time.process_time() - began
        times[f"own memory after {name}"], times[f"memory after {name}"] = memory()
        return found

    vectors = timed("open", lambda: load(model))
    timed("a word", lambda: vectors["unseenword"])
    timed("until indexed", lambda: [vectors[f"unseen{one}"] for one in range(SEARCHES)])
    timed("next word", lambda: vectors["unseenword"])
    timed("10,000 words", lambda: [vectors[f"unseen{one}"] for one in range(10_000)])
    data = timed("scan", lambda: read_model(model).dictionary)
    timed("index", lambda: WordIndex(np.frombuffer(data.text, np.uint8), data.offsets))
    times["bytes of the dictionary"] = len(data.text) + 10 * len(data.counts)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    timed("neighbours", lambda: vectors.most_similar("unseenword"))
    times["words"], times["bytes"] = len(vectors), model.stat().st_size
    print(json.dumps(times))
    _write("opening", times)


if __name__ == "__main__":
    sys.exit(app())

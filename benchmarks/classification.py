"""Compare ``TextClassifier()`` with fastText, logistic regression and a linear SVC.

    python benchmarks/classification.py all DATA

is, one after another,

    python benchmarks/classification.py cells DATA    accuracy and calibration, on any machine
    python benchmarks/classification.py speed DATA    beside fastText, on a quiet machine
    python benchmarks/classification.py plot          docs/reliability.svg

Nothing of ours is set: the classifier gets texts as they are and chooses for itself.  Its rivals
get what their users give them, lower-cased words separated from signs (on ``lingua75`` n-grams of
letters), and the best of a small grid, chosen on a tenth of the training part that is held out.

Every figure is taken in a fresh process and written to ``results/classification.json`` at once; a
run that is stopped goes on where it was.  ``DATA`` holds the sets as their authors published them::

    labelled/NAME.train.tsv.gz, NAME.test.tsv.gz    label<TAB>text, for the first three
    sst/datasetSentences.txt    sentence_index, sentence (Stanford Sentiment Treebank)
    sst/sentence_labels.tsv     sentence_index, split (1 train, 2 test, 3 validation), label 0-4
    classification/TREC.train, TREC.test, rt-polarity.all, subj.all    label and text
    wiki8.gz                    for long documents, whose speed alone is measured

Needs ``pip install ".[bench]"``.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import typer
from machine import (
    RESULTS,
    ROOT,
    circumstances,
    last_lines,
    load_average,
    peak_memory,
    run_script,
    write_json,
)

Record = dict[str, Any]
Texts = list[str]
Part = tuple[Texts, Texts]
"""Texts and their labels."""

FILE = "classification.json"

# ---------------------------------------------------------------------------- the sets

SETS = {
    "banking77": "banking77",
    "tweets100k": "tweets100k",
    "lingua75": "lingua75",
    "sst5": "SST, five-way",
    "sst2": "SST, two-way",
    "trec": "TREC",
    "mr": "MR",
    "subj": "Subj",
}
LABELLED = ("banking77", "tweets100k", "lingua75")
FOLDED = {"mr": "rt-polarity.all", "subj": "subj.all"}
"""Sets without a standard split: of ten folds, the first three are tested on."""
LETTERS = ("lingua75",)
"""Sets on which the rivals get n-grams of letters: words alone tell little there."""
LONG, COMMANDS = "documents", "command-line"
FOLDS, SEEDS = 10, 3
FOLDS_USED = 3


def rounds_of(name: str, program: str) -> int:
    """Trainings whose mean is a figure: a fold each, or where chance has a part a seed each."""
    if name in FOLDED:
        return FOLDS_USED
    return SEEDS if program == "wordgrad" and name not in LETTERS else 1


def parts_of(data: Path, name: str, number: int = 0) -> tuple[Part, Part]:
    """What is trained on, in a random order, and what is tested on; of ten folds one."""
    random = np.random.default_rng(1)
    if name in LABELLED:
        train, test = (_labelled(data / f"labelled/{name}.{part}.tsv.gz")
                       for part in ("train", "test"))  # fmt: skip
        return train, test
    if name in FOLDED:
        texts, labels = _lines_with_labels(data / "classification" / FOLDED[name])
        folds = np.array_split(random.permutation(len(texts)), FOLDS)
        held = folds.pop(number)
        return _some(texts, labels, np.concatenate(folds)), _some(texts, labels, held)
    if name == "trec":
        train, test = (_lines_with_labels(data / f"classification/TREC.{part}")
                       for part in ("train", "test"))  # fmt: skip
    elif name == LONG:
        train = test = long_documents(data)
    else:
        train, test = (_treebank(data, name, split) for split in ("1", "2"))
    # TREC and the treebank are sorted, and fastText takes texts as they come.
    return _some(*train, random.permutation(len(train[0]))), test


def _some(texts: Texts, labels: Texts, rows: Sequence[int] | np.ndarray[Any, Any]) -> Part:
    return [texts[i] for i in rows], [labels[i] for i in rows]


def _labelled(path: Path) -> Part:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    return [text for _, text in rows], [label for label, _ in rows]


def _lines(path: Path) -> Texts:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # MR and TREC.train
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _lines_with_labels(path: Path) -> Part:
    rows = [line.split(None, 1) for line in _lines(path)]
    return [text for _, text in rows], [label for label, _ in rows]


def _treebank(data: Path, name: str, wanted: str) -> Part:
    """Whole sentences, with five labels or, without the neutral ones, two."""
    rows = (line.split("\t", 1) for line in _lines(data / "sst/datasetSentences.txt")[1:])
    sentences = dict(rows)
    texts, labels = [], []
    for line in _lines(data / "sst/sentence_labels.tsv")[1:]:
        index, split, label = line.split()
        if split != wanted or (name == "sst2" and label == "2"):
            continue
        texts.append(sentences[index])
        labels.append(label if name == "sst5" else "positive" if label in "34" else "negative")
    return texts, labels


def long_documents(data: Path) -> Part:
    """25,000 texts of 235 words of Wikipedia: as many as IMDB has reviews, and as long.

    The label is whether they tell of the past, by the counts of six words that are then taken out.
    """
    past, present = {"was", "were", "had"}, {"is", "are", "has"}
    with gzip.open(data / "wiki8.gz", "rt", encoding="utf-8") as file:
        words = file.read(40_000_000).split()
    texts, labels = [], []
    for first in range(0, 25_000 * 240, 240):
        some = words[first : first + 240]
        count = sum((word in past) - (word in present) for word in some)
        texts.append(" ".join(word for word in some if word not in past | present))
        labels.append("past" if count > 0 else "present")
    return texts, labels


# ------------------------------------------------------------------------ the programs

Answer = tuple[Texts, list[float] | None]
"""Labels, and their probabilities where a program gives any."""

Answers = Callable[[Texts], Answer]


def split_words(texts: Sequence[str]) -> Texts:
    """Lower-cased words and signs with spaces between them."""
    from wordgrad.corpus.tokenizer import WORDS_AND_SIGNS

    find = re.compile(WORDS_AND_SIGNS).findall
    return [" ".join(find(text.lower())) for text in texts]


def write_fasttext(path: Path, part: Part) -> Path:
    """Write lines of fastText's form."""
    lines = (f"__label__{label} {text}\n" for text, label in zip(*part, strict=True))
    path.write_text("".join(lines), encoding="utf-8")
    return path


def train_wordgrad(part: Part, settings: Record, name: str) -> Answers:
    """``TextClassifier()``."""
    from wordgrad import TextClassifier

    model = TextClassifier(**settings).fit(*part)

    def answer(new: Texts) -> Answer:
        shares = model.predict_proba(new)
        best = shares.argmax(axis=1)
        return [str(one) for one in model.classes_[best]], shares.max(axis=1).tolist()

    return answer


def train_fasttext(part: Part, settings: Record, name: str) -> Answers:
    """FastText supervised, with one thread: with two, some trainings on TREC never ended."""
    import fasttext

    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        path = write_fasttext(Path(folder) / "train.txt", part)
        model = fasttext.train_supervised(
            str(path), thread=1, verbose=0, **_letters(name), **settings
        )

    def answer(new: Texts) -> Answer:
        found, shares = model.predict(new)
        return [one[0].removeprefix("__label__") for one in found], [float(p[0]) for p in shares]

    return answer


def _letters(name: str) -> Record:
    """FastText's settings for n-grams of letters, on sets that have them."""
    return {"minn": 1, "maxn": 4} if name in LETTERS else {}


def _tfidf(name: str) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if name in LETTERS:
        return TfidfVectorizer(
            analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32
        )
    return TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True, dtype=np.float32
    )


def train_logistic(part: Part, settings: Record, name: str) -> Answers:
    """Logistic regression on TF-IDF."""
    from sklearn.linear_model import LogisticRegression

    vectors = _tfidf(name)
    model = LogisticRegression(max_iter=300, **settings)
    model.fit(vectors.fit_transform(part[0]), part[1])

    def answer(new: Texts) -> Answer:
        shares = model.predict_proba(vectors.transform(new))
        return model.classes_[shares.argmax(axis=1)].tolist(), shares.max(axis=1).tolist()

    return answer


def train_svc(part: Part, settings: Record, name: str) -> Answers:
    """Linear support vector machine on TF-IDF."""
    from sklearn.svm import LinearSVC

    vectors = _tfidf(name)
    model = LinearSVC(**settings).fit(vectors.fit_transform(part[0]), part[1])
    return lambda new: (model.predict(vectors.transform(new)).tolist(), None)


PROGRAMS = {
    "wordgrad": "wordgrad, default",
    "fasttext": "fastText",
    "tfidf-logistic": "TF-IDF, logistic regression",
    "tfidf-svc": "TF-IDF, linear SVC",
}
TRAIN = {
    "wordgrad": train_wordgrad,
    "fasttext": train_fasttext,
    "tfidf-logistic": train_logistic,
    "tfidf-svc": train_svc,
}
GRIDS: dict[str, list[Record]] = {
    "wordgrad": [{}],
    "fasttext": [
        {"wordNgrams": 2, "dim": 100, "epoch": epochs, "lr": rate}
        for epochs in (5, 25)
        for rate in (0.1, 0.5)
    ],
    "tfidf-logistic": [{"C": C} for C in (1.0, 5.0, 20.0)],
    "tfidf-svc": [{"C": C} for C in (0.1, 0.3, 1.0)],
}
CHOICE = 20_000
"""Texts at most on which a point of a grid is tried."""
TRIES = 3
"""FastText stops with NaN at some settings, not always at the same."""


def accuracy(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Share of the labels that are right."""
    return float(np.mean([one == other for one, other in zip(found, wanted, strict=True)]))


def ranked(program: str, part: Part, name: str) -> list[Record]:
    """Points of the grid, the best on a tenth of (some of) the training texts first."""
    grid = GRIDS[program]
    if len(grid) == 1:
        return grid
    order = np.random.default_rng(1).permutation(len(part[0]))[:CHOICE]
    tenth = len(order) // 10
    train, (texts, labels) = _some(*part, order[tenth:]), _some(*part, order[:tenth])
    scores = []
    for settings in grid:
        try:
            scores.append(accuracy(TRAIN[program](train, settings, name)(texts)[0], labels))
        except RuntimeError:  # NaN
            scores.append(-1.0)
    return [grid[i] for i in np.argsort(scores)[::-1]]


def trained(program: str, part: Part, points: Sequence[Record], name: str) -> tuple[Answers, int]:
    """A training at the first point that does not fail, and how many trainings failed."""
    tries = [point for point in points for _ in range(TRIES)]
    for failures, settings in enumerate(tries):
        try:
            return TRAIN[program](part, settings, name), failures
        except RuntimeError:  # NaN
            continue
    raise SystemExit(f"{program} failed at every point of its grid on {name}.")


# ---------------------------------------------------------------- accuracy, calibration

BINS = 10


def run_cell(data: Path, name: str, program: str) -> Record:
    """Choose, train and test, a few times over."""
    from wordgrad.classification.report import calibration

    right: list[bool] = []
    shares: list[float] = []
    record: Record = {"accuracies": [], "cpu_seconds": [], "failures": 0}
    points = GRIDS[program]
    for number in range(rounds_of(name, program)):
        train, (texts, labels) = parts_of(data, name, number)
        if program != "wordgrad":
            train, texts = (split_words(train[0]), train[1]), split_words(texts)
        if number == 0:
            points = ranked(program, train, name)
        seed = {"seed": number + 1} if program == "wordgrad" else {}
        start = process_time()
        answer, failures = trained(program, train, [{**one, **seed} for one in points], name)
        record["cpu_seconds"].append(process_time() - start)
        record["failures"] += failures
        found, some = answer(texts)
        record["accuracies"].append(accuracy(found, labels))
        right += [one == other for one, other in zip(found, labels, strict=True)]
        shares += some or []
        record |= {"trained_on": len(train[0]), "tested_on": len(texts)}
    record |= {
        "accuracy": float(np.mean(record["accuracies"])),
        "settings": points[0],
        "peak_memory": peak_memory(),
        "load_average": load_average(),
    }
    if shares:
        bins, error = calibration(shares, right, BINS)
        record |= {"calibration_error": error, "bins": bins}
    return record


# ------------------------------------------------------------------------------- speed

SIZE, RATE = 64, 0.01
"""Of the vectors of both programs while epochs are timed; the rate is one that never fails."""
EPOCHS = 15


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = perf_counter()
    found = work()
    return perf_counter() - start, found


def speed_rounds(data: Path, name: str, rounds: int) -> Iterator[Record]:
    """Seconds of both programs by turns: file to model, an epoch, and texts answered.

    FastText gets the fastest point of its grid, five epochs, which is rarely the best.  An epoch of
    its is what more of them add to a training, a share each; ours is the median of a training's.
    """
    import fasttext

    from wordgrad import TextClassifier

    part, (texts, labels) = parts_of(data, name)
    words = split_words(part[0])
    new = texts, split_words(texts)
    letters = _letters(name)
    fixed: Record = {
        "vector_size": SIZE,
        "learning_rate": RATE,
        "smoothing": 0.0,
        "subwords": (1, 4) if letters else (0, 0),
        "calibrate": False,
        "workers": 2,
    }
    plain: Record = {
        "dim": SIZE, "wordNgrams": 2, "lr": RATE, "thread": 2, "verbose": 0, **letters
    }  # fmt: skip
    few = max(EPOCHS, 200_000 // len(part[0]))
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        ours = write_fasttext(Path(folder) / "raw.txt", part)
        theirs = str(write_fasttext(Path(folder) / "words.txt", (words, part[1])))

        def train(epochs: int) -> Any:
            return fasttext.train_supervised(theirs, epoch=epochs, **plain)

        TextClassifier(workers=2).fit(part[0][:500], part[1][:500])  # compiles
        for _ in range(rounds):
            model_seconds, model = _seconds(lambda: TextClassifier(workers=2).fit_files(ours))
            answer_seconds, _ = _seconds(partial(model.predict, new[0]))
            history = TextClassifier(epochs=few, **fixed).fit(*part).history_
            their_seconds, other = _seconds(
                lambda: fasttext.train_supervised(
                    theirs, thread=2, verbose=0, **letters, **GRIDS["fasttext"][0]
                )
            )
            their_answers, _ = _seconds(partial(other.predict, new[1]))
            short, long = (_seconds(partial(train, epochs))[0] for epochs in (1, 1 + few))
            yield {
                "wordgrad": {
                    "model": model_seconds,
                    "epoch": float(np.median([one["seconds"] for one in history])),
                    "texts_a_second": len(labels) / answer_seconds,
                },
                "fasttext": {
                    "model": their_seconds,
                    "epoch": (long - short) / few,
                    "texts_a_second": len(labels) / their_answers,
                },
            }


def command_line_rounds(data: Path, rounds: int) -> Iterator[Record]:
    """Seconds of ``wordgrad classify predict`` for one line, and for 25,000 long texts.

    Beside them stands Python with fastText, which loads its model and answers the same texts.
    """
    import fasttext

    from wordgrad import TextClassifier

    part, _ = parts_of(data, LONG)
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        place = Path(folder)
        TextClassifier().fit(*part).save(place / "m.safetensors")
        words = write_fasttext(place / "train.txt", (split_words(part[0]), part[1]))
        fasttext.train_supervised(str(words), dim=SIZE, wordNgrams=2, thread=2,
                                  verbose=0).save_model(str(place / "m.bin"))  # fmt: skip
        (place / "one.txt").write_text(part[0][0] + "\n")
        (place / "all.txt").write_text("".join(f"{text}\n" for text in part[0]))
        ours = [
            sys.executable,
            "-m",
            "wordgrad",
            "classify",
            "predict",
            str(place / "m.safetensors"),
        ]
        program = (
            "import sys, fasttext\nmodel = fasttext.load_model(sys.argv[1])\n"
            "lines = open(sys.argv[2], encoding='utf-8').read().split('\\n')[:-1]\n"
            "print(*[one[0] for one in model.predict(lines)[0]], sep='\\n')"
        )
        theirs = [sys.executable, "-c", program, str(place / "m.bin")]
        for number in range(rounds + 1):
            found = {}
            for title, command in (("wordgrad", ours), ("fasttext", theirs)):
                for file in ("one", "all"):
                    whole = [*command, str(place / f"{file}.txt")]
                    found[f"{title}_{file}"], _ = _seconds(
                        partial(subprocess.run, whole, check=True, capture_output=True)
                    )
            if number:
                yield found


# ------------------------------------------------------------------------------ commands

app = typer.Typer(help=(__doc__ or "").splitlines()[0])
Data = Annotated[Path, typer.Argument(help="Folder with the sets.")]
Names = Annotated[list[str] | None, typer.Option("--set", help="Sets; by default all.")]
Again = Annotated[bool, typer.Option(help="Measure what is on record, too.")]


def results() -> Record:
    """What is on record."""
    path = RESULTS / FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _measure(kind: str, keys: Sequence[str], arguments: Sequence[str], again: bool) -> None:
    """Run a hidden command in a fresh process, and put what it prints on record."""
    place = results().get(kind, {})
    for key in keys[:-1]:
        place = place.get(key, {})
    if "error" not in place.get(keys[-1], {"error": "not there"}) and not again:
        return
    done = run_script(Path(__file__), [f"one-{kind}", *arguments], 2)
    found = json.loads(done.stdout) if done.returncode == 0 else {"error": last_lines(done)}
    whole = results()
    place = whole.setdefault(kind, {})
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = found
    write_json(FILE, {**whole, **circumstances()})
    shown = {key: value for key, value in found.items() if key != "bins"}
    print(kind, *keys, json.dumps(shown), file=sys.stderr, flush=True)


@app.command()
def cells(
    data: Data,
    names: Names = None,
    program: Annotated[list[str] | None, typer.Option(help="Programs; by default all.")] = None,
    again: Again = False,
) -> None:
    """Measure accuracy and calibration of every program on every set."""
    for name in names or SETS:
        for one in program or PROGRAMS:
            _measure("cells", [name, one], [str(data), name, one], again)


@app.command()
def speed(data: Data, names: Names = None, rounds: int = 3, again: Again = False) -> None:
    """Time both programs by turns."""
    for name in names or [*SETS, LONG, COMMANDS]:
        _measure("speed", [name], [str(data), name, str(rounds)], again)


@app.command("one-cells", hidden=True)
def one_cell(data: Path, name: str, program: str) -> None:
    """Print one cell."""
    print(json.dumps(run_cell(data, name, program)))


@app.command("one-speed", hidden=True)
def one_speed(data: Path, name: str, rounds: int) -> None:
    """Print the rounds of one set."""
    of_a_set = command_line_rounds if name == COMMANDS else partial(speed_rounds, name=name)
    found = list(of_a_set(data, rounds=rounds))
    print(json.dumps({"rounds": found, "load_average": load_average()}))


@app.command()
def plot() -> None:
    """Draw how often answers are right against their probability."""
    measured = results()["cells"]
    names = [name for name in SETS if "bins" in measured.get(name, {}).get("wordgrad", {})]
    parts = []
    for place, name in enumerate(names):
        left, top = 20 + 180 * (place % 4), 30 + 190 * (place // 4)
        parts.append(f'<text x="{left}" y="{top - 6}">{SETS[name]}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="150" height="150" class="box"/>')
        parts.append(f'<path d="M{left} {top + 150}l150 -150" class="box"/>')
        for program, colour in (("fasttext", "#d95f02"), ("wordgrad", "#1b6ca8")):
            points = [
                (left + 150 * one["probability"], top + 150 * (1 - one["right"]))
                for one in measured[name].get(program, {}).get("bins", [])
                if one["texts"] >= 20
            ]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points
            ]
    height = 30 + 190 * -(-len(names) // 4)
    style = "text{font:12px sans-serif;fill:#555}.box{fill:none;stroke:#bbb}"
    picture = "\n".join(parts)
    (ROOT / "docs" / "reliability.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height}">\n'
        f"<style>{style}</style>\n{picture}\n</svg>\n"
    )


@app.command("all")
def run_all(data: Data) -> None:
    """Measure all that is missing, and draw."""
    cells(data)
    speed(data)
    plot()


if __name__ == "__main__":
    app()

"""Train one program on one set of labelled texts, and say how well and how fast.

Run by :mod:`classification` in a fresh process for every cell of its tables::

    python benchmarks/classifiers.py JOB.json RESULT.json

Seconds are of training alone, from texts in memory (for fastText, which reads files, from its
file) to a model that can predict; predicting is not in them.  Programs in Python train on a handful
of texts before: imports, thread pools and compiling are not part of any figure.

The job's folder ``data`` holds the sets as their authors published them::

    sst/datasetSentences.txt    sentence_index, sentence (Stanford Sentiment Treebank)
    sst/sentence_labels.tsv     sentence_index, split (1 train, 2 test, 3 validation), label 0-4
    classification/TREC.train   label and question, a line each; TREC.test likewise
    classification/rt-polarity.all, subj.all    label and sentence

Every program gets the same words: lower-cased, one blank between them.  Only whole sentences of the
treebank are used, not its phrases.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

# ---------------------------------------------------------------------------- the sets

Rows = npt.NDArray[np.int64]

TITLES = {
    "sst5": "SST, five-way",
    "sst2": "SST, two-way",
    "trec": "TREC",
    "mr": "MR",
    "subj": "Subj",
}
FOLDS = 10
SEED = 1
_FILES = {
    "sst5": ("sst/datasetSentences.txt", "sst/sentence_labels.tsv"),
    "sst2": ("sst/datasetSentences.txt", "sst/sentence_labels.tsv"),
    "trec": ("classification/TREC.train", "classification/TREC.test"),
    "mr": ("classification/rt-polarity.all",),
    "subj": ("classification/subj.all",),
}
_TRAIN, _TEST, _VALIDATION = 1, 2, 3


@dataclass(frozen=True)
class LabelledSet:
    """Texts with labels, and which are for what.

    ``split`` holds 1 (train), 2 (test), 3 (validation); it is ``None`` where there is no standard,
    and ten folds are made.
    """

    name: str
    texts: list[str]
    labels: list[str]
    split: Rows | None

    @property
    def rounds(self) -> int:
        """How many times a program is trained for one accuracy."""
        return FOLDS if self.split is None else 1

    def parts(self, stage: str, fold: int) -> tuple[Rows, Rows]:
        """Rows to train on, in a random order, and rows to predict.

        The files of the treebank and of TREC are sorted, and fastText takes texts as they come: in
        the order of the file it would be at 69% on two-way SST.
        ``stage`` is "test", or "validation": then settings are chosen, and no test row is touched.
        Of ten folds, the validation part is a tenth of what the first fold trains on.
        """
        if self.split is None:
            folds = np.array_split(np.random.default_rng(SEED).permutation(len(self.texts)), FOLDS)
            train, test = np.concatenate([*folds[:fold], *folds[fold + 1 :]]), folds[fold]
        else:
            rng = np.random.default_rng(SEED)
            train = rng.permutation(np.flatnonzero(self.split == _TRAIN))
            test = np.flatnonzero(self.split == _TEST)
        if stage == "test":
            return train, test
        if self.split is not None and (self.split == _VALIDATION).any():
            return train, np.flatnonzero(self.split == _VALIDATION)
        shuffled = np.random.default_rng(SEED).permutation(train)
        tenth = len(shuffled) // 10
        return shuffled[tenth:], shuffled[:tenth]


def load_set(data: Path, name: str) -> LabelledSet:
    """Read one of :data:`TITLES` from the folder ``data``."""
    if name in ("sst5", "sst2"):
        return _treebank(data, name)
    if name == "trec":
        train, test = (_labelled_lines(data / file) for file in _FILES[name])
        split = np.repeat([_TRAIN, _TEST], [len(train), len(test)])
        return _made(name, [*train, *test], split)
    return _made(name, _labelled_lines(data / _FILES[name][0]), None)


def set_hash(data: Path, name: str) -> str:
    """SHA-256 of the set's files, one after another."""
    digest = hashlib.sha256()
    for file in _FILES[name]:
        digest.update((data / file).read_bytes())
    return digest.hexdigest()


def _made(name: str, rows: list[tuple[str, str]], split: Rows | None) -> LabelledSet:
    return LabelledSet(name, [text for _, text in rows], [label for label, _ in rows], split)


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # MR and TREC.train
    return [line for line in text.split("\n") if line.strip()]


def _clean(text: str) -> str:
    return " ".join(text.lower().split())


def _labelled_lines(path: Path) -> list[tuple[str, str]]:
    rows = (line.split(None, 1) for line in _lines(path))
    return [(label, _clean(text)) for label, text in rows]


def _treebank(data: Path, name: str) -> LabelledSet:
    sentences, labels = (data / file for file in _FILES[name])
    texts = dict(line.rstrip("\r").split("\t", 1) for line in _lines(sentences)[1:])
    rows, split = [], []
    for line in _lines(labels)[1:]:
        index, part, label = line.split()
        if name == "sst2":
            if label == "2":  # neutral
                continue
            label = "positive" if label in "34" else "negative"
        rows.append((label, _clean(texts[index])))
        split.append(int(part))
    return _made(name, rows, np.array(split))


# ------------------------------------------------------------------------ the programs

Texts = Sequence[str]
Settings = dict[str, Any]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """What came of one training."""

    predict: Callable[[Texts], Sequence[str]]
    seconds: float
    details: dict[str, Any]


EARLIER: Settings = {
    "vector_size": 64,
    "hidden_size": 32,
    "learning_rate": 0.025,
    "smoothing": 0.0,
    "subwords": (0, 0),
    "calibrate": False,
    "pattern": r"\S+",
}
"""One setting for all sets: what was the default before the classifier chose for itself."""


def fit_wordgrad(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """``TextClassifier`` at :data:`EARLIER`; ``vectors: true`` starts from those of the job."""
    from wordgrad import TextClassifier, load

    changed = {**EARLIER, **settings}
    if changed.pop("vectors", False):
        changed["vectors"] = load(job["vectors"])
        changed["vector_size"] = changed["vectors"].vector_size
    model = TextClassifier(**changed, workers=job["threads"], seed=job["seed"])
    start = perf_counter()
    model.fit(list(texts), list(labels))
    seconds = perf_counter() - start
    losses = [float(epoch["loss"]) for epoch in model.history_]
    details = {
        "epochs": len(losses),
        "epoch_seconds": float(sum(epoch["seconds"] for epoch in model.history_)),
        "last_loss": losses[-1],
        "finite": bool(np.isfinite(losses).all()),
    }
    return Fitted(lambda new: [str(one) for one in model.predict(list(new))], seconds, details)


def fit_fasttext(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """FastText supervised; what is not in ``settings`` is its default."""
    import fasttext

    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        path = Path(folder) / "train.txt"
        lines = (f"__label__{label} {text}\n" for label, text in zip(labels, texts, strict=True))
        path.write_text("".join(lines), encoding="utf-8")
        start = perf_counter()
        model = fasttext.train_supervised(str(path), thread=job["threads"], verbose=0, **settings)
        seconds = perf_counter() - start
    prefix = len("__label__")
    return Fitted(
        lambda new: [found[0][prefix:] for found in model.predict(list(new))[0]],
        seconds,
        {"epochs": settings.get("epoch", 5)},
    )


def _tfidf(settings: Settings) -> Any:
    """Words and pairs of words, as white space separates them: the texts are tokenized already."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        ngram_range=(1, int(settings.get("ngrams", 2))),
        token_pattern=r"\S+",
        sublinear_tf=True,
        dtype=np.float32,
    )


def fit_tfidf_logistic(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """Logistic regression on TF-IDF."""
    from sklearn.linear_model import LogisticRegression

    vectorizer = _tfidf(settings)
    model = LogisticRegression(C=settings["C"], max_iter=1000)
    start = perf_counter()
    model.fit(vectorizer.fit_transform(texts), labels)
    seconds = perf_counter() - start
    iterations = int(np.max(model.n_iter_))
    return Fitted(
        lambda new: model.predict(vectorizer.transform(new)), seconds, {"iterations": iterations}
    )


def fit_tfidf_mlp(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """scikit-learn's ``MLPClassifier`` on TF-IDF, stopped early."""
    from sklearn.neural_network import MLPClassifier

    vectorizer = _tfidf(settings)
    model = MLPClassifier(
        hidden_layer_sizes=(settings["hidden_size"],),
        activation="logistic",
        early_stopping=True,
        random_state=job["seed"],
    )
    start = perf_counter()
    model.fit(vectorizer.fit_transform(texts), list(labels))
    seconds = perf_counter() - start
    details = {"epochs": int(model.n_iter_)}
    return Fitted(lambda new: model.predict(vectorizer.transform(new)), seconds, details)


def mean_vectors(texts: Texts, words: Any) -> Floats:
    """Mean of the vectors of each text's known words, (texts, D); zeros if none is known."""
    matrix = np.asarray(words.matrix)
    index = {word: row for row, word in enumerate(words.words)}
    means = np.zeros((len(texts), matrix.shape[1]), dtype=np.float32)
    for row, text in enumerate(texts):
        known = [index[word] for word in text.split() if word in index]
        if known:
            means[row] = matrix[known].mean(axis=0)
    return means


def fit_vectors_mlp(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """``MLPClassifier`` on means of given word vectors; taking the means is not timed."""
    from sklearn.neural_network import MLPClassifier

    from wordgrad import load

    model = MLPClassifier(
        hidden_layer_sizes=(settings["hidden_size"],),
        activation="logistic",
        early_stopping=True,
        max_iter=1000,
        random_state=job["seed"],
    )
    words = load(job["vectors"])
    means = mean_vectors(texts, words)
    start = perf_counter()
    model.fit(means, list(labels))
    seconds = perf_counter() - start
    details = {"epochs": int(model.n_iter_)}
    return Fitted(lambda new: model.predict(mean_vectors(new, words)), seconds, details)


FIT: dict[str, Callable[[Texts, Texts, Settings, Settings], Fitted]] = {
    "wordgrad": fit_wordgrad,
    "fasttext": fit_fasttext,
    "tfidf-logistic": fit_tfidf_logistic,
    "tfidf-mlp": fit_tfidf_mlp,
    "vectors-mlp": fit_vectors_mlp,
}


def _warm_up(job: Settings) -> None:
    if job["program"] == "fasttext":  # is compiled, and stops with NaN on so few texts
        import fasttext  # noqa: F401

        return
    texts = [f"warm up {word} now" for word in ("good", "bad") for _ in range(20)]
    FIT[job["program"]](texts, [text.split()[2] for text in texts], job["settings"], job)


def train_once(labelled: LabelledSet, fold: int, job: Settings) -> dict[str, Any]:
    """Train and predict; a program that gives up leaves its sentence in place of figures."""
    train, test = labelled.parts(job["stage"], fold)
    texts, labels = ([column[row] for row in train] for column in (labelled.texts, labelled.labels))
    wanted = [labelled.labels[row] for row in test]
    try:
        fitted = FIT[job["program"]](texts, labels, job["settings"], job)
        predicted = fitted.predict([labelled.texts[row] for row in test])
    except Exception as error:  # a failure is a result
        return {"error": f"{type(error).__name__}: {error}"}
    right = [found == label for found, label in zip(predicted, wanted, strict=True)]
    figures = {"accuracy": float(np.mean(right)), "seconds": fitted.seconds}
    return {"trained_on": len(train), "tested_on": len(test), **figures, **fitted.details}


def run_trainings(job: Settings) -> Settings:
    """Do all trainings of the job, one after another."""
    labelled = load_set(Path(job["data"]), job["set"])
    _warm_up({**job, "seed": 1})
    trainings = [
        {**one, **train_once(labelled, one["fold"], {**job, **one})} for one in job["trainings"]
    ]
    return {"trainings": trainings}


# ----------------------------------------------------------------- seconds of an epoch

MORE_EPOCHS = 50


def train_part(labelled: LabelledSet) -> tuple[list[str], list[str]]:
    """Texts and labels that are trained on; of ten folds, on the first."""
    rows, _ = labelled.parts("test", 0)
    return [labelled.texts[row] for row in rows], [labelled.labels[row] for row in rows]


def epochs_of_wordgrad(texts: list[str], labels: list[str], job: Settings) -> Settings:
    """Seconds of the whole training, and of its epochs alone."""
    from wordgrad import TextClassifier

    model = TextClassifier(
        **{**EARLIER, "vector_size": job["same"]["dim"]},
        workers=job["threads"],
        epochs=job["same"]["epoch"],
    )
    start = perf_counter()
    model.fit(texts, labels)
    whole = perf_counter() - start
    inside = sum(epoch["seconds"] for epoch in model.history_)
    return {"whole": whole, "epoch": inside / len(model.history_)}


def epochs_of_fasttext(file: str, job: Settings) -> Settings:
    """The same; an epoch is what many more of them add to a training, a share each.

    Setting itself up takes fastText as long as dozens of epochs on a small set, so that few more
    would be lost in the noise.  The rate, on which speed does not depend, is one that never fails.
    """
    import fasttext

    def call(epochs: int) -> float:
        settings = {**job["same"], "epoch": epochs, "lr": 0.01}
        start = perf_counter()
        fasttext.train_supervised(file, thread=job["threads"], verbose=0, **settings)
        return perf_counter() - start

    epochs = job["same"]["epoch"]
    whole = call(epochs)
    return {"whole": whole, "epoch": (call(epochs + MORE_EPOCHS) - whole) / MORE_EPOCHS}


def epoch_rounds(labelled: LabelledSet, job: Settings) -> list[Settings]:
    """Rounds in which both programs train with the same sizes, epochs and threads."""
    texts, labels = train_part(labelled)
    epochs_of_wordgrad(texts[:200], labels[:200], job)  # compiles
    rounds = []
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        file = Path(folder) / "train.txt"
        lines = (f"__label__{label} {text}\n" for label, text in zip(labels, texts, strict=True))
        file.write_text("".join(lines), encoding="utf-8")
        for _ in range(job["rounds"]):
            ours = epochs_of_wordgrad(texts, labels, job)
            theirs = epochs_of_fasttext(str(file), job)
            rounds.append({"wordgrad": ours, "fasttext": theirs})
    return rounds


def main(job_file: str, result: str) -> None:
    """Do what the job asks: trainings for accuracy, or rounds that time an epoch."""
    job = json.loads(Path(job_file).read_text())
    if "trainings" in job:
        found = run_trainings(job)
    else:
        found = {"rounds": epoch_rounds(load_set(Path(job["data"]), job["set"]), job)}
    Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

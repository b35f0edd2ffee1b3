"""Write the models that are missing beside this file, and what fastText answers.

    python tests/fasttext_models/make.py

Needs ``fasttext-numpy2-wheel`` 0.9.2.  The text is made up here, from syllables.  That build of
fastText now and then starts from memory that it has not set, and stops with NaN or goes on with
numbers too large: each model is trained in a process of its own, and again until it is there.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SYLLABLES = ["ba", "ke", "zu", "ri", "mo", "na", "té", "šo", "ли", "東", "🙂", "th"]
MANY = 260
"""Labels of the model whose output is quantised: 256 centroids need so many rows."""

SMALL = {"dim": 8, "epoch": 5, "lr": 0.2, "bucket": 300}
CLASSIFIERS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "softmax_words.bin": ({"bucket": 0, "dim": 5}, None),
    "softmax_pairs.bin": ({"wordNgrams": 2}, None),
    "softmax_all.bin": ({"wordNgrams": 3, "minn": 2, "maxn": 4}, None),
    "hs.bin": ({"loss": "hs", "minn": 2, "maxn": 4, "labels": 9}, None),
    "ova.bin": ({"loss": "ova", "minn": 3, "maxn": 3, "wordNgrams": 2, "two": True}, None),
    "ns.bin": ({"loss": "ns", "minn": 1, "maxn": 2}, None),
    "hs_pruned.ftz": ({"loss": "hs", "minn": 2, "maxn": 4, "bucket": 3000, "labels": 9},
                      {"cutoff": 300, "qnorm": True}),
    "softmax_quantised.ftz": ({"minn": 2, "maxn": 3, "dim": 7}, {"dsub": 3}),
    "softmax_output.ftz": ({"dim": 4, "labels": MANY, "minn": 2, "maxn": 2},
                            {"qout": True, "qnorm": True}),
    "pruned_words.ftz": ({"bucket": 0, "words": 600, "dim": 4}, {"cutoff": 280}),
}  # fmt: skip
VECTORS = {
    "skipgram.bin": {"model": "skipgram", "minn": 2, "maxn": 4},
    "cbow.bin": {"model": "cbow", "minn": 1, "maxn": 3},
    "whole_words.bin": {"model": "skipgram", "minn": 0, "maxn": 0},
}
TEXTS = [
    "", "   ", "\t ba  ke ", "zu</s>", "ba </s> ke", "unknown words alone", "東 🙂 ли té",
    "__label__l1 ba ke", "__label__other zu ri", "__label__", "ba\x00ke\x0bzu\x0cri\rmo", "<", ">",
    "a", "é", "<ba>", "x" * 500, "東" * 100,
]  # fmt: skip


def vocabulary(n: int, draw: random.Random) -> list[str]:
    """Words of one to four syllables."""
    return ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(n)]


def corpus(labels: int, words: int, *, two: bool) -> list[tuple[str, str]]:
    """Labels and text of every line; each label prefers words of its own."""
    draw = random.Random(labels)
    known = vocabulary(words, draw)
    weights = [1 / (i + 2) for i in range(words)]
    lines = []
    for i in range(1200):
        label = i % labels if labels == MANY else min(labels - 1, int(draw.expovariate(1)))
        chosen = draw.choices(range(words), weights, k=draw.randint(3, 12))
        names = [f"__label__l{label}"] + ([f"__label__l{(label + 1) % labels}"] if two else [])
        text = " ".join(known[(j + 7 * label) % words] for j in chosen)
        lines.append((" ".join(names), text))
    return lines


def train_classifier(name: str) -> None:
    """Train one of CLASSIFIERS and save it."""
    import fasttext

    settings, quantised = CLASSIFIERS[name]
    chosen = {**SMALL, **settings}
    labels, words, two = _shape(chosen)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "train.txt")
        lines = corpus(labels, words, two=two)
        file.write_text("".join(f"{label} {text}\n" for label, text in lines))
        model = fasttext.train_supervised(str(file), thread=1, verbose=0, **chosen)
        check(model)
        if quantised is not None:
            model.quantize(input=str(file), thread=1, verbose=0, **quantised)
    model.save_model(str(HERE / name))


def train_vectors(name: str) -> None:
    """Train one of VECTORS and save it."""
    import fasttext

    chosen = {"dim": 6, "epoch": 3, "bucket": 200, "minCount": 2, **VECTORS[name]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "train.txt")
        file.write_text("".join(f"{text}\n" for _, text in corpus(4, 60, two=False)))
        model = fasttext.train_unsupervised(str(file), thread=1, verbose=0, **chosen)
    check(model)
    model.save_model(str(HERE / name))


def check(model: Any) -> None:
    """Raise RuntimeError if memory that was not set has come into the parameters."""
    for matrix in (model.get_input_matrix(), model.get_output_matrix()):
        if not abs(matrix).max() < 50:
            raise RuntimeError("too large")


def _shape(chosen: dict[str, Any]) -> tuple[int, int, bool]:
    return chosen.pop("labels", 4), chosen.pop("words", 60), chosen.pop("two", False)


def persist(train: Any, name: str) -> None:
    """Train in a process of its own, until it does not stop with NaN."""
    for _ in range(20):
        process = multiprocessing.get_context("spawn").Process(target=attempts, args=(train, name))
        process.start()
        process.join()
        if process.exitcode == 0:
            return
    raise SystemExit(f"fastText stops with NaN in {name}.")


def attempts(train: Any, name: str) -> None:
    """Train up to twenty times; between two, memory is used in other ways."""
    for _ in range(20):
        junk = [bytes(random.randrange(1 << 20)) for _ in range(random.randrange(20))]
        del junk
        with contextlib.suppress(RuntimeError):
            train(name)
            return
    raise SystemExit(1)


def main() -> None:
    """Train, save, and write down the answers."""
    import fasttext

    answers: dict[str, Any] = {}
    for name, (settings, _) in CLASSIFIERS.items():
        if not (HERE / name).exists():
            persist(train_classifier, name)
        labels, words, two = _shape({**SMALL, **settings})
        model = fasttext.load_model(str(HERE / name))
        texts = [*TEXTS, *(text for _, text in corpus(labels, words, two=two)[:12])]
        answers[name] = {"texts": texts}
        for k in (1, 2, 12 if labels == MANY else -1):
            found = [model.predict(text, k=k) for text in texts]
            answers[name][str(k)] = [
                [list(label), [float(f"{p:.9g}") for p in ps]] for label, ps in found
            ]
    for name in VECTORS:
        if not (HERE / name).exists():
            persist(train_vectors, name)
        model = fasttext.load_model(str(HERE / name))
        words = ["ba", "bake", "unknown", "é", "東🙂", "</s>", "<", "a", "x" * 50, *model.words[:5]]
        answers[name] = {
            "words": model.words,
            "vectors": {word: model.get_word_vector(word).tolist() for word in words},
            "subwords": {word: model.get_subwords(word)[1].tolist() for word in words},
        }
    (HERE / "answers.json").write_text(json.dumps(answers, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

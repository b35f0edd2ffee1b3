"""Tell what a sentence of Python's documentation is about, and which words gave it away.

The texts are docstrings of the standard library: every installation has them.  Run it with
``python examples/classify_text.py``.  It takes a few seconds.
"""

import importlib
import inspect
import random
import re
import tempfile
from pathlib import Path

from wordgrad import TextClassifier

SUBJECTS = {
    "numbers": ["decimal", "fractions", "math", "random", "statistics", "cmath"],
    "network": ["ftplib", "http.client", "imaplib", "smtplib", "socket", "ssl", "urllib.request"],
    "files": ["os", "os.path", "pathlib", "shutil", "tempfile", "zipfile", "tarfile"],
}
TESTED = 5  # one of so many sentences is kept back
ASKED = ("the largest of two values", "wait for the server to reply", "remove an empty directory")


def sentences(module_name: str) -> set[str]:
    """Sentences of the docstrings of a module's functions, classes and methods."""
    module = importlib.import_module(module_name)
    things = [module, *(thing for name, thing in vars(module).items() if name[0] != "_")]
    things += [part for thing in things if inspect.isclass(thing) for part in vars(thing).values()]
    found = set()
    for thing in things:
        text = inspect.getdoc(thing) if callable(thing) or thing is module else None
        for sentence in re.split(r"(?<=[.:])\s+|\n\s*\n", text or ""):
            words = re.findall(r"[a-z]+", sentence.lower())
            if len(words) >= 5:
                found.add(" ".join(words))
    return found


def main() -> None:
    rows = [
        (sentence, subject)
        for subject, modules in SUBJECTS.items()
        for sentence in sorted(set().union(*map(sentences, modules)))
    ]
    random.Random(1).shuffle(rows)
    tested, trained = rows[::TESTED], [row for i, row in enumerate(rows) if i % TESTED]

    model = TextClassifier().fit(*zip(*trained, strict=True))
    last = model.history_[-1]
    print(f"{len(trained)} sentences, {last['epoch']} epochs, loss {last['loss']:.3f} a sentence")
    texts, labels = (list(column) for column in zip(*tested, strict=True))
    right = sum(model.predict(texts) == labels)
    most = max(map(labels.count, SUBJECTS))
    print(f"{right / len(tested):.1%} of {len(tested)} others right", end="; ")
    print(f"the most frequent subject, said every time, would be: {most / len(tested):.1%}")

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "subjects.safetensors")
        model = TextClassifier.load(Path(folder) / "subjects.safetensors")
    for text in ASKED:
        label = model.predict([text])[0]
        chance = model.predict_proba([text]).max()
        why = ", ".join(f"{word} {push:+.2f}" for word, push in model.explain(text))
        print(f"{text!r}: {label} ({chance:.0%}), because of: {why}")


if __name__ == "__main__":
    main()

"""How fast text is turned into ids, against gensim's vocabulary pass, and with how much memory.

::

    python benchmarks/reading.py wiki8.txt --threads 2 --rounds 5

First both programs read every shape of the text and their counts of all words must be equal.  Then
they are timed in turns, each run in a fresh process.  gensim's pass counts words; ours also writes
the text as ids, which gensim does not: it reads the text again in every epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from machine import (
    circumstances,
    describe_text,
    load_average,
    peak_memory,
    spread,
    write_json,
)
from texts import break_lines, repeat

GOALS = {"times as fast as gensim": 3.0, "memory over the interpreter, bytes": 250e6}
_LINE_LENGTHS = {"lines of 1000 words": 1000, "lines of 10 words": 10}


def _fingerprint(words: Sequence[str], counts: Sequence[int]) -> str:
    lines = sorted(f"{word} {count}" for word, count in zip(words, counts, strict=True))
    return sha256("\n".join(lines).encode()).hexdigest()


def _read_wordgrad(text: str, threads: int, min_count: int) -> dict[str, Any]:
    import numpy
    import polars

    from wordgrad.corpus.corpus import encode_corpus

    base = peak_memory() or 0
    start, processor = perf_counter(), process_time()
    with encode_corpus(text, min_count=min_count, workers=threads) as corpus:
        seconds, cpu = perf_counter() - start, process_time() - processor
        peak = peak_memory() or 0
        counts = corpus.vocabulary.counts
        # Counting the ids again shows that the corpus, not only the vocabulary, is right.
        again = numpy.bincount(corpus.ids, minlength=len(counts))
        if not numpy.array_equal(again, counts):
            raise AssertionError("the ids do not have the counts of the vocabulary")
        found = _fingerprint(corpus.vocabulary.words, counts.tolist())
        tokens = corpus.report.tokens_read
    del polars
    return _record(seconds, cpu, base, peak, tokens, found)


def _read_gensim(text: str, threads: int, min_count: int) -> dict[str, Any]:
    from gensim.models import Word2Vec

    model = Word2Vec(min_count=min_count, workers=threads, sample=0)
    base = peak_memory() or 0
    start, processor = perf_counter(), process_time()
    tokens, model.corpus_count = model.scan_vocab(corpus_file=text)
    model.corpus_total_words = tokens
    model.prepare_vocab(update=False, keep_raw_vocab=False, trim_rule=None, min_count=min_count)
    seconds, cpu = perf_counter() - start, process_time() - processor
    peak = peak_memory() or 0
    words = model.wv.index_to_key
    counts = [int(model.wv.get_vecattr(word, "count")) for word in words]
    return _record(seconds, cpu, base, peak, tokens, _fingerprint(words, counts))


def _record(
    seconds: float, cpu: float, base: int, peak: int, tokens: int, found: str
) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "processor_seconds": cpu,
        "interpreter_bytes": base,
        "peak_bytes": peak,
        "memory_over_interpreter_bytes": peak - base,
        "tokens": tokens,
        "counts_sha256": found,
    }


_PROGRAMS = {"wordgrad": _read_wordgrad, "gensim": _read_gensim}


def _run(program: str, text: Path, threads: int, min_count: int) -> dict[str, Any]:
    """Read ``text`` in a fresh process."""
    command = [sys.executable, __file__, str(text), "--child", program]
    command += ["--threads", str(threads), "--min-count", str(min_count)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{program} failed on {text.name}:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def _compare(text: Path, threads: int, min_count: int, rounds: int) -> dict[str, Any]:
    """Verify that both programs find the same, then time them in turns."""
    first = {name: _run(name, text, threads, min_count) for name in _PROGRAMS}
    if len({run["counts_sha256"] for run in first.values()}) != 1:
        raise SystemExit(f"The programs count differently on {text.name}: {first}")
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in _PROGRAMS}
    for _ in range(rounds):
        for name in _PROGRAMS:
            runs[name].append(_run(name, text, threads, min_count))
    pairs = zip(runs["gensim"], runs["wordgrad"], strict=True)
    keys = ("seconds", "processor_seconds", "peak_bytes", "memory_over_interpreter_bytes")
    return {
        "counts_sha256": first["wordgrad"]["counts_sha256"],
        "tokens": first["wordgrad"]["tokens"],
        "programs": {
            name: {key: spread([run[key] for run in found]) for key in keys}
            for name, found in runs.items()
        },
        "times_as_fast_as_gensim": spread([a["seconds"] / b["seconds"] for a, b in pairs]),
    }


def measure(text: Path, threads: int, min_count: int, rounds: int) -> Path:
    """Measure every shape of ``text`` and write ``results/reading.json``."""
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        shapes = {"as it is": text}
        for label, words in _LINE_LENGTHS.items():
            shapes[label] = break_lines(text, Path(folder) / f"{words}.txt", words)
        compared = {}
        for label, path in shapes.items():
            compared[label] = _compare(path, threads, min_count, rounds)
            ratio = compared[label]["times_as_fast_as_gensim"]["median"]
            print(f"{label}: {ratio:.1f} times as fast as gensim", file=sys.stderr)
        long = repeat(text, Path(folder) / "ten.txt", 10)
        ten_times = _run("wordgrad", long, threads, min_count)
    ratio = compared["as it is"]["times_as_fast_as_gensim"]["median"]
    memory = compared["as it is"]["programs"]["wordgrad"]["memory_over_interpreter_bytes"]
    record = {
        "question": "How fast is text turned into ids, and with how much memory?",
        "method": (
            f"counts of all words verified equal, then {rounds} rounds in turns, each run in a "
            "fresh process with its libraries imported; gensim counts words (scan_vocab and "
            "prepare_vocab on corpus_file), wordgrad counts them and writes the text as ids"
        ),
        **circumstances(),
        "text": describe_text(text),
        "threads": threads,
        "load_average_before": load,
        "min_count": min_count,
        "shapes": compared,
        "ten_times_the_text": ten_times,
        "goals": {
            "times as fast as gensim": {
                "goal": GOALS["times as fast as gensim"],
                "measured": ratio,
                "passed": ratio >= GOALS["times as fast as gensim"],
            },
            "memory over the interpreter, bytes": {
                "goal": GOALS["memory over the interpreter, bytes"],
                "measured": memory["max"],
                "passed": memory["max"] <= GOALS["memory over the interpreter, bytes"],
            },
        },
    }
    return write_json("reading.json", record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path, help="the text to read")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=_PROGRAMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        program = _PROGRAMS[given.child]
        print(json.dumps(program(str(given.text), given.threads, given.min_count)))
    else:
        print(measure(given.text, given.threads, given.min_count, given.rounds))


if __name__ == "__main__":
    main()

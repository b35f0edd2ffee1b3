"""How fast phrases are learned and joined, against gensim's Phrases, and with how much memory.

::

    python benchmarks/phrases.py wiki8.txt --rounds 3

Both programs read the same lines, and the joined texts that they write must be the same bytes.
Then they are timed in turns, each run in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from machine import (
    circumstances,
    describe_text,
    last_lines,
    load_average,
    peak_memory,
    run_script,
    spread,
    write_json,
)
from texts import break_lines, sha256


def _wordgrad(text: Path, joined: Path) -> dict[str, Any]:
    from wordgrad import join_phrases, learn_phrases

    learn_phrases(["load the kernels"], threshold=1)
    base, start, processor = peak_memory() or 0, perf_counter(), process_time()
    table = learn_phrases(text)
    learned = perf_counter() - start, process_time() - processor
    peak = peak_memory() or 0
    start, processor = perf_counter(), process_time()
    join_phrases(text, table, joined, overwrite=True)
    return _record(learned, (perf_counter() - start, process_time() - processor), base, peak, table)


def _gensim(text: Path, joined: Path) -> dict[str, Any]:
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    base, start, processor = peak_memory() or 0, perf_counter(), process_time()
    sentences = LineSentence(str(text), max_sentence_length=1 << 30)
    frozen = Phrases(sentences).freeze()
    learned = perf_counter() - start, process_time() - processor
    peak = peak_memory() or 0
    start, processor = perf_counter(), process_time()
    with joined.open("w", encoding="utf-8") as out:
        for sentence in sentences:
            out.write(" ".join(frozen[sentence]) + "\n")
    applied = perf_counter() - start, process_time() - processor
    return _record(learned, applied, base, peak, frozen.phrasegrams)


def _record(
    learned: tuple[float, float], applied: tuple[float, float], base: int, peak: int, phrases: Any
) -> dict[str, Any]:
    return {
        "learn_seconds": learned[0],
        "learn_processor_seconds": learned[1],
        "join_seconds": applied[0],
        "join_processor_seconds": applied[1],
        "memory_over_interpreter_bytes": peak - base,
        "phrases": len(phrases),
    }


PROGRAMS = {"wordgrad": _wordgrad, "gensim": _gensim}


def _run(program: str, text: Path, folder: Path) -> dict[str, Any]:
    joined = folder / f"{program}.txt"
    arguments = [str(text), "--child", program, "--joined", str(joined)]
    done = run_script(Path(__file__), arguments, threads=2)
    if done.returncode != 0:
        raise SystemExit(f"{program} failed:\n{last_lines(done)}")
    return {**json.loads(done.stdout), "joined_sha256": sha256(joined)}


def measure(text: Path, rounds: int) -> Path:
    """Write ``results/phrases.json``."""
    load = load_average()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as name:
        folder = Path(name)
        lines = break_lines(text, folder / "lines.txt")
        for _ in range(rounds):
            for program in PROGRAMS:
                runs[program].append(_run(program, lines, folder))
                print(program, runs[program][-1], file=sys.stderr)
    if len({run["joined_sha256"] for found in runs.values() for run in found}) != 1:
        raise SystemExit(f"The joined texts differ: {runs}")
    figures = [key for key in runs["gensim"][0] if key not in ("phrases", "joined_sha256")]
    pairs = list(zip(runs["gensim"], runs["wordgrad"], strict=True))
    record = {
        "question": "How fast are phrases learned and joined, and with how much memory?",
        "method": (
            f"{rounds} rounds in turns, each run in a fresh process with its libraries imported; "
            "default settings, one pass; joined texts verified to be the same bytes; joining reads "
            "the text again and writes it"
        ),
        **circumstances(),
        "text": describe_text(text),
        "load_average_before": load,
        "phrases": runs["wordgrad"][0]["phrases"],
        "joined_sha256": runs["wordgrad"][0]["joined_sha256"],
        "programs": {
            program: {key: spread([run[key] for run in found]) for key in figures}
            for program, found in runs.items()
        },
        "gensim_over_wordgrad": {
            key: spread([a[key] / b[key] for a, b in pairs]) for key in figures
        },
    }
    return write_json("phrases.json", record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path, help="the text to read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--joined", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(PROGRAMS[given.child](given.text, given.joined)))
    else:
        print(measure(given.text, given.rounds))


if __name__ == "__main__":
    main()

"""Every table of the documents, made from a result in ``benchmarks/results``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any

Record = dict[str, Any]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = {"wordgrad": "wordgrad", "gensim": "gensim", "fasttext": "fastText"}
CONFIGURATIONS = {
    "skipgram-d100": "skip-gram, D = 100",
    "skipgram-d300": "skip-gram, D = 300",
    "cbow-d100": "CBOW, D = 100",
}
ARCHITECTURES = {"skipgram": "skip-gram", "cbow": "CBOW"}


def load(name: str) -> Record:
    """One result, or a sentence about what to run if there is none."""
    path = RESULTS / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; the script that writes it is in benchmarks/.")
    return dict(json.loads(path.read_text()))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, all columns but the first aligned right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def passed(found: bool | None) -> str:
    """What a table says of a goal."""
    return {True: "yes", False: "no", None: "not measured"}[found]


# ---------------------------------------------------------------------------- training


def _speed_cells(result: Record, figure: str) -> list[str]:
    """Seconds of every program, and beside them how many times as long as wordgrad's."""
    cells = []
    for program in NAMES:
        seconds = result["summary"].get(program, {}).get(figure, {}).get("median")
        ratio = result["ratios_to_wordgrad"][figure].get(program, {}).get("median")
        if seconds is None:
            failures = result["summary"].get(program, {}).get("failures", 0)
            cells.append(f"failed {failures} times" if failures else "not measured")
        elif ratio is None:
            cells.append(f"{seconds:.1f} s")
        else:
            cells.append(f"{seconds:.1f} s ({ratio:.1f} x)")
    return cells


def speed() -> str:
    """Training and vocabulary seconds of the three configurations."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        rows.append(
            [f"train {title}", *_speed_cells(load(f"speed-{name}.json"), "training_seconds")]
        )
    first = load("speed-skipgram-d100.json")
    rows.append(["text to encoded corpus", *_speed_cells(first, "vocabulary_seconds")])
    rows.append(["both, skip-gram, D = 100", *_speed_cells(first, "total_seconds")])
    return table(["one epoch on `wiki8`", *NAMES.values()], rows)


def spread() -> str:
    """The same ratios with their spread: what one round gives and another does not."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        result = load(f"speed-{name}.json")
        for program in ("gensim", "fasttext"):
            found = result["ratios_to_wordgrad"]["training_seconds"].get(program)
            if found:
                cells = [f"{found[key]:.2f}" for key in ("median", "min", "max")]
                rows.append([f"{title}: {NAMES[program]}", *cells, str(len(found["values"]))])
    return table(["times as long as wordgrad", "median", "least", "most", "rounds"], rows)


def compilation() -> str:
    """What the first training on a machine costs, and the next."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        found = load(f"speed-{name}.json")["compilation"]
        seconds = [found["first_fit_seconds"], found["next_process_fit_seconds"]]
        rows.append([title, *[f"{value:.1f} s" for value in seconds]])
    return table(["a tiny text", "empty cache", "next process"], rows)


def one_line() -> str:
    """Wordgrad on the text as it is, one line of 100 MB, beside the text in lines."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        summary = load(f"speed-{name}.json")["summary"]
        labels = ("wordgrad", "wordgrad, one line")
        figures = ("vocabulary_seconds", "training_seconds")
        cells = [
            f"{summary[label][figure]['median']:.2f} s" for figure in figures for label in labels
        ]
        rows.append([title, *cells])
    head = ["wordgrad", "encode, lines", "encode, one line", "train, lines", "train, one line"]
    return table(head, rows)


def memory() -> str:
    """Peak memory of wordgrad and of the others, and wordgrad's on ten times the text."""
    result, others = load("memory.json"), load("speed-skipgram-d100.json")["summary"]
    runs = result["runs"]
    rows = [
        [f"wordgrad, `wiki8` {label}", f"{run['peak_memory_bytes'] / 1e6:.0f} MB"]
        for label, run in runs.items()
    ]
    for program in ("gensim", "fasttext"):
        peak = others.get(program, {}).get("peak_memory_bytes", {}).get("median")
        shown = "not measured" if peak is None else f"{peak / 1e6:.0f} MB"
        rows.append([f"{NAMES[program]}, `wiki8` once", shown])
    return table(["skip-gram, D = 100", "peak memory"], rows)


def startup() -> str:
    """Seconds until the import and the help are there."""
    seconds = load("startup.json")["seconds"]
    rows = [[f"`{name}`", f"{figure['median']:.2f} s"] for name, figure in seconds.items()]
    return table(["fresh process", "median"], rows)


def quality() -> str:
    """Mean scores of every program and architecture, each at its own best rate."""
    result = load("quality.json")
    rows = []
    for architecture, title in ARCHITECTURES.items():
        for program, found in result["tables"][architecture].items():
            scores = [f"{100 * found['sets'][name]['mean']:.1f}" for name in result["judged"]]
            rows.append(
                [
                    f"{title}, {NAMES[program]}",
                    *scores,
                    f"{100 * found['average']:.1f}",
                    f"{found['learning_rate']:g}",
                    str(len(found["seeds"])),
                ]
            )
    return table(["5 epochs, D = 100", *result["judged"], "average", "rate", "seeds"], rows)


def sweep() -> str:
    """The sweeps of learning rates behind the choice."""
    rows = []
    for architecture, tables in load("quality.json")["tables"].items():
        for program, found in tables.items():
            ordered = sorted(found["sweep"].items(), key=lambda pair: float(pair[0]))
            shown = ", ".join(f"{rate}: {100 * value:.1f}" for rate, value in ordered)
            rows.append([f"{ARCHITECTURES[architecture]}, {NAMES[program]}", shown])
    return table(["average of the judged sets at seed 1", "rate: score"], rows)


def _learned(found: Record, keep: Callable[[str], bool], prefix: str = "") -> list[list[str]]:
    """Scores of variants with their outputs added, and the averages for each share of these."""
    rows = []
    for name, variant in found["variants"].items():
        weights = variant["weights"]
        if keep(name) and set(LEARNED_WEIGHTS) <= weights.keys():
            cells = [*weights["1.0"]["sets"].values()]
            cells += [weights[weight]["average"] for weight in LEARNED_WEIGHTS]
            rows.append([prefix + name, *[f"{100 * score:.1f}" for score in cells]])
    return rows


LEARNED_WEIGHTS = ("1.0", "0.5", "0.0")
LEARNED_HEAD = ("average", "+ W_out / 2", "W_in alone")


def _learned_from_all() -> tuple[Record, list[str]]:
    """What was learned from the whole text, and the head of a table of it."""
    result = load("time-to-quality.json")
    found = max(result["texts"].values(), key=lambda text: int(text["bytes"]))
    return found, ["W_in + W_out, one seed", *result["judged"], *LEARNED_HEAD]


def cbow_steps() -> str:
    """Steps of CBOW and their rates on the whole text, five epochs."""
    found, head = _learned_from_all()
    return table(head, _learned(found, lambda name: "epoch" not in name))


def schedules() -> str:
    """Fewer epochs, and what else was tried to learn the same in less time."""
    found, head = _learned_from_all()
    return table(head, _learned(found, lambda name: "epoch" in name))


def cbow_checks() -> str:
    """The same choice on smaller texts, other windows, sizes and numbers of epochs."""
    result = load("time-to-quality.json")
    texts = sorted(result["texts"].values(), key=lambda text: -int(text["bytes"]))[1:]
    rows = []
    for found in texts:
        rows += _learned(found, lambda _: True, f"{found['bytes'] / 1e6:.0f} MB: ")
    return table(["W_in + W_out, one seed", *result["judged"], *LEARNED_HEAD], rows)


def rates() -> str:
    """Averages by learning rate, for texts, epochs and settings with ever more windows a word."""
    cells: dict[str, dict[str, Record]] = {}
    for cell in load("rates.json")["cells"]:
        epochs = "1 epoch" if cell["epochs"] == 1 else f"{cell['epochs']} epochs"
        shown = [f"{name}={value}" for name, value in cell["settings"].items()]
        name = ", ".join([f"`{cell['text']}`", epochs, *(f"`{one}`" for one in shown)])
        cells.setdefault(name, {})[cell["architecture"]] = cell
    rows = []
    for name, found in sorted(
        cells.items(), key=lambda one: float(next(iter(one[1].values()))["windows_a_word"])
    ):
        row = [name, f"{next(iter(found.values()))['windows_a_word']:.0f}"]
        for architecture in ("skipgram", "cbow"):
            cell = found.get(architecture)
            scores = cell["averages"] if cell else {}
            best = max(scores.values(), default=0.0)
            row.append(
                ", ".join(
                    f"{rate}: {'**' if score == best else ''}{100 * score:.1f}"
                    f"{'**' if score == best else ''}"
                    for rate, score in scores.items()
                    if score
                )
            )
            row.append(f"{cell['rule']:.2g}" if cell else "")
        rows.append(row)
    return table(["text", "n", "skip-gram, rate: average", "rule", "CBOW", "rule"], rows)


def time_to_quality() -> str:
    """From the text on disk to vectors in fresh processes, gensim's from a reading and an epoch."""
    race = load("time-to-quality.json")["race"]
    quality = load("quality.json")["tables"]["skipgram"]["gensim"]
    epoch = race["gensim, skip-gram, 1 epoch"]
    training = epoch["training_seconds"]["median"]
    rival = epoch["seconds"]["median"] + 4 * training
    cells = [f"{rival:.1f} s", "1.0 x", f"{100 * quality['average']:.1f}"]
    rows = [["gensim, skip-gram, 5 epochs", *cells, str(len(quality["seeds"]))]]
    for name, found in race.items():
        if name.startswith("wordgrad"):
            seconds, averages = found["seconds"]["median"], found["averages"]
            cells = [f"{seconds:.1f} s", f"{rival / seconds:.1f} x", f"{100 * fmean(averages):.1f}"]
            name = name if "epoch" in name else f"{name}, 5 epochs"
            rows.append([name, *cells, str(len(averages))])
    return table(["from text to vectors", "time", "gensim's is", "average", "seeds"], rows)


def kernels() -> str:
    """Nanoseconds of a window's parts, rows in cache, and of a window in training."""
    sizes = load("kernels.json")["sizes"]
    rows = [
        ["multiply-adds", *[f"{size['multiply_adds_a_window']:,}" for size in sizes.values()]],
        ["bytes of new rows", *[f"{size['bytes_new_a_window']:,}" for size in sizes.values()]],
    ]
    for group, title in (
        ("nanoseconds_in_cache", "{}, rows in cache"),
        ("nanoseconds_in_training", "{}"),
    ):
        for name in next(iter(sizes.values()))[group]:
            cells = [f"{size[group][name]:.0f} ns" for size in sizes.values()]
            rows.append([title.format(name), *cells])
    return table(["a window of 6 words", *[f"D = {name}" for name in sizes]], rows)


def machine() -> str:
    """Where and when the speed was measured."""
    found = load("speed-skipgram-d100.json")
    where, versions = found["machine"], found["versions"]
    programs = ", ".join(
        f"{name} {versions[package]}"
        for name, package in (
            ("wordgrad", "wordgrad"),
            ("gensim", "gensim"),
            ("fastText", "fasttext-numpy2-wheel"),
        )
    )
    return (
        f"Measured on {found['date'][:10]}: {where['cpu']}, {where['cores']} cores, "
        f"{found['settings']['threads']} threads; Python {where['python']}; {programs}; "
        f"load average before the first run {found['load_average_before']:.1f}.\n"
    )


def reproducible() -> str:
    """Seconds of an epoch in both modes, and their ratio."""
    rows = []
    for architecture, title in ARCHITECTURES.items():
        found = load("reproducible.json")["speed"][architecture]
        ratio = found["reproducible"]["ratio"]
        seconds = [
            f"{found[mode]['seconds']['median']:.1f} s" for mode in ("default", "reproducible")
        ]
        spread = [f"{ratio[key]:.2f}" for key in ("median", "min", "max")]
        rows.append([title, *seconds, *spread, str(len(ratio["values"]))])
    head = ["one epoch on `wiki8`", "default", "reproducible", "ratio", "least", "most", "rounds"]
    return table(head, rows)


def reproducible_quality() -> str:
    """Mean scores of both modes over seeds."""
    result = load("reproducible.json")
    rows = []
    for architecture, title in ARCHITECTURES.items():
        for mode, found in result["quality"].get(architecture, {"modes": {}})["modes"].items():
            scores = [f"{100 * found['sets'][name]:.1f}" for name in result["judged"]]
            average = [f"{100 * found['mean_average']:.1f}", f"{found['loss']:.3f}"]
            rows.append([f"{title}, {mode}", *scores, *average])
    return table(["5 epochs, D = 100", *result["judged"], "average", "loss"], rows)


def reproducible_designs() -> str:
    """Time beside the default mode's, and the loss, of rounds of other sizes."""
    designs = load("reproducible.json")["designs"]
    rows = []
    for name in designs["skipgram"]:
        row = [name]
        for architecture in ARCHITECTURES:
            found = designs[architecture][name]
            row += [f"{found['ratio']['median']:.2f}", f"{found['loss']:.3f}"]
        rows.append(row)
    head = [f"{title}: {what}" for title in ARCHITECTURES.values() for what in ("time", "loss")]
    return table(["a tenth of `wiki8`", *head], rows)


def checkpoint() -> str:
    """What a checkpoint costs, and what it takes to go on from one."""
    found = load("checkpoint.json")
    seconds = {name: found[f"{name}_seconds"] for name in ("rest", "save", "read", "fingerprint")}
    rows = [
        ["a checkpoint on the disk", f"{found['bytes'] / 1e6:.0f} MB", "", ""],
        ["the encoded text on the disk", f"{found['bytes_of_text'] / 1e6:.0f} MB", "", ""],
    ]
    for name, title in (
        ("rest", "threads pause"),
        ("save", "checked, written, flushed, renamed"),
        ("read", "a checkpoint read and checked"),
        ("fingerprint", "the text's fingerprint, once"),
    ):
        cells = [f"{seconds[name][key]:.2f} s" for key in ("median", "min", "max")]
        rows.append([title, *cells])
    rows.append(["share of training at 60 s", f"{100 * found['share_of_training']:.2f} %", "", ""])
    size = f"{found['words']:,} words, D = 100, {found['tokens'] / 1e6:.1f} M tokens"
    return table([size, "median", "least", "most"], rows)


def phrases() -> str:
    """Phrases learned and joined, beside gensim's."""
    found = load("phrases.json")
    programs = found["programs"]
    rows = []
    for key, title in (
        ("learn_seconds", "learn"),
        ("learn_processor_seconds", "learn, seconds of the processor"),
        ("join_seconds", "join, and write the text"),
        ("join_processor_seconds", "join, seconds of the processor"),
    ):
        cells = [
            f"{found['programs'][name][key]['median']:.1f} s" for name in ("wordgrad", "gensim")
        ]
        rows.append([title, *cells, f"{found['gensim_over_wordgrad'][key]['median']:.1f}"])
    key = "memory_over_interpreter_bytes"
    cells = [f"{programs[name][key]['median'] / 1e6:,.0f} MB" for name in ("wordgrad", "gensim")]
    rows.append(["memory", *cells, f"{found['gensim_over_wordgrad'][key]['median']:.1f}"])
    head = f"`{Path(found['text']['name']).stem}`, {found['phrases']:,} phrases"
    return table([head, "wordgrad", "gensim", "gensim / wordgrad"], rows)


def documents() -> str:
    """Vectors of documents beside gensim's: processor seconds, the best accuracy; memory."""
    found = load("documents.json")
    rows = []
    for title, text in found["texts"].items():
        size = f"`{title}`, {text['documents']:,} documents"
        for mode, timed in text["speed"].items():
            cells = [
                f"{timed['processor_seconds'][name]['min']:.2f} s"
                for name in ("wordgrad", "gensim")
            ]
            ratio = timed["gensim_over_wordgrad"]
            cells.append(f"{ratio['median']:.1f} ({ratio['min']:.1f} to {ratio['max']:.1f})")
            best = text.get("quality", {}).get(mode)
            rows.append(
                [
                    size,
                    mode,
                    *cells,
                    *(
                        f"{best[name]['best']:.3f}" if best else ""
                        for name in ("wordgrad", "gensim")
                    ),
                ]
            )
    head = ["text", "", "wordgrad", "gensim", "gensim / wordgrad", "accuracy", "gensim's"]
    tables = [table(head, rows)]
    if found["memory"]:
        head = ["documents of", "number", "their text", "what is learnt", "memory at most"]
        tables.append(
            table(
                head,
                [
                    [
                        length,
                        f"{one['documents']:,}",
                        *(
                            f"{one[name] / 2**20:,.0f} MB"
                            for name in ("text_bytes", "learnt_bytes", "peak_bytes")
                        ),
                    ]
                    for length, one in found["memory"].items()
                ],
            )
        )
    return "\n".join(tables)


def hierarchical() -> str:
    """An epoch of the hierarchical softmax beside gensim's, and its quality."""
    found = load("hierarchical.json")
    rows = []
    for kind, one in found["kinds"].items():
        programs = [one["programs"][name] for name in ("wordgrad", "gensim")]
        ratio = one["gensim_over_wordgrad"]["seconds"]
        rows.append(
            [
                kind,
                *(f"{program['seconds']['median']:.2f} s" for program in programs),
                f"{ratio['median']:.1f} ({ratio['min']:.1f} to {ratio['max']:.1f})",
                *(f"{100 * program['similarity']['median']:.1f}" for program in programs),
            ]
        )
    head = f"{found['megabytes']} MB, {found['epochs']} epochs"
    return table([head, "wordgrad", "gensim", "gensim / wordgrad", "WordSim-353", "gensim's"], rows)


def blocks() -> str:
    """What an epoch in blocks takes beside the default engine's, at two threads."""
    cells = load("blocks.json")["cells"]
    rows = []
    for architecture, title in ARCHITECTURES.items():
        for name, found in cells[f"overhead, {architecture}"]["engines"].items():
            ratios = [found[figure]["times_default"] for figure in ("clock", "processor")]
            seconds = f"{found['processor']['median']:.1f} s"
            shown = [f"{one[key]:.2f}" for one in ratios for key in ("median", "min", "max")]
            rows.append([f"{title}, {name}", seconds, *shown])
    head = ["an epoch", "processor", "clock, times default", "least", "most"]
    return table([*head, "processor, times default", "least", "most"], rows)


def blocks_quality() -> str:
    """Quality of vectors trained in blocks, beside the default engine's."""
    cells = load("blocks.json")["cells"]
    rows = []
    for architecture, title in ARCHITECTURES.items():
        for name in cells[f"overhead, {architecture}"]["engines"]:
            start = f"quality, {architecture}, {name}, seed "
            runs = [cell for key, cell in cells.items() if key.startswith(start)]
            if runs:
                rows.append([f"{title}, {name}", *_scores(runs)])
    return table(["5 epochs, D = 100", *_judged(runs[0]), "average", "seeds"], rows)


def _judged(run: dict[str, Any]) -> list[str]:
    return [one for one in run["scores"] if one != "RG-65"]  # which is not judged


def _scores(runs: list[dict[str, Any]]) -> list[str]:
    """Means of each set and of the average over seeds, and how many these are."""
    scores = [f"{fmean(run['scores'][one] for run in runs):.1f}" for one in _judged(runs[0])]
    return [*scores, f"{fmean(run['average'] for run in runs):.2f}", str(len(runs))]


def blocks_large() -> str:
    """Processor seconds of an epoch of very many words, by the number of buckets."""
    rows = []
    for found in load("blocks.json")["cells"].values():
        if "words" not in found:
            continue
        seconds = found["processor_seconds"]
        text = f"{found['words']:,} words, {found['tokens'] / 1e6:.0f} M tokens"
        base = seconds["default engine"]
        for name, s in seconds.items():
            rows.append([f"{text}, {name}", f"{s:.1f} s", f"{s / base:.2f}"])
    return table(["one thread", "processor", "times default"], rows)


# ------------------------------------------------------------------------------ subwords


def subwords_speed() -> str:
    """An epoch with subwords beside fastText's, and the memory of it."""
    found = load("subwords.json")["speed"]
    rows = []
    for architecture, title in ARCHITECTURES.items():
        rounds = [one for one in found["rounds"] if one["architecture"] == architecture]
        for name, unit in (("seconds", ""), ("processor", ", seconds of the processor")):
            ours, theirs = (
                median(one[f"{program} {name}"] for one in rounds)
                for program in ("wordgrad", "fasttext")
            )
            ratios = [one[f"fasttext {name}"] / one[f"wordgrad {name}"] for one in rounds]
            rows.append(
                [
                    f"{title}{unit}",
                    f"{ours:.2f} s",
                    f"{theirs:.1f} s",
                    f"{median(ratios):.1f}",
                    f"{min(ratios):.1f}",
                    f"{max(ratios):.1f}",
                ]
            )
    rounds = found["rounds"]
    rows.append(
        ["peak memory", *(f"{max(one[f'{name} peak'] for one in rounds) / 1e6:,.0f} MB"
                          for name in ("wordgrad", "fasttext")), "", "", ""]
    )  # fmt: skip
    head = f"an epoch of `{Path(found['text']['name']).stem}`"
    return table([head, "wordgrad", "fastText", "times as fast", "least", "most"], rows)


def subwords_quality() -> str:
    """Scores of vectors with subwords beside fastText's, means of what was run."""
    parts = {name: one for name, one in load("subwords.json").items() if "quality" in name}
    first = next(iter(parts.values()))["runs"][0]
    columns = [name for name in first if name not in ("program", "architecture", "seed")]
    columns.remove("composed pairs")
    rows = []
    for found in parts.values():
        text = Path(found["text"]["name"]).stem
        for architecture, title in ARCHITECTURES.items():
            for program in ("fasttext", "wordgrad"):
                runs = [
                    one
                    for one in found["runs"]
                    if (one["program"], one["architecture"]) == (program, architecture)
                ]
                if runs:
                    means = [f"{fmean(one[name] for one in runs):.1f}" for name in columns]
                    name = f"{title}, `{text}`, {found['epochs']} epochs: {NAMES[program]}"
                    rows.append([name, str(len(runs)), *means])
    return table(["", "runs", *columns], rows)


def subwords_opening() -> str:
    """What it takes to open a large model of fastText, and to ask it."""
    found = load("subwords.json")["opening"]
    steps = {
        "open": "open",
        "a word": "the first unseen word, searched in the file",
        "until indexed": "so many words that all are indexed",
        "next word": "an unseen word after that",
        "10,000 words": "10,000 unseen words",
        "neighbours": "neighbours of one, for which all words are composed",
    }
    rows = [
        [told, f"{found[name]:.1f} s" if found[name] >= 0.1 else f"{1000 * found[name]:.1f} ms",
         *(f"{found[f'{which} after {name}'] / 1e6:,.0f} MB" for which in ("own memory", "memory"))]
        for name, told in steps.items()
    ]  # fmt: skip
    head = f"`.bin` of {found['words']:,} words, {found['bytes'] / 1e9:.1f} GB"
    return table([head, "of the processor", "own memory", "with mapped pages"], rows)


def fasttext_models() -> str:
    """Answers of fastText's models: times as fast as fastText, and as the fastest other."""
    found = load("fasttext.json")

    def cell(ratios: Record) -> str:
        fastest, others = min(
            ((name, one) for name, one in ratios.items() if name != "fasttext"),
            key=lambda pair: float(pair[1]["median"]),
        )
        return (
            f"{ratios['fasttext']['median']:.1f}; {others['median']:.2f} "
            f"({others['min']:.2f} to {others['max']:.2f}) `{fastest}`"
        )

    rows = [
        [name, f"{one['floor_bytes_a_text'] / 1e3:,.1f} kB",
         *(f"{1e6 / one['texts_a_cpu_second'][how]['wordgrad']:,.1f} us"
           for how in ("one at a time", "batch")),
         *(cell(one["ratios"][how]) for how in
           ("one at a time, CPU", "batch, one thread, CPU", "batch, two threads, wall"))]
        for name, one in found["models"].items()
    ]  # fmt: skip
    head = ["model and texts", "rows a text", "one at a time", "in a batch"]
    return table([*head, "times as fast, one at a time", "in a batch", "two threads"], rows)


# ------------------------------------------------------------------ opening and querying


READ = {"word2vec-binary": "word2vec binary", "word2vec-text": "word2vec text"}
ASKED = {
    "batch, times gensim's loop": "a batch of queries",
    "one query, times gensim's": "one query",
}


def queries() -> str:
    """Seconds of exact and approximate answers, and what the approximate ones miss."""
    cells = load("queries.json")["cells"]
    exact = cells["exact"]
    size = exact["settings"]
    rows = [
        _query_row("one query", exact["one query, seconds"], exact["one query, times gensim's"]),
        _query_row(
            f"{size['queries']:,} queries",
            exact["batch, seconds"],
            exact["batch, times gensim's loop"],
        ),
    ]
    head = f"exact, {size['rows']:,} words, D = {size['size']}"
    text = table([head, "wordgrad", "gensim", "times as fast"], rows)
    lines = []
    for kind in ("random", "trained"):
        measured = cells[f"approximate, {kind}"]
        for one in measured["at"]:
            seconds = one["one query, seconds"]
            lines.append(
                [
                    f"{kind}, {measured['rows']:,} words",
                    str(one["expansion_search"]),
                    f"{one['build, seconds']:.1f} s",
                    f"{100 * one['recall at 10']:.1f}%",
                    _shown(seconds["exact"]["median"]),
                    _shown(seconds["approximate"]["median"]),
                ]
            )
    columns = ["`expansion_search`", "build", "of the 10 nearest found", "exact", "approximate"]
    return f"{text}\n{table(['approximate, vectors', *columns], lines)}"


def loading() -> str:
    """Seconds of opening files, and the memory that reading text takes."""
    cells = load("loading.json")["cells"]
    rows = []
    for name, title in READ.items():
        one = cells[name]
        seconds = [one[f"{program} seconds"] for program in ("wordgrad", "gensim")]
        ours, theirs = [_shown(found["median"]) for found in seconds]
        ratio = one["times as fast as gensim"]["median"]
        rows.append([f"{title}, {_shape(one)}", ours, theirs, f"{ratio:.1f}"])
    mapped = cells["mapped"]
    opened = _shown(mapped["seconds"]["median"])
    rows.append([f"safetensors, mapped, {_shape(mapped)}", opened, "", ""])
    return table(["open a file", "wordgrad", "gensim", "times as fast"], rows)


def gensim_face() -> str:
    """The same program with two import lines: seconds, and how good the vectors are."""
    cells = load("gensim-face.json")["cells"]
    speeds, qualities = [], []
    for name, one in cells.items():
        title = name.partition(", ")[2]
        if name.startswith("speed"):
            ours, theirs = (
                one[f"{program} seconds"]["median"] for program in ("wordgrad", "gensim")
            )
            spreads = []
            for figure in ("seconds", "processor_seconds"):
                ratio = one.get(f"times as fast as gensim, {figure}")
                if ratio is None:
                    spreads.append("not measured")
                    continue
                spreads.append(f"{ratio['median']:.1f} ({ratio['min']:.1f} to {ratio['max']:.1f})")
            speeds.append([title, _shown(ours), _shown(theirs), *spreads])
        else:
            found = [
                f"{fmean(one[program]['values']):.3f} ({one[program]['min']:.3f} to "
                f"{one[program]['max']:.3f})"
                for program in ("wordgrad", "gensim")
            ]
            what = "similarities of words" if name.startswith("text") else "nodes of a graph"
            qualities.append([f"{what}, {title}", *found])
    speed = table(
        ["`Word2Vec(...)`", "wordgrad", "gensim", "times as fast", "in processor time"], speeds
    )
    return f"{speed}\n{table(['quality over three seeds', 'wordgrad', 'gensim'], qualities)}"


def loading_goals() -> list[list[str]]:
    """Goal, measurement and verdict of opening files and of querying, as rows of a table."""
    found, goals = load("loading.json")["cells"], load("loading.json")["goals"]
    rows = [
        [
            f"open {_shape(found['mapped'])} by memory map",
            f"under {1000 * goals['mapped']:.0f} ms",
            _shown(found["mapped"]["seconds"]["median"]),
            passed(found["mapped"]["passed"]),
        ]
    ]
    for name, title in READ.items():
        ratio = found[name]["times as fast as gensim"]["median"]
        aim = f"at least {goals[name]:g} x as fast as gensim"
        rows.append([f"read {title}", aim, f"{ratio:.1f} x", passed(found[name]["passed"])])
    memory = found["memory"]
    rows.append(
        [
            f"peak memory, reading {_shape(memory)} as text",
            f"under {goals['memory'] / 1e9:g} GB",
            f"{memory['peak bytes'] / 1e9:.1f} GB",
            passed(memory["passed"]),
        ]
    )
    asked = load("queries.json")
    exact = asked["cells"]["exact"]
    for name, title in ASKED.items():
        aim = f"at least {asked['goals'][name]:g} x as fast as gensim"
        measured = f"{exact[name]['median']:.1f} x"
        rows.append([title, aim, measured, passed(exact["passed"][name])])
    return rows


def _shape(cell: dict[str, Any]) -> str:
    rows, size = cell["settings"]["shape"]
    return f"{rows:,} x {size}"


def _query_row(title: str, seconds: dict[str, Any], ratio: dict[str, Any]) -> list[str]:
    ours, theirs = [_shown(one["median"]) for one in list(seconds.values())[:2]]
    return [title, ours, theirs, f"{ratio['median']:.1f}"]


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"


# ------------------------------------------------------------------- the exact softmax

_NOT_YET = (
    "Not measured on a quiet machine yet: `python benchmarks/softmax.py wiki8.txt --sets DATA`.\n"
)


def _softmax() -> Record | None:
    return load("softmax.json") if (RESULTS / "softmax.json").exists() else None


def softmax_passes() -> str:
    """Seconds of a pass, beside the matrix products alone."""
    found = _softmax()
    if found is None:
        return _NOT_YET
    rows = [
        [
            f"V = {one['vocabulary']:,}, D = {one['vector_size']}",
            f"{one['products_seconds']['median']:.1f} s",
            f"{one['pass_seconds']['median']:.1f} s",
            f"{one['over_products']['median']:.2f}",
        ]
        for one in found["passes"]
    ]
    return table(["a pass", "products alone", "all of it", "ratio"], rows)


def softmax_beside_fasttext() -> str:
    """An epoch of fastText's softmax, and ours."""
    found = _softmax()
    if found is None:
        return _NOT_YET
    rows = [
        [
            f"{architecture}, V = {one['vocabulary']:,}",
            f"{one['fasttext_epoch_seconds']:.1f} s",
            f"{one['wordgrad_epoch_seconds']:.3f} s",
            f"{one['wordgrad_whole_training_seconds']:.1f} s",
            f"{one['fasttext_epoch_over_ours']:.0f} x",
        ]
        for architecture, one in found["fasttext"].items()
    ]
    head = ["softmax", "fastText, an epoch", "wordgrad, an epoch", "whole training", "ratio"]
    failures = sum(one.get("fasttext_failures", 0) for one in found["fasttext"].values())
    note = f'\nfastText stopped {failures} times with "Encountered NaN" before it came to an end.\n'
    return table(head, rows) + (note if failures else "")


def softmax_trials() -> str:
    """What was changed about the softmax's loss, and about the vectors made of its parameters."""
    rows, named = load("softmax-trials.json")["rows"], ""
    cells = []
    for row in rows:
        name, named = ("" if row["loss"] == named else row["loss"]), row["loss"]
        scores = row["scores"].values()
        cells.append(
            [name, row["vectors"], *[f"{100 * score:.1f}" for score in (*scores, fmean(scores))]]
        )
    return table(["loss", "vectors", *rows[0]["scores"], "average"], cells)


def softmax_quality() -> str:
    """Softmax and negative sampling on the same 20,000 words."""
    found = _softmax()
    if found is None:
        return _NOT_YET
    names = ("WordSim-353", "MEN", "SimLex-999", "Rare Words", "Google analogies")
    rows = []
    for key, one in found["quality"].items():
        shown = [f"{100 * one['scores'][name]:.1f}" for name in names]
        rows.append([key, *shown, str(one["epochs"]), f"{one['seconds']:.0f} s"])
    return table(["20,000 words, D = 100", *names, "epochs", "text to vectors"], rows)


def loss_cost() -> str:
    """Time of a step of the softmax beside negative sampling, as the vocabulary grows."""
    rows = [
        [
            f"{one['V']:,}",
            f"{1e6 * one['softmax_seconds']['median']:,.1f} µs",
            f"{1e6 * one['negative_sampling_seconds']['median']:,.2f} µs",
            f"{one['ratio']['median']:,.0f}",
            f"{one['multiply_adds_ratio']:,.0f}",
        ]
        for one in load("loss-cost.json")["points"]
    ]
    return table(["V", "softmax", "negative sampling", "ratio", "V / (1 + K)"], rows)


# -------------------------------------------------------------------- classifying text


def _sets(kind: str) -> dict[str, str]:
    """Titles of the sets of which classification.json has figures of a kind."""
    from classification import LONG, SETS

    found = load("classification.json").get(kind, {})
    known = {**SETS, LONG: "long documents"}
    return {name: title for name, title in known.items() if name in found}


def _by_program(head: str, key: str, show: Callable[[Record], str]) -> str:
    """Show a figure of every program on every set, of programs that have it."""
    from classification import PROGRAMS

    cells, sets, rows = load("classification.json")["cells"], _sets("cells"), []
    for program, title in PROGRAMS.items():
        found = [cells[name].get(program, {}) for name in sets]
        if any(key in one for one in found):
            shown = [show(one) if key in one else "not measured" for one in found]
            rows.append([title, *shown])
    return table([head, *sets.values()], rows)


def classification() -> str:
    """Test accuracy of the default and of its rivals, each at the best of its grid."""
    return _by_program("test accuracy", "accuracy", lambda found: f"{100 * found['accuracy']:.1f}")


def classification_calibration() -> str:
    """Expected calibration errors."""
    return _by_program(
        "expected calibration error",
        "calibration_error",
        lambda found: f"{found['calibration_error']:.3f}",
    )


def classification_cost() -> str:
    """Processor time of a training."""
    return _by_program(
        "processor seconds to train",
        "cpu_seconds",
        lambda found: f"{fmean(found['cpu_seconds']):.1f} s",
    )


def _faster(rounds: list[Record], key: str) -> float:
    """How many times faster ours is: the median of the rounds."""
    ratios = [one["fasttext"][key] / one["wordgrad"][key] for one in rounds]
    return float(median([1 / ratio for ratio in ratios] if key == "texts_a_second" else ratios))


def _rounds(name: str) -> list[Record]:
    found: list[Record] = load("classification.json").get("speed", {}).get(name, {}).get("rounds")
    return found or []


def classification_speed() -> str:
    """From a file to a model, an epoch, and answers, beside fastText."""
    rows = []
    for name, title in _sets("speed").items():
        rounds = _rounds(name)
        if not rounds:
            continue
        cells = [title]
        for key, unit in (("model", " s"), ("epoch", " s"), ("texts_a_second", "")):
            ours, theirs = (
                median(one[program][key] for one in rounds) for program in ("wordgrad", "fasttext")
            )
            form = ",.0f" if key == "texts_a_second" else ".3f" if key == "epoch" else ".1f"
            shown = f"{ours:{form}}{unit}, {theirs:{form}}{unit}"
            cells.append(f"{shown}: {_faster(rounds, key):.1f} x")
        rows.append(cells)
    return table(["wordgrad, fastText", "file to model", "an epoch", "texts a second"], rows)


def classification_command_line() -> str:
    """Seconds of a process that labels texts."""
    rounds, rows = _rounds("command-line"), []
    if not rounds:
        return "The command line was not measured on a quiet machine yet.\n"
    for key, title in (("one", "one line"), ("all", "25,000 long documents")):
        ours, theirs = (
            median(one[f"{program}_{key}"] for one in rounds)
            for program in ("wordgrad", "fasttext")
        )
        rows.append([title, f"{ours:.2f} s", f"{theirs:.2f} s"])
    head = ["a process that labels", "`wordgrad classify predict`", "Python with fastText"]
    return table(head, rows)


def _classification_results() -> list[tuple[str, list[str], bool]]:
    """Every goal of classifiers: its kind, its row, and whether it was reached."""
    cells, found = load("classification.json")["cells"], []
    for name, title in _sets("cells").items():
        ours = cells[name].get("wordgrad", {})
        others = [one["accuracy"] for program, one in cells[name].items()
                  if program != "wordgrad" and "accuracy" in one]  # fmt: skip
        if "accuracy" not in ours:
            continue
        if others:
            best, reached = max(others), ours["accuracy"] >= max(others)
            row = [f"{title}: at least the best of the others", f"{100 * best:.1f}"]
            found.append(("accuracy", [*row, f"{100 * ours['accuracy']:.1f}"], reached))
        error = ours["calibration_error"]
        row = [f"{title}: calibration error at most .03", "0.030", f"{error:.3f}"]
        found.append(("calibration error at most .03", row, error <= 0.03))
    for name, title in _sets("speed").items():
        for key, what in (("epoch", "an epoch"), ("model", "file to model"),
                          ("texts_a_second", "answers")) if _rounds(name) else ():  # fmt: skip
            ratio = _faster(_rounds(name), key)
            row = [f"{title}: {what} as fast as fastText's", "1 x", f"{ratio:.1f} x"]
            found.append((f"{what} as fast as fastText's", row, ratio >= 1))
    return found


def classification_goals() -> str:
    """What was aimed at, set by set."""
    rows = [[*row, passed(reached)] for _, row, reached in _classification_results()]
    return table(["", "goal", "measured", "reached"], rows)


def classifier_labels() -> str:
    """Several labels a text, and classifiers made small."""
    rows = []
    for key, cell in load("classifier-labels.json")["cells"].items():
        name, loss, program = key.split("/")
        if "failed" in cell:
            continue
        small = cell.get("small", {})
        rows.append(
            [
                name, loss, program, f"{cell['precision']:.3f}", f"{cell['cpu_seconds']:.0f} s",
                f"{cell['bytes'] / 1e6:.1f} MB",
                *(
                    f"{small[one]['precision']:.3f}, {small[one]['bytes'] / 1e6:.2f} MB"
                    if one in small
                    else ""
                    for one in ("None", "10000", "10000, retrained")
                ),
            ]
        )  # fmt: skip
    return table(
        [
            "set", "loss", "program", "precision of the first label", "processor time", "file",
            "quantised", "and 10,000 n-grams or rows", "and trained again",
        ],
        rows,
    )  # fmt: skip


def classifier_memory() -> str:
    """Memory of trainings from a file, and from one that is many times as long."""
    found = load("classifier-labels.json")["memory"]
    runs, files = found["runs"], ("once", "often")
    rows = [
        [kind, *(f"{runs[f'{kind}/{name}']['own'] / 1e6:,.0f} MB" for name in files)]
        for kind in ("wordgrad", "wordgrad's fastText")
    ]
    sizes = [runs[f"wordgrad/{name}"]["file"] / 1e6 for name in files]
    return table(["memory of its own", *(f"from {size:,.0f} MB" for size in sizes)], rows)


LEVER_SETS = {"sst5": "SST, five-way", "trec": "TREC", "mr": "MR", "subj": "Subj"}


def classification_levers() -> str:
    """Accuracy of the default in percent, and points that each change adds or takes away."""
    levers = load("classification-levers.json")["levers"]
    means = {
        name: [100 * fmean(values[key]) for key in LEVER_SETS] for name, values in levers.items()
    }
    base = means.pop("default")
    rows = [["default", *(f"{value:.1f}%" for value in [*base, fmean(base)])]]
    for name, values in means.items():
        points = [a - b for a, b in zip(values, base, strict=True)]
        rows.append([name, *(f"{point:+.1f}" for point in [*points, fmean(points)])])
    return table(["points of accuracy", *LEVER_SETS.values(), "mean"], rows)


# ------------------------------------------------------------------------------- trust

_READERS = {
    "vectors": "vectors: all formats, compressed, guessed; histories of losses; indexes",
    "corpora": "texts: files of all kinds, folders, names, standard input, lists, validation",
    "sets": "test sets, arguments of the command line",
    "checkpoints": "checkpoints, folders of trainings, their held-out and encoded texts",
    "classifiers": "classifiers, fastText's among them; labelled text",
}
_READING = {
    "lines": "in a thousand lines",
    "line": "on one line",
    "pattern": "on one line, `pattern` given",
    "packed": "packed with gzip",
}


def fuzz() -> str:
    """Damaged inputs tried, and what became of them, by family of readers."""
    found = load("fuzz.json")
    rows = []
    for family, title in _READERS.items():
        targets = [one for one in found["targets"].values() if one["family"] == family]
        rows.append(_reader_row(title, targets))
    every = list(found["targets"].values())
    rows.append(_reader_row("together", every))
    head = ["damaged inputs", "readers", "tried", "read", "refused", "anything else", "seconds"]
    panics = sum(one["panics"] for one in every)
    pieces = found["pieces"]
    seeds = ", ".join(str(piece["seed"]) for piece in pieces)
    minutes = sum(piece["minutes"] for piece in pieces)
    return (
        f"{table(head, rows)}\n"
        f"{minutes:.0f} minutes, those of readers that ran at once added up, in {len(pieces)} "
        f"pieces, the last on {found['date'][:10]}; seeds {seeds}. "
        f"Polars' threads panicked {panics} times "
        "on damaged Parquet; each became an ordinary error.\n"
    )


def guided() -> str:
    """Inputs per second of the two modes of fuzzing, and the branches that guiding reaches."""
    found = load("guided.json")
    head = ["target", "guided /s", "in processes /s", "ratio", "branches: seeds", "guided"]
    rows = []
    for name, one in found["targets"].items():
        ours, theirs = one["guided_inputs_per_second"], one["process_inputs_per_second"]
        ratio = f"{ours / theirs:.1f}" if theirs else ""
        edges = (f"{one['edges_of_seeds']:,}", f"{one['edges']:,}")
        rows.append([f"`{name}`", f"{ours:,.0f}", f"{theirs:,.0f}", ratio, *edges])
    every = found["targets"].values()
    inputs = sum(one["guided_inputs"] for one in every)
    faults = sum(one["guided_findings"] for one in every)
    return (
        f"{table(head, rows)}\n"
        f"{found['seconds']} seconds each, in turn, on {found['date'][:10]}; {inputs:,} guided "
        f"inputs, {faults} findings.\n"
    )


def _reader_row(title: str, targets: list[Record]) -> list[str]:
    sums = [
        f"{sum(one[key] for one in targets):,.0f}"
        for key in ("inputs", "read", "refused", "failed", "seconds")
    ]
    return [title, str(len(targets)), *sums]


def long_runs() -> str:
    """Memory over a long training, and what reading a gigabyte takes."""
    found = load("soak.json")
    training = found["memory"]
    rows = [
        [
            f"a gigabyte {title}",
            f"{found[name]['bytes_on_disk'] / 1e6:,.0f} MB",
            f"{found[name]['seconds']:.0f} s",
            f"{found[name]['peak_bytes'] / 1e6:.0f} MB",
        ]
        for name, title in _READING.items()
    ]
    return (
        f"A training of {training['minutes']:g} minutes, {training['epochs']:,} epochs: at most "
        f"{training['first_quarter_most_bytes'] / 1e6:.1f} MB in its first quarter, "
        f"{training['last_quarter_most_bytes'] / 1e6:.1f} MB in its last "
        f"({100 * training['growth']:+.2f}%).\n\n"
        f"{table(['reading', 'on disk', 'seconds', 'peak memory'], rows)}"
    )


def stops() -> str:
    """Signals sent to trainings at random moments."""
    found = load("soak.json")["stops"]
    rows = [
        [name, f"{one['runs']:,}", f"{one['ended_before']:,}", f"{one['wrong']:,}"]
        for name, one in found["signals"].items()
    ]
    return table(["signal", "trainings", "had ended before it came", "left anything wrong"], rows)


def mutants() -> str:
    """How many changes of the mathematics the tests noticed, module by module."""
    found = load("mutation.json")
    counts = {
        f"`{name}.py`": (sum(one.values()), one.get("killed", 0), one.get("survived", 0))
        for name, one in found["modules"].items()
    }
    counts["all"] = (found["mutants"], found["killed"], found["mutants"] - found["killed"])
    rows = [[name, *map(str, values)] for name, values in counts.items()]
    shown = table(["module", "mutants", "killed", "survived"], rows)
    return f"{shown}\n**{found['score']:.1%}** of the mutants are killed.\n"


def survivors() -> str:
    """The changes that no test noticed, each with the reason."""
    return "\n".join(
        f"`{one['where']}`: {one['reason']}\n\n```diff\n{one['diff']}\n```\n"
        for one in load("mutation.json")["survivors"]
    )


# --------------------------------------------------------------------------- the house

HOUSE_GOALS = {"train": 28, "similar": 11, "classify predict": 14}


def house() -> str:
    """What an act takes, and what the source is made of, before the rebuilding and now."""
    found = load("house.json")
    trees = [found[name] for name in ("before", "after")]
    acts = []
    for act in trees[0]["acts"]:
        cells = [
            " / ".join(map(str, (len(one["files"]), one["functions"], one["moves"])))
            for one in (tree["acts"][act] for tree in trees)
        ]
        title = f"`wordgrad {act}`" if act in HOUSE_GOALS else f"one call of `{act}`"
        acts.append([title, *cells, f"{HOUSE_GOALS[act]} files" if act in HOUSE_GOALS else ""])
    counts = [
        ["files", *(f"{tree['files']:,}" for tree in trees), "90"],
        ["lines", *(f"{tree['lines']:,}" for tree in trees), "23,000"],
        ["lines of the median file", *(f"{tree['median_lines']:g}" for tree in trees), ""],
        ["modules in circles of imports", *(str(sum(map(len, t["circles"]))) for t in trees), "0"],
        [
            "modules of at most 60 lines with one importer",
            *(str(len(tree["small_modules_with_one_importer"])) for tree in trees),
            "",
        ],
    ]
    head = ["before", "now", "at most"]
    return (
        f"{table(['files / functions / moves', *head], acts)}\n"
        f"{table(['under `src/wordgrad`', *head], counts)}"
    )


def house_speed() -> str:
    """Seconds of the tree before the rebuilding and of this one, and their ratios."""
    if not (RESULTS / "house-speed.json").exists():
        return (
            "Not measured on a quiet machine yet: "
            "`python benchmarks/training.py trees wiki8.txt --before OLDER-TREE/src`.\n"
        )
    found = load("house-speed.json")
    rows = []
    for title, ratio in found["after_over_before"].items():
        seconds = [_shown(found["seconds"][name][title]["median"]) for name in ("before", "after")]
        ratios = [f"{ratio[key]:.2f}" for key in ("median", "min", "max")]
        rows.append([title, *seconds, *ratios, str(len(ratio["values"]))])
    size = found["text"]["bytes"] / 1e6
    head = [f"a text of {size:,.0f} MB", "before", "now", "now / before", "least", "most", "rounds"]
    return table(head, rows)


# ------------------------------------------------------------------------------- goals


def goals() -> str:
    """What was aimed at, what was measured, and whether it is enough."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        found = load(f"speed-{name}.json")["goals"]
        for figure, what in (("training_seconds", "training"), ("vocabulary_seconds", "encoding")):
            one = found[figure]
            measured = "" if one["measured"] is None else f"{one['measured']:.1f} x"
            aim = f"at least {one['goal']:g} x as fast as gensim"
            rows.append([f"{title}: {what}", aim, measured, passed(one["passed"])])
    for architecture, found in load("quality.json")["goals"].items():
        judged = load("quality.json")["judged"]
        least = min(judged, key=lambda name: found["difference_to_gensim"][name])
        lowest = 100 * found["difference_to_gensim"][least]
        mean = 100 * found["average_difference"]
        title = ARCHITECTURES[architecture]
        below = passed(found["no_set_below"])
        rows += [
            [f"{title}: every set", "at most 1.0 below gensim", f"{lowest:+.1f} ({least})", below],
            [f"{title}: average", "above gensim", f"{mean:+.1f}", passed(found["average_above"])],
        ]
    rows += [*_reproducible_goals(), *_resource_goals(), *loading_goals()]
    rows += _classification_goals()
    return table(["", "goal", "measured", "reached"], rows)


def _reproducible_goals() -> list[list[str]]:
    result, rows = load("reproducible.json"), []
    for architecture, found in result["goals"].items():
        title = f"{ARCHITECTURES[architecture]}, reproducible"
        aim, measured = f"at most {found['goal']:g} x the default's", f"{found['measured']:.2f} x"
        rows.append([f"{title}: training", aim, measured, passed(found["passed"])])
        aim = f"at most {100 * result['quality_tolerance']:.1f} below the default's"
        judged = result["quality"].get(architecture)
        difference = f"{100 * judged['difference']:+.1f}" if judged else ""
        reached = passed(found["quality_within_noise"])
        rows.append([f"{title}: average", aim, difference, reached])
    return rows


def _softmax_goals(found: Record) -> list[list[str]]:
    products, quality = found["over_products"], found["quality"]
    least = min(quality["difference"][name] for name in ("MEN", "WordSim-353"))
    return [
        [
            "softmax: a pass over its matrix products",
            f"at most {products['goal']:g} x",
            f"{products['measured']:.2f} x",
            passed(products["passed"]),
        ],
        [
            "softmax: MEN and WordSim-353, 20,000 words",
            "no worse than negative sampling",
            f"{100 * least:+.1f}",
            passed(quality["no_worse"]),
        ],
    ]


def _resource_goals() -> list[list[str]]:
    memory_goals, memory_runs = load("memory.json")["goals"], load("memory.json")["runs"]
    peak = memory_runs["once"]["peak_memory_bytes"]
    rows = [
        [
            "peak memory",
            f"at most {memory_goals['limit_bytes'] / 1e6:.0f} MB",
            f"{peak / 1e6:.0f} MB",
            passed(memory_goals["within_limit"]),
        ],
        [
            "peak memory on ten times the text",
            f"at most {memory_goals['growth_allowed']:.0%} more",
            f"{memory_goals['growth']:+.1%}",
            passed(memory_goals["within_growth"]),
        ],
    ]
    if (RESULTS / "softmax.json").exists():
        rows += _softmax_goals(load("softmax.json")["goals"])
    for name, found in load("startup.json")["goals"].items():
        aim, measured = f"under {found['goal']:g} s", f"{found['measured']:.2f} s"
        rows.append([f"`{name}`", aim, measured, passed(found["passed"])])
    return rows


def _classification_goals() -> list[list[str]]:
    """In sets that reached them; set by set they are in docs/classification.md."""
    kinds: dict[str, list[bool]] = {}
    for kind, _, reached in _classification_results():
        kinds.setdefault(kind, []).append(reached)
    titles = {"accuracy": "at least the best of fastText, logistic regression and linear SVC"}
    return [
        ["classification", titles.get(kind, kind), f"{sum(found)} of {len(found)} sets",
         passed(all(found))]
        for kind, found in kinds.items()
    ]  # fmt: skip


# ---------------------------------------------------------------------------- a CUDA card


def gpu_machine() -> str:
    """The card, and its measured ceilings."""
    found = load("gpu.json")
    card, versions = found["card"], found["versions"]
    return (
        f"Measured on {found['date'][:10]}: {card['name']}, {card['multiprocessors']} "
        f"multiprocessors, {card['copied_bytes_a_second'] / 1e12:.2f} TB/s copied (bytes read and "
        f"written), {card['multiply_adds_a_second'] / 1e12:.1f} T float32 multiply-adds/s; Python "
        f"{found['machine']['python']}, numba {versions['numba']}, numba-cuda "
        f"{versions['numba-cuda']}; {found['machine']['cores']} cores beside it.\n"
    )


def gpu_speed() -> str:
    """Words a second of warm epochs, and what bytes alone would take."""
    found = load("gpu.json")
    rows = []
    for name, cells in (("once", found["speed"]), ("ten times", found["speed_repeated"])):
        for cell in cells:
            words = cell["words_a_second"]["median"]
            floor = cell["words"] / cell["floor_seconds"]
            kind = ARCHITECTURES[cell["architecture"]]
            rows.append(
                [
                    f"{kind}, D = {cell['vector_size']}, K = {cell['negative']}, {name}",
                    f"{words / 1e6:.0f} M",
                    f"{floor / 1e6:.0f} M",
                    f"{cell['over_floor']:.2f}",
                    f"{cell['drawing_seconds'] * words / cell['words']:.0%}",
                ]
            )
    head = ["one epoch on `wiki8`", "words/s", "floor", "time over the floor", "drawing windows"]
    return table(head, rows)


def gpu_quality() -> str:
    """Scores by windows in flight, means of three seeds."""
    found = load("gpu.json")
    sets = ("WordSim-353", "MEN", "SimLex-999", "Rare Words", "Google analogies", "mean")
    rows = []
    for one in found["quality"]:
        where = one["in_flight"] or f"processor, {one['threads']} threads"
        means = one["means"]
        kind = ARCHITECTURES[one["architecture"]]
        rows.append(
            [
                f"{kind}, {where}",
                *(f"{means[name]:.2f}" for name in sets),
                f"{means['loss']:.3f}",
                f"{means['words_a_second'] / 1e6:.0f} M",
            ]
        )
    return table(["windows in flight", *sets, "loss", "words/s"], rows)


def gpu_softmax() -> str:
    """A pass of the exact softmax beside its matrix products, and the processor's."""
    one = load("gpu.json")["softmax"]
    processor = one["processor"]
    rows = [
        ["a pass on the card", f"{one['seconds_a_pass']['median']:.3f} s"],
        ["its matrix products alone", f"{one['products_seconds']:.3f} s"],
        ["over the products", f"{one['over_products']:.2f}"],
        [
            f"a pass on the processor, {processor['threads']} threads",
            f"{processor['seconds_a_pass']['median']:.1f} s",
        ],
        ["loss after two passes, card", f"{one['losses'][1]:.6f}"],
        ["loss after two passes, processor", f"{processor['losses'][1]:.6f}"],
    ]
    return table([f"{one['words']:,} words, D = {one['vector_size']}", ""], rows)


# ---------------------------------------------------------------------------- a cluster


def cluster() -> str:
    """What two nodes with a thread each cost and learn, beside one machine with two threads."""
    found = load("cluster.json")["cells"]
    rows = []
    if "overhead" in found:
        engines = found["overhead"]["engines"]
        one, two = engines["default engine"], engines["2 nodes"]
        rows += [
            ["an epoch, the default engine on two threads", f"{one['seconds']['median']:.2f} s"],
            ["an epoch, two Ray nodes of one thread", f"{two['seconds']['median']:.2f} s"],
            ["times as long", f"{two['times_default']['median']:.2f}"],
            [
                "sent between the nodes, an epoch",
                f"{found['overhead']['bytes_sent_an_epoch'] / 1e6:.0f} MB",
            ],
        ]
    for name, cell in found.items():
        if name.startswith("quality"):
            rows.append([f"average of the five sets, {name[9:]}", f"{cell['average']:.1f}"])
    constants = found["constants"]
    rows += [
        [
            "tokens a second of a thread, D = 300, buckets of "
            f"{constants['rows_of_a_bucket']:,} rows",
            f"{constants['tokens_a_thread_and_second'] / 1e6:.2f} M",
        ],
        [
            f"dealing {found['dealing']['words']:,} words to {found['dealing']['buckets']} buckets",
            f"{found['dealing']['seconds']:.2f} s",
        ],
        [
            "carried from one Ray node to another, a second",
            f"{constants['bytes_between_nodes_a_second'] / 1e9:.2f} GB",
        ],
    ]
    return table(["`wiki8`, skip-gram", ""], rows)


def cluster_link() -> str:
    """What a training does when the network between its two nodes is cut."""
    rows = []
    for name, one in load("cluster-link.json")["cells"].items():
        if name.startswith("cut"):
            lost = one["lost_seconds_after"]
            rows.append(
                [
                    name,
                    "not lost" if lost is None else f"lost after {lost:.0f} s",
                    f"{one['longest_pause']:.0f} s",
                    str(one["nodes"][-1]),
                    "the same" if one["same_bytes"] else "others",
                ]
            )
    head = ["two nodes", "the node", "no episode for", "nodes at the end", "bytes"]
    return table(head, rows)


def cluster_memory() -> str:
    """What the process that asks for a training takes of memory, beyond what is imported."""
    one = load("cluster.json")["cells"]["memory"]
    rows = [
        ["the model, two matrices", f"{one['model'] / 1e6:,.0f} MB"],
        ["the program might allocate", f"{one['limit'] / 1e6:,.0f} MB"],
        *(
            [what, f"{(one['most'][name] - one['before'][name]) / 1e6:,.0f} MB"]
            for what, name in (
                ("it allocated, at most", "VmData"),
                ("of that in memory, at most", "RssAnon"),
                ("pages of files in memory, at most", "RssFile"),
            )
        ),
    ]
    return table([f"{one['words']:,} words, D = {one['vector_size']}", ""], rows)


def cluster_softmax() -> str:
    """A pass of the softmax on two nodes of one thread, and here on two threads."""
    rows = []
    for name, cell in load("cluster.json")["cells"].items():
        if name.startswith("softmax"):
            one, two = cell["engines"]["one machine"], cell["engines"]["2 nodes"]
            used = [part["training"]["median"] + part["Ray"]["median"] for part in (one, two)]
            rows.append(
                [
                    f"{cell['words']:,}",
                    f"{one['seconds']['median']:.2f} s",
                    f"{two['seconds']['median']:.2f} s",
                    f"{cell['times_one_machine']['median']:.2f}",
                    f"{used[0]:.1f} s",
                    f"{used[1]:.1f} s",
                    f"{cell['bytes_sent_a_pass'] / 1e6:.0f} MB",
                ]
            )
    head = [
        *("words", "a pass, two threads", "two Ray nodes", "times as long"),
        *("processor, two threads", "two nodes and Ray", "sent, a pass"),
    ]
    return table(head, rows)


def cluster_episodes() -> str:
    """Quality by how often words are dealt anew."""
    return _cluster_quality("5 epochs of `wiki8`, D = 100", " episodes an epoch,")


def cluster_float16() -> str:
    """Quality where what goes to another node is rounded, beside float32."""
    return _cluster_quality("16 buckets, 5 epochs of `wiki8`, D = 100", "float")


def _cluster_quality(head: str, part: str) -> str:
    runs: dict[str, list[dict[str, Any]]] = {}
    for key, cell in load("cluster.json")["cells"].items():
        if part in key:
            runs.setdefault(key.partition(", seed ")[0], []).append(cell)
    sets = _judged(next(iter(runs.values()))[0])
    rows = [[name, *_scores(some)] for name, some in runs.items()]
    return table([head, *sets, "average", "seeds"], rows)


def cluster_projection() -> str:
    """An epoch of a terabyte, from constants."""
    cell = load("cluster.json")["cells"]["projection"]
    rows = [
        [
            f"{one['nodes']} nodes, {one['network']}",
            f"{one['training_seconds_an_episode']:.1f} s",
            f"{one['dealing_seconds_an_episode']:.1f} s",
            f"{one['sending_seconds_an_episode']:.1f} s",
            f"{one['episodes']:,.0f}",
            f"{one['hours_an_epoch']:.2f}",
            f"{one['hours_with_float16']:.2f}",
            f"{one['sent_an_episode'] / 1e9:,.0f} GB",
            f"{one['memory_of_a_node'] / 1e9:.1f} GB",
        ]
        for one in cell["projected"]
    ]
    head = [
        *("projection", "training, an episode", "dealing", "sending", "episodes an epoch"),
        *("hours an epoch", "with float16", "sent, an episode", "memory of a node"),
    ]
    return table(head, rows)

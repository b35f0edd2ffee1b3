"""Tables about the exact softmax."""

from __future__ import annotations

import json

from tables import RESULTS, Record, load, table

_NOT_YET = (
    "Not measured on a quiet machine yet: `python benchmarks/softmax.py wiki8.txt --sets DATA`.\n"
)


def _found() -> Record | None:
    return load("softmax.json") if (RESULTS / "softmax.json").exists() else None


def softmax_passes() -> str:
    """Seconds of a pass, beside the matrix products alone."""
    found = _found()
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
    found = _found()
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


def softmax_quality() -> str:
    """Softmax and negative sampling on the same 20,000 words."""
    found = _found()
    if found is None:
        return _NOT_YET
    names = ("WordSim-353", "MEN", "SimLex-999", "Rare Words", "Google analogies")
    rows = []
    for key, one in found["quality"].items():
        shown = [f"{100 * one['scores'][name]:.1f}" for name in names]
        rows.append([key, *shown, str(one["epochs"]), f"{one['seconds']:.0f} s"])
    return table(["20,000 words, D = 100", *names, "epochs", "text to vectors"], rows)


def softmax_search() -> str:
    """What was tried: settings that were varied, loss, and scores of the vectors' three forms."""
    lines = (RESULTS / "softmax-search.jsonl").read_text(encoding="utf-8").splitlines()
    rows = []
    for one in map(json.loads, lines):
        trial = one["trial"]
        what = [
            f"{trial['passes']} passes",
            f"rates {trial['input_rate']:g}, {trial['output_rate']:g}",
        ]
        if trial["input_step"] != "adagrad":
            what.append(f"{trial['input_step']}, ridge {trial['ridge']:g}")
        what += [
            f"{label} {trial[name]:g}"
            for name, label, usual in (
                ("offset_power", "offset power", 1.0),
                ("l2", "penalty", 0.0),
                ("prior", "prior", 0.0),
                ("sample", "sample", 1e-4),
            )
            if trial[name] != usual
        ]
        cells = [
            " / ".join(f"{100 * one[form][name]:.1f}" for name in ("WordSim-353", "MEN"))
            for form in ("W_in", "W_in + W_out", "canonical")
        ]
        rows.append(
            [f"V = {trial['vocabulary']:,}: {', '.join(what)}", f"{one['loss']:.3f}", *cells]
        )
    head = ["WordSim-353 / MEN", "loss", "`W_in`", "`W_in + W_out`", "from the scores"]
    return table(head, rows)

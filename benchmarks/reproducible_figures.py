"""Tables of what reproducible training costs."""

from __future__ import annotations

from tables import ARCHITECTURES, load, table


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

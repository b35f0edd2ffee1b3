"""The tables of text classification, from ``results/classification.json``."""

from __future__ import annotations

from tables import Record, load, table

CLASSIFICATION_GOALS = {
    "accuracy": "at least the better of fastText and TF-IDF",
    "epoch": "an epoch at least as fast as fastText's",
}


def _result() -> Record:
    return load("classification.json")


def _titles(result: Record) -> list[str]:
    return [one["title"] for one in result["data"].values()]


def classification() -> str:
    """Accuracy and seconds of every contestant on every set; failures are told."""
    result = _result()
    rows = []
    for key, title in result["titles"].items():
        cells = [_cell(rows_of[key]) for rows_of in result["accuracies"].values()]
        if any(cells):
            rows.append([title, *(cell or "not measured" for cell in cells)])
    return table(["test accuracy, training time", *_titles(result)], rows)


def _cell(found: Record | None) -> str:
    if not found:
        return ""
    if "accuracy" not in found:
        return f"failed {found['failures']} times"
    failed = f", {found['failures']} failed" if found["failures"] else ""
    return f"{100 * found['accuracy']:.1f} in {_seconds(found['seconds'])}{failed}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 0.995 else f"{value:.1f} s"


def classification_goals() -> str:
    """What was aimed at and what was measured, set by set."""
    result = _result()
    goals, rows = result["goals"], []
    for kind, title in CLASSIFICATION_GOALS.items():
        for name, found in goals[kind].items():
            cells = [f"{result['data'][name]['title']}: {title}"]
            if kind == "accuracy":
                cells += [f"{100 * found['goal']:.1f}", f"{100 * found['measured']:.1f}"]
            else:
                measured = found["measured"]
                shown = "not reached" if measured is None else f"{measured:.1f} x"
                cells += [f"{found['goal']:.0f} x", shown]
            rows.append([*cells, "yes" if found["passed"] else "no"])
    one = goals["divergence"]
    passed = {True: "yes", False: "no", None: "not measured"}[one["passed"]]
    rows.append(["no divergence at any rate", f"0 of {one['of']}", str(one["measured"]), passed])
    return table(["", "goal", "measured", "reached"], rows)


def classification_rates() -> str:
    """Our accuracy at every learning rate."""
    result = _result()
    rates = list(dict.fromkeys(rate for one in result["rates"].values() for rate in one))
    rows = []
    for name, found in result["rates"].items():
        cells = ["diverged" if found[r] is None else f"{100 * found[r]:.1f}" for r in found]
        if cells:
            rows.append([result["data"][name]["title"], *cells])
    return table(["learning rate", *rates], rows)


def classification_machine() -> str:
    """Where and when, and how busy the machine was."""
    result = _result()
    where, versions = result["machine"], result["versions"]
    programs = ", ".join(
        f"{name} {versions[package]}"
        for name, package in (
            ("wordgrad", "wordgrad"),
            ("fastText", "fasttext-numpy2-wheel"),
            ("scikit-learn", "scikit-learn"),
        )
    )
    load = result["load_averages"]
    busy = (
        "not noted"
        if load is None
        else f"{load['median']:.1f} ({load['min']:.1f} to {load['max']:.1f})"
    )
    threads = " or ".join(map(str, result["threads"]))
    return (
        f"Measured until {result['date'][:10]}: {where['cpu']}, {where['cores']} cores, {threads} "
        f"threads; Python {where['python']}; {programs}; load average after a measurement, the "
        f"measured program's own threads among it: {busy}.\n"
    )

"""The goals, each beside what was measured."""

from __future__ import annotations

from classification_figures import CLASSIFICATION_GOALS
from tables import ARCHITECTURES, CONFIGURATIONS, load, table


def _passed(found: bool | None) -> str:
    return {True: "yes", False: "no", None: "not measured"}[found]


def goals() -> str:
    """What was aimed at, what was measured, and whether it is enough."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        found = load(f"speed-{name}.json")["goals"]
        for figure, what in (("training_seconds", "training"), ("vocabulary_seconds", "encoding")):
            one = found[figure]
            measured = "" if one["measured"] is None else f"{one['measured']:.1f} x"
            aim = f"at least {one['goal']:g} x as fast as gensim"
            rows.append([f"{title}: {what}", aim, measured, _passed(one["passed"])])
    for architecture, found in load("quality.json")["goals"].items():
        judged = load("quality.json")["judged"]
        least = min(judged, key=lambda name: found["difference_to_gensim"][name])
        lowest = 100 * found["difference_to_gensim"][least]
        mean = 100 * found["average_difference"]
        title = ARCHITECTURES[architecture]
        below = _passed(found["no_set_below"])
        rows += [
            [f"{title}: every set", "at most 1.0 below gensim", f"{lowest:+.1f} ({least})", below],
            [f"{title}: average", "above gensim", f"{mean:+.1f}", _passed(found["average_above"])],
        ]
    return table(
        ["", "goal", "measured", "reached"], [*rows, *_resource_goals(), *_classification_goals()]
    )


def _resource_goals() -> list[list[str]]:
    memory_goals, memory_runs = load("memory.json")["goals"], load("memory.json")["runs"]
    peak = memory_runs["once"]["peak_memory_bytes"]
    rows = [
        [
            "peak memory",
            f"at most {memory_goals['limit_bytes'] / 1e6:.0f} MB",
            f"{peak / 1e6:.0f} MB",
            _passed(memory_goals["within_limit"]),
        ],
        [
            "peak memory on ten times the text",
            f"at most {memory_goals['growth_allowed']:.0%} more",
            f"{memory_goals['growth']:+.1%}",
            _passed(memory_goals["within_growth"]),
        ],
    ]
    for name, found in load("startup.json")["goals"].items():
        aim, measured = f"under {found['goal']:g} s", f"{found['measured']:.2f} s"
        rows.append([f"`{name}`", aim, measured, _passed(found["passed"])])
    return rows


def _classification_goals() -> list[list[str]]:
    """In sets that reached them; set by set they are in docs/classification.md."""
    found = load("classification.json")["goals"]
    rows = []
    for kind, title in CLASSIFICATION_GOALS.items():
        passed = [one["passed"] for one in found[kind].values()]
        every = all(passed) if passed else None
        of = f"{sum(passed)} of {len(passed)} sets"
        rows.append(["classification", title, of, _passed(every)])
    return rows

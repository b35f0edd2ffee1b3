"""The goals, each beside what was measured."""

from __future__ import annotations

from classification_figures import CLASSIFICATION_GOALS
from query_figures import loading_goals
from tables import ARCHITECTURES, CONFIGURATIONS, RESULTS, Record, load, table


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
    rows += [*_reproducible_goals(), *_resource_goals(), *loading_goals()]
    rows += _classification_goals()
    return table(["", "goal", "measured", "reached"], rows)


def _reproducible_goals() -> list[list[str]]:
    result, rows = load("reproducible.json"), []
    for architecture, found in result["goals"].items():
        title = f"{ARCHITECTURES[architecture]}, reproducible"
        aim, measured = f"at most {found['goal']:g} x the default's", f"{found['measured']:.2f} x"
        rows.append([f"{title}: training", aim, measured, _passed(found["passed"])])
        aim = f"at most {100 * result['quality_tolerance']:.1f} below the default's"
        judged = result["quality"].get(architecture)
        difference = f"{100 * judged['difference']:+.1f}" if judged else ""
        reached = _passed(found["quality_within_noise"])
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
            _passed(products["passed"]),
        ],
        [
            "softmax: MEN and WordSim-353, 20,000 words",
            "no worse than negative sampling",
            f"{100 * least:+.1f}",
            _passed(quality["no_worse"]),
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
            _passed(memory_goals["within_limit"]),
        ],
        [
            "peak memory on ten times the text",
            f"at most {memory_goals['growth_allowed']:.0%} more",
            f"{memory_goals['growth']:+.1%}",
            _passed(memory_goals["within_growth"]),
        ],
    ]
    if (RESULTS / "softmax.json").exists():
        rows += _softmax_goals(load("softmax.json")["goals"])
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

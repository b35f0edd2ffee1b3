"""Write the measured figures into the documents, from the JSON in ``benchmarks/results``.

A document marks each place with ``<!-- figures:NAME:start -->`` and ``<!-- figures:NAME:end -->``;
the tables are in :mod:`tables`::

    python benchmarks/figures.py            # rewrite the documents
    python benchmarks/figures.py --check    # change nothing; exit 1 if a document is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

import tables

DOCUMENTS = tuple(
    tables.ROOT / name
    for name in (
        "README.md",
        "docs/performance.md",
        "docs/from-gensim.md",
        "docs/classification.md",
        "docs/gpu.md",
        "docs/cluster.md",
        "docs/trust.md",
        "docs/mutation.md",
        "docs/design.md",
        "docs/derivations/cost.md",
    )
)
_MARKED = re.compile(
    r"(?P<start><!-- figures:(?P<name>[\w-]+):start -->\n)"
    r".*?"
    r"(?P<end><!-- figures:(?P=name):end -->)",
    re.DOTALL,
)


FIGURES: dict[str, Callable[[], str]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        tables.speed,
        tables.spread,
        tables.compilation,
        tables.one_line,
        tables.memory,
        tables.startup,
        tables.quality,
        tables.sweep,
        tables.goals,
        tables.kernels,
        tables.cbow_steps,
        tables.cbow_checks,
        tables.schedules,
        tables.rates,
        tables.time_to_quality,
        tables.machine,
        tables.checkpoint,
        tables.phrases,
        tables.documents,
        tables.hierarchical,
        tables.blocks,
        tables.blocks_quality,
        tables.blocks_large,
        tables.subwords_speed,
        tables.subwords_quality,
        tables.subwords_opening,
        tables.fasttext_models,
        tables.queries,
        tables.gensim_face,
        tables.fuzz,
        tables.guided,
        tables.long_runs,
        tables.stops,
        tables.loading,
        tables.reproducible,
        tables.reproducible_designs,
        tables.reproducible_quality,
        tables.softmax_passes,
        tables.softmax_beside_fasttext,
        tables.softmax_quality,
        tables.softmax_trials,
        tables.classification,
        tables.classification_calibration,
        tables.classification_cost,
        tables.classification_speed,
        tables.classification_command_line,
        tables.classification_goals,
        tables.classifier_labels,
        tables.classifier_memory,
        tables.classification_levers,
        tables.loss_cost,
        tables.mutants,
        tables.survivors,
        tables.house,
        tables.house_speed,
        tables.cluster,
        tables.cluster_memory,
        tables.cluster_link,
        tables.cluster_softmax,
        tables.cluster_episodes,
        tables.cluster_float16,
        tables.cluster_projection,
        tables.gpu_machine,
        tables.gpu_speed,
        tables.gpu_quality,
        tables.gpu_softmax,
    )
}


def filled(document: str) -> str:
    """``document`` with every marked place filled in."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in FIGURES:
            raise SystemExit(f"No figure is called {name}; there are {', '.join(FIGURES)}.")
        return f"{match['start']}\n{FIGURES[name]()}\n{match['end']}"

    return _MARKED.sub(fill, document)


def write(*, check: bool = False) -> int:
    """Rewrite the documents, or with ``check`` say which of them would change; how many."""
    stale = 0
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after == before:
            continue
        stale += 1
        if check:
            print(f"{path.name} is out of date; run python benchmarks/figures.py.")
        else:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name} rewritten.")
    return stale


def main() -> int:
    """Rewrite the documents, or with ``--check`` exit with 1 if one of them would change."""
    parser = argparse.ArgumentParser(description="Write measured figures into the documents.")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")
    check = parser.parse_args().check
    return int(write(check=check) > 0 and check)


if __name__ == "__main__":
    sys.exit(main())

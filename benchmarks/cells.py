"""A result made of cells: each is written as soon as it is measured, and measured once.

A run that is cut short goes on where it stopped, for a cell is measured again only if its settings
or the commit are others than those it was measured with, or if a fresh run is asked for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import machine


class Cells:
    """The cells of one result.

    Parameters
    ----------
    name : str
        Of the file in ``benchmarks/results``.
    head : mapping
        What the result says of all its cells.
    fresh : bool
        Whether cells that are there already are measured again.
    """

    def __init__(self, name: str, head: Mapping[str, Any], *, fresh: bool) -> None:
        self._name, self._head, self._fresh = name, head, fresh
        self._circumstances = machine.circumstances()
        path = machine.RESULTS / name
        before = json.loads(path.read_text()) if path.exists() else {}
        self.cells: dict[str, dict[str, Any]] = before.get("cells", {})

    def measure(
        self, name: str, settings: Mapping[str, Any], work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The cell ``name``: as it is there for these settings, or what ``work`` returns."""
        same = {"settings": dict(settings), "commit": self._circumstances["commit"]}
        there = self.cells.get(name, {})
        if not self._fresh and same.items() <= there.items():
            print(f"{name}: measured already", file=sys.stderr)
            return there
        self.cells[name] = {**same, "date": machine.circumstances()["date"], **work()}
        record = {**self._head, **self._circumstances, "cells": self.cells}
        path = machine.write_json(self._name, record, machine.RESULTS)
        print(f"{name}: written to {path}", file=sys.stderr)
        return self.cells[name]

"""No new circles of imports, no more files; and what an act takes is counted as documented."""

import subprocess
import sys
import textwrap
from pathlib import Path

import grimp
import house
import pytest

SOURCE = Path(__file__).parents[1] / "src" / "wordgrad"
MOST_FILES = 154
# Circles that are still there.  The list may only shrink: whoever opens one takes it out here.
KNOWN_CIRCLES: list[list[str]] = []


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = house.circles(house.imports())
    assert [one for one in found if one not in KNOWN_CIRCLES] == [], "a new circle of imports"
    assert [one for one in KNOWN_CIRCLES if one not in found] == [], "gone: shorten KNOWN_CIRCLES"


def test_there_are_not_too_many_files() -> None:
    files = sorted(path.name for path in SOURCE.rglob("*.py"))
    assert len(files) <= MOST_FILES, "merge files that change for the same reason"


def _graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    return graph


def test_circles_are_found_of_any_length() -> None:
    chain = [("p.a", "p.b"), ("p.b", "p.c")]
    assert house.circles(_graph(*chain)) == []
    assert house.circles(_graph(*chain, ("p.b", "p.a"))) == [["p.a", "p.b"]]
    pair = [("p.x", "p.y"), ("p.y", "p.x"), ("p.c", "p.x")]
    assert house.circles(_graph(*chain, ("p.c", "p.a"), *pair)) == [
        ["p.a", "p.b", "p.c"],
        ["p.x", "p.y"],
    ]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Two files that call each other in ways that count, and in ways that do not."""
    files = {
        "__init__": "",
        "one": """
            def act():
                from small import two                 # lazy: what it runs is not counted
                first, *_ = [two.twice(x) for x in (1, 2)]   # two moves, one function
                near()
                return (lambda: two.thread())()       # a move from `act`

            def work():                               # counted, but not as a move
                from small import two
                two.twice(1)

            def near():                               # no move
                return sum(x for x in range(3))
        """,
        "two": """
            import threading

            def constant():                           # called by the import alone
                return 2

            TWO = constant()

            def twice(x):
                return TWO * x

            def thread():
                from small.one import work
                running = threading.Thread(target=work)
                running.start()
                running.join()
                return sorted([2, 1], key=back)       # called from C: no other file

            def back(x):
                class Local:
                    value = x
                return Local.value
        """,
    }
    (tmp_path / "small").mkdir()
    for name, text in files.items():
        (tmp_path / "small" / f"{name}.py").write_text(textwrap.dedent(text))
    return tmp_path


def test_functions_files_and_moves_are_counted_as_documented(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(package)
    from small import one  # type: ignore[import-not-found]

    before = sys.getprofile()
    found = house.Tracer(package / "small").trace(one.act)
    assert sys.getprofile() is before is None
    for name in [name for name in sys.modules if name.split(".")[0] == "small"]:
        monkeypatch.delitem(sys.modules, name)
    # act, twice, near, thread, back, work.
    assert found == {"files": ["one.py", "two.py"], "functions": 6, "moves": 3}


def test_every_act_is_traced_and_leads_into_the_files_that_it_must(tmp_path: Path) -> None:
    record = house.measure(SOURCE.parent)
    assert list(record["acts"]) == list(house.ACTS)
    for act, file in zip(
        house.ACTS,
        ("training/trainer.py", "search/exact.py", "classification/model.py", "search/exact.py"),
        strict=True,
    ):
        traced = record["acts"][act]
        assert file in traced["files"]
        assert len(traced["files"]) <= traced["functions"]
    assert record["files"] == len(list(SOURCE.rglob("*.py")))
    assert record["circles"] == house.circles(house.imports())


def test_an_act_that_fails_ends_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"missing\.safetensors"):
        house._command(["similar", "missing.safetensors", "king"])


def test_a_source_without_the_package_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, house.__file__, "--source", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds no folder wordgrad" in done.stderr

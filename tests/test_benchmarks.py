"""The benchmark compares the same words, computes its ratios by round, and records crashes."""

import hashlib
import json
from pathlib import Path

import machine
import programs
import pytest
import quality
import tables
import texts
import training
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import Settings

RESULTS = sorted(machine.RESULTS.glob("*.json"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    words=st.lists(st.sampled_from(["a", "bb", "ccc", "naïve", "word"]), max_size=40),
    block=st.integers(1, 12),
    words_a_line=st.integers(1, 7),
    end=st.sampled_from(["", " ", "\n"]),
)
def test_breaking_lines_keeps_every_word(
    words: list[str], block: int, words_a_line: int, end: str, tmp_path: Path
) -> None:
    text, target = tmp_path / "text.txt", tmp_path / "lines.txt"
    text.write_text(" ".join(words) + end, encoding="utf-8")
    target.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_BLOCK", block)
        texts.break_lines(text, target, words_a_line)
    lines = target.read_text(encoding="utf-8").splitlines()
    assert " ".join(lines).split() == words
    assert all(len(line.split()) == words_a_line for line in lines[:-1])
    assert not lines or 1 <= len(lines[-1].split()) <= words_a_line


def test_repeated_text_is_its_copies(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"one two")
    assert texts.repeat(text, tmp_path / "long.txt", 3).read_bytes() == b"one two\n" * 3


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"one two")
    assert texts.sha256(text) == hashlib.sha256(b"one two").hexdigest()


def _rounds(*pairs: tuple[float | None, float | None]) -> list[dict[str, dict[str, float | None]]]:
    return [
        {"wordgrad": {"training_seconds": ours}, "gensim": {"training_seconds": theirs}}
        for ours, theirs in pairs
    ]


def test_ratios_are_taken_within_a_round() -> None:
    # Medians of the parts would give 20 / 2 = 10; by rounds it is the median of 10, 5 and 12.
    rounds = _rounds((1.0, 10.0), (4.0, 20.0), (2.0, 24.0))
    found = training.ratios(rounds, "training_seconds")["gensim"]
    assert found["values"] == [10.0, 5.0, 12.0]
    assert found["median"] == 10.0
    assert "wordgrad" not in training.ratios(rounds, "training_seconds")


def test_a_crash_is_counted_and_leaves_no_ratio() -> None:
    rounds = _rounds((1.0, 10.0), (1.0, None))
    rounds[1]["gensim"] = {"error": "Segmentation fault"}
    assert training.ratios(rounds, "training_seconds")["gensim"]["values"] == [10.0]
    assert training.summarise(rounds)["gensim"]["failures"] == 1


def test_a_program_that_fails_is_a_record(tmp_path: Path) -> None:
    missing = tmp_path / "there-is-no-such-text.txt"
    record = programs.run("wordgrad", missing, Settings())
    assert record["returncode"] != 0
    assert "there-is-no-such-text.txt" in record["error"]


def _scores(**changes: float) -> dict[str, dict[str, float]]:
    values = dict.fromkeys((*quality.SIMILARITY, *quality.ANALOGIES), 0.5) | changes
    return {name: {"score": value} for name, value in values.items()}


def _record(rate: float, seed: int = 1, **changes: float) -> dict[str, object]:
    return {
        "program": "wordgrad",
        "settings": {"architecture": "cbow", "learning_rate": rate, "seed": seed},
        "scores": _scores(**changes),
    }


def test_best_rate_is_judged_at_the_first_seed_without_the_tiny_set() -> None:
    records = [
        _record(0.1, MEN=0.7),
        _record(0.2, **{"RG-65": 1.0, "MEN": 0.6}),
        _record(0.3, seed=2, MEN=0.9),
    ]
    assert quality.best_rate("wordgrad", "cbow", records) == 0.1
    assert quality.best_rate("wordgrad", "skipgram", records) is None


def _table(**changes: float) -> dict[str, object]:
    scores = _scores(**changes)
    sets = {name: {"mean": one["score"]} for name, one in scores.items()}
    return {"sets": sets, "average": quality.average(scores)}


@pytest.mark.parametrize(
    ("ours", "no_set_below", "average_above"),
    [
        ({"MEN": 0.6}, True, True),
        ({"MEN": 0.6, "Rare Words": 0.4901}, True, True),
        ({"MEN": 0.6, "Rare Words": 0.4899}, False, True),
        ({"MEN": 0.6, "RG-65": 0.3}, True, True),
        ({"MEN": 0.495}, True, False),
    ],
)
def test_quality_is_judged_set_by_set_and_on_average(
    ours: dict[str, float], no_set_below: bool, average_above: bool
) -> None:
    found = quality.verdict(_table(**ours), _table())
    assert found["no_set_below"] is no_set_below
    assert found["average_above"] is average_above


def test_records_are_appended_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert list(machine.read_json_lines(path)) == []
    machine.append_json_line(path, {"key": "a"})
    machine.append_json_line(path, {"key": "b"})
    assert [one["key"] for one in machine.read_json_lines(path)] == ["a", "b"]


def test_a_cell_is_measured_once_for_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    monkeypatch.setattr(machine, "commit", lambda: "one")
    calls = []

    def measure(name: str, settings: dict[str, int], *, fresh: bool = False) -> dict[str, object]:
        def work() -> dict[str, object]:
            calls.append(name)
            return {"seconds": len(calls)}

        return machine.Cells("r.json", {"question": "?"}, fresh=fresh).measure(name, settings, work)

    assert measure("a", {"rows": 1})["seconds"] == 1
    assert measure("a", {"rows": 1})["seconds"] == 1
    assert measure("b", {"rows": 1})["seconds"] == 2
    assert measure("a", {"rows": 2})["seconds"] == 3
    assert measure("a", {"rows": 2}, fresh=True)["seconds"] == 4
    monkeypatch.setattr(machine, "commit", lambda: "two")
    assert measure("b", {"rows": 1})["seconds"] == 5
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["question"] == "?"
    assert record["commit"] == "two"
    assert {name: cell["commit"] for name, cell in record["cells"].items()} == {
        "a": "one",
        "b": "two",
    }


def test_a_line_is_measured_once_for_its_text(tmp_path: Path) -> None:
    path, calls, said = tmp_path / "lines.jsonl", [], []

    def measure(text: str, key: str, *, again: bool = False) -> dict[str, object]:
        def work(unit: str, *, scale: int) -> dict[str, object]:
            calls.append(key)
            return {"seconds": float(scale * len(calls)), "unit": unit}

        lines = machine.Lines(path, text, again=again, report=said.append)
        return lines.measure(key, work, "s", scale=10)

    assert measure("x", "a") == {"seconds": 10.0, "unit": "s"}
    assert measure("x", "a")["seconds"] == 10.0
    assert measure("x", "b")["seconds"] == 20.0
    assert measure("y", "a")["seconds"] == 30.0  # another text
    assert measure("x", "a", again=True)["seconds"] == 40.0
    assert measure("x", "a")["seconds"] == 40.0  # the last one counts
    assert said[0] == "a: seconds 10"
    assert len(calls) == len(list(machine.read_json_lines(path))) == 4


def test_peak_memory_is_that_of_this_process() -> None:
    before = machine.peak_memory()
    if before is None:
        pytest.skip("this system does not tell the peak memory of a process")
    held = b"x" * 200_000_000
    after = machine.peak_memory()
    assert after is not None
    assert after > len(held)


def test_two_trees_are_timed_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("a b c\n")
    trees, order = {"before": tmp_path / "old", "after": tmp_path / "new"}, []
    for path in trees.values():
        path.mkdir()

    def time_tree(text: Path, vectors: Path, source: Path, *_: object) -> dict[str, float]:
        order.append(source.name)
        seconds = 2.0 if source.name == "old" else 3.0
        return dict.fromkeys(training.TREES_FIGURES, seconds * len(order))

    monkeypatch.setattr(training, "_time_tree", time_tree)
    monkeypatch.setattr(training, "run", lambda *_, **__: {})
    path = training.measure_trees(text, *trees.values(), 3, 1, lambda _: None)
    assert order == ["old", "new", "new", "old", "old", "new"]
    record = json.loads(path.read_text())
    ratios = record["after_over_before"]["one query"]["values"]
    assert ratios == pytest.approx([3 * 2 / 2, 3 * 3 / (2 * 4), 3 * 6 / (2 * 5)])
    assert record["commits"] == {"before": None, "after": None}
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    rows = tables.house_speed().splitlines()
    assert len(rows) == 2 + len(training.TREES_FIGURES)
    assert rows[2].split(" | ")[1:] == ["8.00 s", "9.00 s", "1.80", "1.12", "3.00", "3 |"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_every_result_says_where_it_was_measured(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {"date", "machine", "versions"} <= record.keys()
    assert {"cpu", "cores", "python"} <= record["machine"].keys()
    assert str(Path.home()) not in path.read_text(encoding="utf-8")

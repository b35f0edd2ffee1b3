"""The comparison of classifiers tests on what was not trained on, and counts what fails."""

from pathlib import Path

import classification_cells as cells
import classification_plan as plan
import classification_summary as summary
import numpy as np
import pytest
from labelled_sets import FOLDS, LabelledSet, load_set, set_hash

Record = dict[str, object]


def labelled(split: list[int] | None, n: int) -> LabelledSet:
    rows = None if split is None else np.array(split)
    return LabelledSet("x", [f"text {i}" for i in range(n)], ["a", "b"] * (n // 2), rows)


@pytest.mark.parametrize("split", [None, [1] * 60 + [2] * 40, [1] * 50 + [2] * 30 + [3] * 20])
@pytest.mark.parametrize("stage", ["test", "validation"])
def test_nothing_is_trained_on_and_tested(split: list[int] | None, stage: str) -> None:
    one = labelled(split, 100)
    for fold in range(one.rounds):
        train, test = one.parts(stage, fold)
        assert len(train)
        assert len(test)
        assert not set(train) & set(test)
        assert list(train) != sorted(train)
        if stage == "validation":  # no test row is touched
            assert not set(one.parts("test", fold)[1]) & (set(train) | set(test))


def test_ten_folds_test_every_row_once() -> None:
    one = labelled(None, 95 * 2)
    assert one.rounds == FOLDS
    tested = np.concatenate([one.parts("test", fold)[1] for fold in range(FOLDS)])
    assert sorted(tested) == list(range(95 * 2))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "sst").mkdir()
    (tmp_path / "classification").mkdir()
    sentences = "sentence_index\tsentence\r\n1\tOne  film\r\n2\tTwo\r\n3\tThree\r\n4\tFour\r\n"
    (tmp_path / "sst" / "datasetSentences.txt").write_bytes(sentences.encode())
    labels = "sentence_index\tsplit\tlabel5\n4\t1\t0\n1\t1\t4\n3\t2\t2\n2\t3\t1\n"
    (tmp_path / "sst" / "sentence_labels.tsv").write_text(labels)
    (tmp_path / "classification" / "rt-polarity.all").write_bytes(
        b"0 a clich\xe9\x85 film\n1 good\n"
    )
    return tmp_path


def test_sets_are_read_as_published(data: Path) -> None:
    five, two = load_set(data, "sst5"), load_set(data, "sst2")
    assert (five.texts, five.labels) == (["four", "one film", "three", "two"], ["0", "4", "2", "1"])
    assert two.texts == ["four", "one film", "two"]
    assert two.labels == ["negative", "positive", "negative"]
    assert load_set(data, "mr").texts == ["a cliché film", "good"]
    assert set_hash(data, "sst5") == set_hash(data, "sst2") != set_hash(data, "mr")


def record(settings: Record, accuracy: float | None, seconds: float = 1.0) -> Record:
    training = {"error": "NaN"} if accuracy is None else {"accuracy": accuracy, "seconds": seconds}
    return {"settings": settings, "trainings": [training]}


def test_the_next_best_is_taken_where_the_best_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    grid: list[plan.Settings] = [{"lr": rate} for rate in (0.1, 0.2, 0.3, 0.4)]
    validation = {0.1: 0.7, 0.2: None, 0.3: 0.9, 0.4: 0.9}
    test = {0.1: 0.6, 0.3: None, 0.4: 0.8}
    asked = []

    def run(wanted: list[cells.Cell], place: object) -> list[Record]:
        asked.extend((one.stage, one.settings["lr"]) for one in wanted)
        found = {"validation": validation, "test": test}
        return [record(one.settings, found[one.stage][one.settings["lr"]]) for one in wanted]

    monkeypatch.setattr(plan, "run_cells", run)
    best, tried = plan.compare(plan.Contestant("x", "fasttext", grid), "mr", None)
    assert best is not None
    assert best["settings"] == {"lr": 0.4}
    assert [one for one in asked if one[0] == "test"] == [("test", 0.3), ("test", 0.4)]
    assert sum(map(cells.failures, tried)) == 2


def test_of_equal_accuracies_the_fastest_is_first() -> None:
    records = [record({}, 0.9, 3.0), record({}, 0.9, 1.0), record({}, 0.95, 9.0), record({}, None)]
    ranked = plan.ranked(records)
    assert [cells.seconds(one) for one in ranked] == [9.0, 1.0, 3.0]


def test_cells_are_told_apart_by_all_that_matters() -> None:
    one = cells.Cell("wordgrad", "mr", "test", {"a": 1, "b": 2})
    assert one.key == cells.Cell("wordgrad", "mr", "test", {"b": 2, "a": 1}).key
    others = [
        ("fasttext", "mr", "test", {}),
        ("wordgrad", "subj", "test", {}),
        ("wordgrad", "mr", "validation", {}),
        ("wordgrad", "mr", "test", {"a": 2}),
    ]
    assert len({one.key, *(cells.Cell(*other).key for other in others)}) == 5


def test_goals_are_judged_set_by_set() -> None:
    rows = {"wordgrad": {"accuracy": 0.8}, "fasttext": {"accuracy": 0.79}}
    tables = {
        "mr": {**rows, "logistic": {"accuracy": 0.81}},
        "subj": {**rows, "logistic": {"failures": 1}},
    }
    ratio = {"epoch": {"median": 0.9}}
    found = summary.goals(tables, {"epoch": {"mr": {"ratio": ratio}}}, {"mr": {"1": None}})
    assert (found["accuracy"]["mr"]["passed"], found["accuracy"]["subj"]["passed"]) == (False, True)
    assert not found["epoch"]["mr"]["passed"]
    assert found["divergence"] == {"measured": 1, "of": 1, "passed": False}
    assert summary.goals({}, {"epoch": {}}, {})["divergence"]["passed"] is None

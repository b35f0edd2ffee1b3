"""The comparison of classifiers tests on what was not trained on, and takes what does not fail."""

import gzip
from pathlib import Path

import classification
import pytest
from classification import FOLDS, GRIDS, parts_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("sst", "classification", "labelled"):
        (tmp_path / folder).mkdir()
    sentences = "sentence_index\tsentence\r\n1\tOne  film\r\n2\tTwo\r\n3\tThree\r\n4\tFour\r\n"
    (tmp_path / "sst" / "datasetSentences.txt").write_bytes(sentences.encode())
    labels = "sentence_index\tsplit\tlabel5\n4\t1\t0\n1\t1\t4\n3\t2\t2\n2\t3\t1\n"
    (tmp_path / "sst" / "sentence_labels.tsv").write_text(labels)
    rows = [b"0 a clich\xe9\x85 film", *(b"1 Good %d" % i for i in range(29))]
    (tmp_path / "classification" / "rt-polarity.all").write_bytes(b"\n".join(rows) + b"\n")
    for part in ("train", "test"):
        with gzip.open(tmp_path / f"labelled/banking77.{part}.tsv.gz", "wt") as file:
            file.write(f"card\tA {part}\tcard\n")
    return tmp_path


def test_sets_are_read_as_published(data: Path) -> None:
    (texts, labels), test = parts_of(data, "sst5")
    assert sorted(zip(texts, labels, strict=True)) == [("Four", "0"), ("One  film", "4")]
    assert test == (["Three"], ["2"])
    (texts, labels), test = parts_of(data, "sst2")
    assert sorted(labels) == ["negative", "positive"]
    assert test == ([], [])  # neutral
    assert parts_of(data, "banking77") == (
        (["A train\tcard"], ["card"]),
        (["A test\tcard"], ["card"]),
    )


def test_ten_folds_test_every_text_once(data: Path) -> None:
    tested = []
    for fold in range(FOLDS):
        (trained, _), (texts, _) = parts_of(data, "mr", fold)
        assert not set(trained) & set(texts)
        assert len(trained) + len(texts) == 30
        tested += texts
    assert len(set(tested)) == 30
    assert "a cliché\x85 film" in tested


def test_the_next_best_is_taken_where_the_best_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}]
    right = {0.1: "a", 0.2: None, 0.3: "b"}

    def train(part: object, settings: dict[str, float], name: str) -> classification.Answers:
        label = right[settings["lr"]]
        if label is None:
            raise RuntimeError("Encountered NaN.")
        return lambda new: ([label] * len(new), None)

    monkeypatch.setitem(GRIDS, "fasttext", points)
    monkeypatch.setitem(classification.TRAIN, "fasttext", train)
    part = (["x"] * 20, ["b"] * 20)
    assert classification.ranked("fasttext", part, "mr") == [points[2], points[0], points[1]]
    answer, failures = classification.trained("fasttext", part, [points[1], points[2]], "mr")
    assert (answer(["x"])[0], failures) == (["b"], classification.TRIES)
    with pytest.raises(SystemExit, match="failed at every point"):
        classification.trained("fasttext", part, [points[1]], "mr")

"""Classifiers of texts with several labels, of many labels, and of files."""

import json
import struct

import numpy as np
import pytest

from wordgrad import TextClassifier
from wordgrad.classification.examples import several_codes
from wordgrad.classification.losses import LOSSES
from wordgrad.errors import FormatError, ParameterError

SIZES = {"vector_size": 16, "hidden_size": 16, "workers": 1}
WORDS = {"hot": "fire sun", "red": "rose fire", "cold": "ice snow", "white": "snow wool"}
COMMON = ["the", "a", "is", "of", "and"]


def examples(n, seed=1):
    """Texts with the words of one label or two, and those labels."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        labels = rng.permutation(list(WORDS))[: rng.integers(1, 3)].tolist()
        words = [str(rng.choice(WORDS[label].split())) for label in labels]
        yield " ".join([*rng.choice(COMMON, 3), *words]), tuple(labels)


TEXTS, LABELS = zip(*examples(400), strict=True)


@pytest.fixture(scope="module", params=LOSSES)
def model(request):
    return TextClassifier(loss=request.param, epochs=15, **SIZES).fit(TEXTS, LABELS)


def test_labels_of_a_text_are_found(model):
    found = model.predict(["the rose is a", "ice of wool and sun"], k=3)
    assert [len(labels) for labels in found] == [3, 3]
    assert found[0][0] == "red"
    assert set(found[1]) == {"cold", "white", "hot"}
    assert model.several_
    right = sum(labels[0] in given for labels, given in
                zip(model.predict(TEXTS, k=1), LABELS, strict=True))  # fmt: skip
    assert right > 0.9 * len(TEXTS)


def test_probabilities_are_those_of_the_loss(model):
    found = model.predict_proba([*TEXTS, "", "odd"])
    assert ((found >= 0) & (found <= 1)).all()
    if model.loss == "one-vs-all":
        assert found[: len(TEXTS)].sum(axis=1).mean() == pytest.approx(
            np.mean([len(labels) for labels in LABELS]), rel=0.1
        )
    else:
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_k_and_threshold_choose(model):
    probabilities = model.predict_proba(TEXTS[:50])
    for k, threshold in ((2, None), (None, 0.3), (3, 0.2), (9, None)):
        found = model.predict(TEXTS[:50], k=k, threshold=threshold)
        for row, labels in zip(probabilities, found, strict=True):
            order = np.argsort(-row, kind="stable")[:k]
            wanted = [model.classes_[i] for i in order if row[i] >= (threshold or 0)]
            assert list(labels) == wanted
    default = model.predict(TEXTS[:50])
    usual = {"threshold": 0.5} if model.loss == "one-vs-all" else {"k": 1}
    assert default == model.predict(TEXTS[:50], **usual)
    with pytest.raises(ParameterError, match="k must be"):
        model.predict(TEXTS, k=0)
    with pytest.raises(ParameterError, match="threshold must be"):
        model.predict(TEXTS, threshold=float("nan"))


def test_a_file_keeps_the_loss_and_the_tree(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = TextClassifier.load(tmp_path / "m.safetensors")
    assert (again.loss, again.several_) == (model.loss, True)
    assert (again.predict_proba(TEXTS) == model.predict_proba(TEXTS)).all()
    assert again.predict(TEXTS[:9]) == model.predict(TEXTS[:9])


def test_words_explain_a_label(model):
    for label in ("white", "cold"):
        found = dict(model.explain("the snow is rose", label))
        assert found["snow"] > max(found["the"], found["is"], found["rose"])


def test_one_label_a_text_is_learned_by_any_loss():
    texts = [text for text, labels in zip(TEXTS, LABELS, strict=True) if len(labels) == 1]
    labels = [labels[0] for labels in LABELS if len(labels) == 1]
    for loss in LOSSES:
        model = TextClassifier(loss=loss, epochs=15, early_stopping=True, **SIZES)
        model.fit(texts, labels)
        assert not model.several_
        assert model.score(texts, labels) > 0.8
        assert isinstance(model.predict(texts), np.ndarray)
        losses = [epoch["validation_loss"] for epoch in model.history_]
        assert losses[-1] < losses[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_files_give_what_lists_give(loss, tmp_path):
    lines = [
        " ".join([*(f"__label__{label}" for label in labels), text])
        for text, labels in zip(TEXTS, LABELS, strict=True)
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines[:150]) + "\n\n")
    (tmp_path / "b.txt").write_text("\n".join(lines[150:]))
    settings = {**SIZES, "loss": loss, "epochs": 2}
    given = TextClassifier(**settings).fit(TEXTS, LABELS)
    read = TextClassifier(**settings).fit_files(tmp_path)
    assert (read.predict_proba(TEXTS) == given.predict_proba(TEXTS)).all()
    assert read.classes_.tolist() == given.classes_.tolist()


def test_a_file_of_one_label_a_line_is_as_ever(tmp_path):
    rows = [(labels[0], text) for text, labels in zip(TEXTS, LABELS, strict=True)]
    (tmp_path / "a.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in rows))
    settings = {**SIZES, "epochs": 2}
    read = TextClassifier(**settings).fit_files(tmp_path / "a.tsv")
    given = TextClassifier(**settings).fit(TEXTS, [label for label, _ in rows])
    assert (read.predict_proba(TEXTS) == given.predict_proba(TEXTS)).all()
    assert not read.several_
    with pytest.raises(ParameterError, match="class_weight must be above 0"):
        TextClassifier(class_weight={"hot": 0.0}, **settings).fit_files(tmp_path / "a.tsv")
    (tmp_path / "b.tsv").write_text("a\tb\nc\td\ne\tf\n")
    with pytest.raises(ParameterError, match="labels must repeat"):
        TextClassifier(**settings).fit_files(tmp_path / "b.tsv")


def test_weights_of_texts_with_several_labels():
    texts = ["a x", "b x", "c x", "d x"] * 10
    labels = [("p",), ("p", "q"), ("q",), ()] * 10
    settings = {**SIZES, "loss": "one-vs-all", "epochs": 10}
    for options in (
        {"class_weight": "balanced"}, {"class_weight": {"p": 3.0}}, {"class_weight": {"q": 0.0}}
    ):  # fmt: skip
        model = TextClassifier(**settings, **options).fit(texts, labels)
        assert np.isfinite(model.predict_proba(["a", "d"])).all()
    weights = np.tile([1.0, 0, 0, 1], 10)
    with pytest.raises(ParameterError, match="at least two classes"):
        TextClassifier(**settings).fit(texts, labels, sample_weight=weights)


def test_labels_in_sets_and_labels_that_are_numbers():
    _, codes, ends = several_codes([[2, 10], [], [1]], 3)
    assert (codes.tolist(), ends.tolist()) == ([1, 2, 0], [0, 2, 2, 3])
    model = TextClassifier(loss="one-vs-all", epochs=1, **SIZES)
    model.fit(["a b", "b c"] * 5, [{3, 1}, {1}] * 5)
    assert model.predict(["a"], k=2)[0] in ((1, 3), (3, 1))


def test_thousands_of_labels_take_a_tree():
    rng = np.random.default_rng(5)
    labels = [f"l{i}" for i in rng.integers(0, 3000, 6000)]
    texts = [f"w{label} w{label}" for label in labels]
    model = TextClassifier(
        loss="hierarchical-softmax", hidden_size=0, vector_size=32, epochs=6, ngrams=1, workers=1,
        members=1, learning_rate=0.2,
    )  # fmt: skip
    model.fit(texts, labels)
    assert model.score(texts, labels) > 0.9


def test_counts_that_make_no_tree_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    model = TextClassifier(loss="hierarchical-softmax", epochs=1, **SIZES).fit(TEXTS, LABELS)
    model.save(path)
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + size])
    assert "label_counts" in json.dumps(head)
    model._model = type(model._model)(
        model._model.features, model._model.network, None, True, True, (1, 2)
    )
    model.save(path, overwrite=True)
    with pytest.raises(FormatError, match="counts 2 of 4 labels"):
        TextClassifier.load(path)

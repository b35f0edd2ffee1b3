"""``TextClassifier`` as a user sees it."""

import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from wordgrad import TextClassifier, WordVectors
from wordgrad.classification.trainer import ClassifierProgress
from wordgrad.errors import InputError, ParameterError, TrainingError

PRAISE = ["good", "fine", "superb", "lovely", "great"]
BLAME = ["bad", "poor", "awful", "dull", "weak"]
THINGS = ["film", "acting", "plot", "music", "ending", "cast"]


def reviews(n=400, seed=1):
    rng = np.random.default_rng(seed)
    labels = rng.choice(["praise", "blame"], n)
    texts = [
        f"the {rng.choice(THINGS)} was {rng.choice(PRAISE if label == 'praise' else BLAME)}"
        for label in labels
    ]
    return texts, labels.tolist()


GIVEN = {  # nothing is chosen
    "learning_rate": 0.025,
    "subwords": (0, 0),
    "smoothing": 0.0,
    "calibrate": False,
}


def small(**settings):
    return TextClassifier(**({"vector_size": 8, "hidden_size": 6, "epochs": 3} | GIVEN | settings))


@pytest.fixture(scope="module")
def model():
    return small().fit(*reviews())


def test_it_learns_and_tells_why(model):
    texts, labels = reviews(seed=2)
    assert model.score(texts, labels) == 1.0
    assert model.classes_.tolist() == ["blame", "praise"]
    assert set(model.vocabulary_) == {"the", "was", *PRAISE, *BLAME, *THINGS}
    explained = model.explain("the plot was superb yesterday")
    assert [token for token, _ in explained] == ["the", "plot", "was", "superb", "yesterday"]
    pushes = dict(explained)
    assert pushes["superb"] == max(pushes.values()) > 0.3
    assert dict(model.explain("the plot was superb", "blame"))["superb"] < -0.3


def test_contributions_are_the_gradient_of_the_log_odds_times_x(model):
    text = "the film was great , yes"
    tokens = model.explain(text, "praise")
    network = model._model.network
    x, _ = network.inputs_and_logits(model._model.bags([text]))
    layers = network.exact_layers()

    def log_odds(point):
        p = layers.forward(point).y_hat[0, 1]
        return np.log(p / (1 - p))

    x, step = x.astype(np.float64), 1e-5
    slope = [
        (log_odds(x + step * unit) - log_odds(x - step * unit)) / (2 * step)
        for unit in np.eye(x.shape[1])
    ]
    assert sum(value for _, value in tokens) == pytest.approx(float(x[0] @ slope), rel=1e-4)


def test_probabilities_sum_to_one_and_agree_with_predictions(model):
    texts, _ = reviews(seed=3)
    probabilities = model.predict_proba(texts)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(texts)).all()
    one_by_one = np.concatenate([model.predict_proba([text]) for text in texts[:20]])
    np.testing.assert_allclose(one_by_one, probabilities[:20], rtol=1e-5)


def test_texts_of_nothing_known_get_the_answer_of_the_biases(model):
    layers = model._model.network.exact_layers()
    biases = layers.forward(np.zeros((1, 8))).y_hat
    found = model.predict_proba(["", "  ", "\n"])
    np.testing.assert_allclose(found, np.repeat(biases, 3, axis=0), rtol=1e-5)
    assert model.explain("") == []
    assert model.predict([]).tolist() == []
    assert model.explain("zzz")[0][0] == "zzz"


def test_what_was_read_is_counted():
    model = small(min_count=2).fit(["a b", "", "a c", "  "], [0, 1, 1, 0])
    assert (model.texts_empty_, model.tokens_, model.tokens_unknown_) == (2, 4, 2)
    assert model.vocabulary_ == ("a",)


def test_history_tells_of_every_epoch():
    records = []
    model = small(progress=records.append).fit(*reviews())
    assert all(isinstance(record, ClassifierProgress) for record in records)
    assert [row["epoch"] for row in model.history_] == [r.epoch for r in records] == [1, 2, 3]
    losses = [row["loss"] for row in model.history_]
    assert losses[0] > losses[1] > losses[2] > 0
    assert model.history_[-1]["learning_rate"] == 0
    assert model.history_[0]["validation_loss"] is None
    assert model.n_iter_ == 3


# ---------------------------------------------------------------- repeatable


@pytest.mark.parametrize("settings", [{}, {"members": 3, "dropout": 0.3}])
def test_the_same_seed_gives_the_same_file_for_any_workers(settings, tmp_path):
    files = []
    for workers in (1, 4, None):
        path = tmp_path / f"{workers}.safetensors"
        small(workers=workers, **settings).fit(*reviews()).save(path)
        files.append(path.read_bytes())
    assert files[0] == files[1] == files[2]
    other = small(seed=2, **settings).fit(*reviews())
    other.save(tmp_path / "other.safetensors")
    assert (tmp_path / "other.safetensors").read_bytes() != files[0]


def test_members_are_trained_by_as_many_threads(monkeypatch):
    from wordgrad.classification.trainer import Member

    seen, barrier, plain = set(), threading.Barrier(2, timeout=30), Member.epoch

    def epoch(self):
        seen.add(threading.get_ident())
        barrier.wait()  # both members are in an epoch at once
        return plain(self)

    monkeypatch.setattr(Member, "epoch", epoch)
    small(workers=2).fit(*reviews())
    assert len(seen) == 2


def test_members_join_to_one_network_of_their_mean_logits():
    from wordgrad.classification.features import Bags
    from wordgrad.classification.model import TextNetwork

    importance = np.array([1.0, 2.0], np.float32)
    members = [TextNetwork.initial(importance, D, H, 3, D) for D, H in ((2, 3), (4, 1), (1, 2))]
    for member in members:
        member.layers[:] = np.random.default_rng(0).normal(size=member.layers.shape)
    bags = Bags(np.array([0, 1, 1], np.int32), np.array([0, 2, 3, 3]), 3, 0)
    joined = TextNetwork.joined(members)
    assert (joined.vectors.shape, joined.hidden_size) == ((2, 7), 6)
    mean = np.mean([member.inputs_and_logits(bags)[1] for member in members], axis=0)
    np.testing.assert_allclose(joined.inputs_and_logits(bags)[1], mean, rtol=1e-5)


def test_it_is_a_scikit_learn_estimator():
    model = small(vector_size=9)
    assert clone(model).get_params() == model.get_params()
    texts, labels = reviews()
    assert cross_val_score(small(), np.array(texts), labels, cv=3).min() > 0.95


# ---------------------------------------------------------------- options


def test_early_stopping_keeps_the_best_epoch():
    texts, _ = reviews()
    labels = np.random.default_rng(5).choice(["x", "y"], len(texts)).tolist()  # noise
    model = small(early_stopping=True, patience=2, epochs=30).fit(texts, labels)
    losses = [row["validation_loss"] for row in model.history_]
    assert len(losses) == int(np.argmin(losses)) + 1 + 2 < 30
    assert 0 <= model.history_[0]["validation_accuracy"] <= 1


def test_weights_are_shares_where_texts_do_not_differ():
    texts, labels = ["a b"] * 100, ["x", "y"] * 50

    def share_of_x(sample_weight=None, **settings):
        model = small(epochs=30, **settings).fit(texts, labels, sample_weight)
        return model.predict_proba(["a b"])[0, 0]

    assert share_of_x() == pytest.approx(0.5, abs=0.06)
    assert share_of_x(class_weight={"x": 4.0}) == pytest.approx(0.8, abs=0.06)
    weights = np.where(np.array(labels) == "y", 4.0, 1.0)
    assert share_of_x(weights) == pytest.approx(0.2, abs=0.06)
    assert share_of_x(weights, class_weight="balanced") == pytest.approx(0.5, abs=0.06)


def test_texts_of_no_weight_teach_nothing():
    texts, labels = reviews()
    weights = [1.0] * len(texts) + [0.0] * 50
    flipped = ["praise" if label == "blame" else "blame" for label in labels[:50]]
    model = small().fit(texts + texts[:50], labels + flipped, weights)
    plain = small().fit(texts, labels)
    assert (model.predict_proba(texts) == plain.predict_proba(texts)).all()


@pytest.mark.parametrize("train_vectors", [True, False])
def test_vectors_from_elsewhere_are_the_start(train_vectors, tmp_path):
    rng = np.random.default_rng(0)
    vectors = WordVectors(["film", "good", "unused"], rng.normal(size=(3, 10)))
    vectors.save(tmp_path / "v.safetensors")
    settings = {"vectors": vectors, "train_vectors": train_vectors, "learning_rate": 1e-6}
    model = small(**settings).fit(*reviews())
    assert model.words_with_vectors_ == 2
    rows = [model.vocabulary_.index(word) for word in ("film", "good")]
    kept, given = model._model.network.vectors[rows], vectors.matrix[:2]
    assert kept.shape == (2, 10)
    np.testing.assert_allclose(kept / given, (kept / given).mean(), rtol=1e-2)
    again = small(**(settings | {"vectors": tmp_path / "v.safetensors"})).fit(*reviews())
    assert (again._model.network.vectors == model._model.network.vectors).all()


def test_vectors_that_do_not_learn_are_all_that_counts():
    rng = np.random.default_rng(0)
    words = [*PRAISE, *BLAME]
    vectors = WordVectors(words, rng.normal(size=(len(words), 10)))
    texts, labels = reviews()
    model = small(vectors=vectors, train_vectors=False, epochs=20, learning_rate=0.2).fit(
        texts, labels
    )
    assert model.score(texts, labels) == 1.0
    assert [value for _, value in model.explain("the film was")] == [0.0, 0.0, 0.0]


def test_unseen_words_profit_from_their_beginnings():
    texts, labels = reviews()
    with_beginnings = small(prefix=4).fit(texts, labels)
    assert with_beginnings.predict(["superbly"]).tolist() == ["praise"]
    without = small(prefix=0, ngrams=1).fit(texts, labels)
    np.testing.assert_array_equal(without.predict_proba(["superbly"]), without.predict_proba([""]))


def test_ngrams_tell_what_words_cannot():
    texts = ["not good", "not bad", "very good", "very bad"] * 50
    labels = ["-", "+", "+", "-"] * 50
    assert small(epochs=20, ngrams=2).fit(texts, labels).score(texts, labels) == 1.0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vector_size": 0}, "vector_size must be an integer >= 1, got 0"),
        ({"hidden_size": 1}, "hidden_size must be at least members=2"),
        ({"hidden_size": -1}, "hidden_size must be an integer >= 0"),
        ({"subwords": (3, 1)}, r"subwords must be two integers in \[1, 100\].* got \(3, 1\)"),
        ({"subwords": "auto"}, "subwords must be two integers"),
        ({"subwords": (0, 3)}, "subwords must be two integers"),
        ({"calibrate": 1}, "calibrate must be True or False"),
        ({"members": 0}, "members must be an integer >= 1, got 0"),
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"learning_rate": -1}, "learning_rate must be a finite number > 0, got -1"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"ngrams": 0}, r"ngrams must be an integer in \[1, 100\]"),
        ({"buckets": 0}, r"buckets must be an integer in \[1, "),
        ({"min_count": 0}, "min_count must be an integer >= 1"),
        ({"prefix": -1}, r"prefix must be an integer in \[0, 1000\]"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), got 1"),
        ({"smoothing": 1.0}, r"smoothing must be a number in \[0, 1\), got 1"),
        ({"validation_fraction": 0.0}, r"validation_fraction must be a number in \(0, 1\)"),
        ({"patience": 0}, "patience must be an integer >= 1"),
        ({"l2": -1}, "l2 must be a finite number >= 0"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"workers": 0}, "workers must be an integer >= 1"),
        ({"lowercase": "yes"}, "lowercase must be True or False, got 'yes'"),
        ({"train_vectors": False}, "train_vectors=False needs vectors, got None"),
        ({"train_vectors": 1}, "train_vectors must be True or False, got 1"),
        ({"early_stopping": None}, "early_stopping must be True or False, got None"),
        ({"progress": 3}, "progress must be callable or None, got 3"),
        ({"pattern": "["}, "pattern must be a regular expression"),
        ({"class_weight": {"good": 1.0}}, "class_weight must name classes among"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ParameterError, match=message):
        small(**settings).fit(*reviews(20))


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("one text", ["a"], "texts must be a sequence of strings, got one string"),
        ([], [], "texts must hold at least two texts, got none"),
        (["a", "b"], ["x"], "labels must be one for each of the 2 texts, got the shape"),
        (["a", "b"], np.array([["x"], ["y"]]), "labels must be one for each of the 2 texts"),
        (["a", "b"], [["x"], "y"], "give a list of labels for every text"),
        (["a", "b"], [["x"], ["y"], ["x"]], "one list for each of the 2 texts, got 3"),
        (["a", "b"], [["x"], []], "at least two classes, got one class, 'x'"),
        (["a", "b"], [[], []], "at least two classes, got none"),
        (["a", "b"], [["x", "y"], []], "a class for every text with loss='softmax', got none in"),
        (["a", "b"], ["x", "x"], "at least two classes, got one class, 'x'"),
        (["a", "b", "c"], ["x", "y", "z"], "labels must repeat, got 3 classes for 3 texts"),
        (["a", "b"], [1.5, 2.5], r"integers or all booleans, got float \(1.5 in position 0\)"),
        (["a", "b"], np.array(["x", None], object), r"got NoneType, str \(None in position 1\)"),
        (["a", 3], ["x", "y"], "texts must be strings, got 3 in position 1"),
    ],
)
def test_examples_that_cannot_be_used(texts, labels, message):
    with pytest.raises(ParameterError, match=message):
        small().fit(texts, labels)


def test_texts_without_words():
    with pytest.raises(InputError, match=r"The texts hold no token \(2 were given\)"):
        small().fit(["", " "], ["x", "y"])
    with pytest.raises(InputError, match=r"No word reaches min_count=3 .* use min_count=2 or less"):
        small(min_count=3).fit(["a", "a"], ["x", "y"])
    with pytest.raises(InputError, match="The vectors hold none of the words"):
        small(vectors=WordVectors(["zzz"], [[1.0, 2.0]])).fit(["a", "b"], ["x", "y"])
    with pytest.raises(ParameterError, match="early_stopping needs examples to validate on"):
        small(early_stopping=True).fit(["a", "b"], ["x", "y"])


def test_asking_before_training():
    for ask in (lambda m: m.predict(["a"]), lambda m: m.explain("a"), lambda m: m.save("x")):
        with pytest.raises(NotFittedError, match="not fitted yet; call fit, or load a file"):
            ask(TextClassifier())


def test_asking_for_what_is_no_label(model):
    with pytest.raises(ParameterError, match=r"label must be one of \['blame', .* got 'x'"):
        model.explain("a", "x")
    with pytest.raises(ParameterError, match="got one string; put it in a list"):
        model.predict("a film")


@pytest.mark.parametrize("rate", [1e-4, 0.01, 1.0, 100.0, 1e6])
def test_no_sensible_rate_and_few_others_diverge(rate):
    texts, labels = reviews(100)
    model = small(learning_rate=rate, epochs=3).fit(texts, labels)
    assert np.isfinite(model.predict_proba(texts)).all()


def test_divergence_stops_with_a_remedy():
    with pytest.raises(TrainingError, match=r"Training diverged in epoch \d.* use a lower"):
        small(learning_rate=1e38).fit(*reviews(100))

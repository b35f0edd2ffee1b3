"""``OneHiddenLayerClassifier`` as a user and as scikit-learn see it."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordgrad import OneHiddenLayerClassifier
from wordgrad.errors import ParameterError, TrainingError

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array(["same", "other", "other", "same"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        OneHiddenLayerClassifier(),
        OneHiddenLayerClassifier(optimizer="momentum", learning_rate=0.5),
        OneHiddenLayerClassifier(optimizer="sgd", learning_rate=1.0),
    ]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.1), ("momentum", 1.0), ("sgd", 5.0)])
def test_every_optimiser_learns_what_no_line_separates(optimizer, rate):
    model = OneHiddenLayerClassifier(8, rate, optimizer, epochs=400, l2=0, seed=3).fit(*XOR)
    assert model.predict(XOR[0]).tolist() == XOR[1].tolist()
    assert len(model.loss_curve_) == model.n_iter_ == 400
    assert model.loss_curve_[-1] < 0.1 < model.loss_curve_[0]


def test_probabilities_sum_to_one_and_agree_with_predictions():
    X, y = load_iris(return_X_y=True)
    model = OneHiddenLayerClassifier(epochs=30).fit(X, y)
    probabilities = model.predict_proba(X * 1e6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X * 1e6)).all()


def test_digits_are_learned_in_a_pipeline_and_a_grid_search():
    X, y = load_digits(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(X, y, random_state=0)
    pipeline = make_pipeline(StandardScaler(), OneHiddenLayerClassifier(epochs=15))
    search = GridSearchCV(pipeline, {"onehiddenlayerclassifier__hidden_size": [2, 64]}, cv=2)
    assert search.fit(train_X, train_y).best_params_["onehiddenlayerclassifier__hidden_size"] == 64
    assert search.score(test_X, test_y) > 0.95


def test_the_same_seed_gives_the_same_bytes():
    X, y = load_iris(return_X_y=True)
    settings = {"epochs": 5, "batch_size": 16, "dropout": 0.2}
    first, again, other = (
        OneHiddenLayerClassifier(seed=seed, **settings).fit(X, y).predict_proba(X)
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_float32_stays_float32_and_agrees_nearly():
    X, y = load_iris(return_X_y=True)
    wide = OneHiddenLayerClassifier(epochs=5).fit(X, y)
    narrow = OneHiddenLayerClassifier(epochs=5).fit(X.astype(np.float32), y)
    assert narrow._trainer.network.parameters.dtype == np.float32
    assert narrow.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(narrow.predict_proba(X), wide.predict_proba(X), atol=1e-3)


def test_l2_shortens_the_weights_and_leaves_the_biases():
    X, y = load_iris(return_X_y=True)
    free, held = (OneHiddenLayerClassifier(l2=l2).fit(X, y)._trainer.network for l2 in (0.0, 0.1))
    assert np.linalg.norm(held.W1) < 0.5 * np.linalg.norm(free.W1)
    strong = OneHiddenLayerClassifier(l2=100.0, learning_rate=0.01, epochs=300).fit(
        X[50:], y[50:], sample_weight=np.where(y[50:] == 1, 3.0, 1.0)
    )
    # No weight is worth its price: what is left is the share of the classes.
    np.testing.assert_allclose(strong.predict_proba(X).mean(axis=0), [0.75, 0.25], atol=0.02)


def test_dropout_regularises():
    X, y = load_iris(return_X_y=True)
    plain, dropped = (
        OneHiddenLayerClassifier(dropout=share, epochs=20).fit(X, y) for share in (0.0, 0.8)
    )
    assert dropped.loss_curve_[-1] > plain.loss_curve_[-1]
    assert dropped.score(X, y) > 0.6


# ---------------------------------------------------------------- weights


def test_weights_are_repetitions():
    X, y = load_iris(return_X_y=True)
    weights = np.arange(len(y)) % 3
    settings = {"epochs": 30, "batch_size": 1000, "class_weight": {1: 2.0}}
    weighted = OneHiddenLayerClassifier(**settings).fit(X, y, sample_weight=weights)
    repeated = OneHiddenLayerClassifier(**settings).fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)


def test_balanced_classes_count_the_same():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (90, 1)), rng.normal(1, 1, (10, 1))])
    y = np.repeat([0, 1], [90, 10])
    plain = OneHiddenLayerClassifier().fit(X, y)
    balanced = OneHiddenLayerClassifier(class_weight="balanced").fit(X, y)
    by_hand = OneHiddenLayerClassifier(class_weight={0: 100 / 180, 1: 5.0}).fit(X, y)
    assert balanced.predict_proba([[0.5]])[0, 1] > 0.4 > plain.predict_proba([[0.5]])[0, 1]
    np.testing.assert_allclose(balanced.predict_proba(X), by_hand.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "weights", "message"),
    [
        ({"class_weight": {7: 1.0}}, None, r"class_weight must name classes among \[0, 1\], got 7"),
        ({"class_weight": "even"}, None, "class_weight must be a dict, 'balanced' or None"),
        ({"class_weight": {0: -1.0}}, None, "class_weight must be a finite number >= 0, got -1"),
        ({"class_weight": {0: 0.0}}, None, "must leave examples of at least two classes"),
        ({}, [1, 1, -1, 1], "sample_weight must hold finite numbers >= 0, got -1"),
        ({}, [1, 1, np.nan, 1], "sample_weight must hold finite numbers >= 0, got nan"),
        ({}, [1, 1, 1], "sample_weight must be one for each of the 4 examples"),
        ({}, [0, 0, 0, 0], "got zero for all of them"),
        ({}, [1, 1, 0, 0], "must leave examples of at least two classes"),
    ],
)
def test_weights_out_of_range(settings, weights, message):
    with pytest.raises(ParameterError, match=message):
        OneHiddenLayerClassifier(**settings).fit([[0], [1], [2], [3]], [0, 0, 1, 1], weights)


# ---------------------------------------------------------------- early stopping, partial_fit


def test_early_stopping_keeps_the_best_and_waits_its_patience():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(200, 20)), rng.integers(0, 2, 200)  # nothing to learn but noise
    model = OneHiddenLayerClassifier(
        early_stopping=True, patience=3, learning_rate=0.05, batch_size=20
    ).fit(X, y)
    losses = model.validation_loss_curve_
    best = int(np.argmin(losses))
    assert model.n_iter_ == len(losses) == best + 1 + 3
    shorter = OneHiddenLayerClassifier(
        early_stopping=True, patience=3, learning_rate=0.05, batch_size=20, epochs=best + 1
    ).fit(X, y)
    assert (shorter.predict_proba(X) == model.predict_proba(X)).all()


def test_early_stopping_holds_out_a_share_of_every_class():
    from wordgrad.classification.examples import held_out

    codes = np.repeat([0, 1, 2], [50, 20, 1])
    train, held = held_out(codes, 0.1, seed=1)
    assert np.bincount(codes[held], minlength=3).tolist() == [5, 2, 0]
    assert sorted([*train, *held]) == list(range(71))
    with pytest.raises(ParameterError, match="early_stopping needs examples to validate on"):
        OneHiddenLayerClassifier(early_stopping=True).fit([[0], [1]], [0, 1])


def test_partial_fit_is_an_epoch_of_fit():
    X, y = load_iris(return_X_y=True)
    whole = OneHiddenLayerClassifier(epochs=4, batch_size=32).fit(X, y)
    parts = OneHiddenLayerClassifier(batch_size=32)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert (parts.predict_proba(X) == whole.predict_proba(X)).all()
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 4


def test_partial_fit_takes_a_part_with_one_class():
    model = OneHiddenLayerClassifier().partial_fit([[0.0], [1.0]], ["a", "a"], classes=["a", "b"])
    assert model.predict([[0.0]]).tolist() == ["a"]
    model.partial_fit([[0.0]], ["b"])
    with pytest.raises(ParameterError, match=r"y must hold labels among the classes .* got 'c'"):
        model.partial_fit([[0.0]], ["c"])
    with pytest.raises(ParameterError, match="classes must be those of the first call"):
        model.partial_fit([[0.0]], ["a"], classes=["a", "c"])


def test_partial_fit_needs_to_know_its_classes():
    with pytest.raises(ParameterError, match="classes must be given at the first call"):
        OneHiddenLayerClassifier().partial_fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ParameterError, match="class_weight must not be 'balanced' in partial_fit"):
        OneHiddenLayerClassifier(class_weight="balanced").partial_fit([[0.0]], [0], classes=[0, 1])


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be an integer >= 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be a finite number > 0, got 0"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of 'adam', 'momentum', 'sgd'"),
        ({"momentum": 1.0}, r"momentum must be a number in \[0, 1\), got 1"),
        ({"dropout": -0.1}, r"dropout must be a number in \[0, 1\), got -0.1"),
        ({"dropout": "much"}, r"dropout must be a number in \[0, 1\), got 'much'"),
        ({"validation_fraction": 0}, r"validation_fraction must be a number in \(0, 1\), got 0"),
        ({"l2": -1.0}, "l2 must be a finite number >= 0, got -1"),
        ({"epochs": 1.5}, "epochs must be an integer >= 1, got 1.5"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        ({"patience": 0}, "patience must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ParameterError, match=message):
        OneHiddenLayerClassifier(**settings).fit(*XOR)


def test_examples_that_cannot_be_used():
    model = OneHiddenLayerClassifier()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit([[np.nan], [1.0]], [0, 1])
    with pytest.raises(ParameterError, match="at least two classes, got one class, 5"):
        model.fit([[0.0], [1.0]], [5, 5])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit([[0.0], [1.0]], [0, 1, 1])


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adam", 1e308), ("momentum", 1e200), ("sgd", 1e200)]
)
def test_divergence_stops_with_a_remedy(optimizer, rate):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)) * 1e150, rng.integers(0, 2, 50)
    model = OneHiddenLayerClassifier(optimizer=optimizer, learning_rate=rate)
    with pytest.raises(TrainingError, match=r"Training diverged in epoch .* or scale"):
        model.fit(X, y)

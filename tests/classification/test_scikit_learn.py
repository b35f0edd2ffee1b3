"""scikit-learn's own checks of estimators, and which of them a reader of texts cannot pass.

The checks give rows of numbers.  The estimators here write every row as a text, whose words are the
numbers rounded, and leave all else to the estimators of wordgrad.
"""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from wordgrad import TextClassifier, Word2Vec


def texts_of(X):
    return [" ".join(f"{j}:{x:.0f}" for j, x in enumerate(row)) for row in X.tolist()]


class ClassifierOfRows(TextClassifier):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True  # else nothing but cloning is checked
        tags.input_tags.string = tags.input_tags.one_d_array = False
        return tags

    def fit(self, X, y, sample_weight=None):
        return super().fit(texts_of(validate_data(self, X)), y, sample_weight)

    def predict_proba(self, X):
        self._trained()
        return super().predict_proba(texts_of(validate_data(self, X, reset=False)))


class VectorsOfRows(Word2Vec):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = tags.input_tags.one_d_array = False
        return tags

    def fit(self, X, y=None):
        return super().fit(texts_of(validate_data(self, X)))

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)

    def partial_fit(self, X, y=None):
        if not hasattr(self, "vectors_"):
            return self.fit(X)
        return super().partial_fit(texts_of(validate_data(self, X, reset=False)))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(texts_of(validate_data(self, X, reset=False)))


CANNOT = {
    ClassifierOfRows: {
        "check_classifiers_one_label": "floats are no labels: they are refused as such, not as one",
        "check_classifiers_regression_target": "the message about floats is our own sentence",
        "check_estimators_nan_inf": "floats are no labels",
        "check_requires_y_none": "the message about None is our own sentence",
        "check_sample_weight_equivalence_on_dense_data": "an example of weight 2 "
        "is read twice, but its words count as those of one text, and the number of texts cuts "
        "batches",
        "check_supervised_y_2d": "a table of labels is refused, and not flattened with a warning",
    },
    VectorsOfRows: {
        "check_methods_sample_order_invariance": "score_samples needs a tree of the words: the "
        "message says that",
        "check_methods_subset_invariance": "the same",
    },
}


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@parametrize_with_checks(
    [
        ClassifierOfRows(vector_size=8, hidden_size=4, epochs=3),
        VectorsOfRows(vector_size=4, min_count=1, sample=0, epochs=1, workers=1),
    ],
    expected_failed_checks=lambda estimator: CANNOT[type(estimator)],
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_scikit_learn_is_told_that_the_input_is_text():
    tags = TextClassifier().__sklearn_tags__().input_tags
    assert (tags.string, tags.one_d_array, tags.two_d_array) == (True, True, False)
    with pytest.warns(UserWarning, match="which requires input"):
        check_estimator(TextClassifier())


@pytest.mark.parametrize("labels", [[1.0, 0.0] * 5, np.linspace(0, 1, 10)])
def test_floats_are_refused_as_labels(labels):
    with pytest.raises(ValueError, match=r"got float .* convert them"):
        TextClassifier().fit(["a", "b"] * 5, labels)

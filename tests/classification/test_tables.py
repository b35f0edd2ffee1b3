"""Texts and labels of tables, Series and arrays: their values, and never the names of columns."""

from collections import namedtuple

import numpy as np
import polars as pl
import pytest

from wordgrad import TextClassifier
from wordgrad.errors import InputError, ParameterError

TEXTS = ["good film", "bad film", "good plot", "bad plot"] * 10
LABELS = ["praise", "blame"] * 20
NEW = ["good film", "bad film", "bad bad"]


@pytest.fixture(scope="module")
def model():
    return TextClassifier(vector_size=8, hidden_size=6, epochs=3).fit(TEXTS, LABELS)


class Frame:
    """A table of no library known here: it has columns, and iterating gives their names."""

    def __init__(self, data):
        self.data = data
        self.columns = list(data)

    def __iter__(self):
        return iter(self.columns)

    def __getitem__(self, name):
        return self.data[name]


def pandas():
    return pytest.importorskip("pandas", reason="pandas is not installed")


def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed")


TABLES = {
    "pandas": lambda data: pandas().DataFrame(data),
    "polars": pl.DataFrame,
    "arrow": lambda data: arrow().table(data),
    "record batch": lambda data: arrow().RecordBatch.from_pydict(data),
    "dict": dict,
    "duck": Frame,
}
COLUMNS = {
    "pandas": lambda values: pandas().Series(values),
    "pandas index": lambda values: pandas().Index(values),
    "pandas categories": lambda values: pandas().Series(values, dtype="category"),
    "polars": pl.Series,
    "arrow": lambda values: arrow().array(values),
    "arrow chunks": lambda values: arrow().chunked_array([values[:1], values[1:]]),
    "numpy": np.array,
    "numpy objects": lambda values: np.array(values, object),
    "tuple": tuple,
    "iterator": iter,
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_gives_its_column_of_texts(model, kind):
    expected = model.predict(NEW).tolist()
    assert model.predict(TABLES[kind]({"text": NEW})).tolist() == expected
    with_numbers = TABLES[kind]({"stars": [5, 1, 1], "review": NEW})
    assert model.predict(with_numbers).tolist() == expected
    trained = TextClassifier(vector_size=8, hidden_size=6, epochs=3)
    trained.fit(TABLES[kind]({"text": TEXTS}), LABELS)
    assert (trained.predict_proba(NEW) == model.predict_proba(NEW)).all()


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_two_columns_of_texts_is_refused_by_name(model, kind):
    table = TABLES[kind]({"title": NEW, "review": NEW})
    with pytest.raises(InputError, match=r"2 columns of strings.* 'title', 'review'"):
        model.predict(table)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_labels_is_refused(kind):
    with pytest.raises(ParameterError, match="give a list, or one column of a table"):
        TextClassifier().fit(TEXTS, TABLES[kind]({"label": LABELS}))


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_gives_its_values(model, kind):
    make = COLUMNS[kind]
    assert model.predict(make(NEW)).tolist() == model.predict(NEW).tolist()
    trained = TextClassifier(vector_size=8, hidden_size=6, epochs=3).fit(make(TEXTS), make(LABELS))
    assert trained.classes_.tolist() == ["blame", "praise"]
    assert (trained.predict_proba(NEW) == model.predict_proba(NEW)).all()
    numbers = [1, 0] * 20
    if kind != "pandas categories":
        trained.fit(make(TEXTS), make(numbers), np.ones(40))
        assert trained.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_what_is_missing_in_a_column_is_refused(model, kind):
    holes = [*NEW[:2], None]
    with pytest.raises(ParameterError, match=r"strings, got (None|nan) in position 2"):
        model.predict(COLUMNS[kind](holes))
    with pytest.raises(ParameterError, match=r"labels must be .* in position 2"):
        TextClassifier().fit(NEW, COLUMNS[kind](["a", "b", None]))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a film", "texts must be a sequence of strings, got one string; put it in a list"),
        (b"a film", "texts must be a sequence of strings, got one string; put it in a list"),
        ({"good", "bad"}, "texts must be a sequence of strings, got set; give a list"),
        (7, "texts must be a sequence of strings, got int; give a list"),
        (None, "texts must be a sequence of strings, got NoneType; give a list"),
        (np.array([["good"], ["bad"]]), r"got the shape \(2, 1\); give one column"),
        (np.array("good"), r"got the shape \(\); give one column"),
        ([["good", "film"]], r"texts must be strings, got \['good', 'film'\] in position 0"),
        ([b"good"], "texts must be strings, got b'good' in position 0"),
        ([namedtuple("Row", "text")("good")], r"texts must be strings, got Row\(text='good'\)"),
    ],
)
def test_what_are_no_texts_is_refused(model, texts, message):
    with pytest.raises(ParameterError, match=message):
        model.predict(texts)

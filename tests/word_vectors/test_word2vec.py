"""``Word2Vec`` as a user and as scikit-learn see it."""

import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from wordgrad import Word2Vec, load
from wordgrad.corpus.corpus import CorpusReport
from wordgrad.corpus.encode import ReadingProgress
from wordgrad.errors import InputError, ParameterError, TrainingError
from wordgrad.training import trainer as trainer_module
from wordgrad.training.config import SETTINGS, TrainingConfig
from wordgrad.training.engine import TrainingProgress
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import with_learning_rate


def small(**settings):
    defaults = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}
    return Word2Vec(**(defaults | settings))


def animals_and_metals(n_sentences=3000, seed=3):
    """Sentences of one topic each, with the same function words in both."""
    rng = np.random.default_rng(seed)
    topics = [
        ["cat", "dog", "horse", "cow", "sheep", "goat"],
        ["iron", "copper", "tin", "lead", "zinc", "gold"],
    ]
    sentences = []
    for _ in range(n_sentences):
        words = [*topics[rng.integers(2)], "the", "of", "and"]
        sentences.append(" ".join(rng.choice(words, rng.integers(5, 12))))
    return topics, sentences


TEXT = animals_and_metals(400)[1]


# ---------------------------------------------------------------- scikit-learn's conventions


def test_get_params_names_every_argument_and_set_params_changes_them():
    model = Word2Vec(vector_size=7, architecture="cbow", combine="sum")
    params = model.get_params()
    assert (
        list(inspect.signature(Word2Vec).parameters)
        == list(inspect.signature(Word2Vec.__init__).parameters)[1:]
    )
    assert set(params) == set(inspect.signature(Word2Vec).parameters)
    assert (params["vector_size"], params["architecture"], params["combine"]) == (7, "cbow", "sum")
    assert model.set_params(window=9, seed=4) is model
    assert (model.window, model.seed) == (9, 4)
    with pytest.raises(ValueError, match="Invalid parameter 'windows' for estimator Word2Vec"):
        model.set_params(windows=9)


def test_clone_copies_the_settings_and_nothing_learned():
    model = small(seed=5, progress=print_nothing).fit(TEXT)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "vectors_")
    np.testing.assert_array_equal(copy.fit(TEXT).vectors_.matrix, model.vectors_.matrix)


def print_nothing(record):
    pass


def test_constructor_checks_and_changes_nothing():
    """As scikit-learn asks: what is given is what get_params gives back; fit checks."""
    model = Word2Vec(vector_size=-1, learning_rate="x", workers=None)
    params = model.get_params()
    assert (params["vector_size"], params["learning_rate"], params["workers"]) == (-1, "x", None)


def test_defaults_are_those_of_the_training_config():
    config, params = TrainingConfig(), Word2Vec().get_params()
    for name, value in config.as_dict().items():
        default = SETTINGS[name].default
        assert params[name] == default, name
        assert default in (None, value), name  # None where it depends on others
    assert params["cbow_step"] is params["output_weight"] is None  # by architecture and loss
    assert params["min_count"] == 5
    assert (
        params["learning_rate"]
        is params["epochs"]
        is params["workers"]
        is params["max_vocab"]
        is None
    )


def test_repr_and_pipeline_work():
    assert repr(Word2Vec(window=3)) == "Word2Vec(window=3)"
    pipeline = make_pipeline(small())
    pipeline.fit(TEXT)
    assert "cat" in pipeline[-1].vectors_


# ---------------------------------------------------------------- input


def test_every_kind_of_input_gives_the_same_vectors(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    halves = tmp_path / "halves"
    halves.mkdir()
    for name, lines in (("1.txt", TEXT[:150]), ("2.txt", TEXT[150:])):
        (halves / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sources = {
        "strings": TEXT,
        "token lists": [line.split() for line in TEXT],
        "generator of strings": (line for line in TEXT),
        "generator of token lists": (line.split() for line in TEXT),
        "path": path,
        "string path": str(path),
        "glob": str(tmp_path / "*.txt"),
        "directory": halves,
        "several": [halves / "1.txt", halves / "2.txt"],
    }
    wanted = small().fit(TEXT)
    for name, source in sources.items():
        model = small().fit(source)
        assert model.vectors_.words == wanted.vectors_.words, name
        np.testing.assert_array_equal(model.vectors_.matrix, wanted.vectors_.matrix, err_msg=name)
        assert [record["words"] for record in model.history_] == [
            sum(len(line.split()) for line in TEXT)
        ] * 2, name


def test_one_long_line_is_one_sentence_of_any_length(tmp_path):
    """Words of many sentences on one line: no token is lost, and windows reach across."""
    words = " ".join(TEXT).split() * 12
    path = tmp_path / "line.txt"
    path.write_text(" ".join(words), encoding="utf-8")
    long = small(window=1, epochs=1).fit(path)
    assert len(words) > 30_000
    assert long.history_[0]["words"] == len(words)
    assert long.history_[0]["pairs"] == 2 * (len(words) - 1)
    assert long.report_.sentences_read == 1
    short = small(window=1, epochs=1).fit([line.split() for line in TEXT] * 12)
    assert short.history_[0]["pairs"] == 2 * (len(words) - 12 * len(TEXT))
    assert short.vectors_.words == long.vectors_.words


def test_words_of_any_script():
    text = ["Ünïcödé 日本語 🙂 слово", "naïve\u0301 日本語 🙂 слово"] * 20
    model = small(window=2).fit(text)
    assert set(model.vectors_.words) == set(" ".join(text).split())
    assert model.vectors_["日本語"].shape == (8,)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_reading_options_reach_the_reader(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("id,body\n" + "1,The cat-sat\n2,the CAT sat\n" * 10, encoding="utf-8")
    model = small(column="body", lowercase=True, pattern=r"\w+").fit(path)
    assert set(model.vectors_.words) == {"the", "cat", "sat"}
    model = small(max_vocab=2).fit(["a a a b b c"] * 3)
    assert model.vectors_.words == ("a", "b")
    model = small(min_count=6).fit(["a a a b b c"] * 3)
    assert model.vectors_.words == ("a", "b")
    spoilt = tmp_path / "spoilt.txt"
    spoilt.write_bytes(b"a b \xff\n" * 5)
    with pytest.raises(InputError, match="UTF-8"):
        small().fit(spoilt)
    assert small(errors="replace").fit(spoilt).report_.bytes_replaced == 5


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ([], "no tokens"),
        (["a a a"], "vocabulary .* is one word"),
        (None, "got NoneType"),
        ([1, 2], "type int"),
    ],
)
def test_text_that_cannot_be_used(source, match):
    model = small()
    with pytest.raises(InputError, match=match):
        model.fit(source)
    assert not hasattr(model, "vectors_")


# ---------------------------------------------------------------- bad settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vector_size", 0),
        ("vector_size", 10.0),
        ("window", -5),
        ("min_count", -1),
        ("min_count", 2.5),
        ("architecture", "glove"),
        ("loss", "hinge"),
        ("negative", 0),
        ("ns_exponent", float("inf")),
        ("sample", -1e-4),
        ("sample", float("nan")),
        ("epochs", 0),
        ("learning_rate", 0),
        ("learning_rate", -0.1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("max_vocab", 1),
        ("max_vocab", "all"),
        ("workers", 0),
        ("seed", -1),
        ("reproducible", "yes"),
        ("combine", "max"),
        ("lowercase", "yes"),
        ("pattern", "("),
        ("errors", "ignore"),
        ("progress", True),
    ],
)
def test_bad_settings_are_named_before_anything_is_read(name, value, tmp_path):
    reads = []

    def text():
        reads.append(1)
        yield "a b"

    for source in (tmp_path / "no such file", text()):
        with pytest.raises(ParameterError, match=f"^{name} must be ") as caught:
            Word2Vec(**{name: value}).fit(source)
        assert "\n" not in str(caught.value)
    assert reads == []


# ---------------------------------------------------------------- what is learned


@pytest.mark.parametrize(
    ("architecture", "combine"), [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
)
def test_words_of_a_topic_are_each_others_neighbours(architecture, combine):
    topics, sentences = animals_and_metals()
    model = Word2Vec(
        vector_size=20, window=4, sample=0, epochs=5, architecture=architecture, combine=combine,
        learning_rate=0.1, workers=1,
    ).fit(sentences)  # fmt: skip
    vectors = model.vectors_
    assert len(vectors) == 15
    for topic in topics:
        for word in topic:
            others = [
                name
                for name, _ in vectors.most_similar(word, topn=14)
                if name not in ("the", "of", "and")
            ]
            assert set(others[:5]) == set(topic) - {word}


def test_history_is_one_plain_record_an_epoch():
    model = small(epochs=3, learning_rate=0.05).fit(TEXT)
    assert [record["epoch"] for record in model.history_] == [1, 2, 3]
    for record in model.history_:
        names = {"epoch", "loss", "pairs", "words", "words_trained", "seconds", "learning_rate"}
        assert set(record) == names
        assert record["words_trained"] == record["words"]
        assert type(record["loss"]) is float
        assert 0 < record["loss"] <= 6 * np.log(2)
        assert record["seconds"] > 0
        assert 0 < record["learning_rate"] <= 0.05


def test_vectors_are_most_frequent_first_with_counts():
    model = small().fit(["a b b c c c"] * 4)
    assert model.vectors_.words == ("c", "b", "a")
    assert model.vectors_.counts.tolist() == [12, 8, 4]
    assert model.vectors_.matrix.shape == (3, 8)
    assert model.vectors_.matrix.dtype == np.float32
    assert isinstance(model.report_, CorpusReport)
    assert model.report_.tokens_kept == 24


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_vectors_are_the_input_vectors():
    """With steps too small for float32 they are what training started from; W_out starts at 0."""
    model = small(learning_rate=1e-20, seed=4).fit(TEXT)
    start = Parameters.initial(len(model.vectors_), len(model.vectors_), 8, seed=4)
    np.testing.assert_array_equal(model.vectors_.matrix, start.W_in)


def test_fit_again_starts_afresh():
    model = small().fit(TEXT)
    first = model.vectors_
    model.fit(["x y z"] * 30)
    assert set(model.vectors_.words) == {"x", "y", "z"}
    assert len(model.history_) == 2
    np.testing.assert_array_equal(model.fit(TEXT).vectors_.matrix, first.matrix)


def test_settings_and_history_are_saved_with_the_vectors(tmp_path):
    model = small(
        window=3, negative=4, architecture="cbow", lowercase=True, max_vocab=9, seed=6
    ).fit(TEXT)
    path = tmp_path / "vectors.safetensors"
    model.vectors_.save(path)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.matrix, model.vectors_.matrix)
    assert loaded.words == model.vectors_.words
    settings = loaded.metadata["settings"]
    wanted = {
        "vector_size": 8, "window": 3, "negative": 4, "architecture": "cbow", "combine": "mean",
        "loss": "negative-sampling", "ns_exponent": 0.75, "sample": 0, "epochs": 2, "seed": 6,
        "workers": 1, "min_count": 1, "max_vocab": 9, "lowercase": True, "pattern": None,
    }  # fmt: skip
    assert {name: settings[name] for name in wanted} == wanted
    given = TrainingConfig(architecture="cbow", sample=0, epochs=2)
    chosen = with_learning_rate(given, model.vectors_.counts)
    assert settings["learning_rate"] == chosen.learning_rate
    assert settings["tokens"] == model.report_.tokens_kept
    assert loaded.metadata["history"] == model.history_


def test_reproducible_vectors_do_not_depend_on_the_workers(tmp_path):
    text = [f"a{i % 7} b{i % 50} c{i % 11} d{i % 130}" for i in range(9000)]
    models = [
        small(reproducible=True, workers=workers, seed=5, sample=0.01).fit(text)
        for workers in (1, 2, 8)
    ]
    for number, model in enumerate(models):
        model.vectors_.save(tmp_path / f"{number}.safetensors")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert [record["loss"] for record in models[0].history_] == [
        record["loss"] for record in models[2].history_
    ]
    assert all(record["seconds"] > 0 for record in models[0].history_)
    saved = load(tmp_path / "0.safetensors").metadata
    assert "workers" not in saved["settings"]
    assert all("seconds" not in record for record in saved["history"])
    other_seed = small(reproducible=True, seed=6, sample=0.01).fit(text)
    assert (other_seed.vectors_.matrix != models[0].vectors_.matrix).any()


RUN_TWICE = """
import hashlib
from wordgrad import Word2Vec
text = [f"a{i % 7} b{i % 50} c{i % 11} d{i % 130}" for i in range(3000)]
vectors = Word2Vec(vector_size=8, min_count=1, workers=1, epochs=1, seed=5).fit(text).vectors_
print(hashlib.sha256(vectors.matrix.tobytes()).hexdigest())
"""


def test_one_worker_repeats_a_seed_in_another_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", RUN_TWICE], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert len(runs[0]) == 65
    assert runs[0] == runs[1]


# ---------------------------------------------------------------- progress and ends


def test_progress_tells_of_reading_then_of_training():
    records = []
    small(progress=records.append).fit(TEXT)
    kinds = [type(record) for record in records]
    assert set(kinds) == {ReadingProgress, TrainingProgress}
    assert kinds == sorted(kinds, key=[ReadingProgress, TrainingProgress].index)
    assert records[-1].words_done == records[-1].words_total


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_an_interruption_keeps_what_was_learned(monkeypatch):
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", -1.0)

    def interrupt(record):
        if isinstance(record, TrainingProgress) and record.epoch == 2:
            raise KeyboardInterrupt

    model = small(epochs=100, workers=2, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT)
    assert len(model.history_) == 2
    assert np.isfinite(model.vectors_.matrix).all()
    untrained = small(epochs=1, workers=1, learning_rate=1e-20).fit(TEXT)
    assert np.abs(model.vectors_.matrix - untrained.vectors_.matrix).max() > 0.01
    assert model.vectors_.metadata["history"] == model.history_
    assert not [t for t in threading.enumerate() if t.name.startswith("wordgrad-")]


def test_an_interruption_while_reading_leaves_nothing():
    def interrupt(record):
        raise KeyboardInterrupt

    model = small(progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT)
    assert not hasattr(model, "vectors_")


def test_an_interruption_while_compiling_leaves_nothing(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(HogwildEngine, "run_span", interrupt)
    model = small()
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT)
    assert not hasattr(model, "vectors_")


def test_divergence_is_an_error_and_leaves_no_vectors():
    model = small(learning_rate=1e6, epochs=1)
    with pytest.raises(TrainingError, match=r"diverged in epoch 1 .*lower learning_rate"):
        model.fit(TEXT)
    assert not hasattr(model, "vectors_")

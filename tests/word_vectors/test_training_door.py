"""What ``Word2Vec`` and ``Trainer`` take and give back: words, matrices, rates, windows, a hook."""

import numpy as np
import pytest

from wordgrad import Word2Vec, WordVectors, load
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import FormatError, InputError, ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.parameters import Parameters
from wordgrad.training.trainer import Trainer
from wordgrad.vocabulary import Vocabulary

TEXT = ["the cat sat on the mat", "the dog lay on the rug"] * 40
WORDS = {"rug": 3, "the": 90, "zebra": 8, "cat": 40}


def small(**settings):
    defaults = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}
    return Word2Vec(**(defaults | settings))


# ---------------------------------------------------------------- words


def as_file(tmp_path, text="rug 3\nthe\t90\n\nzebra 8\ncat 40\n"):
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["mapping", "vocabulary", "file"])
def test_words_that_are_given_are_trained_whatever_the_text_holds(tmp_path, form):
    given = {
        "mapping": WORDS,
        "vocabulary": Vocabulary.from_words(list(WORDS), list(WORDS.values())),
        "file": as_file(tmp_path),
    }[form]
    model = small(vocabulary=given, min_count=99, max_vocab=2).fit(TEXT)
    assert model.vectors_.words == ("the", "cat", "zebra", "rug")
    assert model.vectors_.counts.tolist() == [90, 40, 8, 3]
    assert model.report_.tokens_kept == 240  # "the" twice a line, "cat" and "rug" every other one
    more = model.partial_fit(["the cat owl"] * 50)
    assert more.vectors_.words == ("the", "cat", "zebra", "rug")
    assert more.vectors_.counts.tolist() == [90, 40, 8, 3]


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"a": 1}, ParameterError, "vocabulary must hold at least two words, got 1"),
        ({"a": 0, "b": 2}, ParameterError, r"vocabulary\['a'\] must be an integer >= 1, got 0"),
        ({"a": 1.5, "b": 2}, ParameterError, r"vocabulary\['a'\] must be an integer >= 1, got 1.5"),
        ({1: 1, "b": 2}, ParameterError, "words must be strings, got 1"),
        (
            ["a", "b"],
            ParameterError,
            "must be a mapping of words to counts, a Vocabulary or a path",
        ),
        ({"x": 1, "y": 1}, InputError, "Of the 480 words of the text 0 are in the vocabulary"),
        ("no-such-file", InputError, "The vocabulary no-such-file cannot be read"),
    ],
)
def test_words_that_cannot_be_used(given, error, match):
    with pytest.raises(error, match=match):
        small(vocabulary=given).fit(TEXT)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a 1\nb\n", "Line 2 .* is not a word and its count .'b'.; write"),
        ("a 1\nb 0\n", "Line 2 .* is not a word and its count"),
        ("a 1\nb -1\n", "Line 2 .* is not a word and its count"),
        ("a 1\nb 1e3\n", "Line 2 .* is not a word and its count"),
        ("a 1\n99999999999999999999 99999999999999999999\n", "Line 2 .* is not a word"),
        ("a 1\nb 2\na 1\n", "Line 3 .* is a word that an earlier line has"),
    ],
)
def test_files_of_words_that_are_refused(tmp_path, text, match):
    with pytest.raises(FormatError, match=match):
        Vocabulary.read(as_file(tmp_path, text))
    path = tmp_path / "bytes"
    path.write_bytes(b"a 1\n\xff 2\n")
    with pytest.raises(FormatError, match="not UTF-8 at byte 4"):
        Vocabulary.read(path)


def test_min_count_0_drops_none():
    assert len(small(min_count=0).fit([*TEXT, "once"]).vectors_) == 9


def test_a_resumed_training_has_its_words(tmp_path):
    small(checkpoint=tmp_path / "run", vocabulary=WORDS).fit(TEXT)
    again = Word2Vec.from_checkpoint(tmp_path / "run", epochs=3).resume(TEXT)
    assert again.vectors_.words == ("the", "cat", "zebra", "rug")
    with pytest.raises(ParameterError, match="words are where a training starts"):
        Word2Vec.from_checkpoint(tmp_path / "run", epochs=3, vocabulary=WORDS).resume()


# ---------------------------------------------------------------- matrices


def test_output_vectors_are_kept_saved_and_started_from(tmp_path):
    path = tmp_path / "model.safetensors"
    model = small(keep_output=True).fit(TEXT)
    np.testing.assert_array_equal(model.output_vectors_, model.vectors_.outputs)
    assert model.output_vectors_.shape == (8, 8)
    assert model.output_vectors_.any()
    model.vectors_.save(path)
    again = load(path)
    np.testing.assert_array_equal(again.outputs, model.output_vectors_)
    still = small(vectors=path, learning_rate=1e-20).fit(TEXT)
    np.testing.assert_array_equal(still.output_vectors_, model.output_vectors_)
    np.testing.assert_array_equal(still.vectors_.matrix, model.vectors_.matrix)
    assert still.vectors_.outputs is None
    on = small(vectors=path).fit(TEXT)
    assert on.history_[0]["loss"] < model.history_[-1]["loss"]


def test_output_vectors_of_other_formats_and_damaged_files(tmp_path):
    model = small(keep_output=True).fit(TEXT)
    for name in ("a.npz", "a.txt"):
        model.vectors_.save(tmp_path / name)
        assert load(tmp_path / name).outputs is None
    path = tmp_path / "a.safetensors"
    model.vectors_.save(path)
    assert load(path, limit=3).outputs is None
    data = bytearray(path.read_bytes())
    place = bytes(data).index(np.ascontiguousarray(model.output_vectors_).tobytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="its outputs fails its checksum"):
        load(path)
    with pytest.raises(
        ParameterError, match="outputs must have 2 dimensions, as the matrix, got 3"
    ):
        WordVectors(["a"], [[1, 2]], outputs=[[1, 2, 3]])


def test_a_softmax_keeps_its_output_vectors_on_request():
    assert not hasattr(small(loss="softmax").fit(TEXT), "output_vectors_")
    assert small(loss="softmax", keep_output=True).fit(TEXT).output_vectors_.shape == (8, 8)


def test_a_trainer_goes_on_with_given_matrices_in_any_order_of_words():
    words = Vocabulary.from_words(["cat", "dog", "the", "owl"], [40, 40, 160, 1])
    parameters = Parameters.initial(4, 4, 8, seed=1)
    before = parameters.copy()
    config = TrainingConfig(vector_size=8, epochs=1, workers=1, sample=0.0)
    losses = []
    for _ in range(3):
        with encode_corpus(TEXT, vocabulary=words) as corpus:
            assert corpus.vocabulary.words == words.words
            trainer = Trainer(corpus, config, parameters=parameters)
            trainer.run()
            losses.append(trainer.history[0].loss)
    assert losses[0] > losses[1] > losses[2]
    np.testing.assert_array_equal(parameters.W_in[3], before.W_in[3])  # no "owl" in the text
    assert (parameters.W_in[:3] != before.W_in[:3]).any(axis=1).all()


# ---------------------------------------------------------------- rates


def test_the_rate_falls_or_rises_in_a_line_to_the_final_one():
    model = small(learning_rate=0.05, final_learning_rate=0.05).fit(TEXT)
    assert {record["learning_rate"] for record in model.history_} == {0.05}
    model = small(learning_rate=0.02, final_learning_rate=0.06, epochs=4).fit(TEXT)
    rates = [record["learning_rate"] for record in model.history_]
    assert rates == sorted(rates)
    assert 0.049 < rates[-1] <= 0.06
    for value in (-0.1, np.inf, "low"):
        with pytest.raises(ParameterError, match="final_learning_rate must be"):
            small(final_learning_rate=value).fit(TEXT)


# ---------------------------------------------------------------- hook


@pytest.mark.parametrize("settings", [{}, {"reproducible": True}, {"loss": "softmax"}])
def test_the_hook_sees_the_live_model_before_and_after_every_epoch(settings):
    seen = []

    def look(live):
        vectors = live.vectors
        shared = np.shares_memory(vectors, live.parameters.W_in)
        seen.append((live.epoch, live.epochs, len(live.history), shared, vectors.copy()))

    model = small(on_epoch=look, epochs=3, tolerance=0.0, **settings).fit(TEXT)
    assert [entry[:3] for entry in seen] == [(0, 3, 0), (1, 3, 1), (2, 3, 2), (3, 3, 3)]
    assert {entry[3] for entry in seen} == {settings.get("loss") != "softmax"}
    np.testing.assert_array_equal(seen[-1][4], model.vectors_.matrix)
    assert (seen[0][4] != seen[1][4]).any()


def test_what_the_hook_writes_is_trained_on():
    def freeze(live):
        live.parameters.W_in[live.vocabulary.index("cat")] = 0.25

    model = small(on_epoch=freeze).fit(TEXT)
    assert set(model.vectors_["cat"].tolist()) == {0.25}


def test_a_hook_that_fails_ends_the_training():
    def fail(live):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        small(on_epoch=fail).fit(TEXT)
    with pytest.raises(ParameterError, match="on_epoch must be callable or None, got 3"):
        small(on_epoch=3).fit(TEXT)


# ---------------------------------------------------------------- windows


def expected_pairs(sizes, reach):
    return sum(min(i, reach) + min(size - 1 - i, reach) for size in sizes for i in range(size))


@pytest.mark.parametrize("settings", [{}, {"reproducible": True}, {"loss": "softmax"}])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("window", [1, 3, 9_999_999])
def test_fixed_windows_are_as_wide_as_they_may(settings, architecture, window):
    text = ["a b c d e f g", "a c", "b d a e"] * 30
    model = small(
        window=window, shrink_windows=False, architecture=architecture, epochs=1, **settings
    ).fit(text)
    pairs = 90 * 13 / 3 if architecture == "cbow" else 30 * expected_pairs([7, 2, 4], window)
    assert model.history_[0]["pairs"] == pytest.approx(pairs)


@pytest.mark.parametrize("settings", [{}, {"reproducible": True}, {"loss": "softmax"}])
def test_long_windows_hold_whole_sentences(settings):
    text = ["a b c d e f g", "a c", "b d a e"] * 30
    model = small(window=9_999_999, epochs=1, validation=text[:3], **settings).fit(text)
    whole = 30 * expected_pairs([7, 2, 4], 7)
    assert model.history_[0]["pairs"] == pytest.approx(whole, rel=1e-3)  # a reach below 7 is rare


def test_windows_over_too_many_words_are_refused():
    text = [["a", "b"] * 10_000]
    with pytest.raises(
        ParameterError, match=r"window=50,000 takes in 19,999 words on either side .* 20,000 words"
    ):
        small(window=50_000).fit(text)

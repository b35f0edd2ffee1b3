"""What the two ``train`` commands, the estimators and the documents say agrees with the tables."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from wordgrad import Doc2Vec, TextClassifier, Word2Vec
from wordgrad.classification.config import SETTINGS as CLASSIFIER_SETTINGS
from wordgrad.classification.features import RANGES
from wordgrad.classification.trainer import TextTraining
from wordgrad.cli import classify, documents, train
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError
from wordgrad.training.config import (
    DEFAULT_EPOCHS,
    DOCUMENT_SETTINGS,
    SETTINGS,
    Setting,
    TrainingConfig,
)

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
TABLES = [
    (Word2Vec, SETTINGS, ["train"]),
    (Doc2Vec, DOCUMENT_SETTINGS, ["documents", "train"]),
    (TextClassifier, CLASSIFIER_SETTINGS, ["classify", "train"]),
]
CALLABLES = {"progress", "on_epoch"}  # in Python alone
COMMANDS = {
    Word2Vec: train.train,
    Doc2Vec: documents.train,
    TextClassifier: classify.train,
}


def outside(setting: Setting) -> list[float]:
    """Values just beyond each end of a range."""
    step = 1 if setting.kind is int else 1e-9
    beyond = [setting.minimum - step] if setting.minimum is not None else []
    beyond += (
        [setting.maximum * 1.1 if setting.kind is float else setting.maximum + 1]
        if (setting.maximum is not None)
        else []
    )
    return [*beyond, *(end for end in (setting.above, setting.below) if end is not None)]


@pytest.mark.parametrize(("estimator", "settings", "_command"), TABLES)
def test_signatures_have_the_settings_and_their_defaults(estimator, settings, _command):
    parameters = inspect.signature(estimator).parameters
    defaults = {name: one.default for name, one in parameters.items() if name not in CALLABLES}
    assert defaults == {name: setting.default for name, setting in settings.items()}
    options = inspect.signature(COMMANDS[estimator]).parameters
    for name, default in defaults.items():
        assert options[name].default == default, name


def test_the_docstring_of_word2vec_has_every_type_range_and_default():
    text = inspect.getdoc(Word2Vec)
    for name, setting in SETTINGS.items():
        if name not in (
            "phrases",
            "validation",
            "vectors",
            "vocabulary",
        ):  # which take more in Python than on the command line
            assert f"\n{name} : {setting.signature}\n" in text, name


def squeezed(text: str) -> str:
    """Without the frames of panels, and with one space where there were several."""
    return " ".join(re.sub(r"[│╭╮╰╯─]+", " ", text).split())


@pytest.mark.parametrize(("_estimator", "settings", "command"), TABLES)
def test_help_has_every_option_range_and_default(wordgrad, terminal, _estimator, settings, command):
    terminal(120)
    outcome = wordgrad(*command, "--help")
    assert outcome.code == 0
    said = squeezed(outcome.out.partition("─ Model ─")[2])
    options = [
        setting.option.partition("/")[0] or f"--{name.replace('_', '-')}"
        for name, setting in settings.items()
    ]
    places = [re.search(rf"{option} ", said).start() for option in options]
    assert places == sorted(places)
    for setting, start, end in zip(settings.values(), places, [*places[1:], None], strict=True):
        entry = said[start:end]
        assert setting.help in entry
        assert (f"Range: {setting.range}." in entry) == bool(setting.range)
        assert (f"Default: {setting.default_text}." in entry) == bool(setting.default_text)
        if setting.kind is not bool and setting.default is not None and not setting.default_text:
            assert f"[default: {setting.default}]" in entry
    panels = list(dict.fromkeys(setting.panel for setting in settings.values()))
    assert panels == [one for one in re.findall(r"╭─ (\w+) ─", outcome.out) if one in panels]


def test_the_docstring_of_doc2vec_has_the_settings_that_differ():
    text = inspect.getdoc(Doc2Vec)
    for name, setting in DOCUMENT_SETTINGS.items():
        if setting != SETTINGS.get(name) and name not in ("learning_rate", "validation", "column"):
            assert f"\n{name} : {setting.signature}\n" in text, name


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_word2vec_refuses_what_is_outside_before_it_reads(setting):
    def sentences():
        raise AssertionError("the text was read")
        yield

    values = ["glove", 3] if setting.choices else ["yes"] if setting.kind is bool else []
    for value in [*values, *outside(setting)]:
        with pytest.raises(ParameterError, match=rf"^{setting.name} must be .*, got "):
            Word2Vec(**{setting.name: value}).fit(sentences())


def test_a_default_passes_its_own_check():
    for settings in (SETTINGS, CLASSIFIER_SETTINGS):
        for setting in settings.values():
            assert setting.check(setting.default) == setting.default


def test_the_training_config_takes_its_fields_from_the_table():
    for field in dataclasses.fields(TrainingConfig):
        if field.name != "documents":  # which the estimator chooses
            assert field.default == SETTINGS[field.name].default


@pytest.mark.parametrize("name", ["min_count", "max_vocab", "errors"])
def test_the_reader_has_the_ranges_of_the_table(name):
    for value in outside(SETTINGS[name]) or ["ignore"]:
        with pytest.raises(ParameterError, match=f"^{name} must be "):
            encode_corpus(["a b"], **{name: value})
    if SETTINGS[name].minimum is not None:
        encode_corpus(["a b"] * 9, **{"min_count": 1, name: int(SETTINGS[name].minimum)}).close()


def test_the_words_for_the_default_epochs_are_true():
    usual, softmax = map(int, re.findall(r"\d+", SETTINGS["epochs"].default_text))
    for (architecture, loss), epochs in DEFAULT_EPOCHS.items():
        assert epochs == (softmax if (architecture, loss) == ("skipgram", "softmax") else usual)


def test_the_classifier_has_the_ranges_of_the_table():
    defaults = {name: setting.default for name, setting in CLASSIFIER_SETTINGS.items()}
    texts, labels = ["good film", "bad film"] * 5, ["praise", "blame"] * 5
    for name, setting in CLASSIFIER_SETTINGS.items():
        for value in outside(setting):
            with pytest.raises(ParameterError, match=f"^{name} must be "):
                TextClassifier(**(defaults | {name: value})).fit(texts, labels)
    for name, ends in RANGES.items():
        assert (CLASSIFIER_SETTINGS[name].minimum, CLASSIFIER_SETTINGS[name].maximum) == ends
    assert set(TextTraining.__dataclass_fields__) < set(CLASSIFIER_SETTINGS)


def test_the_guides_tables_have_true_names_and_defaults():
    guide = GUIDE.read_text(encoding="utf-8")
    rows = [
        (name, default)
        for name, default in re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", guide, re.MULTILINE)
        if name in SETTINGS
    ]
    assert len(rows) >= 12
    for name, default in rows:
        setting = SETTINGS[name]
        shown = f'"{setting.default}"' if isinstance(setting.default, str) else str(setting.default)
        assert default == (setting.default_text if setting.default is None else f"`{shown}`"), name


def test_what_may_change_on_resuming_is_documented():
    guide = squeezed(GUIDE.read_text(encoding="utf-8"))
    listed = re.search(r"You may change (.*?)\. -", guide)[1]
    resumable = {name for name, setting in SETTINGS.items() if setting.resumable}
    assert set(re.findall(r"`(\w+)`", listed)) == resumable
    docstring = squeezed(inspect.getdoc(Word2Vec.from_checkpoint))
    listed = re.search(r"Parameters to change: (.*?)\. ", docstring)[1]
    assert set(re.findall(r"``(\w+)``", listed)) == resumable | CALLABLES


@pytest.mark.parametrize(
    ("args", "suggestion"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["simlar", "v", "w"], "Did you mean 'similar'?"),
        (["classify", "predcit"], "Did you mean 'predict'?"),
        (["predict", "v"], "Did you mean 'classify predict'?"),
        (["train", "t", "-o", "v", "--vectr-size", "3"], "--vector-size"),
        (["train", "t", "-o", "v", "--architecture", "cbo"], "one of 'skipgram', 'cbow'"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_right_one(wordgrad, args, suggestion):
    outcome = wordgrad(*args)
    assert outcome.code == 2
    assert suggestion in squeezed(outcome.err)

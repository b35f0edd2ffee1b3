"""Every hyper-parameter: its default, its range, and the message when it is outside."""

import dataclasses
import math
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import ParameterError
from wordgrad.training.config import (
    ARCHITECTURES,
    BLOCK_LEARNING_RATES,
    COMBINATIONS,
    DEFAULT_EPOCHS,
    DEFAULT_LEARNING_RATES,
    EXACT_CBOW_LEARNING_RATES,
    FINAL_LEARNING_RATE,
    SOFTMAX_LEARNING_RATES,
    TrainingConfig,
)

MEANS = "cbow", "mean"


def test_defaults():
    config = TrainingConfig()
    assert (config.vector_size, config.window, config.negative, config.epochs) == (100, 5, 5, 5)
    assert (config.ns_exponent, config.sample, config.seed) == (0.75, "auto", 1)
    assert (config.architecture, config.loss) == ("skipgram", "negative-sampling")
    assert config.combine == "mean"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("combine", COMBINATIONS)
def test_default_learning_rate_is_the_architectures(architecture, combine):
    config = TrainingConfig(architecture=architecture, combine=combine)
    assert config.learning_rate == DEFAULT_LEARNING_RATES[architecture, combine] > 0
    exact = TrainingConfig(architecture=architecture, combine=combine, cbow_step="exact")
    rates = EXACT_CBOW_LEARNING_RATES if architecture == "cbow" else {combine: config.learning_rate}
    assert exact.learning_rate == rates[combine]
    blocks = TrainingConfig(architecture=architecture, combine=combine, blocks=8)
    assert blocks.learning_rate == BLOCK_LEARNING_RATES[architecture, combine]
    assert (blocks.learning_rate < config.learning_rate) is ((architecture, combine) == MEANS)
    assert config.initial_rate == config.learning_rate
    assert TrainingConfig(architecture=architecture, learning_rate=0.5).initial_rate == 0.5


def test_steps_and_outputs_of_cbow_have_defaults_where_they_have_a_use():
    for settings, expected in [
        ({}, ("balanced", 0.0)),
        ({"architecture": "cbow"}, ("balanced", 1.0)),
        ({"architecture": "cbow", "combine": "sum"}, ("exact", 1.0)),
        ({"architecture": "cbow", "loss": "softmax"}, ("exact", 0.0)),
        ({"architecture": "cbow", "subwords": (3, 6)}, ("exact", 0.0)),
        ({"architecture": "cbow", "cbow_step": "whole", "output_weight": 0.25}, ("whole", 0.25)),
    ]:
        config = TrainingConfig(**settings)
        assert (config.cbow_step, config.output_weight) == expected
    for settings, name in [
        ({"loss": "softmax"}, 'loss="softmax"'),
        ({"subwords": (3, 6)}, "subwords and"),
    ]:
        with pytest.raises(
            ParameterError, match=rf"^output_weight must be 0 with {name}.*got 0\.5"
        ):
            TrainingConfig(output_weight=0.5, **settings)
        assert TrainingConfig(output_weight=0.0, **settings).output_weight == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("subwords", [None, (3, 6)])
def test_noise_of_skip_gram_with_subwords_is_its_own(architecture, subwords):
    own = architecture == "skipgram" and subwords is not None
    config = TrainingConfig(architecture=architecture, subwords=subwords)
    assert (config.negative, config.ns_exponent) == ((7, 0.5) if own else (5, 0.75))
    given = TrainingConfig(
        architecture=architecture, subwords=subwords, negative=3, ns_exponent=0.0
    )
    assert (given.negative, given.ns_exponent) == (3, 0.0)


def test_the_softmax_has_defaults_of_its_own():
    config = TrainingConfig(loss="softmax")
    assert config.epochs == DEFAULT_EPOCHS["skipgram", "softmax"] != TrainingConfig().epochs
    assert config.learning_rate == SOFTMAX_LEARNING_RATES["skipgram", "mean"]
    assert TrainingConfig(loss="softmax", epochs=2, learning_rate=0.3).epochs == 2
    with pytest.raises(ParameterError, match=r"^tolerance must be a number in \[0, 1\), got 1\.$"):
        TrainingConfig(tolerance=1)


def test_default_workers_are_the_cores_of_this_process():
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    assert TrainingConfig().threads == TrainingConfig().workers == len(allowed)
    assert TrainingConfig(workers=3).threads == 3


INTEGERS = [
    ("vector_size", 1, 65536),
    ("window", 1, 10**9),
    ("negative", 1, 10_000),
    ("workers", 1, 1024),
]


@pytest.mark.parametrize(("name", "least", "most"), INTEGERS)
def test_integers_with_two_ends(name, least, most):
    for value in (least, most):
        assert getattr(TrainingConfig(**{name: value}), name) == value
    for value in (least - 1, most + 1, -5):
        with pytest.raises(
            ParameterError,
            match=rf"^{name} must be an integer in \[{least}, {most}\], got {value}\.$",
        ):
            TrainingConfig(**{name: value})


@pytest.mark.parametrize(("name", "least"), [("epochs", 1), ("seed", 0)])
def test_integers_with_one_end(name, least):
    for value in (least, 10**12):
        assert getattr(TrainingConfig(**{name: value}), name) == value
    with pytest.raises(ParameterError, match=f"^{name} must be an integer >= {least}, got "):
        TrainingConfig(**{name: least - 1})


@pytest.mark.parametrize("name", [*(name for name, _, _ in INTEGERS), "epochs", "seed"])
@pytest.mark.parametrize("value", [2.0, "2", True, math.nan, [2], np.float64(2)])
def test_integers_are_integers(name, value):
    with pytest.raises(ParameterError, match=f"^{name} must be an integer .*got "):
        TrainingConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "rule", "good", "bad"),
    [
        ("ns_exponent", "a finite number", [-2, 0, 0.75, 1e308], []),
        ("sample", '"auto" or a finite number >= 0', [0, 1e-5, 1, 1e308], [-1e-9]),
        ("tolerance", "a number in [0, 1)", [0, 1e-9, 0.999], [-1e-9]),
        ("max_hours", "a finite number > 0", [1e-9, 1, 1e9], [0, -1]),
        ("learning_rate", "a finite number <= 1e+30 and > 0", [1e-9, 5, 1e30], [0, -0.1, 1.1e30]),
    ],
)
def test_numbers(name, rule, good, bad):
    for value in good:
        kept = getattr(TrainingConfig(**{name: value}), name)
        assert kept == value
        assert type(kept) is float
    for value in [*bad, math.nan, math.inf, -math.inf, "0.1", True]:
        with pytest.raises(ParameterError) as caught:
            TrainingConfig(**{name: value})
        assert str(caught.value).startswith(f"{name} must be {rule}, got ")


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("architecture", "'skipgram', 'cbow'"),
        (
            "loss",
            "'negative-sampling', 'softmax', 'hierarchical-softmax', "
            "'hierarchical-softmax+negative-sampling'",
        ),
        ("combine", "'mean', 'sum'"),
        ("softmax_offset", "'unigram', 'none'"),
    ],
)
@pytest.mark.parametrize("value", ["glove", "", None, 3, ["cbow"]])
def test_choices(name, choices, value):
    with pytest.raises(ParameterError) as caught:
        TrainingConfig(**{name: value})
    assert str(caught.value) == f"{name} must be one of {choices}, got {value!r}."


def test_numbers_of_numpy_become_plain_ones():
    config = TrainingConfig(
        vector_size=np.int64(8),
        seed=np.uint8(3),
        sample=np.float32(0.5),
        learning_rate=1,
        final_learning_rate=np.float32(0),
        subwords=(np.int64(3), np.int16(6)),
    )
    values = config.as_dict()
    assert values.pop("blocks") is None
    assert [type(value) for value in values.pop("subwords")] == [int, int]
    assert {type(value) for value in values.values()} == {int, float, str, bool}


def test_as_dict_makes_the_same_config_again():
    config = TrainingConfig(architecture="cbow", window=3, learning_rate=0.2, subwords=(3, 6))
    assert TrainingConfig(**config.as_dict()) == config
    fields = {field.name for field in dataclasses.fields(config)}
    assert set(config.as_dict()) == fields - {"documents"}
    config = TrainingConfig(documents="alone", combine="concat", architecture="cbow")
    assert set(config.as_dict()) == fields
    assert TrainingConfig(**config.as_dict()) == config


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'window'"):
        TrainingConfig().window = 0


@given(st.floats(0, 1), st.floats(1e-6, 10))
def test_learning_rate_falls_linearly_to_its_floor(progress, rate):
    config = TrainingConfig(learning_rate=rate)
    found = config.learning_rate_at(progress)
    assert found == pytest.approx(max(rate * (1 - progress), rate * FINAL_LEARNING_RATE), rel=1e-9)
    assert found > 0


def test_learning_rate_at_both_ends():
    config = TrainingConfig(learning_rate=0.05)
    assert config.learning_rate_at(0.0) == 0.05
    assert config.learning_rate_at(0.25) == pytest.approx(0.0375)
    assert config.learning_rate_at(1.0) == pytest.approx(5e-6)
    assert config.learning_rate_at(0.99995) == pytest.approx(5e-6)

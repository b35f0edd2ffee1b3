"""The CUDA engine in Numba's simulator, and what it says where there is no card.

The simulator runs kernels as Python, one thread of the card after another, so that these tests need
no card; it is chosen when Numba is imported, so they run in a process of their own.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError, TrainingError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import cuda as engines
from wordgrad.training.engines import cuda_softmax, make_engine
from wordgrad.training.engines.cuda import CudaEngine
from wordgrad.training.engines.cuda_softmax import CudaSoftmaxEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.engines.softmax import SkipGramSoftmaxEngine
from wordgrad.training.kernels.cuda import SIMULATED
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch, SamplingTables, Span, draw_batch

simulated = pytest.mark.skipif(not SIMULATED, reason="runs in the simulator, by the test above")
KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]


@pytest.mark.skipif(SIMULATED, reason="runs inside itself otherwise")
def test_the_contract_holds_in_the_simulator(tmp_path):
    here = Path(__file__)
    contract = here.parents[2] / "contracts" / "test_engine_contract.py"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "-k", "CudaEngine or test_cuda", str(contract), str(here)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"NUMBA_ENABLE_CUDASIM": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        cwd=here.parents[3],
    )
    assert result.returncode == 0, result.stdout + result.stderr


# --- Which pairs ---------------------------------------------------------------------------------


def drawn(engine, span):
    """What the card draws, in the form of ``draw_batch``, contexts sorted within a window."""
    sizes, contexts, times, outputs = engine.drawn_windows(span)
    windows = np.flatnonzero(sizes)
    found = [np.sort(np.repeat(contexts[w, : sizes[w]], times[w, : sizes[w]])) for w in windows]
    return found, outputs[windows]


def assert_same_windows(engine, tables, span, window, negative):
    wanted = draw_batch(tables, span, window, negative)
    contexts, outputs = drawn(engine, span)
    assert len(contexts) == len(wanted)
    np.testing.assert_array_equal(outputs.reshape(-1), wanted.outputs)
    for b, context in enumerate(contexts):
        exact = wanted.inputs[wanted.groups[b] : wanted.groups[b + 1]]
        np.testing.assert_array_equal(context, np.sort(exact))


@simulated
@pytest.mark.parametrize(("window", "sample"), [(1, 0.0), (3, 0.02), (9, 0.3)])
def test_windows_are_those_of_the_processor(tables_of, window, sample):
    rng = np.random.default_rng(3)
    lengths = [1, 49, 1, 0, 0, 70, 120, 1, 30, 29]
    sentences = [rng.integers(0, 12, n).tolist() for n in lengths]
    settings = {"window": window, "sample": sample, "negative": 4, "vector_size": 4}
    tables = tables_of(sentences, **settings)
    engine = CudaEngine(TrainingConfig(**settings), tables)
    edges = [(0, 300), (0, 1), (299, 300), (1, 50), (10, 60), (50, 52), (55, 119), (150, 151)]
    for epoch, (start, stop) in enumerate(edges):
        assert_same_windows(engine, tables, Span(start, stop, epoch, 0.1), window, 4)


@simulated
def test_windows_that_subsampling_stretches_over_many_tokens(tables_of):
    rng = np.random.default_rng(4)
    settings = {"window": 5, "sample": 1e-4, "negative": 2, "vector_size": 4}
    tables = tables_of([rng.integers(0, 8, 900).tolist()], **settings)
    engine = CudaEngine(TrainingConfig(**settings), tables)
    for span in (Span(0, 900, 0, 0.1), Span(400, 440, 0, 0.1), Span(890, 900, 1, 0.1)):
        assert_same_windows(engine, tables, span, 5, 2)


@simulated
def test_a_noise_that_is_always_the_target_ends_in_another_word(tables_of):
    settings = {"window": 1, "sample": 0.0, "negative": 1, "ns_exponent": 60.0, "vector_size": 4}
    tables = tables_of([[0, 0, 0]], counts=[1000, 1, 1], **settings)
    engine = CudaEngine(TrainingConfig(**settings), tables)
    assert_same_windows(engine, tables, Span(0, 3, 0, 0.1), 1, 1)
    assert (drawn(engine, Span(0, 3, 0, 0.1))[1][:, 1] != 0).all()


# --- What update ---------------------------------------------------------------------------------


def random_parameters(n_words, size):
    parameters = Parameters.zeros(n_words, n_words, size)
    rng = np.random.default_rng(5)
    parameters.W_in[:], parameters.W_out[:] = rng.normal(0.0, 0.5, (2, n_words, size))
    return parameters


@simulated
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_a_span_takes_the_exact_steps_of_its_windows(tables_of, architecture, combine):
    rng = np.random.default_rng(6)
    settings = {
        "window": 2, "sample": 0.1, "negative": 3, "vector_size": 20,
        "architecture": architecture, "combine": combine,
    }  # fmt: skip
    tables = tables_of([rng.integers(0, 9, 25).tolist() for _ in range(2)], **settings)
    config = TrainingConfig(**settings)
    found, wanted = random_parameters(9, 20), random_parameters(9, 20)
    span = Span(5, 45, 2, 0.05)
    loss = CudaEngine(config, tables, in_flight=1).run_span(found, span)
    exact = ReferenceEngine(config, tables).run_span(wanted, span)
    assert loss.pairs == exact.pairs
    assert loss.total == pytest.approx(exact.total, rel=1e-5)
    np.testing.assert_allclose(found.W_in, wanted.W_in, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(found.W_out, wanted.W_out, rtol=1e-4, atol=2e-5)
    assert not found.W_in_rows[:, 20:].any()


@simulated
def test_every_window_is_trained_on_however_many_are_in_flight(tables_of):
    rng = np.random.default_rng(7)
    settings = {"window": 3, "sample": 0.1, "negative": 2, "vector_size": 4}
    tables = tables_of([rng.integers(0, 9, 60).tolist()], **settings)
    config, span = TrainingConfig(**settings), Span(0, 60, 0, 1e-9)
    wanted = draw_batch(tables, span, 3, 2).n_vectors
    for in_flight in (1, 2, 7, 100):
        parameters = Parameters.zeros(9, 9, 4)
        loss = CudaEngine(config, tables, in_flight).run_span(parameters, span)
        assert loss.pairs == wanted
        assert loss.total == pytest.approx(wanted * 3 * np.log(2), rel=1e-6)


@simulated
@pytest.mark.filterwarnings("ignore:.*invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_noticed(architecture, value):
    config = TrainingConfig(vector_size=3, negative=2, architecture=architecture)
    parameters = random_parameters(4, 3)
    parameters.W_out[:2, 0] = 1.0
    parameters.W_in[1, 0] = value
    windows = Batch.from_windows(
        np.array([1, 2], np.int32),
        np.array([0, 2]),
        np.array([[0, 1, 3]], np.int32),
        architecture=architecture,
    )
    engine = CudaEngine(config)
    losses = [engine.apply_batch(parameters, windows, 0.1).total for _ in range(2)]
    assert not np.isfinite(losses).all()


# --- Epochs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus():
    sentences = [f"a{i % 7} b{i % 5} c{i % 11} d{i % 3}" for i in range(30)]
    with encode_corpus(sentences, min_count=1) as encoded:
        yield encoded


@pytest.fixture
def config():
    return TrainingConfig(vector_size=8, window=2, negative=2, sample=0.1, epochs=2)


def on_card(corpus, config, span_tokens=40):
    engine = CudaEngine(config, SamplingTables(corpus, config), in_flight=1)
    engine.span_tokens = span_tokens
    return engine


def fresh(corpus, size, seed=1):
    n_words = len(corpus.vocabulary)
    return Parameters.initial(n_words, n_words, size, seed)


@simulated
def test_a_paused_epoch_goes_on_where_it_ended(corpus, config):
    whole, broken = (fresh(corpus, 8, seed=1) for _ in range(2))
    at_once = list(on_card(corpus, config).epoch(whole, 0, 0, threading.Event()))
    engine, steps = on_card(corpus, config), []
    while not steps or steps[-1].stop < engine.length:
        pause = threading.Event()
        for step in engine.epoch(broken, 0, steps[-1].stop if steps else 0, pause):
            steps.append(step)
            pause.set()
    assert [(s.start, s.stop) for s in steps] == [(0, 40), (40, 80), (80, 120)]
    assert steps == at_once
    np.testing.assert_array_equal(broken.W_in_rows, whole.W_in_rows)
    np.testing.assert_array_equal(broken.W_out_rows, whole.W_out_rows)


@simulated
def test_the_parameters_come_back_when_iteration_is_given_up(corpus, config):
    engine = on_card(corpus, config)
    parameters = fresh(corpus, 8, seed=1)
    engine.prepare(parameters)
    assert not parameters.W_out_rows.any()
    steps = engine.epoch(parameters, 0, 0, threading.Event())
    next(steps)
    assert not parameters.W_out_rows.any()
    steps.close()
    assert parameters.W_out.any()


@simulated
def test_other_parameters_are_copied_to_the_card(corpus, config):
    engine = on_card(corpus, config)
    first = fresh(corpus, 8, seed=1)
    list(engine.epoch(first, 0, 0, threading.Event()))
    second, alone = (fresh(corpus, 8, seed=2) for _ in range(2))
    list(engine.epoch(second, 0, 0, threading.Event()))
    list(on_card(corpus, config).epoch(alone, 0, 0, threading.Event()))
    np.testing.assert_array_equal(second.W_in_rows, alone.W_in_rows)


@simulated
def test_the_learning_rate_falls_from_span_to_span(corpus, config):
    parameters = fresh(corpus, 8, seed=1)
    engine = on_card(corpus, config, 30)
    steps = [s for epoch in range(2) for s in engine.epoch(parameters, epoch, 0, threading.Event())]
    rates = [step.learning_rate for step in steps]
    assert rates == [config.learning_rate_at(k / 8) for k in range(8)]


# --- The exact softmax ---------------------------------------------------------------------------


def softmax_engines(corpus, **settings):
    config = TrainingConfig(vector_size=6, loss="softmax", window=2, epochs=2, **settings)
    for kind in (SkipGramSoftmaxEngine, CudaSoftmaxEngine):
        engine = kind(corpus, config)
        engine.block_rows = 8
        yield engine


@simulated
@pytest.mark.parametrize("offset", ["unigram", "none"])
def test_the_softmax_is_that_of_the_processor(corpus, offset):
    found = []
    for engine in softmax_engines(corpus, softmax_offset=offset):
        parameters = fresh(corpus, 6, seed=1)
        steps = [s for e in range(2) for s in engine.epoch(parameters, e, 0, threading.Event())]
        found.append((parameters, steps, engine.state(), engine.gradient_norm))
        engine.close()
    (exact, exact_steps, exact_state, norm), (card, steps, state, card_norm) = found
    np.testing.assert_allclose(card.W_in, exact.W_in, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(card.W_out, exact.W_out, rtol=1e-4, atol=1e-5)
    for name, sums in exact_state.items():
        np.testing.assert_allclose(state[name], sums, rtol=1e-4)
    assert card_norm == pytest.approx(norm, rel=1e-4)
    assert [s[:2] + s[3:] for s in steps] == [s[:2] + s[3:] for s in exact_steps]
    np.testing.assert_allclose([s.loss for s in steps], [s.loss for s in exact_steps], rtol=1e-5)


@simulated
def test_the_softmax_goes_on_after_a_pause_and_from_a_state(corpus, monkeypatch):
    monkeypatch.setattr(cuda_softmax, "BLOCKS_AT_ONCE", 1)
    _, whole = softmax_engines(corpus)
    _, broken = softmax_engines(corpus)
    a, b = (fresh(corpus, 6, seed=1) for _ in range(2))
    list(whole.epoch(a, 0, 0, threading.Event()))
    pause = threading.Event()
    steps = []
    for step in broken.epoch(b, 0, 0, pause):
        steps.append(step)
        pause.set()
    position = steps[-1].stop
    assert 0 < position < broken.length
    _, resumed = softmax_engines(corpus)
    resumed.restore({name: sums.copy() for name, sums in broken.state().items()})
    list(resumed.epoch(b, 0, position, threading.Event()))
    np.testing.assert_array_equal(a.W_in_rows, b.W_in_rows)
    np.testing.assert_array_equal(a.W_out_rows, b.W_out_rows)
    assert resumed.gradient_norm == pytest.approx(whole.gradient_norm)
    # What was restored takes the place of what the card holds.
    whole.restore(resumed.state())
    list(whole.epoch(a, 1, 0, threading.Event()))
    list(resumed.epoch(b, 1, 0, threading.Event()))
    np.testing.assert_array_equal(a.W_out_rows, b.W_out_rows)
    for engine in (whole, broken, resumed):
        engine.close()


# --- The table and the model ---------------------------------------------------------------------


@simulated
def test_the_settings_choose_the_card(corpus):
    settings = {"vector_size": 8, "device": "cuda"}
    assert type(make_engine(corpus, TrainingConfig(**settings))) is CudaEngine
    exact = TrainingConfig(**settings, loss="softmax")
    assert type(make_engine(corpus, exact)) is CudaSoftmaxEngine


@simulated
@pytest.mark.parametrize("loss", ["negative-sampling", "softmax"])
@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_a_model_is_trained_and_resumed_on_a_card(tmp_path, loss):
    text = ["the cat sat on the mat", "the dog sat on the rug"] * 5
    settings = {
        "vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "negative": 2, "window": 2,
        "device": "cuda", "loss": loss, "tolerance": 0.0, "epochs": 2,
    }  # fmt: skip
    model = Word2Vec(**settings, checkpoint=tmp_path / "run", validation=text[:2]).fit(text)
    losses = [record["loss"] for record in model.history_]
    assert losses[1] < losses[0]
    assert all(np.isfinite(record["validation_loss"]) for record in model.history_)
    assert model.vectors_.metadata["settings"]["device"] == "cuda"
    # On the processor from where the card stopped: the state is the same.
    resumed = Word2Vec.from_checkpoint(tmp_path / "run", epochs=3, device="cpu").resume()
    assert [record["epoch"] for record in resumed.history_] == [1, 2, 3]
    assert resumed.history_[2]["loss"] < losses[0]


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"vector_size": 513}, "vector_size must be at most 512 with device='cuda', got 513"),
        ({"negative": 21}, "negative must be at most 20 with device='cuda', got 21"),
        ({"window": 101}, "window must be at most 100 with device='cuda', got 101"),
        ({"reproducible": True}, "reproducible=True cannot be had with device='cuda'"),
        (
            {"architecture": "cbow", "loss": "softmax"},
            "architecture='cbow' with loss='softmax' is not trained with device='cuda'; use dev",
        ),
    ],
)
def test_settings_that_a_card_does_not_train_are_refused_before_the_text_is_read(settings, match):
    with pytest.raises(ParameterError, match=match):
        Word2Vec(device="cuda", **settings).fit("no such file")


def test_the_device_is_one_of_two():
    with pytest.raises(ParameterError, match="device must be one of 'cpu', 'cuda', got 'gpu'"):
        TrainingConfig(device="gpu")


@pytest.fixture
def with_package(monkeypatch):
    monkeypatch.setattr(engines.kernels, "SIMULATED", False)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: name)


def test_without_the_package_the_install_line_is_given(with_package, monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'wordgrad\[gpu\]'"):
        engines.check_card()


def test_without_cupy_the_install_line_is_given(monkeypatch):
    monkeypatch.setattr(cuda_softmax, "SIMULATED", False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ParameterError, match=r"needs the package CuPy.*'wordgrad\[gpu\]'"):
        cuda_softmax.array_module()


def test_a_machine_without_a_card(with_package, monkeypatch):
    monkeypatch.setattr(engines.cuda, "is_available", lambda: False)
    reason = "\nError at driver init:\n\nCUDA driver library cannot be found.\n:"
    monkeypatch.setattr(engines.cuda, "cuda_error", lambda: reason, raising=False)
    with pytest.raises(ParameterError, match=r"got none \(CUDA driver library cannot be found\)"):
        engines.check_card()
    monkeypatch.setattr(engines.cuda, "cuda_error", lambda: None, raising=False)
    with pytest.raises(ParameterError, match=r"got none \(no device was found\)"):
        engines.check_card()


@pytest.mark.parametrize("found", [(12, 9), (11, 0)])
def test_a_driver_that_is_too_old(with_package, monkeypatch, found):
    monkeypatch.setattr(engines.cuda, "is_available", lambda: True)
    monkeypatch.setattr(engines, "driver_version", lambda: found)
    monkeypatch.setattr(engines, "version", lambda package: "13.2.0")
    match = rf"for CUDA 13.0 or newer, got one for CUDA {found[0]}.{found[1]}; update"
    with pytest.raises(ParameterError, match=match):
        engines.check_card()
    monkeypatch.setattr(engines, "driver_version", lambda: (13, 0))
    engines.check_card()


def test_a_vocabulary_that_does_not_fit_is_refused_with_the_largest_that_does(monkeypatch):
    monkeypatch.setattr(engines, "card_memory", lambda: (10.0 * 2**30, 10.0 * 2**30))
    engines.check_memory(1000, 1e6, 2.0**30, 100)
    match = r"11,000 words .* 11.24 GiB .* 10.00 GiB are free; keep at most 9,663 words with max_v"
    with pytest.raises(ParameterError, match=match) as refused:
        engines.check_memory(11_000, 1e6, 2.0**30, 100)
    engines.check_memory(9663, 1e6, 2.0**30, 100)
    assert "another program" not in str(refused.value)


def test_a_card_that_another_program_uses(monkeypatch):
    monkeypatch.setattr(engines, "card_memory", lambda: (2.0 * 2**30, 10.0 * 2**30))
    match = r"another program has taken 8.0 GiB\); wait for it to end, or keep at most 1,073 words"
    with pytest.raises(ParameterError, match=match):
        engines.check_memory(5000, 1e6, 2.0**30, 100)
    monkeypatch.setattr(engines, "card_memory", lambda: (2.0**20, 10.0 * 2**30))
    with pytest.raises(ParameterError, match="wait for it to end, or use device='cpu'"):
        engines.check_memory(5000, 1e6, 2.0**30, 100)


class LaunchError(RuntimeError):
    """Stands for the driver's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("none left"),
        LaunchError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in ..."),
    ],
)
def test_a_card_whose_memory_ends_during_training(error):
    with pytest.raises(TrainingError, match="The card ran out of memory"), engines.card_errors():
        raise error


def test_other_errors_of_the_driver_pass_as_they_are():
    with pytest.raises(LaunchError, match="UNKNOWN"), engines.card_errors():
        raise LaunchError("CUDA_ERROR_UNKNOWN")

"""A training that goes on is the training that was never broken off."""

import threading
import time

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import (
    DamagedCheckpointWarning,
    FormatError,
    InputError,
    OutputError,
    ParameterError,
    TrainingError,
)
from wordgrad.training import trainer as trainer_module
from wordgrad.training.checkpoint import Checkpoint, CheckpointFolder
from wordgrad.training.engine import Loss
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine

ONE_WORKER = pytest.param({"workers": 1}, id="one worker")
REPRODUCIBLE = pytest.param({"workers": 2, "reproducible": True}, id="reproducible")
SOFTMAX = pytest.param({"workers": 1, "loss": "softmax", "tolerance": 0.0}, id="softmax")
SETTINGS = {"vector_size": 12, "min_count": 1, "sample": 0, "epochs": 3}


def sentences(n=900, seed=1):
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 2, n)
    return [[f"{'ab'[topic]}{k}" for k in rng.integers(0, 8, 10)] for topic in chosen]


TEXT, HELD_OUT = sentences(), sentences(60, 2)


class StopError(Exception):
    """Raised after a checkpoint: what is in memory is lost, as by a kill."""


def fit(**settings):
    return Word2Vec(**(SETTINGS | {"workers": 1} | settings)).fit(TEXT)


def stopped(folder, monkeypatch, at, **settings):
    """Save a checkpoint whenever that is possible, and stop hard at the first from ``at`` on."""
    save, run_span = CheckpointFolder.save, HogwildEngine.run_span

    def stopping(self, checkpoint):
        path = save(self, checkpoint)
        if (checkpoint.state.epoch, checkpoint.state.token) >= at:
            raise StopError
        return path

    def slow(self, parameters, span):
        time.sleep(0.001)  # or the threads that train are far ahead of the one that saves
        return run_span(self, parameters, span)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFolder, "save", stopping)
        patch.setattr(HogwildEngine, "run_span", slow)
        with pytest.raises(StopError):
            fit(checkpoint=folder, checkpoint_every=1e-9, **settings)


def newest(folder):
    files = folder.glob("checkpoint-*.safetensors")
    return Checkpoint.read(max(files, key=lambda path: int(path.stem.split("-")[1])))


def facts(model):
    """What must be the same to the byte; seconds are not."""
    history = [{k: v for k, v in record.items() if k != "seconds"} for record in model.history_]
    return model.vectors_.words, model.vectors_.matrix.tobytes(), history


@pytest.mark.parametrize("mode", [ONE_WORKER, REPRODUCIBLE, SOFTMAX])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 4000), (2, 1)])
def test_going_on_gives_the_bytes_of_the_whole(tmp_path, monkeypatch, mode, architecture, at):
    whole = fit(**mode, architecture=architecture, checkpoint=tmp_path / "whole", sample=0.02)
    stopped(tmp_path / "run", monkeypatch, at, **mode, architecture=architecture, sample=0.02)
    state = newest(tmp_path / "run").state
    assert at <= (state.epoch, state.token) < (3, 0)
    model = Word2Vec.from_checkpoint(tmp_path / "run").resume()
    assert facts(model) == facts(whole)
    ends = [newest(tmp_path / name) for name in ("run", "whole")]
    assert ends[0].parameters.W_out_rows.tobytes() == ends[1].parameters.W_out_rows.tobytes()
    assert (ends[0].state.epoch, ends[0].state.token) == (3, 0)
    assert model.report_ == whole.report_ or model.report_.tokens_kept == whole.report_.tokens_kept
    assert model.vectors_.metadata["settings"] == whole.vectors_.metadata["settings"]


def test_checkpoints_change_nothing(tmp_path):
    plain = fit()
    often = fit(checkpoint=tmp_path, checkpoint_every=1e-9)
    assert facts(often) == facts(plain)


def test_what_is_due_is_saved_before_much_more_is_done(tmp_path, monkeypatch):
    positions = []
    save, run_span = CheckpointFolder.save, HogwildEngine.run_span

    def noted(self, checkpoint):
        positions.append((checkpoint.state.epoch, checkpoint.state.token))
        return save(self, checkpoint)

    def slow(self, parameters, span):
        time.sleep(0.002)
        return run_span(self, parameters, span)

    monkeypatch.setattr(CheckpointFolder, "save", noted)
    monkeypatch.setattr(HogwildEngine, "run_span", slow)
    fit(checkpoint=tmp_path, checkpoint_every=1e-9, epochs=1)
    assert positions[0] == (0, 0)
    assert positions[-1] == (1, 0)
    steps = np.diff([token for _, token in positions[:-1]])
    assert steps.min() >= 500
    # The thread that trains is some steps ahead of the one that counts, more on a busy machine.
    assert np.median(steps) <= 4 * 500


def test_a_long_interval_saves_the_beginning_and_the_end(tmp_path):
    fit(checkpoint=tmp_path, checkpoint_every=1e9)
    assert sorted(p.name for p in tmp_path.glob("checkpoint*")) == [
        "checkpoint-1.safetensors",
        "checkpoint-2.safetensors",
    ]


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_lose_and_repeat_nothing(tmp_path, monkeypatch, workers):
    stopped(tmp_path, monkeypatch, (1, 1), workers=workers)
    model = Word2Vec.from_checkpoint(tmp_path).resume()
    one = fit()
    assert [r["pairs"] for r in model.history_] == [r["pairs"] for r in one.history_]
    assert [r["words"] for r in model.history_] == [r["words"] for r in one.history_]
    assert model.history_[-1]["loss"] == pytest.approx(one.history_[-1]["loss"], rel=0.05)


def test_the_text_is_not_needed_but_compared_if_given(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, (0, 1))
    model = Word2Vec.from_checkpoint(tmp_path)
    for other, difference in (
        (TEXT[:-1], "8,990 words instead of 9,000, 899 sentences instead of 900"),
        ([*TEXT[1:], TEXT[0]], "as many words in as many sentences, but others or in another"),
        ([*TEXT[:-1], ["a0"] * 10], "as many words in as many sentences, but others or in another"),
    ):
        with pytest.raises(InputError, match=f"not the one that this training began.*{difference}"):
            model.resume(other)
    assert facts(model.resume(iter(TEXT))) == facts(fit())


def test_a_changed_setting_is_refused_by_its_name(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, (0, 1))
    before = newest(tmp_path).state
    for changes, difference in (
        ({"window": 8}, "window is 8 and was 5"),
        ({"seed": 2, "vector_size": 13}, "seed is 2 and was 1; vector_size is 13 and was 12"),
        ({"lowercase": True}, "lowercase is True and was False"),
        ({"architecture": "cbow"}, "architecture is 'cbow' and was 'skipgram'"),
    ):
        with pytest.raises(ParameterError, match=f"is resumed with the settings .*{difference}"):
            Word2Vec.from_checkpoint(tmp_path, **changes).resume()
    with pytest.raises(ParameterError, match="early_stopping was not set"):
        Word2Vec.from_checkpoint(tmp_path, early_stopping=2).resume()
    with pytest.raises(ParameterError, match="began without validation text"):
        Word2Vec.from_checkpoint(tmp_path, validation=HELD_OUT).resume()
    with pytest.raises(ParameterError, match=r"window must be an integer"):
        Word2Vec.from_checkpoint(tmp_path, window=0).resume()
    assert newest(tmp_path).state == before
    same = Word2Vec(**SETTINGS, workers=1, checkpoint=tmp_path, checkpoint_every=5.0)
    assert facts(same.resume()) == facts(fit())


@pytest.mark.parametrize("number", [np.int64(5), np.float32(0.03)])
def test_settings_of_numpys_kinds(tmp_path, number):
    name = "window" if isinstance(number, np.integer) else "learning_rate"
    model = fit(checkpoint=tmp_path, **{name: number, "min_count": np.int32(1)})
    assert facts(Word2Vec.from_checkpoint(tmp_path).resume()) == facts(model)


def test_a_finished_training_has_nothing_left_to_do(tmp_path):
    model = fit(checkpoint=tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert facts(Word2Vec.from_checkpoint(tmp_path).resume()) == facts(model)
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    with pytest.raises(ParameterError, match=r"epochs must be at least 3, which this .* got 2"):
        Word2Vec.from_checkpoint(tmp_path, epochs=2).resume()


def test_more_epochs_have_the_rate_that_a_longer_training_has_there(tmp_path):
    fit(checkpoint=tmp_path, learning_rate=0.08)
    longer = fit(epochs=7, learning_rate=0.08)
    model = Word2Vec.from_checkpoint(tmp_path, epochs=7).resume()
    assert [r["epoch"] for r in model.history_] == [1, 2, 3, 4, 5, 6, 7]
    rates = [[r["learning_rate"] for r in m.history_] for m in (model, longer)]
    assert rates[0][3:] == rates[1][3:]
    assert rates[0][2] < rates[0][3]  # it had fallen to nothing, and rises once
    assert model.vectors_.metadata["settings"]["epochs"] == 7
    # In two goes or in one: the schedule depends on position and total alone.
    again = Word2Vec.from_checkpoint(tmp_path, epochs=9).resume()
    assert [r["epoch"] for r in again.history_] == list(range(1, 10))


def test_the_schedule_may_change_on_the_way(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, (1, 1))
    position = newest(tmp_path).state
    assert position.epoch == 1
    with pytest.raises(ParameterError, match="epochs must be at least 2"):
        Word2Vec.from_checkpoint(tmp_path, epochs=1).resume()
    model = Word2Vec.from_checkpoint(tmp_path, epochs=2, learning_rate=0.01, workers=2).resume()
    assert len(model.history_) == 2
    assert model.history_[1]["learning_rate"] == pytest.approx(0.01 * 500 / 18_000)


def test_validation_and_early_stopping_go_on(tmp_path, monkeypatch):
    settings = {"validation": HELD_OUT, "early_stopping": 2, "epochs": 4}
    whole = fit(**settings)
    stopped(tmp_path, monkeypatch, (2, 1), **settings)
    assert newest(tmp_path).best is not None
    for other, message in (
        (HELD_OUT[:-1], "validation text is not the one that this training began with: 590 words"),
        (
            [["no", "such"]],
            "validation text cannot be used: Of the 2 words of the text 0 are in",
        ),
    ):
        with pytest.raises(InputError, match=message):
            Word2Vec.from_checkpoint(tmp_path, validation=other).resume()
    model = Word2Vec.from_checkpoint(tmp_path, validation=HELD_OUT).resume()
    assert facts(model) == facts(whole)
    assert model.validation_ == whole.validation_ == {"words": 600, "unknown": 0}


def test_the_best_epoch_survives_a_break(tmp_path, monkeypatch):
    """The second epoch is best; the training stops hard in the fourth and ends early after it."""
    losses = iter([5.0, 3.0, 4.0, 3.5, 5.0, 3.0, 4.0, 3.5])
    make = trainer_module.make_engine

    def with_our_losses(corpus, config, progress):
        engine = make(corpus, config, progress)
        engine.validation = lambda text: lambda parameters: Loss(next(losses), 1)
        return engine

    monkeypatch.setattr(trainer_module, "make_engine", with_our_losses)
    settings = {"validation": HELD_OUT, "early_stopping": 2, "epochs": 9}
    whole = fit(**settings)
    assert len(whole.history_) == 4
    stopped(tmp_path, monkeypatch, (3, 1), **settings)
    assert newest(tmp_path).state.epoch == 3
    assert facts(Word2Vec.from_checkpoint(tmp_path).resume()) == facts(whole)


def test_early_stopping_needs_a_text(tmp_path):
    with pytest.raises(ParameterError, match=r"early_stopping=2 needs a loss to watch"):
        fit(early_stopping=2)
    with pytest.raises(ParameterError, match="early_stopping must be an integer >= 1, got 0"):
        fit(early_stopping=0, validation=HELD_OUT)


def test_a_damaged_checkpoint_costs_one_interval(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, (1, 1))
    path = max(tmp_path.glob("checkpoint-*"), key=lambda path: int(path.stem.split("-")[1]))
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)
    model = Word2Vec.from_checkpoint(tmp_path)
    with pytest.warns(DamagedCheckpointWarning, match="goes on from the one before"):
        model.resume()
    assert facts(model) == facts(fit())


@pytest.mark.parametrize("name", ["ids.int32", "offsets.int64"])
def test_a_damaged_text_is_noticed_and_can_be_given_again(tmp_path, monkeypatch, name):
    stopped(tmp_path, monkeypatch, (1, 1))
    path = tmp_path / "text" / name
    good = path.read_bytes()
    for bad in (
        good[:-8],
        good[:40] + b"\xff\xff\xff\x7f" + good[44:],
        good[:40] + b"\xff\xff\xff\xff" + good[44:],
        good[:16] + good[24:32] + good[16:24] + good[32:],
        b"",
    ):
        path.write_bytes(bad)
        with pytest.raises(FormatError, match=r"encoded text .*give the text again"):
            Word2Vec.from_checkpoint(tmp_path).resume()
    path.unlink()
    with pytest.raises(FormatError, match=r"encoded text .*give the text again"):
        Word2Vec.from_checkpoint(tmp_path).resume()
    assert facts(Word2Vec.from_checkpoint(tmp_path).resume(TEXT)) == facts(fit())


def test_a_damaged_held_out_text_is_noticed(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, (0, 1), validation=HELD_OUT)
    path = tmp_path / "held-out.safetensors"
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"held-out\.safetensors is damaged"):
        Word2Vec.from_checkpoint(tmp_path).resume()
    model = Word2Vec.from_checkpoint(tmp_path, validation=HELD_OUT).resume()
    assert facts(model) == facts(fit(validation=HELD_OUT))


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    """One step writes a NaN; no checkpoint that holds it is ever written."""
    run_span = HogwildEngine.run_span

    def harmful(self, parameters, span):
        loss = run_span(self, parameters, span)
        if (span.epoch, span.start) == (1, 3000):
            parameters.W_in[3, 4] = np.nan
        return loss

    monkeypatch.setattr(HogwildEngine, "run_span", harmful)
    with pytest.raises(
        TrainingError,
        match=r"diverged (before token|in epoch 2 at token) \d+.* with learning_rate [\d.]+.*; "
        r"go on from the last good checkpoint in .* \(--resume\) with a lower learning_rate",
    ):
        fit(checkpoint=tmp_path, checkpoint_every=1e-9)
    files = list(tmp_path.glob("checkpoint-*"))
    states = [Checkpoint.read(path).state for path in files]
    assert len(states) == 2
    assert all((state.epoch, state.token) <= (1, 3000) for state in states)
    monkeypatch.setattr(HogwildEngine, "run_span", run_span)
    model = Word2Vec.from_checkpoint(tmp_path, learning_rate=0.01).resume()
    assert len(model.history_) == 3


def test_two_trainings_in_one_folder(tmp_path):
    """The second is refused while the first runs, and the first ends as if alone."""
    refused = []

    def second(event):
        if not refused and hasattr(event, "epoch"):
            with pytest.raises(OutputError, match="in use by a training") as error:
                fit(checkpoint=tmp_path)
            refused.append(error)

    model = fit(checkpoint=tmp_path, progress=second)
    assert refused
    assert facts(model) == facts(fit())


def test_a_failed_start_leaves_the_folder_free(tmp_path):
    with pytest.raises(InputError, match="no tokens"):
        Word2Vec(checkpoint=tmp_path).fit(iter([]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]
    fit(checkpoint=tmp_path)


def test_resume_needs_a_folder(tmp_path):
    with pytest.raises(ParameterError, match="checkpoint must name the folder"):
        Word2Vec().resume()
    with pytest.raises(ParameterError, match="checkpoint must be a path or None, got 3"):
        fit(checkpoint=3)
    with pytest.raises(ParameterError, match=r"checkpoint_every must be a finite number > 0"):
        fit(checkpoint=tmp_path, checkpoint_every=0)
    with pytest.raises(InputError, match="There is no folder"):
        Word2Vec.from_checkpoint(tmp_path / "none")


def test_settings_of_a_newer_version_are_not_dropped(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    fit(checkpoint=folder)
    with monkeypatch.context() as patch:
        patch.setattr("wordgrad.word2vec.recorded_settings", lambda path: {"window": 5, "magic": 1})
        with pytest.raises(FormatError, match=r"does not know \(magic\)"):
            Word2Vec.from_checkpoint(folder)


def test_training_in_another_thread_saves_too(tmp_path):
    """Signals are the main thread's; checkpoints are not."""
    models = []
    thread = threading.Thread(target=lambda: models.append(fit(checkpoint=tmp_path)))
    thread.start()
    thread.join()
    assert facts(models[0]) == facts(Word2Vec.from_checkpoint(tmp_path).resume())


def test_pages_are_given_back_however_often_training_rests(tmp_path, monkeypatch):
    """Memory stays level: a rest does not begin the count of tokens anew."""
    calls = []
    release = EncodedCorpus.release_pages
    monkeypatch.setattr(trainer_module, "TOKENS_BETWEEN_RELEASES", 4000)
    monkeypatch.setattr(EncodedCorpus, "release_pages", lambda self: calls.append(release(self)))
    stopped(tmp_path, monkeypatch, (2, 1))
    in_fingerprint = 2
    assert len(calls) - in_fingerprint >= 2 * (9000 // 4500)


def test_what_an_engine_cannot_use_is_refused(tmp_path, monkeypatch):
    """A engine's arrays come back to it, and one that gathers nothing refuses them."""
    with monkeypatch.context() as patch:
        patch.setattr(NegativeSamplingEngine, "state", lambda self: {"sums": np.ones(3)})
        fit(checkpoint=tmp_path)
        given = []
        patch.setattr(NegativeSamplingEngine, "restore", lambda self, state: given.append(state))
        Word2Vec.from_checkpoint(tmp_path, epochs=4).resume()
        assert [state["sums"].tolist() for state in given] == [[1.0, 1.0, 1.0]]
    with pytest.raises(FormatError, match="This checkpoint holds sums, which training with these"):
        Word2Vec.from_checkpoint(tmp_path).resume()


def test_what_an_engine_gathers_must_be_finite_too(tmp_path, monkeypatch):
    monkeypatch.setattr(NegativeSamplingEngine, "state", lambda self: {"sums": np.array([np.nan])})
    with pytest.raises(TrainingError, match="a number is no longer finite; start again"):
        fit(checkpoint=tmp_path)
    assert list(tmp_path.glob("checkpoint-*")) == []


def test_parameters_that_are_not_finite_are_never_written(tmp_path, monkeypatch):
    """Even if no loss has shown it yet."""
    run_span = HogwildEngine.run_span

    def harmful(self, parameters, span):
        time.sleep(0.005)
        parameters.W_out[-1, 0] = np.inf
        return Loss(1.0, 1)

    with monkeypatch.context() as patch:
        patch.setattr(HogwildEngine, "run_span", harmful)
        with pytest.raises(
            TrainingError, match=r"diverged (before token \d+ of|at the end of) epoch 1 "
        ):
            fit(checkpoint=tmp_path, checkpoint_every=1e-9)
    assert newest(tmp_path).state.token == 0
    assert HogwildEngine.run_span is run_span
    assert facts(Word2Vec.from_checkpoint(tmp_path).resume()) == facts(fit())

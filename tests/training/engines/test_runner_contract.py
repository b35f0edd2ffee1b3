"""What every runner keeps to: positions once each, pauses from which a later call goes on."""

import threading

import pytest

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_runner
from wordgrad.training.engines.deterministic import RoundRunner
from wordgrad.training.kernels.rounds import Layout
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables


def spans(corpus, config):
    return make_runner(corpus, config)


def rounds(corpus, config):
    return RoundRunner(config, SamplingTables(corpus, config), Layout(4, 50, 3))


RUNNERS = [spans, rounds]


@pytest.fixture(scope="module")
def corpus():
    sentences = [f"a{i % 7} b{i % 5} c{i % 11} d{i % 3}" for i in range(3000)]
    with encode_corpus(sentences, min_count=1) as encoded:
        yield encoded


class AfterSteps(threading.Event):
    """Set once it was asked ``n`` times: whatever the threads' speed, some steps are left over."""

    def __init__(self, n):
        super().__init__()
        self.left = n

    def is_set(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_paused_epoch_goes_on_where_it_ended(corpus, workers, make):
    config = TrainingConfig(vector_size=8, workers=workers)
    runner = make(corpus, config)
    parameters = Parameters.initial(len(corpus.vocabulary), 8, seed=1)
    position, visits, n_calls = 0, [], 0
    while position < runner.length:
        steps = list(runner.run(parameters, 0, position, AfterSteps(3)))
        stop = position + sum(step.stop - step.start for step in steps)
        assert sorted((s.start, s.stop) for s in steps)[-1][1] == stop
        position, n_calls = stop, n_calls + 1
        visits += steps
    assert n_calls > 1
    edges = sorted((step.start, step.stop) for step in visits)
    assert [start for start, _ in edges] == [0] + [stop for _, stop in edges[:-1]]
    rates = [step.learning_rate for step in sorted(visits)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("make", RUNNERS)
def test_a_pause_before_the_first_step_does_nothing(corpus, make):
    runner = make(corpus, TrainingConfig(vector_size=8, workers=2))
    parameters = Parameters.initial(len(corpus.vocabulary), 8, seed=1)
    pause = threading.Event()
    pause.set()
    assert list(runner.run(parameters, 0, 0, pause)) == []
    assert not parameters.W_out_rows.any()


@pytest.mark.parametrize("make", RUNNERS)
def test_compiling_changes_nothing(corpus, make):
    runner = make(corpus, TrainingConfig(vector_size=8, workers=2))
    parameters = Parameters.initial(len(corpus.vocabulary), 8, seed=1)
    runner.compile(parameters)
    again = Parameters.initial(len(corpus.vocabulary), 8, seed=1)
    assert (parameters.W_in_rows == again.W_in_rows).all()
    assert not parameters.W_out_rows.any()


@pytest.mark.parametrize("make", RUNNERS)
def test_closing_ends_every_thread(corpus, make):
    runner = make(corpus, TrainingConfig(vector_size=8, workers=3))
    parameters = Parameters.initial(len(corpus.vocabulary), 8, seed=1)
    steps = runner.run(parameters, 0, 0, threading.Event())
    next(steps)
    steps.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("wordgrad-")]

"""The proofs hold, and would not if the mathematics or a kernel were wrong."""

import re
from pathlib import Path

import numpy as np
import pytest

from wordgrad import maths
from wordgrad.classification.trainer import Member
from wordgrad.gradient_checks import check as claims_module
from wordgrad.gradient_checks.algebra import derivative_error, sigmoid
from wordgrad.gradient_checks.check import Claim, prove
from wordgrad.gradient_checks.checks import all_claims, text_kernel_error
from wordgrad.training.engines.block_softmax import BlockSoftmax
from wordgrad.training.engines.hogwild import HogwildEngine

ROOT = Path(__file__).parents[2]
CLAIMS = all_claims()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.formula)
def test_every_claim_passes(claim):
    verdict = prove(claim)
    assert verdict.passed, verdict
    assert verdict.numbers.error is not None


def test_the_claims_cover_every_loss_and_architecture_by_every_witness_they_have():
    assert len({claim.formula for claim in CLAIMS}) == len(CLAIMS) == 22
    assert sum(claim.algebra is not None for claim in CLAIMS) == 21
    assert sum(claim.machine is not None for claim in CLAIMS) == 11


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.formula)
def test_every_claim_names_a_section_that_exists(claim):
    page, section = claim.document.split("#")
    text = (ROOT / "docs" / page).read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert section in slugs


# --- a wrong library fails ---

WRONG = {
    "sigmoid_grad": lambda s: s * (1 - s) * 1.0005,
    "sigmoid": lambda x: 0.9995 / (1 + np.exp(-x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum() * 1.0005,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_function_fails_by_algebra_and_numbers(monkeypatch, name):
    monkeypatch.setattr(f"wordgrad.maths.{name}", WRONG[name])
    failed = [v for v in map(prove, CLAIMS[:5]) if not v.passed]
    assert failed
    assert any(v.algebra.passed is False for v in failed)
    assert any(v.numbers.passed is False for v in failed)


def scaled(function, factor):
    def wrong(*arguments, **options):
        loss, d_v, d_W = function(*arguments, **options)
        return loss, factor * d_v, d_W

    return wrong


@pytest.mark.parametrize("factor", [1.0005, -1])
def test_a_wrong_pair_loss_fails_by_algebra_and_numbers(monkeypatch, factor):
    wrong = scaled(maths.negative_sampling_loss, factor)
    monkeypatch.setattr("wordgrad.maths.negative_sampling_loss", wrong)
    claim = next(c for c in CLAIMS if c.formula.startswith("negative sampling"))
    verdict = prove(claim)
    assert verdict.algebra.passed is False
    assert verdict.numbers.passed is False


class ScaledEngine(HogwildEngine):
    """A kernel whose step is 0.05% too long."""

    def apply_batch(self, parameters, windows, learning_rate):
        return super().apply_batch(parameters, windows, 1.0005 * learning_rate)


class SilentEngine(HogwildEngine):
    """A kernel that reports a wrong loss."""

    def apply_batch(self, parameters, windows, learning_rate):
        loss = super().apply_batch(parameters, windows, learning_rate)
        return loss._replace(total=1.0005 * loss.total)


@pytest.mark.parametrize("engine", [ScaledEngine, SilentEngine])
def test_a_wrong_kernel_fails_by_the_machine(monkeypatch, engine):
    monkeypatch.setattr("wordgrad.gradient_checks.kernels.HogwildEngine", engine)
    for claim in CLAIMS:
        plain = claim.machine is not None and "softmax" not in claim.formula
        if plain and claim.machine is not text_kernel_error:
            verdict = prove(Claim(claim.formula, claim.document, machine=claim.machine))
            assert verdict.machine.passed is False
            assert not verdict.passed


class WrongBlocks(BlockSoftmax):
    """Blocks that are 0.05% off, in the place that ``wrong`` names."""

    wrong = "loss"

    def gradients(self, *arguments):
        found = super().gradients(*arguments)
        return found._replace(**{self.wrong: 1.0005 * getattr(found, self.wrong)})


@pytest.mark.parametrize("wrong", ["loss", "d_inputs", "d_W_out"])
def test_a_wrong_block_fails_by_the_machine(monkeypatch, wrong):
    monkeypatch.setattr("wordgrad.gradient_checks.kernels.BlockSoftmax", WrongBlocks)
    monkeypatch.setattr(WrongBlocks, "wrong", wrong)
    heard = [c for c in CLAIMS if c.machine is not None and "softmax" in c.formula]
    assert len(heard) == 7
    for claim in heard:
        assert not prove(Claim(claim.formula, claim.document, machine=claim.machine)).passed


@pytest.mark.parametrize("factor", [0.0, 1.0005])
def test_a_wrong_step_of_the_words_vectors_fails_by_the_machine(monkeypatch, factor):
    apply = Member.apply

    def wrong(self, texts):
        before = self.network.vectors.copy()
        loss = apply(self, texts)
        self.network.vectors[:] = before + factor * (self.network.vectors - before)
        return loss

    monkeypatch.setattr(Member, "apply", wrong)
    (claim,) = (one for one in CLAIMS if one.machine is text_kernel_error)
    assert prove(claim).machine.passed is False


# --- verdicts ---


def test_witnesses_who_are_absent_are_named_and_do_not_pass_alone(monkeypatch):
    monkeypatch.setattr(claims_module, "find_spec", lambda name: None)
    silent = prove(Claim("f", "d", algebra=lambda: 0.0))
    assert silent.algebra.absence == "not installed"
    assert silent.numbers.absence == "none"
    assert not silent.passed
    heard = prove(Claim("f", "d", algebra=lambda: 1.0, numbers=lambda: 0.0))
    assert heard.passed


def test_bounds_are_inclusive_and_nan_does_not_pass():
    bound = claims_module.BOUNDS["numbers"]
    assert prove(Claim("f", "d", numbers=lambda: bound)).passed
    assert not prove(Claim("f", "d", numbers=lambda: bound * 1.01)).passed
    assert not prove(Claim("f", "d", numbers=lambda: float("nan"))).passed
    assert not prove(Claim("f", "d", numbers=lambda: 0.0, machine=lambda: 1.0)).passed


def test_algebra_compares_loss_and_gradient():
    point = {"x": np.array([0.3, -0.2])}  # the two sigmoids sum to more than 1
    s = maths.sigmoid(point["x"])
    size = s.sum()

    def error(loss, gradient):
        return derivative_error(
            lambda x: sigmoid(x["x"][0]) + sigmoid(x["x"][1]),
            lambda _: (loss, {"x": gradient}),
            point,
        )

    assert error(size, s * (1 - s)) < 1e-15
    assert error(size + 0.5, s * (1 - s)) == pytest.approx(0.5 / size)
    assert error(size, s * (1 - s) + [0, 0.25]) == pytest.approx(0.25 / size)

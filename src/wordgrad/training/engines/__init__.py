"""How an epoch is trained: one engine a file, and the table that chooses among them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import ParameterError
from wordgrad.training.config import BOTH, HIERARCHICAL, TrainingConfig
from wordgrad.training.engine import Engine, ProgressCallback
from wordgrad.training.engines.deterministic import DeterministicEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.softmax import CbowSoftmaxEngine, SkipGramSoftmaxEngine
from wordgrad.training.engines.subwords import SubwordEngine

__all__ = ["check_device", "make_engine"]


class EngineClass(Protocol):
    """What makes an engine for a corpus."""

    def from_corpus(
        self, corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None
    ) -> Engine:
        """Return the engine; it may refuse what would not fit the memory or the time."""


@dataclass(frozen=True)
class OnDemand:
    """An engine's class that is imported when it is chosen: CUDA is not for every machine."""

    module: str
    name: str

    def from_corpus(
        self, corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None
    ) -> Engine:
        """Import the class and make the engine."""
        engine = cast("EngineClass", getattr(import_module(self.module), self.name))
        return engine.from_corpus(corpus, config, progress)


CUDA = OnDemand(f"{__name__}.cuda", "CudaEngine")
CUDA_SOFTMAX = OnDemand(f"{__name__}.cuda_softmax", "CudaSoftmaxEngine")

BLOCKS = OnDemand(f"{__name__}.blocks", "BlockEngine")

ENGINES: tuple[tuple[str, str, str | None, bool | None, EngineClass], ...] = (
    # device  loss                 architecture  reproducible  engine
    ("cpu",   "softmax",           "skipgram",   None,         SkipGramSoftmaxEngine),
    ("cpu",   "softmax",           "cbow",       None,         CbowSoftmaxEngine),
    ("cpu",   "negative-sampling", None,         True,         DeterministicEngine),
    ("cpu",   "negative-sampling", None,         False,        HogwildEngine),
    ("cpu",   HIERARCHICAL,        None,         None,         HogwildEngine),
    ("cpu",   BOTH,                None,         None,         HogwildEngine),
    ("cuda",  "softmax",           "skipgram",   False,        CUDA_SOFTMAX),
    ("cuda",  "negative-sampling", None,         False,        CUDA),
)  # fmt: skip
"""The first line that fits the settings chooses; None fits any."""


def check_device(config: TrainingConfig) -> None:
    """Raise :class:`ParameterError` unless there is the device, and it trains with these settings.

    To be called before a text is read.
    """
    engine_class(config)
    if config.device == "cpu":
        return
    import_module(CUDA.module).check_settings(config)
    if config.loss == "softmax":
        import_module(CUDA_SOFTMAX.module).array_module()


def engine_class(config: TrainingConfig) -> EngineClass:
    """Return what makes the engine that the settings choose.

    Raises
    ------
    ParameterError
        If nothing trains with these settings, or a card does not.
    """
    if config.blocks is not None:
        for name, needed in (
            ("loss", "negative-sampling"),
            ("device", "cpu"),
            ("subwords", None),
        ):
            if getattr(config, name) != needed:
                raise ParameterError(
                    f"blocks are trained with {name}={needed!r}, got "
                    f"{name}={getattr(config, name)!r}; change it, or leave blocks out."
                )
        return BLOCKS
    if config.subwords is not None:
        for name, refused in (("loss", "softmax"), ("device", "cuda")):
            if getattr(config, name) == refused:
                raise ParameterError(
                    f"subwords are not trained with {name}={refused!r}; change it, or leave "
                    "subwords out."
                )
        return SubwordEngine
    # Documents are reproducible on one thread, which is what the engine then takes.
    reproducible = config.reproducible and config.documents == "no"
    settings = config.device, config.loss, config.architecture, reproducible
    for *wanted, engine in ENGINES:
        if all(want in (None, got) for want, got in zip(wanted, settings, strict=True)):
            return engine
    if config.reproducible:
        raise ParameterError(
            "reproducible=True cannot be had with device='cuda', whose windows are in flight in "
            "no particular order; use device='cpu'."
        )
    raise ParameterError(
        f"architecture={config.architecture!r} with loss={config.loss!r} is not trained with "
        "device='cuda'; use device='cpu'."
    )


def make_engine(
    corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None = None
) -> Engine:
    """Return the engine that the settings choose.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives records of work that comes before the first epoch.
    """
    return engine_class(config).from_corpus(corpus, config, progress)

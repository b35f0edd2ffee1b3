"""Every setting of a training, once: its default, its range and its help.

:data:`SETTINGS` is the one table.  From it come the checks (:class:`TrainingConfig`,
:class:`~wordgrad.Word2Vec`), the options of ``wordgrad train`` and what their help says; tests
compare the signature and the docstring of ``Word2Vec`` with it.  Nothing heavy is imported here,
for the command line reads the table before it knows which command to run.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from wordgrad.errors import (
    ParameterError,
    check_bool,
    check_choice,
    check_int,
    check_real,
    check_share,
)
from wordgrad.processes import usable_cores

ARCHITECTURES = ("skipgram", "cbow")
DEVICES = ("cpu", "cuda")
HIERARCHICAL, BOTH = "hierarchical-softmax", "hierarchical-softmax+negative-sampling"
LOSSES = ("negative-sampling", "softmax", HIERARCHICAL, BOTH)
COMBINATIONS = ("mean", "sum")
DOCUMENT_ARCHITECTURES = ("dbow", "dm")
DOCUMENT_COMBINATIONS = (*COMBINATIONS, "concat")
DOCUMENT_LOSSES = ("negative-sampling", HIERARCHICAL, BOTH)
DOCUMENTS = ("no", "alone", "with-words")
CBOW_STEPS = ("exact", "balanced", "whole")
SOFTMAX_OFFSETS = ("unigram", "none")
SUBWORD_STEPS = ("whole", "exact")

DEFAULT_LEARNING_RATES = {
    ("skipgram", "mean"): 0.04,
    ("skipgram", "sum"): 0.04,
    ("cbow", "mean"): 0.1,
    ("cbow", "sum"): 0.02,
}
"""Chosen by measurement: see docs/performance.md.  Skip-gram combines nothing."""

EXACT_CBOW_LEARNING_RATES = {"mean": 0.15, "sum": 0.02}
"""The same for CBOW with ``cbow_step="exact"``, whose steps on W_in are shorter."""

BLOCK_LEARNING_RATES = DEFAULT_LEARNING_RATES | {("cbow", "mean"): 0.075}
"""The same with ``blocks``, where CBOW takes two or three steps for each target instead of one."""

DEFAULT_OUTPUT_WEIGHTS = {"skipgram": 0.0, "cbow": 1.0}
"""With negative sampling, without subwords; else 0."""

SUBWORD_LEARNING_RATES = {
    ("skipgram", "mean"): 0.05,
    ("skipgram", "sum"): 0.05,
    ("cbow", "mean"): 0.2,
    ("cbow", "sum"): 0.02,
}
"""The same with ``subwords``, for ``subword_step="whole"``."""

SOFTMAX_LEARNING_RATES = {
    ("skipgram", "mean"): 0.1,
    ("skipgram", "sum"): 0.1,
    ("cbow", "mean"): 0.1,
    ("cbow", "sum"): 0.1,
}
"""The same with ``loss="softmax"``, whose steps are Adagrad's."""

DOCUMENT_LEARNING_RATES = {
    ("skipgram", "mean"): 0.05,
    ("skipgram", "sum"): 0.05,
    ("cbow", "mean"): 0.15,
    ("cbow", "sum"): 0.02,
    ("cbow", "concat"): 0.05,
}
"""The same for documents, whatever the loss: dbow is skip-gram from a document's vector, dm is
CBOW with that vector in the context."""

DEFAULT_EPOCHS = {
    ("skipgram", "negative-sampling"): 5,
    ("cbow", "negative-sampling"): 5,
    ("skipgram", "softmax"): 15,
    ("cbow", "softmax"): 5,
    ("skipgram", HIERARCHICAL): 5,
    ("cbow", HIERARCHICAL): 5,
    ("skipgram", BOTH): 5,
    ("cbow", BOTH): 5,
}
"""Skip-gram's softmax steps once a word and epoch, the others once a window."""

DEFAULT_NOISE = {"negative": 5, "ns_exponent": 0.75}
SUBWORD_NOISE = {"negative": 7, "ns_exponent": 0.5}
"""Of skip-gram with ``subwords``; the exponent is fastText's, too."""

FINAL_LEARNING_RATE = 1e-4
"""Share of the learning rate that is left at the end by default, as in word2vec.c."""


@dataclass(frozen=True)
class Setting:
    """One hyper-parameter or option: what it may be, and what the command line says about it.

    Attributes
    ----------
    name : str
        In Python; on the command line with dashes for underscores.
    default : object
        None where the default depends on other settings or on the machine, or is "no limit".
    kind : type
        int, float, bool, str, or Path.
    panel : str
        Under which heading the command line's help lists it.
    help : str
        One or two sentences for the command line.
    minimum, maximum : float, optional
        The range of a number, both ends included.
    above, below : float, optional
        Ends that are not included.
    choices : tuple of str
        The values of a setting that is a choice.
    word : str
        A word that may stand in the place of a number.
    default_text : str
        Words for a default that a bare value would not explain.
    metavar : str
        What stands for the value in the help, if not its kind.
    option : str
        How the option is written, if not simply ``--name``.
    resumable : bool
        Whether a training may be resumed with another value.
    """

    name: str
    default: Any
    kind: type
    panel: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    word: str = ""
    default_text: str = ""
    metavar: str = ""
    option: str = ""
    resumable: bool = False

    def check(self, value: Any) -> Any:
        """Return ``value`` as a plain Python value; None passes where it is the default.

        Text and paths pass as they are: whoever reads them judges them.

        Raises
        ------
        ParameterError
            Naming the setting, its range and the value got.

        Examples
        --------
        >>> SETTINGS["window"].check(3)
        3
        >>> SETTINGS["window"].check(0)
        Traceback (most recent call last):
            ...
        wordgrad.errors.ParameterError: window must be an integer in [1, 1000000000], got 0.
        """
        if type(value) is type(self.default) and value == self.default:  # None among them
            return value
        if self.kind is tuple:
            return self._check_pair(value)
        if self.word and isinstance(value, str) and value == self.word:
            return value
        if self.choices:
            return check_choice(self.name, value, self.choices)
        if self.kind is bool:
            return check_bool(self.name, value)
        if self.kind is int:
            minimum, maximum = (
                None if end is None else int(end) for end in (self.minimum, self.maximum)
            )
            return check_int(self.name, value, minimum=minimum, maximum=maximum)
        if self.kind is float and self.below == 1.0:
            return check_share(self.name, value, above=self.above)
        if self.kind is float:
            return check_real(
                self.name,
                value,
                minimum=self.minimum,
                maximum=self.maximum,
                above=self.above,
                word=self.word,
            )
        return value

    def _check_pair(self, value: Any) -> tuple[int, int]:
        """Return two integers, the first no larger than the second."""
        minimum, maximum = int(self.minimum or 0), int(self.maximum or 0)
        pair = value if isinstance(value, (tuple, list)) else ()
        try:
            low, high = (check_int(self.name, n, minimum=minimum, maximum=maximum) for n in pair)
        except (ValueError, ParameterError):
            low, high = 1, 0
        if low > high:
            raise ParameterError(
                f"{self.name} must be two integers in [{minimum}, {maximum}], the first no larger "
                f"than the second, got {value!r}."
            )
        return low, high

    @property
    def range(self) -> str:
        """The range in words, empty if there is none.

        >>> [SETTINGS[name].range for name in ("window", "epochs", "learning_rate", "tolerance")]
        ['1 to 1,000,000,000', 'at least 1', 'above 0, at most 1e+30', 'at least 0, below 1']
        """
        if self.minimum is not None and self.maximum is not None:
            return f"{_plain(self.minimum)} to {_plain(self.maximum)}"
        ends = {
            "at least": self.minimum,
            "above": self.above,
            "at most": self.maximum,
            "below": self.below,
        }
        return ", ".join(f"{word} {end:g}" for word, end in ends.items() if end is not None)

    @property
    def signature(self) -> str:
        """Type, range and default, as a numpydoc section lists them after the name.

        >>> [SETTINGS[name].signature for name in ("window", "loss")]
        ['int (1 to 1,000,000,000), default 5',
         '{"negative-sampling", "softmax", ...}, default "negative-sampling"']
        """
        names: dict[type, str] = {Path: "path", tuple: "(int, int)"}
        kind = names.get(self.kind, self.kind.__name__)
        if self.choices:
            kind = "{" + ", ".join(f'"{choice}"' for choice in self.choices) + "}"
        elif self.range:
            kind += f" ({self.range})"
        if self.word:
            kind = f'"{self.word}" or {kind}'
        if self.default is None:
            return f"{kind}, optional"
        shown = f'"{self.default}"' if isinstance(self.default, str) else repr(self.default)
        return f"{kind}, default {shown}"


MODEL, TRAINING, CLUSTER = "Model", "Training", "Cluster"
CHECKPOINTS, TEXT = "Checkpoints", "Text"
"""Panels of the command line's help, in their order."""

SETTINGS: Final[dict[str, Setting]] = {
    setting.name: setting
    for setting in (
        Setting(
            "vector_size", 100, int, MODEL, "Length of a word vector.", minimum=1, maximum=65_536
        ),
        Setting(
            "window",
            5,
            int,
            MODEL,
            "Largest distance between a word and its context.",
            minimum=1,
            maximum=1_000_000_000,
        ),
        Setting(
            "shrink_windows",
            True,
            bool,
            MODEL,
            "Draw the reach of each window from 1 up to --window; else every window is that wide.",
            option="--shrink-windows/--fixed-windows",
        ),
        Setting(
            "architecture",
            "skipgram",
            str,
            MODEL,
            "skipgram: better vectors. cbow: faster training.",
            choices=ARCHITECTURES,
        ),
        Setting(
            "loss",
            "negative-sampling",
            str,
            MODEL,
            "The loss that training minimises.",
            choices=LOSSES,
        ),
        Setting(
            "negative",
            None,
            int,
            MODEL,
            "Noise words drawn for each window; of no effect without negative sampling.",
            minimum=1,
            maximum=10_000,
            default_text="5, and 7 for skip-gram with subwords",
        ),
        Setting(
            "ns_exponent",
            None,
            float,
            MODEL,
            "Noise words are drawn in proportion to their count to this power.",
            default_text="0.75, and 0.5 for skip-gram with subwords",
        ),
        Setting(
            "combine",
            "mean",
            str,
            MODEL,
            "How CBOW combines the vectors of a context.",
            choices=COMBINATIONS,
        ),
        Setting(
            "subwords",
            None,
            tuple,
            MODEL,
            "Compose vectors of character n-grams of MIN to MAX characters, so that unseen words "
            "have vectors too.",
            minimum=1,
            maximum=1000,
            default_text="words alone",
            metavar="MIN MAX",
        ),
        Setting(
            "buckets",
            2_000_000,
            int,
            MODEL,
            "N-grams are told apart by their hash modulo this number.",
            minimum=1,
            maximum=2**31 - 1,
        ),
        Setting(
            "subword_step",
            "whole",
            str,
            MODEL,
            "What each n-gram receives of a word's step: all of it, or its exact share.",
            choices=SUBWORD_STEPS,
        ),
        Setting(
            "output_weight",
            None,
            float,
            MODEL,
            "How much of its output vector is added to a word's input vector, once training ends.",
            minimum=0.0,
            maximum=1.0,
            default_text="1 for CBOW, 0 for skip-gram, the softmax and subwords",
            resumable=True,
        ),
        Setting(
            "softmax_offset",
            "unigram",
            str,
            MODEL,
            "What is added to the softmax's logits: each word's log probability, or nothing.",
            choices=SOFTMAX_OFFSETS,
        ),
        Setting(
            "epochs",
            None,
            int,
            TRAINING,
            "Passes over the text.",
            minimum=1,
            default_text="5; 15 for skip-gram with the softmax",
            resumable=True,
        ),
        Setting(
            "learning_rate",
            None,
            float,
            TRAINING,
            "Step size at the start, which falls linearly to --final-learning-rate.",
            above=0.0,
            maximum=1e30,  # steps are float32
            default_text="the best one measured for architecture, loss and amount of text",
            resumable=True,
        ),
        Setting(
            "final_learning_rate",
            None,
            float,
            TRAINING,
            "Step size at the end.",
            minimum=0,
            maximum=1e30,
            default_text="1/10,000 of that at the start",
            resumable=True,
        ),
        Setting(
            "cbow_step",
            None,
            str,
            TRAINING,
            "How far CBOW moves the words of a context: by the gradient (exact), by the "
            "mean's undivided one as word2vec.c, gensim and fastText do (whole), or in between.",
            choices=CBOW_STEPS,
            default_text="balanced; exact for sums, with the softmax and with subwords",
        ),
        Setting(
            "sample",
            "auto",
            float,
            TRAINING,
            "Words that are more frequent than this share are dropped at random; 0 drops none, and "
            "auto is 0.0001, or the share that keeps half of the text.",
            minimum=0.0,
            word="auto",
        ),
        Setting(
            "workers",
            None,
            int,
            TRAINING,
            "Threads.",
            minimum=1,
            maximum=1024,
            default_text="one for each processor",
            resumable=True,
        ),
        Setting("seed", 1, int, TRAINING, "Seed of all random numbers.", minimum=0),
        Setting(
            "reproducible",
            False,
            bool,
            TRAINING,
            "Write the same file whatever the number of workers.",
        ),
        Setting(
            "blocks",
            None,
            int,
            TRAINING,
            "Deal the words to N buckets and train in N x N blocks of the matrices: the "
            "same vectors whatever the number of workers. 8 to 32 are good.",
            minimum=1,
            maximum=1024,
            default_text="no blocks",
            metavar="N",
        ),
        Setting(
            "device",
            "cpu",
            str,
            TRAINING,
            "Train on the processor, or with cuda on an NVIDIA card: needs the extra 'gpu'.",
            choices=DEVICES,
            resumable=True,
        ),
        Setting(
            "vectors",
            None,
            Path,
            TRAINING,
            "Word vectors to start from, in any format that wordgrad reads.",
            default_text="random",
            metavar="FILE",
        ),
        Setting(
            "keep_output",
            False,
            bool,
            TRAINING,
            "Keep the output vectors, too, so that training can go on from the file.",
            resumable=True,
        ),
        Setting(
            "validation",
            None,
            str,
            TRAINING,
            "Held-out text, whose loss is measured after each epoch.",
            metavar="FILE",
        ),
        Setting(
            "early_stopping",
            None,
            int,
            TRAINING,
            "Stop after this many epochs without a lower loss on the validation text, and keep "
            "the vectors of the best epoch.",
            minimum=1,
            metavar="EPOCHS",
            resumable=True,
        ),
        Setting(
            "tolerance",
            1e-4,
            float,
            TRAINING,
            "Stop a softmax training once an epoch lowers the loss by less than this share; 0 "
            "never stops it early.",
            minimum=0.0,
            below=1.0,
            resumable=True,
        ),
        Setting(
            "max_hours",
            24.0,
            float,
            TRAINING,
            "Refuse a softmax training that is estimated to take longer.",
            above=0.0,
            resumable=True,
        ),
        Setting(
            "cluster",
            None,
            str,
            CLUSTER,
            "Train on a cluster of Ray: auto for the one that this machine belongs to, or its "
            "address, ray://HOST:PORT. Needs the extra 'ray'.",
            default_text="this machine",
            metavar="ADDRESS",
            resumable=True,
        ),
        Setting(
            "nodes",
            None,
            int,
            CLUSTER,
            "Machines of the cluster to train on.",
            minimum=1,
            maximum=1024,
            default_text="all that it has",
            resumable=True,
        ),
        Setting(
            "threads_per_node",
            None,
            int,
            CLUSTER,
            "Threads on each of them.",
            minimum=1,
            maximum=1024,
            default_text="as many as the smallest has processors",
            resumable=True,
        ),
        Setting(
            "checkpoint",
            None,
            Path,
            CHECKPOINTS,
            "Save checkpoints to this folder, or to that of a URL, during training.",
            metavar="DIR",
        ),
        Setting(
            "checkpoint_every",
            60.0,
            float,
            CHECKPOINTS,
            "Time between checkpoints, as in 90s, 5m or 1h.",
            above=0.0,
            default_text="60s",
            metavar="TIME",
            resumable=True,
        ),
        Setting("min_count", 5, int, TEXT, "Drop words that occur less often.", minimum=0),
        Setting(
            "max_vocab",
            None,
            int,
            TEXT,
            "Keep only this many of the most frequent words.",
            minimum=2,
            default_text="no limit",
        ),
        Setting(
            "vocabulary",
            None,
            Path,
            TEXT,
            "Train these words, whatever the text holds: a file with a word and its count a line.",
            default_text="the words of the text",
            metavar="FILE",
        ),
        Setting(
            "column",
            None,
            str,
            TEXT,
            "Column of .jsonl, .csv, .tsv and .parquet files that holds the text.",
            default_text="'text', or the only column of text",
        ),
        Setting("lowercase", False, bool, TEXT, "Convert the text to lower case."),
        Setting(
            "phrases",
            None,
            str,
            TEXT,
            "Join phrases such as new_york: those of a table of 'wordgrad phrases', or those found "
            "in N passes over this text; they are written beside the output.",
            metavar="TABLE|N",
        ),
        Setting(
            "pattern",
            None,
            str,
            TEXT,
            "Regular expression that matches a word.",
            default_text="split at white space",
        ),
        Setting(
            "errors",
            "strict",
            str,
            TEXT,
            "Bytes that are not UTF-8: strict stops, replace puts U+FFFD in their place.",
            choices=("strict", "replace"),
        ),
    )
}
"""Every setting of :class:`~wordgrad.Word2Vec` but its callables, in the order of the help."""


def _plain(end: float) -> str:
    return f"{end:,g}" if isinstance(end, float) else f"{end:,}"


_SHARED = (
    *("vector_size", "window", "shrink_windows", "architecture", "loss", "negative"),
    *("ns_exponent", "vectors", "phrases"),
    *("combine", "epochs", "learning_rate", "final_learning_rate", "cbow_step", "sample"),
    *("workers", "seed", "reproducible", "validation", "early_stopping", "checkpoint"),
    *("checkpoint_every", "min_count", "max_vocab", "vocabulary", "column", "lowercase"),
    *("pattern", "errors"),
)
"""Settings of Word2Vec that Doc2Vec has, too."""
_CHANGED: dict[str, dict[str, Any]] = {
    "architecture": {
        "default": "dbow",
        "choices": DOCUMENT_ARCHITECTURES,
        "help": "dbow: a document predicts its words. dm: a document and the words around predict "
        "each word.",
    },
    "loss": {"choices": DOCUMENT_LOSSES},
    "combine": {
        "choices": DOCUMENT_COMBINATIONS,
        "help": "How dm combines the vectors of a document and a context.",
    },
    **{name: {"default": value, "default_text": ""} for name, value in DEFAULT_NOISE.items()},
    "epochs": {"default": 10, "default_text": ""},
    "cbow_step": {"default": "exact", "default_text": ""},
    "learning_rate": {"default_text": "the best one measured for the architecture"},
    "validation": {"help": "Held-out documents, whose loss is measured after each epoch."},
    "column": {"help": "Column of .jsonl, .csv, .tsv and .parquet files that holds the texts."},
}
_ADDED = {
    "combine": Setting(
        "train_words",
        False,
        bool,
        MODEL,
        "Train word vectors beside the documents', with dbow by skip-gram; dm always does.",
    ),
    "column": Setting(
        "tag_column",
        None,
        str,
        TEXT,
        "Column that holds the tag of each document, or its list of tags.",
        default_text="a document's number from 0",
    ),
}
"""After which setting of Word2Vec's each comes."""

DOCUMENT_SETTINGS: Final[dict[str, Setting]] = {
    setting.name: setting
    for name, given in SETTINGS.items()
    if name in _SHARED
    for setting in (replace(given, **_CHANGED.get(name, {})), _ADDED.get(name))
    if setting is not None
}
"""Every setting of :class:`~wordgrad.Doc2Vec` but ``progress``: Word2Vec's, where they are the
same."""

_CHOSEN_BY_CLASS = Setting(
    "documents",
    "no",
    str,
    MODEL,
    "Whether sentences are documents with vectors of their own, alone or beside their words.",
    choices=DOCUMENTS,
)

_DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}


@dataclass(frozen=True)
class TrainingConfig:
    """Those settings that rule a training once the text is encoded, checked.

    The fields are the parameters of :class:`~wordgrad.Word2Vec` of the same names, which describes
    them; :data:`SETTINGS` holds their defaults and ranges.  Numbers become plain Python numbers,
    and these are never None:

    Attributes
    ----------
    epochs : int
        By default :data:`DEFAULT_EPOCHS` of the architecture and the loss.
    learning_rate : float
        By default :data:`DEFAULT_LEARNING_RATES` of the architecture and ``combine``, or with
        blocks :data:`BLOCK_LEARNING_RATES`, with the softmax :data:`SOFTMAX_LEARNING_RATES`, with
        exact steps of CBOW :data:`EXACT_CBOW_LEARNING_RATES`: the rates of long texts, which
        :func:`~wordgrad.training.sampling.with_learning_rate` raises for short ones.
    cbow_step : str
        By default "balanced", and "exact" for sums, with the softmax and with subwords.
    output_weight : float
        By default :data:`DEFAULT_OUTPUT_WEIGHTS` of the architecture, and 0 with the softmax and
        with subwords.
    workers : int
        By default one for each core that this process may use.

    ``documents`` is no parameter, but chosen by the estimator: "no" (:class:`~wordgrad.Word2Vec`),
    or whether the inputs are documents "alone" or "with-words" (:class:`~wordgrad.Doc2Vec`).  In
    both cases ``architecture`` says how inputs predict: "skipgram" that each predicts by itself
    (dbow), "cbow" that they are combined first (dm), where ``combine`` may be "concat", too.

    Raises
    ------
    ParameterError
        Naming the parameter, its range and the value got.

    Examples
    --------
    >>> TrainingConfig(architecture="cbow").learning_rate
    0.1
    >>> TrainingConfig(window=0)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: window must be an integer in [1, 1000000000], got 0.
    """

    vector_size: int = _DEFAULTS["vector_size"]
    window: int = _DEFAULTS["window"]
    shrink_windows: bool = _DEFAULTS["shrink_windows"]
    architecture: str = _DEFAULTS["architecture"]
    loss: str = _DEFAULTS["loss"]
    negative: int = _DEFAULTS["negative"]
    ns_exponent: float = _DEFAULTS["ns_exponent"]
    sample: float | str = _DEFAULTS["sample"]
    epochs: int = _DEFAULTS["epochs"]
    learning_rate: float | None = _DEFAULTS["learning_rate"]
    final_learning_rate: float | None = _DEFAULTS["final_learning_rate"]
    combine: str = _DEFAULTS["combine"]
    cbow_step: str = _DEFAULTS["cbow_step"]
    output_weight: float | None = _DEFAULTS["output_weight"]
    workers: int | None = _DEFAULTS["workers"]
    seed: int = _DEFAULTS["seed"]
    reproducible: bool = _DEFAULTS["reproducible"]
    blocks: int | None = _DEFAULTS["blocks"]
    device: str = _DEFAULTS["device"]
    subwords: tuple[int, int] | None = _DEFAULTS["subwords"]
    buckets: int = _DEFAULTS["buckets"]
    subword_step: str = _DEFAULTS["subword_step"]
    softmax_offset: str = _DEFAULTS["softmax_offset"]
    tolerance: float = _DEFAULTS["tolerance"]
    max_hours: float = _DEFAULTS["max_hours"]
    documents: str = _CHOSEN_BY_CLASS.default

    def __post_init__(self) -> None:
        """Check every value; fill in the defaults that depend on others."""
        table = SETTINGS | {"documents": _CHOSEN_BY_CLASS}
        if self.documents != "no":
            table |= {name: DOCUMENT_SETTINGS[name] for name in ("loss", "combine")}
        checked = {
            field.name: table[field.name].check(getattr(self, field.name)) for field in fields(self)
        }
        words_alone = self.words_alone
        plain = self.loss == "negative-sampling" and words_alone
        if checked["cbow_step"] is None:
            means = words_alone and self.loss != "softmax" and self.combine == "mean"
            checked["cbow_step"] = "balanced" if means else "exact"
        if checked["output_weight"] is None:
            checked["output_weight"] = DEFAULT_OUTPUT_WEIGHTS[self.architecture] if plain else 0.0
        if checked["output_weight"] > 0 and not plain:
            other = f'loss="{self.loss}"' if words_alone else "subwords and documents"
            raise ParameterError(
                f"output_weight must be 0 with {other}, got {checked['output_weight']:g}: the word "
                "vectors are not input vectors to which others could be added; leave it out."
            )
        if checked["learning_rate"] is None:
            rates = DEFAULT_LEARNING_RATES if self.blocks is None else BLOCK_LEARNING_RATES
            if self.loss == "softmax":
                rates = SOFTMAX_LEARNING_RATES
            if self.documents != "no":
                rates = DOCUMENT_LEARNING_RATES
            if self.subwords is not None:
                rates = SUBWORD_LEARNING_RATES
            checked["learning_rate"] = rates[self.architecture, self.combine]
            if plain and self.architecture == "cbow" and checked["cbow_step"] == "exact":
                checked["learning_rate"] = EXACT_CBOW_LEARNING_RATES[self.combine]
        noise = DEFAULT_NOISE
        if self.subwords is not None and self.architecture == "skipgram":
            noise = SUBWORD_NOISE
        for name, value in noise.items():
            if checked[name] is None:
                checked[name] = value
        if checked["epochs"] is None:
            checked["epochs"] = DEFAULT_EPOCHS[self.architecture, self.loss]
        if checked["workers"] is None:
            checked["workers"] = usable_cores()
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def words_alone(self) -> bool:
        """Whether an input is a word with a row of its own."""
        return self.subwords is None and self.documents == "no"

    @property
    def has_tree(self) -> bool:
        """Whether windows predict the path to a word in a tree."""
        return self.loss in (HIERARCHICAL, BOTH)

    @property
    def drawn_negatives(self) -> int:
        """Negatives drawn for a window: none with the hierarchical softmax alone."""
        return 0 if self.loss == HIERARCHICAL else self.negative

    @property
    def initial_rate(self) -> float:
        """The learning rate at the start, never None."""
        return float(self.learning_rate or 0.0)

    @property
    def largest_rate(self) -> float:
        """The larger of the learning rates at the start and at the end."""
        return max(self.initial_rate, self.final_learning_rate or 0.0)

    @property
    def threads(self) -> int:
        """The number of threads, never None."""
        return int(self.workers or 1)

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate after a share ``progress`` of all tokens.

        It is linear: ``lr = lr_0 + progress (lr_1 - lr_0)`` with the final rate lr_1 where one is
        given, else ``lr = lr_0 max(1 - progress, 1/10,000)``, as in word2vec.c.

        >>> config = TrainingConfig(learning_rate=0.1, final_learning_rate=0.05)
        >>> round(config.learning_rate_at(0.5), 6), config.learning_rate_at(1.0)
        (0.075, 0.05)
        """
        if self.final_learning_rate is None:
            return self.initial_rate * max(1.0 - progress, FINAL_LEARNING_RATE)
        share = min(max(progress, 0.0), 1.0)
        return self.initial_rate * (1.0 - share) + self.final_learning_rate * share

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain values, for a file's metadata."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.documents == "no":  # as in every file before there were documents
            del values["documents"]
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

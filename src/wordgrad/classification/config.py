"""Every setting of a text classifier, once: its default, its range and its help.

The options of ``wordgrad classify train`` are made from the table, and tests compare the signature
and the checks of :class:`~wordgrad.TextClassifier` with it.  Nothing heavy is imported here, for
the command line reads the table before it knows which command to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wordgrad.training.config import MODEL, TEXT, TRAINING, Setting

SETTINGS: Final[dict[str, Setting]] = {
    setting.name: setting
    for setting in (
        Setting(
            "vector_size",
            None,
            int,
            MODEL,
            "Length of a word vector.",
            minimum=1,
            default_text="16 for two classes, up to 128 for more",
        ),
        Setting("hidden_size", 0, int, MODEL, "Units of the hidden layer; 0 for none.", minimum=0),
        Setting(
            "members",
            2,
            int,
            MODEL,
            "Networks that are trained side by side and averaged; they share the two sizes above.",
            minimum=1,
        ),
        Setting(
            "ngrams", 2, int, MODEL, "Length of the longest word n-grams.", minimum=1, maximum=100
        ),
        Setting(
            "buckets",
            2**22,
            int,
            MODEL,
            "Number of hash buckets for n-grams.",
            minimum=1,
            maximum=1 << 62,
        ),
        Setting(
            "prefix",
            5,
            int,
            MODEL,
            "Longer words have their first so many letters as a feature, too; 0 turns this off.",
            minimum=0,
            maximum=1000,
        ),
        Setting(
            "subwords",
            None,
            tuple,
            MODEL,
            "Lengths of the shortest and longest n-grams of a word's letters; 0 0 for none.",
            minimum=0,
            maximum=100,
            default_text="chosen on held-out texts",
            metavar="MIN MAX",
        ),
        Setting(
            "vectors",
            None,
            Path,
            MODEL,
            "Word vectors to start from, in any format that wordgrad reads.",
            default_text="random",
        ),
        Setting(
            "train_vectors",
            True,
            bool,
            MODEL,
            "Train the word vectors with the network, or keep them fixed.",
            option="--train-vectors/--fixed-vectors",
        ),
        Setting(
            "loss",
            "softmax",
            str,
            MODEL,
            "softmax, one label of all; one-vs-all, several labels or none; hierarchical-softmax, "
            "for thousands of labels.",
            choices=("softmax", "one-vs-all", "hierarchical-softmax"),
            metavar="NAME",
        ),
        Setting("epochs", 5, int, TRAINING, "Passes over the texts.", minimum=1),
        Setting(
            "learning_rate",
            None,
            float,
            TRAINING,
            "Step size at the start, which falls linearly to 0.",
            above=0.0,
            default_text="chosen on held-out texts",
        ),
        Setting("batch_size", 32, int, TRAINING, "Texts in a step.", minimum=1),
        Setting(
            "dropout",
            0.0,
            float,
            TRAINING,
            "Share of a text's features that each step leaves out.",
            minimum=0.0,
            below=1.0,
        ),
        Setting(
            "smoothing",
            None,
            float,
            TRAINING,
            "Label smoothing: share of the target that is spread over the other labels.",
            minimum=0.0,
            below=1.0,
            default_text="chosen on held-out texts",
        ),
        Setting("l2", 0.0, float, TRAINING, "Weight of the L2 penalty.", minimum=0.0),
        Setting(
            "early_stopping",
            False,
            bool,
            TRAINING,
            "Hold some texts out, and stop when the loss on them no longer falls.",
        ),
        Setting(
            "validation_fraction",
            0.1,
            float,
            TRAINING,
            "Share of the texts that early stopping holds out.",
            above=0.0,
            below=1.0,
        ),
        Setting(
            "patience",
            3,
            int,
            TRAINING,
            "Epochs without a lower loss before early stopping.",
            minimum=1,
        ),
        Setting(
            "class_weight",
            None,
            str,
            TRAINING,
            "balanced gives every class the same weight, however many texts it has.",
            choices=("balanced",),
            default_text="every text has the same weight",
        ),
        Setting(
            "calibrate",
            True,
            bool,
            TRAINING,
            "Fit probabilities to held-out texts, so that they say how often answers are right.",
            option="--calibrate/--no-calibrate",
        ),
        Setting(
            "workers",
            None,
            int,
            TRAINING,
            "Threads.",
            minimum=1,
            default_text="one for each member, the most that can be used",
        ),
        Setting("seed", 1, int, TRAINING, "Seed of all random numbers.", minimum=0),
        Setting("min_count", 1, int, TEXT, "Drop words that occur less often.", minimum=1),
        Setting("lowercase", True, bool, TEXT, "Convert the text to lower case."),
        Setting(
            "pattern",
            None,
            str,
            TEXT,
            r"Regular expression that matches a word; \S+ splits at white space.",
            default_text="words and single signs",
        ),
    )
}
"""Every setting of :class:`~wordgrad.TextClassifier` but ``progress``, in the order of the help.

In Python ``vectors`` may also be :class:`~wordgrad.WordVectors` and ``class_weight`` a dict.
"""

"""One step of the compiled text network is that of the mathematics, to float32 rounding."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.features import Bags
from wordgrad.classification.kernels import random_share
from wordgrad.classification.losses import LOSSES, NO_TREE, class_tree
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.trainer import Member, TextTraining
from wordgrad.maths import assert_gradients, binary_cross_entropy, cross_entropy

SETTINGS = TextTraining(
    vector_size=1,
    hidden_size=1,
    members=1,
    epochs=1,
    batch_size=1000,
    learning_rate=0.1,
    l2=0.0,
    dropout=0.0,
    smoothing=0.0,
    train_vectors=True,
    early_stopping=False,
    validation_fraction=0.1,
    patience=1,
    seed=1,
)
ROUNDING = 1e-4  # of a gradient's largest element: sums of some hundred float32 products


@st.composite
def problems(draw):
    """A network with parameters far from 0, and some texts, some of them empty.

    With any loss; texts have one label, or several, and one against all others perhaps none.
    """
    size, classes = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    hidden = draw(st.just(0) | st.integers(1, 18))
    n_rows = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    lengths = draw(st.lists(st.integers(0, 7), min_size=1, max_size=12))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    features = rng.integers(0, n_rows, offsets[-1]).astype(np.int32)
    importance = rng.uniform(0.01, 3, n_rows).astype(np.float32)
    loss = draw(st.sampled_from(LOSSES))
    tree, outputs = NO_TREE, classes + 1
    if loss == "hierarchical-softmax":
        tree, outputs = class_tree(rng.integers(0, 50, classes + 1)), classes
    network = TextNetwork.initial(importance, size, hidden, outputs, 2, loss, tree)
    network.vectors[:] = rng.normal(size=network.vectors.shape)
    network.layers[:] = rng.normal(size=network.layers.shape)
    least = 0 if loss == "one-vs-all" else 1
    numbers = [
        rng.permutation(classes + 1)[: rng.integers(least, 3)] if draw(st.booleans())
        else rng.integers(0, classes + 1, 1)
        for _ in lengths
    ]  # fmt: skip
    examples = LabelledBags(
        Bags(features, offsets, len(features), 0),
        np.concatenate(numbers).astype(np.int64),
        rng.uniform(0.1, 2, len(lengths)).astype(np.float32),
        np.cumsum([0, *map(len, numbers)]).astype(np.int64),
    )
    return network, examples


def exact_loss(network, labels, smoothing):
    """Target of a text and its loss in float64, which maths computes."""
    if network.loss == "softmax":
        target = np.full(network.n_classes, smoothing / network.n_classes)
        target[labels] += (1 - smoothing) / len(labels)
        return target, cross_entropy
    if network.loss == "one-vs-all":
        target = np.full(network.n_classes, smoothing / 2)
        target[labels] += 1 - smoothing
        return target, binary_cross_entropy

    def paths(logits, target, reduction):
        """The questions on the way to each label, as those of one against all others."""
        total, slopes = 0.0, np.zeros_like(logits)
        for label in labels:
            way = slice(network.tree.offsets[label], network.tree.offsets[label + 1])
            nodes, signs = network.tree.nodes[way], network.tree.signs[way].astype(float)
            answers = np.where(signs > 0, 1 - smoothing / 2, smoothing / 2)
            loss, d_logits = binary_cross_entropy(logits[:, nodes], answers[None], reduction)
            total += loss / len(labels)
            slopes[:, nodes] += d_logits / len(labels)
        return total, slopes

    return labels, paths


def exact_step(network, examples, smoothing=0.0, kept=None):
    """Loss and gradients in float64: the mathematics' for the layers and x, the chain rule's for v.

    kept : for each position of ``features``, whether it is read.
    """
    bags, n = examples.bags, len(examples.bags)
    vectors = network.vectors.astype(np.float64)
    mixing = np.zeros((n, len(vectors)))  # x = mixing @ vectors
    for i in range(n):
        for f in range(bags.offsets[i], bags.offsets[i + 1]):
            if kept is None or kept[f]:
                mixing[i, bags.features[f]] += network.importance[bags.features[f]]
    sums = mixing.sum(axis=1, keepdims=True)
    mixing /= np.sqrt(np.where(sums > 0, sums, 1))
    layers = network.exact_layers()
    weights = examples.weights.astype(np.float64) / n
    loss, d_layers, d_vectors = 0.0, 0.0, np.zeros_like(vectors)
    for i in range(n):
        labels = examples.labels[examples.ends[i] : examples.ends[i + 1]]
        target, measured = exact_loss(network, labels, smoothing)
        gradients = layers.loss_and_gradients(
            mixing[i : i + 1] @ vectors, target[None], loss=measured
        )
        loss += weights[i] * gradients.loss
        d_layers = d_layers + weights[i] * gradients.pack()
        d_vectors += weights[i] * np.outer(mixing[i], gradients.d_X[0])
    return loss, d_layers, d_vectors


def close(found, expected):
    # Of a text that is known well, y_hat - y is a small difference of float32 numbers near 1.
    scale = max(float(np.abs(expected).max(initial=0)), 1e-2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * scale)


def stepped(network, examples, key=0, **changes):
    """Loss, and the parameters before and after one step on all texts."""
    before = network.copy()
    trainer = Member(network, replace(SETTINGS, **changes), examples)
    loss = trainer.apply(np.arange(len(examples.bags)), key)
    return loss, before, trainer


def check_step(network, examples, key=0, kept=None, **changes):
    used = replace(SETTINGS, **changes)
    loss, before, trainer = stepped(network, examples, key, **changes)
    exact, d_layers, d_vectors = exact_step(before, examples, used.smoothing, kept)
    assert loss == pytest.approx(exact, rel=1e-5, abs=1e-6)
    touched = np.unique(examples.bags.features if kept is None else examples.bags.features[kept])
    d_vectors[touched] += used.l2 * before.vectors[touched]
    weights = np.concatenate([np.full(p.size, float(p.ndim == 2)) for p in before.arrays()[3:]])
    d_layers = d_layers + used.l2 * weights * before.layers
    # What the optimisers have seen, from what they keep: Adam's first mean is a tenth.
    close(10 * trainer._state.means, d_layers)
    close(trainer._state.squares, (d_vectors**2).mean(axis=1))
    # Their first steps: Adam's is rate * g / |g|, Adagrad's rate * g / rms(g).
    # Of a text that is known to the last bit nothing is left in float32, and Adam adds 1e-8.
    size = np.abs(d_layers)
    sure = size > 100 * ROUNDING * max(size.max(), 1e-2)
    change = network.layers.astype(np.float64) - before.layers
    np.testing.assert_allclose(
        change[sure], -used.layer_rate * np.sign(d_layers[sure]), rtol=1e-2, atol=1e-6
    )
    rms = np.sqrt((d_vectors**2).mean(axis=1, keepdims=True))
    # Adagrad divides a gradient by its size: of a small one (y_hat - y of a text that is known),
    # what is left of float32 may be less than ROUNDING asks for.
    sure = rms[:, 0] > 100 * ROUNDING * max(rms.max(), 1.0)
    change = network.vectors.astype(np.float64) - before.vectors
    close(change[sure], -used.learning_rate * (d_vectors / np.maximum(rms, 1e-30))[sure])


@settings(max_examples=60)
@given(problems())
def test_a_step_follows_the_gradient_of_the_mathematics(problem):
    check_step(*problem)


@settings(max_examples=30)
@given(problems(), st.floats(0.01, 0.9), st.floats(0, 0.5))
def test_smoothed_targets_and_l2(problem, smoothing, l2):
    check_step(*problem, smoothing=smoothing, l2=l2)


@settings(max_examples=30)
@given(problems(), st.integers(0, 2**62))
def test_dropped_features_take_no_part(problem, key):
    network, examples = problem
    n = len(examples.bags.features)
    kept = np.array([random_share(np.uint64(key), f) >= 0.5 for f in range(n)], bool)
    check_step(network, examples, key, kept, dropout=0.5)


def test_the_gradient_of_a_vector_is_that_of_differences():
    """dJ/dx flows into the vectors: the exact step above, against its own loss."""
    rng = np.random.default_rng(3)
    bags = Bags(np.array([0, 1, 1, 2], np.int32), np.array([0, 3, 4]), 4, 0)
    examples = LabelledBags(bags, np.array([1, 0]), np.array([0.5, 1.5], np.float32))
    network = TextNetwork.initial(np.array([0.5, 2, 1], np.float32), 3, 4, 2, seed=1)
    network.layers[:] = rng.normal(size=network.layers.shape)

    def loss(point):
        moved = replace(network, vectors=point["vectors"])
        total, _, d_vectors = exact_step(moved, examples)
        return total, {"vectors": d_vectors}

    assert_gradients(loss, {"vectors": rng.normal(size=(3, 3))})


def test_dropping_is_uniform():
    shares = np.array([random_share(np.uint64(12345), f) for f in range(20_000)])
    assert shares.min() >= 0
    assert shares.max() < 1
    counts = np.bincount((shares * 10).astype(int), minlength=10)
    # Each count is binomial with mean 2,000: 6 standard deviations are 255.
    assert np.abs(counts - 2000).max() < 255


def test_rows_outside_the_batch_are_not_touched():
    bags = Bags(np.array([1, 1], np.int32), np.array([0, 2, 2]), 2, 0)
    examples = LabelledBags(bags, np.array([1, 0]), np.ones(2, np.float32))
    network = TextNetwork.initial(np.ones(3, np.float32), 4, 3, 2, seed=1)
    _, before, _ = stepped(network, examples, l2=0.1)
    assert (network.vectors[[0, 2]] == before.vectors[[0, 2]]).all()
    assert (network.vectors[1] != before.vectors[1]).all()


def member(weights, texts, **changes):
    """Trained for an epoch on texts of one to three features each, chosen by ``texts``."""
    offsets = np.cumsum([0] + [1 + text % 3 for text in texts])
    features = np.array([(text + i) % 4 for text in texts for i in range(1 + text % 3)], np.int32)
    bags = Bags(features, offsets, len(features), 0)
    labels = np.array([text % 2 for text in texts])
    network = TextNetwork.initial(np.ones(4, np.float32), 4, 3, 2, seed=1)
    examples = LabelledBags(bags, labels, np.array(weights, np.float32))
    trained = Member(network, replace(SETTINGS, **({"batch_size": 2} | changes)), examples)
    return trained, trained.epoch()


def test_a_text_of_weight_three_is_read_three_times():
    weighted, loss = member([1, 3, 2, 1.0005], [0, 1, 2, 3])
    repeated, mean = member([1] * 6 + [1.0005], [0, 1, 1, 1, 2, 2, 3])
    np.testing.assert_allclose(weighted.network.vectors, repeated.network.vectors, rtol=1e-6)
    np.testing.assert_allclose(weighted.network.layers, repeated.network.layers, rtol=1e-6)
    assert loss == pytest.approx(mean * 7 / 4)
    assert weighted.share_left == repeated.share_left == 0


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50))
def test_readings_are_at_most_twice_as_many_as_texts_and_share_the_weights(weights):
    texts = list(range(len(weights)))
    shares = np.array(weights) / np.mean(weights)
    trained, _ = member(shares, texts, learning_rate=1e-9)
    assert len(texts) <= len(trained._visits) <= 2 * len(texts)
    sums = np.bincount(trained._visits, trained._weights[trained._visits])
    np.testing.assert_allclose(sums, shares, rtol=1e-5)
    assert trained._weights.max() <= 1.0011


def test_equal_weights_are_read_once():
    trained, _ = member(np.full(10, 1.0000002), range(10))
    assert trained._visits.tolist() == list(range(10))


def test_vectors_can_be_kept_as_they_are():
    bags = Bags(np.array([0, 1], np.int32), np.array([0, 1, 2]), 2, 0)
    examples = LabelledBags(bags, np.array([1, 0]), np.ones(2, np.float32))
    network = TextNetwork.initial(np.ones(2, np.float32), 4, 3, 2, seed=1)
    _, before, _ = stepped(network, examples, train_vectors=False, l2=0.1)
    assert (network.vectors == before.vectors).all()
    assert (network.layers != before.layers).any()


def test_members_are_joined_in_their_own_memory():
    importance = np.ones(100_000, np.float32)
    members = [TextNetwork.initial(importance, size, 0, 2, size) for size in (8, 9)]
    kept = TextNetwork.joined(members)
    np.testing.assert_array_equal(kept.vectors[:, :8], members[0].vectors)
    np.testing.assert_array_equal(kept.vectors[:, 8:], members[1].vectors)
    found = TextNetwork.joined(members, last=True)
    np.testing.assert_array_equal(found.vectors, kept.vectors)
    np.testing.assert_array_equal(found.layers, kept.layers)
    assert [len(member.vectors) for member in members] == [0, 0]

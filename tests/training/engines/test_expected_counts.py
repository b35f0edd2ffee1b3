"""Expected counts of pairs: against every outcome, against the sampler, and out of core."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.corpus import corpus as storage
from wordgrad.errors import InputError, OutputError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import pair_counts as counts_module
from wordgrad.training.engines.pair_counts import ROUNDING, Counter, count_pairs, counts_of
from wordgrad.training.kernels.draw import Reach
from wordgrad.training.sampling import Span, draw_batch


def dense(counts):
    V = counts.n_words
    matrix = np.zeros((V, V))
    for c in range(V):
        row = slice(counts.starts[c], counts.starts[c + 1])
        assert (np.diff(counts.columns[row]) > 0).all()
        matrix[c, counts.columns[row]] = counts.values[row]
    np.testing.assert_allclose(matrix.sum(axis=1), counts.totals, rtol=1e-12)
    return matrix


def arrays(sentences):
    ids = np.array([word for sentence in sentences for word in sentence], np.int32)
    return ids, np.cumsum([0] + [len(sentence) for sentence in sentences])


def by_outcomes(sentences, keep, window):
    """Every subset of kept tokens and every reach, with its probability."""
    X = np.zeros((len(keep), len(keep)))
    for sentence in sentences:
        for kept in product((False, True), repeat=len(sentence)):
            chance = np.prod(
                [keep[w] if k else 1 - keep[w] for w, k in zip(sentence, kept, strict=True)]
            )
            left = [w for w, k in zip(sentence, kept, strict=True) if k]
            for i, c in enumerate(left):
                for reach in range(1, window + 1):
                    for j in range(max(0, i - reach), min(len(left), i + reach + 1)):
                        if j != i:
                            X[c, left[j]] += chance / window
    return X


@given(
    sentences=st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=7), min_size=1, max_size=3
    ).filter(lambda sentences: max(map(len, sentences)) > 1),
    keep=st.lists(st.sampled_from([1.0, 0.9, 0.5, 0.01]), min_size=4, max_size=4),
    window=st.integers(1, 6),
)
@settings(max_examples=40, deadline=None)
def test_counts_are_the_sum_over_all_outcomes(sentences, keep, window):
    counts = count_pairs(*arrays(sentences), np.array(keep), window, tolerance=0.0)
    assert counts.left_out == 0.0
    X = dense(counts)
    np.testing.assert_allclose(X, by_outcomes(sentences, keep, window), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(X, X.T, rtol=1e-12)
    counts.close()


@pytest.mark.parametrize("window", [1, 4])
def test_counts_are_the_mean_of_what_negative_sampling_draws(tables_of, window):
    rng = np.random.default_rng(2)
    sentences = [rng.choice(6, size=40, p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05]) for _ in range(8)]
    tables = tables_of(sentences, sample=0.05, window=window)
    keep = (tables.keep + 1.0) / 2**32
    counts = count_pairs(tables.ids, tables.offsets, keep, window)
    rounds = 400
    drawn = np.zeros((rounds, 6, 6))
    for epoch in range(rounds):
        batch = draw_batch(tables, Span(0, len(tables.ids), epoch, 0.1), window, 1)
        centres = np.repeat(batch.outputs[::2], np.diff(batch.groups))
        np.add.at(drawn[epoch], (centres, batch.inputs), 1)
    error = drawn.std(axis=0) / np.sqrt(rounds)
    X = dense(counts)
    assert X.max() > 20
    assert (np.abs(drawn.mean(axis=0) - X) < 5 * error + 1e-3).all()
    assert TrainingConfig().window == 5


def test_rounded_counts_are_the_same_bytes_however_a_text_is_cut():
    rng = np.random.default_rng(1)
    sentences = [rng.integers(0, 9, size=rng.integers(1, 30)) for _ in range(300)]
    keep = rng.uniform(0.1, 1.0, 9)
    weights = counts_module.weights_of(Reach.of(5))

    def counted(texts):
        counter = Counter([arrays(text) for text in texts], keep, weights, 0.0, ROUNDING)
        counts = counts_module.write_counts(counter, [(0, 9)], 1)
        return dense(counts)

    whole = counted([sentences])
    assert (whole * 2**32 == np.round(whole * 2**32)).all()
    for cut in (1, 77, 299):
        assert (counted([sentences[cut:], sentences[:cut]]) == whole).all()
        assert (counted([sentences[:cut]]) + counted([sentences[cut:]]) == whole).all()
    exact = dense(count_pairs(*arrays(sentences), keep, 5, tolerance=0.0))
    n_pairs = sum(len(sentence) * (len(sentence) - 1) for sentence in sentences)
    assert 0 < np.abs(whole - exact).sum() < n_pairs * 2**-33


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_what_a_tolerance_leaves_out_is_within_its_bound(tolerance):
    ids = np.random.default_rng(0).integers(0, 5, 3000).astype(np.int32)
    keep = np.array([0.2, 0.3, 0.1, 0.5, 0.05])
    offsets = np.array([0, 3000])
    exact = count_pairs(ids, offsets, keep, 5, tolerance=0.0)
    short = count_pairs(ids, offsets, keep, 5, tolerance=tolerance)
    missing = exact.pairs - short.pairs
    assert 0 < missing <= short.left_out * (1 + 1e-9)
    assert short.left_out < tolerance * exact.pairs


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("block_bytes", [1, 5000])
def test_little_memory_and_threads_change_no_byte(workers, block_bytes):
    rng = np.random.default_rng(1)
    sentences = [rng.integers(0, 40, size=rng.integers(1, 30)) for _ in range(100)]
    keep = rng.uniform(0.1, 1.0, 40)
    at_once = count_pairs(*arrays(sentences), keep, 5, block_bytes=1 << 30)
    records = []
    pieces = count_pairs(
        *arrays(sentences), keep, 5, workers=workers, block_bytes=block_bytes,
        progress=records.append,
    )  # fmt: skip
    for name in ("starts", "columns", "values", "totals"):
        assert getattr(at_once, name).tobytes() == getattr(pieces, name).tobytes(), name
    assert len(records) >= (40 if block_bytes == 1 else 8)
    assert [record.words_done for record in records] == sorted(r.words_done for r in records)
    assert records[-1].words_done == records[-1].words_total == 40
    assert records[-1].pairs == pytest.approx(pieces.pairs)


def test_rows_are_copied_in_the_order_requested():
    counts = counts_of([(0, 1), (0, 1), (2, 0), (2, 2)], 3)
    begin, columns, values = counts.rows(np.array([2, 1, 0]))
    assert (begin.tolist(), columns.tolist(), values.tolist()) == (
        [0, 2, 2, 3],
        [0, 2, 1],
        [1.0, 1.0, 2.0],
    )


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def one_sentence():
    return np.arange(30, dtype=np.int32) % 10, np.array([0, 30]), np.ones(10), 3


def test_files_go_with_the_counts(temporary):
    counts = count_pairs(*one_sentence())
    assert [folder.name[:9] for folder in temporary.iterdir()] == ["wordgrad-"]
    counts.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_no_files(temporary, error):
    def interrupt(record):
        raise error

    with pytest.raises(error):
        count_pairs(*one_sentence(), progress=interrupt, workers=2, block_bytes=1)
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_told_before_it_is_full(temporary, monkeypatch):
    usage = storage.shutil.disk_usage(temporary)._replace(free=50)
    monkeypatch.setattr(counts_module.shutil, "disk_usage", lambda path: usage)
    message = r"^The counts of pairs need [\d,]+ more bytes in .*, where 50 are free; set TMPDIR"
    with pytest.raises(OutputError, match=message):
        count_pairs(*one_sentence())
    assert list(temporary.iterdir()) == []


def test_sentences_of_one_word_have_no_pairs(temporary):
    with pytest.raises(InputError, match=r"^No sentence holds two words, so"):
        count_pairs(np.array([0, 1], np.int32), np.array([0, 1, 2]), np.ones(2), 5)
    assert list(temporary.iterdir()) == []

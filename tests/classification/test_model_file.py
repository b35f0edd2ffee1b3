"""Files of classifiers: whole, checked, never trusted."""

import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from wordgrad import TextClassifier, WordVectors
from wordgrad.classification.model import CLASSIFIER
from wordgrad.errors import FormatError, InputError, OutputError

TEXTS = ["good film", "fine acting é", "bad film", "poor acting"] * 3
LABELS = ["praise", "praise", "blame", "blame"] * 3


@pytest.fixture(scope="module")
def model():
    return TextClassifier(vector_size=4, hidden_size=4, epochs=2).fit(TEXTS, LABELS)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


def header_of(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])


def rewrite(path, change):
    """Write the file again with tensors and metadata that ``change`` altered, checksums and all."""
    settings, tensors = CLASSIFIER.read(path)
    about = {"layout": CLASSIFIER.layout, "settings": settings}
    change(tensors, about)
    replace(CLASSIFIER, layout=about["layout"]).write(path, about["settings"], tensors)


def rewrite_0_1(path, change):
    """The same as version 0.1 wrote it: one metadata entry with a checksum of everything."""
    settings, tensors = CLASSIFIER.read(path)
    about = {"layout": "1", "settings": settings}
    change(tensors, about)
    value = zlib.crc32(json.dumps(about["settings"], sort_keys=True).encode())
    for name in sorted(tensors):
        value = zlib.crc32(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode(), value)
        value = zlib.crc32(tensors[name].tobytes(), value)
    about.setdefault("crc32", f"{value:08x}")
    save_file(tensors, path, metadata={"wordgrad-classifier": json.dumps(about)})


def test_what_is_loaded_answers_the_same(model, path):
    loaded = TextClassifier.load(path)
    texts = [*TEXTS, "", "never seen", "good é"]
    assert (loaded.predict_proba(texts) == model.predict_proba(texts)).all()
    assert loaded.explain("good film") == model.explain("good film")
    assert loaded.classes_.tolist() == ["blame", "praise"]
    assert loaded.vocabulary_ == model.vocabulary_
    kept = [{k: v for k, v in row.items() if k != "seconds"} for row in model.history_]
    assert loaded.history_ == kept
    again = path.with_name("again.safetensors")
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


def test_the_settings_that_cut_texts_travel_with_the_file(tmp_path):
    model = TextClassifier(
        vector_size=4, hidden_size=4, epochs=1, pattern="[a-z]+", lowercase=True, ngrams=3
    ).fit(TEXTS, LABELS)
    model.save(tmp_path / "m.safetensors")
    loaded = TextClassifier.load(tmp_path / "m.safetensors")
    assert (loaded.pattern, loaded.lowercase, loaded.ngrams) == ("[a-z]+", True, 3)
    assert (loaded.predict_proba(["GOOD,film!"]) == model.predict_proba(["good film"])).all()


def test_a_file_without_a_hidden_layer(tmp_path):
    model = TextClassifier(vector_size=5, hidden_size=0, epochs=2).fit(TEXTS, LABELS)
    model.save(tmp_path / "m.safetensors")
    loaded = TextClassifier.load(tmp_path / "m.safetensors")
    assert (loaded.hidden_size, loaded.vector_size) == (0, 5)
    assert (loaded.predict_proba(TEXTS) == model.predict_proba(TEXTS)).all()
    assert loaded.explain("good film") == model.explain("good film")


def test_files_from_before_ngrams_of_letters_open(model, path):
    def change(tensors, about):
        del tensors["subword_hashes"], about["settings"]["subwords"]

    rewrite(path, change)
    assert (TextClassifier.load(path).predict_proba(TEXTS) == model.predict_proba(TEXTS)).all()


@pytest.mark.parametrize(
    "labels",
    [
        [3, 3, -1, -1],
        np.array([7, 7, 250, 250], np.uint8),
        [2**62, 2**62, 0, 0],
        [True, True, False, False],
        np.array([True, True, False, False]),
        ["3", "3", "-1", "-1"],
        ["True", "True", "False", "False"],
        np.array(["é", "é", "", ""], object),
    ],
)
def test_labels_come_back_with_their_type(labels, tmp_path):
    labels = labels.repeat(3) if isinstance(labels, np.ndarray) else labels * 3
    texts = [f"t{label} {i}" for i, label in enumerate(labels)]
    model = TextClassifier(vector_size=4, hidden_size=4, epochs=1).fit(texts, labels)
    model.save(tmp_path / "m.safetensors")
    loaded = TextClassifier.load(tmp_path / "m.safetensors")
    assert [(type(one), one) for one in loaded.classes_.tolist()] == [
        (type(one), one) for one in sorted(set(np.asarray(labels).tolist()))
    ]
    predicted = loaded.predict(texts)
    assert predicted.tolist() == model.predict(texts).tolist()
    assert loaded.score(texts, labels) == model.score(texts, labels)
    assert loaded.explain(texts[0], labels[0]) == model.explain(texts[0], labels[0])


def test_labels_of_files_without_a_type_are_strings(tmp_path):
    model = TextClassifier(vector_size=4, hidden_size=4, epochs=1).fit(TEXTS, [3, 3, -1, -1] * 3)
    model.save(tmp_path / "m.safetensors")
    rewrite(tmp_path / "m.safetensors", lambda tensors, about: about["settings"].pop("label_type"))
    loaded = TextClassifier.load(tmp_path / "m.safetensors")
    assert loaded.classes_.tolist() == ["-1", "3"]
    assert (loaded.predict_proba(TEXTS) == model.predict_proba(TEXTS)).all()


@pytest.mark.parametrize(
    ("kind", "labels"),
    [("int", "x1"), ("int", "\u0663\u0664"), ("int", "07"), ("int", "+1"), ("int", "9" * 5000),
     ("bool", "true"), ("float", "1.0"), (["str"], "a"), (None, "a")],
)  # fmt: skip
def test_labels_that_are_not_of_their_type_are_refused(kind, labels, path):
    def change(tensors, about):
        about["settings"]["label_type"] = kind
        both = (labels.encode(), b"0" if kind == "int" else b"False")
        tensors["labels"] = np.frombuffer(b"".join(both), np.uint8)
        tensors["label_offsets"] = np.cumsum([0, *map(len, both)])

    rewrite(path, change)
    with pytest.raises(FormatError, match="its labels are not of the type"):
        TextClassifier.load(path)


def test_every_flipped_bit_is_found(path):
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    places = {0, 7, 8, 9, len(data) - 1, *rng.integers(0, len(data), 250).tolist()}
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            TextClassifier.load(path)
        except InputError:
            continue
        # Blanks in the header and the order of its entries carry nothing.
        assert json.loads(damaged[8 : 8 + struct.unpack("<Q", data[:8])[0]]) == header_of(path)
        pytest.fail(f"a flipped bit in byte {place} was not found")


@pytest.mark.parametrize("length", [0, 5, 8, 100, -1])
def test_a_file_cut_short_is_found(path, length):
    data = path.read_bytes()
    path.write_bytes(data[:length])
    with pytest.raises(FormatError, match="not a whole safetensors file"):
        TextClassifier.load(path)


def drop(name):
    return lambda tensors, about: tensors.pop(name)


def put(name, make):
    return lambda tensors, about: tensors.update({name: make(tensors[name])})


def say(name, value):
    return lambda tensors, about: about.update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("W2"), "W2 is missing"),
        (lambda tensors, about: tensors.update(extra=np.zeros(1)), "unknown tensors"),
        (say("layout", "9"), "layout (is )?'9',? and"),
        (put("vectors", lambda old: old.astype(np.float64)), "vectors must be float32"),
        (put("b1", lambda old: old[:-1].copy()), "b1 has the shape"),
        (put("vectors", lambda old: old[:-1].copy()), "importance has the shape"),
        (put("hashes", lambda old: old[::-1].copy()), "hashes do not rise"),
        (put("W1", lambda old: old * np.float32(np.nan)), "numbers that are not finite"),
        (put("b2", lambda old: old * np.float32(np.inf)), "numbers that are not finite"),
        (put("importance", lambda old: -old), "importance must be positive"),
        (put("word_offsets", lambda old: old + 1), "word offsets do not rise"),
        (put("words", lambda old: old | np.uint8(0x80)), "is not valid UTF-8"),
        (say("settings", 1), "its record is not a JSON object|its metadata are not what wordgrad"),
        (put("subword_hashes", lambda old: np.array([1, 1])), "hashes do not rise|has the shape"),
        (lambda tensors, about: about["settings"].update(subwords=[3, 1]), "are not those of a"),
        (say("settings", {"common": True}), "settings are not those of a classifier"),
    ],
)
@pytest.mark.parametrize("write", [rewrite, rewrite_0_1])
def test_what_does_not_fit_together_is_refused(path, change, message, write):
    write(path, change)
    with pytest.raises(FormatError, match=message):
        TextClassifier.load(path)


def test_a_file_of_version_0_1_answers_the_same(model, path):
    rewrite_0_1(path, lambda tensors, about: None)
    assert (TextClassifier.load(path).predict_proba(TEXTS) == model.predict_proba(TEXTS)).all()
    rewrite_0_1(path, say("crc32", "00000000"))
    with pytest.raises(FormatError, match="is damaged: it fails its checksum"):
        TextClassifier.load(path)


def test_files_of_other_kinds_are_named(tmp_path):
    vectors = tmp_path / "vectors.safetensors"
    WordVectors(["a"], [[1.0]]).save(vectors)
    with pytest.raises(
        FormatError, match=r"is no classifier of wordgrad \(its content: word vectors"
    ):
        TextClassifier.load(vectors)
    other = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(2)}, other)
    with pytest.raises(
        FormatError, match=r"is no classifier of wordgrad \(its content: something else"
    ):
        TextClassifier.load(other)
    with pytest.raises(InputError, match="is a directory"):
        TextClassifier.load(tmp_path)
    with pytest.raises(InputError, match="cannot be opened"):
        TextClassifier.load(tmp_path / "none.safetensors")


def test_saving_replaces_only_what_it_may(model, path, tmp_path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        model.save(path)
    model.save(path, overwrite=True)
    assert path.read_bytes() == before
    with pytest.raises(OutputError, match=r"must end in \.safetensors"):
        model.save(tmp_path / "model.bin")
    with pytest.raises(OutputError, match="does not exist"):
        model.save(tmp_path / "no" / "model.safetensors")

"""``Doc2Vec`` by gensim's names: tags, training, inference, files."""

from __future__ import annotations

import copy
import inspect
import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from wordgrad.compat.gensim.models import Doc2Vec, KeyedVectors
from wordgrad.compat.gensim.models.doc2vec import (
    TaggedBrownCorpus,
    TaggedDocument,
    TaggedLineDocument,
)

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
TEXTS = [["sun", "beach", "sea", "sun"], ["tax", "bank", "loan"], ["sea", "sun", "swim", "beach"],
         ["bank", "tax", "fee", "loan"]] * 10  # fmt: skip
DOCUMENTS = [TaggedDocument(words, [i]) for i, words in enumerate(TEXTS)]
SMALL = {"vector_size": 8, "min_count": 1, "workers": 1, "sample": 0, "epochs": 5}
KINDS = [
    {"dm": 0},
    {"dm": 0, "dbow_words": 1},
    {},
    {"dm_mean": 0},
    {"dm_concat": 1, "window": 2},
    {"dm": 0, "hs": 1, "negative": 0},
    {"dm_concat": 1, "window": 2, "hs": 1},
]


def outputs(model: Doc2Vec) -> np.ndarray:
    """Of inner nodes, of words, or of both."""
    names = [name for name in ("syn1", "syn1neg") if name in vars(model)]
    assert names
    return np.concatenate([getattr(model, name) for name in names])


def trained(**settings) -> Doc2Vec:
    return Doc2Vec(DOCUMENTS, **(SMALL | settings))


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_a_kind_come_together(kind) -> None:
    model = trained(**kind | {"epochs": 60, "alpha": 0.05, "seed": 3})
    assert model.dv.vectors.shape == (40, 8)
    assert model.wv.vectors.shape == (8, 8)
    near = [tag % 2 for tag, _ in model.dv.most_similar(0, topn=9)]  # nine have the same words
    assert near.count(0) >= 7
    before = (model.wv.vectors.copy(), outputs(model), model.dv.vectors.copy())
    vector = model.infer_vector(["sun", "sea", "unknown"])
    assert (vector == model.infer_vector(["sun", "sea", "unknown"])).all()
    assert np.isfinite(vector).all()
    for kept, now in zip(before, (model.wv.vectors, outputs(model), model.dv.vectors), strict=True):
        assert (kept == now).all()
    words = trained(**kind).wv.vectors
    assert (words == _start(**kind).wv.vectors).all() == (
        kind.get("dm") == 0 and "dbow_words" not in kind
    )


def _start(**kind) -> Doc2Vec:
    model = Doc2Vec(**(SMALL | kind))
    model.build_vocab(DOCUMENTS)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_building_and_training_apart_is_the_same(kind, tmp_path) -> None:
    model = _start(**kind)
    model.train(DOCUMENTS, total_examples=model.corpus_count, epochs=5)
    assert (model.dv.vectors == trained(**kind).dv.vectors).all()
    path = tmp_path / "model"
    model.save(path)
    twins = [Doc2Vec.load(path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for twin in twins:
        assert (twin.infer_vector(["sun"]) == model.infer_vector(["sun"])).all()
        twin.train(DOCUMENTS, total_examples=40, epochs=2)
        assert (twin.dv.vectors == twins[0].dv.vectors).all()
        assert (outputs(twin) == outputs(twins[0])).all()
    assert (twins[0].dv.vectors != model.dv.vectors).any()


def test_integers_are_rows_and_strings_follow() -> None:
    documents = [TaggedDocument(["a", "b"], ["x", 3]), TaggedDocument(["a"], "yes")]
    model = Doc2Vec(documents * 5, **SMALL)
    assert model.dv.index_to_key == [0, 1, 2, 3, "x", "yes"]
    assert model.dv.key_to_index == {"x": 4, "yes": 5}
    assert model.dv.get_vecattr("x", "doc_count") == 5
    assert model.dv.get_vecattr(3, "word_count") == 10
    assert (model.dv["x"] == model.dv[4]).all()
    model.build_vocab([TaggedDocument(["a"], ["z"])], update=True)
    model.train([TaggedDocument(["a", "b"], ["z", "nobody"])] * 9, total_examples=9, epochs=2)
    assert len(model.dv) == 7
    with pytest.raises(ValueError, match="tag 9 is beyond the 4 rows of integers"):
        model.build_vocab([TaggedDocument(["a"], [9])], update=True)
    with pytest.raises(KeyError):
        model.dv["nobody"]


def test_a_file_has_a_document_a_line(tmp_path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(words) + "\n\n" for words in TEXTS))
    model = Doc2Vec(corpus_file=path, dm=0, **SMALL)
    assert model.dv.index_to_key == list(range(80))
    empty = _start(dm=0)
    moved = np.abs(model.dv.vectors).max(axis=1) > np.abs(empty.dv.vectors).max()
    assert moved[::2].any()
    assert model.dv.expandos["doc_count"].tolist()[:4] == [1, 0, 1, 0]
    model.train(corpus_file=path, total_words=150, epochs=1)
    lines = list(TaggedLineDocument(path))
    assert lines[0] == TaggedDocument(TEXTS[0], [0])
    (tmp_path / "brown").mkdir()
    (tmp_path / "brown" / "ca01").write_text("The/at jury/nn\n")
    assert next(iter(TaggedBrownCorpus(tmp_path / "brown"))).words == ["the/at", "jury/nn"]


def test_both_kinds_of_vectors_go_into_a_file(tmp_path) -> None:
    model, path = trained(dm=0), tmp_path / "both.txt"
    model.save_word2vec_format(path, doctag_vec=True, word_vec=True)
    both = KeyedVectors.load_word2vec_format(path)
    assert len(both) == len(model.wv) + len(model.dv)
    assert both["*dt_7"] == pytest.approx(model.dv[7])
    assert model.similarity_unseen_docs(["sun"], ["sun"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: trained().infer_vector("one string"), TypeError, "list of strings"),
        (lambda: trained()["x"], KeyError, r"model\.dv"),
        (lambda: Doc2Vec(dm_concat=1, dm_tag_count=2), ValueError, "dm_tag_count=2"),
        (lambda: Doc2Vec([]), RuntimeError, "build vocabulary"),
        (lambda: Doc2Vec(DOCUMENTS, size=3), TypeError, "vector_size"),
        (lambda: Doc2Vec(TEXTS), AttributeError, "tags"),
        (
            lambda: Doc2Vec([TaggedDocument(["a"], [["x", "y"]])], **SMALL),
            TypeError,
            r"must be hashable, and \['x', 'y'\] of document 0 is of type list",
        ),
    ],
)
def test_nonsense_is_refused(call, error, match) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.skipif(not find_spec("gensim"), reason="gensim is not installed")
def test_signatures_are_gensims() -> None:
    from gensim.models import Doc2Vec as Theirs

    for name in ("__init__", "infer_vector", "save_word2vec_format", "similarity_unseen_docs"):
        ours, wanted = (inspect.signature(getattr(one, name)) for one in (Doc2Vec, Theirs))
        assert [(one.name, one.default) for one in ours.parameters.values()] == [
            (one.name, one.default) for one in wanted.parameters.values()
        ]

"""The tables for people who come from gensim: both columns run, and give what gensim gives."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wordgrad
from wordgrad import WordVectors, evaluate_analogies, evaluate_similarity, load

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")

DOCUMENT = (Path(__file__).parents[1] / "docs" / "from-gensim.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| ?(.*?) ?\|$", DOCUMENT, re.MULTILINE)
WORDS = ["the", "king", "queen", "man", "woman", "tea", "cup", "of", "a", "crown", "car", "road"]
SENTENCES = [
    ["the", "king", "of", "tea"],
    ["a", "cup", "of", "tea"],
    ["the", "queen", "a", "car"],
] * 9
MORE = [["a", "cup", "of", "tea", "new"]] * 9
SMALL = {"vector_size": 8, "min_count": 1, "workers": 1, "epochs": 1}


@pytest.fixture
def ours(tmp_path, monkeypatch) -> dict[str, Any]:
    """What the second column may name, and a folder with the files of the table."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(11)
    counts = range(1200, 1200 - len(WORDS), -1)
    vectors = WordVectors(WORDS, rng.normal(size=(len(WORDS), 8)), counts)
    for name in ("vectors.safetensors", "vectors.txt", "vectors.bin", "vectors.glove.txt"):
        vectors.save(name)
    Path("pairs.tsv").write_text("king\tqueen\t9\nman\tcar\t2\ntea\tcup\t8\nroad\tthe\t1\n")
    best = vectors.analogy(["king", "woman"], ["man"], topn=1)[0][0]
    Path("questions-words.txt").write_text(
        f": one\nman king woman {best}\ncup tea road queen\nno such word here\n"
    )
    Path("text.txt").write_text("".join(" ".join(words) + "\n" for words in SENTENCES))
    Path("texts").mkdir()
    Path("texts/text.txt").write_text(Path("text.txt").read_text())
    vectors.save("saved.safetensors")
    OURS["ngrams"]().vectors_.save("ngrams.bin", format="fasttext")
    return {
        "vectors": vectors,
        "np": np,
        "load": load,
        "wordgrad": wordgrad,
        "sentences": SENTENCES,
        "more": MORE,
        "watch": lambda live: None,
        "WordVectors": WordVectors,
        "evaluate_similarity": evaluate_similarity,
        "evaluate_analogies": evaluate_analogies,
    }


NAMES = ("KeyedVectors", "Word2Vec", "Phrases", "Doc2Vec", "FastText")
OF_FASTTEXT = ("load_facebook_model", "load_facebook_vectors", "save_facebook_model")
NGRAMS = {**SMALL, "subwords": (3, 5), "buckets": 100}


class Lazy(dict[str, Any]):
    """Names that are made when a row of the tables asks for them."""

    def __init__(self, made: dict[str, Callable[[], Any]]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, name: str) -> Any:
        if name not in self._made:
            raise KeyError(name)
        self[name] = self._made[name]()
        return self[name]


def run(call: str, names: dict[str, Any], made: dict[str, Callable[[], Any]]) -> Any:
    return eval(call, names, Lazy(made))


OURS: dict[str, Callable[[], Any]] = {
    "model": lambda: wordgrad.Word2Vec(**SMALL).fit(SENTENCES),
    "ngrams": lambda: wordgrad.Word2Vec(**NGRAMS).fit(SENTENCES),
    "documents": lambda: wordgrad.Doc2Vec(**SMALL, train_words=True).fit(SENTENCES),
    "table": lambda: wordgrad.learn_phrases(SENTENCES, min_count=1, threshold=0.5),
}


def made_by(names: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """What the first column may name, made with one program's classes."""
    return {
        "model": lambda: names["Word2Vec"](SENTENCES, **SMALL),
        "documents": lambda: names["Doc2Vec"](
            [names["TaggedDocument"](words, [i]) for i, words in enumerate(SENTENCES)], **SMALL
        ),
        "pieces": lambda: names["FastText"](SENTENCES, **SMALL, max_n=5, bucket=100),
        "phrases": lambda: names["Phrases"](SENTENCES, min_count=1, threshold=0.5),
    }


@pytest.fixture(params=["wordgrad.compat.gensim", "gensim"])
def theirs(ours, request) -> dict[str, Any]:
    """What the first column may name: the same vectors under gensim's names, ours and gensim's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = pytest.importorskip(f"{request.param}.models", reason="gensim is not installed")
    kv = models.KeyedVectors(8)
    kv.add_vectors(WORDS, np.array(ours["vectors"].matrix))
    for word, count in zip(WORDS, ours["vectors"].counts.tolist(), strict=True):
        kv.set_vecattr(word, "count", count)
    kv.save("vectors.kv")
    watch = type("Watch", (models.callbacks.CallbackAny2Vec,), {})
    names = {"kv": kv, "np": np, "sentences": SENTENCES, "more": MORE, "Watch": watch}
    names |= {name: getattr(models, name) for name in NAMES}
    names |= {name: getattr(models.fasttext, name) for name in OF_FASTTEXT}
    names["TaggedDocument"] = models.doc2vec.TaggedDocument
    names["PathLineSentences"] = models.word2vec.PathLineSentences
    return names


def same(ours: Any, theirs: Any) -> None:
    """Assert that two results are equal, up to the rounding of float32."""
    if isinstance(ours, WordVectors):  # of the words that are known
        same(list(ours.words), theirs.index_to_key)
        same(ours.matrix, theirs.vectors)
    elif isinstance(ours, dict):
        same(sorted(ours.items()), sorted(theirs.items()))
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            same(mine, other)
    elif isinstance(ours, str | bool | None):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_table_is_found() -> None:
    assert len(ROWS) >= 35
    assert sum(not difference for _, _, difference in ROWS) >= 27


def test_the_import_lines_are_there() -> None:
    block = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)[0]
    exec(block, {})
    assert len(block.splitlines()) == 3


@pytest.mark.parametrize("call", [row[1] for row in ROWS])
def test_our_column_runs(call: str, ours: dict[str, Any]) -> None:
    run(call, ours, OURS)


@pytest.mark.parametrize(("gensim", "wordgrad", "difference"), ROWS)
def test_both_columns_give_the_same(
    gensim: str, wordgrad: str, difference: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    trains = "Word2Vec" in gensim or gensim.startswith(
        ("model.", "documents.", "pieces.", "Phrases(", "Doc2Vec(", "FastText(", "save_facebook")
    )
    found = None if trains else run(wordgrad, ours, OURS)  # first, for gensim replaces files
    if "saved.model" in gensim:
        made_by(theirs)["model"]().save("saved.model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gensim's
        expected = run(gensim, theirs, made_by(theirs))
    if not difference and not trains:
        same(found, expected)


def test_the_example_of_an_approximate_index_runs(ours: dict[str, Any]) -> None:
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    exec(blocks[1], ours)
    assert ours["vectors"].most_similar("king", approximate=True)


def test_what_gensim_does_differently_is_so(theirs: dict[str, Any]) -> None:
    kv, face = theirs["kv"], theirs["KeyedVectors"].__module__.startswith("wordgrad")
    assert kv.doesnt_match(["king", "nope", "tea"]) in ("king", "tea")  # left out, and logged
    assert kv.get_mean_vector(["king", "nope"]) == pytest.approx(kv.get_mean_vector(["king"]))
    zero = theirs["KeyedVectors"](2)
    zero.add_vectors(["a", "zero"], np.array([[1, 0], [0, 0]], dtype=np.float32))
    with np.errstate(invalid="ignore"):
        assert np.isnan(zero.most_similar("a")[0][1]) == (not face)
    assert (
        kv.evaluate_word_analogies("questions-words.txt", similarity_function="no such function")[0]
        == kv.evaluate_word_analogies("questions-words.txt")[0]
    )
    pairs = [kv.most_similar(["king"], negative=[("tea", weight)]) for weight in (1.0, -1.0)]
    same(pairs[0 if face else 1], kv.most_similar(["king"], negative=["tea"]))
    before = kv.most_similar("tea", topn=1)
    kv.vectors[kv.key_to_index["road"]] = 5 * kv["tea"]
    assert (kv.most_similar("tea", topn=1)[0] == ("road", pytest.approx(1.0))) == face
    assert before[0][0] != "road"

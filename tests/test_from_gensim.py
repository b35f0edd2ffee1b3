"""The table for people who come from gensim: ours runs, and gives what gensim gives."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wordgrad import WordVectors, evaluate_analogies, evaluate_similarity, load

DOCUMENT = (Path(__file__).parents[1] / "docs" / "from-gensim.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| ?(.*?) ?\|$", DOCUMENT, re.MULTILINE)
WORDS = ["the", "king", "queen", "man", "woman", "tea", "cup", "of", "a", "crown", "car", "road"]


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
    return {
        "vectors": vectors,
        "np": np,
        "load": load,
        "WordVectors": WordVectors,
        "evaluate_similarity": evaluate_similarity,
        "evaluate_analogies": evaluate_analogies,
    }


@pytest.fixture
def theirs(ours) -> dict[str, Any]:
    """What the first column may name: the same vectors in gensim."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keyed = pytest.importorskip("gensim.models", reason="gensim is not installed").KeyedVectors
    kv = keyed(8)
    kv.add_vectors(WORDS, np.array(ours["vectors"].matrix))
    for word, count in zip(WORDS, ours["vectors"].counts.tolist(), strict=True):
        kv.set_vecattr(word, "count", count)
    kv.save("vectors.kv")
    return {"kv": kv, "KeyedVectors": keyed, "np": np}


def same(ours: Any, theirs: Any) -> None:
    """Assert that two results are equal, up to the rounding of float32."""
    if isinstance(ours, WordVectors):
        same(list(ours.words), theirs.index_to_key)
        same(ours.matrix, theirs.vectors)
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


@pytest.mark.parametrize("call", [row[1] for row in ROWS])
def test_our_column_runs(call: str, ours: dict[str, Any]) -> None:
    eval(call, ours)


@pytest.mark.parametrize(("gensim", "wordgrad", "difference"), ROWS)
def test_both_columns_give_the_same(
    gensim: str, wordgrad: str, difference: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    found = eval(wordgrad, ours)  # first, for gensim replaces files that exist
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gensim's
        expected = eval(gensim, theirs)
    if not difference:
        same(found, expected)


def test_the_example_of_an_approximate_index_runs(ours: dict[str, Any]) -> None:
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    exec(blocks[0], ours)
    assert ours["vectors"].most_similar("king", approximate=True)


def test_what_gensim_does_differently_is_so(theirs: dict[str, Any]) -> None:
    kv = theirs["kv"]
    assert kv.doesnt_match(["king", "nope", "tea"]) in ("king", "tea")  # left out, and logged
    assert kv.get_mean_vector(["king", "nope"]) == pytest.approx(kv.get_mean_vector(["king"]))
    zero = theirs["KeyedVectors"](2)
    zero.add_vectors(["a", "zero"], np.array([[1, 0], [0, 0]], dtype=np.float32))
    with np.errstate(invalid="ignore"):
        assert np.isnan(zero.most_similar("a")[0][1])
    assert (
        kv.evaluate_word_analogies("questions-words.txt", similarity_function="no such function")[0]
        == kv.evaluate_word_analogies("questions-words.txt")[0]
    )

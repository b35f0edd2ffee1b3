"""``KeyedVectors`` with gensim's words: its matrix lives, its files hold no code."""

from __future__ import annotations

import copy
import gzip
import inspect
import itertools
import logging
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from wordgrad import WordVectors, load
from wordgrad.compat.gensim.models import KeyedVectors
from wordgrad.compat.gensim.models import keyedvectors as module
from wordgrad.errors import FormatError, InputError, OutputError, ParameterError

WORDS = ["the", "king", "queen", "man", "woman", "tea", "cup", "of", "a", "Tea", "car", "road"]


@pytest.fixture
def kv() -> KeyedVectors:
    return filled(KeyedVectors)


def filled(cls):
    made = cls(8)
    made.add_vectors(WORDS, np.random.default_rng(11).normal(size=(len(WORDS), 8)))
    made.allocate_vecattrs(["count"], [np.int64])
    made.expandos["count"][:] = range(1200, 1200 - len(WORDS), -1)
    return made


@pytest.fixture
def theirs():
    return filled(pytest.importorskip("gensim.models", reason="no gensim").KeyedVectors)


CALLS = """
kv.most_similar("king", topn=5)
kv.most_similar(positive=["king", "woman"], negative=["man"], topn=3)
kv.most_similar([("king", 2.0), ("tea", 0.5)], negative=["car"])
kv.most_similar(positive=["king", kv.vectors[3]])
kv.most_similar(negative="king")
kv.most_similar("king", topn=None)
kv.most_similar("king", topn=0)
kv.most_similar("king", clip_start=3, clip_end=9)
kv.most_similar("road", clip_start=2, topn=20)
kv.most_similar("king", restrict_vocab=4)
kv.most_similar(5)
kv.most_similar_cosmul(["king", "woman"], ["man"])
kv.similar_by_word("tea", topn=2)
kv.similar_by_key("tea", 2, 6)
kv.similar_by_vector(kv["tea"], topn=3)
kv.similarity("king", "tea")
kv.distance("king", "tea")
kv.distances("king")
kv.distances(kv["king"], ["tea", "cup"])
kv.n_similarity(["king", "man"], ["tea"])
kv.doesnt_match(["king", "queen", "tea", "nowhere"])
kv.rank_by_centrality(["king", "queen", "tea"])
kv.rank_by_centrality(["king", "queen", "tea"], use_norm=False)
kv.closer_than("king", "man")
kv.rank("king", "man")
kv.most_similar_to_given("king", ["tea", "queen"])
kv.relative_cosine_similarity("king", "queen")
kv.get_mean_vector(["king", "tea", "nowhere"], weights=[1, -2, 3])
kv.get_mean_vector(["king", kv["tea"]], pre_normalize=False, post_normalize=True)
kv.cosine_similarities(kv["king"], kv.vectors)
kv.get_vector("king", norm=True)
kv.get_normed_vectors()
kv["tea"], kv[["tea", "cup"]], kv[3]
kv.get_index("tea"), kv.get_index("nowhere", 7), kv.get_index(3)
"tea" in kv, "nowhere" in kv, len(kv), kv.has_index_for("tea")
kv.get_vecattr("tea", "count")
kv.vectors_for_all(["tea", "nowhere", "cup", "tea"]).index_to_key
kv.vectors_for_all(["tea", "cup"], copy_vecattrs=True).expandos["count"]
kv.evaluate_word_pairs("pairs.tsv")
kv.evaluate_word_pairs("pairs.tsv", dummy4unknown=True, case_insensitive=False)
kv.evaluate_word_analogies("questions.txt")
kv.evaluate_word_analogies("questions.txt", dummy4unknown=True, restrict_vocab=8)
""".strip().splitlines()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").write_text(
        "# people\nKing\tqueen\t9\nman\tcar\t2\nno line\ntea\tcup\t8\nthe\tnowhere\t1\n"
    )
    questions = "".join(f"{' '.join(four)}\n" for four in itertools.permutations(WORDS[:8], 4))
    Path("questions.txt").write_text(f": all\n{questions}: none\nno such word here\n")
    return tmp_path


def same(ours, wanted) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == wanted.keys()
        ours, wanted = list(ours.values()), list(wanted.values())
    if isinstance(ours, list | tuple):
        assert len(ours) == len(wanted)
        for one, other in zip(ours, wanted, strict=True):
            same(one, other)
    elif isinstance(ours, str | bool | None):
        assert ours == wanted
    else:
        np.testing.assert_allclose(ours, wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # gensim's own
@pytest.mark.parametrize("call", CALLS)
def test_every_call_gives_what_gensim_gives(call, kv, theirs, folder) -> None:
    same(eval(call, {"kv": kv}), eval(call, {"kv": theirs}))


def test_every_signature_is_gensims(theirs) -> None:
    for name, function in inspect.getmembers(type(theirs), callable):
        if name.startswith("_") and name != "__init__":
            continue
        if name in ("save", "word_vec", "words_closer_than", "similarity_unseen_docs"):
            continue  # *args there
        ours = inspect.signature(getattr(KeyedVectors, name))
        for wanted, found in zip(
            inspect.signature(function).parameters.values(), ours.parameters.values(), strict=True
        ):
            assert (found.name, found.default, found.kind) == (
                wanted.name,
                wanted.default,
                wanted.kind,
            )


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ('kv["nowhere"]', KeyError),
        ('kv.most_similar("nowhere")', KeyError),
        ("kv.most_similar()", ValueError),
        ("kv.most_similar_cosmul()", ValueError),
        ('kv.get_mean_vector(["king"], weights=[1, 2])', ValueError),
        ("kv.get_mean_vector([])", ValueError),
        ('kv.get_mean_vector(["nowhere"], ignore_missing=False)', KeyError),
        ('kv.doesnt_match(["nowhere"])', ValueError),
        ('kv.n_similarity(["king"], [])', ZeroDivisionError),
        ('kv.set_vecattr("king", "count", "many")', TypeError),
        ('kv.evaluate_word_analogies("pairs.tsv")', ValueError),
        ('kv.evaluate_word_pairs("questions.txt")', ValueError),
        ("kv.vocab", AttributeError),
        ("kv.index2word", AttributeError),
        ("kv.vectors_norm", AttributeError),
        ("kv.nothing", AttributeError),
        ("kv['tea'].__setitem__(0, 1.0)", ValueError),
    ],
)
@pytest.mark.filterwarnings("ignore")  # gensim's own
def test_what_gensim_raises_is_raised(call, error, kv, folder) -> None:
    with pytest.raises(error, match=r"\S"):
        eval(call, {"kv": kv})
    gensim = pytest.importorskip("gensim.models", reason="no gensim")
    with pytest.raises(error, match=r"\S"):
        eval(call, {"kv": filled(gensim.KeyedVectors)})


def test_a_vector_written_in_place_counts_at_once(kv) -> None:
    assert kv.most_similar("tea", topn=1)[0][0] != "road"
    kv.vectors[kv.key_to_index["road"]] = 5 * kv["tea"]
    assert kv.most_similar("tea", topn=1) == [("road", pytest.approx(1.0))]
    assert kv.most_similar_cosmul("tea", topn=1)[0][0] == "road"
    assert kv.get_vector("road", norm=True) == pytest.approx(kv.get_vector("tea", norm=True))
    matrix = kv.vectors
    kv.fill_norms()
    index = kv._search()
    assert kv._search() is index  # measured once
    assert index._matrix is matrix  # and not copied
    matrix[0] *= 3
    assert kv.vectors is matrix
    assert kv.norms[0] != pytest.approx(np.linalg.norm(matrix[0]))
    kv.fill_norms()  # kv.vectors was taken again
    assert kv.norms == pytest.approx(np.linalg.norm(matrix, axis=1))
    kv.init_sims = None
    kv.unit_normalize_all()
    assert np.linalg.norm(kv.vectors, axis=1) == pytest.approx(1)


def test_any_hashable_key_has_a_vector() -> None:
    kv = KeyedVectors(2)
    kv.add_vectors([("a", 1), 7, frozenset("x"), "w"], [[1, 0], [0, 1], [1, 1], [2, 1]])
    assert kv[("a", 1)].tolist() == [1, 0]
    assert kv[7].tolist() == [0, 1]
    assert kv[0].tolist() == [1, 0]  # no key: a row
    assert kv[[7, ("a", 1)]].shape == kv[np.array([0, 1])].shape == (2, 2)
    assert kv.most_similar([("a", 1)], topn=1)[0][0] == "w"
    assert kv.most_similar(("a", 1), topn=1)[0][0] == "w"
    assert [] not in kv
    kv[("a", 1)] = [0, 3]
    assert kv.similarity(("a", 1), 7) == 1


def test_rows_are_made_filled_added_and_sorted() -> None:
    kv = KeyedVectors(2, count=2)
    assert kv.add_vector("a", [1, 2]) == 0
    assert kv.add_vector("b", [3, 4]) == 1
    with pytest.warns(UserWarning, match="add_vectors"):
        assert kv.add_vector("c", [5, 6]) == 2
    kv.add_vectors(["b", "d", "d"], [[0, 0], [7, 8], [9, 9]], extras={"count": [5, 6, 7]})
    assert kv["b"].tolist() == [3, 4]
    assert kv["d"].tolist() == [7, 8]
    kv.add_vectors(["b"], [[1, 1]], extras={"count": [9]}, replace=True)
    assert kv["b"].tolist() == [1, 1]
    assert kv.expandos["count"].tolist() == [0, 9, 0, 6]
    kv.sort_by_descending_frequency()
    assert kv.index_to_key == ["b", "d", "a", "c"]
    assert [kv.key_to_index[key] for key in "bdac"] == [0, 1, 2, 3]
    assert kv["a"].tolist() == [1, 2]
    kv.index_to_key.append("e")
    kv.key_to_index["e"] = 4
    kv.resize_vectors(seed=1)
    assert kv.vectors.shape == (5, 2)
    assert 0 < np.abs(kv["e"]).max() <= 0.25
    with pytest.raises(ValueError, match=r"1 vectors of 2 numbers.*\(1, 3\)"):
        kv.add_vectors(["f"], [[1, 2, 3]])
    assert "f" not in kv
    assert KeyedVectors(2).most_similar(positive=[np.ones(2)]) == []


def test_the_word_movers_distance_is_that_of_all_ways_of_moving() -> None:
    kv = KeyedVectors(2)
    kv.add_vectors(list("abcdef"), np.random.default_rng(3).normal(size=(6, 2)))
    # Documents of as many words each: some assignment of words is best.
    for first, second, norm in (("abc", "def", True), ("aab", "cde", False), ("abf", "abc", True)):
        wanted = min(
            np.mean([math.dist(kv.get_vector(x, norm), kv.get_vector(y, norm))
                     for x, y in zip(first, order, strict=True)])
            for order in itertools.permutations(second)
        )  # fmt: skip
        assert kv.wmdistance(first, second, norm=norm) == pytest.approx(wanted, abs=1e-9)
    assert kv.wmdistance("aabz", "aba") == 0.0
    assert kv.wmdistance("zz", "a") == float("inf")


def test_an_indexer_answers_in_the_place_of_the_search(kv) -> None:
    class Indexer:
        def most_similar(self, vector, topn):
            return [(vector, topn)]

    ((vector, topn),) = kv.most_similar("tea", topn=4, indexer=Indexer())
    assert topn == 4
    assert vector == pytest.approx(kv.get_vector("tea", norm=True))


def test_copies_and_pickles_are_whole_and_apart(kv) -> None:
    kv.fill_norms()
    for twin in (copy.deepcopy(kv), pickle.loads(pickle.dumps(kv))):
        assert twin.most_similar("tea") == kv.most_similar("tea")
        twin["tea"] = np.ones(8)
        assert kv["tea"] != pytest.approx(np.ones(8))
    subclass = type("Mine", (KeyedVectors,), {})(2)
    subclass["a"] = [1, 2]
    assert copy.copy(subclass)["a"].tolist() == [1, 2]


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_a_saved_file_gives_all_back(dtype, tmp_path) -> None:
    kv = KeyedVectors(2, dtype=dtype)
    keys = ["é\ud800", "", ("a", 1), 5, 2**70, None, True, 0.5, float("inf"), frozenset([1])]
    kv.add_vectors(keys, np.arange(20).reshape(-1, 2) / 7)
    kv.add_vectors([f"w{n}" for n in range(100)], np.ones((100, 2)))
    kv.set_vecattr(5, "name", "five")
    kv.set_vecattr(5, "count", 3)
    kv.vectors_lockf = np.zeros(110, np.float32)
    kv.save(tmp_path / "kv")
    again = KeyedVectors.load(tmp_path / "kv", mmap="r")
    assert again.index_to_key == kv.index_to_key
    assert again.key_to_index == kv.key_to_index
    assert again.vectors.dtype == dtype
    assert (again.vectors == kv.vectors).all()
    assert again.get_vecattr(5, "name") == "five"
    assert again.expandos["count"].tolist() == kv.expandos["count"].tolist()
    assert (again.vectors_lockf == 0).all()
    again[5] = [9, 9]
    assert again.most_similar(5)


def test_vectors_of_wordgrad_open_and_those_here_go_there(kv, tmp_path) -> None:
    path = tmp_path / "vectors.safetensors"
    WordVectors(WORDS, kv.vectors, kv.expandos["count"]).save(path)
    again = KeyedVectors.load(path)
    assert (again.vectors == kv.vectors).all()
    assert again.get_vecattr("tea", "count") == kv.get_vecattr("tea", "count")
    again["tea"] = np.ones(8)
    kv.save(tmp_path / "kv")
    with pytest.raises(FormatError, match="not one of word vectors"):
        load(tmp_path / "kv", format="safetensors")


def test_damaged_files_and_files_of_others_are_refused(kv, tmp_path) -> None:
    path = tmp_path / "kv"
    kv.save(path)
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    with pytest.raises(FormatError, match="checksum"):
        KeyedVectors.load(path)
    path.write_bytes(pickle.dumps(kv))
    sentence = r"pickle saved by gensim; .* never opened here.*save_word2vec_format.*adopt\(model\)"
    for opened in (KeyedVectors.load, KeyedVectors.load_word2vec_format):
        with pytest.raises(FormatError, match=sentence):
            opened(path)
    with pytest.raises(InputError, match="No such file"):
        KeyedVectors.load(tmp_path / "nothing")
    kv.index_to_key.append("more")
    kv.next_index += 1
    kv.save(path)
    with pytest.raises(FormatError, match="different number"):
        KeyedVectors.load(path)
    kv.thing = object()
    with pytest.raises(OutputError, match=r"'thing' of this KeyedVectors.*ignore=\['thing'\]"):
        kv.save(path)


@pytest.mark.parametrize("binary", [False, True])
def test_word2vecs_formats_with_every_option(binary, kv, tmp_path, caplog) -> None:
    path, counts = tmp_path / "v.any", tmp_path / "counts.txt"
    kv.save_word2vec_format(path, counts, binary=binary)
    again = KeyedVectors.load_word2vec_format(path, counts, binary=binary, datatype=np.float64)
    assert again.vectors.dtype == np.float64
    assert (again.vectors == kv.vectors).all()
    assert (again.expandos["count"] == kv.expandos["count"]).all()
    few = KeyedVectors.load_word2vec_format(path, binary=binary, limit=3)
    assert few.index_to_key == WORDS[:3]
    assert few.expandos["count"].tolist() == [3, 2, 1]
    kv.save_word2vec_format(path, binary=binary, prefix="*", total_vec=2 * len(kv))
    kv.expandos["order"] = np.arange(len(kv))
    kv.save_word2vec_format(path, binary=binary, write_header=False, append=True, sort_attr="order")
    both = KeyedVectors.load_word2vec_format(path, binary=binary)
    assert both.index_to_key == [*(f"*{word}" for word in WORDS), *WORDS[::-1]]
    packed = tmp_path / "v.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert len(KeyedVectors.load_word2vec_format(packed, binary=binary)) == 2 * len(kv)
    short = path.read_bytes().replace(b"24 8", b"25 8", 1)
    path.write_bytes(short)
    with pytest.raises(EOFError, match="promise"):
        KeyedVectors.load_word2vec_format(path, binary=binary)
    kv["two words"] = np.ones(8)
    with pytest.raises(OutputError, match=r"'two words'.*save\(\)"):
        kv.save_word2vec_format(path, binary=binary)
    assert path.read_bytes() == short


@pytest.mark.parametrize("binary", [False, True])
def test_words_of_another_encoding(binary, tmp_path) -> None:
    path = tmp_path / "v"
    kv = KeyedVectors(2)
    kv.add_vectors(["caf\u00e9", "b"], [[1, 2], [3, 4]])
    kv.save_word2vec_format(path, binary=binary)
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9"))
    again = KeyedVectors.load_word2vec_format(path, binary=binary, encoding="latin-1")
    assert again.index_to_key == ["caf\u00e9", "b"]
    with pytest.raises(UnicodeDecodeError, match="not UTF-8 in"):
        KeyedVectors.load_word2vec_format(path, binary=binary)
    ignored = KeyedVectors.load_word2vec_format(path, binary=binary, unicode_errors="ignore")
    assert ignored.index_to_key == ["caf", "b"]
    for wrong in ("utf-16", "no such"):
        with pytest.raises(ParameterError, match="contains ASCII"):
            KeyedVectors.load_word2vec_format(path, binary=binary, encoding=wrong)


def test_a_word_twice_is_logged_and_no_header_is_no_matter(tmp_path, caplog) -> None:
    path = tmp_path / "v.txt"
    path.write_text("a 1 2\nb 3 4\na 5 6\n")
    with caplog.at_level(logging.WARNING):
        kv = KeyedVectors.load_word2vec_format(path, no_header=True)
    assert "more than once" in caplog.text
    assert kv.index_to_key == ["a", "b"]
    assert kv["a"].tolist() == [1, 2]
    assert module.load_word2vec_format(path, no_header=True)["b"].tolist() == [3, 4]


def test_vectors_of_a_file_take_the_place_of_those_here(kv, tmp_path) -> None:
    other = KeyedVectors(8)
    other.add_vectors(["tea", "elsewhere"], np.ones((2, 8)))
    other.save_word2vec_format(tmp_path / "o.bin", binary=True)
    kv.intersect_word2vec_format(tmp_path / "o.bin", binary=True)
    assert kv["tea"].tolist() == [1.0] * 8
    assert "elsewhere" not in kv
    assert kv.vectors_lockf.tolist() == [float(word != "tea") for word in WORDS]
    with pytest.raises(ValueError, match="incompatible vector size 8"):
        KeyedVectors(3).intersect_word2vec_format(tmp_path / "o.bin", binary=True)

"""An index kept in a file: nothing of it is believed before it is compared."""

from __future__ import annotations

import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wordgrad.errors import FormatError, InputError, OutputError, ParameterError
from wordgrad.search.approximate import INDEX
from wordgrad.word_vectors import WordVectors

pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
WORDS = [f"w{row}" for row in range(300)]
MATRIX = np.random.default_rng(2).normal(size=(300, 8)).astype(np.float32)


@pytest.fixture
def vectors():
    return WordVectors(WORDS, MATRIX)


@pytest.fixture
def path(tmp_path, vectors):
    vectors.build_index(expansion_search=99)
    vectors.save_index(tmp_path / "v.index")
    return tmp_path / "v.index"


def test_the_same_answers_from_a_file(path, vectors):
    again = WordVectors(WORDS, MATRIX)
    again.load_index(path)
    for word in WORDS[:20]:
        expected = vectors.most_similar(word, approximate=True)
        assert again.most_similar(word, approximate=True) == expected
    again.save_index(path, overwrite=True)  # with its settings
    WordVectors(WORDS, MATRIX).load_index(path)


def test_an_index_of_the_most_frequent_words(tmp_path, vectors):
    vectors.build_index(restrict_vocab=50)
    vectors.save_index(tmp_path / "part.index")
    again = WordVectors(WORDS, MATRIX)
    again.load_index(tmp_path / "part.index")
    found = again.most_similar("w200", 1000, approximate=True)
    words = {word for word, _ in found}
    assert words <= set(WORDS[:50])
    assert len(words) >= 45  # approximate: now and then a word or two are not found
    with pytest.raises(ParameterError, match="that of the index, 50, got 70"):
        again.most_similar("w200", restrict_vocab=70, approximate=True)


def test_an_index_of_other_vectors(path):
    other = WordVectors(WORDS, MATRIX + 1)
    with pytest.raises(FormatError, match=r"v\.index is the index of other vectors; remove it"):
        other.load_index(path)


def test_every_flip_and_every_cut_is_found(path, vectors):
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        for content in (bytes(damaged), whole[:place]):
            path.write_bytes(content)
            with pytest.raises(
                FormatError, match=r"v\.index .*; remove it, and build the index ag"
            ):
                vectors.load_index(path)


def crc32(array):
    return f"{zlib.crc32(array.tobytes()):08x}"


def forged(path, graph, **changes):
    record = {"rows": 300, "expansion_search": 64, "crc32.matrix": crc32(MATRIX)}
    INDEX.write(path, record | changes, {"graph": graph})


def forged_0_1(path, graph, **changes):
    """As version 0.1 wrote it."""
    metadata = {
        "wordgrad.index": "1",
        "rows": "300",
        "expansion_search": "64",
        "crc32.graph": crc32(graph),
        "crc32.matrix": crc32(MATRIX),
    }
    metadata |= {name: str(value) for name, value in changes.items()}
    save_file({"graph": graph}, path, metadata=metadata)


@pytest.mark.parametrize("forge", [forged, forged_0_1])
def test_right_checksums_are_not_all(path, tmp_path, vectors, forge):
    graph = load_file(path)["graph"]
    forge(path, graph)
    vectors.load_index(path)
    for changes, message in (
        ({"rows": 299}, "holds 300 rows of 8 values, not 299 of 8"),
        ({"rows": 301}, "promises 301 rows"),
        ({"rows": -1}, "promises '?-1'? rows"),
        ({"rows": 0}, "promises 0 rows"),
        ({"rows": "x" * 20}, "promises 'x+' rows"),
        ({"rows": "9" * 5000}, "promises '9+' rows"),
        ({"expansion_search": "x"}, "is damaged: it promises an expansion_search of 'x'"),
        ({"expansion_search": 0}, "is damaged: it promises an expansion_search of 0"),
    ):
        forge(path, graph, **changes)
        with pytest.raises(FormatError, match=rf"v\.index .*{message}"):
            vectors.load_index(path)
    narrow = WordVectors(WORDS, MATRIX[:, :5])
    narrow.build_index()
    narrow.save_index(tmp_path / "narrow.index")
    forge(path, load_file(tmp_path / "narrow.index")["graph"])
    with pytest.raises(FormatError, match="holds 300 rows of 5 values, not 300 of 8"):
        vectors.load_index(path)
    forge(path, np.zeros(100, dtype=np.uint8))
    with pytest.raises(FormatError, match=r"holds no graph|holds 0 rows"):
        vectors.load_index(path)


# Places in the graph of 300 rows of 8 values: after the vectors and a head of 64 bytes.
HEAD = 8 + 300 * 8 * 4 + 64
NODES = HEAD + 40 + 300 * 2


@pytest.mark.parametrize(
    ("place", "number", "message"),
    [
        (HEAD, 299, "a head that does not belong to its nodes"),
        (HEAD + 8, 1 << 40, "a head that does not belong to its nodes"),
        (HEAD + 16, 0, "shorter or longer than its nodes"),
        (HEAD + 24, 200, "a head that does not belong to its nodes"),
        (HEAD + 32, 300, "a head that does not belong to its nodes"),
        (HEAD + 40, 0x7FFF_7FFF_7FFF_7FFF, "a head that does not belong to its nodes"),
        (HEAD + 40, -1, "a head that does not belong to its nodes"),
        (NODES + 8, 1 << 30, "gives a node two levels|a neighbour that is not there, in level 0"),
        (NODES + 14, 300, "a neighbour that is not there, in level 0"),
        (NODES + 14, -1, "a neighbour that is not there, in level 0"),
    ],
)
def test_no_number_of_a_graph_leads_out_of_it(path, vectors, place, number, message):
    graph = load_file(path)["graph"].copy()
    graph[place : place + 8] = np.array([number], "<i8").view(np.uint8)
    forged(path, graph)
    with pytest.raises(FormatError, match=rf"v\.index is damaged: its graph .*({message})"):
        vectors.load_index(path)


def test_a_graph_is_cut_or_goes_on(path, vectors):
    graph = load_file(path)["graph"]
    for wrong in (graph[:-1], graph[:HEAD], graph[:NODES], np.append(graph, graph[:4])):
        forged(path, wrong)
        with pytest.raises(FormatError, match=r"its graph is shorter"):
            vectors.load_index(path)


def test_a_neighbour_must_be_in_the_level(path, vectors):
    """A node has room for neighbours in its own levels alone; usearch would read beyond."""
    graph = load_file(path)["graph"].copy()
    upper, lowest = np.frombuffer(graph[HEAD + 8 : HEAD + 24].tobytes(), "<u8").tolist()
    levels = np.frombuffer(graph[HEAD + 40 : NODES].tobytes(), "<i2").astype(int)
    node, low = int(np.flatnonzero(levels > 0)[0]), int(np.flatnonzero(levels == 0)[0])
    lengths = 14 + 4 * lowest + levels * (4 + 4 * upper)
    place = NODES + int(lengths[:node].sum()) + 14 + 4 * lowest
    graph[place : place + 8] = np.array([1, low], "<u4").view(np.uint8)
    forged(path, graph)
    with pytest.raises(FormatError, match="a neighbour that is not there, in level 1"):
        vectors.load_index(path)


def test_other_layouts_are_refused(path, vectors):
    graph = load_file(path)["graph"]
    forged_0_1(path, graph, **{"wordgrad.index": "2"})
    with pytest.raises(FormatError, match=r"v\.index is damaged: its layout is '2'"):
        vectors.load_index(path)
    forged_0_1(path, graph, **{"crc32.graph": "00000000"})
    with pytest.raises(FormatError, match=r"v\.index is damaged: graph fails its checksum"):
        vectors.load_index(path)
    replace(INDEX, layout="3").write(path, {}, {"graph": graph})
    with pytest.raises(FormatError, match=r"v\.index has layout '3' and this version"):
        vectors.load_index(path)


def test_files_that_are_no_index(path, tmp_path, vectors):
    vectors.save(tmp_path / "v.safetensors")
    with pytest.raises(FormatError, match=r"is no index of wordgrad \(its content: word vectors"):
        vectors.load_index(tmp_path / "v.safetensors")
    with pytest.raises(InputError, match=r"no\.index cannot be opened"):
        vectors.load_index(tmp_path / "no.index")
    with pytest.raises(OutputError, match=r"v\.index exists already"):
        vectors.save_index(path)


def test_without_usearch_the_error_says_how_to_install_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ParameterError, match=r"run: python -m pip install 'wordgrad\[ann\]'"):
        WordVectors(WORDS, MATRIX).load_index(path)

"""Maps: true neighbours, groups, names."""

from __future__ import annotations

import numpy as np
import pytest

from wordgrad.errors import FormatError, OutputError, ParameterError
from wordgrad.plotting import make_map
from wordgrad.plotting.projection import clusters
from wordgrad.search.exact import unit
from wordgrad.word_vectors import WordVectors, load


def test_neighbours_are_those_of_the_whole_space(crowd):
    drawn = make_map(crowd, most_frequent_words=40)
    for place in (0, 7, 39):
        word = drawn.words[place]
        everywhere = crowd.most_similar(word, 10)
        names = {int(rank): name for rank, name in zip(drawn.ranks, drawn.words, strict=True)}
        names |= drawn.other_words
        found = [names[int(row)] for row in drawn.in_all.rows[place]]
        assert found == [name for name, _ in everywhere]
        np.testing.assert_allclose(drawn.in_all.scores[place], [score for _, score in everywhere])
        here = crowd.most_similar(word, 10, restrict_vocab=40)
        assert [drawn.words[near] for near in drawn.on_map.rows[place]] == [
            name for name, _ in here
        ]


def test_neighbours_can_be_kept_to_frequent_words(crowd):
    drawn = make_map(crowd, most_frequent_words=10, restrict_vocab=20)
    assert drawn.in_all.rows.max() < 20
    assert drawn.vocabulary == 20


def test_kmeans_finds_the_four_directions(crowd):
    drawn = make_map(crowd, method="pca")
    groups = drawn.groups.reshape(20, 4)
    assert (groups == groups[0]).all()
    assert sorted(groups[0]) == [0, 1, 2, 3]
    units = unit(crowd.matrix)
    for group, names in enumerate(drawn.group_names):
        members = np.flatnonzero(drawn.groups == group)
        mean = units[members].mean(axis=0)
        nearest = members[np.argsort(-(units[members] @ mean))[:3]]
        assert names == tuple(crowd.words[row] for row in nearest)


def test_groups_are_not_more_than_the_directions():
    assert clusters(np.repeat(np.eye(2), 50, axis=0), seed=1).max() == 1
    assert clusters(np.eye(30), seed=1).tolist() == [0] * 30


def test_centres_name_the_groups(crowd):
    drawn = make_map(crowd, around_words=["word6", "word7"], neighbours=5)
    assert drawn.words[:2] == ("word6", "word7")
    assert drawn.group_names == (("word6",), ("word7",))
    assert repr(drawn) == "<WordMap: word6, word7 and the 5 words nearest to each, PCA>"


def test_counts_and_ranks_are_those_of_the_words(crowd):
    drawn = make_map(crowd, words=["word9", "word70", "word40"])
    assert drawn.ranks.tolist() == [9, 70, 40]
    assert drawn.counts.tolist() == [710, 100, 400]
    plain = WordVectors(crowd.words, crowd.matrix)
    assert make_map(plain, words=["word9", "word70", "word40"]).counts is None


def test_the_method_follows_the_number_of_words(crowd):
    assert make_map(crowd, most_frequent_words=29).method == "pca"
    assert make_map(crowd, most_frequent_words=30).method == "tsne"


def test_words_and_neighbourhoods_are_not_mixed(crowd):
    with pytest.raises(ParameterError, match="cannot be given together"):
        make_map(crowd, words=["word6"], around_words=["word7"])


def test_a_value_that_is_not_finite_is_named_with_its_file(tmp_path, crowd):
    path = tmp_path / "v.safetensors"
    crowd.save(path)
    content = path.read_bytes()
    place = content.index(crowd.matrix.tobytes()[:48])
    nan = np.float32(np.nan).tobytes()
    path.write_bytes(content[:place] + nan + content[place + 4 :])
    with pytest.raises(FormatError, match=r"v\.safetensors holds nan in row 0"):
        make_map(load(path, check=False))


@pytest.mark.parametrize("name", ["map", "map.pdf", "map.htm"])
def test_an_unknown_ending_is_refused(tmp_path, crowd, name):
    drawn = make_map(crowd, words=["word6", "word7", "word8"])
    with pytest.raises(ParameterError, match=r"must end in \.html, \.png or \.svg, got .*map"):
        drawn.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.html", "m.PNG", "m.svg"])
def test_a_file_is_replaced_only_if_allowed(tmp_path, crowd, name):
    drawn = make_map(crowd, words=["word6", "word7", "word8"])
    assert drawn.save(tmp_path / name) == 3
    written = (tmp_path / name).read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        drawn.save(tmp_path / name)
    drawn.save(tmp_path / name, overwrite=True)
    assert name == "m.html" or (tmp_path / name).read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == [name]

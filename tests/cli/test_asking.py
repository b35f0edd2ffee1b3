"""``wordgrad similar`` and ``wordgrad analogy``."""

from __future__ import annotations

import json

import pytest


def lines_of(text):
    return [line.split("\t") for line in text.splitlines()]


def test_similar_writes_tab_separated_lines_to_a_pipe(wordgrad, vector_file, vectors):
    outcome = wordgrad("similar", vector_file, "king", "man", "--topn", 2)
    assert (outcome.code, outcome.err) == (0, "")
    expected = [
        [word, near, f"{cosine:.6f}"]
        for word in ("king", "man")
        for near, cosine in vectors.most_similar(word, 2)
    ]
    assert lines_of(outcome.out) == expected


def test_similar_together(wordgrad, vector_file, vectors):
    outcome = wordgrad("similar", vector_file, "king", "woman", "--together", "-n", 1)
    ((near, cosine),) = vectors.most_similar(["king", "woman"], 1)
    assert lines_of(outcome.out) == [["king + woman", near, f"{cosine:.6f}"]]


def test_similar_shows_tables_on_a_terminal(wordgrad, vector_file, terminal):
    terminal(80)
    outcome = wordgrad("similar", vector_file, "king", "queen")
    assert outcome.code == 0
    assert "cosine" in outcome.out
    assert "\t" not in outcome.out
    header = outcome.out.splitlines()[0]
    assert header.split() == ["king", "cosine", "queen", "cosine"]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(wordgrad, vector_file, terminal, columns):
    terminal(columns)
    outcome = wordgrad("similar", vector_file, "king", "queen", "man", "apple")
    assert max(map(len, outcome.out.splitlines())) <= columns


def test_similar_as_json(wordgrad, vector_file, vectors):
    outcome = wordgrad("similar", vector_file, "king", "--json", "--restrict-vocab", 3)
    (entry,) = json.loads(outcome.out)
    assert entry["question"] == "king"
    assert [(a["word"], a["cosine"]) for a in entry["answers"]] == vectors.most_similar(
        "king", restrict_vocab=3
    )


def test_words_are_data_not_markup_and_not_separators(wordgrad, vector_file):
    outcome = wordgrad("similar", vector_file, "tab\there", "-n", 3)
    assert all(len(fields) == 3 for fields in lines_of(outcome.out))
    assert outcome.out.startswith("tab\\there\t")
    assert "naïve" in outcome.out


def test_analogy(wordgrad, vector_file, vectors):
    outcome = wordgrad("analogy", vector_file, "man", "king", "woman", "-n", 2)
    expected = vectors.analogy(["king", "woman"], ["man"], 2)
    assert expected[0][0] == "queen"
    assert lines_of(outcome.out) == [
        ["man : king = woman : ?", word, f"{cosine:.6f}"] for word, cosine in expected
    ]


def test_analogy_by_products(wordgrad, vector_file, vectors, terminal):
    command = ["analogy", vector_file, "man", "king", "woman", "-n", 2, "--method", "3cosmul"]
    expected = vectors.analogy(["king", "woman"], ["man"], 2, method="3cosmul")
    assert [fields[1:] for fields in lines_of(wordgrad(*command).out)] == [
        [word, f"{score:.6f}"] for word, score in expected
    ]
    (entry,) = json.loads(wordgrad(*command, "--json").out)
    assert entry["answers"][0] == {"word": expected[0][0], "score": expected[0][1]}
    terminal(80)
    assert wordgrad(*command).out.splitlines()[0].split()[-1] == "score"


def test_similar_to_a_text_counts_the_words_left_out(wordgrad, vector_file, vectors):
    outcome = wordgrad("similar", vector_file, "--text", "the king of", "apple pies of", "-n", 2)
    expected = vectors.closest_to_text("the king of apple pies of", 2)
    assert lines_of(outcome.out) == [
        ["the king of apple pies of", word, f"{cosine:.6f}"] for word, cosine in expected
    ]
    assert outcome.err == ("3 of the text's words skipped, not in the vocabulary: of, pies\n")
    both = wordgrad("similar", vector_file, "--text", "--together", "king")
    assert (both.code, "either --text or --together" in both.message) == (2, True)


def test_doesnt_match(wordgrad, vector_file):
    outcome = wordgrad("doesnt-match", vector_file, "man", "king", "the", "tab\there")
    assert (outcome.code, outcome.out, outcome.err) == (0, "tab\\there\n", "")
    alone = wordgrad("doesnt-match", vector_file, "man")
    assert alone.code == 2
    assert "at least two words of the vocabulary, got 1" in alone.err


@pytest.mark.parametrize("command", [("similar",), ("analogy", "man", "king")])
def test_unknown_words_suggest_close_ones(wordgrad, vector_file, command):
    name, *before = command
    outcome = wordgrad(name, vector_file, *before, "qeen")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "Error: 'qeen' is not in the vocabulary; did you mean 'queen'?\n"


def test_a_value_out_of_range_is_wrong_usage(wordgrad, vector_file):
    outcome = wordgrad("similar", vector_file, "king", "--topn", 0)
    assert outcome.code == 2
    assert outcome.err == "Error: topn must be an integer >= 1, got 0.\n"


def test_files_that_cannot_be_used(wordgrad, vector_file, tmp_path):
    missing = wordgrad("similar", tmp_path / "no.safetensors", "king")
    assert missing.code == 1
    assert "no.safetensors cannot be opened (No such file or directory)" in missing.err
    data = vector_file.read_bytes()
    vector_file.write_bytes(data[:-7])
    cut = wordgrad("similar", vector_file, "king")
    assert cut.code == 1
    assert "v.safetensors is damaged: it is not a whole safetensors file" in cut.err
    damaged = bytearray(data)
    damaged[-30] ^= 4
    vector_file.write_bytes(damaged)
    flipped = wordgrad("analogy", vector_file, "man", "king", "woman")
    assert flipped.code == 1
    assert "is damaged: its words fail their checksum" in flipped.err


def test_similar_through_an_index_that_is_kept(wordgrad, vector_file, vectors):
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    exact = wordgrad("similar", vector_file, "king", "man")
    first = wordgrad("similar", vector_file, "king", "man", "--approximate")
    kept = vector_file.with_name("v.safetensors.index")
    assert first.message.startswith(f"Wrote {kept}: ")
    assert first.out == exact.out
    before = kept.stat().st_mtime_ns
    second = wordgrad("similar", vector_file, "king", "man", "--approximate")
    assert (second.code, second.err, second.out) == (0, "", exact.out)
    assert kept.stat().st_mtime_ns == before
    text = wordgrad("similar", vector_file, "the king", "--text", "--approximate")
    assert text.out == wordgrad("similar", vector_file, "the king", "--text").out


def test_an_index_of_other_vectors_is_refused(wordgrad, vector_file, vectors):
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    wordgrad("similar", vector_file, "king", "--approximate")
    type(vectors)(vectors.words, -vectors.matrix).save(vector_file, overwrite=True)
    outcome = wordgrad("similar", vector_file, "king", "--approximate")
    assert (outcome.code, outcome.out) == (1, "")
    assert "v.safetensors.index is the index of other vectors; remove it" in outcome.message


def test_similar_approximate_is_of_all_words(wordgrad, vector_file):
    outcome = wordgrad(
        "similar", vector_file, "king", "--approximate", "--restrict-vocab", 3
    )  # fmt: skip
    assert outcome.code == 2
    assert "Use either --approximate or --restrict-vocab." in outcome.message

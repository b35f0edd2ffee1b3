from __future__ import annotations

import json
from pathlib import Path

import pytest

from wordgrad.evaluation import evaluate_analogies, evaluate_similarity
from wordgrad.word_vectors import WordVectors, load


@pytest.fixture
def sets(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(
        "man\tking\t5\nwoman\tqueen\t5\nman\tapple\t1\nking\tqueen\t4\nthe\tking\t2\nx\ty\t1\n"
    )
    more = tmp_path / "more.tsv"
    more.write_text("man\twoman\t5\nx\ty\t3\n")
    questions = tmp_path / "questions.txt"
    questions.write_text(": royal\nman king woman queen\nMan King Woman x\n: none\na b c d\n")
    return pairs, more, questions


def test_results_go_through_a_pipe_as_lines(wordgrad, vector_file, vectors, sets):
    pairs, more, questions = sets
    outcome = wordgrad(
        "evaluate", vector_file, "--similarity", pairs, more, "--analogies", questions
    )
    assert (outcome.code, outcome.err) == (0, "")
    result = evaluate_similarity(vectors, pairs)
    measured = [f"{value:.6f}" for value in (result.correlation, result.low, result.high)]
    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert {fields.pop(0) for fields in lines} == {str(vector_file)}
    assert lines == [
        ["similarity", "pairs", *measured, "5", "6"],
        ["similarity", "more", "", "", "", "1", "2"],
        ["analogies", "questions", "royal", "1.000000", "1", "1", "2"],
        ["analogies", "questions", "none", "", "0", "0", "1"],
        ["analogies", "questions", "all", "1.000000", "1", "1", "3"],
    ]


def test_pairs_with_composed_words_are_counted_apart(wordgrad, terminal, tmp_path):
    model = Path(__file__).parents[1] / "fasttext_models" / "skipgram.bin"
    first, second = load(model).words[1:3]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(f"{first}\t{second}\t1\n{first}\tunseenbake\t2\n{second}\tbakezz\t3\n")
    command = ["evaluate", model, "--similarity", pairs]
    assert wordgrad(*command).out.rstrip().split("\t")[-2:] == ["1", "3"]
    assert wordgrad(*command, "--compose").out.rstrip().split("\t")[-3:] == ["3", "3", "2"]
    terminal(80)
    assert "2 composed" in wordgrad(*command, "--compose").out


@pytest.mark.parametrize("columns", [40, 80])
def test_tables_fit_the_terminal(wordgrad, vector_file, terminal, sets, columns):
    terminal(columns)
    pairs, more, questions = sets
    outcome = wordgrad(
        "evaluate", "--similarity", pairs, more, vector_file, "--analogies", questions
    )
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= columns
    assert "5 of 6" in outcome.out
    assert "100.0%" in outcome.out
    assert "95% interval" in outcome.out


def test_json_file(wordgrad, vector_file, vectors, sets, tmp_path):
    pairs, more, questions = sets
    output = tmp_path / "results.json"
    command = ["evaluate", vector_file, "--similarity", pairs, "--similarity", more]
    command += ["--analogies", questions, "--json", output, "--restrict-vocab", 5]
    outcome = wordgrad(*command)
    assert outcome.code == 0
    assert "Wrote" in outcome.err
    assert outcome.out.startswith(f"{vector_file}\tsimilarity\t")
    results = json.loads(output.read_text())
    assert results["similarity"][0] == evaluate_similarity(vectors, pairs).to_dict()
    assert results["similarity"][1]["correlation"] is None
    expected = evaluate_analogies(vectors, questions, restrict_vocab=5).to_dict()
    assert results["analogies"] == [expected]
    again = wordgrad(*command)
    assert again.code == 1
    assert "results.json exists already" in again.message
    assert wordgrad(*command, "--overwrite").code == 0


def test_json_to_standard_output_is_json_alone(wordgrad, vector_file, sets):
    outcome = wordgrad("evaluate", vector_file, "--similarity", sets[0], "--json", "-")
    assert json.loads(outcome.out)["vectors"] == str(vector_file)
    assert outcome.err == ""


@pytest.fixture
def other_file(tmp_path, vectors):
    """Without "king", and with other vectors."""
    kept = [row for row, word in enumerate(vectors.words) if word != "king"]
    matrix = vectors.matrix[kept] + [[0, 0, 0, 0.5]]
    path = tmp_path / "other.safetensors"
    WordVectors([vectors.words[row] for row in kept], matrix).save(path)
    return path


def test_several_files_side_by_side(wordgrad, vector_file, other_file, terminal, sets):
    terminal(100)
    pairs, more, questions = sets
    command = ["evaluate", vector_file, other_file, "--similarity", pairs, more]
    outcome = wordgrad(*command, "--analogies", questions)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[1].split() == ["set", "v", "other", "pairs"]
    assert "5 of 6" in outcome.out
    assert "2 of 6" in outcome.out  # where files differ, each says what it covers
    assert "differ" in outcome.out
    assert any(line.split()[:2] == ["more", "none"] for line in lines)
    assert any(line.split() == ["section", "v", "other", "covered"] for line in lines)
    assert any(line.split() == ["all", "100.0%", "none", "differ"] for line in lines)


@pytest.mark.parametrize("columns", [40, 60])
def test_several_files_in_a_narrow_terminal(
    wordgrad, vector_file, other_file, terminal, sets, columns
):
    terminal(columns)
    command = ["evaluate", vector_file, other_file, other_file, "--similarity", *sets[:2]]
    outcome = wordgrad(*command, "--analogies", sets[2])
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= columns
    folded = "".join(line[:20].strip() for line in outcome.out.splitlines())
    assert "other.safetensors" in folded.replace(" ", "") or columns == 60
    assert "…" not in outcome.out
    assert "95% interval" in outcome.out


def test_several_files_as_lines_and_as_json(wordgrad, vector_file, other_file, sets):
    command = ["evaluate", vector_file, other_file, "--similarity", sets[0]]
    lines = wordgrad(*command).out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(vector_file), str(other_file)]
    entries = json.loads(wordgrad(*command, "--json", "-").out)
    assert [entry["vectors"] for entry in entries] == [str(vector_file), str(other_file)]
    assert [entry["similarity"][0]["pairs"] for entry in entries] == [5, 2]


def test_method_and_depth(wordgrad, vector_file, vectors, sets, terminal):
    command = ["evaluate", vector_file, "--analogies", sets[2], "--method", "3cosmul", "-n", 2]
    result = json.loads(wordgrad(*command, "--json", "-").out)["analogies"][0]
    assert result == evaluate_analogies(vectors, sets[2], method="3cosmul", topn=2).to_dict()
    terminal(80)
    shown = wordgrad(*command).message + " ".join(wordgrad(*command).out.split())
    assert "3CosMul, the 30,000 most frequent words, among the first 2 answers" in shown
    wrong = wordgrad("evaluate", vector_file, "--analogies", sets[2], "--method", "cos")
    assert wrong.code == 2
    assert "method must be one of '3cosadd', '3cosmul', got 'cos'" in wrong.message


def test_wrong_usage(wordgrad, vector_file, sets):
    nothing = wordgrad("evaluate", vector_file)
    assert nothing.code == 2
    assert "Name a test set with --similarity or --analogies" in nothing.message
    assert wordgrad("evaluate", "--similarity", sets[0]).code == 2


def test_a_bad_set_is_named_by_line(wordgrad, vector_file, sets):
    sets[0].write_text("man\tking\t5\nman\tking\n")
    outcome = wordgrad("evaluate", vector_file, "--similarity", sets[0])
    assert (outcome.code, outcome.out) == (1, "")
    assert "pairs.tsv, line 2: expected two words and a score" in outcome.message

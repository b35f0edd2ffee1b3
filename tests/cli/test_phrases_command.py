"""``wordgrad phrases``, and ``wordgrad train --phrases``."""

from __future__ import annotations

import pytest

from wordgrad import PhraseTable, learn_phrases, load

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    lines = [f"the bank of america in new york {n % 7} {n % 13} {n}" for n in range(99)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


OPTIONS = ["--threshold", 0.5, "--min-count", 30, "--connector-words", "english"]


def test_a_table_and_a_joined_text_are_written(wordgrad, text, tmp_path):
    table, joined = tmp_path / "t", tmp_path / "joined.txt"
    outcome = wordgrad("phrases", text, "-o", table, "--joined", joined, *OPTIONS)
    assert outcome.code == 0, outcome.err
    assert "3 phrases" in outcome.message
    assert PhraseTable.load(table) == learn_phrases(
        text, threshold=0.5, min_count=30, connector_words="english"
    )
    assert joined.read_text("utf-8").startswith("the bank_of_america in new_york 0 0 0\n")
    other = tmp_path / "other.txt"
    other.write_text("i love new york\n", encoding="utf-8")
    outcome = wordgrad("phrases", other, "--table", table, "--joined", tmp_path / "o.txt")
    assert outcome.code == 0
    assert "shorter by 1 words" in outcome.message
    assert (tmp_path / "o.txt").read_text("utf-8") == "i love new_york\n"


def test_connector_words_may_be_listed(wordgrad, text, tmp_path):
    options = ["--threshold", 0.5, "--connector-words", "of,in", "--delimiter", "+"]
    assert wordgrad("phrases", text, "-o", tmp_path / "t", *options).code == 0
    table = PhraseTable.load(tmp_path / "t")
    assert table.settings.connector_words == ("in", "of")
    assert "bank+of+america" in table.scores


def test_what_was_lost_is_said(wordgrad, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"new york {n} x_y" for n in range(99)), encoding="utf-8")
    outcome = wordgrad("phrases", path, "-o", tmp_path / "t", "--max-pairs", 20)
    assert outcome.code == 0
    assert "met more pairs than --max-pairs 20" in outcome.message
    assert "1 words of the text hold '_', 99 times" in outcome.message


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        ([], 2, "say what to write"),
        (["-o", "t", "--table", "u"], 2, "leave one of them out"),
        (["-o", "t", "--score", "pmi"], 2, "score must be"),
        (["-o", "t", "--delimiter", " "], 2, "delimiter must be"),
        (["--joined", "j", "--table", "missing"], 1, "cannot be opened"),
        (["-o", "missing/t"], 1, "does not exist"),
    ],
)
def test_nonsense_is_refused(wordgrad, text, monkeypatch, tmp_path, options, code, part):
    monkeypatch.chdir(tmp_path)
    outcome = wordgrad("phrases", text, *options)
    assert outcome.code == code
    assert part in outcome.message


def test_training_writes_its_phrases_beside_the_vectors(wordgrad, text, tmp_path):
    output, table = tmp_path / "v.safetensors", tmp_path / "table"
    settings = ["--vector-size", 4, "--min-count", 1, "--workers", 1, "--epochs", 1]
    assert wordgrad("phrases", text, "-o", table, *OPTIONS).code == 0
    outcome = wordgrad("train", text, "-o", output, "--phrases", table, *settings)
    assert outcome.code == 0, outcome.err
    assert "297 words were joined to phrases, of which there are 3:" in outcome.message
    beside = tmp_path / "v.safetensors.phrases"
    assert PhraseTable.load(beside) == PhraseTable.load(table)
    assert "bank_of_america" in load(output)
    again = wordgrad("train", text, "-o", tmp_path / "w.parquet", "--phrases", 2, *settings)
    assert again.code == 0
    assert len(PhraseTable.load(tmp_path / "w.parquet.phrases").passes) == 2
    output.unlink()
    refused = wordgrad("train", text, "-o", output, "--phrases", table, *settings)
    assert refused.code == 1
    assert "v.safetensors.phrases exists already" in refused.message

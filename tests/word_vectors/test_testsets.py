from __future__ import annotations

import pytest

from wordgrad.errors import InputError
from wordgrad.evaluation import Question, ScoredPair, read_pairs, read_questions


@pytest.fixture
def write(tmp_path):
    def writer(content):
        path = tmp_path / "set.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


@pytest.mark.parametrize(
    "content",
    [
        "old\tnew\t1.58\nsmart\tclever\t9\n",
        "old new 1.58\nsmart  clever\t9\n".replace("\t", " "),
        "old,new,1.58\nsmart, clever, 9\n",
        "old;new;1.58\nsmart ; clever ; 9\n",
        "old\tnew\t1.58\r\nsmart\tclever\t9.0\r\n",
        "\ufeffold\tnew\t1.58\nsmart\tclever\t9",
        "Word 1,Word 2,Human (mean)\nold,new,1.58\nsmart,clever,9\n",
        "# a comment\n\nold\tnew\t1.58\n\n# more\nsmart\tclever\t9\n\n",
        "word1\tword2\tPOS\tSimLex999\tconc\nold\tnew\tA\t1.58\t2.72\nsmart\tclever\tA\t9\t1\n",
        "old\tnew\t1.58\t5\t7\nsmart\tclever\t9\t1\t0\t3\n",
    ],
)
def test_published_layouts_are_read(write, content):
    assert read_pairs(write(content)) == [
        ScoredPair("old", "new", 1.58),
        ScoredPair("smart", "clever", 9.0),
    ]


def test_words_may_hold_spaces_between_tabs(write):
    assert read_pairs(write("New York\tcité\t-3e-1\n")) == [ScoredPair("New York", "cité", -0.3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\t1\nc\td\n", r"line 2: expected two words and a score in column 3, got 'c\\td'"),
        ("a\tb\t1\nc\td\tx\n", r"line 2: expected two words and a score in column 3"),
        ("a\tb\tX\t1\nc\td\t2\n", r"line 2: expected two words and a score in column 4"),
        ("a\tb\t1\n\n# x\nc\td\tnan\n", r"line 4: expected two words and a score"),
        ("a\tb\t1\nc\td\tinf\n", r"line 2: expected"),
        ("a b\n", r"line 1: expected two words and a score, got 'a b'"),
        ("head er row\nanother er row\n", r"line 2: expected two words and a score"),
        ("\tb\t1\nc\td\t1\n", r"line 1: expected"),
        (b"a\tb\t1\nc\t\xff\t2\n", r"line 2: not valid UTF-8; save the file as UTF-8"),
        ("", r"holds no word pairs"),
        ("word1\tword2\tscore\n", r"holds no word pairs"),
        (": capitals\na b c d\n", r"line 1: expected two words"),
    ],
)
def test_wrong_pairs_are_named_by_line(write, content, message):
    with pytest.raises(InputError, match=message):
        read_pairs(write(content))


def test_questions_are_read_by_section(write):
    content = ": capitals\nAthens Greece Oslo Norway\n\n: empty\n: plural\r\na as b bs\n"
    assert read_questions(write(content)) == {
        "capitals": [Question("Athens", "Greece", "Oslo", "Norway")],
        "empty": [],
        "plural": [Question("a", "as", "b", "bs")],
    }


def test_a_section_may_go_on_later(write):
    assert len(read_questions(write(": x\na b c d\n: y\na b c d\n: x\ne f g h\n"))["x"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": x\na b c\n", r"set\.txt, line 2: expected a question of four words, got 'a b c'"),
        (": x\na b c d e\n", r"line 2: expected a question of four words"),
        ("a b c d\n", r"line 1: a question before the first section; begin the file with"),
        (": x\na b c d\n\xff\n".encode("latin-1"), r"line 3: not valid UTF-8"),
        (": x\n", r"holds no analogy questions"),
        ("", r"holds no analogy questions"),
    ],
)
def test_wrong_questions_are_named_by_line(write, content, message):
    with pytest.raises(InputError, match=message):
        read_questions(write(content))


@pytest.mark.parametrize("read", [read_pairs, read_questions])
def test_files_that_cannot_be_read(read, tmp_path):
    with pytest.raises(InputError, match=r"no\.txt cannot be read \(No such file or directory\)"):
        read(tmp_path / "no.txt")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read(tmp_path)


def test_long_lines_are_shortened_in_messages(write):
    with pytest.raises(InputError, match=r"got 'x{57}\.\.\.'; mend"):
        read_pairs(write("x" * 5000))

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from wordgrad.corpus.sources import (
    Sentences,
    StandardInput,
    TextFile,
    is_table,
    resolve,
    texts_of,
)
from wordgrad.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files: a.txt b.txt.gz notes.md .hidden.txt sub/c.jsonl sub/.git/d.txt empty/ [x].txt"""
    for name in ["a.txt", "b.txt.gz", "notes.md", ".hidden.txt", "[x].txt", "sub/c.JSONL.zst",
                 "sub/.git/d.txt", "with space.txt"]:  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found):
    return [file.path.as_posix() for file in found]


@pytest.mark.parametrize(
    ("name", "form", "compression"),
    [
        ("a.txt", "text", None),
        ("a", "text", None),
        ("a.md", "text", None),
        ("a.gz", "text", "gzip"),
        ("a.TXT.GZ", "text", "gzip"),
        ("a.jsonl", "jsonl", None),
        ("a.ndjson.zst", "jsonl", "zstd"),
        ("a.csv.gz", "csv", "gzip"),
        ("a.tsv", "tsv", None),
        ("a.parquet", "parquet", None),
        ("a.b.c.csv", "csv", None),
    ],
)
def test_formats_by_suffix(name, form, compression):
    assert TextFile.from_path(Path(name)) == TextFile(Path(name), form, compression)


@pytest.mark.usefixtures("folder")
class TestPaths:
    @pytest.mark.parametrize("source", ["a.txt", Path("a.txt"), ["a.txt"], (Path("a.txt"),)])
    def test_one_file(self, source):
        assert names(resolve(source)) == ["a.txt"]

    def test_a_file_of_unknown_suffix_is_text(self):
        assert resolve("notes.md") == [TextFile(Path("notes.md"), "text", None)]

    def test_a_list_of_what_exists_is_files_whatever_the_suffix(self):
        assert names(resolve(["notes.md"])) == ["notes.md"]
        assert names(resolve(["sub", "notes.md"])) == ["sub/c.JSONL.zst", "notes.md"]
        assert names(resolve(["n*.md"])) == ["notes.md"]

    def test_standard_input(self):
        assert resolve("-") == [StandardInput()]
        assert resolve(["-", "a.txt"]) == [StandardInput(), TextFile(Path("a.txt"), "text", None)]

    def test_a_directory_is_searched_for_known_suffixes(self):
        assert names(resolve(".")) == [
            "[x].txt", "a.txt", "b.txt.gz", "sub/c.JSONL.zst", "with space.txt",
        ]  # fmt: skip

    def test_a_directory_without_text(self):
        with pytest.raises(InputError, match=r"directory empty holds no text.*\.txt.*\.parquet"):
            resolve("empty")

    def test_globs(self):
        assert names(resolve("*.txt")) == ["[x].txt", "a.txt", "with space.txt"]
        assert names(resolve("**/*.zst")) == ["sub/c.JSONL.zst"]
        with pytest.raises(InputError, match=r"No file matches 'x\*\.txt'"):
            resolve("x*.txt")

    def test_a_file_whose_name_looks_like_a_glob(self):
        assert names(resolve("[x].txt")) == ["[x].txt"]

    def test_several_in_the_order_given(self):
        assert names(resolve(["sub", "a.txt", "b*"])) == ["sub/c.JSONL.zst", "a.txt", "b.txt.gz"]

    @pytest.mark.parametrize(
        "source", ["missing.txt", "the cat sat", "", Path("missing"), "a\x00b"]
    )
    def test_no_such_file(self, source):
        with pytest.raises(InputError, match=r"There is no file or directory .*list of sentences"):
            resolve(source)

    @pytest.mark.parametrize(
        "source",
        [["a.txt", "missing.txt"], ["missing.txt", "a.txt"], ["missing dir", "a.txt"],
         ["sub", "a.txt", "missing dir"],
         ["a.txt", "missing"], ["missing.txt"], ["missing.txt", "missing.csv.gz"],
         [Path("a.txt"), "missing"]],
    )  # fmt: skip
    def test_a_list_in_which_a_file_is_missing(self, source):
        with pytest.raises(InputError, match="There is no file or directory 'missing"):
            resolve(source)

    def test_sentences_that_look_a_little_like_files(self):
        for items in [
            ["the cat", "sat"],
            ["we read a.txt", "and missing.txt"],
            ["see missing.txt"],
            ["word"],
            ["word", "a"],
            ["-ish words", "- or not"],
            ["x" * 10_000],
            ["a\x00b", "c"],
            [],
        ]:
            assert resolve(items) == Sentences(items)

    @pytest.mark.parametrize("first", [".", "-", "*", "sub", "empty", "notes.md", "sub/*", "**"])
    @pytest.mark.parametrize("kind", [list, tuple])
    def test_a_sentence_that_names_something_here_is_a_sentence(self, first, kind):
        items = kind([first, "the king rules", "the queen rules"])
        assert resolve(items) == Sentences(items)
        assert resolve(items[::-1]) == Sentences(items[::-1])

    def test_a_list_of_one_that_exists_is_a_path(self):
        assert names(resolve(["notes.md"])) == ["notes.md"]
        assert resolve(["-"]) == [StandardInput()]
        assert names(resolve(["with space.txt"])) == ["with space.txt"]

    @pytest.mark.parametrize("items", [["notes.md", "missing"], ["word", "sub"], ["-", "word"]])
    def test_words_of_which_some_exist_could_be_either(self, items):
        message = (
            r"could be paths or sentences of one word: there is '.*', but no '.*pathlib\.Path.*"
        )
        with pytest.raises(InputError, match=message + r"iter\(sentences\)"):
            resolve(items)
        with pytest.raises(InputError, match="There is no file or directory"):
            resolve([Path(item) for item in items])
        assert isinstance(resolve(iter(items)), Sentences)

    def test_an_iterator_is_sentences_whatever_it_holds(self):
        iterator = iter(["a.txt"])
        assert resolve(iterator).items is iterator

    def test_paths_do_not_mix_with_anything_else(self):
        with pytest.raises(InputError, match="list of paths holds a list"):
            resolve([Path("a.txt"), ["a", "b"]])


@pytest.mark.parametrize(
    "items", [[["a", "b"]], (("a",),), {"a b"}, np.array(["a b", "c"]), (s for s in ["a"])]
)
def test_other_iterables_are_sentences(items):
    assert resolve(items).items is items


def test_what_is_no_text():
    with pytest.raises(InputError, match="must be str, got bytes"):
        resolve(b"corpus.txt")
    with pytest.raises(InputError, match="iterable of sentences, got int"):
        resolve(3)
    with pytest.raises(InputError, match="got an array of one; put it in a list"):
        resolve(np.array("a sentence"))


def test_a_long_list_of_sentences_is_not_looked_up_on_disk(monkeypatch):
    looked = []
    monkeypatch.setattr("os.path.exists", lambda name: looked.append(name))
    assert isinstance(resolve(["a sentence"] * 1000), Sentences)
    assert len(looked) <= 1


class TestTextsOf:
    """Tables and columns in memory, of whatever library; pandas and Arrow have the same names."""

    class Table:
        def __init__(self, columns):
            self._columns = columns

        def __getitem__(self, name):
            return self._columns[name]

        def __iter__(self):  # pandas gives names, Polars columns
            return iter(self._columns)

    class Frame(Table):
        @property
        def columns(self):
            return np.array(list(self._columns), object)

    class ArrowTable(Table):
        """Its columns are arrays, and its strings are no str until they are converted."""

        def __init__(self, columns):
            super().__init__({name: TestTextsOf.ArrowArray(c) for name, c in columns.items()})
            self.column_names = list(columns)
            self.columns = list(self._columns.values())

    class ArrowArray:
        type = "string"

        def __init__(self, values):
            self._values = values

        def __iter__(self):
            return iter(map(bytes, self._values))

        def to_pylist(self):
            return self._values

    @pytest.mark.parametrize("kind", [dict, pl.DataFrame, Frame, ArrowTable])
    def test_the_column_that_is_meant(self, kind):
        texts = ["a joy", "dull"]
        assert texts_of(kind({"n": [1, 2], "text": texts, "note": ["x", "y"]})) == texts
        assert texts_of(kind({"n": [1, 2], "body": texts})) == texts
        assert texts_of(kind({"body": texts})) == texts
        assert texts_of(kind({"text": ["x", "y"], "body": texts}), "body") == texts
        assert is_table(kind({"body": texts}))
        with pytest.raises(InputError, match=r"2 columns of strings.* its columns are 'a', 'b'"):
            texts_of(kind({"a": texts, "b": texts}))
        with pytest.raises(InputError, match=r"0 columns of strings.* its columns are 'a', 'b'"):
            texts_of(kind({"a": [1], "b": [2]}))
        with pytest.raises(InputError, match="has no column 'c'; its columns are 'a'"):
            texts_of(kind({"a": texts}), "c")

    @pytest.mark.parametrize("kind", [pl.Series, ArrowArray, np.array])
    def test_a_column_is_its_values(self, kind):
        assert texts_of(kind(["a joy", "dull"])) == ["a joy", "dull"]
        assert not is_table(kind(["a joy"]))

    def test_missing_values_stay_for_the_caller_to_refuse(self):
        assert texts_of(pl.DataFrame({"text": ["a", None]})) == ["a", None]

    @pytest.mark.parametrize("given", [["a"], ("a",), "a", Path("a"), None, np.array([["a"]])])
    def test_anything_else_stays_as_it_is(self, given):
        assert texts_of(given) is given

    def test_what_cannot_be_taken_apart_is_named(self):
        with pytest.raises(InputError, match=r"The LazyFrame of polars holds no rows.*collect\(\)"):
            texts_of(pl.LazyFrame({"text": ["a"]}))
        with pytest.raises(InputError, match=r"column 'text' of the dict is no list.*type str"):
            texts_of({"text": "one text"})
        twice = np.zeros(2, dtype=[("a", "U1"), ("b", "U1")])
        assert texts_of(twice, "a") == ["", ""]
        with pytest.raises(InputError, match="2 times the column 'a'"):
            texts_of(self.Twice({"a": ["x"]}), "a")

    class Twice(Table):
        column_names = ("a", "a")

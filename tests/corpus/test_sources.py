from pathlib import Path

import numpy as np
import pytest

from wordgrad.corpus.sources import Sentences, StandardInput, TextFile, resolve
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


def test_a_long_list_of_sentences_is_not_looked_up_on_disk(monkeypatch):
    looked = []
    monkeypatch.setattr("os.path.exists", lambda name: looked.append(name))
    assert isinstance(resolve(["a sentence"] * 1000), Sentences)
    assert len(looked) <= 1

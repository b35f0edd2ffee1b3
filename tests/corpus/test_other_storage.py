"""Text on other storage: the same as that of the same files here, and one sentence if it fails."""

import gzip
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wordgrad.corpus.corpus import encode_corpus, encode_validation
from wordgrad.corpus.labelled import read_labelled
from wordgrad.corpus.reader import read_lines
from wordgrad.corpus.sources import TextFile, are_paths, cut_file, find_parts, resolve
from wordgrad.errors import InputError
from wordgrad.storage import files_at, is_url, path_of

pytest.importorskip("upath")
fsspec = pytest.importorskip("fsspec")
LINES = [f"the {i % 7} cat sat on mat {i % 31} naïve" for i in range(3000)]
TEXT = "\n".join(LINES).encode()
ENDINGS = (".txt", ".gz", ".zst", ".jsonl", ".csv", ".parquet")


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    for name in ("a", "sub", "sub-b", ".hidden"):
        (folder / name).mkdir()
    (folder / "a" / "plain.txt").write_bytes(TEXT)
    (folder / "a" / "odd [1] é.txt").write_bytes(b"odd name\n" * 5)
    (folder / "a" / "notes.md").write_bytes(b"no text of a folder\n")
    (folder / "sub" / "b.jsonl.gz").write_bytes(
        gzip.compress("".join(f'{{"text": "{line}", "n": 1}}\n' for line in LINES).encode())
    )
    (folder / "sub-b" / "c.txt.zst").write_bytes(zstandard.compress(TEXT))
    (folder / "sub-b" / ".c.txt").write_bytes(b"hidden\n")
    (folder / ".hidden" / "d.txt").write_bytes(b"hidden\n")
    (folder / "sub" / "d.csv").write_text("text,n\n" + "\n".join(f"{x},1" for x in LINES))
    frame = pl.DataFrame({"text": LINES, "n": range(len(LINES))})
    frame.write_parquet(folder / "sub" / "e.parquet", row_group_size=500)
    return folder


@pytest.fixture(params=["memory", "s3"])
def there(request, here) -> str:
    """Where the same files are on other storage."""
    if request.param == "s3":
        request.getfixturevalue("s3_server")
    url = f"{request.param}://bucket/text"
    system = path_of(url).fs
    system.makedirs("bucket", exist_ok=True)
    for file in here.rglob("*"):
        if file.is_file():
            system.pipe_file(f"bucket/text/{file.relative_to(here).as_posix()}", file.read_bytes())
    return url


def _names(files, root) -> list[str]:
    return [str(file.path).removeprefix(str(root)) for file in files]


@pytest.mark.parametrize(
    "pattern",
    ["", "/a", "/a/plain.txt", "/*/*.txt", "/**/*.txt", "/a/odd [1] é.txt", "/sub*/[b-d]*"],
)
def test_files_are_found_in_the_same_order(here, there, pattern) -> None:
    files = resolve(there + pattern)
    assert _names(files, there) == _names(resolve(str(here) + pattern), here)
    assert [file.size for file in files] == [file.size for file in resolve(str(here) + pattern)]
    assert [file.format for file in files] == [file.format for file in resolve(f"{here}{pattern}")]


def test_words_and_tokens_are_the_same(here, there) -> None:
    options = {"min_count": 2, "workers": 1, "column": "text"}
    with (
        encode_corpus(str(here), **options) as expected,
        encode_corpus(there, **options) as found,
    ):
        assert found.vocabulary.words == expected.vocabulary.words
        np.testing.assert_array_equal(found.vocabulary.counts, expected.vocabulary.counts)
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_array_equal(found.offsets, expected.offsets)
        assert found.report.bytes_read == expected.report.bytes_read
        names = ["/sub-b/c.txt.zst", "/sub/e.parquet"]
        held_out = encode_validation([there + name for name in names], expected.vocabulary)
        again = encode_validation([here / name[1:] for name in names], expected.vocabulary)
        np.testing.assert_array_equal(held_out.ids, again.ids)


def test_classifiers_read_it_too(there) -> None:
    assert [t for lines in read_lines(f"{there}/sub/b.jsonl.gz") for t in lines.texts] == LINES
    system = path_of(there).fs
    system.pipe_file("bucket/labelled/a.txt", b"__label__good a joy\n__label__bad dull\n")
    found = read_labelled(there.replace("/text", "/labelled/a.txt"))
    assert (found.texts, found.labels) == (["a joy", "dull"], ["good", "bad"])


@pytest.mark.parametrize("n_parts", [1, 7, 100])
def test_a_large_plain_file_is_cut_at_the_same_line_ends(here, there, n_parts) -> None:
    expected = find_parts(str(here), n_parts, 1 << 20)
    found = find_parts(there, n_parts, 1 << 20)
    assert [(p.start, p.size, Path(str(p.path)).name) for p in found] == [
        (p.start, p.size, p.path.name) for p in expected
    ]
    parts = [part for part in found if str(part.path).endswith("plain.txt")]
    assert len(parts) >= min(n_parts // 4, 1)
    with (
        encode_corpus(parts, min_count=1) as pieces,
        encode_corpus(f"{there}/a/plain.txt", min_count=1) as whole,
    ):
        np.testing.assert_array_equal(pieces.ids, whole.ids)


@given(
    st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=30),
    st.integers(1, 20),
    st.integers(1, 5),
)
@example([b"a line of which nothing ends", b""], 3, 1)
@settings(max_examples=200)
def test_cuts_are_after_lines(lines, step, looked_at) -> None:
    data = b"\n".join(lines)
    fsspec.filesystem("memory").pipe_file("/cut/a.txt", data)
    found = resolve("memory://cut/a.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wordgrad.storage._LINE", looked_at)
        patch.setattr("wordgrad.storage.BLOCK", 3 * looked_at)
        parts = cut_file(found[0], step)
    edges = [part.start for part in parts] + [parts[-1].stop]
    assert edges[0] == 0
    assert edges[-1] == len(data)
    assert all(data[edge - 1 : edge] == b"\n" for edge in edges[1:-1])
    # Whatever line a place is in, it ends a part: none is longer than a step and a line.
    ends = {data.find(b"\n", place - 1) + 1 for place in range(step, len(data), step)} - {0}
    assert ends | {0, len(data)} == set(edges)


def test_lists_of_urls_are_paths_and_other_lists_as_before(there) -> None:
    urls = [f"{there}/a/plain.txt", f"{there}/sub/d.csv"]
    assert are_paths(urls)
    assert _names(resolve(urls), there) == ["/a/plain.txt", "/sub/d.csv"]
    assert _names(resolve([path_of(url) for url in urls]), there) == ["/a/plain.txt", "/sub/d.csv"]
    assert are_paths(path_of(urls[0]))
    assert _names(resolve(path_of(urls[0])), there) == ["/a/plain.txt"]
    assert not are_paths(["see https://example.org/a.txt", "for more"])
    assert not are_paths(["see", "https://example.org/a.txt"])


def test_names_of_web_pages_have_no_query_in_their_suffix() -> None:
    file = TextFile.from_path(path_of("https://example.org/a.jsonl.gz?signature=x.txt"))
    assert (file.format, file.compression) == ("jsonl", "gzip")
    assert not is_url(path_of("file:///text/a.txt"))
    assert path_of("file:///with%20blank") == Path("/with blank")


class TestFailures:
    """One sentence each: the name, what is wrong, what helps."""

    def test_nothing_there(self, there) -> None:
        with pytest.raises(InputError, match=r"nothing at '.*/none.txt'; check the name"):
            resolve(f"{there}/none.txt")
        with pytest.raises(InputError, match=r"leads to no file; check the pattern"):
            resolve(f"{there}/x*.txt")
        path_of(there).fs.pipe_file("bucket/bare/a.md", b"text")
        with pytest.raises(InputError, match=r"leads to no file.*suffixes \.txt"):
            resolve(f"{there}/../bare".replace("text/../", ""))

    def test_no_bucket(self, s3_server) -> None:
        with pytest.raises(InputError, match=r"nothing at 's3://no-such-bucket/a\.txt'"):
            resolve("s3://no-such-bucket/a.txt")

    def test_no_driver(self, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "gcsfs", None)
        with pytest.raises(InputError, match=r"gs://a/b\.txt cannot be read .*gcsfs.*drivers"):
            resolve("gs://a/b.txt")
        with pytest.raises(InputError, match=r"cannot be read \(.*nonesuch.*check the name"):
            resolve("nonesuch://a/b.txt")
        monkeypatch.setitem(sys.modules, "upath", None)
        with pytest.raises(InputError, match=r"universal-pathlib; install it with .*cloud"):
            resolve("memory://a/b.txt")

    @pytest.mark.parametrize(
        "error", [PermissionError("Forbidden"), RuntimeError("No credentials\nsecond line")]
    )
    def test_no_permission(self, monkeypatch, error) -> None:
        def refused(*args, **options):
            raise error

        monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", refused)
        with pytest.raises(InputError, match=r"cannot be read \((Forbidden|No credentials)\); che"):
            resolve("memory://bucket/text")

    @pytest.mark.parametrize("error", [OSError("reset"), RuntimeError("reset"), None])
    @pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst", "a.jsonl", "a.csv"])
    def test_a_read_that_is_interrupted(self, monkeypatch, name, error) -> None:
        line = b'{"text": "some words"}\n' if "json" in name else b"some words\n"
        data = line * 300_000
        packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(name[-4:].lstrip("t"))
        data = packed(data) if packed else data
        system = fsspec.filesystem("memory")
        system.pipe_file(f"/broken/{name}", data)
        files = resolve(f"memory://broken/{name}")
        if error is None:  # it became shorter meanwhile
            system.pipe_file(f"/broken/{name}", data[: len(data) // 2])
            what = r"early: it has changed"
        else:
            what = "reset"
            read = type(system.open(f"/broken/{name}")).read

            def reads_on(self, size=-1):
                if self.tell() > 100:
                    raise error
                return read(self, min(size, 200) if size > 0 else size)

            monkeypatch.setattr("fsspec.implementations.memory.MemoryFile.read", reads_on)
        with pytest.raises(InputError, match=rf"memory://broken/{name} cannot be read.*{what}"):
            encode_corpus(files, min_count=1)

    def test_a_table_that_cannot_be_fetched(self, monkeypatch, there) -> None:
        files = resolve(f"{there}/sub/e.parquet")
        if there.startswith("memory"):
            monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10}))
            with pytest.raises(InputError, match=r"e\.parquet has .* room for 10;.*TMPDIR"):
                encode_corpus(files, min_count=1)
            monkeypatch.undo()
        path_of(there).fs.rm("bucket/text/sub/e.parquet")
        with pytest.raises(InputError, match=r"e\.parquet cannot be read \(.*; check the name"):
            encode_corpus(files, min_count=1)

    def test_a_size_that_is_not_told(self, monkeypatch) -> None:
        fsspec.filesystem("memory").pipe_file("/sizes/a.txt", b"text")
        monkeypatch.setattr(
            "fsspec.implementations.memory.MemoryFileSystem.info",
            lambda self, path: {"name": path, "size": None, "type": "file"},
        )
        with pytest.raises(InputError, match=r"no size that its server tells; download it"):
            files_at("memory://sizes/a.txt", ENDINGS)

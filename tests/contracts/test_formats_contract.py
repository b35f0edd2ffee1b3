"""What every file format keeps, over every format there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError, FormatWarning, InputError, OutputError
from wordgrad.io import parquet
from wordgrad.io.formats import FORMATS
from wordgrad.word_vectors import WordVectors, load

WORDS = ["the", "naïve", "東京", "no\u00a0break", "🙂", '"quoted', "#,;'", "e\u0301", "null", "nan"]
WORDS += ["\ufeffmark", "7", "-1.5e3", "line\u2028end\u0085", "</s>"]
METADATA = {"training": {"epochs": 5, "column": None}, "history": [{"loss": 2.5}], "é": "ü"}
WRITABLE = [known for known in FORMATS if known.endings]
REFUSES = {  # what a word may not hold
    "word2vec-text": " \n",
    "word2vec-binary": " \n",
    "glove": " \t\n",
    "tsv": "\t\n\r",
}
CHECKSUMS = {"safetensors", "safetensors-shards", "npz", "parquet"}


@pytest.fixture(params=WRITABLE, ids=lambda known: known.name)
def known(request):
    return request.param


@pytest.fixture
def saved(tmp_path, known):
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    vectors = WordVectors(WORDS, matrix, np.arange(len(WORDS))[::-1], METADATA)
    path = tmp_path / f"v{known.endings[0]}"
    vectors.save(path)
    return path, vectors


def holds(known, word):
    if known.name == "npz":
        return not word.endswith("\0")
    if known.name == "tsv" and not word.strip().strip("\ufeff"):
        return False
    return not set(word) & set(REFUSES.get(known.name, ""))


def same(a, b):
    return a.words == b.words and a.matrix.tobytes() == b.matrix.tobytes()


def test_round_trip(saved, known):
    path, vectors = saved
    again = load(path)
    assert again.words == vectors.words
    assert again.matrix.tobytes() == vectors.matrix.tobytes()
    if "counts" in known.keeps:
        assert (again.counts == vectors.counts).all()
    else:
        assert again.counts is None
    assert again.metadata == (METADATA if "metadata" in known.keeps else {})
    assert [word for word, _ in again.most_similar("the")] == [
        word for word, _ in vectors.most_similar("the")
    ]
    with pytest.raises(ValueError, match="read-only"):
        again.matrix[0, 0] = 1.0


def test_counts_may_be_missing(tmp_path, known):
    path = tmp_path / f"v{known.endings[0]}"
    WordVectors(["a"], [[1.0]]).save(path)
    again = load(path)
    assert again.counts is None
    assert again.metadata == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    words=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), unique=True, min_size=1),
    size=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_any_vectors_survive_or_are_refused(tmp_path, known, words, size, seed):
    bits = np.random.default_rng(seed).integers(0, 2**32, (len(words), size), dtype=np.uint32)
    matrix = bits.view(np.float32)
    matrix[~np.isfinite(matrix)] = -0.0
    path = tmp_path / f"v{known.endings[0]}"
    bad = [word for word in words if not holds(known, word)]
    if bad:
        with pytest.raises(OutputError, match=r"cannot be written as .* or choose .*safetensors"):
            WordVectors(words, matrix).save(path, overwrite=True)
        words = [word for word in words if word not in bad]
        if not words:
            return
        matrix = matrix[: len(words)]
    WordVectors(words, matrix).save(path, overwrite=True)
    again = load(path, format=known.name)
    assert list(again.words) == words
    assert again.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize("word", ["a b", " ", "", "\n", "a\tb", "a\r", "end\0", "\u00a0"])
def test_a_word_is_kept_or_refused_by_name(tmp_path, known, word):
    path = tmp_path / f"v{known.endings[0]}"
    vectors = WordVectors(["first", word], [[1.0, 2.0], [3.0, 4.0]])
    if holds(known, word):
        vectors.save(path)
        assert same(load(path), vectors)
    else:
        with pytest.raises(OutputError) as caught:
            vectors.save(path)
        assert str(caught.value).startswith(f"The word {word!r} in row 1 cannot be written as ")
        assert os.listdir(tmp_path) == []


def test_a_flipped_bit_is_found_or_harmless(tmp_path, known, monkeypatch):
    """No flip may end in another exception; a checksum lets no flip change a value."""
    # Files whose checksum cannot be found are tried in a process of their own: one for each of
    # those flips would take long, and the tests of Parquet have some.
    monkeypatch.setattr(parquet, "read_in_subprocess", lambda path, module: None)
    path = tmp_path / f"v{known.endings[0]}"
    vectors = WordVectors(["the", "naïve", "東"], [[0.5, -3e-5], [1.25, 0.1], [7, 8]], [9, 4, 1])
    vectors.save(path)
    whole = path.read_bytes()
    bad = tmp_path / f"bad{known.endings[0]}"
    if known.paired:
        known.companion(bad).write_bytes(known.companion(path).read_bytes())
    found = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        bad.write_bytes(damaged)
        try:
            again = load(bad)
        except (FormatError, FormatWarning) as error:
            found += "bad" in str(error)
        else:
            assert known.name != "safetensors"
            assert known.name not in CHECKSUMS or same(again, vectors)
            assert np.isfinite(again.matrix).all()
    assert found > (len(whole) // 2 if known.name in CHECKSUMS else 5)


def test_every_cut_is_found(saved, tmp_path, known):
    path, vectors = saved
    whole = path.read_bytes()
    bad = tmp_path / f"bad{known.endings[0]}"
    if known.paired:
        known.companion(bad).write_bytes(known.companion(path).read_bytes())
    for length in range(0, len(whole), 7):
        if known.name == "glove" and whole[:length].endswith(b"\n"):
            continue  # fewer lines are a smaller file, and nothing tells
        bad.write_bytes(whole[:length])
        if known.name == "word2vec-binary" and length == len(whole) - 1:
            assert same(load(bad), vectors)  # the last line feed may be missing
            continue
        expected: tuple[type[Exception], ...] = (FormatError,)
        if known.streamed and known.name != "word2vec-binary":
            # A last line without its end may lack digits of its last number, and nothing tells; a
            # first line, where no header tells how long it is, numbers.
            if length > whole.rstrip().rindex(b"\t" if known.paired else b" "):
                expected = (FormatWarning,)
            elif known.name == "glove":
                last = whole[:length].rpartition(b"\n")[2]
                expected = (FormatWarning,) if last.count(b" ") == 5 else expected
                expected = (FormatError, FormatWarning) if last == whole[:length] else expected
        with pytest.raises(expected, match="bad"):
            load(bad)


def test_values_that_are_not_finite(tmp_path, known):
    path = tmp_path / f"v{known.endings[0]}"
    matrix = np.array([[1, 2], [3, np.nan], [-np.inf, np.inf]], np.float32)
    source = tmp_path / "source.txt"
    source.write_text("3 2\na 1 2\nb 3 nan\nc -inf inf\n")
    vectors = load(source, allow_nonfinite=True)
    vectors.save(path, overwrite=True)
    with pytest.raises(FormatError, match=r"holds nan in (line|row) \d"):
        load(path)
    again = load(path, allow_nonfinite=True)
    np.testing.assert_array_equal(again.matrix, matrix)
    assert again["a"].tolist() == [1, 2]
    with pytest.raises(FormatError, match="not finite"):
        again["b"]
    with pytest.raises(FormatError, match=r"holds nan in row 1"):
        again.most_similar("a")


def test_an_existing_file_is_kept_unless_overwritten(saved):
    path, vectors = saved
    before = path.read_bytes()
    other = WordVectors(["x"], [[1.0]])
    with pytest.raises(OutputError, match="exists already"):
        other.save(path)
    assert path.read_bytes() == before
    other.save(path, overwrite=True)
    assert load(path).words == ("x",)
    assert vectors.words == tuple(WORDS)


def test_vectors_outlive_the_file_they_were_read_from(saved):
    path, vectors = saved
    again = load(path)
    WordVectors(["x"], [[1.0]]).save(path, overwrite=True)
    assert same(again, vectors)


def test_a_failed_write_leaves_nothing(tmp_path, known):
    path = tmp_path / f"v{known.endings[0]}"
    with pytest.raises(OutputError, match="cannot be written as UTF-8"):
        WordVectors(["\ud800"], [[1.0]]).save(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_fills_is_one_sentence(tmp_path, known):
    """A limit on file sizes stands for the full disk: the write fails half way."""
    program = f"""
        import resource, signal
        import numpy as np
        from wordgrad.errors import OutputError
        from wordgrad import WordVectors
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            matrix = np.random.default_rng(0).normal(size=(1000, 8))
            WordVectors([str(i) for i in range(1000)], matrix).save("v{known.endings[0]}")
        except OutputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    named = r"v-00001-of-00001\.safetensors" if known.sharded else re.escape(f"v{known.endings[0]}")
    assert re.match(rf"{named} could not be written \(", done.stdout)
    assert os.listdir(tmp_path) == []


def test_files_that_are_not_there(tmp_path, known):
    with pytest.raises(InputError, match=r"no\.[\w.]+ cannot be opened \(No such file"):
        load(tmp_path / f"no{known.endings[0]}")
    with pytest.raises(InputError, match=r"no\.[\w.]+ cannot be opened \(No such file"):
        load(tmp_path / f"no{known.endings[0]}", format=known.name)
    with pytest.raises(InputError, match="is a directory; name a file"):
        load(tmp_path)
    with pytest.raises(OutputError, match=r"output folder .* does not exist"):
        WordVectors(["x"], [[1.0]]).save(tmp_path / "no" / f"v{known.endings[0]}")


@pytest.mark.parametrize("name", ["v", "v.model", "safetensors", "v.safetensors.gz"])
def test_endings_that_mean_nothing(tmp_path, name):
    with pytest.raises(OutputError, match=r"end it in \.safetensors, .*\.glove, .*\.parquet\."):
        WordVectors(["x"], [[1.0]]).save(tmp_path / name)


@pytest.mark.parametrize("other", [known.name for known in FORMATS])
def test_a_file_of_one_format_read_as_another(saved, known, other):
    path, vectors = saved
    if other == known.name:
        assert same(load(path, format=other), vectors)
    else:
        with pytest.raises(FormatError, match=r"v\.[\w.]+ "):
            load(path, format=other)


@pytest.mark.parametrize("other", WRITABLE, ids=lambda one: one.name)
def test_a_file_named_like_another(saved, tmp_path, known, other):
    path, vectors = saved
    renamed = tmp_path / f"renamed{other.endings[0]}"
    path.rename(renamed)
    if known.paired:
        known.companion(path).rename(known.companion(renamed))
    if known is other or (known.name, other.name) == ("glove", "word2vec-text"):
        assert same(load(renamed), vectors)
    else:
        with pytest.raises(FormatError, match=rf"holds {known.title}; rename it, .* --from"):
            load(renamed)
        assert same(load(renamed, format=known.name), vectors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not a whole|does not begin|empty|no number|has 0 values|not end with"),
        (b"\x80\x04\x95pickle", "a Python pickle, which could run code and is never read"),
        (b"\x1f\x8b\x08\x00zip", "other.* is cut short: its .*compressed"),
        (b"\x93NUMPY\x01\x00", "a lone NumPy array"),
        (bytes(100), "other"),
        (b"word \xff\xfe\n", "other"),
    ],
)
def test_files_of_no_known_format(tmp_path, known, content, message):
    path = tmp_path / f"other{known.endings[0]}"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        load(path)

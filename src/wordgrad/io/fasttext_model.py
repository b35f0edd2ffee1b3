"""A model file of fastText, ``.bin`` or ``.ftz``: settings, dictionary, both matrices.

Layout
------
As fastText 0.9 writes it (``FastText::saveModel``, ``Args::save``, ``Dictionary::save``,
``DenseMatrix::save``, ``QuantMatrix::save``, ``ProductQuantizer::save``); all numbers are
little-endian, without padding:

======================== ======================================================================
int32                    793712314, the format's number
int32                    version: 12, or 11
12 int32                 dim (D), ws, epoch, minCount, neg, wordNgrams, loss (1 hierarchical
                         softmax, 2 negative sampling, 3 softmax, 4 one-vs-all), model (1 CBOW,
                         2 skip-gram, 3 supervised), bucket, minn, maxn, lrUpdateRate
float64                  t
3 int32                  entries, words (V), labels (L)
2 int64                  tokens, pruned n-grams (-1: none were pruned)
for each entry:          its bytes, a zero byte, int64 count, int8 type (0 word, 1 label); the
                         words come first
for each pruned n-gram:  int32 hash below ``bucket``, int32 row after the words'
bool                     whether the input matrix is quantised (``.ftz``)
a matrix                 the input: V rows of words, then those of n-grams
bool                     whether the output matrix is quantised; counts where the input is
a matrix                 the output: L rows in a supervised model, else V
======================== ======================================================================

A matrix is two int64, rows and columns, and float32 each; or, quantised, bool ``qnorm``, two int64,
int32 bytes of codes, the codes, a product quantiser, and for ``qnorm`` one byte a row and a second
product quantiser, of dimension 1, for the rows' norms.  Files of before version 11 (2016) begin
with dim, and lack the format's number, the version, the number of pruned n-grams and both bools.
A product quantiser (Jégou, Douze and
Schmid 2011) is four int32 (dim, parts, width of a part, width of the last part) and 256 x dim
float32: the 256 centroids of one part after those of another.

Design
------
Matrices are mapped, and cost memory by the rows that are used.  Where the head and the matrices'
own heads leave no doubt about where these begin (a ``.bin`` that is not quantised), a large
dictionary is read when it is needed, by a compiled scan; before that, single words are searched in
the mapped bytes, for which nothing need be compiled or kept.  Every length
and index is compared with the file before memory is asked for, so that a damaged file is an error
in one sentence.  What is written is read again by fastText itself: version 12, the
centroids of norms that are fewer than 256 followed by zeros.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import FormatError, InputError, OutputError
from wordgrad.files import atomic_write, check_output
from wordgrad.subwords import Rows

MAGIC = struct.pack("<i", 793712314)
VERSIONS = (11, 12)
FIRST_VERSION = 0
"""Of files of before there were versions."""

HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
CBOW, SKIP_GRAM, SUPERVISED = 1, 2, 3
CENTROIDS = 256
"""Of each part of a product quantiser: a code is one byte."""

LONGEST = 1000
"""Characters or words in an n-gram: a long text would keep a damaged file busy for hours."""

ROWS_AT_ONCE = 1 << 14
READ_AT_ONCE = 1 << 13
"""A dictionary of so many entries is read when the file is opened."""

NEAR = 1 << 18
"""Words so many bytes into a large dictionary, the frequent ones, are counted to without it."""

REMEDY = "fetch a whole copy."
_HEAD = struct.Struct("<4si12id3i2q")
_FIRST_HEAD = struct.Struct("<12id3iq")
_ENTRY = re.compile(rb"[^\0]*\0.{9}", re.DOTALL)
_SHAPE = struct.Struct("<2q")
_QUANTISED = struct.Struct("<?2qi")
_QUANTISER = struct.Struct("<4i")


@dataclass(frozen=True)
class Settings:
    """What the model was trained with, by fastText's names in this house's spelling."""

    dim: int
    ws: int
    epoch: int
    min_count: int
    neg: int
    word_ngrams: int
    loss: int
    model: int
    bucket: int
    minn: int
    maxn: int
    lr_update_rate: int
    t: float


@dataclass(frozen=True)
class DenseMatrix:
    """Rows as the file has them.

    Attributes
    ----------
    values : float32 (rows, D), read-only
        Mapped; its first byte may lie at any address.
    """

    values: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.values.shape[0], self.values.shape[1]

    def rows(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return rows ``ids`` as float32 (n, D)."""
        return np.asarray(self.values[np.asarray(ids, dtype=np.int64)], dtype=np.float32)

    def columns(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return some columns of some rows, as they lie in the file."""
        return self.values[rows, columns]


@dataclass(frozen=True)
class QuantisedMatrix:
    """Rows kept as one byte for each part, and perhaps their norms.

    Attributes
    ----------
    codes : uint8 (rows, parts), mapped
    centroids : float32 (256 * D,)
        256 rows of the first part, then those of the second...
    width : int
        Columns of every part but the last, which has what is left.
    columns : int
        D.
    norms : float32 (rows,) or None
    """

    codes: NDArray[np.uint8]
    centroids: NDArray[np.float32]
    width: int
    columns: int
    norms: NDArray[np.float32] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[0], self.columns

    def rows(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return rows ``ids``, decoded, as float32 (n, D)."""
        ids = np.asarray(ids, dtype=np.int64)
        found = self.directions(ids)
        if self.norms is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # whoever uses them looks at them
                found *= self.norms[ids][:, None]
        return found

    def directions(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows ``ids`` as float32 (n, D) before they are multiplied by their norms."""
        codes = self.codes[ids]
        found = np.empty((len(ids), self.columns), dtype=np.float32)
        for part in range(self.codes.shape[1]):
            first = part * self.width
            last = min(first + self.width, self.columns)
            table = self.centroids[CENTROIDS * first : CENTROIDS * last]
            found[:, first:last] = table.reshape(CENTROIDS, last - first)[codes[:, part]]
        return found


Matrix: TypeAlias = DenseMatrix | QuantisedMatrix


class Dictionary(NamedTuple):
    """The entries of a model; see :class:`FastTextModel`."""

    text: bytes
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class FastTextModel:
    """What a model file of fastText holds.

    Attributes
    ----------
    path : Path or None
        The file, whose bytes the matrices may be; None for a model that was made here.
    version : int
    settings : Settings
        ``maxn`` is 0 for a supervised model of before version 12, whatever the file says: such
        models were trained without character n-grams.
    n_words, n_labels, n_tokens : int
    pruned : int32 (P, 2) or None
        Hash below ``bucket`` and row after the words' of the n-grams that pruning kept, by rising
        hash; None if all were kept.
    input : DenseMatrix or QuantisedMatrix, n_words rows and those of n-grams
    output : DenseMatrix or QuantisedMatrix or None
        None if the file ends before it.
    read_dictionary : callable
        Returns the dictionary; called once.
    search : callable, optional
        Returns the row of a word, -1 if it is not there, or None if that is not settled without
        the dictionary.
    """

    path: Path | None
    version: int
    settings: Settings
    n_words: int
    n_labels: int
    n_tokens: int
    pruned: NDArray[np.int32] | None
    input: Matrix
    output: Matrix | None
    read_dictionary: Callable[[], Dictionary]
    search: Callable[[bytes], int | None] | None = None

    @cached_property
    def dictionary(self) -> Dictionary:
        """Words, labels and their counts.

        Raises
        ------
        FormatError
            It is damaged.
        """
        return self.read_dictionary()

    @property
    def text(self) -> bytes:
        """The entries, words before labels, one after another."""
        return self.dictionary.text

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Entry e is ``text[offsets[e] : offsets[e + 1]]``; int64 (n_words + n_labels + 1,)."""
        return self.dictionary.offsets

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each entry was seen, int64 (n_words + n_labels,)."""
        return self.dictionary.counts

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return "The model" if self.path is None else str(self.path)

    def entry(self, number: int) -> bytes:
        """Return the bytes of a word, or from ``n_words`` on of a label."""
        return self.text[self.offsets[number] : self.offsets[number + 1]]

    @property
    def words(self) -> list[bytes]:
        """The words' bytes, by row."""
        return [self.entry(number) for number in range(self.n_words)]

    @property
    def labels(self) -> list[bytes]:
        """The labels' bytes, by row of the output matrix."""
        return [self.entry(self.n_words + number) for number in range(self.n_labels)]


def is_model(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a file that begins with fastText's number."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_model(path: str | os.PathLike[str]) -> FastTextModel:
    """Open a model file; its matrices are mapped, not read.

    Raises
    ------
    InputError
        The file cannot be opened.
    FormatError
        It is no model of fastText, or damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _HEAD.size:
                raise FormatError(
                    f"{path} is not a model of fastText: it is shorter than one's head; {REMEDY}"
                )
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise InputError(f"{path} cannot be read ({error}); name a file that can.") from error
    return _Reading(path, mapped).model()


def write_model(
    model: FastTextModel, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a model as fastText writes it: ``.ftz`` where its input is quantised, else ``.bin``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The name ends in the other one's suffix, the file exists and ``overwrite`` is false, or it
        cannot be written.
    InputError
        The model has no output matrix.
    """
    suffix = ".bin" if isinstance(model.input, DenseMatrix) else ".ftz"
    if Path(path).suffix.lower() == {".bin": ".ftz", ".ftz": ".bin"}[suffix]:
        raise OutputError(
            f"The output {path} must end in {suffix}, as a model of fastText does that is "
            f"{'not ' if suffix == '.bin' else ''}quantised; rename it."
        )
    if model.output is None:
        raise InputError(f"{model.name} holds no output matrix, and cannot be written without.")
    target = check_output(path, overwrite=overwrite)
    with atomic_write(target, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        write_to(file, model, model.input, model.output)
    return target


def write_to(file: BinaryIO, model: FastTextModel, inputs: Rows, outputs: Rows) -> None:
    """Write a model, with these matrices, to an open file."""
    given = model.settings
    head = (
        given.dim, given.ws, given.epoch, given.min_count, given.neg, given.word_ngrams, given.loss,
        given.model, given.bucket, given.minn, given.maxn, given.lr_update_rate,
    )  # fmt: skip
    pruned = -1 if model.pruned is None else len(model.pruned)
    file.write(_HEAD.pack(MAGIC, VERSIONS[-1], *head, given.t, len(model.offsets) - 1,
                          model.n_words, model.n_labels, model.n_tokens, pruned))  # fmt: skip
    for number, count in enumerate(model.counts.tolist()):
        kind = number >= model.n_words
        file.write(model.entry(number) + b"\0" + struct.pack("<qb", count, kind))
    if model.pruned is not None:
        file.write(model.pruned.astype("<i4").tobytes())
    for matrix in (inputs, outputs):
        file.write(struct.pack("<B", isinstance(matrix, QuantisedMatrix)))
        _write_matrix(file, matrix)


def quantised_sizes(model: FastTextModel, width: int, *, norms: bool) -> tuple[int, int, int]:
    """Bytes of the file of a classifier whose input is pruned and quantised, its output not.

    Returns
    -------
    fixed, of_word, of_ngram : int
        What it takes without a row of the input; what a word adds beside its own bytes, and what an
        n-gram.
    """
    D, (labels, _) = model.settings.dim, model.output.shape if model.output else (0, 0)
    entry = 10
    fixed = _HEAD.size + int((np.diff(model.offsets[model.n_words :]) + entry).sum())
    fixed += 1 + _QUANTISED.size + _QUANTISER.size + 4 * CENTROIDS * D
    fixed += norms * (_QUANTISER.size + 4 * CENTROIDS) + 1 + _SHAPE.size + 4 * labels * D
    row = -(-D // width) + norms
    return fixed, row + entry, row + 8


def _write_matrix(file: BinaryIO, matrix: Rows) -> None:
    rows, columns = matrix.shape
    if not isinstance(matrix, QuantisedMatrix):
        file.write(_SHAPE.pack(rows, columns))
        for first in range(0, rows, ROWS_AT_ONCE):
            some = matrix.rows(np.arange(first, min(first + ROWS_AT_ONCE, rows)))
            file.write(some.astype("<f4").tobytes())
        return
    parts = matrix.codes.shape[1]
    last = columns - matrix.width * (parts - 1)
    file.write(_QUANTISED.pack(matrix.norms is not None, rows, columns, matrix.codes.size))
    file.write(np.ascontiguousarray(matrix.codes).tobytes())
    file.write(_QUANTISER.pack(columns, parts, matrix.width, last))
    file.write(matrix.centroids.astype("<f4").tobytes())
    if matrix.norms is not None:
        # Of the bits, so that a zero keeps its sign: at most 256 of them are different.
        bits, codes = np.unique(matrix.norms.astype("<f4").view("<u4"), return_inverse=True)
        file.write(codes.astype(np.uint8).tobytes())
        file.write(_QUANTISER.pack(1, 1, 1, 1))
        file.write(np.concatenate([bits, np.zeros(CENTROIDS - len(bits), "<u4")]).tobytes())


def _is_plausible(*head: Any, size: int) -> bool:
    """Whether the numbers that a file begins with are a head of before there were versions."""
    dim, *settings, t, entries, words, labels, tokens, _ = head
    loss, model, bucket = settings[5:8]
    rows = words + labels + bucket
    return bool(
        min(dim, entries) > 0
        and min(words, labels, tokens, *settings) >= 0
        and words + labels == entries
        and model in (CBOW, SKIP_GRAM, SUPERVISED)
        and 1 <= loss <= SOFTMAX
        and 0 <= t <= 1
        and 4 * dim * (rows if settings[9] else entries) <= size
    )


class _Reading:
    """A place in a mapped file, and what was found before it."""

    def __init__(self, path: Path, mapped: mmap.mmap, place: int = 0) -> None:
        self.path, self.mapped = path, mapped
        self.size, self.place = len(mapped), place

    def damaged(self, what: str) -> FormatError:
        return FormatError(f"{self.path} is damaged: {what}; {REMEDY}")

    def numbers(self, form: struct.Struct, name: str) -> tuple[Any, ...]:
        if form.size > self.size - self.place:
            raise FormatError(f"{self.path} is cut short before {name}; {REMEDY}")
        found = form.unpack_from(self.mapped, self.place)
        self.place += form.size
        return found

    def flag(self, name: str) -> bool:
        (value,) = self.numbers(struct.Struct("<B"), name)
        if value > 1:
            raise self.damaged(f"{name} is announced by {value}, which must be 0 or 1")
        return bool(value)

    def array(self, dtype: str, length: int, name: str) -> NDArray[Any]:
        """Map ``length`` numbers; they may lie at any address."""
        needed = length * np.dtype(dtype).itemsize
        if length < 0 or needed > self.size - self.place:
            raise FormatError(
                f"{self.path} is cut short: {name} needs {needed} bytes, and "
                f"{self.size - self.place} are left; {REMEDY}"
            )
        if length == 0:
            return np.empty(0, dtype)
        found = np.frombuffer(self.mapped, dtype, length, self.place)
        self.place += needed
        return found

    def model(self) -> FastTextModel:
        magic, version, *head = self.numbers(_HEAD, "its head")
        flags = magic == MAGIC
        if not flags:  # of a file of before there were versions, or something else
            version, head = FIRST_VERSION, [*_FIRST_HEAD.unpack_from(self.mapped), -1]
            self.place = _FIRST_HEAD.size
            if not _is_plausible(*head, size=self.size):
                raise FormatError(
                    f"{self.path} is not a model of fastText: it does not begin with its number; "
                    "name a .bin or .ftz file that fastText wrote."
                )
        elif version not in VERSIONS:
            raise FormatError(
                f"{self.path} is of version {version} of fastText's format, and {VERSIONS} are "
                "read; save it with fastText 0.9."
            )
        settings = self.settings(version, head[:13])
        entries, words, labels, tokens, pruned = head[13:]
        if min(words, labels) < 0 or words + labels != entries or pruned < -1 or tokens < 0:
            raise self.damaged(
                f"it promises {entries} entries, {words} words, {labels} labels, {tokens} tokens "
                f"and {pruned} pruned n-grams"
            )
        first = self.place
        matrices, search = None, None
        if flags and pruned == -1 and entries > READ_AT_ONCE:
            matrices = self.begin_of_matrices(settings, words, labels)
        if matrices is None:
            dictionary = self.dictionary(entries, words, settings.dim)
            read_dictionary = partial(Dictionary, *dictionary)
        else:
            there = _Reading(self.path, self.mapped, first)
            read_dictionary = partial(there.dictionary_up_to, matrices, entries, words)
            search = partial(there.search, matrices, words)
            self.place = matrices
        kept = self.pruned(pruned, settings.bucket) if pruned >= 0 else None
        quantised = flags and self.flag("the input matrix")
        if kept is not None and not quantised:
            raise self.damaged("n-grams were pruned, but its input matrix is not quantised")
        table = self.matrix("the input matrix", quantised=quantised)
        self.check_input(table, settings, words, kept)
        output = None
        if self.place < self.size:
            quantised_output = flags and self.flag("the output matrix")
            output = self.matrix("the output matrix", quantised=quantised and quantised_output)
            rows = labels if settings.model == SUPERVISED else words
            if output.shape != (rows, settings.dim):
                raise self.damaged(
                    f"its output matrix is {output.shape[0]} x {output.shape[1]}, and must be "
                    f"{rows} x {settings.dim}"
                )
        return FastTextModel(
            self.path, version, settings, words, labels, tokens, kept, table, output,
            read_dictionary, search,
        )  # fmt: skip

    def begin_of_matrices(self, settings: Settings, words: int, labels: int) -> int | None:
        """Return where the matrices begin, if the file ends in two dense ones of the right shapes.

        An entry of the dictionary takes ten bytes at least, so that there must be room for it.
        """
        D = settings.dim
        shapes = [
            (words + settings.bucket, D),
            (labels if settings.model == SUPERVISED else words, D),
        ]
        sizes = [1 + _SHAPE.size + 4 * rows * columns for rows, columns in shapes]
        begin = self.size - sum(sizes)
        if begin < self.place + 10 * (words + labels):
            return None
        for place, shape in zip((begin, begin + sizes[0]), shapes, strict=True):
            if self.mapped[place] != 0 or _SHAPE.unpack_from(self.mapped, place + 1) != shape:
                return None
        return begin

    def dictionary_up_to(self, end: int, entries: int, words: int) -> Dictionary:
        """Read the dictionary, which must end where the matrices begin."""
        from wordgrad.corpus import word_table  # Numba takes longer than a small dictionary

        data = np.frombuffer(self.mapped, np.uint8, end - self.place, self.place)
        (outcome, entry, place), text, offsets, counts = word_table.scan_entries(
            data, entries, words
        )
        if outcome == word_table.CUT_SHORT:
            raise self.cut_short(entry)
        if outcome == word_table.WRONG_TYPE:
            raise self.wrong_type(entry, int(data[place + 9]), words)
        if outcome == word_table.WRONG_COUNT:
            count = int.from_bytes(data[place + 1 : place + 9].tobytes(), "little", signed=True)
            raise self.damaged(f"its dictionary counts an entry {count} times")
        if place != len(data):
            raise self.damaged(
                f"its dictionary ends at byte {self.place + place}, and its matrices begin at {end}"
            )
        return Dictionary(text.tobytes(), offsets, counts)

    def search(self, end: int, words: int, word: bytes) -> int | None:
        """Return the row of a word of a dictionary up to ``end``; see :class:`FastTextModel`."""
        first, wanted = self.place, word + b"\0"
        if len(word) == 0 or b"\0" in word:
            return None
        place = first
        if self.mapped[first : first + len(wanted)] != wanted:
            # The entry before ends in its type, which is zero.
            before = self.mapped.find(b"\0" + wanted, first, end)
            if before < 0:
                return -1
            place = before + 1
        if place >= first + NEAR:
            return None
        for row, entry in enumerate(_ENTRY.finditer(self.mapped, first, end)):
            if entry.start() >= place:
                # Else the bytes were those of a count.
                return row if entry.start() == place and row < words else None
        return None

    def cut_short(self, entry: int) -> FormatError:
        return FormatError(f"{self.path} is cut short in entry {entry} of its dictionary; {REMEDY}")

    def wrong_type(self, entry: int, kind: int, words: int) -> FormatError:
        return self.damaged(
            f"entry {entry} of its dictionary has type {kind}, with {words} words before the labels"
        )

    def settings(self, version: int, numbers: list[Any]) -> Settings:
        found = Settings(*numbers)
        if found.dim < 1 or min(found.bucket, found.minn, found.maxn, found.word_ngrams) < 0:
            raise self.damaged(
                f"it has dim {found.dim}, bucket {found.bucket}, minn {found.minn}, maxn "
                f"{found.maxn} and wordNgrams {found.word_ngrams}"
            )
        if max(found.maxn, found.word_ngrams) > LONGEST:
            raise self.damaged(
                f"its longest n-grams are of {found.maxn} characters and of {found.word_ngrams} "
                f"words, and at most {LONGEST} are read"
            )
        if found.model not in (CBOW, SKIP_GRAM, SUPERVISED) or not 1 <= found.loss <= ONE_VS_ALL:
            raise self.damaged(f"its kind of model is {found.model}, and its loss {found.loss}")
        if version < VERSIONS[-1] and found.model == SUPERVISED:
            return replace(found, maxn=0)
        return found

    def dictionary(
        self, entries: int, words: int, size: int
    ) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
        if entries * 10 > self.size - self.place:  # a zero byte, a count and a type are ten
            raise FormatError(
                f"{self.path} promises {entries} entries with {size} values, which do not fit "
                "into its "
                f"{self.size} bytes; {REMEDY}"
            )
        first = self.place
        matches = islice(_ENTRY.finditer(self.mapped, first), entries)
        ends = np.fromiter((match.end() for match in matches), dtype=np.int64)
        if len(ends) != entries:
            raise self.cut_short(len(ends))
        self.place = int(ends[-1]) if entries else first
        data = np.frombuffer(self.mapped[first : self.place], dtype=np.uint8)
        ends -= first
        types = data[ends - 1]
        wrong = np.flatnonzero(types != (np.arange(entries) >= words))
        if len(wrong):
            raise self.wrong_type(int(wrong[0]), int(types[wrong[0]]), words)
        counts = data[ends[:, None] + np.arange(-9, -1)].view("<i8").reshape(entries)
        if entries and counts.min() < 0:
            raise self.damaged(f"its dictionary counts an entry {counts.min()} times")
        starts = np.concatenate([[0], ends[:-1]]) if entries else ends
        lengths = ends - starts - 10
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        kept = np.ones(len(data), dtype=np.bool_)
        kept[(ends[:, None] - np.arange(1, 11)).ravel()] = False
        return data[kept].tobytes(), offsets, counts.astype(np.int64)

    def pruned(self, length: int, bucket: int) -> NDArray[np.int32]:
        pairs = self.array("<i4", 2 * length, "its pruned n-grams").reshape(-1, 2)
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")].astype(np.int32)
        hashes, rows = pairs[:, 0], pairs[:, 1]
        if length and (
            hashes[0] < 0
            or hashes[-1] >= bucket
            or rows.min() < 0
            or rows.max() >= length
            or (hashes[1:] == hashes[:-1]).any()
        ):
            raise self.damaged(
                f"its pruned n-grams must be {length} different numbers below {bucket}, with rows "
                f"below {length}"
            )
        return pairs

    def matrix(self, name: str, *, quantised: bool) -> Matrix:
        if not quantised:
            rows, columns = self.numbers(_SHAPE, name)
            self.check_shape(rows, columns, name)
            return DenseMatrix(self.array("<f4", rows * columns, name).reshape(rows, columns))
        has_norms, rows, columns, size = self.numbers(_QUANTISED, name)
        self.check_shape(rows, columns, name)
        place = self.place
        self.array("u1", size, f"the codes of {name}")
        dim, parts, width, last, centroids = self.quantiser(name)
        if dim != columns or size != rows * parts:
            raise self.damaged(
                f"{name} of {rows} x {columns} has {size} bytes of codes for {parts} parts of "
                f"{dim} columns"
            )
        if width * (parts - 1) + last != dim or not 1 <= last <= width:
            raise self.damaged(f"{name} has {parts} parts, {width} and at last {last} wide")
        codes = np.frombuffer(self.mapped, "u1", size, place).reshape(rows, parts)
        norms = None
        if has_norms:
            chosen = self.array("u1", rows, f"the norms of {name}")
            *shape, values = self.quantiser(f"the norms of {name}")
            if shape != [1, 1, 1, 1]:
                raise self.damaged(f"the norms of {name} are quantised as {shape}, not as numbers")
            norms = values[chosen]
        return QuantisedMatrix(codes, centroids, width, columns, norms)

    def check_shape(self, rows: int, columns: int, name: str) -> None:
        if rows < 0 or not 1 <= columns < 2**31:
            raise self.damaged(f"{name} is {rows} x {columns}")

    def quantiser(self, name: str) -> tuple[int, int, int, int, NDArray[np.float32]]:
        dim, parts, width, last = self.numbers(_QUANTISER, f"the centroids of {name}")
        if min(dim, parts, width, last) < 1:
            raise self.damaged(f"{name} has {parts} parts, {width} and at last {last} wide")
        centroids = self.array("<f4", CENTROIDS * dim, f"the centroids of {name}")
        return dim, parts, width, last, centroids.astype(np.float32)

    def check_input(
        self, table: Matrix, settings: Settings, words: int, kept: NDArray[np.int32] | None
    ) -> None:
        rows, columns = table.shape
        ngrams = settings.maxn > 0 or (settings.model == SUPERVISED and settings.word_ngrams > 1)
        needed = words + (len(kept) if kept is not None else settings.bucket if ngrams else 0)
        if columns != settings.dim or rows < needed:
            raise self.damaged(
                f"its input matrix is {rows} x {columns}, for {needed} rows of {settings.dim} "
                "values"
            )

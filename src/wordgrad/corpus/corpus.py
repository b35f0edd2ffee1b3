"""Corpora as training sees them: ids on disk, validation text, and checksums of both.

:class:`EncodedCorpus` lies in files that are mapped into memory, in a folder
(:class:`CorpusFolder`) that is a temporary one, which goes away with the corpus, or one that is
kept.  :class:`ValidationCorpus` is a text in the vocabulary of another, and :class:`Fingerprint`
the checksums that tell whether a text is the one that a training began with.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.blocks import LONGEST_WHOLE_LINE
from wordgrad.corpus.documents import Documents, TagReader
from wordgrad.corpus.encode import (
    FirstPass,
    ProgressCallback,
    choose_words,
    join_words,
    lowercased,
    second_pass,
)
from wordgrad.corpus.phrase_table import PhraseTable, table_of
from wordgrad.corpus.reader import Reading
from wordgrad.corpus.sources import TextSource, is_table
from wordgrad.corpus.tokenizer import Tokenizer, Types
from wordgrad.errors import (
    FormatError,
    InputError,
    OutputError,
    ParameterError,
    check_choice,
    check_int,
)
from wordgrad.files import release_pages, sync, sync_folder
from wordgrad.processes import usable_cores
from wordgrad.vocabulary import Vocabulary


class CorpusFolder:
    """A new folder, removed by :meth:`remove`, by garbage collection or at exit, unless kept.

    Parameters
    ----------
    parent : path, optional
        Where to make it; by default where the operating system keeps temporary files.
    name : str, optional
        What to call it; by default something that no other folder is called.
    what : str
        What it is for, to be named in messages.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self,
        parent: str | os.PathLike[str] | None = None,
        name: str | None = None,
        what: str = "The encoded text",
    ) -> None:
        self._named = name is not None
        self._what = what
        try:
            if name is None:
                self.path = Path(tempfile.mkdtemp(prefix="wordgrad-", dir=parent))
            else:
                self.path = Path(parent or tempfile.gettempdir(), name)
                self.path.mkdir()
        except OSError as error:
            raise OutputError(
                f"No temporary folder could be made in {parent or tempfile.gettempdir()} "
                f"({error.strerror or error}); name another place with folder."
            ) from error
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    @classmethod
    def existing(cls, path: Path) -> CorpusFolder:
        """Return a folder that was kept; it stays."""
        folder = cls.__new__(cls)
        folder.path = path
        folder._named = True
        folder._finalizer = weakref.finalize(folder, shutil.rmtree, path, ignore_errors=True)
        folder._finalizer.detach()
        return folder

    def finish(self) -> None:
        """If the folder has a name: flush its files to the disk, and keep it from now on."""
        if not self._named:
            return
        with self.writing():
            for file in self.path.iterdir():
                sync(file)
            sync_folder(self.path)
            sync_folder(self.path.parent)
        self._finalizer.detach()

    def remove(self) -> None:
        """Remove the folder and all in it, unless it is kept; doing so twice is no error."""
        self._finalizer()

    @contextmanager
    def new_file(self, name: str) -> Iterator[Callable[[NDArray[Any]], None]]:
        """Create a file; yield a function that appends an array's bytes to it."""
        with self.writing():
            handle = open(self.path / name, "wb")  # noqa: SIM115 (closed below, under writing())

        def write(array: NDArray[Any]) -> None:
            with self.writing():
                handle.write(array.data)

        try:
            yield write
        finally:
            with self.writing():
                handle.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn operating-system errors of the block into one :class:`OutputError`."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = (
                "free some space, or name a folder on another disk with folder"
                if full
                else "name another place with folder"
            )
            raise OutputError(
                f"{self._what} could not be written to {self.path} "
                f"({error.strerror or error}); {remedy}."
            ) from error


IDS = "ids.int32"
OFFSETS = "offsets.int64"
KEPT = "kept.int64"
TAGS = "documents.safetensors"
_MOST_WORKERS = 8  # beyond, the one thread that reads is the limit


@dataclass(frozen=True)
class CorpusReport:
    """What was read, and what of it was kept.

    Attributes
    ----------
    files : int
        Files read, standard input among them; 0 for sentences in memory.
    bytes_read : int
        Their size on disk, compressed where they are.
    sentences_read, sentences_kept : int
        Lines, cells or items; those left with at least one token of the vocabulary.
    tokens_read, tokens_kept : int
        Words of the text; those in the vocabulary, which are the corpus.
    types_read : int
        Distinct words of the text.  The vocabulary holds those that were kept.
    bytes_replaced : int
        Bytes that were not UTF-8 and became U+FFFD (``errors="replace"``).
    seconds : float
        Wall-clock time of it all.
    tokens_trained : float, optional
        Of the tokens kept, those that subsampling leaves of an epoch: the expected number, which
        training adds.
    tokens_joined : int
        By how many tokens phrases have made the text shorter.
    """

    files: int
    bytes_read: int
    sentences_read: int
    sentences_kept: int
    tokens_read: int
    tokens_kept: int
    types_read: int
    bytes_replaced: int
    seconds: float
    tokens_trained: float | None = None
    tokens_joined: int = 0


class EncodedCorpus:
    """A text as ids: sentence ``s`` is ``ids[offsets[s]:offsets[s + 1]]``.

    Made by :func:`encode_corpus`.  The arrays are files in a folder, mapped into memory, so a
    corpus may be larger than the memory.  A temporary folder is removed by :meth:`close`, at the
    end of a ``with`` block, or together with the object; one that was named is kept.

    Attributes
    ----------
    ids : int32 array, shape (T,), read-only, memory-mapped
    offsets : int64 array, shape (S + 1,), read-only, memory-mapped
        From 0 to T, rising: no sentence is empty.
    vocabulary : Vocabulary
    report : CorpusReport
    phrases : PhraseTable or None
        The phrases that were joined.
    documents : Documents or None
        Tags of the sentences, where these are documents.
    """

    documents: Documents | None = None

    def __init__(
        self,
        folder: CorpusFolder,
        vocabulary: Vocabulary,
        report: CorpusReport,
        phrases: PhraseTable | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.report = report
        self.phrases = phrases
        self._folder: CorpusFolder | None = folder
        self.ids: NDArray[np.int32] = np.memmap(folder.path / IDS, np.int32, "r")
        self.offsets: NDArray[np.int64] = np.memmap(folder.path / OFFSETS, np.int64, "r")

    @classmethod
    def in_memory(
        cls, ids: NDArray[np.int32], offsets: NDArray[np.int64], vocabulary: Vocabulary
    ) -> EncodedCorpus:
        """Return a corpus of arrays that are there, and whose ids are words of the vocabulary.

        Its report tells of these alone.
        """
        corpus = cls.__new__(cls)
        corpus.ids, corpus.offsets, corpus.vocabulary = ids, offsets, vocabulary
        tokens, sentences = len(ids), len(offsets) - 1
        corpus.report = CorpusReport(
            0, 0, sentences, sentences, tokens, tokens, len(vocabulary), 0, 0.0
        )
        corpus._folder = corpus.phrases = None
        return corpus

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.offsets) - 1

    def fingerprint(self) -> Fingerprint:
        """What tells whether another text is this one; see :meth:`Fingerprint.of`."""
        return Fingerprint.of(self)

    def word_counts(self) -> NDArray[np.int64]:
        """How often each word of the vocabulary is in this text."""
        counts = self.vocabulary.counts
        if self.vocabulary.total == len(self.ids):
            return counts
        return np.bincount(self.ids, minlength=len(counts))

    def release_pages(self) -> None:
        """Give the memory of the mapped files back, between passes."""
        release_pages(self.ids, self.offsets)

    def close(self) -> None:
        """Remove the files; the arrays are empty afterwards."""
        self.ids = np.empty(0, dtype=np.int32)
        self.offsets = np.zeros(1, dtype=np.int64)
        if self._folder is not None:
            self._folder.remove()

    def __enter__(self) -> EncodedCorpus:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"EncodedCorpus({len(self.ids)} tokens, {len(self)} sentences, "
            f"{len(self.vocabulary)} words)"
        )


@dataclass(frozen=True)
class ProvisionalText:
    """A text between its two passes: provisional ids in a folder, and what they stand for.

    Attributes
    ----------
    folder : CorpusFolder
        Its file :data:`IDS` holds uint32, with :data:`~wordgrad.corpus.tokenizer.END` after each
        sentence.
    types : Types
    first : FirstPass
    reading : Reading
    """

    folder: CorpusFolder
    types: Types
    first: FirstPass
    reading: Reading

    @property
    def ids_path(self) -> Path:
        """The file of ids."""
        return self.folder.path / IDS


@contextmanager
def provisional_text(
    source: TextSource,
    *,
    column: str | None = None,
    lowercase: bool = False,
    pattern: str | None = None,
    errors: str = "strict",
    workers: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    keep_as: str | None = None,
    progress: ProgressCallback | None = None,
    tags: TagReader | None = None,
) -> Iterator[ProvisionalText]:
    """Read a text once into a folder, which is removed if the block fails.

    Parameters and errors are those of :func:`encode_corpus`.
    """
    check_choice("errors", errors, ("strict", "replace"))
    if not isinstance(lowercase, bool):
        raise ParameterError(f"lowercase must be True or False, got {lowercase!r}.")
    if workers is None:
        workers = min(usable_cores(), _MOST_WORKERS)
    check_int("workers", workers, minimum=1)
    tokenizer = Tokenizer(pattern, lowercase=lowercase)
    longest_line = LONGEST_WHOLE_LINE if pattern is not None else 0
    columns_of_files = None if is_table(source) else tags
    if tags is not None:
        source, column = tags.texts(source, column)
    reading = Reading.of(
        source, column=column, longest_line=longest_line, errors=errors, tags=columns_of_files
    )
    store = CorpusFolder(folder, keep_as)
    try:
        first = FirstPass(errors=errors, bytes_total=reading.bytes_total)
        with store.new_file(IDS) as write:
            first.run(reading.pieces(), tokenizer, write, workers=workers, progress=progress)
        types = tokenizer.types()
        yield ProvisionalText(store, lowercased(types) if lowercase else types, first, reading)
    except BaseException:
        store.remove()
        raise


def encode_corpus(
    source: TextSource,
    *,
    min_count: int = 5,
    max_vocab: int | None = None,
    vocabulary: Vocabulary | None = None,
    grow: bool = False,
    phrases: PhraseTable | str | os.PathLike[str] | int | None = None,
    column: str | None = None,
    lowercase: bool = False,
    pattern: str | None = None,
    errors: str = "strict",
    workers: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    keep_as: str | None = None,
    progress: ProgressCallback | None = None,
    tags: TagReader | None = None,
) -> EncodedCorpus:
    """Read a text once and encode it as ids.

    Parameters
    ----------
    source : path, glob, directory, URL, "-", several of them, table, or iterable of sentences
        What a list of strings is, :func:`wordgrad.corpus.sources.resolve` says; which column of a
        table in memory is read, :func:`wordgrad.corpus.sources.texts_of`.  A line, a row's cell or
        an item is a sentence; its length is not limited.  A sentence in memory is a string or a
        list of tokens, and a token any string.  An iterator is read once.
    min_count : int
        Words that occur less often are dropped, as if they were not in the text; 0 and 1 drop none.
    max_vocab : int, optional
        Keep at most this many words, the most frequent ones.
    vocabulary : Vocabulary, optional
        Encode with these words, in their order and with their counts, whatever the text holds:
        others are dropped, and ``min_count`` and ``max_vocab`` are of no effect.
    grow : bool
        Words of the text that ``vocabulary`` lacks may join it, as ``min_count`` and ``max_vocab``
        allow; its own all stay, counts add up, and all are put in the order of the sums.
    phrases : PhraseTable, path of one, or int, optional
        Phrases to join before words are counted; or in how many passes to learn them from this text
        (:func:`~wordgrad.corpus.phrases.learn_phrases`, with its defaults).
    column : str, optional
        Which column of .jsonl, .csv, .tsv and .parquet files, or of a table in memory, to read; by
        default "text", or the only column of strings.
    lowercase : bool
        Lower-case the text.
    pattern : str, optional
        Regular expression in the syntax of Rust's ``regex``; each match is a token, unless it is
        empty.  Without it
        the text is split at white space exactly as ``str.split()`` does.  A line over 8 MiB is
        matched in parts, cut at white space; if that makes a difference to the matches (they hold
        white space, or the pattern uses ``^`` or ``$``), the line is refused.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8: raise, or replace them by U+FFFD and count them.
    workers : int, optional
        Threads that encode; by default one for each processor, at most 8.
    folder : path, optional
        Where to make the temporary folder, which takes four bytes a token.
    keep_as : str, optional
        Make a folder of this name instead, and keep it when the corpus is closed.
    progress : callable, optional
        Called with a :class:`ReadingProgress` after each block.
    tags : TagReader, optional
        Makes documents of the sentences; ``source`` may then hold pairs (text, tags), too.

    Returns
    -------
    EncodedCorpus

    Raises
    ------
    InputError
        If there is nothing to read, it cannot be read, or fewer than two words are left (of a given
        vocabulary: fewer than two tokens); or a table or ``pattern`` needs Polars in a process that
        was forked after Polars was used.
    ParameterError
        If a parameter is outside its range.
    OutputError
        If the temporary folder cannot be written.

    Examples
    --------
    >>> with encode_corpus(["a rose is a rose", "is it"], min_count=2) as corpus:
    ...     corpus.vocabulary.words, corpus.ids.tolist(), corpus.offsets.tolist()
    (['a', 'is', 'rose'], [0, 2, 1, 0, 2, 1], [0, 5, 6])

    A text in the vocabulary of another one, and in that vocabulary as it grows:

    >>> known = Vocabulary(["a", "rose", "is"], [5, 4, 3])
    >>> text = [["a", "thorn"], ["thorn", "is", "thorn"]]
    >>> with encode_corpus(text, vocabulary=known) as corpus:
    ...     corpus.vocabulary.words, corpus.ids.tolist(), corpus.offsets.tolist()
    (['a', 'rose', 'is'], [0, 2], [0, 1, 2])
    >>> with encode_corpus(text, vocabulary=known, grow=True, min_count=2) as corpus:
    ...     corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), corpus.ids.tolist()
    (['a', 'is', 'rose', 'thorn'], [6, 4, 4, 3], [0, 3, 3, 1, 3])
    """
    begin = time.perf_counter()
    check_int("min_count", min_count, minimum=0)
    if vocabulary is not None:
        _check_known(vocabulary)
    if max_vocab is not None:
        check_int("max_vocab", max_vocab, minimum=2)
    table = table_of(phrases)
    with provisional_text(
        source,
        column=column,
        lowercase=lowercase,
        pattern=pattern,
        errors=errors,
        workers=workers,
        folder=folder,
        keep_as=keep_as,
        progress=progress,
        tags=tags,
    ) as text:
        store, types = text.folder, text.types
        read, types_read = int(types.counts.sum()), len(types.words)
        if table is not None:
            from wordgrad.corpus.phrase_counts import join_phrases

            with store.writing():
                table, types = join_phrases(text.ids_path, types, table)
        if vocabulary is None:
            chosen, final_ids = choose_words(types, min_count=min_count, max_vocab=max_vocab)
            _check_words(chosen, types, min_count, text.reading.name)
        else:
            chosen, final_ids = join_words(
                types, vocabulary, grow=grow, min_count=min_count, max_vocab=max_vocab
            )
        with store.writing():
            numbers = None if tags is None else store.path / KEPT
            sentences = second_pass(text.ids_path, store.path / OFFSETS, final_ids, numbers)
            kept = text.ids_path.stat().st_size // 4
            if kept < 2:
                raise InputError(
                    f"Of the {int(types.counts.sum())} words of the text {kept} are in the "
                    "vocabulary, and at least two are needed; give text of the same kind, or more "
                    "of it."
                )
            report = CorpusReport(
                files=len(text.reading.files),
                bytes_read=text.first.bytes_done,
                sentences_read=text.first.sentences,
                sentences_kept=sentences,
                tokens_read=read,
                tokens_kept=kept,
                types_read=types_read,
                bytes_replaced=text.first.replaced,
                seconds=time.perf_counter() - begin,
                tokens_joined=read - int(types.counts.sum()),
            )
            documents = None
            if tags is not None and numbers is not None:
                documents = tags.read(text.first.sentences, np.fromfile(numbers, np.int64))
                numbers.unlink()
                if keep_as is not None:
                    documents.write(store.path / TAGS)
            store.finish()
            corpus = EncodedCorpus(store, chosen, report, table)
            corpus.documents = documents
            return corpus


def _check_known(vocabulary: Vocabulary) -> None:
    """Raise :class:`ParameterError` unless a text can be encoded, and trained, with these words."""
    if len(vocabulary) < 2:
        raise ParameterError(
            f"vocabulary must hold at least two words, got {len(vocabulary)}; a word alone has no "
            "other to be told from."
        )
    if int(vocabulary.counts.min()) < 1:
        row = int(vocabulary.counts.argmin())
        raise ParameterError(
            f"vocabulary must have counts of at least 1, got 0 for {vocabulary.words[row]!r}; "
            "leave the word out, or give it 1."
        )


def _check_words(vocabulary: Vocabulary, types: Types, min_count: int, name: str) -> None:
    if len(vocabulary) >= 2:
        return
    there = np.flatnonzero(types.counts)  # a word may have gone into phrases, all of it
    tokens, kinds = int(types.counts.sum()), len(there)
    if tokens == 0:
        raise InputError(f"There are no tokens in {name}; check that it is not empty.")
    found = f"{tokens} tokens of {kinds} types were read"
    if kinds == 1:
        (word,) = types.words.at(there)
        raise InputError(
            f"The vocabulary of {name} is one word, {_shown(word)} ({found}); training needs at "
            "least two words."
        )
    works = int(np.sort(types.counts)[-2])
    what = "no word reaches" if len(vocabulary) == 0 else "only one word reaches"
    raise InputError(
        f"In {name} {what} min_count={min_count} ({found}); a vocabulary needs at least two "
        f"words: use min_count={works} or less."
    )


def _shown(word: str) -> str:
    return repr(word if len(word) <= 40 else word[:40] + "...")


@dataclass(frozen=True)
class ValidationCorpus:
    """A text in the vocabulary of another one; it has what a corpus needs to draw windows from.

    Attributes
    ----------
    ids : int32 array, shape (T,)
        In memory, unlike a corpus': four bytes a word.
    offsets : int64 array, shape (S + 1,)
        Sentence ``s`` is ``ids[offsets[s]:offsets[s + 1]]``.
    vocabulary : Vocabulary
        Of the training text, with its counts.
    tokens_read : int
        Words of the text; a phrase that was joined is one.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    tokens_read: int

    def fingerprint(self) -> Fingerprint:
        """What tells whether another text is this one; see :meth:`Fingerprint.of`."""
        return Fingerprint.of(self)

    @property
    def tokens_unknown(self) -> int:
        """Words that were dropped because the vocabulary does not hold them."""
        return self.tokens_read - len(self.ids)


def encode_validation(
    source: TextSource, vocabulary: Vocabulary, **options: Any
) -> ValidationCorpus:
    """Read a text and encode it with a vocabulary that is already there.

    Windows close over words that are not in it, as they do over rare words of the training text.

    Parameters
    ----------
    source : path, glob, directory, "-", several of them, or iterable of sentences
    vocabulary : Vocabulary
    **options
        ``phrases``, ``column``, ``lowercase``, ``pattern``, ``errors``, ``workers`` and
        ``progress`` of :func:`~wordgrad.corpus.corpus.encode_corpus`.

    Raises
    ------
    InputError
        If it cannot be read, or fewer than two of its words are in the vocabulary.

    Examples
    --------
    >>> vocabulary = Vocabulary(["a", "rose", "is"], [5, 4, 3])
    >>> text = encode_validation(["what is a rose", "no no"], vocabulary)
    >>> text.ids.tolist(), text.offsets.tolist(), text.tokens_unknown
    ([2, 0, 1], [0, 3], 3)
    """
    try:
        with encode_corpus(source, vocabulary=vocabulary, **options) as corpus:
            ids, offsets = np.array(corpus.ids), np.array(corpus.offsets)
            read = corpus.report.tokens_read - corpus.report.tokens_joined
            return ValidationCorpus(ids, offsets, vocabulary, read)
    except InputError as error:
        raise InputError(f"The validation text cannot be used: {error}") from error


_CHUNK = 1 << 20  # numbers hashed at a time
_REMEDY = "give the text again, so that it is encoded again, or begin a new training."


SPREAD = "spread "


@dataclass(frozen=True)
class Fingerprint:
    """What two encoded texts have in common if, and only if, they train alike.

    Attributes
    ----------
    tokens, sentences, words : int
        T, S and V: they tell in which way two texts differ.
    vocabulary, text : str
        BLAKE2b (16 bytes) of the words with their counts, and of the ids with the sentences' ends.
        The latter is no BLAKE2b, but a sum that nodes of a cluster add up to, where it begins with
        :data:`SPREAD`.

    Examples
    --------
    >>> from wordgrad.corpus.corpus import encode_corpus
    >>> one, two = (encode_corpus([text], min_count=1) for text in ("a b a", "b a a"))
    >>> Fingerprint.of(two).difference(Fingerprint.of(one))
    'as many words in as many sentences, but others or in another order'
    """

    tokens: int
    sentences: int
    words: int
    vocabulary: str
    text: str

    @classmethod
    def of(cls, corpus: EncodedCorpus | ValidationCorpus) -> Fingerprint:
        """Read a corpus once, a piece at a time.

        Raises
        ------
        FormatError
            If an id is not a word's or an offset is out of order, which no kernel would notice.
        """
        text = hashlib.blake2b(digest_size=16)
        for name, array in (("ids", corpus.ids), ("offsets", corpus.offsets)):
            for start in range(0, len(array), _CHUNK):
                piece = np.asarray(array[start : start + _CHUNK])
                _check(piece, name, start, corpus)
                text.update(piece.data)
            if isinstance(corpus, EncodedCorpus):
                corpus.release_pages()
        documents = getattr(corpus, "documents", None)
        if documents is not None:
            for array in (*documents.tags.packed(), documents.rows, documents.offsets):
                text.update(np.ascontiguousarray(array).data)
        return cls(
            tokens=len(corpus.ids),
            sentences=len(corpus.offsets) - 1,
            words=len(corpus.vocabulary),
            vocabulary=cls.of_words(corpus.vocabulary),
            text=text.hexdigest(),
        )

    @staticmethod
    def of_words(vocabulary: Vocabulary) -> str:
        """BLAKE2b of words with their counts."""
        words = hashlib.blake2b(digest_size=16)
        for word in vocabulary.words:
            data = word.encode("utf-8", "surrogatepass")
            words.update(len(data).to_bytes(8, "little") + data)
        words.update(vocabulary.counts.astype("<i8").tobytes())
        return words.hexdigest()

    @property
    def is_spread(self) -> bool:
        """Whether the text lies on the nodes of a cluster."""
        return self.text.startswith(SPREAD)

    def difference(self, before: Fingerprint) -> str | None:
        """Say how the text differs from the one ``before``; None if it does not."""
        if self == before:
            return None
        parts = [
            f"{getattr(self, name):,} {title} instead of {getattr(before, name):,}"
            for name, title in (
                ("tokens", "words"),
                ("sentences", "sentences"),
                ("words", "distinct words"),
            )
            if getattr(self, name) != getattr(before, name)
        ]
        if not parts and self.vocabulary != before.vocabulary:
            parts = ["as many distinct words, but others or with other counts"]
        return ", ".join(parts) or (
            "as many words in as many sentences, but others or in another order"
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain values, for a file."""
        return asdict(self)


def open_kept(
    folder: Path, vocabulary: Vocabulary, report: CorpusReport, expected: Fingerprint
) -> EncodedCorpus:
    """Open a corpus that :func:`~wordgrad.corpus.corpus.encode_corpus` kept, and check all of it.

    Raises
    ------
    FormatError
        If its files are missing, or are not what they were.
    """
    sizes: Mapping[str, int] = {IDS: 4 * expected.tokens, OFFSETS: 8 * (expected.sentences + 1)}
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or size < 8:
            found = f"{path.stat().st_size} bytes" if path.is_file() else "none"
            raise FormatError(
                f"The encoded text {path} should hold {size} bytes, got {found}; {_REMEDY}"
            )
    corpus = EncodedCorpus(CorpusFolder.existing(folder), vocabulary, report)
    if (folder / TAGS).exists():
        corpus.documents = Documents.read(folder / TAGS)
        if len(corpus.documents) != expected.sentences:
            raise FormatError(
                f"{folder / TAGS} holds tags of {len(corpus.documents)} documents, and the text "
                f"has {expected.sentences}; {_REMEDY}"
            )
    difference = Fingerprint.of(corpus).difference(expected)
    if difference:
        raise FormatError(f"The encoded text in {folder} is damaged ({difference}); {_REMEDY}")
    return corpus


def _check(
    piece: NDArray[Any], name: str, start: int, corpus: EncodedCorpus | ValidationCorpus
) -> None:
    """Kernels trust what they are given: let nothing point out of the tables."""
    if name == "ids":
        good = piece.min() >= 0 and piece.max() < len(corpus.vocabulary)
    else:
        before = -1 if start == 0 else int(corpus.offsets[start - 1])
        ends = start + len(piece) < len(corpus.offsets) or piece[-1] == len(corpus.ids)
        good = bool((np.diff(piece, prepend=before) > 0).all()) and ends
        good = good and (start > 0 or piece[0] == 0)
    if not good:
        raise FormatError(f"The encoded text is damaged: its {name} are out of range; {_REMEDY}")


class EncodedParts(NamedTuple):
    """Of each piece, in the order that they were given: tokens and sentences that are left.

    Attributes
    ----------
    tokens, sentences : int64 (pieces,)
    longest : int
        Tokens of the longest sentence.
    """

    tokens: NDArray[np.int64]
    sentences: NDArray[np.int64]
    longest: int


class PartsOfText:
    """Some pieces of the text, encoded in a folder of their own.

    Attributes
    ----------
    ids, offsets : int32 (T,), int64 (S + 1,)
        The tokens here, and where sentences begin and end among them.
    starts : int64 (pieces,)
        Position of each piece in the whole text; set once all nodes have encoded theirs.
    """

    def __init__(self, text: ProvisionalText, firsts: Sequence[int], table: NDArray[np.int32]):
        folder = text.folder.path
        with text.folder.writing():
            second_pass(text.ids_path, folder / OFFSETS, table, folder / KEPT)
            kept = np.fromfile(folder / KEPT, np.int64)
            (folder / KEPT).unlink()
        # Whatever was dropped: where each piece begins among the sentences that are left.
        self._first = np.append(np.searchsorted(kept, firsts), len(kept))
        self.offsets: NDArray[np.int64] = np.memmap(folder / OFFSETS, np.int64, "r")
        self.ids: NDArray[np.int32] = np.empty(0, np.int32)
        if self.offsets[-1]:
            self.ids = np.memmap(text.ids_path, np.int32, "r")
        self._folder = folder
        self.encoded = EncodedParts(
            np.diff(self.offsets[self._first]),
            np.diff(self._first),
            int(np.diff(self.offsets).max(initial=0)),
        )
        self.starts = np.zeros(len(firsts), np.int64)

    def place(self, starts: NDArray[np.int64]) -> None:
        """Say where in the whole text each piece begins.

        The sentences' offsets become positions in that text.  A piece ends where its last sentence
        does, and the next one here begins elsewhere, so each has one offset more than sentences.
        """
        self.starts = starts
        self._shifts = starts - self.offsets[self._first[:-1]]
        self._rows = self._first + np.arange(len(self._first))
        path = self._folder / "positions.int64"
        with open(path, "wb") as file:
            for k, shift in enumerate(self._shifts.tolist()):
                part = self.offsets[self._first[k] : self._first[k + 1] + 1]
                file.write((part + shift).data)
        self.positions: NDArray[np.int64] = np.zeros(0, np.int64)
        if len(starts):
            self.positions = np.memmap(path, np.int64, "r")

    def digest(self) -> int:
        """A sum over tokens and sentences' ends of hashes of what is where, modulo 2^64.

        Sums of pieces add up to that of the text, however it is cut.
        """
        total = 0
        for k in range(len(self.starts)):
            first, last = self.offsets[self._first[k : k + 2]].tolist()
            for begin in range(first, last, _CHUNK):
                ids = self.ids[begin : min(begin + _CHUNK, last)]
                places = np.arange(len(ids)) + (begin + int(self._shifts[k]))
                total += int(_place_hashes(places, ids).sum(dtype=np.uint64))
            ends = self.positions[self._rows[k] + 1 : self._rows[k + 1]]
            total += int(_place_hashes(ends, np.full(len(ends), -1)).sum(dtype=np.uint64))
        return total % (1 << 64)

    def spans(self, start: int, stop: int) -> Iterable[tuple[int, int, int]]:
        """What lies here of positions ``start`` to ``stop``: begin, end and piece, unsorted."""
        begins = np.maximum(self.starts, start)
        ends = np.minimum(self.starts + self.encoded.tokens, stop)
        for k in np.flatnonzero(begins < ends).tolist():
            yield int(begins[k]), int(ends[k]), k

    def locate(self, position: int, piece: int) -> tuple[int, int, int]:
        """Addresses of ids and offsets, as if the whole text were here, and the sentence."""
        first, last = int(self._rows[piece]), int(self._rows[piece + 1])
        sentence = int(np.searchsorted(self.positions[first:last], position, side="right")) - 1
        ids = self.ids.ctypes.data - 4 * int(self._shifts[piece])
        return ids, self.positions.ctypes.data, first + sentence


def _place_hashes(places: NDArray[np.int64], values: NDArray[np.integer]) -> NDArray[np.uint64]:
    mixed = places.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed = (mixed + values.astype(np.int64).view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))

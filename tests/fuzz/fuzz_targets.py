"""Every reader there is, with its seeds, its way of damaging them, and what is asked afterwards."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import random
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import fuzz_checkpoints as checkpoints
import fuzz_classifiers as classifiers
import fuzz_indexes as indexes
import fuzz_models as models
import fuzz_mutations as change
import fuzz_seeds as seeds
import numpy as np
import zstandard

from wordgrad.container import checksum
from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus, encode_validation
from wordgrad.errors import FormatWarning, UnknownWordError
from wordgrad.evaluation import read_pairs, read_questions
from wordgrad.io import fasttext, fasttext_model
from wordgrad.io.projector import companion
from wordgrad.vocabulary import Vocabulary
from wordgrad.word_vectors import WordVectors, load


@dataclass(frozen=True)
class Target:
    """One reader.

    ``run`` gets the path of the damaged file and a source of chance for its options.  It may
    return or raise a WordgradError; what it returns, it has looked through.
    """

    name: str
    family: str
    file: str
    seeds: Callable[[], list[bytes]]
    run: Callable[[Path, random.Random], object]
    mutate: change.Mutation = change.blind


def use_vectors(vectors: WordVectors) -> None:
    """Ask all that can be asked: what was read must hold together."""
    rows = len(vectors)
    assert vectors.matrix.shape == (rows, vectors.vector_size)
    assert vectors.matrix.dtype == np.float32
    assert rows > 0
    assert len(set(vectors.words)) == len(vectors.words) == rows
    assert vectors.counts is None or (vectors.counts.shape == (rows,) and vectors.counts.min() >= 0)
    json.dumps(vectors.metadata)
    with np.errstate(invalid="ignore"):  # where values need not be finite
        float(vectors.matrix.sum(dtype=np.float64))
    first = vectors.words[0]
    if first not in vectors:
        raise AssertionError("a word that is there is not found")
    for _, cosine in vectors.most_similar(first, topn=3):
        assert -1.001 <= cosine <= 1.001
    try:
        _ = vectors["no such word"]
    except UnknownWordError:
        return


def _open(path: Path, rng: random.Random, format: str | None) -> None:
    options = {
        "format": format,
        "check": rng.choice((None, None, True, False)),
        "allow_nonfinite": rng.random() < 0.2,
        "errors": rng.choice(("strict", "strict", "replace", "ignore")),
        "limit": rng.choice((None, None, None, 1, 3, 1000)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FormatWarning)  # a word that comes twice
        vectors = load(path, **options)
    assert options["limit"] is None or len(vectors) <= options["limit"]
    use_vectors(vectors)


def _open_large(path: Path, rng: random.Random) -> None:
    """Ask a model that is so large here that its words are searched, then indexed."""
    with ExitStack() as changed:
        for module, name, value in (
            (fasttext_model, "READ_AT_ONCE", 3),
            (fasttext_model, "NEAR", rng.choice((8, 100, 1 << 18))),
            (fasttext, "COMPOSED_AT_ONCE", 3),
            (fasttext, "SEARCHES", rng.choice((0, 1, 3, 16))),
        ):
            changed.enter_context(patch.object(module, name, value))
        vectors = load(path, format="fasttext", limit=rng.choice((None, None, 5)))
        asked = ("the", "ba", "東京", "no such word", "", "\0")
        for word in rng.choices(asked, k=rng.randrange(6)):
            found = word in vectors
            with suppress(UnknownWordError), np.errstate(over="ignore", invalid="ignore"):
                assert vectors[word].shape == (vectors.vector_size,)
                assert found or vectors.subwords is not None
        if rng.random() < 0.5:
            vectors.save(path.with_name("v.tsv"), format="word2vec-text", overwrite=True)
        use_vectors(vectors)


def _open_beside_words(path: Path, rng: random.Random) -> None:
    companion(path).write_bytes(seeds.projector_words())
    _open(path, rng, "tsv")


def _open_sharded(path: Path, rng: random.Random, *, name: str) -> None:
    """Put the damaged file in its place among whole ones."""
    with TemporaryDirectory(dir=".", prefix="folder") as folder:
        for other, data in seeds.shards().items():
            Path(folder, other).write_bytes(path.read_bytes() if other == name else data)
        _open(Path(folder, seeds.INDEX), rng, rng.choice((None, "safetensors-shards")))


def _index(rng: random.Random, data: bytes) -> bytes:
    """The JSON changed, and mostly its checksum mended."""
    if rng.random() < 0.3:
        return change.blind(rng, data)
    record = change.json_value(rng, json.loads(data))
    with suppress(KeyError, TypeError, AttributeError):
        known = {name: one for name, one in record["metadata"].items() if name != "crc32"}
        if rng.random() < 0.8:
            text = json.dumps([known, record["weight_map"]], sort_keys=True)
            record["metadata"]["crc32"] = f"{checksum(text.encode()):08x}"
    return json.dumps(record).encode()


def _open_words(path: Path, rng: random.Random) -> None:
    vectors = path.with_name("v.tsv")
    vectors.write_bytes(seeds.vector_file("tsv"))
    _open(vectors, rng, "tsv")


def _draw_losses(path: Path, rng: random.Random) -> None:
    from wordgrad.plotting.losses import loss_curve, save_losses

    curves = [loss_curve(load(path), "damaged")]
    if rng.random() < 0.8:
        return  # a page takes half a second
    save_losses(
        curves,
        path.with_name("loss.html"),
        along=rng.choice(("epoch", "words", "seconds")),
        overwrite=True,
    )


def _history(rng: random.Random, data: bytes) -> bytes:
    """The history and the settings changed, the file whole around them."""
    metadata = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        metadata = change.json_value(rng, metadata)
    try:
        vectors = WordVectors(["a", "b"], [[1.0], [2.0]], metadata=metadata)
        path = Path("history.safetensors")
        vectors.save(path)
    except (ValueError, TypeError, OSError, AttributeError):
        return seeds.vector_file("safetensors")  # such metadata cannot be written at all
    whole = path.read_bytes()
    path.unlink()
    return whole


def use_corpus(corpus: EncodedCorpus, *, blank: bool) -> None:
    """The arrays of a corpus must hold together; ``blank`` words are right where they are given."""
    with corpus:
        ids, offsets, words = corpus.ids, corpus.offsets, corpus.vocabulary
        assert offsets[0] == 0
        assert offsets[-1] == len(ids)
        assert (np.diff(offsets) > 0).all()
        assert ids.min() >= 0
        counted = np.bincount(ids, minlength=len(words))
        assert counted.tolist() == words.counts.tolist()
        assert blank or all(word.strip() for word in words.words)
        assert len(set(words.words)) == len(words)
        assert corpus.report.tokens_kept == len(ids)


def _encode(
    path: Path,
    rng: random.Random,
    *,
    tabular: bool = False,
    source: object = None,
    blank: bool = False,
) -> None:
    pattern = rng.choice((None, None, None, r"\w+", r"[^,]+", r""))
    use_corpus(
        encode_corpus(
            path if source is None else source,
            min_count=rng.choice((1, 1, 1, 2)),
            max_vocab=rng.choice((None, None, None, 3)),
            lowercase=rng.random() < 0.3,
            pattern=pattern,
            errors=rng.choice(("strict", "replace")),
            column=rng.choice((None, None, None, "text", "n", "none")) if tabular else None,
            workers=rng.choice((1, 2)),
        ),
        blank=pattern is not None or blank,
    )


def _encode_stdin(path: Path, rng: random.Random) -> None:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(path.read_bytes()))
    try:
        _encode(path, rng, source="-")
    finally:
        sys.stdin = before


def _encode_folder(path: Path, rng: random.Random) -> None:
    """The damaged bytes under several names at once: each is read by what its name says."""
    folder = path.with_name("folder")
    folder.mkdir(exist_ok=True)
    names = ("a.txt", "b.csv", "c.jsonl", "d.txt.gz", ".hidden.txt", "e.tsv", "f.md")
    for old in folder.iterdir():
        old.unlink()
    for name in rng.sample(names, 2):
        (folder / name).write_bytes(path.read_bytes())
    (folder / "g.txt").write_text("all is well\n")
    _encode(path, rng, source=rng.choice((folder, str(folder / "*"), [folder, path])))


def _encode_name(path: Path, rng: random.Random) -> None:
    """The damaged bytes as what the user calls his text: a name, a glob, a sentence."""
    name = path.read_bytes().decode("utf-8", "surrogateescape").replace("/", "").replace("..", "")
    path.unlink()
    Path("here.txt").write_text("a name that is there\n")
    source = rng.choice((name, [name], [name, name], [Path(name), "here.txt"], ["here.txt", name]))
    try:
        _encode(path, rng, source=source)
    finally:
        Path("here.txt").unlink()


def _validation(path: Path, rng: random.Random) -> None:
    words = Vocabulary(["the", "cat", "na\u00efve"], [5, 3, 2])
    text = encode_validation(path, words, errors=rng.choice(("strict", "replace")))
    assert text.offsets[0] == 0
    assert text.offsets[-1] == len(text.ids) >= 2
    assert (np.diff(text.offsets) > 0).all()
    assert 0 <= text.ids.min() <= text.ids.max() < len(words)
    assert text.tokens_unknown >= 0


_JUNK: tuple[object, ...] = (None, 7, 1.5, b"bytes", "", "a b", "\ud800", "x\ny", [], ["a", "b"])
_JUNK += (float("nan"), [" ", ""], ["\x1f\x1f", "\x85"], np.arange(2), np.array([["a"]]), ".", "-")
_JUNK += (["a", None], ("t", "u"), {"k": "v"}, {"s"}, range(3), iter("ab"), [["a"]], "\0", ["\x1f"])


def _encode_sentences(path: Path, rng: random.Random) -> None:
    items = [*rng.choices(_JUNK, k=rng.randrange(4)), *path.read_text(errors="replace").split("\n")]
    rng.shuffle(items)
    sources = (items, iter(items), tuple(items), {"text": items}, {"n": range(3), "t": items})
    _encode(path, rng, source=rng.choice(sources), blank=True)


def _command(path: Path, rng: random.Random) -> None:
    """The damaged bytes as arguments of the command line, where words and numbers are asked for."""
    from typer.testing import CliRunner

    from wordgrad.cli.app import app

    words = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    words = [word.replace("\0", "") for word in words if not word.startswith(("/", ".."))]
    Path("v.safetensors").write_bytes(seeds.vector_file("safetensors"))
    command = rng.choice(
        (
            ["similar", "v.safetensors"],
            ["analogy", "v.safetensors"],
            ["doesnt-match", "v.safetensors"],
            ["evaluate", "v.safetensors", "--similarity"],
            ["evaluate", "v.safetensors", "--analogies"],
            ["similar"],
            ["plot-loss", "v.safetensors", "--along"],
            ["train", "none.txt", "-o", "out.safetensors"],
        )
    )
    done = CliRunner().invoke(app, [*command, *words])
    Path("v.safetensors").unlink()
    if Path("loss.html").exists():
        Path("loss.html").unlink()
    if isinstance(done.exception, Exception):
        raise done.exception
    assert done.exit_code in (0, 1, 2), done.exit_code
    assert "defect of wordgrad" not in done.output, done.output


ARGUMENTS = b"king\n--topn\n5\nof\nthe\n--from\nglove\n--\n-x\n--seed\n1\n--format\njson\n-n\n3"
_zstd = zstandard.ZstdCompressor().compress


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def _vectors(name: str, file: str, mutate: change.Mutation, *more: Callable[[], bytes]) -> Target:
    def made() -> list[bytes]:
        return [seeds.vector_file(name), *(one() for one in more)]

    return Target(name, "vectors", file, made, partial(_open, format=name), mutate)


def _gunzip(data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data)


PACKED: tuple[tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]], ...] = (
    (change.gzipped, _gunzip),
    (_zstd, _unzstd),
    (bz2.compress, bz2.decompress),
    (lzma.compress, lzma.decompress),
)


def _packed_vectors(
    name: str, file: str, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]
) -> Target:
    ending = {_zstd: "zst", bz2.compress: "bz2", lzma.compress: "xz"}.get(pack, "gz")
    return Target(
        f"{name}.{ending}",
        "vectors",
        f"{file}.{ending}",
        lambda: [pack(seeds.vector_file(name))],
        partial(_open, format=name),
        change.compressed(pack, unpack, change.first_line),
    )


def _corpus(
    name: str, file: str, make: Callable[[], bytes], mutate: change.Mutation = change.blind
) -> Target:
    tabular = name.partition(".")[0] not in ("text", "stdin")
    return Target(
        name, "corpora", file, lambda: [make()], partial(_encode, tabular=tabular), mutate
    )


TARGETS = (
    _vectors("safetensors", "v.safetensors", change.safetensors),
    Target("safetensors-shards", "vectors", "index.json", lambda: [seeds.shards()[seeds.INDEX]],
           partial(_open_sharded, name=seeds.INDEX), _index),
    Target("shard", "vectors", "shard.safetensors", lambda: [seeds.shards()[seeds.SHARD]],
           partial(_open_sharded, name=seeds.SHARD), change.safetensors),
    _vectors("word2vec-text", "v.vec", change.first_line),
    _vectors("word2vec-binary", "v.bin", change.first_line),
    _vectors("glove", "v.glove", change.blind),
    _vectors("npz", "v.npz", change.npz, seeds.compressed_npz),
    _vectors("parquet", "v.parquet", change.blind),
    Target("tsv", "vectors", "v.tsv", lambda: [seeds.vector_file("tsv")], _open_beside_words),
    *(
        _packed_vectors(name, file, pack, unpack)
        for name, file in (("word2vec-text", "v.vec"), ("word2vec-binary", "v.bin"), ("glove", "v"))
        for pack, unpack in PACKED
    ),
    Target("tsv-words", "vectors", "v.metadata.tsv", lambda: [seeds.projector_words()],
           _open_words),
    Target(
        "fasttext",
        "vectors",
        "f.bin",
        lambda: [
            seeds.fasttext_model(),
            seeds.fasttext_model(0, 0, 0),
            *seeds.models("hs_pruned.ftz", "softmax_output.ftz"),
        ],
        partial(_open, format="fasttext"),
        change.fasttext,
    ),
    Target(
        "fasttext-on-demand",
        "vectors",
        "f.bin",
        lambda: seeds.models("skipgram.bin", "cbow.bin", "whole_words.bin"),
        _open_large,
        change.fasttext,
    ),
    Target(
        "guessed-format",
        "vectors",
        "v",
        lambda: [
            *map(seeds.vector_file, ("safetensors", "word2vec-text", "word2vec-binary", "glove")),
            *map(seeds.vector_file, ("npz", "parquet", "tsv")),
            seeds.fasttext_model(),
            b"\x80\x04\x95cos\nsystem\n(S'touch evil'\ntR.",
        ],
        partial(_open, format=None),
    ),
    Target(
        "loss-history",
        "vectors",
        "h.safetensors",
        lambda: [json.dumps({"history": seeds.EPOCHS, "settings": seeds.SETTINGS}).encode()],
        _draw_losses,
        _history,
    ),
    _corpus("text", "t.txt", seeds.text),
    _corpus("text.gz", "t.txt.gz", lambda: change.gzipped(seeds.text()),
            change.compressed(change.gzipped, _gunzip, change.blind)),
    _corpus("text.zst", "t.txt.zst", lambda: _zstd(seeds.text()),
            change.compressed(_zstd, _unzstd, change.blind)),
    _corpus("jsonl", "t.jsonl", seeds.json_lines, change.json_lines),
    _corpus("jsonl.gz", "t.jsonl.gz", lambda: change.gzipped(seeds.json_lines()),
            change.compressed(change.gzipped, _gunzip, change.json_lines)),
    _corpus("csv", "t.csv", lambda: seeds.table(",")),
    _corpus("csv.zst", "t.csv.zst", lambda: _zstd(seeds.table(",")),
            change.compressed(_zstd, _unzstd, change.blind)),
    _corpus("tsv-corpus", "t.tsv", lambda: seeds.table("\t")),
    _corpus("parquet-corpus", "t.parquet", seeds.parquet),
    Target("stdin", "corpora", "t", lambda: [seeds.text()], _encode_stdin),
    Target("folder", "corpora", "t.txt", lambda: [seeds.text(), seeds.json_lines()],
           _encode_folder),
    Target("names", "corpora", "t", lambda: [b"here.txt", b"**", b"h*.txt", b"[ab]x.txt", b"-"],
           _encode_name),
    Target("sentences", "corpora", "t", lambda: [seeds.text()], _encode_sentences),
    Target("validation", "corpora", "t.txt", lambda: [seeds.text()], _validation),
    Target("word-pairs", "sets", "p.tsv", lambda: [seeds.PAIRS, seeds.SIMLEX],
           lambda path, rng: read_pairs(path)),
    Target("questions", "sets", "q.txt", lambda: [seeds.QUESTIONS],
           lambda path, rng: read_questions(path)),
    Target("arguments", "sets", "a", lambda: [ARGUMENTS], _command),
    Target("checkpoint", "checkpoints", "c.safetensors",
           lambda: [checkpoints.folder_files()[checkpoints.newest()]],
           checkpoints.read_checkpoint, change.container),
    Target("checkpoint-folder", "checkpoints", "seed",
           checkpoints.whole_folder, checkpoints.go_on),
    Target("held-out", "checkpoints", "held-out.safetensors",
           lambda: [checkpoints.folder_files()["held-out.safetensors"]],
           checkpoints.read_held_out, change.container),
    *(
        Target(f"kept-{name.partition('.')[0]}", "checkpoints", name,
               lambda name=name: [checkpoints.folder_files()[f"text/{name}"]],
               checkpoints.read_kept_text)
        for name in ("ids.int32", "offsets.int64")
    ),
    Target("index", "vectors", "i.index", lambda: [indexes.index()], indexes.use_index,
           change.container),
    Target("phrases", "corpora", "p.phrases", lambda: [indexes.phrases()], indexes.use_phrases,
           change.container),
    Target("documents", "classifiers", "d.safetensors", lambda: [models.documents()],
           models.use_documents, change.container),
    Target("gensim-vectors", "classifiers", "k.kv", lambda: [models.keyed_vectors()],
           models.use_keyed_vectors, change.container),
    Target("gensim-word2vec", "classifiers", "w.model", lambda: [models.word2vec()],
           models.use_word2vec, change.container),
    Target("classifier", "classifiers", "m.safetensors", lambda: [classifiers.model()],
           classifiers.use_model, change.container),
    Target("fasttext-classifier", "classifiers", "m.bin", classifiers.fasttext_models,
           classifiers.use_fasttext_model, change.fasttext),
    Target("labelled-lines", "classifiers", "l.txt",
           lambda: [classifiers.LINES, classifiers.MARKED], classifiers.labelled),
    Target("labelled-lines.gz", "classifiers", "l.txt.gz",
           lambda: [change.gzipped(classifiers.LINES), change.gzipped(classifiers.MARKED)],
           classifiers.labelled, change.compressed(change.gzipped, _gunzip, change.blind)),
    Target("labelled-objects.zst", "classifiers", "l.jsonl.zst",
           lambda: [_zstd(classifiers.OBJECTS)], classifiers.labelled,
           change.compressed(_zstd, _unzstd, change.json_lines)),
    Target("labelled-table", "classifiers", "l.csv", lambda: [classifiers.TABLE],
           classifiers.labelled),
    Target("labelled-tabs", "classifiers", "l.tsv",
           lambda: [classifiers.TABS, classifiers.LINES], classifiers.labelled),
    Target("labelled-parquet", "classifiers", "l.parquet",
           lambda: [classifiers.parquet()], classifiers.labelled),
    Target("labelled-objects", "classifiers", "l.jsonl", lambda: [classifiers.OBJECTS],
           classifiers.labelled, change.json_lines),
)  # fmt: skip
FAMILIES = tuple(dict.fromkeys(target.family for target in TARGETS))


def named(name: str) -> Target:
    """The target called ``name``."""
    return next(target for target in TARGETS if target.name == name)

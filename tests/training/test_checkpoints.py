"""Checkpoint files and their folder: whole, checked, two of them, and one training at a time."""

import json
import os
import struct
import tracemalloc
import warnings
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from wordgrad.corpus import corpus as corpus_module
from wordgrad.corpus.corpus import CorpusReport, Fingerprint, ValidationCorpus, encode_corpus
from wordgrad.errors import (
    DamagedCheckpointWarning,
    FormatError,
    InputError,
    OutputError,
    WordgradError,
)
from wordgrad.training import parameters as parameters_
from wordgrad.training.checkpoint import (
    CHECKPOINT,
    EARLIER_SETTINGS,
    Checkpoint,
    CheckpointFolder,
    Identity,
    recorded_settings,
)
from wordgrad.training.engine import EpochRecord, Loss, TrainingState
from wordgrad.training.parameters import Parameters
from wordgrad.vocabulary import Vocabulary

WORDS = ["the", "naïve", "cat"]
finite = st.floats(0, allow_nan=False, allow_infinity=False)


def parameters(seed=1, size=5):
    made = Parameters.zeros(len(WORDS), len(WORDS), size)
    rng = np.random.default_rng(seed)
    made.W_in[:] = rng.normal(size=(len(WORDS), size))
    made.W_out[:] = rng.normal(size=(len(WORDS), size))
    return made


def checkpoint(state=None, best=None, engine=None, seed=1):
    identity = Identity(
        settings={**EARLIER_SETTINGS, "vector_size": 5, "pattern": None, "sample": 1e-4},
        vocabulary=Vocabulary(WORDS, [9, 4, 1]),
        fingerprint=Fingerprint(14, 3, 3, "ab", "cd"),
        report=CorpusReport(1, 99, 3, 3, 20, 14, 8, 0, 0.25),
    )
    return Checkpoint(identity, state or TrainingState(), parameters(seed), best, engine or {})


def assert_same(one, two):
    assert one.state == two.state
    assert one.identity == two.identity
    for mine, yours in ((one.parameters, two.parameters), (one.best, two.best)):
        assert (mine is None) == (yours is None)
        if mine is not None:
            assert mine.W_in_rows.tobytes() == yours.W_in_rows.tobytes()
            assert mine.W_out_rows.tobytes() == yours.W_out_rows.tobytes()
            assert yours.W_in_rows.ctypes.data % 64 == 0
    assert one.engine.keys() == two.engine.keys()
    for name, array in one.engine.items():
        np.testing.assert_array_equal(two.engine[name], array)
        assert two.engine[name].dtype == array.dtype


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints") / "checkpoint-1.safetensors"


@given(
    losses=st.lists(finite, max_size=3),
    token=st.integers(0, 13),
    total=finite,
    pairs=st.integers(0, 2**62),
    validation=st.none() | finite,
    with_best=st.booleans(),
    sums=st.lists(finite, max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_what_is_written_is_read(path, losses, token, total, pairs, validation, with_best, sums):
    history = [
        EpochRecord(k, loss, pairs, 14, 0.1, 0.05, validation) for k, loss in enumerate(losses, 1)
    ]
    written = checkpoint(
        TrainingState(len(history), token, Loss(total, pairs), 1.5, history),
        best=parameters(2) if with_best else None,
        engine={"sums": np.array(sums), "rows": np.zeros((2, 3), np.float32)} if sums else {},
    )
    written.write(path)
    assert_same(written, Checkpoint.read(path))
    assert_same(written, Checkpoint.read(path, mapped=True))


def test_parameters_that_are_mapped_are_never_in_memory(path, monkeypatch):
    monkeypatch.setattr(parameters_, "SLICE_BYTES", 1 << 16)
    rows = np.zeros((5000, 20))
    given = Parameters.from_matrices(rows, rows + 1)
    written = replace(checkpoint(), parameters=given, best=given)
    written.write(path)
    tracemalloc.start()
    try:
        found = Checkpoint.read(path, mapped=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < given.W_in_rows.nbytes / 2
    assert_same(written, found)
    found.parameters.W_in_rows[:] = 1
    assert_same(written, Checkpoint.read(path))


def test_the_file_is_a_plain_safetensors_file(path):
    written = checkpoint()
    written.write(path)
    arrays = load_file(path)
    np.testing.assert_array_equal(arrays["W_in"][:, :5], written.parameters.W_in)
    assert arrays["words"].tobytes().decode() == "thenaïvecat"


def test_the_matrices_may_differ_in_rows(path):
    rng = np.random.default_rng(1)
    W_in, W_out = rng.normal(size=(7, 5)), rng.normal(size=(2, 5))
    written = replace(
        checkpoint(best=None),
        parameters=Parameters.from_matrices(W_in, W_out),
        best=Parameters.from_matrices(2 * W_in, W_out),
    )
    written.write(path)
    assert_same(written, Checkpoint.read(path))


def test_a_file_of_the_version_before_is_read(path):
    """It did not say how many rows there are: one of each matrix for every word."""
    written = checkpoint(best=parameters(2), engine={"sums": np.ones(2)})
    written.write(path)
    resealed(path, lambda record: (record.pop("n_inputs"), record.pop("n_outputs")))
    assert_same(written, Checkpoint.read(path))
    resealed(path, change_arrays=lambda arrays: arrays.update(W_in=arrays["W_in"][:2].copy()))
    with pytest.raises(FormatError, match="2 vectors are not the 3 that were recorded"):
        Checkpoint.read(path)


def test_every_flipped_bit_is_found(path):
    """Each byte of a file has a bit flipped; none of those files is taken for a good one."""
    checkpoint(TrainingState(0, 3, Loss(2.5, 8), 1.0, []), engine={"sums": np.ones(2)}).write(path)
    good = path.read_bytes()
    bad = path.with_name("bad.safetensors")
    accepted, messages = [], []
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 1 << (place % 8)
        bad.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                mapped = place % 2 == 0
                assert_same(Checkpoint.read(path), Checkpoint.read(bad, mapped=mapped))
        except WordgradError as error:
            messages.append(str(error))
        else:
            accepted.append(place)
    assert all("bad.safetensors" in message for message in messages)
    # Spaces that fill up the header may change, and nothing that is read does.
    assert len(accepted) <= 8


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_cut_and_random_files_are_our_errors(path, data):
    checkpoint().write(path)
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good) - 1))
    mode = data.draw(st.sampled_from(["cut", "noise", "random"]))
    if mode == "cut":
        bad = good[:start]
    elif mode == "noise":
        noise = data.draw(st.binary(min_size=1, max_size=30).filter(lambda b: b not in good))
        bad = good[:start] + noise + good[start + len(noise) :]
    else:
        bad = data.draw(st.binary(max_size=200))
    target = path.with_name("bad.safetensors")
    target.write_bytes(bad)
    if mode == "noise" and start < len(good.partition(b"}}")[0]) + 10:
        return  # white space for white space: the test of flipped bits covers the header
    with pytest.raises(FormatError, match=r"bad\.safetensors"):
        Checkpoint.read(target)


def resealed(path, change_record=None, change_arrays=None):
    """Write a file that only its contents give away: every checksum is right."""
    record, arrays = CHECKPOINT.read(path)
    if change_record:
        change_record(record)
    if change_arrays:
        change_arrays(arrays)
    CHECKPOINT.write(path, record, arrays)


def put(**values):
    return lambda record: record.update(values)


HOSTILE_RECORDS = [
    put(n_inputs=2),
    put(n_outputs=4),
    put(n_inputs=10**12),
    put(n_outputs=0),
    put(n_inputs="3"),
    lambda record: (record.pop("n_inputs"), record.update(n_outputs=9)),
    put(epoch=-1),
    put(epoch=1),
    put(epoch=True),
    put(epoch=10**400),
    put(token=-5),
    put(token=14),
    put(token=2**62),
    put(token=1.0),
    put(loss="much"),
    put(pairs=None),
    put(seconds=[]),
    put(settings=[1]),
    put(settings=None),
    put(vector_size=0),
    put(vector_size=17),
    put(vector_size=4),
    put(vector_size=10**12),
    put(vector_size="5"),
    put(history={}),
    put(history=7),
    put(history=[{}]),
    put(history=[None]),
    put(fingerprint={}),
    put(fingerprint=None),
    put(report={"files": 1}),
    put(held_out="x"),
    lambda record: record.clear(),
    lambda record: record["fingerprint"].update(words=10**12),
    lambda record: record["report"].update(seconds="long"),
]


@pytest.mark.parametrize("change", HOSTILE_RECORDS)
def test_hostile_records(tmp_path, change):
    path = tmp_path / "checkpoint-1.safetensors"
    checkpoint().write(path)
    resealed(path, change)
    with pytest.raises(FormatError, match=r"checkpoint-1\.safetensors is damaged: "):
        Checkpoint.read(path)


def set_array(name, make):
    def change(arrays):
        arrays[name] = make(arrays[name])

    return change


def with_value(value):
    def make(array):
        array = array.copy()
        array[0, 0] = value
        return array

    return make


def with_padding(array):
    array = array.copy()
    array[1, 15] = 1.0
    return array


HOSTILE_ARRAYS = [
    set_array("W_in", with_value(np.nan)),
    set_array("W_out", with_value(np.inf)),
    set_array("W_in", with_padding),
    set_array("W_in", lambda a: a[:2].copy()),
    set_array("W_in", lambda a: a[:, :8].copy()),
    set_array("W_in", lambda a: a.astype(np.float64)),
    set_array("W_in", lambda a: a.reshape(-1)),
    set_array("W_in", lambda a: a[:0].copy()),
    set_array("words", lambda a: a[:-1].copy()),
    set_array("words", lambda a: np.full_like(a, 255)),
    set_array("words", lambda a: a.astype(np.int64)),
    set_array("word_offsets", lambda a: a[::-1].copy()),
    set_array("word_offsets", lambda a: a * 2**40),
    set_array("word_offsets", lambda a: a[:0].copy()),
    set_array("word_offsets", lambda a: np.array([0, 3, 9], np.int64)),
    set_array("counts", lambda a: -a),
    set_array("counts", lambda a: a[::-1].copy()),
    set_array("counts", lambda a: a.reshape(1, 3)),
    lambda arrays: arrays.pop("W_out"),
    lambda arrays: arrays.pop("words"),
    lambda arrays: arrays.update({"best.W_in": arrays["W_in"][:2].copy()}),
    lambda arrays: arrays.update({"runner.sums": np.array([1.0, np.nan])}),
    lambda arrays: arrays.update(W_in=arrays["W_in"][:2].copy(), W_out=arrays["W_out"][:2].copy()),
]


@pytest.mark.parametrize("change", HOSTILE_ARRAYS)
def test_hostile_arrays(tmp_path, change):
    path = tmp_path / "checkpoint-1.safetensors"
    checkpoint().write(path)
    resealed(path, change_arrays=change)
    with pytest.raises(FormatError, match=r"checkpoint-1\.safetensors"):
        Checkpoint.read(path)


def test_an_array_of_another_kind_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "checkpoint-1.safetensors"
    header = json.dumps(
        {
            "__metadata__": {
                "wordgrad.part": "checkpoint",
                "layout": "1",
                "record": "{}",
                "crc32.record": format(zlib.crc32(b"checkpoint\x001\x00{}"), "08x"),
            },
            "W_in": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(FormatError, match="W_in has dtype BF16"):
        Checkpoint.read(path)


def test_a_lying_header_asks_for_no_memory(tmp_path):
    path = tmp_path / "checkpoint-1.safetensors"
    entry = {"dtype": "F32", "shape": [10**12, 100], "data_offsets": [0, 4 * 10**14]}
    header = json.dumps({"W_in": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)
    with pytest.raises(FormatError, match="is damaged: "):
        Checkpoint.read(path)


def test_a_record_too_deep_for_python(tmp_path):
    path = tmp_path / "checkpoint-1.safetensors"
    deep = "[" * 100_000 + "]" * 100_000
    metadata = {
        "wordgrad.part": "checkpoint",
        "layout": "1",
        "record": deep,
        "crc32.record": format(zlib.crc32(f"checkpoint\x001\x00{deep}".encode()), "08x"),
    }
    save_file({"a": np.zeros(1)}, path, metadata=metadata)
    with pytest.raises(FormatError, match="its record is not JSON"):
        CHECKPOINT.read_record(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "is no checkpoint of wordgrad"),
        ({"wordgrad": "1"}, "is no checkpoint of wordgrad"),
        ({"wordgrad.part": "checkpoint", "layout": "9"}, "has layout '9'"),
        ({"wordgrad.part": "checkpoint", "layout": "1"}, "its record fails its checksum"),
    ],
)
def test_other_safetensors_files(tmp_path, metadata, message):
    path = tmp_path / "other.safetensors"
    save_file({"matrix": np.zeros((2, 2))}, path, metadata=metadata)
    with pytest.raises(FormatError, match=message):
        CHECKPOINT.read_record(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        CHECKPOINT.read_record(tmp_path / "none.safetensors")


def names(folder):
    return sorted(entry.name for entry in folder.iterdir() if entry.name != "lock")


def test_a_third_that_a_kill_left_over_is_removed_on_going_on(tmp_path):
    """Killed after a checkpoint was saved and before the oldest was removed, perhaps at the end."""
    for number in (1, 2, 3):
        checkpoint(seed=number).write(tmp_path / f"checkpoint-{number}.safetensors")
    with CheckpointFolder.open(tmp_path) as folder:
        assert_same(folder.newest(), checkpoint(seed=3))
    names = sorted(path.name for path in tmp_path.glob("checkpoint-*"))
    assert names == ["checkpoint-2.safetensors", "checkpoint-3.safetensors"]


def test_the_last_two_are_kept(tmp_path):
    with CheckpointFolder.begin(tmp_path / "new" / "run") as folder:
        for token in range(5):
            folder.save(checkpoint(TrainingState(token=token)))
            assert names(folder.path) == [
                f"checkpoint-{n}.safetensors" for n in range(max(token, 1), token + 2)
            ]
        assert folder.newest().state.token == 4


def test_the_older_ones_are_removed_after_the_new_one_is_in_place(tmp_path, monkeypatch):
    with CheckpointFolder.begin(tmp_path) as folder:
        for token in range(2):
            folder.save(checkpoint(TrainingState(token=token)))

        def fail(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OutputError, match="No space left on device"):
            folder.save(checkpoint(TrainingState(token=2)))
        assert names(tmp_path) == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]
        assert folder.newest().state.token == 1


def test_ten_comes_after_nine(tmp_path):
    with CheckpointFolder.begin(tmp_path) as folder:
        for token in range(12):
            folder.save(checkpoint(TrainingState(token=token)))
        assert names(tmp_path) == ["checkpoint-11.safetensors", "checkpoint-12.safetensors"]
        assert folder.newest().state.token == 11


def test_what_killed_writes_left_is_removed_and_nothing_else(tmp_path):
    with CheckpointFolder.begin(tmp_path) as folder:
        folder.save(checkpoint())
    (tmp_path / ".checkpoint-2.safetensors.0a1b2c3d.part").write_bytes(b"half")
    (tmp_path / ".held-out.safetensors.0a1b2c3d.part").write_bytes(b"half")
    (tmp_path / ".tmpOIxGvK").write_bytes(b"half")
    (tmp_path / ".mine.part").write_bytes(b"mine")
    (tmp_path / "checkpoint-007.safetensors").write_bytes(b"mine")
    with CheckpointFolder.open(tmp_path) as folder:
        assert folder.newest().state.token == 0
    assert names(tmp_path) == [
        ".mine.part",
        "checkpoint-007.safetensors",
        "checkpoint-1.safetensors",
    ]


def test_a_start_that_was_killed_before_its_first_checkpoint_leaves_the_folder_free(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "ids.int32").write_bytes(b"1234")
    (tmp_path / "held-out.safetensors").write_bytes(b"half")
    with CheckpointFolder.begin(tmp_path):
        assert names(tmp_path) == []


def test_a_folder_with_checkpoints_is_not_taken_for_a_new_training(tmp_path):
    with CheckpointFolder.begin(tmp_path) as folder:
        folder.save(checkpoint())
    with pytest.raises(OutputError, match=r"holds checkpoints of a training; go on .*--resume"):
        CheckpointFolder.begin(tmp_path)
    with CheckpointFolder.open(tmp_path):  # the refusal kept no lock
        pass


@pytest.mark.parametrize("take", [CheckpointFolder.begin, CheckpointFolder.open])
def test_two_trainings_cannot_share_a_folder(tmp_path, take):
    with CheckpointFolder.begin(tmp_path) as folder:
        folder.save(checkpoint())
        with pytest.raises(OutputError, match=rf"in use by a training \(process {os.getpid()}\)"):
            take(tmp_path)
        assert folder.newest().state.token == 0
    with CheckpointFolder.open(tmp_path):
        pass


def test_a_lock_of_a_dead_process_locks_nothing(tmp_path):
    with CheckpointFolder.begin(tmp_path) as folder:
        folder.save(checkpoint())
    (tmp_path / "lock").write_text("\n1\n")  # the first process of all lives, and holds no lock
    with CheckpointFolder.open(tmp_path):
        assert (tmp_path / "lock").read_text() == f"\n{os.getpid()}\n"


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be made"):
        CheckpointFolder.begin(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be made"):
        CheckpointFolder.begin(tmp_path / "file" / "below")
    with pytest.raises(InputError, match="There is no folder"):
        CheckpointFolder.open(tmp_path / "none")
    with pytest.raises(InputError, match="holds no checkpoint"):
        CheckpointFolder.open(tmp_path)
    with pytest.raises(InputError, match="holds no checkpoint"):
        recorded_settings(tmp_path)


@pytest.mark.parametrize("lost", [1, 9, 10**6])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, lost):
    with CheckpointFolder.begin(tmp_path) as folder:
        for token in (4, 9):
            folder.save(checkpoint(TrainingState(token=token)))
        newest = tmp_path / "checkpoint-2.safetensors"
        newest.write_bytes(newest.read_bytes()[:-lost])
        with pytest.warns(
            DamagedCheckpointWarning,
            match=r"checkpoint-2\.safetensors is damaged.* Training goes on from the one before, "
            "at token 4 of epoch 1",
        ):
            assert folder.newest().state.token == 4
        assert recorded_settings(tmp_path)["vector_size"] == 5
        folder.save(checkpoint(TrainingState(token=11)))
        assert folder.newest().state.token == 11
        assert names(tmp_path) == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]


def test_all_are_damaged(tmp_path):
    with CheckpointFolder.begin(tmp_path) as folder:
        for _ in range(2):
            folder.save(checkpoint())
        for path in tmp_path.glob("checkpoint*"):
            path.write_bytes(b"no")
        with pytest.raises(FormatError, match=r"checkpoint-2\.safetensors is damaged"):
            folder.newest()
        with pytest.raises(FormatError, match=r"checkpoint-2\.safetensors is damaged"):
            recorded_settings(tmp_path)
        assert len(names(tmp_path)) == 2  # nothing is removed: somebody may repair them


@settings(max_examples=10)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), min_size=2, max_size=8))
def test_a_fingerprint_tells_texts_apart(text):
    one = [[*sentence, "a", "b"] for sentence in text]
    others = [
        [sentence[::-1] for sentence in one],
        [*one[1:], one[0]],
        one[:-1],
        [[word for sentence in one for word in sentence]],
        [[{"c": "d", "d": "c"}.get(word, word) for word in sentence] for sentence in one],
    ]
    with encode_corpus(iter(one), min_count=1, workers=1) as corpus:
        print_ = Fingerprint.of(corpus)
        again = Fingerprint.of(corpus)
    assert again.difference(print_) is None
    for other in others:
        with encode_corpus(iter(other), min_count=1, workers=1) as corpus:
            difference = Fingerprint.of(corpus).difference(print_)
        same = other == one
        assert (difference is None) == same, (one, other)


@pytest.mark.parametrize(
    ("ids", "offsets"),
    [
        ([0, 1, 3, 0], [0, 2, 4]),
        ([0, -1, 2, 0], [0, 2, 4]),
        ([0, 1, 2, 0], [0, 5, 4]),
        ([0, 1, 2, 0], [0, 2, 5]),
        ([0, 1, 2, 0], [1, 2, 4]),
        ([0, 1, 2, 0], [0, 0, 4]),
        ([0, 1, 2, 0], [-1, 2, 4]),
    ],
)
def test_a_hostile_text_with_the_right_fingerprint_reaches_no_kernel(
    tmp_path, monkeypatch, ids, offsets
):
    np.array(ids, np.int32).tofile(tmp_path / "ids.int32")
    np.array(offsets, np.int64).tofile(tmp_path / "offsets.int64")
    vocabulary, report = Vocabulary(WORDS, [9, 4, 1]), checkpoint().identity.report
    text = ValidationCorpus(np.array(ids, np.int32), np.array(offsets), vocabulary, 4)
    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "_check", lambda *_: None)
        expected = Fingerprint.of(text)
    with pytest.raises(FormatError, match=r"its (ids|offsets) are out of range"):
        corpus_module.open_kept(tmp_path, vocabulary, report, expected)

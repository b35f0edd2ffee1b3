import errno
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from wordgrad.errors import OutputError
from wordgrad.files import GrowingArray, atomic_write, check_output

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a"
    with atomic_write(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail_halfway():
        with atomic_write(target) as temporary:
            temporary.write_bytes(b"ne")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "permissions")]
)
def test_a_failing_disk_is_named_with_a_remedy(tmp_path, number, remedy):
    with (
        pytest.raises(OutputError, match=rf"a could not be written \(.*\); .*{remedy}"),
        atomic_write(tmp_path / "a"),
    ):
        raise OSError(number, os.strerror(number))


@posix
def test_permissions_are_those_of_a_new_file_or_of_the_one_replaced(tmp_path):
    plain, written, replaced = (tmp_path / name for name in ("plain", "written", "replaced"))
    plain.touch()
    replaced.touch()
    replaced.chmod(0o640)
    for target in (written, replaced):
        with atomic_write(target) as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert stat.S_IMODE(replaced.stat().st_mode) == 0o640


def test_outputs_are_checked_before_the_work(tmp_path):
    existing = tmp_path / "here"
    existing.touch()
    assert check_output(tmp_path / "free") == tmp_path / "free"
    assert check_output(existing, overwrite=True) == existing
    with pytest.raises(OutputError, match=f"{re.escape(str(existing))} exists already.*overwrite"):
        check_output(existing)
    with pytest.raises(OutputError, match=r"folder .*missing does not exist; create it"):
        check_output(tmp_path / "missing" / "file")
    with pytest.raises(OutputError, match="is a directory; name a file in it"):
        check_output(tmp_path)
    assert os.listdir(tmp_path) == ["here"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "a"

    def write_while_another_is_faster():
        with atomic_write(target, overwrite=False) as temporary:
            temporary.write_bytes(b"mine")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="a exists already; choose another name"):
        write_while_another_is_faster()
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("faster", [False, True])
def test_so_too_where_there_are_no_links(tmp_path, monkeypatch, faster):
    def refuse(*_args):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "a"

    def write():
        with atomic_write(target, overwrite=False) as temporary:
            temporary.write_bytes(b"mine")
            if faster:
                target.write_bytes(b"theirs")

    if faster:
        with pytest.raises(OutputError, match="exists already"):
            write()
    else:
        write()
    assert target.read_bytes() == (b"theirs" if faster else b"mine")
    assert os.listdir(tmp_path) == ["a"]


@posix
def test_devices_and_pipes_are_no_outputs(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/full", "/dev/null", pipe):
        with pytest.raises(OutputError, match="is a device or a pipe; name a file"):
            check_output(path, overwrite=True)


@posix
def test_a_link_stays_and_what_it_names_is_written(tmp_path):
    link, target = tmp_path / "link", tmp_path / "folder" / "target"
    target.parent.mkdir()
    link.symlink_to(target)
    for content in (b"new", b"newer"):
        check_output(link, overwrite=True)
        with atomic_write(link) as temporary:
            temporary.write_bytes(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    with pytest.raises(OutputError, match="exists already"):
        check_output(link)
    assert os.listdir(target.parent) == ["target"]


@posix
@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 250])
def test_a_name_as_long_as_names_may_be(tmp_path, name):
    target = check_output(tmp_path / name)
    with atomic_write(target, overwrite=False) as temporary:
        temporary.write_bytes(b"whole")
    assert os.listdir(tmp_path) == [name]


# ---------------------------------------------------------------- arrays that grow


@pytest.mark.parametrize("in_memory", [0, 100, 10**6])
def test_a_growing_array_is_the_same_in_memory_and_on_disk(in_memory):
    growing, whole = GrowingArray(np.int32, in_memory), []
    for n in (3, 0, 40, 7):
        part = np.arange(n, dtype=np.int64) * 7
        growing.append(part)
        whole += part.tolist()
        part[:] = 0
    assert len(growing) == 50
    found = growing.array()
    assert isinstance(found, np.memmap) == (in_memory < 200)
    found[1] += 1
    whole[1] += 1
    assert found.tolist() == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_growing_array_that_cannot_be_written(monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        check_growing_fails()


def check_growing_fails():
    growing = GrowingArray(np.int32, 0)
    with pytest.raises(OutputError, match=r"could not be written to .*; free some space, or name"):
        growing.append(np.arange(100_000, dtype=np.int32))

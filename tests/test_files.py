import errno
import os
import re
import stat
import sys

import pytest

from wordgrad.errors import OutputError
from wordgrad.files import atomic_write, check_output

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

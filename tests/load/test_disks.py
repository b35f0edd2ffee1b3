"""Full disks, folders that cannot be written, and outputs that are devices."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("disk_child.py")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other limits")


def _can_mount() -> bool:
    """Whether a file system can be mounted where nobody else sees it."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    script = 'mount -t tmpfs -o size=1m none "$1"'
    with_folder = ["unshare", "--mount", "sh", "-c", script, "sh", "/mnt"]
    return subprocess.run(with_folder, capture_output=True, check=False).returncode == 0


mounts = pytest.mark.skipif(not _can_mount(), reason="only root may mount a small file system")


def run(mode: str, folder: Path, *before: str) -> None:
    done = subprocess.run(
        [*before, sys.executable, str(CHILD), mode, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@posix
def test_a_file_that_may_not_grow_leaves_the_old_one_whole(tmp_path):
    run("limit", tmp_path)


@mounts
@pytest.mark.parametrize("mode", ["full", "read-only"])
def test_a_disk_that_takes_no_more_leaves_the_old_files_whole(tmp_path, mode):
    script = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
    run(mode, tmp_path, "unshare", "--mount", "sh", "-c", script, str(tmp_path))


@posix
def test_a_folder_without_permission(tmp_path):
    """As another user where the tests run as root, whom no permission stops."""
    code = """
import os
from wordgrad.errors import OutputError
from wordgrad import WordVectors
vectors = WordVectors(["a"], [[1.0]])
vectors.save("old.safetensors")
before = open("old.safetensors", "rb").read()
os.chmod(".", 0o555)
if os.geteuid() == 0:
    os.seteuid(65534)
for name in ("old.safetensors", "new.safetensors"):
    try:
        vectors.save(name, overwrite=True)
    except OutputError as error:
        assert "cannot be written (Permission denied); choose another folder" in str(error), error
    else:
        raise AssertionError("written without permission")
assert os.listdir() == ["old.safetensors"]
assert open("old.safetensors", "rb").read() == before
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    finally:
        tmp_path.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs Linux's /dev/full")
def test_standard_output_that_takes_nothing(tmp_path):
    from wordgrad.word_vectors import WordVectors

    path = tmp_path / "v.safetensors"
    WordVectors(["a", "b"], [[1.0, 0.0], [0.5, 1.0]]).save(path)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wordgrad", "similar", str(path), "a"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr

"""Compiled kernels are kept by a digest of their sources; no fault of a cache does harm."""

import ast
import errno
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile

import wordgrad
from wordgrad import compiling

PACKAGE = Path(wordgrad.__file__).parent

TRAIN = """
from wordgrad import Word2Vec
sentences = [f"a{i % 7} b{i % 5} c{i % 3}" for i in range(200)]
model = Word2Vec(8, min_count=1, epochs=2, workers=1, sample=0, learning_rate=0.1).fit(sentences)
print(repr(model.history_[-1]["loss"]))
"""


MIX = """
import numpy as np
from wordgrad.training.kernels.random import mix
print(int(mix(np.uint64(1))))
"""
MIXED = 0x5692161D100B05E5  # SplitMix64's finaliser of 1


def start(source, cache, script=TRAIN):
    environment = os.environ | {"PYTHONPATH": str(source), "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", script],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process):
    """The number that a script printed, and its warnings."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return float(output), errors


def copied(folder):
    """A copy of the package, to change."""
    shutil.copytree(PACKAGE, folder / "src" / "wordgrad", ignore=lambda *_: ["__pycache__"])
    return folder / "src"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A copy of the package, the cache that a training with it has filled, and its loss."""
    folder = tmp_path_factory.mktemp("kernels")
    source, cache = copied(folder), folder / "cache"
    loss, errors = ended(start(source, cache))
    assert errors == ""
    return source, cache, loss


def compiled_files(cache):
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}


def test_a_changed_tile_is_compiled_again(trained):
    """Twice the update in tiles.py, which no other file tells of, is another training."""
    source, cache, first = trained
    files = compiled_files(cache)
    assert len(files) > 3
    assert ended(start(source, cache))[0] == first
    assert compiled_files(cache) == files  # loaded, not compiled again
    tiles = source / "wordgrad" / "training" / "kernels" / "tiles.py"
    text = tiles.read_text()
    once = "g = e.broadcast(builder.add(base, ir.Constant(I64, 4 * k)))"
    assert text.count(once) == 1
    tiles.write_text(text.replace(once, f"{once}\n                    g = builder.fadd(g, g)"))
    try:
        changed, errors = ended(start(source, cache))
    finally:
        tiles.write_text(text)
    assert errors == ""
    assert abs(changed - first) > 1e-3
    assert files.items() < compiled_files(cache).items()


def test_several_processes_may_compile_at_once(tmp_path):
    processes = [start(PACKAGE.parent, tmp_path, MIX) for _ in range(4)]
    assert list(map(ended, processes)) == [(float(MIXED), "")] * 4
    assert len(compiled_files(tmp_path)) == 1


def test_where_nothing_can_be_written_kernels_are_compiled_in_memory(tmp_path):
    (tmp_path / "file").write_text("")
    found, errors = ended(start(PACKAGE.parent, tmp_path / "file" / "below", MIX))
    assert errors.count("RuntimeWarning") == 1, errors
    assert "Compiled kernels cannot be kept (Not a directory)" in errors
    assert "NUMBA_CACHE_DIR" in errors
    assert found == float(MIXED)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache for the kernels that a test compiles."""
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path)
    compiling._warn_once.cache_clear()
    yield tmp_path
    compiling._warn_once.cache_clear()


def sum_of_squares(numbers):
    total = 0.0
    for number in numbers:
        total += number * number
    return total


def compile_and_call():
    """Sum of squares of 1, 2, 3, and how often it came from the cache."""
    kernel = compiling.compiled()(sum_of_squares)
    return kernel(np.array([1.0, 2.0, 3.0])), sum(kernel.stats.cache_hits.values())


def test_a_kernel_is_loaded_the_second_time(folder):
    assert compile_and_call() == (14.0, 0)
    assert compile_and_call() == (14.0, 1)


def test_a_full_disk_costs_one_warning(folder, monkeypatch):
    def full(self, key, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    with pytest.warns(RuntimeWarning, match=r"cannot be kept \(No space left.*NUMBA_CACHE_DIR"):
        assert compile_and_call() == (14.0, 0)
    assert compile_and_call() == (14.0, 0)  # warned of once: warnings are errors here


@pytest.mark.parametrize("suffix", ["nbc", "nbi"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_files_cut_short_are_compiled_again_and_replaced(folder, suffix, share):
    compile_and_call()
    (file,) = folder.rglob(f"*.{suffix}")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    assert compile_and_call() == (14.0, 0)
    assert compile_and_call() == (14.0, 1)


def test_a_data_file_that_is_gone_is_compiled_again(folder):
    compile_and_call()
    (file,) = folder.rglob("*.nbc")
    file.unlink()
    assert compile_and_call() == (14.0, 0)
    assert compile_and_call() == (14.0, 1)


def test_the_digest_is_of_every_kernel(tmp_path):
    package = copied(tmp_path) / "wordgrad"
    digests = [compiling.source_digest(package)]
    assert digests[0] == compiling.source_digest()
    for name in (
        "training/kernels/intrinsics.py",
        "classification/kernels.py",
        "corpus/word_table.py",
    ):
        with (package / name).open("a") as file:
            file.write("# changed\n")
        digests.append(compiling.source_digest(package))
    (package / "classification" / "added.py").write_text("")
    digests.append(compiling.source_digest(package))
    assert len(set(digests)) == 5
    (package / "errors.py").write_text("")
    assert compiling.source_digest(package) == digests[-1]


def modules_with_numba():
    """Every module that imports Numba or one of our decorators."""
    decorators = {"jit", "inline_jit", "compiled"}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            module = getattr(node, "module", None) or ""
            imports = isinstance(node, (ast.Import, ast.ImportFrom))
            if imports and (
                any(name.split(".")[0] == "numba" for name in (module, *names))
                or (module.startswith("wordgrad") and decorators & set(names))
            ):
                yield path.relative_to(PACKAGE)
                break


def test_every_compiled_loop_is_in_a_file_that_the_digest_covers():
    found = list(modules_with_numba())
    assert len(found) > 10
    covered = {path for pattern in compiling.SOURCES for path in PACKAGE.glob(pattern)}
    # They start kernels on a card, and compile none of their own.
    launchers = {Path("training/engines/cuda.py"), Path("training/engines/cuda_softmax.py")}
    outside = [path for path in found if PACKAGE / path not in covered and path not in launchers]
    assert outside == []


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A base of cache folders that nothing was kept in yet."""
    monkeypatch.setattr(compiling.numba.core.config, "CACHE_DIR", str(tmp_path))
    compiling.cache_folder.cache_clear()
    yield tmp_path
    compiling.cache_folder.cache_clear()


def aged(path, days):
    path.mkdir()
    (path / "file").write_text("")
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


def test_folders_that_nothing_used_for_long_are_removed(home):
    digest = "0123456789abcde"
    old, recent = aged(home / f"kernels-{digest}0", 91), aged(home / f"kernels-{digest}1", 89)
    others = [aged(home / "kernels-of-mine", 999), aged(home / "numba", 999)]
    link = home / f"kernels-{digest}2"
    link.symlink_to(others[0], target_is_directory=True)
    own = compiling.cache_folder()
    assert own == home / f"kernels-{compiling.source_digest()}"
    assert not old.exists()
    assert all((path / "file").exists() for path in (recent, *others, link))


def test_using_a_folder_keeps_it(home):
    own = aged(home / f"kernels-{compiling.source_digest()}", 999)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiling.cache_folder() == own
    assert time.time() - own.stat().st_mtime < 100

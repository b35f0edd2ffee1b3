import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from wordgrad.corpus import builtin
from wordgrad.corpus.builtin import BuiltinEnglish, builtin_sentences

SOURCE = '''\
"""A module about Tuples.

Don't split words -- or do: 3 of them!

One two.

>>> example = "not English at all"
... continued = 1
output follows the prompt
"""
text = "just a string, no docstring"

if True:
    def function(argument="default of the function"):
        """First line of the function."""
        class Inner:
            r"""Inner class with a \\d backslash."""
        "another string that is none"
else:
    try:
        async def coroutine(): "A one line coroutine docstring."
    except ValueError:
        def handler(): """Defined in a handler clause."""
    finally:
        def last(): """Defined in the finally clause."""
'''


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """A standard library and one package of a few files."""
    library, package = tmp_path / "lib", tmp_path / "package"
    for path, source in {
        library
        / "pydoc_data"
        / "topics.py": "topics = {'a': 'The a statement', 'b': '''B is here.'''}",
        library / "module.py": SOURCE,
        library / "test" / "thing.py": '"""Tests are left out."""',
        library / "site-packages" / "other.py": '"""Other packages are left out."""',
        package / "__init__.py": '"""Package with words inside."""',
        package / "tests" / "thing.py": '"""Tests are left out."""',
        package / "conftest.py": '"""Tests are left out."""',
        package / "broken.py": "def broken(:",
        package / "latin.py": b'# -*- coding: latin-1 -*-\n"""Old words caf\xe9 inside."""',
        package / "nul.py": b'"""NUL \x00 byte here."""',
        package / "odd.py": '"""Odd \\\\d \\d escapes here."""',
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
    monkeypatch.setattr(builtin.sysconfig, "get_path", lambda _name: str(library))
    monkeypatch.setattr(builtin, "PACKAGES", ("package", "no_such_package_anywhere"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("installation")
def test_docstrings_are_found_wherever_definitions_may_be():
    english = BuiltinEnglish()
    assert Counter(english) == Counter([
        "the a statement", "b is here",
        "a module about tuples", "don't split words or do of them", "output follows the prompt",
        "first line of the function", "inner class with a d backslash",
        "a one line coroutine docstring", "defined in a handler clause",
        "defined in the finally clause",
        "package with words inside", "old words caf inside", "odd d d escapes here",
    ])  # fmt: skip
    assert english.files_read == 5
    assert english.files_skipped == 2
    assert english.packages_missing == ("no_such_package_anywhere",)


@pytest.mark.usefixtures("installation")
def test_reading_again_gives_the_same():
    english = BuiltinEnglish()
    first = list(english)
    assert first == list(english) == list(builtin_sentences())
    assert english.files_read == 5


def test_an_installation_without_sources_is_empty(installation, monkeypatch):
    monkeypatch.setattr(builtin.sysconfig, "get_path", lambda _name: str(installation / "nowhere"))
    monkeypatch.setattr(builtin, "PACKAGES", ("no_such_package_anywhere",))
    english = BuiltinEnglish()
    assert list(english) == []
    assert english.files_skipped == 1


def test_this_installation_has_much_to_read(monkeypatch):
    monkeypatch.setattr(builtin, "PACKAGES", ("numpy",))
    counts = Counter(word for sentence in builtin_sentences() for word in sentence.split())
    assert counts.total() > 300_000
    assert all(counts[word] >= 50 for word in ["list", "tuple", "server", "client", "directory"])
    assert all(word.replace("'", "").isascii() and word.islower() for word in counts)


def test_no_package_is_imported():
    code = (
        "import sys; from wordgrad.corpus import builtin\n"
        "folders = [builtin._package_folder(name) for name in builtin.PACKAGES]\n"
        "sys.exit(None in folders or 'sklearn' in sys.modules or 'polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_package_that_is_one_file_has_no_folder():
    assert builtin._package_folder("this") is None
    assert isinstance(builtin._package_folder("json"), Path)

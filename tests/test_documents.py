"""The documents tell the truth: their commands run, their figures and links are there."""

import importlib
import inspect
import os
import pkgutil
import random
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import wordgrad

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "wordgrad"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MODULES = sorted(module.name for module in pkgutil.walk_packages(wordgrad.__path__, "wordgrad."))
FILES = sorted(SOURCE.rglob("*.py"))


def _blocks(language: str, document: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README's examples name."""
    draw = random.Random(7)
    royal = ["king", "queen", "man", "woman", "crown", "rules", "the", "and", "a", "walks"]
    lines = [" ".join(draw.choices(royal, k=12)) for _ in range(300)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "pairs.tsv").write_text("king\tqueen\t9\nman\tcrown\t2\nwalks\tthe\t1\n")
    (tmp_path / "questions-words.txt").write_text(": family\nman king woman queen\n")
    return tmp_path


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_first_screen_shows_the_two_commands_that_the_checks_run() -> None:
    commands = [line for block in _blocks("sh") for line in block.splitlines()]
    assert len(commands) == 2
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first_screen = README.splitlines()[:30]
    for command in commands:
        assert command in first_screen
        assert f"({command})" in checks.splitlines()


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_python_examples_run(name: str, folder: Path) -> None:
    blocks = _blocks("python", (ROOT / name).read_text(encoding="utf-8"))
    assert blocks
    done = _run([sys.executable, "-W", "error", "-c", "\n".join(blocks)], folder)
    assert done.returncode == 0, done.stderr
    assert list(folder.glob("*.safetensors"))


def test_readme_commands_run(folder: Path) -> None:
    commands = [line for block in _blocks("console") for line in block.splitlines()]
    assert len(commands) >= 4
    for line in commands:
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "wordgrad")
        done = _run([sys.executable, "-m", "wordgrad", *arguments], folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_guides_commands_to_go_on_run(folder: Path) -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    section = guide.partition("\n## Resume later\n")[2].partition("\n## ")[0]
    commands = [line for block in _blocks("console", section) for line in block.splitlines()]
    assert len(commands) == 2
    for line in commands:
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "wordgrad")
        done = _run([sys.executable, "-m", "wordgrad", *arguments], folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_figures_agree_with_their_json() -> None:
    done = _run([sys.executable, str(ROOT / "benchmarks" / "figures.py"), "--check"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_mark_for_figures_is_opened_and_closed(document: Path) -> None:
    marks = re.findall(r"<!-- figures:([\w-]+):(start|end) -->", document.read_text("utf-8"))
    assert marks[::2] == [(name, "start") for name, _ in marks[1::2]]
    assert [end for _, end in marks[1::2]] == ["end"] * (len(marks) // 2)


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in _anchors(path.read_text("utf-8")), f"{document.name}: {target}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    for title, thing in vars(module).items():
        if title.startswith("_") or getattr(thing, "__module__", None) != name:
            continue
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        assert thing.__doc__, f"{name}.{title} has no docstring"
        if inspect.isclass(thing):
            for part, value in vars(thing).items():
                if not part.startswith("_") and (
                    inspect.isroutine(value) or isinstance(value, property)
                ):
                    assert inspect.getdoc(getattr(thing, part)), f"{name}.{title}.{part}"


def test_every_exported_name_is_documented() -> None:
    told = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    assert wordgrad.__all__
    for name in wordgrad.__all__:
        assert hasattr(wordgrad, name)
        assert name.startswith("__") or re.search(rf"\b{name}\b", told), (
            f"{name} is documented nowhere"
        )


def test_every_module_has_a_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    for name in MODULES:
        placed = any(
            name == layer or name.startswith(layer + ".")
            for floor in layers
            for layer in floor.split(" | ")
        )
        assert placed or name == "wordgrad.__main__", name


def test_imports_go_downward_only() -> None:
    command = Path(sys.executable).with_name("lint-imports" + (".exe" if os.name == "nt" else ""))
    done = _run([str(command)], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr

"""What docs/classification.md shows runs as it stands there."""

import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import classification
import pytest
from typer.main import get_command

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "classification.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the page names."""
    draw = random.Random(7)
    words = {"praise": ["lovely", "joy", "fine"], "blame": ["dull", "clumsy", "waste"]}
    rows = [
        f"{label}\ta {draw.choice(words[label])} film with {draw.choice(words[label])} music\n"
        for label in ["praise", "blame"] * 60
    ]
    (tmp_path / "reviews.tsv").write_text("".join(rows[:80]))
    (tmp_path / "held-out.tsv").write_text("".join(rows[80:]))
    lines = ["__label__bread __label__yeast old yeast in bread", "__label__oven a hot oven"] * 20
    (tmp_path / "cooking.txt").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "new.txt").write_text("a lovely film\n\na waste\n")
    return tmp_path


def test_commands_run(folder: Path) -> None:
    shown = [shlex.split(line) for block in blocks("console") for line in block.splitlines()]
    out = {}
    for prompt, program, *arguments in shown:
        assert (prompt, program) == ("$", "wordgrad")
        done = run([sys.executable, "-m", "wordgrad", *arguments], folder)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        out.setdefault(arguments[1], done.stdout.splitlines())
    assert out["test"][0].split("\t")[:2] == ["accuracy", "1.000000"]
    assert [line.split("\t")[0] for line in out["predict"][::2]] == ["praise", "blame"]
    assert len(out["predict"]) == 3
    contributions = dict(line.split("\t") for line in out["explain"])
    assert float(contributions["dull"]) * float(contributions["lovely"]) < 0


def test_python_runs(folder: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", "\n".join(blocks("python"))], folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "reviews.safetensors").exists()


def test_the_page_measures_with_the_commands_that_there_are() -> None:
    commands = [line for block in blocks("text") for line in block.splitlines()]
    assert commands
    for command in commands:
        _, script, name, *_ = command.split()
        assert (ROOT / script).name == Path(classification.__file__).name
        assert name in get_command(classification.app).commands

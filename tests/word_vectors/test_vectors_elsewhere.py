"""Vectors that are saved to, and opened from, other storage; and commands that do so."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wordgrad import WordVectors, load
from wordgrad.cli.app import app
from wordgrad.doc2vec import Doc2Vec
from wordgrad.errors import FormatError, InputError, OutputError
from wordgrad.files import atomic_write, check_output
from wordgrad.io.formats import FORMATS
from wordgrad.storage import names_in, path_of

pytest.importorskip("upath")
fsspec = pytest.importorskip("fsspec")
MODELS = Path(__file__).parents[1] / "fasttext_models"


@pytest.fixture(params=["memory", "s3"])
def there(request, tmp_path) -> str:
    """A folder on other storage that no test has used."""
    if request.param == "s3":
        request.getfixturevalue("s3_server")
    path_of(f"{request.param}://vectors").fs.makedirs("vectors", exist_ok=True)
    return f"{request.param}://vectors/{tmp_path.name}"


def _vectors() -> WordVectors:
    rng = np.random.default_rng(1)
    words = [f"word{i}" for i in range(50)]
    return WordVectors(words, rng.normal(size=(50, 6)), counts=range(100, 50, -1))


@pytest.mark.parametrize("known", [one for one in FORMATS if one.endings], ids=lambda one: one.name)
def test_each_format_comes_back(there, known) -> None:
    vectors = _vectors()
    path = f"{there}/v{known.endings[0]}"
    vectors.save(path)
    if not known.paired:  # whose second file stays there
        found = load(path)
        assert found.words == vectors.words
        np.testing.assert_allclose(found.matrix, vectors.matrix, rtol=1e-5, atol=1e-6)
        assert found.most_similar("word3") == load(path).most_similar("word3")
    with pytest.raises(OutputError, match="exists already"):
        vectors.save(path)
    vectors.save(path, overwrite=True)
    assert len(names_in(path_of(there))) == 1 + known.paired + known.sharded


def test_a_model_of_fasttext_is_asked_when_its_copy_has_no_name_any_more(there) -> None:
    path = f"{there}/model.bin"
    with atomic_write(path) as temporary:
        temporary.write_bytes((MODELS / "skipgram.bin").read_bytes())
    found, wanted = load(path), load(MODELS / "skipgram.bin")
    assert found.words == wanted.words
    np.testing.assert_array_equal(found[wanted.words[3]], wanted[wanted.words[3]])
    np.testing.assert_array_equal(found.matrix, wanted.matrix)


def test_documents_come_back(there) -> None:
    model = Doc2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
    model.save(f"{there}/documents.safetensors")
    again = Doc2Vec.load(f"{there}/documents.safetensors")
    np.testing.assert_array_equal(again.documents_.matrix, model.documents_.matrix)


def test_what_is_damaged_or_missing_is_named_as_it_was_given(there) -> None:
    path = f"{there}/v.safetensors"
    with pytest.raises(InputError, match=rf"{path} cannot be read"):
        load(path)
    _vectors().save(path)
    data = path_of(path).read_bytes()
    path_of(path).fs.pipe_file(path_of(path).path, data[:-9])
    with pytest.raises(FormatError, match=rf"^{path} is damaged"):
        load(path)
    path_of(path).fs.pipe_file(path_of(path).path, b"")
    with pytest.raises(FormatError, match=rf"^{path} is empty"):
        load(path)


class TestOutputs:
    def test_nothing_is_left_of_a_check(self, there) -> None:
        check_output(f"{there}/a.safetensors")
        assert names_in(path_of(there)) == []

    def test_no_bucket(self, s3_server) -> None:
        with pytest.raises(OutputError, match=r"s3://none/a could not be written \(.*bucket does"):
            check_output("s3://none/a")

    def test_what_cannot_be_written(self, monkeypatch) -> None:
        with pytest.raises(OutputError, match=r"https://example\.invalid/a could not be written"):
            check_output("https://example.invalid/a", overwrite=True)

        def refused(*args, **options):
            raise PermissionError("Forbidden")

        system = "fsspec.implementations.memory.MemoryFileSystem"
        monkeypatch.setattr(f"{system}.pipe_file", refused)
        with pytest.raises(OutputError, match=r"memory://a/b could not be written \(Forbidden\)"):
            check_output("memory://a/b")
        monkeypatch.setattr(f"{system}.put_file", refused)
        with (
            pytest.raises(OutputError, match=r"memory://a/b could not be written \(Forbidden\)"),
            atomic_write("memory://a/b") as temporary,
        ):
            temporary.write_text("text")

    def test_a_block_that_fails_sends_nothing(self, there) -> None:
        def write() -> None:
            with atomic_write(f"{there}/a") as temporary:
                temporary.write_text("half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write()
        assert names_in(path_of(there)) == []

    def test_what_another_wrote_meanwhile_stays(self, there) -> None:
        path = path_of(f"{there}/a")

        def write() -> None:
            with atomic_write(path, overwrite=False) as temporary:
                temporary.write_text("mine")
                path.fs.pipe_file(path.path, b"theirs")

        with pytest.raises(OutputError, match="exists already"):
            write()
        assert path.read_bytes() == b"theirs"

    def test_s3_refuses_to_replace_what_came_between_look_and_write(
        self, s3_server, monkeypatch
    ) -> None:
        path = path_of("s3://vectors/between")
        path.fs.makedirs("vectors", exist_ok=True)
        path.fs.pipe_file(path.path, b"theirs")
        monkeypatch.setattr(type(path.fs), "exists", lambda self, place: False)
        with (
            pytest.raises(OutputError, match="exists already"),
            atomic_write(path, overwrite=False) as temporary,
        ):
            temporary.write_text("mine")
        assert path.read_bytes() == b"theirs"

    def test_fewer_bytes_than_were_sent(self, monkeypatch) -> None:
        system = "fsspec.implementations.memory.MemoryFileSystem"
        monkeypatch.setattr(f"{system}.info", lambda self, path: {"size": 3})
        with (
            pytest.raises(OutputError, match="should have 4 bytes and has 3; try again"),
            atomic_write("memory://a/b") as temporary,
        ):
            temporary.write_text("text")


class TestCommands:
    GIVEN = ("--vector-size", "8", "--min-count", "1", "--epochs", "2", "--workers", "1")

    @pytest.fixture
    def text(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        lines = [f"the {i % 7} cat sat on mat {i % 31}" for i in range(300)]
        Path("text.txt").write_text("\n".join(lines))
        system = fsspec.filesystem("memory")
        system.pipe_file("/commands/text.txt", Path("text.txt").read_bytes())
        return "memory://commands/text.txt"

    def _run(self, *arguments) -> str:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    def test_train_resume_convert_and_ask(self, text, tmp_path) -> None:
        out, folder = f"memory://commands/{tmp_path.name}.safetensors", f"memory://{tmp_path.name}"
        self._run("train", "text.txt", "-o", "here.safetensors", *self.GIVEN)
        said = self._run("train", text, "-o", out, "--checkpoint", folder, *self.GIVEN)
        assert f"Wrote {out}" in said
        assert (load(out).matrix == load("here.safetensors").matrix).all()
        self._run("train", "--resume", folder, "-o", "more.safetensors", "--epochs", "3")
        assert load("more.safetensors").words == load("here.safetensors").words
        assert "word" not in self._run("similar", out, "cat", "-n", "2")
        assert "Wrote v.txt" in self._run("convert", out, "v.txt")
        self._run("convert", "v.txt", f"memory://commands/{tmp_path.name}.npz")

    def test_an_output_that_cannot_be_written_is_told_before_the_text_is_read(
        self, text, monkeypatch
    ) -> None:
        def refused(*args, **options):
            raise PermissionError("Forbidden")

        monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.pipe_file", refused)
        for output in ("-o memory://a/v.safetensors", "-o v.safetensors --checkpoint memory://a/b"):
            done = CliRunner().invoke(app, ["train", "nowhere.txt", *output.split()])
            assert done.exit_code != 0
            assert "could not be written (Forbidden)" in " ".join(done.output.split())

    def test_what_was_trained_is_kept_here_if_it_cannot_be_sent(self, text, monkeypatch) -> None:
        def refused(*args, **options):
            raise ConnectionError("reset")

        monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", refused)
        done = CliRunner().invoke(
            app, ["train", text, "-o", "memory://commands/lost.safetensors", *self.GIVEN]
        )
        assert done.exit_code != 0
        said = " ".join(done.output.split())
        assert "(reset)" in said
        assert "what was trained is in lost.partial.safetensors" in said
        assert "cat" in load("lost.partial.safetensors")

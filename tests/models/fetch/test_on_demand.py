"""`--bundle sensevoice-small`: what is offered, what is asked, what is fetched, and what the engine is given then."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.bundle import MANIFEST
from models.fetch import on_demand
from models.fetch.catalog import UnknownModelError
from models.fetch.on_demand import NotFetchedError, bundle_on_demand, named_model, offer_for, usual_bundle

ROOT = Path(__file__).resolve().parents[3]
NAME = "sensevoice-small"


def install(folder: Path, tiny_bundle: Path, *variants: str, name: str = NAME) -> Path:
    """A bundle by the real one's name, with these variants."""
    shutil.copytree(tiny_bundle, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    one = next(iter(manifest["variants"].values()))
    manifest |= {"name": name, "variants": {variant: manifest["variants"].get(variant, one) for variant in variants}}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


class Fetching:
    """Stands in for the command that fetches: records it, and installs what it was asked for."""

    def __init__(self, tiny_bundle: Path, *, code: int = 0) -> None:
        self.tiny_bundle, self.code = tiny_bundle, code
        self.commands: list[list[str]] = []

    def run(self, command: Sequence[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        self.commands.append(list(command))
        assert options["stdout"] == 2  # nothing reaches standard output, which is the transcripts'
        output = next(Path(word.split("=", 1)[1]) for word in command if word.startswith("--output="))
        if self.code == 0:
            shutil.rmtree(output, ignore_errors=True)
            install(output, self.tiny_bundle, *(("int8",) if "--edition=int8" in command else ("fp32", "int8")))
        return subprocess.CompletedProcess(command, self.code)


@pytest.fixture
def fetching(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    fetching = Fetching(tiny_bundle)
    monkeypatch.setattr(on_demand.subprocess, "run", fetching.run)
    return fetching


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tmp_path / "embedded", tmp_path / "bundles", tmp_path / "installed"]


def ask(asked: str, roots: list[Path], *, precision: str | None = None, answer: bool | None = True) -> tuple[str, str | None]:
    return bundle_on_demand(asked, precision=precision, roots=roots, agree=lambda offer: answer, yes=True)


def test_the_name_alone_is_int8_and_another_edition_is_named_behind_a_colon() -> None:
    assert [named_model(name).edition for name in (NAME, f"{NAME}:int8", f"{NAME}:fp32", f"{NAME}:onnx")] == [
        "int8",
        "int8",
        "fp32",
        "onnx",
    ]
    assert named_model("starter") is None and named_model("C:\\bundles\\mine") is None
    with pytest.raises(UnknownModelError, match=r"no edition 'int4' in the catalog; there are .*int8"):
        named_model(f"{NAME}:int4")


def test_the_real_model_is_opened_unasked_once_it_is_installed(roots: list[Path], tiny_bundle: Path) -> None:
    assert usual_bundle(roots) == "starter"
    folder = install(roots[2] / NAME, tiny_bundle, "int8")
    assert usual_bundle(roots) == NAME
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(manifest | {"weights": "random"}), encoding="utf-8")
    assert usual_bundle(roots) == "starter"  # weights that nobody trained
    (folder / MANIFEST).write_text("{", encoding="utf-8")
    assert usual_bundle(roots) == "starter"


def test_the_offer_says_what_how_much_from_where_and_under_which_licence(roots: list[Path]) -> None:
    offer = str(offer_for(NAME, precision=None, roots=roots))
    for part in (NAME, "242 MB", "ModelScope or Hugging Face", "FunASR Model Open Source License Agreement", str(roots[-1] / NAME)):
        assert part in offer


def test_what_is_missing_is_fetched_once_and_used(fetching: Fetching, roots: list[Path]) -> None:
    assert ask(NAME, roots) == (NAME, None)
    [command] = fetching.commands
    assert command[-4:] == ["fetch", NAME, "--edition=int8", f"--output={roots[-1] / NAME}"]
    assert ask(NAME, roots) == (NAME, None)
    assert len(fetching.commands) == 1


def test_fp32_is_fetched_when_it_is_named_and_only_then(fetching: Fetching, roots: list[Path], tiny_bundle: Path) -> None:
    held = install(roots[1] / "of mine", tiny_bundle, "int8")
    assert ask(NAME, roots) == (NAME, None)
    assert ask(NAME, roots, precision="int8") == (NAME, "int8")
    assert ask(f"{NAME}:int8", roots) == (NAME, "int8")
    assert fetching.commands == []
    assert ask(f"{NAME}:fp32", roots) == (NAME, None)
    assert fetching.commands[0][-2:] == ["--edition=fp32", f"--output={held}"]
    assert ask(f"{NAME}:fp32", roots) == (NAME, None)
    assert ask(f"{NAME}:int8", roots) == (NAME, "int8")  # what was asked for, though there is more now
    assert len(fetching.commands) == 1


@pytest.mark.parametrize("installed", [True, False])
def test_a_precision_that_int8_alone_lacks_is_a_reason_to_fetch_it(
    fetching: Fetching, roots: list[Path], tiny_bundle: Path, installed: bool
) -> None:
    if installed:
        install(roots[-1] / NAME, tiny_bundle, "int8")
    assert ask(NAME, roots, precision="fp32") == (NAME, "fp32")
    assert "--edition=fp32" in fetching.commands[0]


def test_other_bundles_and_folders_are_left_alone(fetching: Fetching, roots: list[Path], tiny_bundle: Path, tmp_path: Path) -> None:
    folder = install(tmp_path / "folder", tiny_bundle, "int8", name="mine")
    for asked in ("starter", str(folder), "no such bundle"):
        assert ask(asked, roots) == (asked, None)
    assert fetching.commands == []


def test_nothing_is_fetched_against_a_persons_will(fetching: Fetching, roots: list[Path]) -> None:
    with pytest.raises(NotFetchedError, match=r"242 MB .* Add --yes .*\./run\.sh models fetch sensevoice-small --edition int8"):
        ask(NAME, roots, answer=None)
    with pytest.raises(NotFetchedError, match=r"^not fetched\."):
        ask(NAME, roots, answer=False)
    assert fetching.commands == []


def test_a_fetch_that_failed_says_how_to_try_again(tiny_bundle: Path, roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand.subprocess, "run", Fetching(tiny_bundle, code=1).run)
    with pytest.raises(NotFetchedError, match=r"the line above says why\. To try again: \./run\.sh models fetch"):
        ask(NAME, roots)


def test_where_the_workshop_is_not_there_the_name_is_as_unknown_as_any(
    fetching: Fetching, roots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand.importlib.util, "find_spec", lambda name: None)
    assert ask(NAME, roots) == (NAME, None)
    assert fetching.commands == []


# ---- through the command line ----------------------------------------------------------------------------------------


def transcribe(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """The command, on a machine that has no such bundle and may not use the network."""
    home = {name: str(tmp_path / "home") for name in ("HOME", "XDG_CACHE_HOME")}
    environment = os.environ | home | {"LIGHTVOICE_BUNDLES": str(tmp_path / "bundles"), "LIGHTVOICE_OFFLINE": "1"}
    return [sys.executable, "app.py", "transcribe", "ui/examples/digits-en.flac", "--bundle", NAME], environment


def test_without_a_terminal_and_without_yes_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    command, environment = transcribe(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Add --yes to fetch it without being asked" in done.stderr
    assert done.stderr.count("\n") == 1


def test_with_yes_it_is_tried_and_what_stopped_it_is_said(tmp_path: Path) -> None:
    command, environment = transcribe(tmp_path)
    done = subprocess.run([*command, "--yes"], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    first, second, third = done.stderr.splitlines()
    assert "242 MB" in first
    assert "LIGHTVOICE_OFFLINE forbids the network" in second
    assert "To try again" in third


def test_a_person_at_a_terminal_may_say_no(tmp_path: Path) -> None:
    command, environment = transcribe(tmp_path)
    here, there = pty.openpty()
    with subprocess.Popen(
        command, stdin=there, stderr=there, stdout=subprocess.PIPE, cwd=ROOT, env=environment, start_new_session=True
    ) as process:
        os.close(there)
        os.write(here, b"n\n")
        assert process.communicate(timeout=60)[0] == b""
    shown = os.read(here, 65_536).decode()
    os.close(here)
    assert process.returncode == 2
    assert "Go on? [Y/n]" in shown and "not fetched. Later: ./run.sh models fetch" in shown


@pytest.mark.slow
def test_fetched_from_a_hub_and_transcribed_in_one_command(random_checkpoint: Path, tmp_path: Path) -> None:
    from models.fetch.catalog import SHERPA_ONNX, Source, find_model
    from tests.models.export.ready_made_folders import sherpa_folder, vad_folder
    from tests.models.fetch.hub_double import serve_hub

    vad = find_model(NAME, edition="int8").origins[Source.HUGGINGFACE].vad.repo
    folders = {
        SHERPA_ONNX: sherpa_folder(random_checkpoint, tmp_path / "sherpa"),
        vad: vad_folder(random_checkpoint, tmp_path / "vad"),
    }
    files = {repo: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} for repo, folder in folders.items()}
    command, environment = transcribe(tmp_path)
    with serve_hub(files) as hub:
        hubs = {"HF_ENDPOINT": hub.url, "MODELSCOPE_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1", "LIGHTVOICE_OFFLINE": "0"}
        done = subprocess.run([*command, "--yes"], capture_output=True, text=True, check=False, cwd=ROOT, env=environment | hubs)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["bundle"].split()[0], answer["precision"]) == (NAME, "int8")

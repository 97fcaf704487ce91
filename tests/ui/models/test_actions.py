"""What the buttons hand to the workshop: a recipe gets the settings it knows and no others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from engine.bundle import Bundle
from tests.ui.models.fake_workshop import FakeWorkshop
from tests.waiting import until
from ui.http.access.managing import Managers
from ui.models.actions import ModelActions
from ui.models.state import ModelState

REQUEST = SimpleNamespace(headers={"host": "127.0.0.1:7860", "accept-language": "en"})


@pytest.fixture
def workshop(tiny_bundle: Path) -> FakeWorkshop:
    return FakeWorkshop(roots=[tiny_bundle])


@pytest.fixture
def actions(workshop: FakeWorkshop, tiny_bundle: Path, tmp_path: Path) -> ModelActions:
    engine = SimpleNamespace(bundle=Bundle.load(tiny_bundle), address=None)
    models = ModelState(engine, workshop, managers=Managers.THIS_MACHINE)
    return ModelActions(models, lambda request, shown: ["updated", *shown], sent=tmp_path / "sent")


@pytest.mark.parametrize(
    ("recipe", "handed_on"),
    [
        ("dynamic", (None, None, False)),
        ("static", (7, None, True)),
        ("mixed", (None, None, True)),
        ("auto", (7, 3, True)),
        ("qat", (7, None, True)),
        ("fp16", (7, None, False)),
    ],
)
def test_a_recipe_gets_its_settings(
    actions: ModelActions, workshop: FakeWorkshop, tiny_bundle: Path, recipe: str, handed_on: tuple[Any, ...]
) -> None:
    assert actions.quantize(["shown"], str(tiny_bundle), recipe, 7, 3, 0.2, True, REQUEST) == ["updated", "shown"]
    assert workshop.asked == [("quantize", tiny_bundle, recipe, *handed_on)]


def test_pruning_gets_its_share(actions: ModelActions, workshop: FakeWorkshop, tiny_bundle: Path) -> None:
    actions.quantize([], str(tiny_bundle), "prune", 7, 3, 0.2, True, REQUEST)
    assert workshop.asked == [("prune", tiny_bundle, 0.2)]


@pytest.mark.parametrize("empty", [None, 0])
def test_an_empty_number_box_leaves_the_recipe_its_own_number(
    actions: ModelActions, workshop: FakeWorkshop, tiny_bundle: Path, empty: int | None
) -> None:
    actions.quantize([], str(tiny_bundle), "auto", empty, empty, 0.1, False, REQUEST)
    assert workshop.asked == [("quantize", tiny_bundle, "auto", None, None, False)]


def test_a_folder_gives_its_bundle_a_name(actions: ModelActions, workshop: FakeWorkshop) -> None:
    actions.bring([], " /some/SenseVoiceSmall/ ", "  ", REQUEST)
    assert workshop.asked == [("import", "/some/SenseVoiceSmall/", "SenseVoiceSmall")]


@pytest.mark.parametrize("folder", ["/etc", "", None])
def test_a_folder_that_is_no_installed_bundle_is_refused(actions: ModelActions, workshop: FakeWorkshop, folder: Any) -> None:
    with pytest.raises(gr.Error, match="no bundle"):
        actions.quantize([], folder, "dynamic", None, None, 0.1, False, REQUEST)
    assert workshop.asked == []


def test_files_that_are_sent_are_imported_at_once_and_deleted_when_that_is_over(
    actions: ModelActions, workshop: FakeWorkshop, tmp_path: Path
) -> None:
    archive = tmp_path / "sherpa-onnx sense voice.tar.bz2"
    archive.write_bytes(b"an archive")
    assert actions.send(["shown"], [str(archive)], " ", REQUEST) == ["updated", "shown", None]
    ((kind, path, name),) = workshop.asked
    assert (kind, name) == ("import", "sherpa-onnx-sense-voice")
    assert Path(path).read_bytes() == b"an archive" and Path(path).is_relative_to(tmp_path / "sent")
    workshop.jobs[0].end("failed", error="no model")
    until(lambda: not list((tmp_path / "sent").iterdir()))


def test_files_sent_while_a_job_runs_are_refused_and_not_kept(actions: ModelActions, workshop: FakeWorkshop, tmp_path: Path) -> None:
    actions.fetch([], "small", "", REQUEST)
    file = tmp_path / "model.onnx"
    file.write_bytes(b"a graph")
    with pytest.raises(gr.Error, match="one job runs at a time"):
        actions.send([], [str(file)], "mine", REQUEST)
    assert list((tmp_path / "sent").iterdir()) == []
    assert actions.send(["shown"], None, "", REQUEST) == ["updated", "shown", None]  # the box was emptied
    workshop.jobs[0].end()


def test_what_is_to_be_deleted_is_asked_about_by_name_and_size(actions: ModelActions, tiny_bundle: Path) -> None:
    asked, question, answer = actions.ask_to_delete(str(tiny_bundle), REQUEST)
    assert asked == str(tiny_bundle) and "MB" in question and str(tiny_bundle) in question and answer.visible
    with pytest.raises(gr.Error, match="is open; open another model first"):
        actions.delete([], asked, REQUEST)
    with pytest.raises(gr.Error, match="no bundle"):
        actions.ask_to_delete("/etc", REQUEST)
    assert actions.ask_to_delete(None, REQUEST)[0] == ""

"""What the page may ask of the workshop, and what becomes of it on the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.jobs.commands import WorkshopArgumentError
from models.jobs.page_workshop import NEEDED, BundleNameError, PageWorkshop

LIMIT_S = 30
#: Stands in for `python -m models`: says what it was asked for.
ECHO = (sys.executable, "-c", "import sys; print('\\n'.join(sys.argv[1:]))")


@pytest.fixture
def embedded(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "embedded")


@pytest.fixture
def workshop(embedded: Path, tmp_path: Path) -> Iterator[PageWorkshop]:
    with PageWorkshop(roots=[embedded, tmp_path / "installed"], embedded=embedded, prefix=ECHO) as workshop:
        yield workshop


def asked(job) -> list[str]:
    assert job.wait(LIMIT_S)
    return list(job.log)


def test_a_model_is_fetched_into_the_folder_of_installed_bundles(workshop: PageWorkshop, tmp_path: Path) -> None:
    target = str(tmp_path / "installed" / "sensevoice-small")
    assert asked(workshop.fetch("sensevoice-small")) == ["fetch", "sensevoice-small", "--output", target]
    job = workshop.fetch("sensevoice-small", source="modelscope")
    assert asked(job) == ["fetch", "sensevoice-small", "--source", "modelscope", "--output", target]
    assert job.result == Path(target)


def test_a_folder_is_imported_under_its_name(workshop: PageWorkshop, tmp_path: Path) -> None:
    target = str(tmp_path / "installed" / "mine")
    assert asked(workshop.import_folder("/some/folder", name="mine")) == ["import", "/some/folder", "--output", target, "--name", "mine"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "-x", "a b", "x" * 65, ".hidden", "a\nb"])
def test_a_name_that_is_a_path_or_an_option_is_refused(workshop: PageWorkshop, name: str) -> None:
    with pytest.raises(BundleNameError, match="cannot be called"):
        workshop.import_folder("/some/folder", name=name)
    with pytest.raises(BundleNameError):
        workshop.fetch(name)


def test_a_name_that_is_taken_is_refused(workshop: PageWorkshop, tmp_path: Path) -> None:
    (tmp_path / "installed" / "mine").mkdir(parents=True)
    with pytest.raises(BundleNameError, match="there already"):
        workshop.import_folder("/some/folder", name="mine")


def test_the_embedded_bundle_is_never_changed_its_copy_is(workshop: PageWorkshop, embedded: Path, tmp_path: Path) -> None:
    copy = tmp_path / "installed" / "tiny-own"
    first = workshop.quantize(embedded, recipe="static", clips=3)
    assert asked(first) == ["quantize", str(embedded), "--recipe", "static", "--clips", "3", "--output", str(copy)]
    assert first.result == copy
    shutil.copytree(embedded, copy)
    second = workshop.quantize(embedded, recipe="mixed", as_default=True)
    assert asked(second) == ["quantize", str(copy), "--recipe", "mixed", "--as-default"]
    assert asked(workshop.prune(embedded, amount=0.2)) == ["prune", str(copy), "--amount", "0.2", "--then-quantize"]


def test_any_other_bundle_gets_its_variant_itself(workshop: PageWorkshop, tiny_bundle: Path) -> None:
    job = workshop.quantize(tiny_bundle, recipe="auto", max_trials=2)
    assert asked(job) == ["quantize", str(tiny_bundle), "--recipe", "auto", "--max-trials", "2"]
    assert job.result == tiny_bundle


def test_values_that_mean_nothing_are_refused(workshop: PageWorkshop, tiny_bundle: Path) -> None:
    for ask in (
        lambda: workshop.quantize(tiny_bundle, recipe="magic"),
        lambda: workshop.quantize(tiny_bundle, recipe="static", clips=-1),
        lambda: workshop.prune(tiny_bundle, amount=1.5),
        lambda: workshop.fetch("sensevoice-small", source="ftp"),
        lambda: workshop.import_folder("", name="mine"),
    ):
        with pytest.raises(WorkshopArgumentError):
            ask()


def test_the_catalog_says_what_a_model_weighs_and_under_which_terms(workshop: PageWorkshop) -> None:
    for model in workshop.catalog:
        assert model.title and model.licence and model.bundle_mb >= model.download_mb > 100


def test_what_a_slim_install_lacks_is_named(workshop: PageWorkshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        return None if name in ("torch", "onnx") else object()

    monkeypatch.setattr("models.jobs.page_workshop.importlib.util.find_spec", find)
    assert workshop.missing() == ("torch", "onnx")
    monkeypatch.setattr("models.jobs.page_workshop.importlib.util.find_spec", lambda name: object())
    assert workshop.missing() == ()
    assert "torch" in NEEDED

"""What the page may ask of the workshop, and what becomes of it on the command line."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bundle import Bundle
from engine.errors import OptionError
from models.jobs.command_line import parser
from models.jobs.job import JobState
from models.jobs.workshop import NEEDED, BundleKeptError, BundleNameError, Workshop, WorkshopClosedError

LIMIT_S = 30
#: Stands in for `python -m models`: says what it was asked for.
ECHO = (sys.executable, "-c", "import sys; print('\\n'.join(sys.argv[1:]))")


@pytest.fixture
def embedded(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "embedded")


@pytest.fixture
def workshop(embedded: Path, tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(roots=[embedded, tmp_path / "installed"], embedded=embedded, program=ECHO)
    yield workshop
    workshop.close()


def asked(job) -> list[str]:
    assert job.wait(LIMIT_S)
    return list(job.log)


def test_a_model_is_fetched_into_the_folder_of_installed_bundles(workshop: Workshop, tmp_path: Path) -> None:
    target = f"--output={tmp_path / 'installed' / 'sensevoice-small'}"
    assert asked(workshop.fetch("sensevoice-small")) == ["fetch", target, "--", "sensevoice-small"]
    assert asked(workshop.fetch("sensevoice-small", source="modelscope")) == [
        "fetch",
        target,
        "--source=modelscope",
        "--",
        "sensevoice-small",
    ]


def test_a_folder_is_imported_under_its_name(workshop: Workshop, tmp_path: Path) -> None:
    target = f"--output={tmp_path / 'installed' / 'mine'}"
    assert asked(workshop.import_folder("/some/folder", name="mine")) == ["import", target, "--name=mine", "--", "/some/folder"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "-x", "a b", "x" * 65, ".hidden", "a\nb"])
def test_a_name_that_is_a_path_or_an_option_is_refused(workshop: Workshop, name: str) -> None:
    with pytest.raises(BundleNameError, match="cannot be called"):
        workshop.import_folder("/some/folder", name=name)
    with pytest.raises(BundleNameError):
        workshop.fetch(name)


def test_a_name_that_is_taken_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "installed" / "mine").mkdir(parents=True)
    with pytest.raises(BundleNameError, match="there already"):
        workshop.import_folder("/some/folder", name="mine")


def test_the_embedded_bundle_is_never_changed_its_copy_is(workshop: Workshop, embedded: Path, tmp_path: Path) -> None:
    copy = tmp_path / "installed" / "tiny-own"
    first = asked(workshop.quantize(embedded, recipe="static", clips=3))
    assert first == ["quantize", f"--output={copy}", "--recipe=static", "--clips=3", "--", str(embedded)]
    shutil.copytree(embedded, copy)
    second = workshop.quantize(embedded, recipe="mixed", as_default=True)
    assert asked(second) == ["quantize", "--recipe=mixed", "--as-default", "--", str(copy)]
    assert asked(workshop.prune(embedded, amount=0.2)) == ["prune", "--amount=0.2", "--then-quantize", "--", str(copy)]


def test_any_other_bundle_gets_its_variant_itself(workshop: Workshop, tiny_bundle: Path) -> None:
    job = workshop.quantize(tiny_bundle, recipe="auto", max_trials=2)
    assert asked(job) == ["quantize", "--recipe=auto", "--max-trials=2", "--", str(tiny_bundle)]


def test_the_command_line_takes_what_the_page_asks_for(workshop: Workshop, tiny_bundle: Path) -> None:
    """Every option of a page's job is one of the command line's, with the value that was given."""
    arguments = parser().parse_args(asked(workshop.quantize(tiny_bundle, recipe="auto", clips=4, max_trials=2, as_default=True)))
    assert (arguments.command, arguments.bundle, arguments.recipe) == ("quantize", tiny_bundle, "auto")
    assert (arguments.clips, arguments.max_trials, arguments.as_default, arguments.output) == (4, 2, True, None)
    arguments = parser().parse_args(asked(workshop.import_folder("-f", name="mine")))
    assert (arguments.command, arguments.path, arguments.name) == ("import", Path.cwd() / "-f", "mine")


def test_a_closed_workshop_ends_its_jobs_and_starts_none(tiny_bundle: Path) -> None:
    program = (sys.executable, "-c", "import signal; signal.pause()")
    workshop = Workshop(roots=[tiny_bundle], embedded=tiny_bundle, program=program)
    job = workshop.start("evaluate", tiny_bundle, data=tiny_bundle)
    workshop.close()
    assert job.state is JobState.CANCELLED
    with pytest.raises(WorkshopClosedError, match="closed"):
        workshop.start("evaluate", tiny_bundle, data=tiny_bundle)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda workshop, bundle: workshop.quantize(bundle, recipe="magic"), "'magic'.*'dynamic', 'static'"),
        (lambda workshop, bundle: workshop.quantize(bundle, recipe="--help"), "'--help'"),
        (lambda workshop, bundle: workshop.quantize(bundle, recipe="static", clips=-1), "'-1' is not a whole number from 1 up"),
        (lambda workshop, bundle: workshop.quantize(bundle, recipe="static", clips=1.5), "'1.5' is not a whole number"),
        (lambda workshop, bundle: workshop.quantize(bundle, recipe="auto", max_trials=math.inf), "'inf' is not a whole number"),
        (lambda workshop, bundle: workshop.prune(bundle, amount=1.5), "'1.5' is not a share between 0 and 1"),
        (lambda workshop, bundle: workshop.prune(bundle, amount=math.nan), "'nan' is not a share"),
        (lambda workshop, bundle: workshop.prune(bundle, amount=0), "'0' is not a share"),
        (lambda workshop, bundle: workshop.fetch("sensevoice-small", source="ftp"), "'ftp'.*'modelscope', 'huggingface'"),
        (lambda workshop, bundle: workshop.import_folder("", name="mine"), "name a folder"),
        (lambda workshop, bundle: workshop.import_folder("/c\0", name="mine"), "zero character"),
    ],
)
def test_a_value_that_the_command_line_does_not_take_is_named(
    workshop: Workshop, tiny_bundle: Path, ask: Callable[[Workshop, Path], Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        ask(workshop, tiny_bundle)


def test_the_catalog_says_what_a_model_weighs_and_under_which_terms(workshop: Workshop) -> None:
    for model in workshop.catalog:
        assert model.title and model.licence and model.bundle_mb >= model.download_mb > 100


def test_what_a_slim_install_lacks_is_named_job_by_job(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*names: str) -> None:
        monkeypatch.setattr("models.jobs.packages.importlib.util.find_spec", lambda name: None if name in names else object())

    lacking("torch", "sentencepiece")
    assert workshop.missing("real") == workshop.missing("import") == ()  # INT8 alone needs no PyTorch
    assert workshop.missing("fetch") == ("torch", "sentencepiece")
    lacking("onnx")
    assert workshop.missing("real") == ("onnx",)
    lacking()
    assert all(workshop.missing(job) == () for job in NEEDED)


def test_the_real_model_is_the_int8_edition_and_is_checked(workshop: Workshop, tmp_path: Path) -> None:
    assert workshop.real_model.precisions == ("int8",) and workshop.real_model.download_mb < 250
    assert all(page.startswith("https://") for page in workshop.real_model.pages)
    target = f"--output={tmp_path / 'installed' / workshop.real_model.bundle}"
    line = asked(workshop.fetch(workshop.real_model.name, check=True))
    assert line == ["fetch", target, "--check", "--", workshop.real_model.name]
    assert parser().parse_args(line).check


def test_a_model_that_came_as_int8_alone_is_completed(workshop: Workshop, tiny_bundle: Path, tmp_path: Path) -> None:
    manifest = json.loads((tiny_bundle / "bundle.json").read_text(encoding="utf-8"))
    held = shutil.copytree(tiny_bundle, tmp_path / "installed" / "sensevoice-small")
    alone = manifest | {"name": "sensevoice-small", "variants": {"int8": manifest["variants"]["int8"]}}
    (held / "bundle.json").write_text(json.dumps(alone), encoding="utf-8")
    whole = workshop.edition_completing(Bundle.load(held, verify=False))
    assert whole is not None and (whole.edition, whole.download_mb) == ("fp32", 940)
    assert asked(workshop.fetch(whole.name)) == ["fetch", f"--output={held}", "--", "sensevoice-small"]
    assert workshop.edition_completing(Bundle.load(tiny_bundle)) is None  # lies elsewhere
    (held / "bundle.json").write_text(json.dumps(alone | {"variants": manifest["variants"]}), encoding="utf-8")
    assert workshop.edition_completing(Bundle.load(held, verify=False)) is None


def test_only_what_was_installed_here_is_deleted(workshop: Workshop, embedded: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    mine, linked = installed / "mine", installed / "linked"
    shutil.copytree(tiny_bundle, mine)
    linked.symlink_to(tiny_bundle)
    for other in (embedded, tiny_bundle, installed, tmp_path):
        assert not workshop.may_delete(other)
        with pytest.raises(BundleKeptError, match="is not deleted"):
            workshop.delete(other)
    workshop.delete(mine)
    workshop.delete(linked)
    assert list(installed.iterdir()) == [] and (tiny_bundle / "bundle.json").is_file()


def test_the_embedded_bundle_is_kept_even_where_bundles_are_installed_beside_it(embedded: Path) -> None:
    workshop = Workshop(roots=[embedded.parent], embedded=embedded, program=ECHO)
    assert not workshop.may_delete(embedded)
    (embedded.parent / "link").symlink_to(embedded)
    assert not workshop.may_delete(embedded.parent / "link")
    workshop.close()

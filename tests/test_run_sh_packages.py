"""What run.sh downloads, and when: the page alone at first, the workshop's packages when they are asked for and agreed to."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.run_sh import environment_of, installs, lay_out, run, write_stand_ins, write_wheel

LIGHT, FULL, SLIM = "requirements-models-light.txt", "requirements.txt", "requirements-runtime.txt"
VERSION = "0.0.1"  # of no torch that any index has

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="run.sh needs bash")


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    return write_stand_ins(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def first_start(tmp_path_factory, packages) -> Path:
    """A checkout after `./run.sh`, and no more."""
    folder = lay_out(tmp_path_factory.mktemp("run") / "a checkout")
    done = run(folder, packages)
    assert done.returncode == 0, done.stderr
    assert installs(done) == [SLIM]
    assert "at most 200 MB to download" in done.stderr
    assert "starting (.venv, slim install)" in done.stderr
    return folder


@pytest.fixture
def checkout(first_start, tmp_path) -> Path:
    return shutil.copytree(first_start, tmp_path / "copy", symlinks=True)


def distributions(folder: Path) -> set[str]:
    """What pip has installed beside itself, as name-version."""
    names = {path.name.removesuffix(".dist-info") for path in (folder / ".venv").glob("lib/python*/site-packages/*.dist-info")}
    return {name for name in names if not name.startswith(("pip-", "setuptools-"))}


def in_a_terminal(folder: Path, packages: Path, *arguments: str, answer: str, **variables: str) -> tuple[int, str]:
    """run.sh with a person at a terminal: -> its status and what the terminal showed."""
    here, there = pty.openpty()
    with subprocess.Popen(
        ["bash", str(folder / "run.sh"), *arguments],
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=folder,
        env=environment_of(packages, **variables),
        start_new_session=True,
    ) as process:
        os.close(there)
        os.write(here, f"{answer}\n".encode())
        shown = b""
        try:
            while block := os.read(here, 65_536):
                shown += block
        except OSError:  # Linux says so when the other end is closed
            pass
        code = process.wait(120)
    os.close(here)
    return code, shown.decode()


def test_a_command_without_pytorch_brings_few_packages_and_asks_nothing(checkout, packages):
    done = run(checkout, packages, "models", "self-test", "bundle", NEEDED="light")
    assert done.stdout.splitlines()[0] == "models|self-test|bundle"
    assert installs(done) == [LIGHT]
    assert "at most 30 MB to download" in done.stderr
    again = run(checkout, packages, "models", "self-test", "bundle", NEEDED="light")
    assert (again.stderr, again.returncode) == ("", 0)
    assert "slim install" in run(checkout, packages).stderr


def test_a_command_that_needs_nothing_brings_nothing(checkout, packages):
    assert run(checkout, packages, "models", "advise", NEEDED="none").stderr == ""


def test_where_nobody_can_be_asked_nothing_large_is_downloaded_without_yes(checkout, packages):
    done = run(checkout, packages, "models", "export", "folder", NEEDED="full")
    assert (done.returncode, done.stdout, installs(done)) == (2, "", [])
    assert "models export needs the workshop's packages, torch among them: at most 800 MB to download" in done.stderr
    assert "add --yes" in done.stderr
    agreed = run(checkout, packages, "models", "export", "folder", "--yes", NEEDED="full")
    assert installs(agreed) == [FULL]
    assert agreed.stdout.splitlines()[0] == "models|export|folder"
    assert "full install" in run(checkout, packages).stderr


@pytest.mark.parametrize(("answer", "status"), [("n", 2), ("", 0), ("y", 0)])
def test_a_person_at_a_terminal_is_asked(checkout, packages, answer, status):
    code, shown = in_a_terminal(checkout, packages, "models", "export", "folder", answer=answer, NEEDED="full")
    assert code == status
    assert "go on? [Y/n]" in shown
    assert ("models|export|folder" in shown) == (status == 0)
    assert (checkout / ".venv" / "lightvoice-full").exists() == (status == 0)


def test_yes_reaches_the_page_and_the_command_line_but_not_the_workshop(checkout, packages):
    assert run(checkout, packages, "--bundle", "sensevoice-small", "--yes").stdout.startswith("--yes|--bundle|sensevoice-small\n")
    assert run(checkout, packages, "bundles", "--yes").stdout.startswith("bundles\n")
    assert run(checkout, packages, "models", "advise", "--yes").stdout.startswith("models|advise\n")


def test_a_slim_install_that_cannot_be_completed_still_serves(checkout, packages):
    (checkout / FULL).write_text("lightvoice-no-such-package==1\n")
    assert run(checkout, packages, "--full-install").returncode == 2
    done = run(checkout, packages)
    assert (done.returncode, done.stderr) == (0, "lightvoice: starting (.venv, slim install)\n")


def test_the_page_that_asks_is_told_in_its_own_lines(checkout, packages, tmp_path):
    write_wheel(tmp_path, "onnx", VERSION)
    (checkout / LIGHT).write_text(f"onnx=={VERSION}\n")
    done = run(checkout, packages, "--yes", "models", "fetch", NEEDED="light", LIGHTVOICE_PROGRESS="json", PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert '@progress {"text": "packages: unpacking"}' in done.stderr.splitlines()


def test_a_job_of_the_page_does_not_remove_the_python_that_the_page_runs_on(checkout, packages):
    (checkout / ".venv" / "lightvoice-unfinished").touch()
    done = run(checkout, packages, "--yes", "models", "fetch", NEEDED="light", LIGHTVOICE_PROGRESS="json")
    assert done.returncode == 2
    assert "stop it, and start ./run.sh" in done.stderr
    assert (checkout / ".venv" / "bin" / "python").exists()


# ---- which build -----------------------------------------------------------------------------------------------------


@pytest.fixture
def wheels(tmp_path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("onnxruntime", "onnxruntime-gpu"):
        write_wheel(folder, name, VERSION)
    return folder


def pin_torch(checkout: Path) -> None:
    """The pins as in the real files: a version without a local part, in the requirements and in the constraints."""
    for name in (FULL, "constraints.txt"):
        (checkout / name).write_text(f"torch=={VERSION}\n")


def index_of(folder: Path, *wheels: Path) -> str:
    """The address of a package index that has these wheels of torch."""
    place = folder / "index" / "torch"
    place.mkdir(parents=True)
    links = "".join(f'<a href="{wheel.as_uri()}">{wheel.name}</a>\n' for wheel in wheels)
    (place / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    return place.parent.as_uri()


def test_the_pins_take_the_cpu_build_before_the_plain_one(checkout, packages, wheels):
    write_wheel(wheels, "torch", VERSION)
    write_wheel(wheels, "torch", f"{VERSION}+cpu")
    pin_torch(checkout)
    done = run(checkout, packages, "--full-install", PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 0, done.stderr
    assert "torch for the CPU from" not in done.stderr  # who configured pip chose where packages come from
    assert distributions(checkout) == {f"torch-{VERSION}+cpu"}


def test_torch_comes_from_the_index_with_its_cpu_build_and_is_kept(checkout, packages, tmp_path):
    index = index_of(tmp_path, write_wheel(tmp_path, "torch", f"{VERSION}+cpu"))
    pin_torch(checkout)
    done = run(checkout, packages, "--full-install", LIGHTVOICE_TORCH_INDEX=index, PIP_NO_INDEX="")
    assert done.returncode == 0, done.stderr
    assert f"torch for the CPU from {index}" in done.stderr
    assert distributions(checkout) == {f"torch-{VERSION}+cpu"}
    with (checkout / FULL).open("a") as requirements:
        requirements.write("# changed\n")
    again = run(checkout, packages, "--full-install", LIGHTVOICE_TORCH_INDEX="file:///nowhere")
    assert (again.returncode, installs(again)) == (0, [FULL]), again.stderr  # what is installed already is kept, without a network


def test_an_index_that_does_not_answer_gives_way_to_pips_own_once_somebody_agrees(checkout, packages):
    pin_torch(checkout)
    refused = run(checkout, packages, "--full-install", LIGHTVOICE_TORCH_INDEX="file:///nowhere")
    assert refused.returncode == 2
    assert f"file:///nowhere gives no torch=={VERSION}" in refused.stderr
    assert "name an index, or add --yes" in refused.stderr
    assert "slim install" in run(checkout, packages).stderr
    agreed = run(checkout, packages, "--full-install", "--yes", LIGHTVOICE_TORCH_INDEX="file:///nowhere")
    assert "pip could not install requirements.txt" in agreed.stderr  # asked pip's own index next, of which there is none here


@pytest.mark.parametrize(("build", "runtime"), [("cpu", "onnxruntime"), ("cuda", "onnxruntime-gpu")])
def test_onnx_runtime_follows_the_machine(checkout, packages, wheels, build, runtime):
    (checkout / FULL).write_text(
        f'-c constraints.txt\nonnxruntime-gpu=={VERSION} ; sys_platform != "none"\nonnxruntime=={VERSION} ; sys_platform == "none"\n'
    )
    done = run(checkout, packages, "--full-install", LIGHTVOICE_TORCH=build, PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 0, done.stderr
    assert distributions(checkout) == {f"{runtime.replace('-', '_')}-{VERSION}"}


def test_a_build_that_is_there_stays_and_never_are_there_two(checkout, packages, wheels):
    asked = f'onnxruntime-gpu=={VERSION} ; sys_platform != "none"\nonnxruntime=={VERSION} ; sys_platform == "none"\n'
    (checkout / FULL).write_text(asked)
    for build, runtime in (("cpu", "onnxruntime"), ("cuda", "onnxruntime_gpu"), ("cpu", "onnxruntime_gpu")):
        (checkout / FULL).write_text(asked := f"{asked}# changed\n")
        done = run(checkout, packages, "--full-install", LIGHTVOICE_TORCH=build, PIP_FIND_LINKS=str(wheels))
        assert done.returncode == 0, done.stderr
        assert distributions(checkout) == {f"{runtime}-{VERSION}"}


def test_a_build_that_there_is_not_is_named(checkout, packages):
    done = run(checkout, packages, LIGHTVOICE_TORCH="rocm")
    assert (done.returncode, "LIGHTVOICE_TORCH is 'rocm'; set it to cpu or cuda" in done.stderr) == (2, True)

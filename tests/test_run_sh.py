"""run.sh, run for real in a folder of its own: .venv made, kept, mended; what app.py and the workshop are given."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_sh import APP, environment_of, installs, lay_out, run, write_stand_ins, write_wheel

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="run.sh needs bash")


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Empty modules under the names that run.sh looks for."""
    return write_stand_ins(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory, packages) -> Path:
    """A checkout whose name holds a space, installed in full."""
    folder = lay_out(tmp_path_factory.mktemp("run") / "a checkout")
    done = run(folder, packages, "--full-install")
    assert done.returncode == 0, done.stderr
    assert "making .venv" in done.stderr
    assert "starting (.venv, full install)" in done.stderr
    return folder


@pytest.fixture
def checkout(installed, tmp_path) -> Path:
    """A copy of it to break."""
    return shutil.copytree(installed, tmp_path / "copy", symlinks=True)


def test_only_app_py_writes_to_standard_output_and_in_the_callers_folder(installed, packages, tmp_path):
    done = run(installed, packages, "transcribe", "my file.wav", "--format", "txt", cwd=tmp_path)
    assert done.stdout == f"transcribe|my file.wav|--format|txt\n{tmp_path}\n"
    assert done.returncode == 0


def test_the_workshop_runs_in_the_callers_folder_whatever_lies_there(installed, packages, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('somebody else')")
    done = run(installed, packages, "models", "quantize", "my bundle", "--recipe", "static", cwd=tmp_path)
    assert done.stdout.splitlines() == ["models|quantize|my bundle|--recipe|static", str(tmp_path)]
    assert run(installed, packages, "models", "fail").returncode == 3


def test_the_status_of_app_py_is_the_status_of_run_sh(installed, packages):
    assert run(installed, packages, "fail").returncode == 3


def test_it_works_through_a_symbolic_link(installed, packages, tmp_path):
    (tmp_path / "run.sh").symlink_to(installed / "run.sh")
    assert run(tmp_path, packages, "bundles").stdout.startswith("bundles\n")


def test_a_good_venv_is_used_as_it_is(installed, packages):
    done = run(installed, packages, LIGHTVOICE_PYTHON="/nowhere/python")
    assert done.returncode == 0
    assert done.stderr == "lightvoice: starting (.venv, full install)\n"


def test_changed_requirements_are_installed(checkout, packages):
    (checkout / "constraints.txt").write_text("# another version\n")
    assert installs(run(checkout, packages)) == ["requirements.txt"]
    assert installs(run(checkout, packages)) == []


def interrupt(venv: Path) -> None:
    (venv / "lightvoice-unfinished").touch()


def remove_python(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nowhere/python")


def replace_python(venv: Path) -> None:
    """What a distribution's upgrade leaves: the new Python finds neither pip nor what was installed for the old one."""
    shutil.rmtree(next(venv.glob("lib/python*/site-packages/pip")))
    (venv / "lightvoice-full").write_text("full python 3.10 requirements 1\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(interrupt, "did not finish"), (remove_python, "no longer works"), (replace_python, "no longer works")],
    ids=["interrupted", "python gone", "python upgraded"],
)
def test_a_damaged_venv_is_made_anew(checkout, packages, damage, said):
    damage(checkout / ".venv")
    done = run(checkout, packages)
    assert done.returncode == 0
    assert said in done.stderr
    assert "making .venv with Python" in done.stderr


def test_packages_that_are_gone_are_noticed(installed, packages, tmp_path):
    fewer = shutil.copytree(packages, tmp_path / "fewer")
    (fewer / "soxr.py").unlink()
    folder = shutil.copytree(installed, tmp_path / "copy", symlinks=True)
    done = run(folder, fewer)
    assert "packages are gone from .venv; making it anew" in done.stderr
    assert done.returncode == 2  # nothing in this test could bring it back
    assert "packages are missing" in done.stderr


@pytest.fixture
def with_cluster(checkout, packages, tmp_path) -> tuple[Path, Path]:
    """A full install with the cluster's packages, of which fsspec is a wheel that pip has really installed."""
    wheel = write_wheel(checkout, "fsspec", "1").name
    (checkout / "requirements-cluster.txt").write_text(f"./{wheel}\n")
    (checkout / "engine" / "cluster").mkdir(parents=True)
    for name in ("engine/__init__.py", "engine/cluster/__init__.py"):
        (checkout / name).touch()
    (checkout / "engine" / "cluster" / "__main__.py").write_text(APP)
    fewer = shutil.copytree(packages, tmp_path / "others")
    (fewer / "fsspec.py").unlink()
    done = run(checkout, fewer, "cluster", "serve")
    assert done.returncode == 0, done.stderr
    assert installs(done) == ["requirements-cluster.txt"]
    assert done.stdout.startswith("serve\n")
    (checkout / ".venv" / "same").touch()
    return checkout, fewer


def gone(checkout: Path, name: str) -> Path:
    """Remove a package behind pip's back."""
    [found] = (checkout / ".venv").glob(f"lib/python*/site-packages/{name}")
    shutil.rmtree(found) if found.is_dir() else found.unlink()
    return found


def test_what_is_gone_of_an_addition_comes_back_and_costs_nothing_else(with_cluster):
    folder, packages = with_cluster
    module = gone(folder, "fsspec.py")
    done = run(folder, packages, "cluster", "serve")
    assert done.returncode == 0, done.stderr
    assert "packages of requirements-cluster.txt are gone from .venv; bringing them back" in done.stderr
    assert module.is_file() and (folder / ".venv" / "same").exists()
    assert installs(done) == ["requirements-cluster.txt"]
    assert run(folder, packages).stderr == "lightvoice: starting (.venv, full install)\n"


def test_what_is_gone_of_an_addition_comes_back_at_the_second_try_too(with_cluster):
    folder, packages = with_cluster
    module = gone(folder, "fsspec.py")
    wheel = next(folder.glob("*.whl"))
    wheel.rename(folder / "away")
    failed = run(folder, packages, "cluster", "serve")
    assert (failed.returncode, "could not install requirements-cluster.txt" in failed.stderr) == (2, True)
    (folder / "away").rename(wheel)
    done = run(folder, packages, "cluster", "serve")
    assert done.returncode == 0, done.stderr
    assert module.is_file() and (folder / ".venv" / "same").exists()


def test_a_venv_that_is_made_anew_for_an_addition_gets_its_base_back(with_cluster):
    folder, packages = with_cluster
    gone(folder, "pip")
    asked = folder / "requirements-cluster.txt"
    asked.write_text(asked.read_text() + "# another version\n")
    done = run(folder, packages, "cluster", "serve")
    assert done.returncode == 0, done.stderr
    assert not (folder / ".venv" / "same").exists()
    assert installs(done) == ["requirements.txt", "requirements-cluster.txt"]
    assert run(folder, packages).stderr == "lightvoice: starting (.venv, full install)\n"


def test_a_slim_install_stays_slim_until_it_is_completed(packages, tmp_path):
    folder = lay_out(tmp_path / "slim")
    first = run(folder, packages, "--slim-install", "--port", "1")
    assert installs(first) == ["requirements-runtime.txt"]
    assert first.stdout.startswith("--port|1\n")
    assert "slim install" in run(folder, packages).stderr
    assert installs(run(folder, packages, "--full-install")) == ["requirements.txt"]
    again = run(folder, packages, "--slim-install")
    assert installs(again) == []
    assert "full install" in again.stderr


def test_a_package_that_cannot_be_had_is_said_in_one_line_and_tried_again(checkout, packages):
    (checkout / "requirements.txt").write_text("lightvoice-no-such-package==1\n")
    done = run(checkout, packages)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "pip could not install requirements.txt" in done.stderr
    (checkout / "requirements.txt").write_text("# mended\n")
    mended = run(checkout, packages)
    assert mended.returncode == 0
    assert "making .venv" not in mended.stderr


def python_that(folder: Path, body: str) -> str:
    path = folder / "python3.11"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_that_is_too_old_is_named(packages, tmp_path):
    folder = lay_out(tmp_path / "old")
    old = python_that(tmp_path, '[ "$1" = -V ] && echo "Python 3.9.2" && exit 0; exit 1')
    done = run(folder, packages, LIGHTVOICE_PYTHON=old)
    assert done.returncode == 2
    assert f"Python 3.11 or newer is needed, and {old} gives Python 3.9.2" in done.stderr
    assert not (folder / ".venv").exists()


def test_a_python_without_venv_is_answered_with_the_apt_command(packages, tmp_path):
    folder = lay_out(tmp_path / "debian")
    bare = python_that(tmp_path, f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    done = run(folder, packages, LIGHTVOICE_PYTHON=bare)
    assert done.returncode == 2
    assert f"sudo apt install python3.{sys.version_info.minor}-venv" in done.stderr


def test_two_starts_at_once_install_once(packages, tmp_path):
    if shutil.which("flock") is None:
        pytest.skip("no flock here")
    folder = lay_out(tmp_path / "twice")
    command = f"bash '{folder}/run.sh' a & bash '{folder}/run.sh' b & wait"
    environment = environment_of(packages)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert len(installs(done)) == 1
    assert sorted(line for line in done.stdout.splitlines() if len(line) == 1) == ["a", "b"]


def test_help_needs_no_installation(packages, tmp_path):
    folder = lay_out(tmp_path / "help")
    done = run(folder, packages, "--help")
    assert done.returncode == 0
    assert "./run.sh transcribe" in done.stdout
    assert not (folder / ".venv").exists()

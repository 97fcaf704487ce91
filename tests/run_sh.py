"""A folder in which run.sh installs for real: empty requirements, stand-ins for the packages, an app.py that shows its arguments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = "import os, sys\nprint(*sys.argv[1:], sep='|')\nprint(os.getcwd())\nsys.exit(3 if 'fail' in sys.argv else 0)\n"
#: The workshop's command line; what its commands need is what the test says.
MODELS = "import os, sys\nif '--packages' in sys.argv: sys.exit(print(os.environ.get('NEEDED', 'none')))\n" + APP.replace(
    "*sys.argv[1:]", "'models', *sys.argv[1:]"
)
FILES = ("requirements.txt", "requirements-runtime.txt", "requirements-models-light.txt", "requirements-test.txt", "constraints.txt")


def write_stand_ins(folder: Path) -> Path:
    """Empty modules under the names that run.sh looks for."""
    names = re.findall(r'echo "(?:\$page )?([a-z_0-9 ]+)" ;;|page="([a-z_0-9 ]+)"', (ROOT / "run.sh").read_text(encoding="utf-8"))
    for name in " ".join("".join(pair) for pair in names).split():
        (folder / f"{name}.py").touch()
    return folder


def lay_out(folder: Path) -> Path:
    """A checkout to install."""
    folder.mkdir()
    shutil.copy2(ROOT / "run.sh", folder)
    (folder / "app.py").write_text(APP)
    (folder / "models").mkdir()
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "__main__.py").write_text(MODELS)
    for name in FILES:
        (folder / name).write_text("# nothing to install\n")
    return folder


def environment_of(packages: Path, **variables: str) -> dict[str, str]:
    """This environment without what would lead pip or run.sh elsewhere."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "VIRTUAL_ENV", "LIGHTVOICE_"))}
    settled = {"PYTHONPATH": str(packages), "LIGHTVOICE_PYTHON": sys.executable, "LIGHTVOICE_TORCH": "cpu", "PIP_NO_INDEX": "1"}
    return own | settled | variables


def run(folder: Path, packages: Path, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """run.sh where nobody can be asked."""
    return subprocess.run(
        ["bash", str(folder / "run.sh"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd or folder,
        env=environment_of(packages, **variables),
        stdin=subprocess.DEVNULL,
    )


def installs(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The requirements that were installed, in order."""
    return re.findall(r"installing (requirements\S*\.txt)", done.stderr)


def write_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel of one empty module."""
    module = name.replace("-", "_")
    about = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"{module}.py,,\n")
    return path

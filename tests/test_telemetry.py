"""No library reports to its maker: nothing is written for it, nobody is asked, in any process of ours.

Always with ``CI`` unset, for that stops ONNX Runtime's reports and would hide them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from engine.audio.sandbox.process import DecodeProcess
from engine.cluster.archive import ray_workers
from engine.runtime.telemetry import SILENCE
from tests.starter_facts import DIGITS

ROOT = Path(__file__).resolve().parent.parent
#: Libraries that report, or that load one which does.
REPORTING = {"onnxruntime", "gradio", "gradio_client", "huggingface_hub", "nncf", "openvino", "ray"}
OPEN_A_SESSION = (
    "from engine.bundle import Bundle; from engine.runtime.session_pool import open_session; from tests.starter_facts import STARTER; "
    "open_session(Bundle.load(STARTER), model='vad', precision='int8', device='cpu', threads=1)"
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A person's machine: nothing forbids reports, and the places where libraries remember themselves are empty."""
    for name in ("home", "cache", "config", "temporary"):
        (home / name).mkdir(parents=True)
    kept = {
        name: value for name, value in os.environ.items() if name not in (*SILENCE, "CI", "NNCF_DEV", "XDG_DATA_HOME", "XDG_STATE_HOME")
    }
    places = {"HOME": "home", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "TMPDIR": "temporary"}
    return kept | {variable: str(home / name) for variable, name in places.items()} | more


def written(home: Path) -> list[str]:
    """Every file below, but what LightVoice itself remembers in its own folder of the cache."""
    files = (path.relative_to(home) for path in home.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if path.parts[:2] != ("cache", "lightvoice"))


def run(home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, env=environment(home, **more), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def reports(tmp_path: Path) -> None:
    """Skip where this build of ONNX Runtime reports nothing, so that a test which sees nothing means something."""
    run(tmp_path / "control", sys.executable, "-c", "import onnxruntime")
    if not any(".onnxruntime" in path or path.endswith(".ses") for path in written(tmp_path / "control")):
        pytest.skip("this build of ONNX Runtime writes nothing when it is imported")


# ---- nothing is written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        OPEN_A_SESSION,
        "import engine, onnxruntime",
        "import models.quantize.dynamic",
        "import models.benchmark.child",
        "import benchmarks.opening",
        "import tests.conftest, onnxruntime",
        "import ui.web_app",
    ],
)
def test_whoever_imports_the_package_writes_nothing(code: str, reports: None, tmp_path: Path) -> None:
    run(tmp_path / "tried", sys.executable, "-B", "-W", "ignore", "-c", code)
    assert written(tmp_path / "tried") == []


@pytest.mark.parametrize("value", ["0", "", "false"])
def test_a_value_that_onnx_runtime_takes_for_a_yes_is_replaced(value: str, reports: None, tmp_path: Path) -> None:
    run(tmp_path / "tried", sys.executable, "-B", "-c", OPEN_A_SESSION, ORT_DISABLE_TELEMETRY=value)
    assert written(tmp_path / "tried") == []


def test_a_transcription_writes_its_transcript_and_nothing_else(reports: None, tmp_path: Path) -> None:
    done = run(tmp_path / "tried", sys.executable, "-B", "app.py", "transcribe", str(DIGITS), "--precision", "int8")
    assert '"segments"' in done.stdout
    assert written(tmp_path / "tried") == []


def test_nncf_writes_no_id_of_the_person(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    code = "import models; from engine.runtime.telemetry import leave_out_openvino_telemetry as o; {}; import nncf"
    run(tmp_path / "control", sys.executable, "-B", "-W", "ignore", "-c", code.format("0"))
    assert any("intel" in path for path in written(tmp_path / "control"))  # else this proves nothing, and the function may go
    run(tmp_path / "tried", sys.executable, "-B", "-W", "ignore", "-c", code.format("o()"))
    assert written(tmp_path / "tried") == []


def test_importing_onnx_runtime_first_is_reported(tmp_path: Path) -> None:
    first = run(tmp_path / "first", sys.executable, "-B", "-c", "import onnxruntime; " + OPEN_A_SESSION)
    assert "onnxruntime was imported before engine" in first.stderr
    told = run(tmp_path / "told", sys.executable, "-B", "-c", "import onnxruntime; " + OPEN_A_SESSION, ORT_DISABLE_TELEMETRY="1")
    assert told.stderr == ""


# ---- nobody is asked -------------------------------------------------------------------------------------------------


class Proxy:
    """Stands where a machine's way out is; whoever wants to talk to another machine asks it by name."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "all_proxy")
        self.variables = {**dict.fromkeys(names, address), **{name.upper(): address for name in names}, "no_proxy": "", "NO_PROXY": ""}

    def asked(self, *, wait_s: float) -> str | None:
        """What the next client asks for; None if none comes."""
        self._listener.settimeout(wait_s)
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            return None
        with connection:
            return connection.recv(4096).decode("latin-1").split("\r\n")[0]

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    opened = [Proxy() for _ in range(3)]
    yield opened
    for proxy in opened:
        proxy.close()


@contextmanager
def running(home: Path, proxy: Proxy, *arguments: str, ready: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process whose way out is the proxy, and the line in which it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(home, **proxy.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if ready in line:
                yield process, line
                return
        raise AssertionError(f"it is not ready: {''.join(said)}")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_nobody_is_asked_in_the_time_in_which_onnx_runtime_would_report_twice(proxies: list[Proxy], tmp_path: Path) -> None:
    """Three processes at once, the silent ones older: when the other has reported twice, they have had their time."""
    loud, library, server = proxies
    wait = "; import sys; print('open', flush=True); sys.stdin.read()"
    with (
        running(tmp_path / "library", library, "-c", OPEN_A_SESSION + wait, ready="open") as (opened, _),
        running(tmp_path / "server", server, "app.py", "--port", "0", "--precision", "int8", ready="LightVoice: http") as (serving, line),
    ):
        [address] = re.findall(r"http://\S+", line)
        with DIGITS.open("rb") as recording:
            httpx.post(f"{address}/v1/audio/transcriptions", files={"file": recording}, timeout=120, trust_env=False).raise_for_status()
        with running(tmp_path / "loud", loud, "-c", "import onnxruntime" + wait, ready="open"):
            if loud.asked(wait_s=90) is None:
                pytest.skip("this build of ONNX Runtime asks nobody")
            assert loud.asked(wait_s=90) is not None
        assert opened.poll() is None
        assert serving.poll() is None
    # What came meanwhile waits in the listener's queue.
    assert (library.asked(wait_s=0.01), server.asked(wait_s=0.01)) == (None, None)
    own = ("temporary/lightvoice-files-", "home/.local/share/lightvoice/history/")  # killed, it could not clear up; and what it keeps
    assert [path for home in ("library", "server") for path in written(tmp_path / home) if not path.startswith(own)] == []


# ---- every way in ----------------------------------------------------------------------------------------------------


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_whoever_imports_a_reporting_library_lies_in_a_package_that_imports_engine_first() -> None:
    packages = {
        path.relative_to(ROOT).parts[0]
        for part in ("app.py", "engine", "models", "ui", "benchmarks", "tests")
        for path in [ROOT / part, *(ROOT / part).rglob("*.py")]
        if path.is_file() and REPORTING & imported(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert packages >= {"engine", "models", "ui", "benchmarks", "tests"}
    assert "app.py" not in packages  # it imports engine first all the same
    for package in packages - {"engine"}:
        first = ROOT / package / ("conftest.py" if package == "tests" else "__init__.py")
        assert re.search(r"^(import|from) engine\b", first.read_text(encoding="utf-8"), re.MULTILINE), first


def test_importing_engine_sets_every_variable() -> None:
    """In a process of its own: Gradio writes one of them in another way when a page is built."""
    code = "import json, os, engine; print(json.dumps(dict(os.environ)))"
    bare = {name: value for name, value in os.environ.items() if name not in SILENCE}
    said = subprocess.run([sys.executable, "-c", code], env=bare, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout).items() >= SILENCE.items()


def test_a_decode_worker_gets_the_variables_that_forbid_reports(tmp_path: Path) -> None:
    code = "import json, os, struct, sys; sys.stdout.write(json.dumps(dict(os.environ)))"
    process = DecodeProcess([sys.executable, "-c", code])
    try:
        assert process._process.stdout is not None
        said = process._process.stdout.readall()  # type: ignore[attr-defined]
    finally:
        process.end()
    assert all(f'"{name}": "{value}"' in said.decode() for name, value in SILENCE.items())


def test_the_workers_of_a_cluster_get_the_variables_that_forbid_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    ray, data = types.ModuleType("ray"), types.ModuleType("ray.data")
    ray.init, ray.data = lambda **options: asked.append(options), data  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ray_workers.start_ray("auto")
    assert asked[0]["runtime_env"]["env_vars"].items() >= SILENCE.items()  # type: ignore[index]
    ray_workers.start_ray(None)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("file", ["run.sh", "Dockerfile"])
def test_the_scripts_set_what_the_engine_sets(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert [name for name, value in SILENCE.items() if f" {name}={value}" not in text] == []


def test_an_engine_that_funasr_runs_asks_for_no_newer_version() -> None:
    """``AutoModel`` asks a package index for its newest version unless it is told not to."""
    for path in [*(ROOT / "models").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "AutoModel":
                assert "disable_update" in {option.arg for option in node.keywords}, path

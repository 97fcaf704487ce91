"""The container's recipe, read without an engine: what enters it, who runs in it, what it asks of itself."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, CLUSTER = "requirements-runtime.txt", "requirements-cluster.txt"
FIRST_PARTY = {"app", "benchmarks", "engine", "models", "ui", "tests"}


def dockerfile() -> list[tuple[str, str, str]]:
    """(stage, instruction, rest) in order, continuation lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    stage, steps = "", []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, rest = line.strip().split(maxsplit=1)
        if instruction == "FROM":
            stage = rest.split(" AS ")[1]
        steps.append((stage, instruction, rest))
    return steps


def parents(stage: str) -> list[str]:
    """The stage and those that it stands on or copies from."""
    steps, found = dockerfile(), [stage]
    for name in found:
        for owner, instruction, rest in steps:
            source = {"COPY": re.search(r"--from=(\S+)", rest), "FROM": re.match(r"(\S+) AS", rest)}.get(instruction)
            if owner == name and source and source[1] in {step[0] for step in steps} - set(found):
                found.append(source[1])
    return found


def copied() -> dict[str, list[Path]]:
    """What the build takes from the checkout, by stage."""
    sources: dict[str, list[Path]] = {}
    for stage, instruction, rest in dockerfile():
        if instruction == "COPY" and "--from=" not in rest:
            sources.setdefault(stage, []).extend(ROOT / name for name in rest.split()[:-1])
    return sources


def test_every_source_of_the_container_exists_and_reaches_the_build():
    entering = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    sources = [path for paths in copied().values() for path in paths]
    assert sources
    for path in sources:
        assert path.exists(), path
        assert path.relative_to(ROOT).parts[0] in entering


def test_no_development_file_enters_the_container():
    names = {path.relative_to(ROOT).parts[0] for paths in copied().values() for path in paths}
    assert names <= {"app.py", "engine", "ui", "models", "LICENSE", RUNTIME, CLUSTER, "constraints.txt"}
    assert ROOT / "models" not in copied()["product"]


def test_the_container_holds_every_module_that_its_code_imports():
    files = [file for path in copied()["product"] for file in ([path] if path.is_file() else path.rglob("*.py")) if file.suffix == ".py"]
    held = {file.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".") for file in files}
    needed: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                needed |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                needed.add(node.module)
    assert {name for name in needed if name.split(".")[0] in FIRST_PARTY} <= held


def test_the_default_container_is_the_slim_one_without_rights():
    stages = [rest.split(" AS ")[1] for _, instruction, rest in dockerfile() if instruction == "FROM"]
    assert stages[-1] == "cpu"
    assert "packages-gpu" not in parents("cpu")
    steps = [(instruction, rest) for stage, instruction, rest in dockerfile() if stage in ("base", "cpu")]
    users = [rest for instruction, rest in steps if instruction == "USER"]
    assert users
    assert users[-1] not in ("root", "0")


def test_the_health_check_asks_an_address_that_the_page_serves():
    [check] = [rest for _, instruction, rest in dockerfile() if instruction == "HEALTHCHECK" and rest != "NONE"]
    command = json.loads(check[check.index("CMD") + 3 :])
    path = re.search(r"127\.0\.0\.1:7860(/\w+)", command[-1])[1]
    assert f'"{path}"' in (ROOT / "ui" / "http" / "middleware.py").read_text(encoding="utf-8")


def test_the_container_installs_what_is_pinned():
    installs = [rest for _, instruction, rest in dockerfile() if instruction == "RUN" and "pip install" in rest]
    assert installs
    assert all(rest.endswith(f"-r {RUNTIME}") for rest in installs)


def test_a_machine_of_a_cluster_has_ray_and_finds_the_engine():
    assert {"packages-cluster", "product"} <= set(parents("cluster"))
    assert "packages-cluster" not in parents("cpu") + parents("gpu")
    steps = [(instruction, rest) for stage, instruction, rest in dockerfile() if stage == "cluster"]
    assert ("ENV", "PYTHONPATH=/app") in steps
    assert [rest for instruction, rest in steps if instruction == "USER"][-1] not in ("root", "0")


def test_the_gpu_container_swaps_the_build_of_onnx_runtime():
    [swap] = [rest for stage, _, rest in dockerfile() if stage == "packages-gpu" and "sed -i" in rest]
    expression = shlex.split(swap)[2]
    changed = subprocess.run(["sed", expression, RUNTIME], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^onnxruntime-gpu\[cuda,cudnn\]==", changed, re.MULTILINE)
    assert not re.search(r"^onnxruntime==", changed, re.MULTILINE)


def test_compose_builds_stages_that_exist_and_listens_on_this_machine_alone():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    stages = {step[0] for step in dockerfile()}
    for service in services.values():
        assert service["build"]["target"] in stages
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["read_only"]
        assert "/tmp" in service["tmpfs"]

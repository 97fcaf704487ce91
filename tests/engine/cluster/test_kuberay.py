"""The Kubernetes manifests against the schema of what they are, and against the product that they start."""

from __future__ import annotations

import copy
import importlib
import shlex
from pathlib import Path

import pytest
import yaml

from app import main as app_main
from engine.cluster.__main__ import _parser
from tests.engine.cluster.conftest import needs
from tests.engine.cluster.kuberay_schema import SCHEMAS, SERVE_CONFIG

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = sorted((ROOT / "deploy" / "kuberay").glob("*.yaml"))


def resources(kind: str | None = None) -> list[dict]:
    found = [resource for path in MANIFESTS for resource in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [resource for resource in found if kind in (None, resource["kind"])]


def pinned_ray() -> str:
    lines = (ROOT / "requirements-cluster.txt").read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("ray["))


def validate(values: dict, schema: dict) -> None:
    needs("jsonschema")
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(values)


def refused(values: dict, schema: dict) -> bool:
    needs("jsonschema")
    from jsonschema import ValidationError

    try:
        validate(values, schema)
    except ValidationError:
        return True
    return False


def test_every_resource_is_what_its_kind_allows():
    assert {resource["kind"] for resource in resources()} == set(SCHEMAS)
    for resource in resources():
        validate(resource, SCHEMAS[resource["kind"]])


def spoil_field(job: dict) -> None:
    job["spec"]["shutdownAfterJobFinish"] = True


def spoil_group(job: dict) -> None:
    del job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["groupName"]


def spoil_params(job: dict) -> None:
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def spoil_memory(job: dict) -> None:
    containers = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    containers[0]["resources"]["limits"]["memory"] = "8 GB"


@pytest.mark.parametrize("spoil", [spoil_field, spoil_group, spoil_params, spoil_memory])
def test_the_schema_refuses_what_kubernetes_would(spoil):
    [job] = resources("RayJob")
    spoiled = copy.deepcopy(job)
    spoil(spoiled)
    assert refused(spoiled, SCHEMAS["RayJob"])


def test_the_archive_runs_a_command_that_exists():
    [job] = resources("RayJob")
    python, flag, module, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (python, flag, module) == ("python", "-m", "engine.cluster")
    assert _parser().parse_args(arguments).address == "auto"


def test_the_cluster_runs_the_release_that_is_pinned():
    versions = {
        resource["spec"][name]["rayVersion"]
        for kind, name in (("RayJob", "rayClusterSpec"), ("RayService", "rayClusterConfig"))
        for resource in resources(kind)
    }
    assert versions == {pinned_ray()}


def test_the_service_serves_an_application_that_exists():
    [service] = resources("RayService")
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    validate(config, SERVE_CONFIG)
    [application] = config["applications"]
    module, _, name = application["import_path"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    documented = getattr(importlib.import_module(module), name).__doc__
    assert all(f"``{argument}``" in documented for argument in application["args"])


def test_the_page_asks_the_engine_where_the_service_serves_it():
    [service], [page] = resources("RayService"), resources("Deployment")
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    arguments = page["spec"]["template"]["spec"]["containers"][0]["args"]
    expected = f"ray://{service['metadata']['name']}-serve-svc:{config['http_options']['port']}{config['applications'][0]['route_prefix']}"
    assert arguments[arguments.index("--engine") + 1] == expected
    with pytest.raises(SystemExit) as left:
        app_main([*arguments, "--help"])
    assert left.value.code == 0


def test_a_service_finds_the_pods_of_the_page():
    [deployment], [service] = resources("Deployment"), resources("Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()

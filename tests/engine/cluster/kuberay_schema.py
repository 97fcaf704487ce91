"""The part of KubeRay's ``ray.io/v1`` resources (and of what they hold) that our manifests use, as JSON Schema.

Written from KubeRay's API reference (ray-project.github.io/kuberay/reference/api). Nothing that is not written down passes: a
misspelt field is refused here, as ``kubectl apply --dry-run=server`` would refuse it with strict validation.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
PORT_NUMBER = {"type": "integer", "minimum": 1, "maximum": 65535}
#: A Kubernetes quantity, such as 2, 500m or 16Gi.
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[kKMGT]i?)?$"}
#: A DNS label: the name of a resource, a container or a group.
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def fields(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def each(schema: dict[str, Any]) -> dict[str, Any]:
    """A list of at least one."""
    return {"type": "array", "items": schema, "minItems": 1}


RESOURCES = {"type": "object", "additionalProperties": QUANTITY, "minProperties": 1}
PORT = fields("containerPort", containerPort=PORT_NUMBER, name=NAME)
PROBE = fields("httpGet", httpGet=fields("path port", path=TEXT, port={"type": ["string", "integer"]}))
CONTAINER = fields(
    "name image resources",
    name=NAME,
    image={"type": "string", "pattern": r"^[^\s:]+(:[0-9]+)?[^\s:]*:[^\s:]+$"},  # with a tag
    args=each(TEXT),
    envFrom=each(fields("secretRef", secretRef=fields("name", name=NAME))),
    ports=each(PORT),
    readinessProbe=PROBE,
    resources=fields("limits requests", limits=RESOURCES, requests=RESOURCES),
)
METADATA = fields("name", name=NAME, labels=TEXTS)
POD = fields("spec", metadata=fields(labels=TEXTS), spec=fields("containers", containers=each(CONTAINER)))
CLUSTER = fields(
    "headGroupSpec",
    rayVersion=TEXT,
    enableInTreeAutoscaling={"type": "boolean"},
    headGroupSpec=fields("rayStartParams template", rayStartParams=TEXTS, template=POD),
    workerGroupSpecs=each(
        fields(
            "groupName minReplicas maxReplicas rayStartParams template",
            groupName=NAME,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD,
        )
    ),
)


def resource(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A whole resource."""
    return fields("apiVersion kind metadata spec", apiVersion={"const": version}, kind={"const": kind}, metadata=METADATA, spec=spec)


SCHEMAS = {
    "RayJob": resource(
        "ray.io/v1",
        "RayJob",
        fields(
            "entrypoint rayClusterSpec",
            entrypoint=TEXT,
            shutdownAfterJobFinishes={"type": "boolean"},
            ttlSecondsAfterFinished=COUNT,
            backoffLimit=COUNT,
            rayClusterSpec=CLUSTER,
        ),
    ),
    "RayService": resource(
        "ray.io/v1", "RayService", fields("serveConfigV2 rayClusterConfig", serveConfigV2=TEXT, rayClusterConfig=CLUSTER)
    ),
    "Deployment": resource(
        "apps/v1",
        "Deployment",
        fields("selector template", replicas=COUNT, selector=fields("matchLabels", matchLabels=TEXTS), template=POD),
    ),
    "Service": resource(
        "v1",
        "Service",
        fields(
            "selector ports",
            selector=TEXTS,
            ports=each(fields("port", port=PORT_NUMBER, targetPort={"type": ["string", "integer"]}, name=NAME)),
        ),
    ),
}

#: Serve's own file (``serve deploy``), which RayService carries as text.
SERVE_CONFIG = fields(
    "applications",
    http_options=fields(host=TEXT, port=PORT_NUMBER),
    applications=each(
        fields(
            "name import_path route_prefix",
            name=NAME,
            import_path={"type": "string", "pattern": r"^[\w.]+:\w+$"},
            route_prefix=TEXT,
            args={"type": "object"},
        )
    ),
)

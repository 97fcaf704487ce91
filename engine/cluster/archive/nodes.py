"""The machines of a cluster before a job: which of them hold the job's bundle, byte for byte, and which hold none or another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.cluster.job import Job
from engine.errors import LightVoiceError

#: The label that Ray gives every machine by itself.
NODE_LABEL = "ray.io/node-id"
CHECK_TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster; ``fault`` says why it gets no work, None where it can work."""

    node_id: str
    host: str
    fault: str | None

    def to_dict(self) -> dict[str, Any]:
        """As the report writes it."""
        return asdict(self)


def bundle_fault(job: Job) -> str | None:
    """Why this machine cannot work on a job; None where it can. Runs on each machine."""
    try:
        job.open_bundle().variant(job.precision)
    except (LightVoiceError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def check_nodes(job: Job) -> list[Node]:
    """Ask every machine that is alive; one that does not answer in two minutes is left out with that as its fault."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    check = ray.remote(num_cpus=0, max_retries=1)(bundle_fault)
    alive = [node for node in ray.nodes() if node["Alive"]]
    asked = [check.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(job) for node in alive]
    answers = []
    for node, reference in zip(alive, asked, strict=True):
        try:
            fault = ray.get(reference, timeout=CHECK_TIMEOUT_S)
        except ray.exceptions.RayError as error:
            fault = f"no answer ({type(error).__name__})"
        answers.append(Node(node_id=node["NodeID"], host=node["NodeManagerHostname"], fault=fault))
    return answers


def faultless_only(nodes: Sequence[Node]) -> dict[str, str] | None:
    """The label selector of an actor that keeps it off the machines with a fault; None where there are none."""
    faulty = [node.node_id for node in nodes if node.fault]
    return {NODE_LABEL: f"!in({','.join(faulty)})"} if faulty else None

"""Ray's actors as a job's workers: Ray Data moves recordings, pieces and segments between them.

Two kinds of actors share each worker's core: a finder (decoding, VAD) and a recognizer. The operating system divides the core between
them as work comes; no share is set beforehand.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.bundle_roots import ROOT
from engine.cluster.archive.nodes import Node, check_nodes, faultless_only
from engine.cluster.archive.notes import Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import Job
from engine.errors import RayMissingError
from engine.runtime.telemetry import SILENCE

#: Times that a task is tried on another worker before its recordings wait for the next round.
TASK_RETRIES = 2
#: About two minutes of frames: a piece leaves its finder as soon as it is cut.
BLOCK_BYTES = 4 << 20
#: Of a cluster that lives for one job: rows are small, and the machine has other uses for its memory.
LOCAL_STORE_BYTES = 512 << 20
#: The pinned release takes max_restarts and max_task_retries no other way; a small job has fewer pieces than recognizers.
_KNOWN_WARNINGS = ("`ray_remote_args` is deprecated", "The minimum number of concurrent actors")
#: One thread each: workers are the parallelism. And no reports, of the libraries nor of Ray itself.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", **SILENCE}


def start_ray(address: str | None, *, workers: int | None = None) -> None:
    """Join a running cluster, or start one on this machine that ends with this process; RayMissingError where Ray is not installed."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise RayMissingError(missing=error.name or "ray") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING, "ignore_reinit_error": True}
    if address is None:
        os.environ.update(ENVIRONMENT)  # inherited; a runtime_env would start every process twice
        ray.init(num_cpus=workers or os.cpu_count(), include_dashboard=False, object_store_memory=LOCAL_STORE_BYTES, **quiet)
    else:
        # The code lies where it lies here, on every machine: in an image, or in a shared folder.
        ray.init(address=address, runtime_env={"env_vars": {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}}, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    for said in _KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message=said)


class RayWorkers:
    """The actors of a cluster that has been started (:func:`start_ray`).

    ``workers`` is how many cores to work on, None for all; ``gpus`` how much of a GPU each recognizer takes. Tests put actors of
    their own in the place of the two kinds.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        gpus: float = 0.0,
        finder: type[SpeechFinder] = SpeechFinder,
        recognizer: type[PieceRecognizer] = PieceRecognizer,
    ) -> None:
        self._workers, self._gpus = workers, gpus
        self._finder, self._recognizer = finder, recognizer

    @property
    def count(self) -> int:
        """How many cores are worked on."""
        import ray

        return self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def check(self, job: Job) -> list[Node]:
        """Every machine of the cluster, and why some get no work."""
        return check_nodes(job)

    def rows(self, job: Job, groups: Sequence[Mapping[str, Any]], *, known: frozenset[str], nodes: Sequence[Node]) -> Iterator[Row]:
        """The actors' notes on the recordings, as they come."""
        import ray

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars, context.target_max_block_size = False, BLOCK_BYTES
        context.max_errored_blocks = -1  # recordings of a lost block are missing afterwards, and done in the next round
        finders = ray.data.ActorPoolStrategy(size=min(self.count, len(groups)))
        # With several threads a recognizer works on as many segments side by side, on one copy of the weights.
        recognizers = ray.data.ActorPoolStrategy(size=max(1, self.count // job.threads))
        placed: dict[str, Any] = {"num_cpus": 0.5, "label_selector": faultless_only(nodes)}
        retried = {"max_restarts": -1, "max_task_retries": TASK_RETRIES}
        dataset = ray.data.from_items(list(groups), override_num_blocks=len(groups)).map_batches(
            self._finder, fn_constructor_args=(job, known), batch_size=1, compute=finders, **placed, **retried
        )
        dataset = dataset.map(
            self._recognizer,
            fn_constructor_args=(job,),
            compute=recognizers,
            num_gpus=self._gpus or None,
            **{**placed, "num_cpus": 0.5 * min(job.threads, self.count)},
            **retried,
        )
        for values in dataset.iter_rows():
            yield Row.of(values)

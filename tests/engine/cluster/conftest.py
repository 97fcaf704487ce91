"""Fixtures of the cluster's tests: a job on the embedded bundle, recordings long and short, one local Ray cluster for all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.cluster.job import BundleIdentity, Job
from engine.pipeline import Engine
from tests.starter_facts import EXAMPLES


def needs(package: str) -> None:
    """Skip, with the file that brings it, where an optional package is not installed."""
    pytest.importorskip(package, reason=f"{package} is not installed; pip install -r requirements-cluster.txt", exc_type=ImportError)


@pytest.fixture
def arrow() -> None:
    needs("pyarrow")


@pytest.fixture(scope="session")
def job(starter_bundle: Path) -> Job:
    """A job whose pieces are so short that every recording of half a minute is cut."""
    return Job(bundle=str(starter_bundle), identity=BundleIdentity.of(Bundle.load(starter_bundle)), piece_s=4.0)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five recordings: three examples, one that is all of them twice with silences between, and one of silence."""
    folder = tmp_path_factory.mktemp("archive")
    clips = [EXAMPLES / f"{name}.flac" for name in ("digits-en", "digits-zh", "sentence-en")]
    parts = [load_audio(path).samples for path in clips]
    for path, samples in zip(clips, parts, strict=True):
        soundfile.write(folder / f"{path.stem}.wav", samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    pause = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    long = np.concatenate([piece for samples in parts * 2 for piece in (samples, pause)])
    (folder / "long").mkdir()
    soundfile.write(folder / "long" / "talk.flac", long, SAMPLE_RATE_HZ)
    soundfile.write(folder / "silence.wav", np.zeros(SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ)
    return folder


def spoken(values: dict) -> dict:
    """A transcript without what differs from run to run: its name and its times of computing."""
    return {name: value for name, value in values.items() if name not in ("file", "timing", "sha256")}


@pytest.fixture(scope="session")
def expected(archive: Path, starter_bundle: Path) -> dict[str, dict]:
    """What the one-machine engine says of each recording, by its path."""
    engine = Engine(Bundle.load(starter_bundle), threads=1)
    try:
        return {str(path): spoken(engine.transcribe(load_audio(path)).to_dict()) for path in sorted(archive.rglob("*.*"))}
    finally:
        engine.close()


@pytest.fixture(scope="session")
def bundles(starter_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles that only some machines have: the starter under another name."""
    folder = tmp_path_factory.mktemp("bundles") / "travelling"
    shutil.copytree(starter_bundle, folder)
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps({**manifest, "name": "travelling"}), encoding="utf-8")
    return folder.parent


@pytest.fixture(scope="module")
def ray_cluster(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two machines as Ray sees it, on this one: the second lacks the bundle ``travelling``.

    It ends with the file that needs it: a cluster at rest takes a tenth of a core.
    """
    needs("ray")
    import ray
    from ray.cluster_utils import Cluster

    from engine.cluster.archive.ray_workers import start_ray

    small = {"num_cpus": 2, "object_store_memory": 100 << 20}
    # The processes of the cluster keep the environment that they were started in; tests of other things must not.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTVOICE_BUNDLES", str(bundles))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # Serve ends a proxy that is slow to answer, as one is on a machine that runs other tests beside.
        patch.setenv("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "120")
        patch.setenv("RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S", "120")
        cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        cluster.add_node(**small, env_vars={"LIGHTVOICE_BUNDLES": str(tmp_path_factory.mktemp("no-bundles"))})
    try:
        start_ray(cluster.address)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()

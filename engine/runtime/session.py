"""The only module that imports ONNX Runtime: open a graph, check it, run it, close it, free its memory."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import gc
import json
import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from engine import SILENT
from engine.errors import GraphContractError, NotQuantizedError, ProviderUnavailableError, SessionError
from engine.files.sizes import BYTES_PER_MB
from engine.runtime.core_slots import CoreSlots
from engine.runtime.cores import default_threads
from engine.runtime.graph_run import run_in_pool, run_on_device
from engine.runtime.onnx_operators import count_products
from engine.runtime.stop_signal import RunStoppedError, StopSignal

log = logging.getLogger(__name__)

DEVICES = ("cpu", "cuda", "auto")
_ONNX_RUNTIME_ERRORS_ONLY = 3
#: On a CPU a norm and an addition cost 45 µs for 171 frames, ONNX Runtime's fusion of both 380: its kernel is not vectorized.
SLOW_FUSIONS = ("SkipLayerNormFusion",)


def rss_mb() -> float:
    """Resident memory of this process in MB (10⁶ bytes)."""
    return float(psutil.Process().memory_info().rss) / BYTES_PER_MB


def release_memory() -> None:
    """Collect garbage and hand freed pages back to the system.

    Without ``malloc_trim`` glibc keeps what a closed session freed: 968 MB stay of a full-size FP32 session, 74 MB after it.
    """
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(ctypes.util.find_library("c")).malloc_trim
    except (OSError, AttributeError):
        return None  # musl and others have no malloc_trim; their allocators return pages themselves


@functools.cache
def cpu_flags() -> frozenset[str]:
    """The processor's feature flags as Linux names them; empty where /proc/cpuinfo does not exist."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, values = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(values.split())
    return frozenset()


def saturates_in_int8() -> bool:
    """Whether U8S8 products can saturate here: x86 without VNNI adds pairs in 16 bits."""
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return on_x86 and bool(cpu_flags()) and not cpu_flags() & {"avx512_vnni", "avx_vnni"}


class Session:
    """One open graph.

    ``run`` may be called from several threads at once; with ``slots`` as many of them compute as there are slots. All of them share
    one copy of the weights. After ``close`` it may not be run again.
    """

    def __init__(
        self,
        inner: Any,
        *,
        path: Path,
        model: str,
        precision: str,
        mb: float,
        threads: int = 1,
        slots: CoreSlots | None = None,
    ) -> None:
        self._inner = inner
        self.path, self.model, self.precision, self.mb, self.threads = path, model, precision, mb, threads
        self.provider: str = inner.get_providers()[0]
        self._slots = slots if self.on_cpu else None
        self.input_names: tuple[str, ...] = tuple(entry.name for entry in inner.get_inputs())
        self.output_names: tuple[str, ...] = tuple(entry.name for entry in inner.get_outputs())
        self.metadata: dict[str, str] = dict(inner.get_modelmeta().custom_metadata_map)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        model: str,
        precision: str,
        device: str = "cpu",
        threads: int | None = None,
        require_integer: bool = False,
        slots: CoreSlots | None = None,
    ) -> Session:
        """Open a graph on a device; with ``require_integer`` refuse one whose weight products are in float.

        ``int8`` itself keeps none in float; another INT8 recipe may keep as many as its metadata states. Sessions that share
        ``slots`` share the processor's cores; one on a GPU takes none.

        Raises NotQuantizedError, ProviderUnavailableError, GraphContractError.
        """
        if require_integer:
            products = count_products(path)
            allowed = 0 if precision == "int8" else products.meant_floating
            if products.integer == 0 or products.floating > allowed:
                raise NotQuantizedError(path=path, integer=products.integer, floating=products.floating)
        providers = _providers(device, precision)
        _runtime_errors()  # loads the library now, so that its 30 MB are not charged to the first session
        _warn_of_reports()
        release_memory()  # memory that something else left free would be reused and hide what this session takes
        before = rss_mb()
        threads = threads or default_threads()
        inner = _open(path, providers=providers, threads=threads)
        if device == "cuda" and inner.get_providers()[0] != "CUDAExecutionProvider":
            # On a machine without a GPU onnxruntime-gpu lists CUDA, raises nothing and runs on the CPU.
            raise ProviderUnavailableError(device=device, reason="ONNX Runtime fell back to the CPU: no usable GPU, CUDA 13 or cuDNN 9")
        session = cls(inner, path=path, model=model, precision=precision, mb=rss_mb() - before, threads=threads, slots=slots)
        # Its weights are resident at the latest when it has run once, whatever the measurement missed.
        session.mb = max(session.mb, session.file_mb)
        return session

    @property
    def on_cpu(self) -> bool:
        """Whether it really runs on the CPU, whatever was asked for."""
        return self.provider == "CPUExecutionProvider"

    @property
    def file_mb(self) -> float:
        """Megabytes on disk, external weights included."""
        data = self.path.with_name(self.path.name + ".data")
        return sum(file.stat().st_size for file in (self.path, data) if file.exists()) / BYTES_PER_MB

    def run(
        self, output_names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]], *, stop: StopSignal | None = None
    ) -> list[NDArray[Any]]:
        """Run the graph: named inputs to a list of outputs, in the order asked for. RunStoppedError where ``stop`` ended it."""
        inner = self._inner
        if inner is None:
            raise SessionError(f"{self.path.name} was closed; ask the pool for a new lease")
        names = list(self.output_names if output_names is None else output_names)
        try:
            with nullcontext(0) if self._slots is None else self._slots.held() as slot:
                # The first run takes the calling thread and what is idle of the pool, the next ones a thread of the pool each. A slot
                # beyond the pool, where the plan has grown since the session was opened, is a thread of its own.
                pooled = 0 < slot < self.threads
                options = _run_options() if pooled or stop is not None else None
                with nullcontext() if stop is None else stop.ending(lambda: setattr(options, "terminate", True)):
                    results = self._run(inner, names, feeds, options=options, pooled=pooled)
        except _runtime_errors() as error:
            if stop is not None and stop.stopped:
                raise RunStoppedError from error
            reason = " ".join(str(error).split())[:300]
            raise GraphContractError(path=self.path, reason=f"it cannot be run ({reason})") from error
        return [np.asarray(result) for result in results]

    def _run(self, inner: Any, names: Sequence[str], feeds: Mapping[str, NDArray[Any]], *, options: Any, pooled: bool) -> list[Any]:
        if not self.on_cpu:
            return run_on_device(inner, names, feeds, options)
        if pooled:
            return run_in_pool(inner, names, feeds, options)
        return list(inner.run(names, dict(feeds)) if options is None else inner.run(names, dict(feeds), options))

    def metadata_ids(self, name: str) -> tuple[int, ...]:
        """A JSON list of whole numbers in the graph's metadata; GraphContractError if it is not there."""
        try:
            values = json.loads(self.metadata[name])
            return tuple(int(value) for value in values)
        except (KeyError, TypeError, ValueError) as error:
            raise GraphContractError(path=self.path, reason=f"its metadata has no list {name!r}") from error

    def close(self) -> None:
        """Drop the graph; the memory is handed back by :func:`release_memory`."""
        self._inner = None


def _providers(device: str, precision: str) -> list[Any]:
    if device not in DEVICES:
        raise ProviderUnavailableError(device=device, reason=f"choose one of {', '.join(DEVICES)}")
    if device == "cpu":
        return ["CPUExecutionProvider"]
    import onnxruntime  # noqa: PLC0415 - loaded with the first session: --help and errors do not wait for it

    if precision.startswith("int8"):
        if device == "auto":
            return ["CPUExecutionProvider"]
        reason = "CUDA has no kernels for dynamic INT8 and would send every layer back to the CPU; lightweight mode is for CPUs"
        raise ProviderUnavailableError(device=device, reason=reason)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        if device == "auto":
            return ["CPUExecutionProvider"]
        raise ProviderUnavailableError(device=device, reason="this ONNX Runtime was built without CUDA; install onnxruntime-gpu")
    # HEURISTIC: EXHAUSTIVE tunes again for every new length.
    return [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"}), "CPUExecutionProvider"]


def keep_int8_exact(options: Any) -> None:
    """Have a session's U8S8 products run as U8U8 ones where they could saturate: for the options of every session on an INT8 graph."""
    if saturates_in_int8():
        options.add_session_config_entry("session.x64quantprecision", "1")


@functools.cache
def _warn_of_reports() -> None:
    """Warn once where ONNX Runtime sends reports because it was imported before ``engine`` (engine/runtime/telemetry.py)."""
    if not SILENT:
        log.warning("onnxruntime was imported before engine and may send reports; import engine first, or set ORT_DISABLE_TELEMETRY=1")


def _run_options() -> Any:
    import onnxruntime  # noqa: PLC0415 - as below

    return onnxruntime.RunOptions()


@functools.cache
def _runtime_errors() -> tuple[type[BaseException], ...]:
    """What ONNX Runtime raises; its exceptions share no base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - as above

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented", "RuntimeException", "EPFail")
    return (RuntimeError, ValueError, *(getattr(state, name) for name in names))


def _open(path: Path, *, providers: list[Any], threads: int) -> Any:
    import onnxruntime  # noqa: PLC0415 - loaded with the first session: --help and errors do not wait for it

    # A CUDA provider that cannot be loaded is logged as an error and then replaced; Session.open raises its own error for it.
    quiet = _ONNX_RUNTIME_ERRORS_ONLY + (providers[0] != "CPUExecutionProvider")
    onnxruntime.set_default_logger_severity(quiet)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # every segment has another length, so a pattern never fits twice
    options.log_severity_level = _ONNX_RUNTIME_ERRORS_ONLY
    # A thread that waits spins for 0.1 ms, which bridges the gaps between operators (186 → 174 ms for 10 s in INT8), then sleeps:
    # ONNX Runtime's default keeps spinning and occupies a core while there is no speech.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    keep_int8_exact(options)
    slow = SLOW_FUSIONS if providers == ["CPUExecutionProvider"] else ()
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers, disabled_optimizers=list(slow))
    except _runtime_errors() as error:
        reason = " ".join(str(error).split())[:300]
        raise GraphContractError(path=path, reason=f"ONNX Runtime cannot open it ({reason})") from error

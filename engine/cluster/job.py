"""What every worker of a job must agree on: the bundle, down to its bytes, and the options. Its fingerprint names the results."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.bundle import Bundle, resolve_bundle
from engine.bundle_roots import bundle_roots
from engine.errors import WorkerBundleError
from engine.options import TranscribeOptions
from engine.runtime.session_pool import Precision

FINGERPRINT_DIGITS = 16


@dataclass(frozen=True)
class BundleIdentity:
    """One exact bundle: ``sha256`` is that of its bundle.json, which states the sums of all its files."""

    name: str
    version: str
    sha256: str

    @classmethod
    def of(cls, bundle: Bundle) -> BundleIdentity:
        """The identity of a bundle of this machine."""
        return cls(bundle.name, bundle.version, bundle.manifest_sha256)

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.sha256[:12]})"


@dataclass(frozen=True, kw_only=True)
class Job:
    """The bundle and the options of one job; plain values, for it travels to every worker.

    ``bundle`` is a name or a folder and is looked for on each worker's own machine; ``identity`` is what must be found there.
    """

    bundle: str
    identity: BundleIdentity
    device: str = "cpu"
    threads: int = 1
    options: TranscribeOptions = field(default_factory=lambda: TranscribeOptions(precision=Precision.FP32.value))
    #: Seconds of speech that one worker recognizes at a time.
    piece_s: float = 300.0

    @property
    def precision(self) -> str:
        """The variant of the bundle that every worker opens."""
        return self.options.precision

    @property
    def fingerprint(self) -> str:
        """What decides the text, in 16 hexadecimal digits: not where it runs, and not how it is cut."""
        defaults = TranscribeOptions().to_dict()
        # Only options that are not the default: one that a later version adds leaves the results of earlier jobs valid.
        chosen = {name: value for name, value in self.options.to_dict().items() if value != defaults[name]}
        decides = {"identity": asdict(self.identity), "options": chosen}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:FINGERPRINT_DIGITS]

    def open_bundle(self) -> Bundle:
        """The job's bundle on this machine, verified; BundleError where it is not whole, WorkerBundleError for another one of that name."""
        bundle = installed(self.bundle)
        found = BundleIdentity.of(bundle)
        if found != self.identity:
            raise WorkerBundleError(expected=str(self.identity), got=str(found))
        return bundle

    def to_dict(self) -> dict[str, Any]:
        """As the report writes it."""
        return {**asdict(self), "options": self.options.to_dict(), "fingerprint": self.fingerprint}


def installed(bundle: str) -> Bundle:
    """A bundle of this machine by name or folder, verified."""
    return Bundle.load(resolve_bundle(bundle, bundle_roots()))

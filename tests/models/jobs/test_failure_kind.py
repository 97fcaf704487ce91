"""Why a command failed, as the page is told."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.errors import LightVoiceError
from models.bundle.disk import DiskFullError
from models.fetch.hubs import HubError
from models.fetch.wanted import ChecksumError, FetchError
from models.jobs.failure_kind import FailureKind, kind_of


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FetchError("x"), FailureKind.UNREACHABLE),
        (FetchError("x", kind=FailureKind.OFFLINE), FailureKind.OFFLINE),
        (HubError(source="modelscope", host="h", reason="r"), FailureKind.UNREACHABLE),
        (ChecksumError("x"), FailureKind.OTHER_FILE),
        (DiskFullError(folder=Path("x"), needed_bytes=2, free_bytes=1), FailureKind.DISK),
        (OSError(errno.ENOSPC, "full"), FailureKind.DISK),
        (caused(LightVoiceError("could not be written"), OSError(errno.ENOSPC, "full")), FailureKind.DISK),
        (OSError(errno.EACCES, "no"), FailureKind.OTHER),
        (ModuleNotFoundError("onnx"), FailureKind.PACKAGES),
        (LightVoiceError("x"), FailureKind.OTHER),
    ],
)
def test_every_error_has_a_kind(error: Exception, kind: FailureKind) -> None:
    assert kind_of(error) is kind

"""Why a command failed, as far as a person can do something about it: one word for the page, which says it in its own language."""

from __future__ import annotations

import errno
from enum import StrEnum


class FailureKind(StrEnum):
    """What went wrong, by what helps."""

    #: No source gave the model.
    UNREACHABLE = "unreachable"
    #: The network is forbidden by the environment.
    OFFLINE = "offline"
    #: A file came that is not the published one.
    OTHER_FILE = "other_file"
    #: The disk has too little room.
    DISK = "disk"
    #: A package is not installed.
    PACKAGES = "packages"
    OTHER = "other"


def kind_of(error: BaseException) -> FailureKind:
    """The kind of an error: its own attribute ``kind``, or what it was made of says so."""
    cause: BaseException | None = error
    while cause is not None:
        kind = getattr(cause, "kind", None)
        if isinstance(kind, FailureKind):
            return kind
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return FailureKind.DISK
        if isinstance(cause, ModuleNotFoundError):
            return FailureKind.PACKAGES
        cause = cause.__cause__
    return FailureKind.OTHER

"""What can be wrong with the history; no transcript at hand is lost by any of it."""

from __future__ import annotations

from pathlib import Path

from engine.errors import LightVoiceError


class HistoryError(LightVoiceError):
    """The history cannot be read or written."""


class HistoryLockedError(HistoryError):
    """Another program holds the database."""

    def __init__(self) -> None:
        super().__init__("another program holds the history's database; it is tried again by itself")


class HistoryFullError(HistoryError):
    """No room for one more transcript."""

    def __init__(self) -> None:
        super().__init__(
            "there is no room left for the history; delete what is no longer needed in the History tab, or free some disk space"
        )


class HistoryDamagedError(HistoryError):
    """The database was damaged; it lies under another name now, and the next transcript begins a new one."""

    def __init__(self, *, aside: str) -> None:
        super().__init__(f"the history was damaged and has been set aside as {aside} on the server; a new one begins")


class HistoryNewerError(HistoryError):
    """The database was written by a later version of LightVoice, and is left as it is."""

    def __init__(self, *, version: int, known: int) -> None:
        super().__init__(
            f"the history was written by a later LightVoice (format {version}, this one knows up to {known}); "
            "update, or name another folder with --history-folder"
        )


class HistoryUnavailableError(HistoryError):
    """The database cannot be opened or used at all."""

    def __init__(self, *, path: Path, reason: str) -> None:
        super().__init__(f"its folder {path.name} does not serve ({reason}); who runs this server names another one with --history-folder")


class HistoryContentError(HistoryError):
    """A transcript that was kept in a form that this version does not read."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"the transcript of {name} was kept by another version of LightVoice and cannot be opened; its words can be searched"
        )


class HistoryGoneError(HistoryError):
    """A transcript that was deleted or forgotten, or was never this person's."""

    def __init__(self) -> None:
        super().__init__("this transcript is no longer in the history; it was deleted, or forgotten after its time")

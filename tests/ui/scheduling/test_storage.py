"""Room for recordings: bounded, refused in words when it is used up, and given back on a schedule."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from engine.errors import StorageFullError
from ui.api.errors import error_answer
from ui.limits import Limits
from ui.scheduling.storage import DELETE_AFTER_S, Storage
from ui.text.failures import failure_of

MB = 1_000_000


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path, most_mb=1)


def test_a_file_under_two_names_takes_its_room_once(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "talk.wav").write_bytes(bytes(1000))
    os.link(tmp_path / "a" / "talk.wav", tmp_path / "linked.wav")
    (tmp_path / "other.wav").write_bytes(bytes(500))
    assert storage.used_bytes() == 1500


def test_what_lies_there_and_what_comes_in_share_the_bound(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(bytes(MB // 2))
    with storage.room_for(MB // 4):
        with pytest.raises(StorageFullError, match="1 MB are set aside"), storage.room_for(MB // 2):
            pass
        with storage.room_for(MB // 4):
            pass
    with storage.room_for(MB // 2):
        pass


def test_the_machine_keeps_its_last_megabytes(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * MB, 84 * MB, 16 * MB))
    with pytest.raises(StorageFullError, match="disk is full"), storage.room_for(1):
        pass


def test_files_of_an_hour_ago_go_and_recordings_of_open_pages_stay(storage: Storage, tmp_path: Path) -> None:
    old = time.time() - DELETE_AFTER_S - 1
    for name, modified in (("uploads/x/old.wav", old), ("uploads/y/new.wav", None), ("recordings/q/old.wav", old), ("cut.part", old)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if modified is not None:
            os.utime(path, (modified, modified))
    assert storage.sweep(keep=[tmp_path / "recordings"]) == 2
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["recordings", "recordings/q", "recordings/q/old.wav", "uploads", "uploads/y", "uploads/y/new.wav"]


def test_a_full_disk_is_one_error_wherever_it_happens() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert failure_of(error).kind is StorageFullError
    answer = error_answer(error)
    assert answer.status_code == 507 and b"StorageFullError" in answer.body and b"try again later" in answer.body


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/v1/audio/transcriptions"])
def test_the_page_refuses_uploads_without_room_and_goes_on(run_page, two_words: Path, path: str) -> None:
    with run_page(limits=Limits(stored_mb=0)) as page, two_words.open("rb") as file:
        field = "files" if "gradio" in path else "file"
        answer = httpx.post(f"{page.address}{path}", files={field: file})
        assert answer.status_code == 507 and "the server has no room for this recording" in answer.text
        assert httpx.get(f"{page.address}/healthz").status_code == 200
        assert [entry for entry in page.files.rglob("*") if entry.is_file()] == []

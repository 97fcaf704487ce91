"""A file's content is known under any name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.files.content import sha256_of


@pytest.mark.parametrize("content", [b"", b"sound" * 500_000])
def test_the_sha256_is_that_of_all_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()

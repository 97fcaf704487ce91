"""Transcripts in SQLite: whose they are, how they are found, and what happens to a database that is held, full, damaged, old or new."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ui.history.errors import (
    HistoryDamagedError,
    HistoryFullError,
    HistoryLockedError,
    HistoryNewerError,
    HistoryUnavailableError,
)
from ui.history.kept_transcript import Keep, KeptTranscript
from ui.history.schema import MIGRATIONS, VERSION
from ui.history.search import excerpt
from ui.history.store import PAGE_ROWS, HistoryStore

ANN, BEN = "person:ann", "browser:b"


def kept(number: int, text: str, *, name: str = "talk.wav", made_s: float = 100.0, content: bytes = b"{}") -> KeptTranscript:
    return KeptTranscript(id=f"{number:032x}", kind="file", name=name, made_s=made_s, duration_s=3.5, text=text, content=content)


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now_s=1_000.0)


@pytest.fixture
def store(tmp_path: Path, clock: SimpleNamespace) -> Iterator[HistoryStore]:
    store = HistoryStore(tmp_path / "history", most_mb=100, clock_s=lambda: clock.now_s)
    yield store
    store.close()


def texts(store: HistoryStore, owner: str, query: str = "") -> list[str]:
    return [row.text for row in store.page(owner, query=query)]


def test_a_transcript_is_found_again_by_its_owner_alone(store: HistoryStore) -> None:
    store.add(ANN, kept(1, "three one four", content=b"all of it"))
    assert store.find(ANN, f"{1:032x}") == KeptTranscript(
        id=f"{1:032x}", kind="file", name="talk.wav", made_s=100.0, duration_s=3.5, text="three one four", content=b"all of it", number=1
    )
    assert store.find(BEN, f"{1:032x}") is None
    assert texts(store, BEN) == []
    assert not store.update(BEN, f"{1:032x}", text="mine", content=b"")
    assert (store.count(ANN), store.count(BEN)) == (1, 0)


def test_a_name_with_a_line_break_does_not_run_into_the_text(store: HistoryStore) -> None:
    store.add(ANN, kept(1, "one\ntwo", name="a\nb.wav"))
    assert texts(store, ANN) == ["one two"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("重庆火锅", {"zh"}),
        ("火锅", {"zh"}),  # two letters: no index has them
        ("锅", {"zh"}),
        ("HELLO", {"en"}),
        ("world hello", {"en"}),
        ("hello 火锅", set()),
        ("llo wor", {"en"}),
        ("interview", {"en"}),  # the name
        ("café", {"fr"}),
        ("cafe\u0301", {"fr"}),
        ('"', {"odd"}),
        ("100%", {"odd"}),
        ("_", {"odd"}),
        ("\\", {"odd"}),
        ("NEAR(", set()),
        ("AND", set()),
        ("he*", set()),
        ("\x00", {"zh", "en", "fr", "odd"}),
        ("", {"zh", "en", "fr", "odd"}),
    ],
)
def test_words_are_found_in_any_language_and_nothing_in_them_is_a_command(store: HistoryStore, query: str, found: set[str]) -> None:
    store.add(ANN, kept(1, "我们去吃重庆火锅吧", name="zh"))
    store.add(ANN, kept(2, "Hello, world. Hello wordy", name="en interview"))
    store.add(ANN, kept(3, "un cafe\u0301", name="fr"))
    store.add(ANN, kept(4, 'a "b" 100% a_c back\\slash', name="odd"))
    store.add(BEN, kept(5, "hello 火锅 café", name="another's"))
    assert {row.name.split()[0] for row in store.page(ANN, query=query)} == found


def test_what_was_found_is_marked_in_its_surroundings() -> None:
    parts = excerpt("x" * 500 + " the Word here " + "y" * 500, "word")
    assert ("Word", True) in parts
    assert parts[0][0].startswith("…") and parts[-1][0].endswith("…")
    assert excerpt("short", "") == [("short", False)]
    assert excerpt("", "word") == []
    assert excerpt("ab aab", "a aa") == [("a", True), ("b ", False), ("aa", True), ("b", False)]


def test_an_edit_is_searched_and_the_old_words_are_not(store: HistoryStore) -> None:
    store.add(ANN, kept(1, "three one four"))
    assert store.update(ANN, f"{1:032x}", text="my own words", content=b"new")
    assert texts(store, ANN, "three") == []
    assert texts(store, ANN, "own words") == ["my own words"]


def test_a_second_transcript_of_the_same_id_changes_nothing(store: HistoryStore) -> None:
    store.add(ANN, kept(1, "first"))
    store.add(BEN, kept(1, "second"))
    assert (texts(store, ANN), texts(store, BEN)) == (["first"], [])


def test_pages_follow_each_other_latest_first(store: HistoryStore) -> None:
    for number in range(PAGE_ROWS + 5):
        store.add(ANN, kept(number, f"text {number}"))
    first = store.page(ANN)
    second = store.page(ANN, before=first[-1].number)
    assert [row.text for row in (*first, *second)] == [f"text {number}" for number in reversed(range(PAGE_ROWS + 5))]


def test_what_is_kept_is_each_owners_choice_and_the_text_unless_they_chose(store: HistoryStore) -> None:
    store.choose(ANN, Keep.SOUND)
    assert (store.choice(ANN), store.choice(BEN)) == (Keep.SOUND, Keep.TEXT)


def test_what_is_deleted_no_longer_stands_in_the_file(store: HistoryStore) -> None:
    for number in range(40):
        store.add(ANN, kept(number, f"secretword{number} " * 20, content=b"secretcontent" * 50))
    assert store.delete(store.ids(ANN)) == 40
    store.clear_traces()
    store.close()
    left = b"".join(path.read_bytes() for path in store.file.parent.iterdir())

    assert b"secretw" not in left and b"secretc" not in left


def test_nobody_else_on_the_machine_may_read_it(store: HistoryStore) -> None:
    store.add(ANN, kept(1, "three"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.file.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.file.parent.stat().st_mode) == 0o700


def test_an_older_database_is_brought_up_to_date_and_searched(store: HistoryStore) -> None:
    store.file.parent.mkdir()
    with sqlite3.connect(store.file) as old:
        for statement in MIGRATIONS[0]:
            old.execute(statement)
        old.execute(
            "INSERT INTO transcripts VALUES (7, ?, ?, 'file', 'old.wav', 1, 2, ?, ?, 0)",
            ["a" * 32, ANN, "old.wav\n很久以前的话", b"{}"],
        )
        old.execute("PRAGMA user_version = 1")
    old.close()
    assert texts(store, ANN, "很久以前") == ["很久以前的话"]
    store.add(ANN, kept(2, "new"))
    assert texts(store, ANN) == ["new", "很久以前的话"]


def test_a_later_versions_database_is_left_as_it_is(store: HistoryStore) -> None:
    store.file.parent.mkdir()
    with sqlite3.connect(store.file) as later:
        later.execute("CREATE TABLE transcripts (something_else TEXT)")
        later.execute(f"PRAGMA user_version = {VERSION + 1}")
    later.close()
    with pytest.raises(HistoryNewerError, match=f"format {VERSION + 1}.*up to {VERSION}"):
        store.add(ANN, kept(1, "three"))
    assert store.set_aside() == []


@pytest.mark.parametrize("ruin", ["garbage", "middle"])
def test_a_damaged_database_is_set_aside_and_a_new_one_begins(store: HistoryStore, ruin: str) -> None:
    for number in range(200):
        store.add(ANN, kept(number, f"words {number} " * 30))
    store.close()
    content = bytearray(store.file.read_bytes())
    if ruin == "garbage":
        content[:4096] = b"no database " * 341 + b"...."
    else:
        content[4096 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4096)
    store.file.write_bytes(content)
    with pytest.raises(HistoryDamagedError) as caught:
        store.add(ANN, kept(1000, "after"))
    (aside,) = store.set_aside()
    assert aside.name in str(caught.value)
    assert aside.read_bytes() == content
    store.add(ANN, kept(1000, "after"))
    assert texts(store, ANN) == ["after"]
    store.forget_set_aside(older_than_s=aside.stat().st_mtime + 1)
    assert store.set_aside() == []


def test_a_database_that_another_program_holds_is_said_and_goes_on_later(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path / "history", most_mb=100, busy_s=0.0)
    store.add(ANN, kept(1, "before"))
    store.close()
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    for call in (lambda: store.add(ANN, kept(2, "meanwhile")), lambda: store.page(ANN), lambda: store.delete([f"{1:032x}"])):
        with pytest.raises(HistoryLockedError):
            call()
    other.execute("ROLLBACK")
    other.close()
    store.add(ANN, kept(2, "after"))
    assert texts(store, ANN) == ["after", "before"]
    store.close()


def test_a_full_database_is_said_keeps_what_it_has_and_takes_more_after_a_deletion(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path / "history", most_mb=1, clock_s=lambda: 0.0)  # PRAGMA max_page_count
    before = 0
    while before < 100:
        try:
            store.add(ANN, kept(before, "x", content=b"\x01" * 50_000))
        except HistoryFullError:
            break
        before += 1
    assert before < 100
    before = store.ids(ANN)
    assert before
    assert len(store.page(ANN)) == len(before)
    store.delete(before[:5])
    store.add(ANN, kept(200, "y", content=b"\x01" * 50_000))
    assert texts(store, ANN)[0] == "y"
    store.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HistoryUnavailableError, match="--history-folder"):
        HistoryStore(tmp_path / "file" / "history", most_mb=1).count(ANN)


def test_a_hundred_pages_write_and_read_at_once(store: HistoryStore) -> None:
    failed: list[Exception] = []

    def page(number: int) -> None:
        try:
            store.add(f"browser:{number % 10}", kept(number, f"words of {number}"))
            store.page(f"browser:{number % 10}", query="words")
        except Exception as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=page, args=(number,)) for number in range(100)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert [store.count(f"browser:{number}") for number in range(10)] == [10] * 10

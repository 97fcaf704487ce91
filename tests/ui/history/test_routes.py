"""What the page's script is answered: each browser and each person its own history, put back into the page's queue when it is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.options import TranscribeOptions
from tests.ui.conftest import RunningPage
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.ui.history.kept import held, result
from tests.ui.html_reader import Reader
from tests.ui.queue_client import OTHERS, OURS, wait
from tests.ui.sent_transcript import sent_segments, sent_state
from tests.waiting import until
from ui.history.history import History
from ui.history.options import HistoryOptions
from ui.history.owners import COOKIE
from ui.history.routes import history_routes
from ui.http.access.credentials import Credentials
from ui.http.callers import CALLER
from ui.limits import Limits
from ui.scheduling.queue_runner import KEPT_UNSEEN_S, QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.transcribe.queue_routes import queue_routes

NASTY = "<img src=x onerror=alert(1)>.wav"


class Site:
    """A page's server with a history; its clock is the runner's."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 0.0
        self.history = History(HistoryOptions(folder=folder / "history"))
        self.history.store._busy_s = 0.0
        self.runner = QueueRunner(
            FakeEngine(),
            InProcessDecoder(),
            slots=RunSlots(1),
            folder=folder / "queues",
            limits=Limits(),
            history=self.history,
            clock_s=lambda: self.now_s,
        )
        self.app = FastAPI()
        self.app.include_router(queue_routes(self.runner))
        self.app.include_router(history_routes(self.history, self.runner))

    def browser(self, *, language: str = "en", person: str | None = None, scheme: str = "http") -> TestClient:
        """A browser with cookies of its own."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope, CALLER: person} if person else scope, receive, send)

        return TestClient(app, base_url=f"{scheme}://page", headers={"accept-language": language})

    def transcribed(self, browser: TestClient, path: Path, name: str, *, queue_id: str = OURS) -> str:
        """Transcribe a recording on a browser's page, until its transcript is in the history."""
        queue = self.runner.open(queue_id)
        browser.get(f"/recordings/{queue_id}")
        entry = queue.add(path, name)
        self.runner.submit(queue, TranscribeOptions())
        wait(queue)
        assert self.history.settle([entry.id], within_s=60) is None
        return entry.id


def write(browser: TestClient, queue_id: str, entry: str, index: int, text: str) -> None:
    """Write other words over a segment, as the page does."""
    address = f"/recordings/{queue_id}/{entry}"
    state = sent_state(browser.get(f"{address}/result").text)
    recognized = sent_segments(browser.get(f"{address}/segments").json())
    segments: list[Any] = list((state["edits"] or {"segments": range(len(recognized))})["segments"])
    own = recognized[index]
    segments[index] = {
        "start_ms": own["start"],
        "end_ms": own["end"],
        **{name: own[name] for name in ("language", "emotion", "event")},
        "text": text,
        "pieces": [[index, 0, own["count"]]],
    }
    sent = {"segments": segments, "speakers": []}
    answer = browser.post(f"{address}/edits", params={"seen": state["version"]}, json=sent)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.history.close()


def edit(browser: TestClient, queue_id: str, entry: str, index: int, text: str) -> None:
    """Write over a segment, as the page's script does."""
    assert browser.post(f"/recordings/{queue_id}/{entry}/segments/{index}", json={"text": text}).status_code == 200


def names(browser: TestClient, query: str = "") -> list[str]:
    """The names that a browser's history lists."""
    rows = browser.get("/history", params={"q": query}).json()["rows"]
    return [line.split("<")[0] for line in rows.split('class="lv-kept-name"')[1:] for line in [line.split(">", 1)[1]]]


def test_a_transcript_is_listed_for_its_browser_and_no_other(site: Site, two_words: Path) -> None:
    ours, others = site.browser(), site.browser()
    entry = site.transcribed(ours, two_words, "a.wav")
    site.transcribed(others, two_words, "b.wav", queue_id=OTHERS)
    assert (names(ours), names(others)) == (["a.wav"], ["b.wav"])
    assert names(ours, "three one") == ["a.wav"]
    assert names(ours, "nobody said this") == []
    for path in (f"/history/{entry}.txt", f"/history/{entry}.json"):
        assert (ours.get(path).status_code, others.get(path).status_code) == (200, 404)
    for action in ("open", "delete"):
        answer = others.post(f"/history/{entry}/{action}", json={"queue": OTHERS})
        assert answer.status_code == 404 or answer.json() == {"deleted": 0}
    assert names(ours) == ["a.wav"]


def test_the_key_is_in_a_cookie_that_scripts_and_other_sites_do_not_get(site: Site) -> None:
    for scheme in ("http", "https"):
        said = site.browser(scheme=scheme).get("/history").headers["set-cookie"].lower()
        for word in (f"{COOKIE}=", "httponly", "samesite=strict", "path=/", "max-age=34560000"):
            assert word in said
        assert ("secure" in said) is (scheme == "https")
    browser = site.browser()
    browser.get("/history")
    key = browser.cookies[COOKIE]
    browser.get("/history")
    assert browser.cookies[COOKIE] == key
    assert len(key) == 64


def test_a_made_up_key_is_replaced(site: Site, two_words: Path) -> None:
    browser = site.browser()
    browser.cookies.set(COOKIE, "x' OR 1=1 --")
    site.transcribed(site.browser(), two_words, "a.wav")
    answer = browser.get("/history")
    assert answer.json()["count"] == 0
    assert f"{COOKIE}=x'" not in answer.headers["set-cookie"]


def test_the_database_does_not_hold_the_key(site: Site, two_words: Path) -> None:
    browser = site.browser()
    site.transcribed(browser, two_words, "a.wav")
    key = browser.cookies[COOKIE]
    site.history.store.close()
    assert key.encode() not in site.history.store.file.read_bytes()


def test_a_person_has_one_history_in_every_browser(site: Site, two_words: Path) -> None:
    desk, phone, ben = site.browser(person="person:ann"), site.browser(person="person:ann"), site.browser(person="person:ben")
    site.transcribed(desk, two_words, "a.wav")
    assert (names(phone), names(ben)) == (["a.wav"], [])
    assert COOKIE not in desk.cookies
    assert "for ann" in phone.get("/history").json()["who"]


def test_it_outlives_the_page_and_is_opened_in_another_one(site: Site, two_words: Path) -> None:
    browser = site.browser()
    browser.post("/history/keep", json={"keep": "sound"})
    entry = site.transcribed(browser, two_words, "a.wav")
    site.now_s += KEPT_UNSEEN_S + 1
    site.runner.forget_unseen()
    assert browser.get(f"/recordings/{OURS}/{entry}/result").status_code == 404
    assert browser.post(f"/history/{entry}/open", json={"queue": OTHERS}).json() == {"opened": entry}
    state = browser.get(f"/recordings/{OTHERS}").json()
    assert [row["id"] for row in state["rows"]] == [entry]
    assert state["shown"]["id"] == entry
    shown = browser.get(f"/recordings/{OTHERS}/{entry}/result").text
    assert browser.get(f"/recordings/{OTHERS}/{entry}/segments").json()["text"][0] == "three one four"
    assert 'id="lv-player"' in shown
    assert browser.get(f"/recordings/{OTHERS}/{entry}/audio").content.startswith(b"fLaC")
    browser.post(f"/history/{entry}/open", json={"queue": OTHERS})  # again: it is there already
    assert len(browser.get(f"/recordings/{OTHERS}").json()["rows"]) == 1


def test_an_edit_reaches_the_history_of_a_transcript_that_was_opened_again(site: Site, two_words: Path) -> None:
    browser = site.browser()
    entry = site.transcribed(browser, two_words, "a.wav")
    write(browser, OURS, entry, 0, "my own words")
    browser.get(f"/recordings/{OURS}")
    assert site.history.settle([entry], within_s=60) is None
    assert names(browser, "own words") == ["a.wav"]
    browser.post(f"/history/{entry}/open", json={"queue": OTHERS})
    write(browser, OTHERS, entry, 1, "and mine")
    browser.post(f"/recordings/{OTHERS}/leave")
    assert site.history.settle([entry], within_s=60) is None
    assert names(browser, "own mine") == ["a.wav"]
    assert "my own words" in browser.get(f"/history/{entry}.srt").text


def test_a_recording_that_is_deleted_while_it_plays_goes_on_playing(site: Site, two_words: Path) -> None:
    browser = site.browser()
    browser.post("/history/keep", json={"keep": "sound"})
    entry = site.transcribed(browser, two_words, "a.wav")
    browser.post(f"/history/{entry}/open", json={"queue": OTHERS})
    assert browser.post(f"/history/{entry}/delete").json() == {"deleted": 1}
    assert not site.history.sounds.path(entry).exists()
    assert browser.get(f"/recordings/{OTHERS}/{entry}/audio").content.startswith(b"fLaC")
    assert names(browser) == []
    gone = browser.post(f"/history/{entry}/open", json={"queue": OTHERS})
    assert gone.status_code == 404
    assert "no longer in the history" in Reader(gone.json()["failure"]).text


def test_all_are_deleted_at_once(site: Site, two_words: Path) -> None:
    browser, other = site.browser(), site.browser()
    for name in ("a.wav", "b.wav"):
        site.transcribed(browser, two_words, name)
    site.transcribed(other, two_words, "c.wav", queue_id=OTHERS)
    assert browser.post("/history/delete-all").json() == {"deleted": 2}
    assert (names(browser), names(other)) == ([], ["c.wav"])


def test_names_and_words_never_become_markup(site: Site, two_words: Path) -> None:
    browser = site.browser()
    entry = site.transcribed(browser, two_words, NASTY)
    write(browser, OURS, entry, 0, NASTY)
    browser.get(f"/recordings/{OURS}")
    site.history.settle([entry], within_s=60)
    for query in ("", "onerror", "<img"):
        reader = Reader(browser.get("/history", params={"q": query}).json()["rows"])
        assert "img" not in reader.tags
        assert "onerror" in reader.text
    person = site.browser(person=f"person:{NASTY}")
    assert "<img" not in person.get("/history").json()["who"]


def test_a_history_that_cannot_be_written_is_said_beside_the_transcript(site: Site, two_words: Path) -> None:
    browser = site.browser()
    queue = site.runner.open(OURS)
    browser.get(f"/recordings/{OURS}")
    other = held(site.history)
    entry = queue.add(two_words, "a.wav")
    site.runner.submit(queue, TranscribeOptions())
    wait(queue)
    assert site.history.settle([entry.id], within_s=60) is not None
    state = browser.get(f"/recordings/{OURS}").json()
    assert "not in the history" in Reader(state["head"]).text
    assert "another program" in Reader(state["head"]).text
    chinese = Reader(site.browser(language="zh-CN").get(f"/recordings/{OURS}").json()["head"]).text
    assert "尚未存入历史" in chinese
    assert "three one four" in browser.get(f"/recordings/{OURS}/{entry.id}/segments").text  # the transcript at hand is all there
    assert browser.get(f"/recordings/{OURS}/{entry.id}.txt").text.startswith("three one four")
    answer = browser.get("/history")
    assert answer.status_code == 503
    assert "another program" in Reader(answer.json()["failure"]).text
    other.close()


def test_a_history_that_was_set_aside_is_said_on_its_tab(site: Site, two_words: Path) -> None:
    browser = site.browser()
    site.transcribed(browser, two_words, "a.wav")
    site.history.store.close()
    site.history.store.file.write_bytes(b"no database " * 1000)
    first = browser.get("/history")
    assert first.status_code == 503
    assert "set aside" in Reader(first.json()["failure"]).text
    second = browser.get("/history").json()
    assert site.history.store.set_aside()[0].name in Reader(second["note"]).text
    assert second["count"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/history/{'a' * 32}/open", {"queue": OURS}, 404),
        (f"/history/{'a' * 32}/open", {"queue": 7}, 422),
        (f"/history/{'a' * 32}/delete", {}, 200),
        ("/history/..%2f..%2fetc/open", {"queue": OURS}, 404),
        ("/history/keep", {"keep": "everything"}, 422),
        ("/history/keep", None, 422),
    ],
)
def test_what_is_asked_wrongly_is_refused(site: Site, path: str, body: Any, status: int) -> None:
    assert site.browser().post(path, json=body).status_code == status


def test_a_transcript_is_opened_in_no_made_up_queue(site: Site, two_words: Path) -> None:
    browser = site.browser()
    entry = site.transcribed(browser, two_words, "a.wav")
    assert browser.post(f"/history/{entry}/open", json={"queue": "../../etc"}).status_code == 404


def test_queries_of_any_length_and_kind_are_answered(site: Site, two_words: Path) -> None:
    browser = site.browser()
    site.transcribed(browser, two_words, "a.wav")
    for query in ('"', "a" * 200, "% _", "\\", "\U0001f600", "( ) * ^ - + : NEAR"):
        assert browser.get("/history", params={"q": query}).status_code == 200
    assert browser.get("/history", params={"q": "a" * 201}).status_code == 422


def test_the_served_page_has_the_tab_and_forgets_without_being_asked(run_page: Callable[..., Any], tmp_path: Path, two_words: Path) -> None:
    options = HistoryOptions(folder=tmp_path / "history")
    old = History(options, clock_s=lambda: 0.0)
    old.keep("person:ann", "a" * 32, kind="file", name="old.wav", result=result(), is_new=True)
    old.close()
    page: RunningPage
    with run_page(history=options) as page:
        assert '"History"' in json.dumps(httpx.get(f"{page.address}/config").json())
        store = History(options).store
        until(lambda: store.count("person:ann") == 0)
        store.close()
        assert httpx.get(f"{page.address}/history").json()["count"] == 0


def test_a_page_without_a_history_has_neither_tab_nor_route(page: RunningPage) -> None:
    assert httpx.get(f"{page.address}/history").status_code == 404
    assert "lv-history-slot" not in httpx.get(f"{page.address}/config").text


def test_a_password_keeps_histories_apart_on_the_served_page(run_page: Callable[..., Any], tmp_path: Path) -> None:
    options = HistoryOptions(folder=tmp_path / "history")
    kept = History(options)
    kept.keep("person:ann", "a" * 32, kind="file", name="anns.wav", result=result(), is_new=True)
    kept.close()
    page: RunningPage
    with run_page(history=options, credentials=Credentials(persons=["ann:one", "ben:two"])) as page:
        for name, password, count in (("ann", "one", 1), ("ben", "two", 0)):
            assert httpx.get(f"{page.address}/history", auth=(name, password)).json()["count"] == count
        assert httpx.get(f"{page.address}/history").status_code == 401

"""Which hub is asked first: the one that answers, within a bound, and never one whose library is not installed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

pytest.importorskip("huggingface_hub")
pytest.importorskip("modelscope")

from models.fetch.catalog import Source
from models.fetch.nearest import nearest_first
from tests.models.fetch.hub_double import HubDouble, serve_hub
from tests.waiting import until

REPOS = {Source.MODELSCOPE: "iic/Small", Source.HUGGINGFACE: "owner/small"}
BOTH = [Source.MODELSCOPE, Source.HUGGINGFACE]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def hub(own_caches: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serve_hub({repo: {"tokens.txt": b"a"} for repo in REPOS.values()}) as double:
        yield double


def at(monkeypatch: pytest.MonkeyPatch, *, modelscope: str, huggingface: str) -> None:
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", modelscope)
    monkeypatch.setenv("HF_ENDPOINT", huggingface)


def test_the_one_that_answers_is_first(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, modelscope=NOBODY, huggingface=hub.url)
    assert nearest_first(REPOS) == [Source.HUGGINGFACE, Source.MODELSCOPE]
    at(monkeypatch, modelscope=hub.url, huggingface=NOBODY)
    assert nearest_first(REPOS) == BOTH


def test_one_that_never_answers_does_not_hold_the_other_up(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        at(monkeypatch, modelscope=f"http://127.0.0.1:{silent.getsockname()[1]}", huggingface=hub.url)
        assert nearest_first(REPOS, within_s=30) == [Source.HUGGINGFACE, Source.MODELSCOPE]
        at(monkeypatch, modelscope=f"http://127.0.0.1:{silent.getsockname()[1]}", huggingface=NOBODY)
        assert nearest_first(REPOS, within_s=0.2) == BOTH


def test_a_refusal_a_missing_repository_and_a_login_page_are_no_answers(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_hub({}) as other:
        at(monkeypatch, modelscope=other.url, huggingface=hub.url)
        assert nearest_first(REPOS)[0] is Source.HUGGINGFACE  # no such repository there
        other.status = 403
        assert nearest_first(REPOS)[0] is Source.HUGGINGFACE
        other.status, other.page = None, b"<html>please log in</html>"
        assert nearest_first(REPOS)[0] is Source.HUGGINGFACE
        until(lambda: len(other.requests) == 3)  # the other hub may have answered before this one was asked


def test_nobody_answers_and_the_order_stays(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, modelscope=NOBODY, huggingface=NOBODY)
    assert nearest_first(REPOS) == BOTH
    at(monkeypatch, modelscope="no address", huggingface="ftp://127.0.0.1:9")
    assert nearest_first(REPOS) == BOTH


def test_one_source_alone_is_not_tried(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, modelscope=hub.url, huggingface=hub.url)
    assert nearest_first({Source.HUGGINGFACE: "owner/small"}) == [Source.HUGGINGFACE]
    assert hub.requests == []


def test_a_source_whose_library_is_not_installed_is_last_and_not_tried(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, modelscope=hub.url, huggingface=hub.url)
    monkeypatch.setattr("models.fetch.nearest.importlib.util.find_spec", lambda name: None if name == "huggingface_hub" else object())
    assert nearest_first({source: REPOS[source] for source in reversed(BOTH)}) == BOTH
    assert hub.requests == []

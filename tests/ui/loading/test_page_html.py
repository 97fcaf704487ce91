"""The page's HTML: something to see before its scripts run, its files in two requests, its language chosen by a cookie."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.ui.fake_engine import FakeEngine
from ui.serve import build_app


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = build_app(FakeEngine(), files=tmp_path_factory.mktemp("files"))
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        yield client


def test_the_name_stands_in_the_html_before_any_script_has_run(client: TestClient) -> None:
    html = client.get("/").text
    body = html[html.index("<body") :]
    assert re.search(r'^<body[^>]*><div id="lv-loading"><h1>LightVoice</h1>', body)
    assert 'type="file"' in body[: body.index("</div>")]


def test_nothing_in_the_html_holds_the_first_paint_back_or_names_another_machine(client: TestClient) -> None:
    html = client.get("/").text
    head = html[: html.index("<body")]
    assert not re.search(r'<link rel="stylesheet"(?![^>]* disabled)', head)
    assert not re.search(r"<script[^>]* src=", head)
    assert not re.search(r'(?:src|href|content)="https?://', html)


def test_the_joined_files_are_served_for_ever_and_others_are_not_there(client: TestClient) -> None:
    html = client.get("/").text
    for ending, kind in (("json", "application/json"), ("css", "text/css")):
        name = re.search(rf"lightvoice-[0-9a-f]+\.{ending}", html)
        assert name is not None
        answer = client.get(f"/assets/{name[0]}")
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    assert client.get("/assets/lightvoice-0000.json").status_code == 404


def test_the_language_that_was_chosen_counts_for_more_than_the_browsers(client: TestClient) -> None:
    chinese = {"accept-language": "zh-CN"}
    assert 'lang="zh-CN"' in client.get("/", headers=chinese).text
    assert 'lang="en"' in client.get("/", headers={**chinese, "cookie": "lightvoice-language=en"}).text
    assert 'lang="zh-CN"' in client.get("/", headers={"cookie": "a=b; lightvoice-language=zh"}).text
    assert 'lang="zh-CN"' in client.get("/", headers={**chinese, "cookie": "lightvoice-language=klingon"}).text


def test_the_html_is_compressed_for_who_takes_it(client: TestClient) -> None:
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert len(raw) < len(plain.content) / 4
    assert b"lv-loading" in gzip.decompress(raw)


def test_only_texts_of_the_browser_are_sent(client: TestClient, tmp_path: Path) -> None:
    html = client.get("/").text
    assert "tab.live" in html and "common.complete" in html
    assert "warning.unsure" not in html

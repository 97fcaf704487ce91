"""The Models tab over HTTP: what the page hides is refused to programs too, whatever they send."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ui.models.fake_workshop import FakeWorkshop
from ui.http.access.managing import Managing

SESSION = "session-of-a-test"
#: (button, what it sends after the state): as the page would, and as nobody's page would.
PRESSED = [
    ("lv-switch-run", [None]),
    ("lv-fetch-run", ["small", ""]),
    ("lv-import-run", ["/etc", "etc"]),
    ("lv-quantize-run", [None, "dynamic", None, None, 0.1, False]),
    ("lv-job-fetch-cancel", []),
    ("lv-job-fetch-open", []),
    ("lv-delete-confirm", ["/etc"]),
    ("lv-import-files", [None, ""]),
    ("lv-real-get", ["modelscope"]),
    ("lv-real-cancel", []),
]


def ask(address: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=data, headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def press(address: str, button: str, values: list[Any], **headers: str) -> dict[str, Any]:
    """Send what the button of the page sends; the last message of its event."""
    config = json.loads(ask(f"{address}/config"))
    ids = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    listener = next(one for one in config["dependencies"] if any(ids.get(target) == button for target, _ in one["targets"]))
    data = [None, *values][-len(listener["inputs"]) :]
    body = {"data": data, "fn_index": listener["id"], "session_hash": SESSION, "event_data": None, "trigger_id": None}
    ask(f"{address}/gradio_api/queue/join", body, **headers)
    events = ask(f"{address}/gradio_api/queue/data?session_hash={SESSION}", **headers)
    messages = [json.loads(line[len("data: ") :]) for line in events.splitlines() if line.startswith("data: ")]
    return next(message for message in messages if message["msg"] == "process_completed")


@pytest.fixture
def workshop(starter_bundle: Path) -> FakeWorkshop:
    return FakeWorkshop(roots=[starter_bundle])


@pytest.mark.parametrize(("button", "values"), PRESSED)
def test_a_server_that_others_reach_refuses_everybody(
    run_page: Callable[..., Any], workshop: FakeWorkshop, button: str, values: list[Any]
) -> None:
    with run_page(host="0.0.0.0", managing=Managing(workshop=workshop)) as page:
        answer = press(page.address, button, values)
    assert not answer["success"]
    assert "--manage-models" in answer["output"]["error"]
    assert workshop.asked == [] and workshop.deleted == []


def test_a_page_under_another_name_is_refused(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(managing=Managing(workshop=workshop)) as page:
        answer = press(page.address, "lv-fetch-run", ["small", ""], Host="attacker.example:7860")
        assert "--manage-models" in answer["output"]["error"]
        answer = press(page.address, "lv-fetch-run", ["small", ""], **{"X-Forwarded-For": "203.0.113.9"})
        assert "--manage-models" in answer["output"]["error"]
        assert workshop.asked == []
        press(page.address, "lv-fetch-run", ["small", ""])
        assert workshop.asked == [("fetch", "small", None)]
        workshop.jobs[0].end()


def test_with_the_option_everybody_may(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(host="0.0.0.0", managing=Managing(workshop=workshop, everybody=True)) as page:
        answer = press(page.address, "lv-import-run", [" /some/folder/ ", ""], Host="lightvoice.example")
        assert answer["success"], answer
        assert workshop.asked == [("import", "/some/folder/", "folder")]
        second = press(page.address, "lv-fetch-run", ["small", "modelscope"])
        assert "one job runs at a time" in second["output"]["error"]
        press(page.address, "lv-job-import-cancel", [])
        assert workshop.jobs[0].state == "cancelled"


def test_only_what_was_asked_about_is_deleted(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(managing=Managing(workshop=workshop)) as page:
        answer = press(page.address, "lv-delete-run", ["/etc"])
        assert "/etc" in answer["output"]["error"]
        # What is deleted is what was asked about: no program can name another folder with its answer.
        assert press(page.address, "lv-delete-confirm", ["/etc"])["success"]
    assert workshop.deleted == []


def test_a_file_of_this_machine_cannot_be_named_as_one_that_was_sent(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(managing=Managing(workshop=workshop)) as page:
        sent = [{"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            press(page.address, "lv-import-files", [sent, ""])
    assert workshop.asked == []


def test_a_press_below_the_banner_begins_one_download(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(managing=Managing(workshop=workshop)) as page:
        for _ in range(2):
            assert press(page.address, "lv-real-get", ["modelscope"])["success"]
        assert workshop.asked == [("fetch", "small", "modelscope", "check")]
        press(page.address, "lv-real-cancel", [])
        assert workshop.jobs[0].state == "cancelled"


def test_only_installed_bundles_can_be_opened_or_changed(run_page: Callable[..., Any], workshop: FakeWorkshop) -> None:
    with run_page(managing=Managing(workshop=workshop)) as page:
        for button, settings in (("lv-switch-run", []), ("lv-quantize-run", ["dynamic", None, None, 0.1, False])):
            answer = press(page.address, button, ["/etc", *settings])
            assert not answer["success"]
            assert "/etc" in answer["output"]["error"]
    assert workshop.asked == []

"""Who may switch, fetch and quantize: people on this machine where the server listens here alone, or whom an option names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ui.http.access.managing import Managers, Managing, NotAllowedError, may_manage, require_manager


def request(host: str, **headers: str) -> SimpleNamespace:
    return SimpleNamespace(headers={"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.5", "[::1]"])
def test_a_server_for_this_machine_is_managed_from_this_machine(host: str) -> None:
    assert Managing().managers(host) is Managers.THIS_MACHINE


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
def test_a_server_that_others_reach_is_managed_by_nobody(host: str) -> None:
    assert Managing().managers(host) is Managers.NOBODY
    assert Managing(everybody=True).managers(host) is Managers.EVERYBODY


def test_an_option_decides() -> None:
    assert Managing(everybody=False).managers("127.0.0.1") is Managers.NOBODY
    assert Managing(everybody=True).managers("127.0.0.1") is Managers.EVERYBODY


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "localhost", "[::1]:7860"])
def test_a_browser_on_this_machine_may(host: str) -> None:
    assert may_manage(Managers.THIS_MACHINE, request(host))
    require_manager(Managers.THIS_MACHINE, request(host))


@pytest.mark.parametrize(
    "sent",
    [
        request("attacker.example:7860"),  # a site's name that was made to point at this machine
        request("localhost.attacker.example"),
        request(""),
        request("127.0.0.1:7860", x_forwarded_for="203.0.113.9"),
        request("127.0.0.1:7860", forwarded="for=203.0.113.9"),
        request("localhost", via="1.1 proxy"),
    ],
)
def test_another_sites_name_and_a_proxy_may_not(sent: SimpleNamespace) -> None:
    assert not may_manage(Managers.THIS_MACHINE, sent)
    with pytest.raises(NotAllowedError, match="--manage-models"):
        require_manager(Managers.THIS_MACHINE, sent)
    assert may_manage(Managers.EVERYBODY, sent)


def test_nobody_is_nobody() -> None:
    assert not may_manage(Managers.NOBODY, request("127.0.0.1:7860"))

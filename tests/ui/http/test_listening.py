"""Where a server listens: one address or both families, on one port; and what a taken port or a missing family says."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from pathlib import Path

import httpx
import pytest

from engine.errors import PortUnavailableError
from tests.ui.fake_engine import FakeEngine
from ui.http.callers import address_of
from ui.http.listening import listening
from ui.serve import serve


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def reached(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as knock:
        return knock.connect_ex((address, port)) == 0


@needs_ipv6
def test_every_address_of_ipv6_is_every_address_of_ipv4_too() -> None:
    with listening("::", 0) as sockets:
        (port,) = {one.getsockname()[1] for one in sockets}
        assert {one.family for one in sockets} == {socket.AF_INET, socket.AF_INET6}
        assert reached("127.0.0.1", port) and reached("::1", port)
    assert not reached("127.0.0.1", port)


@needs_ipv6
def test_who_comes_by_ipv4_keeps_its_address() -> None:
    with listening("::", 0) as sockets, socket.socket() as knock:
        knock.connect(("127.0.0.1", sockets[0].getsockname()[1]))
        connection, sender = sockets[1].accept()
        connection.close()
    assert sender[0] == "127.0.0.1"


def test_an_address_of_ipv4_that_comes_as_one_of_ipv6_is_one_sender_of_its_own() -> None:
    assert address_of({"client": ("::ffff:192.0.2.7", 1)}) == "192.0.2.7"
    assert address_of({"client": ("2001:db8::7", 1)}) == "2001:db8::"


def test_every_address_of_ipv4_is_that_alone() -> None:
    with listening("0.0.0.0", 0) as sockets:
        assert [one.family for one in sockets] == [socket.AF_INET]


def test_the_machines_own_name_is_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [(socket.AF_INET6, ("::1", 0, 0, 0)), (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.1", 0))]
    found = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with listening("localhost", 0) as sockets:
        assert reached("127.0.0.1", sockets[0].getsockname()[1])
        assert len(sockets) == (2 if has_ipv6() else 1)


@pytest.mark.parametrize(("missing", "left"), [(socket.AF_INET6, "127.0.0.1"), (socket.AF_INET, "::1")])
def test_a_machine_without_ipv6_or_ipv4_listens_on_the_other_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: socket.AddressFamily, left: str
) -> None:
    if ":" in left and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    create = socket.create_server

    def without_one(address, *, family, **options):
        if family == missing:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return create(address, family=family, **options)

    monkeypatch.setattr(socket, "create_server", without_one)
    with caplog.at_level(logging.WARNING), listening("::", 0) as sockets:
        assert len(sockets) == 1
        assert reached(left, sockets[0].getsockname()[1])
    assert "not listening on" in caplog.text and "Address family not supported" in caplog.text
    with pytest.raises(PortUnavailableError), listening({socket.AF_INET6: "::1", socket.AF_INET: "127.0.0.1"}[missing], 0):
        pass


@needs_ipv6
def test_half_of_the_addresses_is_not_enough() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnavailableError, match=f"cannot listen on :::{port} "), listening("::", port):
            pass
    with listening("::", port):  # what was opened before the refusal is closed
        pass


@needs_ipv6
@pytest.mark.parametrize("host", ["::", "[::]"])
def test_the_page_answers_both_families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    answers: list[int] = []

    def ask(address: str) -> None:
        port = address.rsplit(":", 1)[1]
        answers.extend(httpx.get(f"http://{name}:{port}/healthz", timeout=60).status_code for name in ("127.0.0.1", "[::1]", "localhost"))
        ended.set()

    async def on_tick(self: object, counter: int) -> bool:
        return ended.is_set()

    ended = threading.Event()
    monkeypatch.setattr("ui.serve._Server.on_tick", on_tick)
    serve(FakeEngine(), host=host, port=0, on_ready=lambda address: threading.Thread(target=ask, args=(address,)).start())
    assert answers == [200, 200, 200]

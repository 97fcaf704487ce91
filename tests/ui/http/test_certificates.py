"""The certificate of --ssl-self-signed: whose it is, who can read it, when it is made anew; and HTTPS with it."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

pytest.importorskip("gradio", reason="the page needs gradio")

from cryptography import x509

from engine.errors import OptionError
from tests.ui.fake_engine import FakeEngine
from ui.http.certificates import FILE_NAME, VALID, certificate_folder, names_of_this_machine, self_signed
from ui.serve import serve

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("localhost", "127.0.0.1", "::1", "workstation.local")
SERVE = (
    "from tests.ui.fake_engine import FakeEngine\nfrom ui.serve import serve\n"
    "serve(FakeEngine(), port=0, ssl_self_signed=True, on_ready=lambda address: print(address, flush=True))"
)


def held(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_holds_every_name_and_address(tmp_path: Path) -> None:
    made = self_signed(NAMES, folder=tmp_path)
    names = held(made.path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "workstation.local"}
    assert set(names.get_values_for_type(x509.IPAddress)) == {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    usage = held(made.path).extensions.get_extension_for_class(x509.BasicConstraints)
    assert usage.critical and not usage.value.ca  # it vouches for nobody else


def test_this_machine_is_localhost_and_its_name() -> None:
    names = names_of_this_machine()
    assert {"localhost", "127.0.0.1", "::1", socket.gethostname()} <= names
    assert not any("%" in name for name in names)


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    made = self_signed(NAMES, folder=tmp_path / "new")
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert b"PRIVATE KEY" in made.path.read_bytes()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE_NAME]


def test_it_is_kept_until_it_expires(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    made = self_signed(NAMES, folder=tmp_path, now=now)
    assert self_signed(NAMES[:2], folder=tmp_path, now=now + timedelta(days=300)) == made
    later = self_signed(NAMES, folder=tmp_path, now=now + VALID - timedelta(days=1))
    assert later.fingerprint != made.fingerprint
    assert later.expires_at > made.expires_at
    assert made.expires_at - now <= timedelta(days=397)  # what browsers accept


@pytest.mark.parametrize("change", ["another name", "readable by all", "damaged", "key of another", "from the future"])
def test_one_that_no_longer_serves_is_made_anew(tmp_path: Path, change: str) -> None:
    now = datetime.now(UTC)
    made = self_signed(NAMES, folder=tmp_path, now=now + timedelta(days=200) if change == "from the future" else now)
    names = NAMES
    if change == "another name":
        names = (*NAMES, "192.168.7.7")
    elif change == "readable by all":
        made.path.chmod(0o644)
    elif change == "damaged":
        made.path.write_bytes(made.path.read_bytes()[:-200])
    elif change == "key of another":
        other = self_signed(NAMES, folder=tmp_path / "other").path.read_text()
        own = made.path.read_text()
        border = "-----BEGIN PRIVATE KEY-----"
        made.path.write_text(own[: own.index(border)] + other[other.index(border) :])
    fresh = self_signed(names, folder=tmp_path, now=now)
    assert fresh.fingerprint != made.fingerprint
    assert fresh.path.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(fresh.path)


def test_a_folder_that_cannot_be_written_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OptionError, match=r"cannot keep a certificate in .*XDG_CACHE_HOME"):
        self_signed(NAMES, folder=tmp_path / "file" / "folder")


def test_it_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert certificate_folder() == tmp_path / "lightvoice" / "certificates"


def test_two_certificates_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"own\.pem is given as well"):
        serve(FakeEngine(), port=0, ssl_certfile=tmp_path / "own.pem", ssl_self_signed=True)


def test_https_answers_and_the_certificate_is_for_this_machine(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", SERVE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("https://127.0.0.1:")
        path = tmp_path / "lightvoice" / "certificates" / FILE_NAME
        trusting = ssl.create_default_context(cafile=str(path))  # checks the name as well
        assert httpx.get(f"{address}/healthz", verify=trusting).json()["status"] == "ok"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{address}/healthz")
    finally:
        process.terminate()
        process.communicate()

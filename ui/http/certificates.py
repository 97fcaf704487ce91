"""A certificate of this machine's own making for HTTPS, kept in the user's cache until it expires or the machine's names change.

No authority signed it, so a browser warns once; it can be recognized by the fingerprint in the log. Certificate and
key are one file, which only its owner can read: a pair that does not belong together cannot come about.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.errors import OptionError
from engine.files.cache_folder import cache_folder

FILE_NAME = "self-signed.pem"
#: Browsers refuse certificates that are valid for longer than about thirteen months.
VALID = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=14)
#: For machines whose clocks are behind ours.
BACKDATED = timedelta(days=1)

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


@dataclass(frozen=True)
class SelfSigned:
    """A file that holds certificate and key, the SHA-256 of the certificate as browsers show it, and when it expires."""

    path: Path
    fingerprint: str
    expires_at: datetime


def certificate_folder() -> Path:
    """Where certificates are kept."""
    return cache_folder() / "certificates"


def names_of_this_machine() -> frozenset[str]:
    """Under what browsers may ask for this machine: localhost, its names, and the addresses of its interfaces."""
    addresses = {
        address.address.split("%", 1)[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    host = socket.gethostname()
    names = {"localhost", host, f"{host.split('.', 1)[0]}.local"}
    return frozenset(name for name in names if _is_dns_name(name)) | frozenset(addresses) | {"127.0.0.1", "::1"}


def self_signed(names: Iterable[str], *, folder: Path | None = None, now: datetime | None = None) -> SelfSigned:
    """The certificate for these names (DNS names and addresses), made if there is none that still serves.

    Raises OptionError where it cannot be written.
    """
    folder, now, wanted = folder or certificate_folder(), now or datetime.now(UTC), frozenset(names)
    path = folder / FILE_NAME
    kept = _read(path)
    if kept is None or kept.not_valid_after_utc - now < RENEWED_BEFORE or kept.not_valid_before_utc > now or not wanted <= _names(kept):
        try:
            kept = _write(path, wanted, now)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OptionError(
                f"cannot keep a certificate in {folder} ({reason}); set XDG_CACHE_HOME, or give --ssl-certfile and --ssl-keyfile"
            ) from error
    digest = kept.fingerprint(hashes.SHA256()).hex(":").upper()
    return SelfSigned(path, digest, kept.not_valid_after_utc)


def _read(path: Path) -> x509.Certificate | None:
    """The certificate that is kept; None where there is none, it is damaged, or others than its owner can read the key."""
    try:
        if path.stat().st_mode & 0o077:
            return None
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)  # the key is there and belongs to it
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None  # made anew


def _write(path: Path, names: frozenset[str], now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LightVoice")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    Path(name).chmod(_PRIVATE_FILE)
    Path(name).replace(path)
    return certificate


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(held.get_values_for_type(x509.DNSName)) | {str(address) for address in held.get_values_for_type(x509.IPAddress)}


def _is_dns_name(name: str) -> bool:
    return name.isascii() and name.replace("-", "").replace(".", "").isalnum()

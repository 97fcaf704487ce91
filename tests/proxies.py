"""A real nginx in front of a server, as unprivileged ports on the loopback address, for tests that ask from behind it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.free_port import free_port

#: The machine may be busy.
START_S = 60
_CONF = """
{user}
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
daemon off;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 100m;
        {location}
    }}
}}
"""
#: What Gradio's guide and most others write.
FORWARDED = """
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
"""


def below_prefix(server: str, prefix: str) -> str:
    """A location that takes the prefix away and says so."""
    return f"location {prefix}/ {{ proxy_pass {server}/; {FORWARDED} proxy_set_header X-Forwarded-Prefix {prefix}; }}"


def passed_as_it_is(server: str, prefix: str) -> str:
    """A location that leaves the prefix in the path and says nothing."""
    return f"location {prefix} {{ proxy_pass {server}; proxy_set_header Host $http_host; }}"


@contextmanager
def nginx(folder: Path, location: str) -> Iterator[str]:
    """The address of an nginx with this location; skips where there is none, and leaves its log in ``folder``."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("no nginx; install Debian's package `nginx-light`")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    conf = folder / "nginx.conf"
    # Whom root starts it for must be able to write into the folder of a test.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(_CONF.format(user=user, folder=folder, port=port, location=location), encoding="utf-8")
    log = folder / "error.log"
    # -e: the log before the configuration is read would be the machine's own.
    with subprocess.Popen([program, "-e", str(log), "-c", str(conf), "-p", str(folder)], stderr=subprocess.PIPE) as process:
        try:
            _answering(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answering(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(START_S * 20):
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            pass
        else:
            assert process.stderr is not None
            raise RuntimeError(f"nginx ended with {process.returncode}: {process.stderr.read().decode()}")
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise RuntimeError("nginx does not answer")

"""The options of the server on a command line: where it listens, who may come in, how much they may bring, what is written down."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.command_line import positive
from ui.history.options import HistoryOptions

DEFAULT_HOST, DEFAULT_PORT, HIGHEST_PORT = "127.0.0.1", 7860, 65_535


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--host``, ``--port`` and all others that belong to the server and not to the engine."""
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--slim",
        action="store_true",
        help="the smallest page: one WAV file at a time; no microphone, no comparison, no models tab, no API",
    )
    parser.add_argument(
        "--manage-models",
        action=argparse.BooleanOptionalAction,
        help="let every visitor of the page switch, download, import and quantize models, or nobody (default: people on this machine, "
        "where --host is this machine alone)",
    )
    parser.add_argument("--ssl-certfile", type=Path, help="certificate for HTTPS; browsers allow the microphone elsewhere only with it")
    parser.add_argument("--ssl-keyfile", type=Path, help="the certificate's key")
    parser.add_argument("--ssl-self-signed", action="store_true", help="HTTPS with a certificate that is made here; the browser warns once")
    parser.add_argument(
        "--auth", type=Path, metavar="FILE", help="ask for a name and a password: lines NAME:PASSWORD (or the variable LIGHTVOICE_AUTH)"
    )
    parser.add_argument(
        "--api-keys", type=Path, metavar="FILE", help="ask for a key on /v1: one a line (or the variable LIGHTVOICE_API_KEYS)"
    )
    parser.add_argument(
        "--root-path", metavar="PATH", help="path below which a proxy shows the page, such as /asr (or its X-Forwarded-Prefix says so)"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let this site's pages use /v1 (CORS), such as https://app.example, or * for every site; repeatable (default: none)",
    )
    parser.add_argument("--max-upload-mb", type=positive, default=500, metavar="MB", help="largest upload (default: %(default)s)")
    parser.add_argument("--max-duration-s", type=positive, default=14_400, metavar="S", help="longest recording (default: %(default)s)")
    parser.add_argument(
        "--history-days",
        type=positive,
        default=HistoryOptions.days,
        metavar="N",
        help="days after which transcripts and recordings of the History tab are forgotten (default: %(default)s)",
    )
    parser.add_argument(
        "--history-folder", type=Path, metavar="DIR", help="where the history lies (default: lightvoice/history in the user's data folder)"
    )
    parser.add_argument("--no-history", action="store_true", help="keep no transcript beyond its page")
    parser.add_argument("--log-json", action="store_true", help="write the log as JSON, an object a line")
    parser.add_argument("--log-transcripts", action="store_true", help="write recognized text into the log, which otherwise holds none")


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{value} is not a port; ports go from 0 (any free one) to 65535")
    return value

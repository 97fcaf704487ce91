"""Which hub to ask first: the one that answers first when all are asked the same small thing at once, for a few seconds at most."""

from __future__ import annotations

import http.client
import importlib.util
import logging
import queue
import threading
import time
import urllib.request
from collections.abc import Mapping

from models.fetch.catalog import Source
from models.fetch.hubs import Hub
from models.fetch.known_hubs import HUBS

log = logging.getLogger(__name__)

#: A hub that has not answered by then is asked last. Behind a firewall that drops packets nothing would ever answer.
WITHIN_S = 4.0
_OK = 200


def nearest_first(repos: Mapping[Source, str], *, within_s: float = WITHIN_S) -> list[Source]:
    """The sources of ``repos`` (source -> one of its repositories) in the order in which to ask them.

    First the one that answers first, then the others as they were given; last those whose library is not installed. A hub that
    refuses, lacks the repository or answers with a web page has not answered. One source alone is not tried.
    """
    hubs = {source: HUBS[source]() for source in repos}
    usable = [source for source, hub in hubs.items() if importlib.util.find_spec(hub.package) is not None]
    lacking = [source for source in repos if source not in usable]
    if len(usable) > 1:
        first = _first_to_answer({source: hubs[source] for source in usable}, repos, within_s=within_s)
        usable.sort(key=lambda source: source is not first)
    return [*usable, *lacking]


def _first_to_answer(hubs: Mapping[Source, Hub], repos: Mapping[Source, str], *, within_s: float) -> Source | None:
    answers: queue.SimpleQueue[tuple[Source, bool]] = queue.SimpleQueue()

    def ask(source: Source) -> None:
        answers.put((source, _answers(hubs[source].about(repos[source]), within_s=within_s)))

    for source in hubs:
        threading.Thread(target=ask, args=(source,), name=f"fetch: try {source}", daemon=True).start()
    end_s = time.monotonic() + within_s
    for _ in hubs:
        try:
            source, answered = answers.get(timeout=max(0.0, end_s - time.monotonic()))
        except queue.Empty:
            break
        if answered:
            log.info("%s answered first", hubs[source].host)
            return source
    names = " and ".join(hub.host for hub in hubs.values())
    log.info("neither %s answered within %g s; they are asked in turn", names, within_s)
    return None


def _answers(address: str, *, within_s: float) -> bool:
    """Whether an address answers with JSON; a login page of the network in between is none."""
    request = urllib.request.Request(address, headers={"Accept": "application/json", "User-Agent": "lightvoice"})  # noqa: S310 - the endpoint is http(s), ours or the one that the environment names
    try:
        with urllib.request.urlopen(request, timeout=within_s) as answer:  # noqa: S310 - as above
            return bool(answer.status == _OK and answer.read(1) in (b"{", b"["))
    except (OSError, ValueError, http.client.HTTPException) as error:
        log.debug("%s: %s", address, error)
        return False

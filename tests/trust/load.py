"""Many callers at once over page, API and endpoint, some of whom leave: nobody is lost, everybody gets a turn, memory stays flat.

    python -m tests.trust load [--callers 100] [--seconds 300]

Each caller has an address of its own (127.0.x.y), as people have, and asks again as soon as it is answered. A full line is
answered with 429 and a waiting time, which the callers keep. Fails where an answer is lost or wrong, where a place is still
taken after everybody has left, or where the memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.pipeline import Engine
from tests.servers import Server, metrics, serving
from tests.starter_facts import DIGITS, STARTER
from tests.waiting import until
from ui.transcribe.form_options import FormOptions

#: Of ten callers: four ask the API, two the endpoint, three have a page open, one hangs up in the middle.
KINDS = ("api", "api", "endpoint", "page", "api", "leaver", "page", "endpoint", "api", "page")
ANSWER_S = 600.0
SAMPLE_EVERY_S = 1.0
#: Callers wait at most this long when they are asked to come back later.
MOST_BACK_OFF_S = 10.0
BYTES_PER_MB = 1_000_000


@dataclass
class Caller:
    """One caller's own account."""

    number: int
    kind: str
    answered: int = 0
    left: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    #: From the first try to the answer, refusals and back-off included.
    whole_s: list[float] = field(default_factory=list)
    #: Of the try that was answered.
    served_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """A loopback address that no other caller has."""
        return f"127.0.{1 + self.number // 250}.{1 + self.number % 250}"


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """The server asked to come back later."""

    def __init__(self, status: int, after_s: float) -> None:
        super().__init__(f"{status}, try again in {after_s} s")
        self.status, self.after_s = status, after_s


Ask = Callable[[httpx.AsyncClient, Caller], Awaitable[None]]


class Load:
    """The callers and what they all know: the recording and the text that it gives."""

    def __init__(self, address: str, *, seconds: float, seed: int) -> None:
        self._address, self._random = address, random.Random(seed)
        self._until_s = time.monotonic() + seconds
        self._recording = DIGITS.read_bytes()
        engine = Engine(Bundle.load(STARTER), threads=1)
        self._expected = engine.transcribe(load_audio(DIGITS)).text
        engine.close()
        self._listeners: dict[str, int] = {}
        self._asks: dict[str, Ask] = {"api": self._api, "endpoint": self._endpoint, "page": self._page, "leaver": self._leaver}

    async def prepare(self) -> None:
        """Find the page's listeners, as a browser does."""
        async with httpx.AsyncClient(base_url=self._address, timeout=ANSWER_S) as client:
            config = (await client.get("/config")).json()
        self._listeners = {each["api_name"]: each["id"] for each in config["dependencies"]}

    async def run(self, caller: Caller) -> None:
        """One caller, until the time is over; what it has asked for by then it still waits for."""
        transport = httpx.AsyncHTTPTransport(local_address=caller.address)
        async with httpx.AsyncClient(base_url=self._address, transport=transport, timeout=ANSWER_S) as client:
            while time.monotonic() < self._until_s and len(caller.faults) < 5:
                began_s = time.monotonic()
                try:
                    await self._until_answered(client, caller)
                except (httpx.HTTPError, AssertionError, KeyError, ValueError) as error:
                    caller.faults.append(f"{caller.kind}: {type(error).__name__} {error}"[:300])
                    continue
                caller.whole_s.append(time.monotonic() - began_s)

    async def _until_answered(self, client: httpx.AsyncClient, caller: Caller) -> None:
        while True:
            began_s = time.monotonic()
            try:
                await self._asks[caller.kind](client, caller)
            except Refused as refused:
                caller.refused[str(refused.status)] += 1
                if time.monotonic() > self._until_s:
                    return
                await asyncio.sleep(min(refused.after_s, MOST_BACK_OFF_S) * (0.5 + self._random.random() / 2))
                continue
            caller.served_s.append(time.monotonic() - began_s)
            return

    def _check(self, text: str) -> None:
        if text != self._expected:
            raise AssertionError(f"the answer is {text!r}, not {self._expected!r}")

    async def _api(self, client: httpx.AsyncClient, caller: Caller) -> None:
        answer = await client.post("/v1/audio/transcriptions", files={"file": ("a.flac", self._recording)})
        _refuse(answer)
        answer.raise_for_status()
        self._check(answer.json()["text"])
        if answer.headers["x-lightvoice-model"] != "starter:fp32":
            raise AssertionError(answer.headers["x-lightvoice-model"])
        caller.answered += 1

    async def _leaver(self, client: httpx.AsyncClient, caller: Caller) -> None:
        try:
            async with asyncio.timeout(self._random.uniform(0.01, 2.0)):
                await self._api(client, caller)
        except TimeoutError:
            caller.left += 1

    async def _upload(self, client: httpx.AsyncClient) -> dict[str, Any]:
        answer = await client.post("/gradio_api/upload", files={"files": ("a.flac", self._recording)})
        answer.raise_for_status()
        return {"path": answer.json()[0], "orig_name": "a.flac", "meta": {"_type": "gradio.FileData"}}

    async def _endpoint(self, client: httpx.AsyncClient, caller: Caller) -> None:
        call = await client.post("/gradio_api/call/transcribe", json={"data": [await self._upload(client), "auto", True, "current"]})
        _refuse(call)
        async with client.stream("GET", f"/gradio_api/call/transcribe/{call.raise_for_status().json()['event_id']}") as answer:
            event = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event == "error":
                    raise _busy(line)
                elif line.startswith("data: ") and event == "complete":
                    self._check(json.loads(line.removeprefix("data: "))[0]["text"])
                    caller.answered += 1
                    return
        raise AssertionError("the stream ended without an answer")

    async def _page(self, client: httpx.AsyncClient, caller: Caller) -> None:
        """A page that is opened, given a recording, looked at until it has the transcript, and closed."""
        queue_id, session = uuid4().hex, uuid4().hex[:12]
        chosen = [*FormOptions().to_dict().values(), queue_id]
        await self._listener(client, session, "add_files", [[await self._upload(client)], *chosen])
        await self._listener(client, session, "start", chosen)
        while True:
            state = (await client.get(f"/recordings/{queue_id}")).raise_for_status().json()
            if not state["active"]:
                break
            await asyncio.sleep(0.5)
        (row,) = state["rows"]
        answer = (await client.get(f"/recordings/{queue_id}/{row['id']}.txt")).raise_for_status()
        self._check(" ".join(answer.text.split()))
        await client.post(f"/recordings/{queue_id}/{row['id']}/remove")
        caller.answered += 1

    async def _listener(self, client: httpx.AsyncClient, session: str, name: str, data: list[Any]) -> None:
        joined = await client.post(
            "/gradio_api/queue/join", json={"data": data, "fn_index": self._listeners[name], "session_hash": session}
        )
        _refuse(joined)
        joined.raise_for_status()
        async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise _busy(json.dumps(message["output"]))
                    return
        raise AssertionError(f"{name} was not completed")


def _refuse(answer: httpx.Response) -> None:
    if answer.status_code in (429, 503):
        raise Refused(answer.status_code, float(answer.headers["retry-after"]))


def _busy(said: str) -> Exception:
    """A refusal that comes as a message: the waiting time is in its words."""
    _, found, rest = said.partition("try again in about ")
    return Refused(429, float(rest.split(" ", 1)[0])) if found else AssertionError(said[:300])


@dataclass
class Samples:
    """What the server says of itself while it works: (seconds, MB), and the longest line that was seen."""

    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    most_waiting: float = 0
    most_running: float = 0

    async def collect(self, server: Server) -> None:
        """Read the figures until cancelled."""
        began_s = time.monotonic()
        while True:
            values = await asyncio.to_thread(metrics, server.address)
            self.rss_mb.append((time.monotonic() - began_s, values["process_resident_memory_bytes"] / BYTES_PER_MB))
            self.most_waiting = max(self.most_waiting, values["lightvoice_runs_waiting"])
            self.most_running = max(self.most_running, values["lightvoice_runs_running"])
            await asyncio.sleep(SAMPLE_EVERY_S)

    def third(self, number: int) -> float:
        """The median memory of one third of the time."""
        whole_s = self.rss_mb[-1][0]
        return statistics.median(mb for at_s, mb in self.rss_mb if number * whole_s / 3 <= at_s <= (number + 1) * whole_s / 3)


def percentile(values: list[float], share: float) -> float | None:
    """The value below which ``share`` of the values lie; None without any."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and for how long."""
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kinds", nargs="+", choices=sorted(set(KINDS)), default=KINDS, help="what the callers are, in turn")
    parser.add_argument("--most-growth-mb", type=float, default=30.0, help="between the second and the last third; the first one warms up")


async def _drive(server: Server, callers: list[Caller], arguments: argparse.Namespace) -> tuple[Samples, float]:
    load, samples = Load(server.address, seconds=arguments.seconds, seed=arguments.seed), Samples()
    await load.prepare()
    sampling = asyncio.create_task(samples.collect(server))
    began_s = time.monotonic()
    await asyncio.gather(*(load.run(caller) for caller in callers))
    took_s = time.monotonic() - began_s
    sampling.cancel()
    return samples, took_s


def _free_after_s(server: Server) -> float:
    """Seconds until no place is taken and nobody waits, once all callers have left; fails after half a minute."""
    began_s = time.monotonic()
    until(lambda: not any(server.figure(f"lightvoice_runs_{name}") for name in ("running", "waiting")), within_s=30)
    return time.monotonic() - began_s


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of the load; AssertionError where the server did not keep what it promises."""
    callers = [Caller(number, arguments.kinds[number % len(arguments.kinds)]) for number in range(arguments.callers)]
    with serving("--threads", "1") as server:
        samples, took_s = asyncio.run(_drive(server, callers, arguments))
        free_s = _free_after_s(server)
        left_over = [path for folder in server.files.glob("*/requests") for path in folder.iterdir()]
    report: dict[str, Any] = {"callers": len(callers), "seconds": round(took_s, 1)}
    for kind in dict.fromkeys(arguments.kinds):
        own = [caller for caller in callers if caller.kind == kind]
        served, whole = ([value for caller in own for value in getattr(caller, name)] for name in ("served_s", "whole_s"))
        report[kind] = {
            "callers": len(own),
            "answered": sum(caller.answered for caller in own),
            "left": sum(caller.left for caller in own),
            "refused": dict(sum((caller.refused for caller in own), Counter())),
            "served_p50_s": _rounded(percentile(served, 0.5)),
            "served_p99_s": _rounded(percentile(served, 0.99)),
            "whole_p99_s": _rounded(percentile(whole, 0.99)),
            "fewest_and_most_answers": [min((c.answered for c in own), default=0), max((c.answered for c in own), default=0)],
        }
    faults = [fault for caller in callers for fault in caller.faults]
    growth_mb = samples.third(2) - samples.third(1)
    report |= {
        "lost_or_wrong": len(faults),
        "most_running": samples.most_running,
        "most_waiting": samples.most_waiting,
        "rss_mb_by_third": [round(samples.third(number), 1) for number in range(3)],
        "all_places_free_after_s": round(free_s, 2),
        "uploads_left": len(left_over),
    }
    if faults or left_over or growth_mb > arguments.most_growth_mb:
        raise AssertionError(f"{json.dumps(report)} faults: {faults[:5]}")
    return report


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

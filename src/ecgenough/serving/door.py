"""What every request passes on its way in and out: drained or not, allowed or not, too large or not; counted, logged."""

import asyncio
import hmac
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecgenough.serving.limits import Limits

OPEN_ROUTES = ("/healthz", "/readyz")
UPLOADS = ("/v1/predict", "/v1/ecg", "/v1/explain")
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Metrics:
    """What Prometheus is told; a registry of its own, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("ecgenough_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "ecgenough_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.batch = Histogram(
            "ecgenough_batch_ecgs",
            "ECGs shown to the network at once.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.waiting = Gauge("ecgenough_waiting_ecgs", "ECGs that wait for the network.", registry=self.registry)
        self.explanations = Gauge(
            "ecgenough_waiting_explanations", "Explanations that wait their turn.", registry=self.registry
        )
        self.in_work = Gauge("ecgenough_requests_in_work", "Requests in work.", registry=self.registry)


@dataclass
class State:
    """Whether the process has been told to end, and how many requests are in work."""

    draining: bool = False
    in_work: int = 0


@dataclass
class Door:
    """ASGI middleware around the whole service."""

    app: ASGIApp
    state: State
    metrics: Metrics
    limits: Limits
    token: str | None = None
    routes: frozenset[str] = frozenset()
    open_routes: frozenset[str] = frozenset()  # of the page: without a token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, request = time.perf_counter(), uuid.uuid4().hex[:16]
        told = {"status": 0, "bytes": 0}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                extra = {**_HEADERS, "x-request-id": request}
                present = {name for name, _ in message["headers"]}
                message["headers"] += [(k.encode(), v.encode()) for k, v in extra.items() if k.encode() not in present]
            await send(message)

        try:
            refused = self._refusal(scope) or await self._answered(
                scope, _bounded(receive, self.limits.upload, told), answer
            )
            if refused is not None and told["status"] == 0:
                await refused(scope, receive, answer)
        finally:
            self._note(scope, request, told, time.perf_counter() - started)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Let the service answer; what to say instead where it could not."""
        self.state.in_work += 1
        try:
            async with asyncio.timeout(self.limits.answer):
                await self.app(scope, receive, send)
        except TimeoutError:
            return _refuse(408, f"the request took longer than {self.limits.answer:g} s; send fewer files at once.")
        finally:
            self.state.in_work -= 1
        return None

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_ROUTES:
            return None
        if self.state.draining:
            return _refuse(503, "the service is shutting down; ask again in a moment.", {"retry-after": "5"})
        headers = dict(scope["headers"])
        token = None if scope["path"] in self.open_routes else self.token
        if token is not None and not _allowed(headers.get(b"authorization", b""), token):
            return _refuse(401, "a bearer token is needed.", {"www-authenticate": "Bearer"})
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return _refuse(400, "content-length is not a number.")
        if int(length) > self.limits.upload:
            return _refuse(413, _too_large(self.limits.upload))
        kind = headers.get(b"content-type", b"").lower()
        if scope["method"] == "POST" and scope["path"] in UPLOADS and not kind.startswith(b"multipart/form-data"):
            # Of other kinds of forms the parser bounds nothing.
            return _refuse(400, 'send recordings as multipart/form-data in fields named "files".')
        if self.state.in_work >= self.limits.waiting:
            return _refuse(429, "too many requests are in work; ask again in a second.", {"retry-after": "1"})
        return None

    def _note(self, scope: Scope, request: str, told: dict[str, int], seconds: float) -> None:
        """Count and log. No file name, no address, nothing of the recording: the log holds no one's data."""
        route = scope["path"] if scope["path"] in self.routes else "other"
        self.metrics.requests.labels(route, told["status"]).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        entry: dict[str, object] = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "request": request}
        entry |= {"method": scope["method"], "route": route, **told, "ms": round(1e3 * seconds, 1)}
        print(json.dumps(entry), file=sys.stderr, flush=True)


def _bounded(receive: Receive, largest: int, told: dict[str, int]) -> Callable[[], Awaitable[Message]]:
    """`receive` that counts the body's bytes and stops at `largest`, whatever the request's header said."""

    async def counted() -> Message:
        message = await receive()
        told["bytes"] += len(message.get("body", b""))
        if told["bytes"] > largest:
            raise HTTPException(413, _too_large(largest))  # what reads the body hands this on
        return message

    return counted


def _too_large(largest: int) -> str:
    return f"a request may have {largest / 2**20:g} MiB at most; send fewer or smaller files."


def _allowed(header: bytes, token: str) -> bool:
    kind, _, given = header.partition(b" ")
    return kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())


def _refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": sentence}, status, headers)

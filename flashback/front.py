"""The door in front of the pages, as plain ASGI: no thread is taken before a request is whole.

The pages are sync Django in a small pool of threads. A client that sends half a body must wait here, on the event loop,
where it costs a few kilobytes; inside, it would hold a thread. Health is answered here too, so that a busy pool cannot
make a living process look dead.
"""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flashback.forwarded import Header, Proxies, clean, repeated
from flashback.web import EVERY_ANSWER, NO_STORE, VARY

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LIVE, READY = "/healthz/live", "/healthz/ready"
HEADERS_MOST = 100
HEADERS_BYTES = 32 * 1024
TARGET_BYTES = 8 * 1024
# What the pages' forms and the API's clients send. Django takes any codec of Python for a charset, also one that is
# none for text (hex, unicode_escape), and a multipart body may name one in every part; no page takes files.
CONTENT_TYPE = re.compile(
    rb"(?:application/(?:x-www-form-urlencoded|[a-z.+-]*json)|text/plain)\s*(?:;\s*charset=\"?utf-?8\"?\s*)?;?\s*",
    re.IGNORECASE,
)
LINGER_SECONDS = 2
LINGER_BYTES = 16 * 1024 * 1024
READY_SECONDS = 10
# What is said to programs where the page's words need its title, or a browser.
TO_PROGRAMS = {
    400: "The request cannot be read: its address or its headers are not clear.",
    408: "The request did not arrive in time. Send it again.",
    414: "The address is too long. Shorten it.",
    415: "Send JSON, in UTF-8, with the header Content-Type: application/json.",
    431: "The headers are too large. Send fewer, or shorter ones.",
}

HEADERS: list[Header] = [
    (name.lower().encode(), value.encode())
    for name, value in {**EVERY_ANSWER, "Cache-Control": NO_STORE, "Vary": ", ".join(VARY)}.items()
]
HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
TITLE, MESSAGE = "%title%", "%message%"  # where a refusal's words go in its page
PLAIN_PAGE = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{TITLE} · Flashback</title></head>
<body><main><h1>{TITLE}</h1><p>{MESSAGE}</p></main></body>
</html>
"""


class RefusedError(Exception):
    """A request that is answered here with `status` (4xx). `message` says what to do."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


class GoneError(Exception):
    """The client hung up before its request was whole."""


class Front:
    """An ASGI application that hands whole, cleaned requests to `pages`.

    `https` says that people reach this server over https. `body_limit` is in bytes, `body_seconds` is the time that a
    client has for its whole body. `ready` returns the reasons why this process should get no requests yet (none when it
    should); it may block, in a thread of its own. Pages of `origins` may read what is refused here under /api. `page`
    is the page of a refusal elsewhere, with `TITLE` and `MESSAGE` in it.
    """

    def __init__(
        self,
        pages: Application,
        *,
        body_limit: int,
        body_seconds: float,
        https: bool,
        trusted_proxies: Sequence[str],
        ready: Callable[[], list[str]],
        origins: Iterable[str] = (),
        page: str = PLAIN_PAGE,
    ) -> None:
        self.pages = pages
        self.body_limit = body_limit
        self.body_seconds = body_seconds
        self.proxies = Proxies(trusted_proxies)
        self.own_headers = [*HEADERS, HSTS] if https else HEADERS
        self.ready = ready
        self.origins = {origin.encode() for origin in origins}
        self.page = page
        self.ready_thread = ThreadPoolExecutor(1, thread_name_prefix="ready")
        self.ready_answer: asyncio.Future[list[str]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI kinds `http`, `lifespan` and `websocket` (refused)."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            judge_head(scope)
            if scope["path"] in {LIVE, READY}:
                await self._health(scope, send)
                return
            body = await self._body(scope, receive)
        except RefusedError as refusal:
            await self._refuse(scope, receive, send, refusal)
        except GoneError:
            return
        else:
            await self.pages(self._inner(scope, body), _replay(body), send)

    async def _health(self, scope: Scope, send: Send) -> None:
        reasons = [] if scope["path"] == LIVE else await self._reasons()
        word = "alive" if scope["path"] == LIVE else "ready"
        if reasons:
            content = {"success": False, "message": f"Not ready: {', '.join(reasons)}.", "reasons": reasons}
        else:
            content = {"success": True, "message": word}
        await self._answer(send, 503 if reasons else 200, b"application/json", json.dumps(content).encode())

    async def _reasons(self) -> list[str]:
        """Ask once at a time: those who ask meanwhile share the answer."""
        if self.ready_answer is None or self.ready_answer.done():
            self.ready_answer = asyncio.get_running_loop().run_in_executor(self.ready_thread, self.ready)
        try:
            return await asyncio.wait_for(asyncio.shield(self.ready_answer), READY_SECONDS)
        except TimeoutError:
            return ["slow"]

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if _declared(scope["headers"]) > self.body_limit:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self.body_seconds):
                async for chunk in _chunks(receive):
                    body += chunk
                    if len(body) > self.body_limit:
                        raise self._too_large()
        except TimeoutError:
            raise RefusedError(408, "The request took too long", "It did not arrive in time. Send it again.") from None
        return bytes(body)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, refusal: RefusedError) -> None:
        """Send `refusal` as JSON under /api and as a page elsewhere, then close the connection."""
        more: list[Header] = []
        if scope["path"] == "/api" or scope["path"].startswith("/api/"):
            message = TO_PROGRAMS.get(refusal.status, refusal.message)
            kind, body = b"application/json", json.dumps({"success": False, "message": message})
            more = [(b"access-control-allow-origin", origin) for origin in self._named(scope["headers"])]
        else:
            kind = b"text/html; charset=utf-8"
            body = self.page.replace(TITLE, html.escape(refusal.title)).replace(MESSAGE, html.escape(refusal.message))
        linger = None if refusal.status == 408 else receive
        await self._answer(send, refusal.status, kind, body.encode(), more=more, close=True, linger=linger)

    def _named(self, headers: Sequence[Header]) -> list[bytes]:
        return [value for name, value in headers if name == b"origin" and value in self.origins][:1]

    async def _answer(
        self,
        send: Send,
        status: int,
        kind: bytes,
        body: bytes,
        *,
        more: Sequence[Header] = (),
        close: bool = False,
        linger: Receive | None = None,
    ) -> None:
        """Send one answer with the headers that all answers have.

        With `linger`, what the client is still sending is read and thrown away for a moment before the connection
        closes: closing at once would reset it, and the answer would be lost on its way (RFC 9112 section 9.6).
        """
        length = str(len(body)).encode()
        headers = [(b"content-type", kind), (b"content-length", length), *self.own_headers, *more]
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": linger is not None})
        if linger:
            await _discard(linger)
            await send({"type": "http.response.body", "body": b""})

    def _too_large(self) -> RefusedError:
        message = f"At most {self.body_limit // 1024} KiB can be sent at once. Send less."
        return RefusedError(413, "That is too much", message)

    def _inner(self, scope: Scope, body: bytes) -> Scope:
        peer, port = scope.get("client") or ("", 0)
        sender = self.proxies.sender(peer, scope.get("scheme", "http"), scope["headers"])
        headers = clean(scope["headers"])
        if body or scope["method"] not in {"GET", "HEAD"}:
            headers.append((b"content-length", str(len(body)).encode()))
        client = (sender.address, port) if sender.address else None
        return {**scope, "client": client, "scheme": sender.scheme, "headers": headers}


def judge_head(scope: Scope) -> None:
    """Raise RefusedError for a request line or headers that no browser and no client of ours sends."""
    headers = scope["headers"]
    if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > TARGET_BYTES:
        raise RefusedError(414, "The address is too long", "Shorten it.")
    if len(headers) > HEADERS_MOST or sum(len(name) + len(value) for name, value in headers) > HEADERS_BYTES:
        raise RefusedError(431, "The headers are too large", "Delete this site's cookies, then try again.")
    if not scope["path"].startswith("/") or repeated(headers):
        raise RefusedError(400, "The request cannot be read", "Its address or its headers are not clear.")
    if any(name == b"content-type" and not CONTENT_TYPE.fullmatch(value) for name, value in headers):
        message = "Send a form as application/x-www-form-urlencoded, or JSON as application/json, in UTF-8."
        raise RefusedError(415, "This kind of content is not taken", message)


async def _discard(receive: Receive) -> None:
    seen = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            async for chunk in _chunks(receive):
                seen += len(chunk)
                if seen > LINGER_BYTES:
                    return
    except (TimeoutError, GoneError):
        return


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the parts of a body; raise GoneError when the client hangs up before its end."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _replay(body: bytes) -> Receive:
    """Return a `receive` that hands out `body` once, then says that the client is gone."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _declared(headers: Sequence[Header]) -> int:
    """Return the length that the client promised, 0 when it did not; the server has checked that it is a number."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

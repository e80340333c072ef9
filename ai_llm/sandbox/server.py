"""The HTTP server of the sandbox provider, on sockets of its own: one thread per connection."""

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self, cast

from ai_llm.sandbox import personalities
from ai_llm.sandbox.messages import Answer, Delivery, Received

BODY_LIMIT = 1024 * 1024
_NO_BODY = frozenset({204, 304})


def _ignore(*_given: object) -> None:
    return None


class Server(ThreadingHTTPServer):
    """Listens on `host` and `port` (0: a free one), with TLS if a context is given. Raises OSError for a taken port.

    With `also_tls` the same port speaks both: a connection that begins with a TLS handshake gets that context.

    `arrived(request)` is called for each request before it is answered, `answered(request, status)` when its answer
    begins (status 0: closed without one); both from the connection's thread.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        also_tls: ssl.SSLContext | None = None,
        arrived: Callable[[Received], None] = _ignore,
        answered: Callable[[Received, int], None] = _ignore,
    ) -> None:
        self.tls, self.also_tls, self.arrived, self.answered = tls, also_tls, arrived, answered
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def origin(self) -> str:
        """The server's scheme, host and port."""
        host, port = self.server_address[0], self.server_address[1]
        shown = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"{'https' if self.tls else 'http'}://{shown}:{port}"

    def stop(self) -> None:
        """End the loop of `serve_forever` in another thread, then every connection, and wait for their threads."""
        self.closing.set()
        self.shutdown()
        self.close()

    def close(self) -> None:
        """End every connection, stop listening, and wait for the connections' threads."""
        self.closing.set()
        for connection in list(self._open):
            _sever(connection)
        self.server_close()

    def server_bind(self) -> None:
        """Bind without the reverse name lookup of http.server, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its TLS handshake happens in its own thread."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def secured(self, plain: socket.socket) -> socket.socket:
        """Return the connection with TLS when that is how it begins, else as it is. Waits for its first byte."""
        if self.also_tls is None or plain.recv(1, socket.MSG_PEEK) != b"\x16":
            return plain
        secure = self.also_tls.wrap_socket(plain, server_side=True)
        self._open.add(secure)
        return secure

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show a mistake of ours; a client that goes away or refuses our certificate is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Server

    def __getattr__(self, name: str) -> Any:
        # The base class looks for do_GET, do_POST and so on; which methods exist is the dialect's decision.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def setup(self) -> None:
        """Take up a connection, with TLS when it begins so."""
        self.request.settimeout(self.timeout)
        self.plain, self.request = self.request, self.server.secured(self.request)
        super().setup()

    def finish(self) -> None:
        """End a connection, and the TLS that was put around it."""
        super().finish()
        if self.request is not self.plain:
            self.server.shutdown_request(self.request)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the server's `answered` hears of each request, without anything secret."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isascii() or not length.isdigit():
            return self.send_error(411)
        if int(length) > BODY_LIMIT:
            return self.send_error(413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("The client went away in the middle of its request.")
        received = Received(self.command, self.path, self.headers, body)
        self.server.arrived(received)
        answer = personalities.answer(received)
        self.server.answered(received, answer.status)
        return self._transmit(answer)

    def _transmit(self, answer: Answer) -> None:
        self.close_connection = self.close_connection or answer.delivery is not Delivery.WHOLE
        if answer.delay and self.server.closing.wait(answer.delay):
            return
        for piece in pieces(answer, with_body=self.command != "HEAD"):
            self.wfile.write(piece)
            if answer.pace and self.server.closing.wait(answer.pace):
                return


def pieces(answer: Answer, *, with_body: bool = True) -> Iterator[bytes]:
    """Yield the bytes of an answer in the pieces in which its delivery sends them."""
    head = _head(answer)
    body = answer.body if with_body and answer.status not in _NO_BODY else b""
    match answer.delivery:
        case Delivery.WHOLE:
            yield head + body
        case Delivery.DRIP:
            yield head
            yield from _bytes(body)
        case Delivery.DRIP_HEAD:
            yield from _bytes(head + body)
        case Delivery.CUT:
            yield head + body[: len(body) // 2]
        case Delivery.ENDLESS:
            yield head
            while body:
                yield body


def _head(answer: Answer) -> bytes:
    headers = {"Server": "sandbox", **answer.headers}
    if answer.delivery is not Delivery.ENDLESS and answer.status not in _NO_BODY:
        headers["Content-Length"] = str(len(answer.body))
    if answer.delivery is not Delivery.WHOLE:
        headers["Connection"] = "close"
    reason = BaseHTTPRequestHandler.responses.get(cast(Any, answer.status), ("Sandbox", ""))[0]
    lines = [
        f"HTTP/1.1 {answer.status} {reason}",
        *(f"{name}: {' '.join(value.split())}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _bytes(text: bytes) -> Iterator[bytes]:
    return (text[i : i + 1] for i in range(len(text)))


def _sever(connection: socket.socket) -> None:
    with suppress(OSError):
        # The plain socket's method: that of a TLS socket would take the ground from under the reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Sandbox:
    """The sandbox provider in a thread, on a free loopback port.

    `with Sandbox() as sandbox:` starts and stops it; `sandbox.url("/openai/v1")` is an address of it.

    `requests` are those that arrived, in order, each before its answer is sent.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        also_tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.requests: list[Received] = []
        self._server = Server(host, port, tls=tls, also_tls=also_tls, arrived=self.requests.append)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as http://127.0.0.1:40123."""
        return self._server.origin

    @property
    def host(self) -> str:
        """The host it listens on."""
        return self._server.server_name

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def url(self, path: str = "") -> str:
        """Return the address of `path`, which begins with a slash."""
        return f"{self.origin}{path}"

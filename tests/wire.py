"""Servers for tests of the outbound guard: they say exactly the bytes they are told to, on a real socket."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import trustme

HOST = "127.0.0.2"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"

Behaviour = Callable[[socket.socket], None]


class Server:
    """Accepts connections and lets `behaviour` treat each, in a thread of its own."""

    def __init__(self, behaviour: Behaviour, *, host: str = HOST, context: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []  # for behaviours that remember
        self.wake = threading.Event()  # for behaviours that wait
        self._behaviour, self._context = behaviour, context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=64)
        self.host, self.port = host, self._listener.getsockname()[1]
        self.stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def close(self) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is None:
                return self._behaviour(connection)
            with self._context.wrap_socket(connection, server_side=True) as wrapped:
                return self._behaviour(wrapped)


@contextlib.contextmanager
def serving(behaviour: Behaviour, **options: object) -> Iterator[Server]:
    """Serve `behaviour` while the block runs."""
    server = Server(behaviour, **options)
    try:
        yield server
    finally:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    """Return a request up to its empty line, and what came with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4096)
        if not part:
            return head
        head += part
    return head


def read_request(connection: socket.socket) -> bytes:
    """Return a whole request, with the body that its head announces."""
    request = read_head(connection)
    announced = re.search(rb"\r\nContent-Length: (\d+)\r\n", request)
    length = request.find(b"\r\n\r\n") + 4 + int(announced[1] if announced else 0)
    while len(request) < length:
        request += connection.recv(4096)
    return request


def saying(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    """Answer every request with `pieces`, `pause` seconds apart, and close."""

    def behaviour(connection: socket.socket) -> None:
        read_head(connection)
        for number, piece in enumerate(pieces):
            if number and pause:
                threading.Event().wait(pause)
            connection.sendall(piece)

    return behaviour


def endless(first: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """Answer with `first`, then with `piece` until the other side is gone."""

    def behaviour(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            if pause:
                threading.Event().wait(pause)

    return behaviour


def silent(connection: socket.socket) -> None:
    """Take everything and say nothing until the other side hangs up."""
    while connection.recv(4096):
        pass


def remembering(heads: list[bytes], answer: bytes = OK) -> Behaviour:
    """Keep each request in `heads` and answer."""

    def behaviour(connection: socket.socket) -> None:
        heads.append(read_request(connection))
        connection.sendall(answer)

    return behaviour


def tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's TLS with `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context

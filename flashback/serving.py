"""The server process: its listening socket, its patience with slow clients, and how it ends."""

import asyncio
import errno
import signal
import socket
from typing import Any

import h11
import uvicorn
from django.core.exceptions import ImproperlyConfigured
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from flashback.front import HEADERS

HEAD_SECONDS = 15
# A worker that stays silent for so long is killed and started again. On a machine that is busy with something else one
# needs more than uvicorn's 5 seconds to start, and would be killed again and again, in the middle of what it answers.
WORKER_SECONDS = 60
GRACE_SECONDS = 20
BACKLOG = 512
REASONS = {
    errno.EADDRINUSE: "another program listens there. Stop it, or set PORT to a free port",
    errno.EACCES: "ports below 1024 need more rights. Set PORT to 1024 or higher",
    errno.EADDRNOTAVAIL: "this machine has no such address. Set HOST to one of its own",
}


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request line and headers are not whole after HEAD_SECONDS.

    uvicorn itself waits for them without end, so that silent connections would pile up.
    """

    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it to Transport, as asyncio does
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take in data; the clock runs while no request is being answered."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self.head_timer:
            self.head_timer.cancel()
            self.head_timer = None
        elif not answering and self.head_timer is None and self.timeout_keep_alive_task is None:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with the headers that every answer has, and close the connection."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"), *HEADERS]
        events = (h11.Response(status_code=400, headers=headers), h11.Data(data=msg.encode()), h11.EndOfMessage())
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self.head_timer:
            self.head_timer.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self.head_timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ImproperlyConfigured with one line when it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ImproperlyConfigured(
            f"HOST is {host!r}; no such address is known. Set HOST to one of this machine."
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as fault:
        listener.close()
        reason = REASONS.get(fault.errno or 0, fault.strerror)
        raise ImproperlyConfigured(f"Port {port} on {host} cannot be used: {reason}.") from None
    return listener


def configuration(application: Any, *, workers: int = 1) -> uvicorn.Config:
    """Return how `application` (an ASGI callable, or "module:name" when there are several workers) is served."""
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        workers=workers,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )


def serve(application: str, listener: socket.socket, *, workers: int) -> None:
    """Serve `application` ("module:name") until SIGINT or SIGTERM; then finish what is in flight and return.

    One worker runs in this process; several run in children that are started again when they die.
    """
    config = configuration(application, workers=workers)
    # uvicorn raises the signal again when it is done; by then there is nothing left to end.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        Multiprocess(config, sockets=[listener]).run() if workers > 1 else uvicorn.Server(config).run([listener])
    except KeyboardInterrupt:
        return

"""The pages, sync Django under WSGI, mounted by a2wsgi in a pool of threads."""

from typing import Any

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import WSGIResponder


class Pages(WSGIMiddleware):
    """Runs a WSGI application in `workers` threads. What waits to be sent has no limit.

    So a thread is free as soon as its page is made, however slowly the client reads it.
    """

    def __init__(self, application: Any, *, workers: int) -> None:
        super().__init__(application, workers=workers, send_queue_size=0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await Responder(self.app, self.executor, self.send_queue_size)(scope, receive, send)


class Responder(WSGIResponder):
    """One answer on its way from its thread to the event loop."""

    def send(self, message: Any) -> None:
        """Hand over a piece and go on. a2wsgi waits until the loop has taken it, three times for a page."""
        self.loop.call_soon_threadsafe(self.send_queue.put_nowait, message)

"""The application that the server runs: the pages (sync Django in a pool of threads) behind the front door."""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings

from flashback import health
from flashback.front import Application, Front
from flashback.wsgi import application as django

# The casts: a2wsgi spells the types of WSGI and ASGI narrower than Django and the specification do.
# No limit on what waits to be sent: a thread is free as soon as its page is made, however slowly the client reads it.
pages = WSGIMiddleware(cast(Any, django), workers=settings.WEB_THREADS, send_queue_size=0)
application = Front(
    cast(Application, pages),
    body_limit=settings.BODY_LIMIT,
    body_seconds=settings.BODY_SECONDS,
    https=settings.HTTPS,
    trusted_proxies=settings.TRUSTED_PROXIES,
    ready=health.reasons,
)

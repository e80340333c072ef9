"""The application that the server runs: the pages (sync Django in a pool of threads) behind the front door."""

import gc

from django.conf import settings
from django.template.loader import render_to_string

from flashback import health
from flashback.front import MESSAGE, TITLE, Front
from flashback.pages import Pages
from flashback.wsgi import application as django

application = Front(
    Pages(django, workers=settings.WEB_THREADS),
    body_limit=settings.BODY_LIMIT,
    body_seconds=settings.BODY_SECONDS,
    https=settings.HTTPS,
    trusted_proxies=settings.TRUSTED_PROXIES,
    ready=health.reasons,
    origins=settings.API_ORIGINS,
    page=render_to_string("refused.html", {"title": TITLE, "message": MESSAGE}),
)

# What is loaded by now stays as long as the process does: the collector of garbage need not look at it ever again.
gc.freeze()

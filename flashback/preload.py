"""Pages that a browser asks for ahead, while the pointer rests on their link (static/js/preload.js)."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

HEADER = "HX-Preloaded"  # the name that htmx's own extension for this gives it
# Everything else is looked at only by going there: accounts with their second factors, the admin site with its records.
PLACES = ("/w/", "/organization", "/help")


class PreloadMiddleware:
    """Answers 204 to who asks ahead for a page that may not be had so, or that would use up what waits to be said."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if asked(request) and (not request.path.startswith(PLACES) or len(messages.get_messages(request))):
            return nothing()
        return self.get_response(request)


def asked(request: HttpRequest) -> bool:
    """Return whether the page is asked for ahead, so that nobody may ever see it: it must change nothing."""
    return HEADER in request.headers


def nothing() -> HttpResponse:
    """Return the answer that sends the browser to the page itself once its link is followed."""
    return HttpResponse(status=204)

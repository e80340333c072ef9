"""How the API answers: JSON in one envelope, whatever happened, and never a redirect.

`ApiMiddleware` stands in front of everything under /api. Cookies end there: what a browser sends by itself has no say.
Whatever other middleware or Django itself answers with a status of 300 and more leaves as the envelope too.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder

from flashback.etags import ANSWER_HEADERS
from flashback.web import INCIDENT

Handler = Callable[[HttpRequest], HttpResponse]

ROOT = "/api"
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")
STATUSES = {status.value for status in HTTPStatus}
MESSAGES = {
    400: "The request cannot be read.",
    403: "This is not allowed.",
    404: "There is nothing at this address.",
    405: "This address does not know this method.",
    413: "The body is too large: at most 256 KiB can be sent at once.",
    500: "The server met an error.",
    503: "The server cannot reach its storage. Try again shortly.",
}


class Encoder(NinjaJSONEncoder):
    """Writes moments in UTC, with milliseconds and Z."""

    def default(self, o: Any) -> Any:
        """Return `o` as JSON can hold it."""
        if isinstance(o, datetime):
            return moment(o)
        if isinstance(o, UUID):  # what lists have most of; django-ninja would ask for ten other types first
            return str(o)
        return super().default(o)


class Renderer(JSONRenderer):
    """Writes the answers of django-ninja."""

    encoder_class = Encoder


class ApiMiddleware:
    """Gives requests under /api no cookies, and answers under /api the envelope."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not concerns(request.path_info):
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)
        # The public client doubles the slash when its base address ends in one.
        request.path_info = f"{ROOT}/{request.path_info[len(ROOT) :].lstrip('/')}"
        if settings.HTTPS and not request.is_secure():
            return problem(403, "Use https. Over http everybody on the way reads your token: revoke it.")
        method = request.method
        if method == "HEAD":  # answered like GET; the server leaves the body out (RFC 9110, 9.3.2)
            request.method = "GET"
        response = self._enveloped(request, self.get_response(request))
        request.method = method
        for name, value in request.META.get(ANSWER_HEADERS, {}).items():
            response.headers[name] = value
        return response

    def _enveloped(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        status = response.status_code
        if status < 300 or response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        if status < 400:  # nothing under /api leads elsewhere
            status = 404
        message = MESSAGES.get(status) or f"{HTTPStatus(status).phrase if status in STATUSES else 'Error'}."
        if status == 500 and (incident := request.META.get(INCIDENT)):
            message = f"{message} It is incident {incident} in the server's log."
        answer = problem(status, message)
        for name in KEPT_HEADERS:
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        return answer


@csrf_exempt
@login_not_required
def nothing(request: HttpRequest, path: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer for every address under /api that there is not."""
    return problem(404, MESSAGES[404])


def concerns(path: str) -> bool:
    """Return whether this path belongs to the API."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def problem(status: int, message: str, **more: Any) -> HttpResponse:
    """Return the envelope of a failure; what is None in `more` is left out."""
    content: Mapping[str, Any] = {"success": False, "message": message}
    content = {**content, **{name: value for name, value in more.items() if value is not None}}
    return answer(content, status=status)


def answer(content: Any, *, status: int = 200) -> HttpResponse:
    """Return `content` as JSON."""
    text = json.dumps(content, cls=Encoder)
    return HttpResponse(text, status=status, content_type="application/json; charset=utf-8")


def moment(value: datetime) -> str:
    """Return a moment in UTC, with milliseconds and Z."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return f"{value.isoformat(timespec='milliseconds')[:-6]}Z"

"""What every page shares: headers, the two layouts, htmx manners, and the translation of errors into pages."""

import secrets
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, HttpResponseServerError
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render, resolve_url
from django.template.loader import get_template
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from flashback import storage
from flashback.errors import Conflict, Denied, Invalid, NotFound, Problem
from flashback.redaction import guarding

Handler = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
        "manifest-src 'self'",
    )
)
PERMISSIONS_POLICY = ", ".join(
    [
        f"{feature}=()"
        for feature in (
            "accelerometer",
            "camera",
            "geolocation",
            "gyroscope",
            "magnetometer",
            "microphone",
            "payment",
            "usb",
            "clipboard-read",
        )
    ]
    + ["clipboard-write=(self)"]
)
EVERY_ANSWER = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # no-referrer would make browsers send "Origin: null" with forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NO_STORE = "no-store, private"
VARY = ("HX-Request", "Cookie")
# Whitenoise says ten years; a year is as good, and the most that caches of the HTTP/1.1 of 1999 took (RFC 2616, 14.21).
IMMUTABLE = "public, max-age=31536000, immutable"
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.1
STATUS = {NotFound: 404, Denied: 403, Conflict: 409, Invalid: 422}
SECRET_FIELDS = ("secret", "key", "password", "oldpassword", "password1", "password2", "confirm-password")
INCIDENT = "flashback.incident"  # the key in request.META; flashback.redaction writes its value into the log


class SecurityHeadersMiddleware:
    """Puts the headers on every answer, also on those that other middleware made. Only static files may be kept."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in EVERY_ANSWER.items():
            response.headers.setdefault(name, value)
        if "immutable" in response.headers.get("Cache-Control", ""):
            response.headers["Cache-Control"] = IMMUTABLE
        else:
            response.headers["Cache-Control"] = NO_STORE
            patch_vary_headers(response, VARY)
        return response


class CsrfMiddleware(CsrfViewMiddleware):
    """Django's check, and over plain http too: a form without an Origin must not come from a page of another site."""

    def process_view(self, request: HttpRequest, callback: Any, callback_args: Any, callback_kwargs: Any) -> Any:
        """Return the refusal, or None when the form may pass."""
        refused = super().process_view(request, callback, callback_args, callback_kwargs)
        exempt = request.method in SAFE or getattr(callback, "csrf_exempt", False)
        if refused is not None or exempt or "Origin" in request.headers:
            return refused
        referer = request.headers.get("Referer", "")
        if referer and not url_has_allowed_host_and_scheme(referer, {request.get_host()}):
            return csrf_failure(request)
        return None


class GuardSecretsMiddleware:
    """Keeps what somebody typed into a secret's field out of every log line and report of the same request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return self.get_response(request)
        with guarding(*(typed for field in SECRET_FIELDS for typed in request.POST.getlist(field))):
            return self.get_response(request)


class HtmxPagesMiddleware:
    """Manners towards htmx: one address serves page and fragment, and a redirect to the sign-in leaves the page.

    A redirect to the sign-in page becomes 401 with HX-Redirect, so that it never lands inside a page; it comes back to
    the page the person was looking at, not to the address of the fragment.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not getattr(request, "htmx", False):
            return response
        location = response.headers.get("Location", "")
        sign_in = resolve_url(settings.LOGIN_URL)
        if response.status_code in {301, 302, 303} and urlsplit(location).path == sign_in:
            return leave(request, f"{sign_in}?{urlencode({'next': current_path(request)})}")
        if response.status_code >= 400:
            response.headers.setdefault("HX-Push-Url", "false")
        return response


def current_path(request: HttpRequest) -> str:
    """Return the path of the page that an htmx request came from, "/" when it names none of this host."""
    return _path_here(request, request.headers.get("HX-Current-URL", "")) or "/"


def came_from(request: HttpRequest) -> str:
    """Return the path, with its query, of the page whose link led here, "" for a page of another host or none."""
    return _path_here(request, request.headers.get("Referer", ""))


def _path_here(request: HttpRequest, address: str) -> str:
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}):
        return ""
    parts = urlsplit(address)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return path if path.startswith("/") and url_has_allowed_host_and_scheme(path, None) else ""  # // leads elsewhere


def leave(request: HttpRequest, path: str) -> HttpResponse:
    """Lead to another page as a whole: by 303, and for htmx, whose answers land inside a page, by HX-Redirect."""
    if not getattr(request, "htmx", False):
        return see_other(path)
    answer = HttpResponse(status=401)
    answer.headers["HX-Redirect"] = path
    return answer


class ProblemsMiddleware:
    """Turns what a verb raised into a page: 404, 403, 409 or 422 with a sentence and a next step; and 405 too."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        page = problem_page(request, 405)
        page.headers["Allow"] = response.headers["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for the four errors of `flashback.errors`; anything else is left to Django."""
        if not isinstance(exception, Problem):
            return None
        status = exception.status or next(code for kind, code in STATUS.items() if isinstance(exception, kind))
        return problem_page(request, status, exception.message)


def problem_page(request: HttpRequest, status: int, message: str = "") -> HttpResponse:
    """Return the error page of `status`; the template is the same for all, the words are not."""
    return render(request, "problem.html", {"status": status, "message": message}, status=status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404 without telling whether the thing ever existed."""
    return problem_page(request, 404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403 for what Django itself refuses."""
    return problem_page(request, 403)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400 for what cannot be read: an unknown host, too many fields."""
    return problem_page(request, 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 with a number that the log has too, or 503 when storage is away. Asks no database.

    Django comes here with every exception that nothing else answered, from views and from middleware alike.
    """
    fault = sys.exception()
    if fault is not None and (word := storage.reason(fault)):
        return storage.unavailable(word, fault, request)
    incident = request.META[INCIDENT] = secrets.token_hex(4)
    try:
        return HttpResponseServerError(get_template("500.html").render({"incident": incident}))
    except Exception:  # the page itself may be what is broken; the person still gets the number
        return HttpResponseServerError(f"The server met an error. It is incident {incident} in the server's log.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is missing or old, with the way back to its page."""
    page = current_path(request) if getattr(request, "htmx", False) else came_from(request)
    return render(request, "problem.html", {"status": 403, "again": page or "/"}, status=403)


def layout(request: HttpRequest) -> dict[str, Any]:
    """Return `layout`: the whole page, or the fragment for an htmx request that is not a history restore."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    fragment = htmx is not None and bool(htmx) and not htmx.history_restore_request
    return {"layout": "fragment.html" if fragment else "base.html"}


def see_other(to: str, *arguments: Any, **keywords: Any) -> HttpResponseRedirect:
    """Return a 303 to a named route or a path, the answer to every POST that changed something."""
    response = HttpResponseRedirect(resolve_url(to, *arguments, **keywords))
    response.status_code = 303
    return response

"""Which web pages of other origins may call the API from a browser: none, unless FLASHBACK_API_ORIGINS names them.

Follows https://fetch.spec.whatwg.org/#http-cors-protocol. No credentials are allowed, because cookies have no say in
the API: a page needs a bearer token, as every other client does.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from flashback.envelope import concerns

Handler = Callable[[HttpRequest], HttpResponse]

ALLOWED_METHODS = "GET, POST, PUT, DELETE"
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, Idempotency-Key"
EXPOSED_HEADERS = "ETag, RateLimit, RateLimit-Policy, Retry-After"
SECONDS = "7200"  # browsers keep an answer to a preflight for so long at most


class CorsMiddleware:
    """Answers preflights under /api, and marks answers to pages of named origins as readable by them."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.API_ORIGINS or not concerns(request.path_info):
            return self.get_response(request)
        origin = request.headers.get("Origin", "")
        named = origin in settings.API_ORIGINS
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if preflight and named else self.get_response(request)
        patch_vary_headers(response, ["Origin"])
        if not named:
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
            response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = SECONDS
        else:
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response

"""The REST API under /api: one django-ninja instance that is made of the apps' routers.

Conventions, for whoever adds an operation:

- Routers live in `<app>/api.py` (or a module beside it per noun) and are listed in `ROUTERS` below. Paths have no
  slash at the end; ids in them are `{uuid:id}`, so that anything else is an unknown address. Function names are unique
  over the whole API and say what is done (`create_ai_llm`); they become the operation ids.
- `auth=bearer.read`, `bearer.validate` or `bearer.write` (from `workspaces.bearer`) says which scope an API token
  needs; without one only a login token of a person is taken. `bearer.caller(request).person` is the actor for the
  verbs, which ask the permission: an API token's limits are on that person already.
- Bodies are `flashback.schemas.Input` (strict; unknown fields are refused and named), answers `Answer` (which begins
  with `success`) made of `Output`, constructed as instances: django-ninja then skips a second validation. Python names
  in snake_case travel in camelCase; what travels otherwise has an `alias`. Every field has a description and examples,
  and its default is written `default=`. `Id`, `Moment`, `Counter`, `CommaList` and `Ignored` are there for what they
  say. `body.given()` is what was sent.
- `response=` names the model for success. The failures are the same everywhere, and are added to the OpenAPI here.
- The docstring documents the operation: its first line is the summary, and both are for people who read /api/docs.
- Verbs raise `flashback.errors`; nothing catches them but here: `Invalid` is 400 with `errors`, `Denied` 403,
  `NotFound` 404, `Conflict` 409, and a `Problem` with its own `status` that one. `schemas.naming(type="aiType")`
  renames the fields of an `Invalid`. A problem with `error_code` has that in its answer.
- Query parameters that no function takes are refused and named; one that is given twice is refused.
- `etags.show(request, etags.of(…))` puts an ETag on the answer and `etags.require(request, tag)` honours If-Match.
- What is typed into a field of a secret (`parsing.SENSITIVE`) is kept out of logs while the view runs.
"""

import json
import re
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

import ai_llm.api
import repositories.api
import workspaces.api
import workspaces.api_account
import workspaces.api_events
import workspaces.api_invitations
import workspaces.api_organizations
import workspaces.api_own
import workspaces.api_second_factor
import workspaces.api_tokens
import workspaces.api_users
import workspaces.api_workspaces
from flashback import envelope, idempotency, openapi, parsing
from flashback.errors import Conflict, Denied, Invalid, NotFound, Problem, Repeated
from flashback.redaction import guarding
from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT
from workspaces import bearer

VERSION = "1.0"
DESCRIPTION = (
    "All that the console does, for programs. Send `Authorization: Bearer …` with an access token of "
    "POST /user/login or an API token. Answers and failures are JSON with `success` and, for failures, `message`. "
    "Moments are ISO 8601 in UTC with milliseconds; counters that may grow large are strings. Within version 1, fields "
    "and addresses are added, and none is changed or taken away."
)
# In the place of pydantic's words for Python's types, some of which repeat what was sent.
WORDS = {
    "uuid": f"Must be an id (UUID), such as {EXAMPLE_ID}.",
    "datetime": f"Must be a moment with its zone, such as {EXAMPLE_MOMENT}.",
    "date": "Must be a day, such as 2026-03-16.",
    "model": "Must be an object.",
    "dict": "Must be an object.",
}
STATUS: dict[type[Problem], int] = {NotFound: 404, Denied: 403, Conflict: 409, Invalid: 400}
ROUTERS = (
    workspaces.api.router,
    workspaces.api_account.router,
    workspaces.api_second_factor.router,
    workspaces.api_own.router,
    workspaces.api_tokens.router,
    workspaces.api_users.router,
    workspaces.api_organizations.router,
    workspaces.api_invitations.router,
    workspaces.api_workspaces.router,
    workspaces.api_events.router,
    ai_llm.api.router,
    repositories.api.router,
)


class Api(NinjaAPI):
    """django-ninja with our operation ids."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of the function: it is unique, and says what is done."""
        return operation.view_func.__name__


api = Api(
    title="Flashback API",
    version=VERSION,
    urls_namespace="api",
    auth=bearer.person,
    parser=parsing.StrictParser(),
    renderer=envelope.Renderer(),
    openapi_url=None,
    docs_url=None,
    description=DESCRIPTION,
    servers=[{"url": envelope.ROOT, "description": "This installation."}],
)
for router in ROUTERS:
    api.add_router("", router)


@api.exception_handler(Problem)
def _problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    status = problem.status or next(code for kind, code in STATUS.items() if isinstance(problem, kind))
    errors = _named(problem.errors) if isinstance(problem, Invalid) else None
    code = getattr(problem, "error_code", None)
    message = idempotency.REUSED if isinstance(problem, Repeated) else problem.message
    answer = envelope.problem(status, message, errors=errors, error_code=code, error_message=message if code else None)
    if retry_after := getattr(problem, "retry_after", 0):
        answer.headers["Retry-After"] = str(retry_after)
    if status == 401:
        given = "" if isinstance(problem, bearer.Unauthenticated) else ', error="invalid_token"'
        answer.headers["WWW-Authenticate"] = f'Bearer realm="flashback"{given}'
    return answer


@api.exception_handler(ValidationError)
def _not_as_described(request: HttpRequest, fault: ValidationError) -> HttpResponse:
    errors: dict[str, str] = {}
    for one in fault.errors:
        errors.setdefault(_field(one["loc"]), _words(one))
    sentences = [f"{name or 'The body'}: {text}" for name, text in errors.items()]
    return envelope.problem(400, " ".join(sentences), errors=_named(errors))


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, fault: HttpError) -> HttpResponse:
    if isinstance(fault.__cause__, Problem):  # what the parser raised
        return _problem(request, fault.__cause__)
    return envelope.problem(fault.status_code, str(fault))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, fault: Http404) -> HttpResponse:
    return envelope.problem(404, envelope.MESSAGES[404])


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, fault: RequestDataTooBig) -> HttpResponse:
    return envelope.problem(413, envelope.MESSAGES[413])


@api.exception_handler(UnreadablePostError)
def _unreadable(request: HttpRequest, fault: UnreadablePostError) -> HttpResponse:
    return envelope.problem(400, envelope.MESSAGES[400])


@api.exception_handler(Exception)
def _fault(request: HttpRequest, fault: Exception) -> HttpResponse:
    raise fault  # `flashback.web.server_error` answers, and the middleware puts it into the envelope


def _named(errors: dict[str, str]) -> dict[str, str] | None:
    """Return the errors without what is about no field, which the message says; None for nothing left."""
    return {name: text for name, text in errors.items() if name} or None


def _field(place: tuple[Any, ...]) -> str:
    # ("body", "body", "name") and ("query", "name"): where it is, the function's argument for a body, then the path.
    parts = place[2:] if place[0] == "body" else place[1:]
    return ".".join(parsing.shown(str(part)) for part in parts)


def _words(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "This field is not known here."
    if error["type"] == "missing":
        return "This field is required."
    if words := WORDS.get(str(error["type"]).partition("_")[0]):
        return words
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{text[:1].upper()}{text[1:]}.".replace("..", ".")


def operations() -> list[tuple[str, Operation]]:
    """Return every operation with its path, such as /workspace/{uuid:id}."""
    found = []
    for bound in api._get_bound_routers():
        for place, view in bound.path_operations.items():
            found += [
                (f"/{bound.prefix.strip('/')}/{place.strip('/')}".replace("//", "/"), one) for one in view.operations
            ]
    return found


def _surrounded(operation: Operation) -> Callable[..., Any]:
    """Return the operation's function with what every one of them needs around it."""
    view = operation.view_func
    known = {
        name
        for model in operation.models
        if model.__ninja_param_source__ == "query"
        for name in cast(Any, model).__ninja_flatten_map__
    }

    @wraps(view)
    def surrounded(request: HttpRequest, **values: Any) -> Any:
        if unknown := sorted(set(request.GET) - known):
            raise Invalid({parsing.shown(name): f"{parsing.shown(name)} is not known here." for name in unknown})
        caller = getattr(request, "auth", None)
        with guarding(*parsing.secrets_in(request.META.get(parsing.BODY))):
            if not isinstance(caller, bearer.Caller):
                return view(request, **values)
            with caller.source():
                return view(request, **values)

    return surrounded


def _prepare() -> None:
    for _, operation in operations():
        operation.view_func = _surrounded(operation)
        operation.by_alias = True
        text = (operation.view_func.__doc__ or "").strip()
        operation.summary = text.partition("\n")[0].rstrip(".")


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, whose paths stand below /api."""
    needs: dict[tuple[str, str], str | None] = {}
    for address, operation in operations():
        doors = [door for door in operation.auth_callbacks if isinstance(door, bearer.Bearer)]
        plain = re.sub(r"{[^}:]+:", "{", address)
        for method in operation.methods:
            needs[method.lower(), plain] = doors[0].needs.value if doors and doors[0].needs else None
    return openapi.completed(dict(api.get_openapi_schema(path_prefix="")), needs)


@csrf_exempt
@require_safe
def describe(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document."""
    return envelope.answer(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the OpenAPI document to people, from local files."""
    settings = {"url": f"{envelope.ROOT}/openapi.json", "layout": "BaseLayout", "deepLinking": True}
    return render(request, "api/docs.html", {"swagger": json.dumps({**settings, "tryItOutEnabled": True})})


_prepare()
urls = api.urls
urls[0][:0] = [path("openapi.json", describe, name="openapi"), path("docs", docs, name="docs")]
for pattern in urls[0]:
    if isinstance(pattern, URLPattern):
        pattern.callback = login_not_required(pattern.callback)

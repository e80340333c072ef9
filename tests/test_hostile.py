"""No input whatsoever gives a 500: every route with hostile paths, queries, fields, headers and cookies."""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from django.contrib import admin
from django.core import signing
from django.core.cache import cache
from django.db.models import Model
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ai_llm.forms import ROW_SALT
from ai_llm.models import AiLlm, Check
from ai_llm.sandbox import SECRETS, Sandbox
from tests import build
from tests.conftest import People
from tests.routes import Places, Route, every_route, own_routes
from workspaces import setup
from workspaces.models import User

FORM = "application/x-www-form-urlencoded"
# As bytes: what no browser sends can still be sent.
VALUES = [
    b"a\0b",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"9" * 40,
    b"http://[",
    b"9" * 5000,
    "\u202egro.elpmaxe\u200b".encode(),
    b"e" + b"\xcc\x81" * 3000,
    b"\r\nX-Evil: 1",
    b"-1",
    "\u0663".encode(),  # a figure, for Python
    b"{{ 7*7 }}%s%00\\N{DIGIT ONE}\\ud800",
    b"//evil.example/../'\"><script>",
    b"x" * 7000,
]
WORST = VALUES[:6]
ENDPOINT = {"endpoint": "https://api.openai.com/v1"}
STEP = {"type": "OPENAI", "name": "x", **ENDPOINT, "step": ""}
PASSWORDS = {"password1": "x", "password2": "x"}
# What a page reads from its address, with values that let it get far.
QUERIES = {
    "account_login": {"next": "/"},
    "account_reauthenticate": {"next": "/"},
    "account_logout": {"next": "/"},
    "activity": {"about": str(uuid4()), "page": "1"},
    "ai_llm": {"page": "1"},
    "ai_llm_edit": ENDPOINT,
    "ai_llm_new": STEP,
    "ai_llms": {"q": "x", "type": "OPENAI", "state": "never", "order": "name", "page": "1"},
    "ai_llms_change": {"ids": str(uuid4())},
    "ai_llms_validate": {"ids": str(uuid4()), "at": "0"},
    "ai_api_keys": {"q": "x", "state": "live", "repository": str(uuid4()), "order": "name", "page": "1"},
    "ai_llm_attach": {"q": "x", "page": "1"},
    "ai_llm_diagnostics": {"format": "json"},
    "ai_llm_move": {"q": "x", "page": "1"},
    "audit": {"q": "x", "who": "command", "action": "ai_llm", "object": str(uuid4()), "from": "2026-01-01",
              "until": "2026-01-02", "before": "1-1", "after": "1-1"},
    "invitations": {"state": "open", "page": "1"},
    "members": {"page": "1"},
    "organization_audit": {"who": str(uuid4()), "from": "2026-01-01", "after": "1-1"},
    "people": {"q": "x", "role": "0", "state": "active", "page": "1"},
    "repositories": {"page": "1"},
    "repository": {"page": "1", "moved": str(uuid4())},
    "repository_attach": {"q": "x", "page": "1"},
    "repository_inventory": {"q": "x", "state": "live", "order": "name", "page": "1"},
    "repository_models": {"q": "x", "ai_llm": str(uuid4()), "page": "1"},
    "repository_new": {"attach": str(uuid4())},
    "workspaces": {"page": "1"},
}  # fmt: skip
# What a form sends.
FORMS = {
    "account": {"name": "x", "last_name": "x", "theme": "dark", "reminder_mails": "on", "rejection_mails": "on"},
    "account_theme": {"theme": "dark"},
    "email_change": {"email": "x@example.com"},
    "mfa_activate_totp": {"code": "123456"},
    "mfa_authenticate": {"code": "123456"},
    "mfa_reauthenticate": {"code": "123456", "next": "/"},
    "organization_security": {"policy": "off"},
    "account_change_password": {"oldpassword": build.PASSWORD, **PASSWORDS},
    "account_login": {"login": "nobody@example.com", "password": "x", "next": "/", "remember": "1"},
    "account_reauthenticate": {"password": "x", "next": "/"},
    "account_reset_password": {"email": "nobody@example.com"},
    "account_reset_password_from_key": PASSWORDS,
    "ai_llm_delete": {"name": "x", "move_to": str(uuid4())},
    "ai_llm_edit": {
        "name": "x",
        **ENDPOINT,
        "version": "1",
        "secret": "",
        "key": "",
        "notes": "x",
        "expires_at": "2030-01-01",
        "rotate_every_days": "90",
        "scheduled": "on",
    },
    "ai_api_key_new": {"name": "x", "type": "OPENAI", "expires": "2027-01-01", "patterns": "gpt-*", "row": "x"},
    "ai_llms_change": {"ids": str(uuid4()), "typed": "delete 1"},
    "ai_llm_attach": {"chosen": str(uuid4())},
    "ai_llm_former": {"action": "return", "former": str(uuid4())},
    "ai_llm_message": {"model": "x", "version": "1"},
    "ai_llm_move": {"chosen": str(uuid4())},
    "ai_llm_waiting": {"action": "retry", "keep": "24h", "waiting": str(uuid4())},
    "api_token_new": {"name": "x", "scope": "read", "days": "90", "row": "x"},
    "audit_export": {"format": "csv", "from": "2026-01-01", "until": "2026-01-02"},
    "invitation_new": {"email": "x@example.com", "role": "0", "way": "link", f"workspace-{uuid4()}": "READ"},
    "organization": {"name": "x", "domain": "example.com", "website": "https://example.com", "phone": "1"},
    "provider_key_new": {"name": "x", "provider": "OPENAI", **ENDPOINT, "secret": SECRETS.openai, "key": "",
                         "expires_at": "2030-01-01", "row": "x"},
    "repository_attach": {"chosen": str(uuid4())},
    "repository_delete": {"name": "x"},
    "repository_edit": {"name": "x", "description": "x", "storage_type": "S3", "mode": "NORMAL"},
    "repository_new": {"name": "x", "description": "x", "storage_type": "S3", "mode": "NORMAL", "attach": str(uuid4())},
    "repository_order": {"up": str(uuid4()), "version": "1"},
    "ai_llm_examine": {"type": "OPENAI", "name": "x", **ENDPOINT, "fix": ENDPOINT["endpoint"]},
    "ai_llm_rotate": {"secret": SECRETS.openai, "key": "", "remove_key": "", "keyless": ""},
    "member_add": {"person": "", "email": "nobody@example.com", "role": "READ"},
    "member_role": {"role": "READ"},
    "workspace_new": {"name": "x"},
    "workspace_delete": {"name": "x"},
    "workspace_settings": {"name": "x", "keep_slug": "1", "was": "Main"},
}  # fmt: skip
EVERY_QUERY = sorted({name for fields in QUERIES.values() for name in fields})
EVERY_FIELD = sorted({name for fields in FORMS.values() for name in fields} | {"row", "action", "csrfmiddlewaretoken"})
HEADERS = {
    "HTTP_HX_CURRENT_URL": "http://testserver/x",
    "HTTP_HX_CURRENT_URL_URI_AUTOENCODED": "true",
    "HTTP_HX_HISTORY_RESTORE_REQUEST": "true",
    "HTTP_HX_TARGET": "main",
    "HTTP_HX_TRIGGERING_EVENT": "{}",
    "HTTP_ACCEPT": "text/html",
    "HTTP_ACCEPT_ENCODING": "gzip",
    "HTTP_ACCEPT_LANGUAGE": "en",
    "HTTP_IF_MODIFIED_SINCE": "Mon, 23 Nov 2026 00:00:00 GMT",
    "HTTP_IF_NONE_MATCH": '"x"',
    "HTTP_RANGE": "bytes=0-1",
    "HTTP_REFERER": "http://testserver/",
    "HTTP_ORIGIN": "http://testserver",
    "HTTP_USER_AGENT": "x",
    "HTTP_X_CSRFTOKEN": "x",
    "HTTP_X_REQUESTED_WITH": "XMLHttpRequest",
    "HTTP_COOKIE": "sid=",
}
SignedIn = Callable[[User], Client]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def places(people: People, settings: object, sandbox: Sandbox) -> Places:
    """What the addresses of real things carry. The only provider is the sandbox."""
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{sandbox.port}"]
    row = build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1"))
    return Places.around(people, row)


def address_of(route: Route, places: Places) -> str:
    return route.address(places.of(route))


def broken(client: Client, method: str, address: str, body: bytes = b"", **more: str) -> list[str]:
    """What to complain about after one request. No limit on attempts keeps the next one from getting as far."""
    cache.clear()
    client.raise_request_exception = False
    status = client.generic(method, address, body, FORM, **more).status_code
    return [f"{status} {method} {address[:300]} {body[:300]!r} {more}"] if status >= 500 else []


def all_at_once(names: list[str], values: list[bytes] = VALUES) -> Iterator[dict[str, bytes]]:
    """Something hostile for every name, different in each, until every name had every value."""
    for turn in range(len(values)):
        yield {name: values[(turn + place) % len(values)] for place, name in enumerate(names)}


def one_by_one(fields: Mapping[str, str]) -> Iterator[dict[str, str | bytes]]:
    """Fields as they should be but for one: what comes first cannot hide what comes behind it."""
    for name in fields:
        for value in WORST:
            yield {**fields, name: value}


@pytest.mark.parametrize("route", own_routes(), ids=lambda route: route.name)
def test_any_path_any_query_and_any_field(route: Route, places: Places, people: People, signed_in: SignedIn) -> None:
    found, client, address = [], signed_in(people.owner), address_of(route, places)
    for query, fields in zip(all_at_once(EVERY_QUERY), all_at_once(EVERY_FIELD), strict=True):
        found += broken(client, "POST", f"{address}?{urlencode(query)}", urlencode(fields).encode())
    for query in one_by_one(QUERIES.get(route.name, {})):
        found += broken(client, "GET", f"{address}?{urlencode(query)}")
    for name in route.parameters:
        for value in WORST[:4]:
            hostile = route.address({**places.of(route), name: "HOSTILE"}).replace("HOSTILE", quote(value, safe=""))
            found += broken(client, "GET", hostile)
    assert found == []


@pytest.mark.parametrize("name", FORMS)
def test_any_value_in_any_field(name: str, places: Places, people: People, signed_in: SignedIn) -> None:
    route = next(route for route in own_routes() if route.name == name)
    client = Client() if name in {"account_login", "account_reset_password"} else signed_in(people.owner)
    found = []
    for fields in one_by_one(FORMS[name]):
        found += broken(client, "POST", address_of(route, places), urlencode(fields).encode())
    assert found == []


@pytest.mark.parametrize("field", ["row", "secret", "key", "action", "name", "endpoint", "type", "fix"])
def test_any_value_in_any_step_of_the_wizard(
    field: str, places: Places, people: People, sandbox: Sandbox, signed_in: SignedIn
) -> None:
    client, found, new = signed_in(people.writer), [], f"/w/{places.people.workspace.slug}/ai/llm/new"
    for number, value in enumerate(WORST):
        answers = {"type": "OPENAI", "name": f"new {number}", "endpoint": sandbox.url("/openai/v1")}
        row = signing.dumps([str(uuid4()), str(people.writer.pk), str(people.workspace.pk)], salt=ROW_SALT)
        given = {"row": row, "secret": SECRETS.openai, "key": "", "action": ("create", "test")[number % 2]}
        found += broken(client, "POST", f"{new}?type=OPENAI", urlencode({**answers, field: value}).encode())
        (answers if field in answers else given)[field] = value
        found += broken(client, "POST", f"{new}?{urlencode(answers)}", urlencode(given).encode())
    assert found == []


def test_any_value_in_any_field_of_the_setup(db: None) -> None:
    address = (setup.link() or "").partition("//")[2].partition("/")[2]
    fields = {"organization": "x", "workspace": "x", "name": "x", "email": "none", "password": build.PASSWORD}
    found = []
    for hostile in one_by_one(fields):
        found += broken(Client(), "POST", f"/{address}", urlencode(hostile).encode())
    assert Client().get(f"/{address}").status_code == 200
    assert found == []


def test_any_value_in_any_header(places: Places, people: People, signed_in: SignedIn) -> None:
    client, found = signed_in(people.writer), []
    for hostile in all_at_once(list(HEADERS)):
        for start in ({}, HEADERS):
            more = {name: start.get(name, "") + value.decode("latin-1") for name, value in hostile.items()}
            found += broken(
                Client(), "POST", "/account/login", b"login=x@example.com&password=x", REMOTE_ADDR="", **more
            )
            found += broken(Client(), "GET", "/account", **{**more, "HTTP_HX_REQUEST": "true"})
            del more["HTTP_COOKIE"]  # signed in
            for address in (f"/w/{places.people.workspace.slug}/ai", "/admin/"):
                found += broken(client, "GET", address, **{**more, "HTTP_HX_REQUEST": "true"})
    assert found == []


@pytest.mark.parametrize("name", ["sid", "csrf", "messages", "other"])
@pytest.mark.parametrize("value", ['"' + "a" * 31 + '\\000"', '"' + "\\351" * 32 + '"', "\xff" * 32, "=;=", '"'])
def test_any_cookie(name: str, value: str, people: People) -> None:
    """Python still reads the octal escapes that RFC 2109 had, so a cookie can hold any character."""
    for path in ("/account", "/account/login", "/admin/"):
        assert broken(Client(), "GET", path, HTTP_COOKIE=f"{name}={value}") == []
        assert broken(Client(), "POST", path, HTTP_COOKIE=f"{name}={value}") == []


@pytest.mark.parametrize("route", [one for one in every_route() if one not in own_routes()], ids=lambda one: one.name)
def test_any_path_in_the_admin_site(route: Route, places: Places, people: People, signed_in: SignedIn) -> None:
    client, found = signed_in(people.staff), []
    for place, fields in enumerate(all_at_once(["_to_field", "_popup", "term", "field_name", "model_name"], WORST)):
        path = route.address(dict.fromkeys(route.parameters, "HOSTILE")).replace(
            "HOSTILE", quote(WORST[place], safe="")
        )
        found += broken(client, ("GET", "POST")[place % 2], f"{path}?{urlencode(fields)}", urlencode(fields).encode())
    assert found == []


def test_any_value_in_the_one_form_of_the_admin_site(people: People, signed_in: SignedIn) -> None:
    client, address = signed_in(people.staff), f"/admin/workspaces/user/{people.reader.pk}/change/"
    found = []
    for fields in one_by_one({"is_active": "on", "is_staff": "on", "_save": "x", "_popup": "", "_to_field": ""}):
        found += broken(client, "POST", f"{address}?{urlencode(fields)}", urlencode(fields).encode())
    assert found == []


@pytest.mark.parametrize("model", [site.model for site in admin.site._registry.values()], ids=lambda one: one.__name__)
def test_any_query_in_the_lists_of_the_admin_site(
    model: type[Model], places: Places, people: People, signed_in: SignedIn
) -> None:
    client, site, found = signed_in(people.staff), admin.site._registry[model], []
    Check.objects.create(ai_llm=AiLlm.objects.get(), verdict="accepted", cause="accepted")
    filters = [entry[0] if isinstance(entry, tuple) else entry for entry in site.list_filter]
    names = [
        "q",
        "p",
        "o",
        "e",
        "all",
        "_to_field",
        "_popup",
        "_facets",
        "workspace__x",
        f"{site.date_hierarchy}__year",
    ]
    names += [f"{name}{kind}" for name in filters for kind in ("", "__exact", "__isempty")]
    for name in names:
        for value in (b"a\0b", b"\xff\xfe", b"9" * 40, b"-1.0.9999"):
            address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/?{name}={quote(value)}"
            found += broken(client, "GET", address)
    assert found == []


ANYTHING = st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=20)
PAIRS = st.lists(st.tuples(st.sampled_from([*EVERY_QUERY, *EVERY_FIELD]), ANYTHING), max_size=6).map(urlencode)


@examples(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_invented(data: st.DataObject, places: Places, people: People, signed_in: SignedIn) -> None:
    address = address_of(data.draw(st.sampled_from(own_routes())), places)
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]))
    client = signed_in(data.draw(st.sampled_from([people.owner, people.writer, people.reader, people.stranger])))
    path = f"{address}?{data.draw(PAIRS)}"
    assert broken(client, method, path, data.draw(PAIRS).encode()) == []


def test_an_input_that_breaks_something_would_be_seen(
    people: People, places: Places, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai_llm.bulk._number", int)
    address = f"/w/{places.people.workspace.slug}/ai/llm/validate?ids={places.ai_llm.pk}&at="
    assert broken(signed_in(people.writer), "GET", f"{address}0") == []
    complaints = broken(signed_in(people.writer), "GET", f"{address}x")
    assert [line[:3] for line in complaints] == ["500"]

"""What every answer carries and what no request can do: from outside, against the real server, over http and https."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.console import EMAIL, PASSWORD, Console, running
from tests.visitor import Answer, Visitor

pytestmark = pytest.mark.server

HOST = "flashback.example.com"
TABLE = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
        "manifest-src 'self'"
    ),
    "permissions-policy": (
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), "
        "usb=(), clipboard-read=(), clipboard-write=(self)"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
HSTS = "max-age=31536000; includeSubDomains"
NEVER_SENT = {"server", "x-powered-by", "access-control-allow-origin", "access-control-allow-methods", "via"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTMX = {"HX-Request": "true"}
LIST, NEW = "/w/main/ai/llm", "/w/main/ai/llm/new"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The installation of somebody who has just started it, with an owner. Mails are printed into its log."""
    with running(tmp_path_factory.mktemp("web")) as started:
        started.add_owner()
        yield started


@pytest.fixture(scope="module")
def secure(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Somebody who comes to the same data through a proxy that serves https."""
    folder = tmp_path_factory.mktemp("secure")
    with closing(sqlite3.connect(console.data / "flashback.sqlite3")) as one:
        (folder / "data").mkdir()
        with closing(sqlite3.connect(folder / "data" / "flashback.sqlite3")) as other:
            one.backup(other)
    for name in ("keys", "static", "static.stamp"):
        (folder / "data" / name).symlink_to(console.data / name)
    given = {"FLASHBACK_PUBLIC_URL": f"https://{HOST}", "FLASHBACK_TRUSTED_PROXIES": "127.0.0.1"}
    with running(folder, **given) as started:
        yield Visitor(port_of(started), host=HOST, https=True)


@pytest.fixture
def stranger(console: Console) -> Visitor:
    return Visitor(port_of(console))


@pytest.fixture(scope="module")
def owner(console: Console) -> Visitor:
    visitor = Visitor(port_of(console))
    assert visitor.sign_in(EMAIL, PASSWORD).status == 303
    return visitor


def port_of(console: Console) -> int:
    return int(console.environment["PORT"])


@contextmanager
def broken_table(console: Console) -> Iterator[None]:
    """The database lacks the table of AI LLMs while the block runs."""
    with closing(sqlite3.connect(console.data / "flashback.sqlite3", timeout=10)) as database:
        database.execute("ALTER TABLE ai_llm_aillm RENAME TO gone")
        try:
            yield
        finally:
            database.execute("ALTER TABLE gone RENAME TO ai_llm_aillm")


def raw(lines: str, body: bytes = b"") -> bytes:
    return lines.replace("\n", "\r\n").encode("latin-1") + b"\r\nConnection: close\r\n\r\n" + body


# --- Headers ----------------------------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[int, Callable[[Visitor, Visitor], Answer]]] = {
    "a page": (200, lambda _, stranger: stranger.get("/account/login")),
    "a page of the console": (200, lambda owner, _: owner.get(LIST)),
    "a fragment": (200, lambda owner, _: owner.get(LIST, **HTMX)),
    "health": (200, lambda _, stranger: stranger.get("/healthz/live")),
    "readiness, HEAD": (200, lambda _, stranger: stranger.ask("HEAD", "/healthz/ready")),
    "home": (302, lambda owner, _: owner.get("/")),
    "to the sign-in": (302, lambda _, stranger: stranger.get(LIST)),
    "to the admin site": (302, lambda owner, _: owner.get("/admin")),
    "a step of the wizard": (
        303,
        lambda owner, _: owner.post(f"{NEW}?type=OPENAI", {"name": "x", "endpoint": "https://api.openai.com/v1"}),
    ),
    "not HTTP": (400, lambda _, stranger: stranger.raw(b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n")),
    "an unknown host": (400, lambda _, stranger: stranger.get("/account/login", Host="evil.example")),
    "two hosts": (400, lambda _, stranger: stranger.raw(raw("GET / HTTP/1.1\nHost: 127.0.0.1\nHost: evil.example"))),
    "too many fields": (400, lambda owner, _: owner.post(NEW, {f"field{number}": "" for number in range(201)})),
    "too many fields in the address": (400, lambda owner, _: owner.get(f"{LIST}?{'x=&' * 201}")),
    "signed out, htmx": (401, lambda _, stranger: stranger.get(LIST, **HTMX)),
    "no token": (403, lambda owner, _: owner.post(NEW, {"csrfmiddlewaretoken": ""})),
    "not for this person": (403, lambda owner, _: owner.post(f"{NEW}?type=OPENAI", Origin="null")),
    "nothing": (404, lambda owner, _: owner.get("/nothing")),
    "no such static file": (404, lambda _, stranger: stranger.get("/static/none.css")),
    "no such workspace": (404, lambda owner, _: owner.get("/w/nowhere/ai")),
    "another method": (405, lambda owner, _: owner.get(f"{NEW}/examine")),
    "closed for good": (410, lambda _, stranger: stranger.get("/setup/x")),
    "a body too large": (413, lambda owner, _: owner.ask("POST", NEW, b"x" * 300_000, **FORM)),
    "an address too long": (414, lambda _, stranger: stranger.get("/" + "x" * 9000)),
    "another kind of content": (415, lambda owner, _: owner.ask("POST", NEW, b"x", **{"Content-Type": "image/png"})),
    "a form to correct": (422, lambda owner, _: owner.post(f"{NEW}?type=OPENAI", {"name": ""})),
    "too many headers": (431, lambda _, stranger: stranger.get("/", **{f"X-{number}": "x" for number in range(100)})),
}


def check(answer: Answer, **more: str) -> None:
    expected = TABLE | {"cache-control": "no-store, private", **more}
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert {"HX-Request", "Cookie"} <= set(answer.headers["vary"].split(", "))
    assert not NEVER_SENT & answer.headers.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_carries_the_table(name: str, owner: Visitor, stranger: Visitor) -> None:
    status, ask = ANSWERS[name]
    answer = ask(owner, stranger)
    assert answer.status == status, answer.body
    check(answer)
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("name", [name for name, (status, _) in ANSWERS.items() if status in {200, 302, 400, 404, 413}])
def test_over_https_every_answer_says_to_stay_there(name: str, secure: Visitor) -> None:
    answer = ANSWERS[name][1](secure, secure)
    if name not in {"not HTTP", "two hosts"}:  # the server cannot read these, so it knows no scheme
        check(answer, **{"strict-transport-security": HSTS})


def test_a_server_error_carries_it_too_and_names_an_incident_that_the_log_has(owner: Visitor, console: Console) -> None:
    with broken_table(console):
        answers = [owner.get(LIST), owner.get(LIST, **HTMX)]
    for answer in answers:
        assert answer.status == 500
        check(answer)
        assert "no such table" not in answer.text
        found = re.search(r"incident <strong[^>]*>(\w{8})</strong>", answer.text)
        assert found
        line = next(line for line in console.log.read_text().splitlines() if f"(incident {found[1]})" in line)
        assert "no such table" in line
    assert owner.get(LIST).status == 200


def test_one_too_many_carries_it_too(secure: Visitor) -> None:
    guesser = Visitor(secure.port, host=HOST, https=True)
    address = {"X-Forwarded-For": "198.51.100.7"}
    answers = [guesser.sign_in(f"nobody{number}@example.com", "wrong", **address) for number in range(11)]
    assert [answer.status for answer in answers] == [422] * 10 + [429]
    check(answers[-1], **{"strict-transport-security": HSTS, "retry-after": "60"})
    assert guesser.sign_in("nobody@example.com", "wrong", **{"X-Forwarded-For": "198.51.100.8"}).status == 422


# --- Caching ----------------------------------------------------------------------------------------------------------


def test_static_files_are_kept_for_a_year_and_nothing_else_is_kept(stranger: Visitor) -> None:
    page = stranger.get("/account/login").text
    paths = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    assert len(paths) >= 4
    for path in paths:
        answer = stranger.get(path)
        assert {name: answer.headers.get(name) for name in TABLE} == TABLE
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "cookie" not in answer.headers["vary"].lower()
        assert not NEVER_SENT & answer.headers.keys()
        assert stranger.get(path, **{"If-None-Match": answer.headers.get("etag", "x")}).status in {200, 304}


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1"},
        {"Range": "bytes=9999999999999999999999-"},
        {"Range": "bytes=-0"},
        {"Range": "bytes=x"},
        {"Range": "bytes=5-1"},
        {"If-Modified-Since": "x"},
        {"If-Modified-Since": "Mon, 99 Foo 99999999999 99:99:99 GMT"},
        {"If-None-Match": "x" * 5000},
        {"Accept-Encoding": "\xff;q=x"},
    ],
)
def test_static_files_take_any_header(headers: dict[str, str], stranger: Visitor) -> None:
    found = re.search(r'href="(/static/[^"]+\.css)"', stranger.get("/account/login").text)
    assert found
    assert stranger.get(found[1], **headers).status in {200, 206, 304, 416}


@pytest.mark.parametrize(
    "path",
    [
        "/static/../keys/field_keys",
        "/static/%2e%2e/flashback.sqlite3",
        "/static/..%2fkeys/secret_key",
        "/static/%00",
        "/static/%ff",
        "/static//etc/passwd",
        "/flashback.sqlite3",
        "/.git/config",
        "/static.stamp",
    ],
)
def test_nothing_but_static_files_is_served(path: str, stranger: Visitor) -> None:
    assert stranger.get(path).status in {302, 404}


# --- Cookies and sessions ---------------------------------------------------------------------------------------------


def cookies_of(visitor: Visitor, answer: Answer) -> dict[str, set[str]]:
    parts = [line.split("; ") for line in visitor.set_cookies]
    return {
        line[0].split("=")[0]: {part for part in line[1:] if not part.startswith(("expires", "Max-Age"))}
        for line in parts
    }


def test_cookies_over_https_have_every_lock_there_is(secure: Visitor) -> None:
    visitor = Visitor(secure.port, host=HOST, https=True)
    answer = visitor.sign_in(EMAIL, PASSWORD, **{"X-Forwarded-For": "198.51.100.1"})
    assert answer.status == 303
    locks = {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}
    assert cookies_of(visitor, answer) == {"__Host-sid": locks, "__Host-csrf": locks}
    assert any("Max-Age=604800" in line for line in visitor.set_cookies if line.startswith("__Host-sid"))


def test_cookies_over_http_have_all_but_what_needs_https(console: Console) -> None:
    visitor = Visitor(port_of(console))
    answer = visitor.sign_in(EMAIL, PASSWORD)
    locks = {"HttpOnly", "SameSite=Lax", "Path=/"}
    assert cookies_of(visitor, answer) == {"sid": locks, "csrf": locks}


def test_a_visitor_who_only_looks_gets_no_session(stranger: Visitor) -> None:
    for path in ("/account/login", "/", "/nothing", "/account/password/reset"):
        stranger.get(path)
        assert "sid" not in stranger.cookies


def test_what_is_asked_over_http_goes_to_https_on_the_same_host(secure: Visitor) -> None:
    plain = secure.ask("GET", "/account/login?x=1", **{"X-Forwarded-Proto": "http"})
    assert (plain.status, plain.headers["location"]) == (301, f"https://{HOST}/account/login?x=1")
    assert secure.ask("GET", "/", **{"X-Forwarded-Proto": "http", "Host": "evil.example"}).status == 400


def test_signing_out_kills_the_session_and_clears_the_browser(console: Console) -> None:
    visitor = Visitor(port_of(console))
    visitor.sign_in(EMAIL, PASSWORD)
    visitor.get("/account/logout")
    old = dict(visitor.cookies)
    answer = visitor.post("/account/logout")
    assert (answer.status, answer.headers["location"]) == (303, "/account/login?signed_out=1")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    for cookies in (visitor.cookies, old):
        visitor.cookies = dict(cookies)
        assert [visitor.get(path).status for path in ("/account", LIST, "/")] == [302, 302, 302]


# --- Forms from elsewhere ---------------------------------------------------------------------------------------------


@pytest.fixture
def foreign_token(console: Console) -> str:
    other = Visitor(port_of(console))
    other.get("/account/login")
    return other.token


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": None, "Referer": "https://evil.example/form"},
        {"Origin": None, "Referer": "//evil.example"},
        {"Origin": None, "Referer": "javascript:x"},
    ],
)
def test_a_form_from_another_site_is_refused_in_words_even_with_the_token(
    headers: dict[str, str], owner: Visitor
) -> None:
    refused(owner, owner.post(f"{NEW}?type=OPENAI", {"name": "x"}, **headers))


@pytest.mark.parametrize("token", ["", "x", "x" * 64, "foreign"])
def test_a_form_without_the_right_token_is_refused_in_words(token: str, owner: Visitor, foreign_token: str) -> None:
    given = foreign_token if token == "foreign" else token
    refused(owner, owner.post(f"{NEW}?type=OPENAI", {"csrfmiddlewaretoken": given, "name": "x"}))


def refused(owner: Visitor, answer: Answer) -> None:
    assert answer.status == 403
    assert "This page was open for too long or came from another site." in answer.text
    check(answer)
    assert owner.post(f"{NEW}?type=OPENAI", {"name": ""}).status == 422  # the right one still works


def test_a_form_that_is_too_old_leads_back_to_its_page(owner: Visitor) -> None:
    page = f"{NEW}?type=OPENAI&name=x"
    here = {"Referer": f"http://127.0.0.1:{owner.port}{page}"}
    for headers in (here, {**HTMX, "HX-Current-URL": here["Referer"]}):
        answer = owner.post(f"{NEW}?type=OPENAI", {"csrfmiddlewaretoken": "x"}, **headers)
        assert 'href="/w/main/ai/llm/new?type=OPENAI&amp;name=x"' in answer.text
        assert "A role that is given" not in answer.text


def test_what_never_reached_the_pages_is_refused_on_a_page_like_theirs(owner: Visitor) -> None:
    answer = owner.ask("POST", NEW, b"x" * 300_000, **FORM)
    assert re.search(r'<link rel="stylesheet" href="/static/css/app\.\w+\.css">', answer.text)
    assert "<h1>That is too much</h1>" in answer.text
    assert 'class="wordmark"' in answer.text
    assert 'href="/"' in answer.text


def test_a_form_without_origin_and_referer_passes_with_its_token(owner: Visitor) -> None:
    assert owner.post(f"{NEW}?type=OPENAI", {"name": ""}, Origin=None).status == 422


def test_over_https_a_form_without_origin_and_referer_is_refused(secure: Visitor) -> None:
    visitor = Visitor(secure.port, host=HOST, https=True)
    visitor.get("/account/login")
    assert visitor.post("/account/login", Origin=None).status == 403
    assert visitor.post("/account/login", Origin=None, Referer=f"https://{HOST}/account/login").status == 422
    assert visitor.post("/account/login", Origin=None, Referer="https://evil.example/").status == 403


@pytest.mark.parametrize("path", ["/account/login", LIST, "/api/organizations", "/healthz/live", "/static/x.css"])
def test_another_site_gets_no_leave_to_call(path: str, owner: Visitor) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = owner.ask("OPTIONS", path, **asked, **{"Access-Control-Request-Headers": "authorization"})
    assert [name for name in answer.headers if name.startswith("access-control-")] == []


# --- Hosts and redirects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil.example#127.0.0.1", "[::1", "", "*"],
)
def test_only_its_own_names_are_answered(host: str, stranger: Visitor) -> None:
    answer = stranger.raw(raw(f"GET /account/login HTTP/1.1\nHost: {host}"))
    assert (answer.status, "evil" in answer.text) == (400, False)


@pytest.mark.parametrize(
    "request_line",
    ["GET http://evil.example/account/login HTTP/1.1", "GET //evil.example/ HTTP/1.1", "GET evil.example HTTP/1.1"],
)
def test_an_address_in_the_request_line_is_not_believed(request_line: str, stranger: Visitor) -> None:
    answer = stranger.raw(raw(f"{request_line}\nHost: 127.0.0.1"))
    assert answer.status in {400, 302, 404}
    assert urlsplit(answer.headers.get("location", "")).netloc == ""


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "Forwarded", "X-Forwarded-Server", "X-Host", "X-Original-URL", "X-Rewrite-URL"]
)
def test_what_a_stranger_says_about_the_host_is_not_believed(header: str, stranger: Visitor) -> None:
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    answer = stranger.get(LIST, **{header: value})
    assert (answer.status, answer.headers["location"]) == (302, f"/account/login?next={LIST}")
    assert "evil" not in stranger.get("/account/login", **{header: value}).text


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Host": "evil.example"}, {"Host": "127.0.0.1:6666"}])
def test_the_link_of_a_password_mail_names_the_public_address(
    headers: dict[str, str], console: Console, stranger: Visitor
) -> None:
    before = len(console.log.read_text())
    stranger.get("/account/password/reset")
    origin = {"Origin": f"http://{headers['Host']}"} if "Host" in headers else {}
    answer = stranger.post("/account/password/reset", {"email": EMAIL}, **headers, **origin)
    assert answer.status == 303
    mail = console.log.read_text()[before:]
    links = re.findall(r"https?://\S+", mail)
    assert links
    assert {link.split("/account/")[0].rstrip("/.") for link in links} == {console.url}


ELSEWHERE = [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/%09/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "//evil.example\\@127.0.0.1",
    "///evil.example",
    "/\r\nX-Evil: 1",
    "/x\r\n\r\n<script>",
    "evil.example",
    "http://[",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_next_stays_on_this_host(target: str, secure: Visitor) -> None:
    visitor = Visitor(secure.port, host=HOST, https=True)
    address = {"X-Forwarded-For": f"203.0.113.{ELSEWHERE.index(target)}"}
    visitor.get(f"/account/login?{urlencode({'next': target})}", **address)
    answer = visitor.post("/account/login", {"login": EMAIL, "password": PASSWORD, "next": target}, **address)
    stays(answer.headers["location"])
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("target", [*ELSEWHERE, "http://127.0.0.1//evil.example", "http://evil.example/w/main/ai"])
def test_the_page_that_htmx_was_on_is_where_one_comes_back_to_or_the_start(target: str, stranger: Visitor) -> None:
    current = quote(target, safe="/:\\[]@")
    answer = stranger.get(LIST, **HTMX, **{"HX-Current-URL": current, "HX-Current-URL-URI-AutoEncoded": "true"})
    assert (answer.status, answer.body) == (401, b"")
    to = urlsplit(answer.headers["hx-redirect"])
    assert (to.scheme, to.netloc, to.path) == ("", "", "/account/login")
    stays(parse_qs(to.query)["next"][0])


def test_an_ended_session_leaves_the_page_and_comes_back_to_it(stranger: Visitor) -> None:
    answer = stranger.get(LIST, **HTMX, **{"HX-Current-URL": f"{stranger.origin}{NEW}?type=OPENAI"})
    assert answer.headers["hx-redirect"] == f"/account/login?{urlencode({'next': f'{NEW}?type=OPENAI'})}"


def stays(location: str) -> None:
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\", "/\t"))


@pytest.mark.parametrize("name", ["type", "name", "endpoint", "step", "next"])
def test_no_line_break_reaches_a_header(name: str, owner: Visitor) -> None:
    evil = "x\r\nX-Evil: 1\r\n\r\n"
    fields = {"name": "x", "endpoint": "https://api.openai.com/v1", name: evil}
    for answer in (
        owner.post(f"{NEW}?type=OPENAI", fields),
        owner.get(f"{NEW}?{urlencode({'type': 'OPENAI', **fields})}"),
        Visitor(owner.port).get(f"{NEW}?{urlencode(fields)}"),
    ):
        assert answer.status < 500
        assert "x-evil" not in answer.headers
        assert not any("\n" in value for value in answer.headers.values())


# --- Bodies and methods -----------------------------------------------------------------------------------------------


def test_two_hundred_fields_are_taken(owner: Visitor) -> None:
    fields = {f"field{number}": "" for number in range(199)}
    assert owner.post(f"{NEW}?type=OPENAI", fields).status == 422


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary*=hex''00",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=hex",
        "application/x-www-form-urlencoded; charset*=utf-8''%00",
        "text/plain; charset=unicode_escape",
        "text/xml",
        "\xff",
        ";",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_is_a_form_or_json_in_utf_8(kind: str, method: str, stranger: Visitor) -> None:
    answer = stranger.ask(method, f"{NEW}?q=%5Cud800", b"x=1", **{"Content-Type": kind})
    assert answer.status == 415
    assert "application/x-www-form-urlencoded" in answer.text


@pytest.mark.parametrize(
    "kind", ["application/json", 'application/json; charset="UTF-8"', "text/plain;charset=UTF-8", FORM["Content-Type"]]
)
def test_what_browsers_and_clients_send_is_taken(kind: str, stranger: Visitor) -> None:
    assert stranger.ask("POST", "/account/login", b"{}", **{"Content-Type": kind}).status == 403  # no token


@pytest.mark.parametrize(
    ("method", "path"), [("GET", f"{NEW}/examine"), ("POST", LIST), ("PUT", NEW), ("DELETE", LIST)]
)
def test_another_method_is_refused_by_a_page_that_says_so(method: str, path: str, owner: Visitor) -> None:
    owner.get(LIST)
    headers = {"X-CSRFToken": owner.token, "Origin": owner.origin}
    answer = owner.ask(method, path, **headers)
    assert answer.status == 405
    assert "<h1>This address cannot do that</h1>" in answer.text
    assert method not in answer.headers["allow"]


# --- Pages and pieces -------------------------------------------------------------------------------------------------


def test_a_piece_is_only_for_htmx(owner: Visitor) -> None:
    fields = {"type": "OPENAI", "endpoint": "http://api.openai.com"}
    piece = owner.post(f"{NEW}/examine", fields, **HTMX)
    assert (piece.status, "<html" in piece.text) == (200, False)
    whole = owner.post(f"{NEW}/examine", fields)
    assert (whole.status, whole.headers["location"]) == (303, f"{NEW}?type=OPENAI")


@pytest.mark.parametrize("path", [LIST, NEW, "/account", "/w/main/ai", "/nothing"])
def test_one_address_is_page_and_fragment_and_no_cache_can_mix_them_up(path: str, owner: Visitor) -> None:
    page, fragment = owner.get(path), owner.get(path, **HTMX)
    restored = owner.get(path, **HTMX, **{"HX-History-Restore-Request": "true"})
    assert ["<html" in answer.text for answer in (page, fragment, restored)] == [True, False, True]
    for answer in (page, fragment):
        check(answer)


# --- The log ----------------------------------------------------------------------------------------------------------


def test_the_log_holds_no_query_and_no_link_that_lets_somebody_in(owner: Visitor, console: Console) -> None:
    before = len(console.log.read_text())
    owner.get("/nothing?api_key=canary-in-a-query")
    owner.get("/setup/canary-in-a-path")
    owner.ask(
        "PUT",
        "/account/password/reset/key/1abc-canary-in-a-link",
        **{"X-CSRFToken": owner.token, "Origin": owner.origin},
    )
    log = console.log.read_text()[before:]
    assert "Not Found: /nothing" in log
    assert "canary" not in log

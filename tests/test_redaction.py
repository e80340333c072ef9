"""What logs and error reports leave out."""

import base64
import html
import io
import json
import logging
import re
import sys
import time
from urllib.parse import quote, quote_plus

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import RequestFactory
from django.views.debug import ExceptionReporter, get_exception_reporter_filter, technical_500_response

from flashback import redaction
from flashback.redaction import LineFormatter, RedactingFilter, guarding, mask

SECRET = 'cnry/Zr8Kq2Vw9+Xn4Tb7&Lm3Pd6"Hs1Jf5Gc0Y'
KEY = "sk-proj-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"


@pytest.fixture
def log():
    """A logger with the project's handler and no parent; returns it and a function for what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.addFilter(RedactingFilter())
    logger = logging.Logger("tests.redaction", logging.DEBUG)
    logger.addHandler(handler)
    return logger, stream.getvalue


# --- Guarded values ---------------------------------------------------------------------------------------------------


def carried(secret):
    data = secret.encode()
    return {
        "plain": secret,
        "url": quote(secret),
        "url, whole": quote(secret, safe=""),
        "form": quote_plus(secret),
        "json": json.dumps(secret),
        "html": html.escape(secret),
        "repr": repr({"x": secret}),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        **{f"base64 +{n}": base64.b64encode(b"?" * n + data + b"!" * (3 - n)).decode() for n in range(3)},
        **{f"base64 url +{n}": base64.urlsafe_b64encode(b"?" * n + data + b"!").decode() for n in range(3)},
    }


@pytest.mark.parametrize(("form", "text"), carried(SECRET).items(), ids=carried(SECRET))
def test_a_guarded_secret_is_masked_in_every_form_it_travels_in(form, text):
    line = f"upstream said <{text}>"
    assert mask(line) == line
    with guarding(SECRET):
        shown = mask(line)
    assert "[hidden]" in shown
    assert text[6:-6] not in shown
    assert mask(line) == line


def test_guards_nest_and_end_with_an_exception():
    with guarding(SECRET):
        with pytest.raises(RuntimeError), guarding(SECRET, "another-secret"):
            raise RuntimeError
        assert mask(SECRET) == "[hidden]"
        assert mask("another-secret") == "another-secret"
    assert mask(SECRET) == SECRET
    assert not redaction._guarded


def test_a_very_short_value_is_not_guarded():
    with guarding("key", ""):
        assert mask("a monkey") == "a monkey"


def test_a_lone_surrogate_can_be_guarded():
    with guarding("secret\ud800value"):
        assert mask("secret\ud800value") == "[hidden]"


# --- Patterns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "sk-ant-api03-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y",
        "sk-or-v1-0123456789abcdef0123456789abcdef",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "ya29.a0AfH6SMB0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "ABSKQmVkcm9ja0FQSUtleS0wMTIzNDU2Nzg5",
        "gsk_0123456789abcdefghijklmnop",
        "hf_0123456789abcdefghijklmnop",
        "xai-0123456789abcdefghijklmnop",
        "nvapi-0123456789abcdefghijklmnop",
        "pplx-0123456789abcdefghijklmnop",
        "r8_0123456789abcdefghijklmnop",
        "ghp_0123456789abcdefghijklmnop",
        "github_pat_0123456789abcdefghijklmnop",
        "glpat-0123456789abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "gAAAAA" + "Bc3DeFgHiJkLmNoPqRsTuVwXyZ" * 4,
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBg torn",
    ],
)
def test_keys_of_known_providers_are_masked(key):
    assert mask(f"got <{key}>").replace(">", "") == "got <[hidden]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: [hidden]"),
        ("authorization:Basic dXNlcjpwdw==", "authorization:[hidden]"),
        ("Cookie: sid=abc; csrf=def\nHost: x", "Cookie: [hidden]\nHost: x"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: [hidden]"),
        ("x-api-key: abcdef", "x-api-key: [hidden]"),
        ("x-goog-api-key:abcdef", "x-goog-api-key:[hidden]"),
        ("{'Authorization': 'Bearer abc', 'Host': 'x'}", "{'Authorization': '[hidden]', 'Host': 'x'}"),
        ("('x-api-key', 'abc')", "('x-api-key', '[hidden]')"),
        ('{"api_secret":"a\\"b","name":"n"}', '{"api_secret":"[hidden]","name":"n"}'),
        ("(b'authorization', b'Bearer abc')", "(b'authorization', b'[hidden]')"),
        ("GET /v1?key=abc&page=2", "GET /v1?key=[hidden]&page=2"),
        ("/x?access_token=a.b-c#f", "/x?access_token=[hidden]"),
        ("?X-Amz-Signature=0123&X-Amz-Date=1", "?X-Amz-Signature=[hidden]&X-Amz-Date=1"),
        ("password=hunter2 user=x", "password=[hidden] user=x"),
        ("https://user:pw@host/path", "https://[hidden]@host/path"),
        ("postgres://flashback:pw@db/x", "postgres://[hidden]@db/x"),
        ("sent Bearer abcdefgh to", "sent Bearer [hidden] to"),
    ],
)
def test_what_stands_where_credentials_stand_is_masked(text, shown):
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "GET /w/main/ai/llm?page=2&sort=name 200",
        "checked 3 AI LLMs of workspace Main in 120 ms",
        "https://api.openai.com/v1/models answered 401 invalid_api_key",
        "ski-jumping-and-more risk-assessment-for-all-of-us",
        "a@b.example signed in",
    ],
)
def test_ordinary_lines_stay_as_they_are(text):
    assert mask(text) == text


@pytest.mark.parametrize(
    "piece", ["key", "a-", "a.", "Bearer ", "'key'", "://", "sk-", "eyJ", "authorization:", "\\", "key="]
)
def test_no_line_takes_long(piece):
    started = time.perf_counter()
    mask(piece * (60_000 // len(piece)))
    assert time.perf_counter() - started < 2


# --- Log lines --------------------------------------------------------------------------------------------------------


def test_a_record_is_one_line_with_time_level_logger_and_message(log):
    logger, written = log
    logger.warning("checked %s in %d ms", "openai", 12)
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING tests\.redaction checked openai in 12 ms\n"
    assert re.fullmatch(pattern, written())


def test_the_time_is_utc():
    record = logging.LogRecord("x", logging.INFO, "", 0, "message", (), None)
    record.created = 86_400.0625
    assert LineFormatter().format(record) == "1970-01-02T00:00:00.062Z INFO x message"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc", r"a\nb\r\nc"),
        ("a\x1b[31mb\x00", r"a\x1b[31mb\x00"),
        ("a\u2028b\u202ec\u2066", r"a\u2028b\u202ec\u2066"),
        ("a\\nb", r"a\\nb"),
        ("a\ud800", r"a\ud800"),
        ("žluť 🐎", "žluť 🐎"),
    ],
)
def test_no_text_can_forge_a_line_or_paint_the_terminal(log, text, shown):
    logger, written = log
    logger.info("%s", text)
    assert written().endswith(f" tests.redaction {shown}\n")
    assert written().count("\n") == 1


def test_an_exception_is_on_the_same_line_and_masked(log):
    logger, written = log
    try:
        raise ValueError(f"Authorization: Bearer {KEY}")
    except ValueError:
        logger.exception("it failed with %s", KEY, stack_info=True)
    assert written().count("\n") == 1
    assert r"\nTraceback (most recent call last):\n" in written()
    assert "ValueError: Authorization: [hidden]" in written()
    assert KEY[:12] not in written()


def test_secrets_in_arguments_are_masked(log):
    logger, written = log
    with guarding(SECRET):
        logger.info("one %s, two %r", SECRET, [SECRET])
    assert SECRET not in written()
    assert written().endswith("one [hidden], two ['[hidden]']\n")


def test_a_message_that_cannot_be_put_together_shows_none_of_its_parts(log, capsys):
    logger, written = log
    logger.info("%d pieces", SECRET)
    assert written().endswith("(a log message could not be put together: TypeError)\n")
    assert SECRET not in capsys.readouterr().err


def test_the_projects_own_handler_is_set_up_so():
    handler = django_settings.LOGGING["handlers"]["console"]
    assert (handler["formatter"], handler["filters"]) == ("line", ["redact"])
    assert django_settings.LOGGING["formatters"]["line"]["()"] == "flashback.redaction.LineFormatter"
    assert django_settings.LOGGING["filters"]["redact"]["()"] == "flashback.redaction.RedactingFilter"
    assert [logger for logger, how in django_settings.LOGGING["loggers"].items() if how.get("level") == "DEBUG"] == []


# --- Error reports ----------------------------------------------------------------------------------------------------


def report(request, debug, settings):
    """Return the HTML and the text report of an exception whose frame holds the secret."""
    settings.DEBUG = debug
    local_of_the_frame = SECRET + "-local"
    try:
        raise RuntimeError(f"called with api_key={SECRET} {len(local_of_the_frame)}")
    except RuntimeError:
        information = sys.exc_info()
    reporter = redaction.Reporter(request, *information)
    page = technical_500_response(request, *information).content.decode()
    return html.unescape(reporter.get_traceback_html()) + reporter.get_traceback_text() + html.unescape(page)


@pytest.mark.parametrize("debug", [True, False])
def test_a_report_holds_no_form_of_the_secret(settings, debug):
    request = RequestFactory().post(
        f"/w/main/ai/llm/new?api_key={quote(SECRET)}&page=2",
        {"api_secret": SECRET, "apiKey": SECRET, "Password1": SECRET, "name": "openai-main"},
        headers={"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "Cookie": f"sid={SECRET}; theme={SECRET}"},
    )
    shown = report(request, debug, settings)
    assert "openai-main" in shown
    for text in carried(SECRET).values():
        assert text not in shown
    assert "local_of_the_frame</" not in shown
    assert settings.SECRET_KEY not in shown
    assert settings.FIELD_ENCRYPTION_KEY[0] not in shown


@pytest.mark.parametrize("debug", [True, False])
def test_a_report_without_a_request_works(settings, debug):
    settings.DEBUG = debug
    reporter = redaction.Reporter(None, ValueError, ValueError(f"token={KEY}"), None)
    assert KEY not in reporter.get_traceback_text() + reporter.get_traceback_html()


def test_the_report_of_a_unicode_error_gives_no_hint(settings):
    try:
        "sk-ž-secret".encode("ascii")
    except UnicodeEncodeError:
        reporter = redaction.Reporter(None, *sys.exc_info())
    assert reporter.get_traceback_data()["unicode_hint"] == ""


def test_missing_post_fields_do_not_print_the_others():
    request = RequestFactory().post("/", {"api_secret": SECRET, "name": "n"})
    cleansed = get_exception_reporter_filter(request).get_cleansed_multivaluedict(request, request.POST)
    assert cleansed.dict() == {"api_secret": "********************", "name": "n"}


@pytest.mark.parametrize("debug", [True, False])
def test_settings_that_hold_secrets_are_masked(settings, debug):
    settings.DEBUG = debug
    shown = get_exception_reporter_filter(None).get_safe_settings()
    names = ("SECRET_KEY", "FIELD_ENCRYPTION_KEY", "KEYS_PENDING", "DATABASES", "CACHES", "EMAIL_HOST_PASSWORD")
    assert {name: shown[name] for name in names} == dict.fromkeys(names, "********************")


@pytest.mark.parametrize("form", ["hash", "unified"])
def test_the_command_that_prints_the_settings_prints_no_key(form, settings):
    settings.EMAIL_HOST_PASSWORD = SECRET
    keys = [settings.SECRET_KEY, *settings.FIELD_ENCRYPTION_KEY, SECRET]
    shown = call_command("diffsettings", output=form, stdout=io.StringIO())
    assert [key for key in keys if key in shown] == []
    assert ("SECRET_KEY" in shown, "ROOT_URLCONF = 'flashback.urls'" in shown) == (True, True)


def test_django_uses_them():
    assert django_settings.DEFAULT_EXCEPTION_REPORTER_FILTER == "flashback.redaction.ReporterFilter"
    assert django_settings.DEFAULT_EXCEPTION_REPORTER == "flashback.redaction.Reporter"
    assert issubclass(redaction.Reporter, ExceptionReporter)

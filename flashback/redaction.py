"""Keeps secrets out of logs and error reports. A second layer: the first is that nothing writes them there.

`guarding(secret)` makes the exact values in use vanish from every log line of this process; patterns catch what looks
like a credential of a known provider. Provider prefixes are those that secret scanners publish
(https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns).
"""

import base64
import html
import json
import logging
import re
import threading
from collections import Counter
from collections.abc import ItemsView, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus

from django.http import HttpRequest, QueryDict
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

MASK = "[hidden]"
SHORTEST_GUARDED = 6  # a shorter text would be found by chance in harmless lines
SENSITIVE = r"secret|key|token|pass|auth|cred|cookie|signature|session|csrf"
# Quantifiers have an end, so that no line, however made, takes long.
_NAMED = rf"[\w.-]{{0,60}}?(?:{SENSITIVE})[\w.-]{{0,60}}"

_CREDENTIAL = re.compile(
    r"\b(?:(?:sk|pk|rk|csk|nvapi|xai|pplx|glpat|pa|tgp_v1|xox[abeoprs])[-_]"
    r"|(?:gsk|hf|r8|fw|fb[ki]|gh[opsur]|github_pat)_)[\w-]{12,}"
    r"|\bAIza[\w-]{30,}|\bya29\.[\w.-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bABSK[\w+/=]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|\bgAAAA[\w-]{60,}={0,2}"
)
# Such a prefix may begin a name as well (pa-frontend-gateway); what nobody makes up has a figure in a long run.
_RANDOM = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}")

_RULES = (
    # Whole headers, as `Name: value`, and as names and values in quotes (dict and tuple reprs, JSON).
    (re.compile(r"(?im)\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)(?!['\"])[^\r\n]+"), rf"\1\2{MASK}"),
    (re.compile(rf"(?i)(?P<n>(['\"]){_NAMED}\2\s*[:,=]\s*b?)(['\"])(?:\\.|(?!\3).)*\3"), rf"\g<n>\3{MASK}\3"),
    # Secret-like names with a plain value: query strings, assignments, other headers.
    (re.compile(rf"(?i)(?<![\w.-])({_NAMED}\s*=\s*)(?![\s'\"])[^\s&;,'\"<>)\]}}]+"), rf"\1{MASK}"),
    (
        re.compile(r"(?i)\b((?:\w{1,20}-){0,4}(?:api-?key|token|secret)\s*:\s*)(?![\s'\"])[^\s&;,'\"<>)\]}]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^\s/?#@]*@"), rf"\1{MASK}@"),
    # Paths that let whoever knows them in: the one-time link of the setup, those of invitations and of password mails.
    (re.compile(r"(/setup/|/invitation/|/password/reset/key/\w{1,40}-)[^\s?#\"'<>]+"), rf"\1{MASK}"),
    # Values that show by themselves what they are.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (_CREDENTIAL, MASK),
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\\]")

_guarded: Counter[str] = Counter()
_guarded_lock = threading.Lock()


@contextmanager
def guarding(*secrets: str) -> Iterator[None]:
    """Keep these exact values, in every form they travel in, out of this process's log lines while the block runs."""
    found = {form for secret in secrets for form in forms(secret)}
    with _guarded_lock:
        _guarded.update(found)
    try:
        yield
    finally:
        with _guarded_lock:
            _guarded.subtract(found)
            for form in found:
                if not _guarded[form]:
                    del _guarded[form]


def forms(secret: str) -> set[str]:
    """Return `secret` as it is and as URLs, JSON, HTML, reprs, hex and base64 carry it; nothing for under 6 characters.

    The base64 forms are those parts that do not depend on what stands before and after the secret.
    """
    if len(secret) < SHORTEST_GUARDED:
        return set()
    data = secret.encode("utf-8", "surrogatepass")
    found = {secret, json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1], data.hex(), data.hex().upper()}
    found |= {quote(data), quote(data, safe=""), quote_plus(data)}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(shift) + data).decode().rstrip("=")
            found.add(text[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6])
    return {form for form in found if len(form) >= SHORTEST_GUARDED}


def mask(text: str) -> str:
    """Return `text` with guarded secrets, and everything that looks like a credential, replaced by [hidden]."""
    with _guarded_lock:
        found = sorted(_guarded, key=len, reverse=True)
    for form in found:
        text = text.replace(form, MASK)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def holds_credential(text: str) -> bool:
    """Return whether something in `text` shows by its form that it is a credential of a known provider, or ours."""
    return any(_RANDOM.search(found[0]) for found in _CREDENTIAL.finditer(text))


class RedactingFilter(logging.Filter):
    """Masks message, exception and stack of every record before a handler formats it. Drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place. A message that cannot be put together is replaced, not shown in parts."""
        try:
            message = record.getMessage()
        except Exception as fault:  # whatever an argument's __str__ raises
            message = f"(a log message could not be put together: {type(fault).__name__})"
        record.msg, record.args = mask(message), ()
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask(record.exc_text)
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        return True


def incident_of(record: logging.LogRecord) -> str:
    """Return the number that the page of this server error shows, "" for any other record."""
    return str(getattr(getattr(record, "request", None), "META", {}).get("flashback.incident", ""))


class LineFormatter(logging.Formatter):
    """One line a record: UTC time, level, logger, message, and an exception on the same line, its breaks escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        """Return the record's time as RFC 3339 in UTC, in milliseconds."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the line up to the exception; a server error has the incident's number that its page shows."""
        incident = incident_of(record)
        return super().formatMessage(record) + (f" (incident {incident})" if incident else "")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Control characters and marks that change the direction of text are escaped."""
        return _UNPRINTABLE.sub(_escaped, super().format(record))


class JsonFormatter(LineFormatter):
    """One JSON object a record, on one line, for programs that collect logs. It says what the line says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object. Everything outside ASCII is escaped, so that no character can break the line."""
        fields = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "incident": incident_of(record),
            "exception": record.exc_text or "",
            "process": record.process,
        }
        return json.dumps({name: value for name, value in fields.items() if value not in {"", None}})


class ReporterFilter(SafeExceptionReporterFilter):
    """What an error report may hold: no frame variable and no value of a secret-like name, whatever DEBUG says."""

    hidden_settings = re.compile(f"API|DATABASE|CACHE|EMAIL|{SENSITIVE}", re.IGNORECASE)

    def is_active(self, request: HttpRequest | None) -> bool:  # noqa: ARG002 - Django's signature
        """Return that nothing switches this off."""
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Return the value masked when its name is secret-like, and otherwise without credentials inside it."""
        cleansed = super().cleanse_setting(str(key), value)
        return mask(cleansed) if isinstance(cleansed, str) else cleansed

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, str]:
        """Return the cookies' names."""
        return dict.fromkeys(getattr(request, "COOKIES", {}), self.cleansed_substitute)

    def get_post_parameters(self, request: HttpRequest | None) -> QueryDict:
        """Return the posted fields, secret-like ones masked."""
        return self.cleansed(QueryDict() if request is None else request.POST)

    def get_cleansed_multivaluedict(self, request: HttpRequest, multivaluedict: QueryDict) -> QueryDict:
        """Return a copy with secret-like names masked."""
        del request
        return self.cleansed(multivaluedict)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        """Return nothing: a local variable may hold anything."""
        del request, tb_frame
        return {}.items()

    def cleansed(self, values: QueryDict) -> QueryDict:
        """Return a copy of `values` whose secret-like names hold stars and whose other values are masked."""
        copy = QueryDict(mutable=True)
        for name, items in values.lists():
            copy.setlist(name, [self.cleanse_setting(name, item) for item in items])
        return copy


class Reporter(ExceptionReporter):
    """An error report without query strings and with masked exception texts."""

    def get_traceback_data(self) -> dict[str, Any]:
        """Return what the report shows."""
        data: dict[str, Any] = super().get_traceback_data()
        if self.request is not None:
            data["request_GET_items"] = list(ReporterFilter().cleansed(self.request.GET).items())
            data["request_insecure_uri"] = mask(data.get("request_insecure_uri") or "")
        data["unicode_hint"] = ""
        data["exception_notes"] = mask(data.get("exception_notes", ""))
        data["exception_value"] = mask(str(data.get("exception_value", "")))
        for frame in data.get("frames", []):
            frame["exc_cause"] = frame["exc_cause"] and mask(str(frame["exc_cause"]))
        return data


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "backslashreplace").decode("ascii")

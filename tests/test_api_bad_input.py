"""Bad input for every operation there is, made from the API's own description: a clear refusal, never a fault."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from pydantic.alias_generators import to_camel

from flashback import api
from tests.api import Api
from tests.conftest import People

DOCUMENT = api.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
NOBODYS = "00000000-0000-4000-8000-000000000000"
VALUES: list[Any] = [
    None, True, -1, 2**63, 1.5, "", "x" * 5000, "\U0001f4a9", "../../etc/passwd", [], [[]], {}, {"$gt": ""}, [None],
    NOBODYS, "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00",
]  # fmt: skip
# What the columns of the models are called: none of it may be written by naming it.
COLUMNS = ["id", "pk", "organization", "organization_id", "isStaff", "is_staff", "isSuperuser", "createdBy", "version",
           "sessionEpoch", "digest", "credential", "fingerprint", "deletedAt", "__class__", "__proto__"]  # fmt: skip


def bodies() -> Iterator[tuple[str, str, dict]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, one in methods.items():
            if "requestBody" in one:
                yield method.upper(), path, one["requestBody"]["content"]["application/json"]


BODIES = list(bodies())
EACH = pytest.mark.parametrize(("method", "path", "media"), BODIES, ids=[f"{m} {p}" for m, p, _ in BODIES])


def address(path: str) -> str:
    kinds = {
        one["name"]: one["schema"].get("type")
        for method in DOCUMENT["paths"][path].values()
        for one in method["parameters"]
    }
    return re.sub(r"{(\w+)}", lambda found: "1" if kinds[found[1]] == "integer" else NOBODYS, path)


def fields_of(media: dict) -> set[str]:
    text = json.dumps(media["schema"])
    return {name for ref, one in SCHEMAS.items() if f'/{ref}"' in text for name in one.get("properties", {})}


def refused(answer: Any, what: object) -> None:
    assert answer.status_code < 500, what
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"].startswith("application/json"), what
        body = answer.json()
        assert body["success"] is False
        assert isinstance(body["message"], str)
        assert body["message"], what


@EACH
def test_every_field_takes_any_value_without_a_fault(method: str, path: str, media: dict, people: People) -> None:
    client = Api(people.owner)
    for name in fields_of(media):
        for value in VALUES:
            body = {**media["example"], name: value}
            refused(client(method, address(path), body), (name, value))


@EACH
def test_unknown_fields_are_refused_and_named(method: str, path: str, media: dict, people: People) -> None:
    client, known = Api(people.owner), fields_of(media)
    for name in COLUMNS:
        if name not in known:
            answer = client(method, address(path), {**media["example"], name: "x"})
            assert answer.status_code == 400, name
            assert name in answer.json()["errors"]


def columns() -> Iterator[str]:
    for model in apps.get_models():
        if model.__module__.startswith(("workspaces", "ai_llm", "repositories")):
            for field in model._meta.concrete_fields:
                yield from {field.name, field.attname, to_camel(field.name), to_camel(field.attname)}


@EACH
def test_no_column_of_any_model_can_be_written_by_its_name(method: str, path: str, media: dict, people: People) -> None:
    client, unknown = Api(people.owner), set(columns()) - fields_of(media)
    answer = client(method, address(path), {**media["example"], **dict.fromkeys(unknown, "x")})
    assert answer.status_code == 400
    assert unknown <= answer.json()["errors"].keys()
    for name, value in media["example"].items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inside = [{**value[0], **dict.fromkeys(unknown, "x")}]
            refusal = client(method, address(path), {**media["example"], name: inside})
            assert {f"{name}.0.{column}" for column in unknown} <= refusal.json()["errors"].keys()


@EACH
def test_what_looks_like_a_secret_is_not_sent_back_in_a_refusal(
    method: str, path: str, media: dict, people: People
) -> None:
    client, secret = Api(people.owner), "sk-proj-Canary0123456789abcdefghijklmnop"
    for name in (*fields_of(media), "surprise"):
        for value in (secret, f"Bearer {secret}", [secret], {"secret": secret}, {secret: secret}):
            answer = client(method, address(path), {**media["example"], name: value})
            refused(answer, name)
            assert answer.status_code < 400 or "Canary" not in answer.content.decode(), (name, value)


BROKEN: dict[str, tuple[bytes, str, int]] = {
    "half a pair": (b'{"name": "\\udc00"}', "application/json", 400),
    "NUL": (b'{"name": "a\\u0000b"}', "application/json", 400),
    "twice": (b'{"name": "a", "name": "b"}', "application/json", 400),
    "deep": (b'{"name": ' + b"[" * 50 + b"]" * 50 + b"}", "application/json", 400),
    "not UTF-8": (b'{"name": "\xff"}', "application/json", 400),
    "cut off": (b'{"name": "a', "application/json", 400),
    "a form": (b"name=a", "application/x-www-form-urlencoded", 415),
    "text": (b"{}", "text/plain", 415),
    "another charset": (b"{}", "application/json; charset=utf-16", 415),
    "no kind": (b"{}", "", 415),
    "XML": (b"<a/>", "application/xml", 415),
    "too large": (b'{"name": "' + b"x" * 300_000 + b'"}', "application/json", 413),
}


@EACH
def test_what_is_no_json_of_ours_is_refused(method: str, path: str, media: dict, people: People) -> None:
    client = Api(people.owner)
    for what, (body, kind, status) in BROKEN.items():
        answer = client(method, address(path), body, **{"Content-Type": kind})
        assert answer.status_code == status, what
        refused(answer, what)


@EACH
def test_a_body_may_be_missing_without_a_fault(method: str, path: str, media: dict, people: People) -> None:
    refused(Api(people.owner)(method, address(path)), "no body")


def test_the_limit_of_a_body_is_that_of_the_pages() -> None:
    assert django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 256 * 1024


QUERIES = [
    (path, parameter["name"])
    for path, methods in DOCUMENT["paths"].items()
    for method, one in methods.items()
    for parameter in one["parameters"]
    if method == "get" and parameter["in"] == "query"
]


@pytest.mark.parametrize(("path", "name"), QUERIES)
def test_every_query_parameter_takes_any_text_without_a_fault(path: str, name: str, people: People) -> None:
    client = Api(people.owner)
    for text in (
        "",
        "x",
        "-1",
        "9" * 40,
        "%00",
        "%ff",
        "%ed%a0%80",
        "a,b",
        ",",
        "true",
        "x" * 5000,
        NOBODYS,
        "undefined",
    ):
        refused(client.get(f"{address(path)}?{name}={text}"), text)
    assert client.get(f"{address(path)}?{name}=a&{name}=b").status_code == 400


@pytest.mark.parametrize("path", [path for path, methods in DOCUMENT["paths"].items() if "get" in methods])
def test_unknown_query_parameters_are_refused_and_named(path: str, people: People) -> None:
    answer = Api(people.owner).get(f"{address(path)}?no_such_filter=1")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["no_such_filter"]


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if "{" in path])
def test_an_id_that_cannot_be_one_is_an_unknown_address(path: str, people: People) -> None:
    client = Api(people.owner)
    for wrong in ("x", "%00", "%2e%2e", NOBODYS + "0", "undefined", "a" * 500):
        there = "/".join(wrong if part.startswith("{") else part for part in path.split("/"))
        answer = client.get(there)
        assert answer.status_code in {404, 405}, there
        refused(answer, there)

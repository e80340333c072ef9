"""What the API says about itself: all of what there is, nothing else, and every word that a reader needs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from flashback import api, openapi
from tests.api import Api

DOCUMENT = api.document()
OPERATIONS = [
    pytest.param(method, path, one, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, one in methods.items()
]
SCHEMAS = DOCUMENT["components"]["schemas"]
OWN = {"openapi.json", "docs", "^api/(?P<path>.*)$"}


def test_it_lists_every_route_and_nothing_else() -> None:
    inside = next(one for one in get_resolver().url_patterns if str(one.pattern) == "api/")
    routes = {str(one.pattern) for one in inside.url_patterns} - OWN
    plain = {"/" + re.sub(r"<(?:uuidstr|uuid|int|slug):(\w+)>", r"{\1}", route) for route in routes}
    assert plain == set(DOCUMENT["paths"])


def test_it_lists_every_method_and_no_other() -> None:
    told = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    there = {(method, re.sub(r"{[^}:]+:", "{", path)) for path, one in api.operations() for method in one.methods}
    assert told == there


def test_it_is_openapi_3_1_below_api() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert [server["url"] for server in DOCUMENT["servers"]] == ["/api"]
    assert DOCUMENT["info"]["version"] == "1.0"
    names = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))


def test_no_address_ends_in_a_slash() -> None:
    assert [path for path in DOCUMENT["paths"] if path.endswith("/") and path != "/"] == []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_operation_says_what_it_does_and_how_it_fails(method: str, path: str, operation: dict) -> None:
    assert len(operation["summary"]) > 8
    assert operation["summary"][0].isupper()
    assert len(operation["description"]) >= len(operation["summary"])
    assert operation["tags"]
    statuses = {int(status) for status in operation["responses"]}
    assert len([status for status in statuses if status < 300]) == 1
    assert {400, 500, 503} <= statuses
    if operation["security"]:
        assert {401, 403, 429} <= statuses
    if "requestBody" in operation:
        assert {413, 415} <= statuses
    if "{" in path:
        assert 404 in statuses
    for status, answer in operation["responses"].items():
        assert answer["description"]
        for media in answer["content"].values():
            assert media["example"] is not None
            assert "schema" in media
        if int(status) >= 400:
            assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}
    if "requestBody" in operation:
        assert operation["requestBody"]["content"]["application/json"]["example"] is not None
    for parameter in operation["parameters"]:
        assert parameter.get("description"), parameter
        assert {"example", "examples"} & {*parameter, *parameter["schema"]}, parameter


def fields() -> Iterator[Any]:
    for name, schema in SCHEMAS.items():
        for field, one in schema.get("properties", {}).items():
            yield pytest.param(one, id=f"{name}.{field}")


@pytest.mark.parametrize("field", list(fields()))
def test_every_field_says_what_it_is(field: dict) -> None:
    assert field.get("description") or SCHEMAS[field["$ref"].rpartition("/")[2]]["description"]
    nested = "$ref" in json.dumps(field)
    assert nested or "examples" in field or "example" in field


@pytest.mark.parametrize("name", sorted(name for name, one in SCHEMAS.items() if one.get("type") == "object"))
def test_every_object_says_what_it_is(name: str) -> None:
    assert SCHEMAS[name]["description"]


def test_bodies_refuse_what_they_do_not_name() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema))
                assert names
                assert all(SCHEMAS[name]["additionalProperties"] is False for name in names)


def test_what_is_made_is_linked_to_all_that_can_be_done_with_it() -> None:
    operations = {one.values[2]["operationId"]: (one.values[1], one.values[2]) for one in OPERATIONS}
    for name, (address, _) in openapi.MADE.items():
        answers = operations[name][1]["responses"]
        links = next(answer["links"] for status, answer in answers.items() if int(status) < 300)
        assert links.keys() == {one for one, (path, _) in operations.items() if path.startswith(address)}
        for link in links.values():
            needed = {f"path.{word}" for word in re.findall(r"{(\w+)}", address)}
            assert (link["operationId"] in operations, link["parameters"].keys()) == (True, needed)
    made = {
        path for path, methods in DOCUMENT["paths"].items() if {"get", "delete"} & methods.keys() and path[-1] == "}"
    }
    only_read = {"/organization/{org_id}", "/user/{user_id}", "/user/sessions/{id}"}
    attached_or_member = {"/repo/{id}/attachments/{ai_llm}", "/workspace/{workspace_id}/users/{user_id}"}
    assert made - only_read - attached_or_member == {address for address, _ in openapi.MADE.values()}


def test_it_is_served_as_json_to_everybody() -> None:
    answer = Api().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(DOCUMENT))


def test_ids_in_addresses_are_described_in_words() -> None:
    parameters = [one for one_of in OPERATIONS for one in one_of.values[2]["parameters"] if one["in"] == "path"]
    told = {one["description"] for one in parameters}
    assert {"Id of the AI LLM.", "Id of the repository.", "Id of the provider key.", "Id of the AI API key."} <= told
    assert not re.search(r"Id of the (?:id|llm|ai llm|org|repo|key)\.", " ".join(told))


def test_its_pages_load_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/api/docs")
    assert answer.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert sources
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)
    assert re.findall(r"<script(?![^>]*\b(?:src=|application/json))", answer.text) == []
    assert "style=" not in answer.text
    assert ("favicon" in answer.text, "Loading…" in answer.text) == (True, True)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]

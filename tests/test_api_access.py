"""The API's table: every operation times every kind of person and token, from the API's own description of itself.

What each answers is told by one word for each operation; a new one without a word fails the suite.
"""

import re

import pytest

from flashback import api
from tests.api import Api
from tests.conftest import People
from workspaces import tokens

DOCUMENT = api.document()
OPERATIONS = {
    f"{method.upper()} {path}": one for path, methods in DOCUMENT["paths"].items() for method, one in methods.items()
}
OPEN = {
    "GET /",
    "GET /health",
    "POST /user/login",
    "POST /user/refresh",
    "POST /user/logout",
    "POST /user/email/confirm",
}
NOBODYS = "00000000-0000-4000-8000-000000000000"
SCOPES = ["read", "validate", "write"]
# Beyond these, an API token is refused: people, members, tokens, settings and the audit log.
FOR_TOKENS = ("/workspace", "/ai/", "/apikeys", "/providers", "/repo", "/user/profile")


def ask(who: object, operation: str) -> tuple[int, dict]:
    method, path = operation.split(" ", 1)
    kinds = {one["name"]: one["schema"].get("type") for one in OPERATIONS[operation]["parameters"]}
    address = re.sub(r"{(\w+)}", lambda found: "1" if kinds[found[1]] == "integer" else NOBODYS, path)
    answer = Api(who)(method, address, {"unknown": 1} if method in {"POST", "PUT"} else ...)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - OPEN))
def test_nobody_is_let_in_without_a_token(operation: str, db: None) -> None:
    status, body = ask(None, operation)
    assert (status, body["success"]) == (401, False)
    assert ask("fbk_12345678_nonsense", operation)[0] == 401


@pytest.mark.parametrize("operation", sorted(OPEN))
def test_what_is_open_to_all_asks_for_no_token(operation: str, db: None) -> None:
    assert ask(None, operation)[0] in {200, 400}
    assert OPERATIONS[operation]["security"] == []


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_reaches_what_its_scope_says_and_nothing_else(scope: str, people: People) -> None:
    text = tokens.create(people.owner, name="all", scope=scope).text
    tokens.PER_MINUTE, before = 10_000, tokens.PER_MINUTE
    try:
        for operation, one in OPERATIONS.items():
            if operation in OPEN:
                continue
            status, body = ask(text, operation)
            needed = one["x-token-scope"]
            refused = needed is None or SCOPES.index(needed) > SCOPES.index(scope)
            assert (body.get("error_code") == "INSUFFICIENT_SCOPE") is refused, operation
            assert status != 401, operation
    finally:
        tokens.PER_MINUTE = before


def test_people_members_tokens_and_the_log_are_for_persons_alone() -> None:
    for operation, one in OPERATIONS.items():
        if operation not in OPEN and one["x-token-scope"] is not None:
            path = operation.split(" ", 1)[1]
            assert path.startswith(FOR_TOKENS), operation
            assert "users" not in path, operation


def test_reading_takes_the_scope_read_and_changing_more() -> None:
    reads = {"POST /ai/models", "POST /repo/validate", "POST /repo/{id}/validate"}  # they change nothing
    for operation, one in OPERATIONS.items():
        if operation not in OPEN and one["x-token-scope"] == "read":
            assert operation.startswith("GET ") or operation in reads, operation
        if operation.startswith("GET ") and operation not in OPEN:
            assert one["x-token-scope"] in {"read", None}, operation


@pytest.mark.parametrize("who", ["owner", "admin", "writer", "reader", "outsider", "stranger", "staff"])
def test_an_id_that_never_was_is_404_or_a_refusal_for_everybody(who: str, people: People) -> None:
    api_of = Api(getattr(people, who))
    for operation in OPERATIONS:
        if "{" in operation:
            status, body = ask(api_of.token, operation)
            assert status in {400, 403, 404}, (operation, status, body)
            assert body["success"] is False

"""The REST API as a whole: envelope, strict reading, who is let in."""

import pytest

from tests.api import Api


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_service_says_that_it_is_up(path: str) -> None:
    answer = Api()("GET", path)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "Flashback is up."})


@pytest.mark.parametrize(
    "path", ["/nothing", "/workspace/", "/ai/llm/x/y", "/%0a", "/nothing%2Fhere", "/%ff", "/health/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_unknown_addresses_answer_the_envelope(method: str, path: str) -> None:
    answer = Api()(method, path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("application/json")
    if method != "HEAD":
        assert answer.json() == {"success": False, "message": "There is nothing at this address."}


def test_an_unknown_method_is_405_with_those_that_are_known() -> None:
    answer = Api()("PATCH", "/")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"
    assert answer.json()["success"] is False


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/user/profile", "/nothing"])
def test_head_is_answered_like_get(path: str, db: None) -> None:
    head, get = Api()("HEAD", path), Api()("GET", path)
    assert head.status_code == get.status_code
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.content == b""


READ_STRICTLY = {
    "not JSON": b"{",
    "nothing but a blank": b" ",
    "not UTF-8": b'{"email": "\xff"}',
    "a name given twice": b'{"email": "a", "email": "b"}',
    "half a surrogate pair": b'{"email": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\udfff": 1}',
    "a NUL": b'{"email": "a\\u0000"}',
    "not a number": b'{"email": NaN}',
    "no number at all": b'{"email": -Infinity}',
    "too large a number": b'{"email": 1e999}',
    "too many figures": b'{"email": 1' + b"0" * 5000 + b"}",
    "too deep": b'{"email": ' + b"[" * 21 + b"]" * 21 + b"}",
    "far too deep": b"[" * 100_000,
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("body", READ_STRICTLY.values(), ids=READ_STRICTLY)
def test_a_body_is_read_strictly(body: bytes, db: None) -> None:
    answer = Api().post("/user/login", body)
    assert answer.status_code == 400
    assert answer.json()["success"] is False

"""The REST API as a whole: envelope, strict reading, who is let in."""

import pytest

from tests.api import Api


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_service_says_that_it_is_up(path: str) -> None:
    answer = Api()("GET", path)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "Flashback is up."})


@pytest.mark.parametrize("path", ["/nothing", "/workspace/", "/ai/llm/x/y", "/%0a", "/ai%2Fllm", "/%ff", "/health/"])
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

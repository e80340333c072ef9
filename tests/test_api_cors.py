"""Pages of other origins: closed by default, open for those that the setting names."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from flashback import environment
from tests.api import Api
from tests.conftest import People

APP = "https://app.example.com"
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def cors(answer: object) -> dict:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}


def test_no_origin_is_let_in_by_default(people: People) -> None:
    assert cors(Api()("OPTIONS", "/workspace", **PREFLIGHT)) == {}
    assert cors(Api(people.owner).get("/workspace", Origin=APP)) == {}


def test_a_named_origin_may_ask_and_read(people: People, settings: object) -> None:
    settings.API_ORIGINS = frozenset({APP})
    preflight = Api()("OPTIONS", "/workspace", **PREFLIGHT)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == APP
    assert {"Authorization", "Content-Type"} <= set(preflight.headers["Access-Control-Allow-Headers"].split(", "))
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE"
    answer = Api(people.owner).get("/workspace", Origin=APP)
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert {"ETag", "RateLimit"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert "Origin" in answer.headers["Vary"]
    for failed in (Api().get("/workspace", Origin=APP), Api().get("/nothing", Origin=APP)):
        assert failed.headers["Access-Control-Allow-Origin"] == APP
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{APP}.evil.example", f"{APP}:444", "http://app.example.com"]
)
def test_every_other_origin_stays_out(origin: str, people: People, settings: object) -> None:
    settings.API_ORIGINS = frozenset({APP})
    assert cors(Api()("OPTIONS", "/workspace", **{**PREFLIGHT, "Origin": origin})) == {}
    assert cors(Api(people.owner).get("/workspace", Origin=origin)) == {}


def test_pages_are_not_opened(client: object, settings: object, db: None) -> None:
    settings.API_ORIGINS = frozenset({APP})
    assert cors(client.get("/account/login", headers={"Origin": APP})) == {}


@pytest.mark.parametrize(
    "text",
    ["*", "app.example.com", f"{APP}/", f"{APP}/path", "https://user@app.example.com", "ftp://a", f"{APP}:443", "null"],
)
def test_nonsense_in_the_setting_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHBACK_API_ORIGINS", text)
    with pytest.raises(ImproperlyConfigured, match="FLASHBACK_API_ORIGINS"):
        environment.origins("FLASHBACK_API_ORIGINS")


def test_several_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHBACK_API_ORIGINS", f"{APP}, http://localhost:3000")
    assert environment.origins("FLASHBACK_API_ORIGINS") == {APP, "http://localhost:3000"}

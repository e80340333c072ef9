"""A second factor over the API: no full token by password alone."""

import pytest

from tests import build
from tests.api import Api
from tests.conftest import People
from tests.test_second_factor import code, set_up
from workspaces.account_models import SecondFactorPolicy
from workspaces.models import Event, Organization, User
from workspaces.token_models import Login


def sign_in(person: User) -> dict:
    answer = Api().post("/user/login", {"email": person.email, "password": build.PASSWORD})
    assert answer.status_code == 200
    return answer.json()


def test_a_password_alone_gives_a_token_that_is_good_for_the_code_only(people: People) -> None:
    secret, _ = set_up(people.owner)
    first = sign_in(people.owner)
    assert (first["success"], first["mfaRequired"], "refreshToken" in first) == (True, True, False)
    limited = Api(first["accessToken"])
    for method, path in [("GET", "/user/profile"), ("GET", "/workspace"), ("GET", "/token"), ("POST", "/workspace")]:
        refused = limited(method, path)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "MFA_REQUIRED")
    status = limited.get("/mfa/status").json()["data"]
    assert (status["isEnabled"], status["sessionVerified"], status["enabledMethods"]) == (True, False, ["GOOGLE_AUTH"])
    assert "person.signed_in" not in Event.objects.values_list("action", flat=True)
    beside = {"mfaType": "GOOGLE_AUTH", "sessionId": "s", "ipAddress": "192.0.2.1", "userAgent": "node"}
    second = limited.post("/mfa/verify-login", {"code": code(secret, steps=1), **beside}).json()
    assert second["success"] is True
    assert Api(second["fullAccessToken"]).get("/user/profile").status_code == 200
    assert Api(second["fullAccessToken"]).get("/mfa/status").json()["data"]["sessionVerified"] is True
    assert limited.get("/mfa/status").status_code == 401
    renewed = Api().post("/user/refresh", {"refresh_token": second["refreshToken"]})
    assert renewed.status_code == 200
    assert Event.objects.latest("id").action == "person.signed_in"
    assert Api(second["fullAccessToken"]).post("/mfa/verify-login", {"code": code(secret)}).status_code == 409


def test_a_recovery_code_does_it_too_and_only_once(people: People) -> None:
    _, codes = set_up(people.owner)
    assert Api(sign_in(people.owner)["accessToken"]).post("/mfa/verify-login", {"token": codes[0]}).status_code == 200
    again = Api(sign_in(people.owner)["accessToken"]).post("/mfa/verify-login", {"token": codes[0]})
    assert (again.status_code, again.json()["errors"].keys()) == (400, {"code"})


NO_CODE = [{}, {"code": ""}, {"code": None}, {"code": "000000"}, {"code": 123456}, {"code": "1" * 41}]


@pytest.mark.parametrize("body", NO_CODE)
def test_what_is_no_code_is_400(body: dict, people: People) -> None:
    set_up(people.owner)
    assert Api(sign_in(people.owner)["accessToken"]).post("/mfa/verify-login", body).status_code == 400


def test_codes_cannot_be_guessed_by_signing_in_again_and_again(people: People) -> None:
    set_up(people.owner)
    statuses = [
        Api(sign_in(people.owner)["accessToken"]).post("/mfa/verify-login", {"code": "000000"}).status_code
        for _ in range(7)
    ]
    assert statuses == [400] * 5 + [429] * 2


def test_who_must_have_one_gets_no_token_without(people: People) -> None:
    Organization.objects.update(second_factor=SecondFactorPolicy.EVERYONE)
    answer = Api().post("/user/login", {"email": people.reader.email, "password": build.PASSWORD})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "MFA_SETUP_REQUIRED")
    assert Login.objects.count() == 0


def test_an_api_token_has_no_second_factor(people: People) -> None:
    answer = Api().post("/mfa/verify-login", {"code": "123456"})
    assert answer.status_code == 401

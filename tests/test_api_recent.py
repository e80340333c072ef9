"""What the console asks again for who it is, the API takes from a fresh sign-in only; both lists are held equal."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from flashback import api
from tests import build
from tests.api import Api
from tests.conftest import People
from tests.routes import own_routes, stored
from tests.test_second_factor import code, set_up
from workspaces import second_factor
from workspaces.token_models import Login

NEW = {"email": "new@example.com", "password": "quite a long passphrase"}
# The operation, its body, and the route of the console that asks again for the same.
ASKED = {
    "PUT /user/{owner}": ({"password": "quite another passphrase"}, "account_change_password"),
    "PUT /user/{reader}/role": ({"orgRole": 2}, "person_role"),
    "POST /organization/users": (NEW, "invitation_new"),
    "PUT /organization/users/{reader}": ({"orgRole": 2}, "person_role"),
    "DELETE /organization/users/{reader}": (..., "person_deactivate"),
    "POST /organization/users/{reader}/activate": (..., "person_reactivate"),
    "POST /organization/users/{reader}/ownership": (..., "person_ownership"),
    "POST /organization/invitations": ({"email": "new@example.com"}, "invitation_new"),
    "PUT /organization/{organization}": ({"mfaEnforced": True}, "organization_security"),
    "POST /user/apitokens": ({"name": "deploy"}, "api_token_new"),
    "POST /workspace/{workspace}/apitokens": ({"name": "deploy"}, "workspace_token_new"),
    "POST /user/email": ({"email": "new@example.com"}, "email_change"),
    "POST /mfa/setup": (..., "mfa_activate_totp"),
    "POST /mfa/enable": (..., "mfa_activate_totp"),
    "POST /mfa/recovery-codes": (..., "mfa_generate_recovery_codes"),
    "DELETE /mfa": (..., "mfa_deactivate_totp"),
    "DELETE /workspace/{workspace}": (..., "workspace_delete"),
    "POST /workspace/{workspace}/users": ({"userId": "{outsider}", "role": "READ"}, "member_add"),
    "PUT /workspace/{workspace}/users/{reader}": ({"role": "WRITE"}, "member_role"),
    "DELETE /workspace/{workspace}/users/{reader}": (..., "member_remove"),
}


OWN = ("/mfa", "/user/apitokens", "/user/email")  # for everybody


def filled(text: str, people: People) -> str:
    return re.sub(r"{(\w+)}", lambda name: str(getattr(people, name[1]).pk), text)


def send(client: Api, operation: str, people: People) -> object:
    (method, path), body = operation.split(" "), ASKED[operation][0]
    if path == "/mfa/enable":
        secret, token = second_factor.offer(people.owner)
        body = {"setupToken": token, "code": code(secret)}
    elif isinstance(body, dict):
        body = {name: filled(value, people) if isinstance(value, str) else value for name, value in body.items()}
    return client(method, filled(path, people), body)


@pytest.mark.parametrize("operation", ASKED)
def test_an_old_sign_in_changes_nothing_and_a_fresh_one_does(operation: str, people: People) -> None:
    client = Api(people.owner)
    set_up(people.owner)
    Login.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    before = stored()
    refused = send(client, operation, people)
    assert (refused.status_code, refused.json()["error_code"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert "POST /user/login" in refused.json()["message"]
    assert stored() == before
    Login.objects.update(created_at=timezone.now() - timedelta(minutes=9))
    assert send(client, operation, people).status_code in {200, 201}


@pytest.mark.parametrize("operation", [one for one in ASKED if not one.split()[1].startswith(OWN)])
def test_who_may_not_do_it_learns_that_and_is_not_sent_to_sign_in(operation: str, people: People) -> None:
    client = Api(people.reader)
    Login.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    refused = send(client, operation, people)
    assert refused.status_code in {403, 404}
    assert refused.json().get("error_code") is None


def test_what_matters_less_takes_an_old_sign_in(people: People) -> None:
    client = Api(people.owner)
    Login.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert client.put(f"/user/{people.owner.pk}", {"name": "Olive"}).status_code == 200
    assert client.put(f"/organization/users/{people.reader.pk}", {"name": "Rita", "orgRole": 0}).status_code == 200
    row = build.ai_llm(people.writer, people.workspace)
    assert client.put(f"/ai/llm/{row.pk}", {"secret": build.SECRET}).status_code == 200
    assert client.delete(f"/ai/llm/{row.pk}").status_code == 200


def test_the_description_names_each_of_them() -> None:
    told = {
        f"{method.upper()} {path}"
        for path, methods in api.document()["paths"].items()
        for method, one in methods.items()
        if "within 10 minutes of signing in" in one["description"].replace("is taken within", "within")
    }
    assert {re.sub(r"{\w+}", "{}", one) for one in told} == {re.sub(r"{\w+}", "{}", one) for one in ASKED}


def asks_again(view: object) -> bool:
    while view is not None:
        if getattr(view, "__qualname__", "") and "recently_authenticated_for" in view.__code__.co_qualname:
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def test_the_console_asks_for_the_same_and_for_what_api_tokens_may_do_without() -> None:
    """An API token has nobody who could be asked, and a sign-in may do what such a token may."""
    asking = {route.name for route in own_routes() if asks_again(route.view)}
    for_tokens = {name for name in asking if name.startswith(("ai_llm", "provider_key", "ai_api_key", "repository"))}
    inside = {"account_change_password", "organization_security"}  # a field of the form, and after the role was asked
    assert asking - for_tokens == {route for _, route in ASKED.values()} - inside

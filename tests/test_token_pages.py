"""The pages of API tokens: made once, shown once, listed by their marks, revoked for good."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces import tokens
from workspaces.models import User
from workspaces.token_models import ApiToken

TOKEN = re.compile(r"fbk_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}")


def places(people: People) -> list[tuple[User, str]]:
    return [(people.writer, "/account/tokens"), (people.admin, f"/w/{people.workspace.slug}/tokens")]


def form(client: Client, path: str, **values: str) -> dict:
    page = client.get(f"{path}/new").text
    row = re.search(r'name="row" value="([^"]+)"', page)
    return {"name": "deploy", "scope": "validate", "days": "30", "row": row[1], **values}


@pytest.mark.parametrize("place", [0, 1], ids=["one's own", "of a workspace"])
def test_a_token_is_shown_once_and_works(place: int, people: People, signed_in: Callable[[User], Client]) -> None:
    person, path = places(people)[place]
    client = signed_in(person)
    sent = form(client, path)
    made = client.post(f"{path}/new", sent)
    text = TOKEN.search(made.text)[0]
    assert made.status_code == 200
    assert "no-store" in made.headers["Cache-Control"]
    assert made.headers["HX-Push-Url"] == path
    assert Api(text).get("/user/profile").json()["data"]["email"] == person.email
    row = ApiToken.objects.get()
    assert (row.scope, row.workspace_id) == ("validate", people.workspace.pk if place else None)
    again = client.post(f"{path}/new", sent)
    assert again.status_code == 409
    listed = client.get(path).text
    assert row.public_id in listed
    assert not TOKEN.search(again.text + listed)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("place", [0, 1], ids=["one's own", "of a workspace"])
def test_a_token_is_revoked_after_a_question(place: int, people: People, signed_in: Callable[[User], Client]) -> None:
    person, path = places(people)[place]
    made = tokens.create(person, name="deploy", scope="read", workspace=people.workspace if place else None)
    client = signed_in(person)
    address = f"{path}/{made.token.pk}/revoke"
    assert "Revoke deploy?" in client.get(address).text
    assert Api(made.text).get("/user/profile").status_code == 200
    assert client.post(address).status_code == 303
    assert Api(made.text).get("/user/profile").status_code == 401
    assert "deploy" in client.get(path).text  # the notice
    assert "deploy" not in client.get(path).text


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scope": "admin"}, {"days": "366"}, {"days": "x"}, {"row": "x"}])
def test_what_was_typed_stays_beside_what_is_wrong(
    wrong: dict, people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.writer)
    answer = client.post("/account/tokens/new", form(client, "/account/tokens", **wrong))
    assert answer.status_code == 422
    assert ApiToken.objects.count() == 0
    if "name" not in wrong:
        assert 'value="deploy"' in answer.text


def test_a_form_of_another_person_or_place_makes_nothing(people: People, signed_in: Callable[[User], Client]) -> None:
    mine = form(signed_in(people.admin), "/account/tokens")
    assert signed_in(people.writer).post("/account/tokens/new", mine).status_code == 422
    path = f"/w/{people.workspace.slug}/tokens"
    assert signed_in(people.admin).post(f"{path}/new", mine).status_code == 422
    assert ApiToken.objects.count() == 0


def test_making_one_asks_again_who_it_is(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.writer)
    session = client.session
    session["authenticated_at"] = 0
    session.save()
    answer = client.get("/account/tokens/new")
    assert answer.status_code in {302, 303}
    assert answer.headers["Location"].startswith("/account/reauthenticate")


def test_foreign_tokens_are_not_there(people: People, signed_in: Callable[[User], Client]) -> None:
    made = tokens.create(people.reader, name="secret plan", scope="read")
    client = signed_in(people.owner)
    assert "secret plan" not in client.get("/account/tokens").text
    assert client.post(f"/account/tokens/{made.token.pk}/revoke").status_code == 404
    second = build.workspace(people.organization)
    other = tokens.create(people.owner, workspace=second, name="other", scope="read")
    assert client.post(f"/w/{people.workspace.slug}/tokens/{other.token.pk}/revoke").status_code == 404

"""Endpoints that need no secret: an explicit choice of the type OTHER, in the verbs, the pages and the check."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from ai_llm import configs, validation
from ai_llm.models import AiLlm, Credential, Type
from ai_llm.sandbox import Sandbox
from flashback.errors import Invalid
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import Event, User

ENDPOINT = "https://llm.example.com/v1"


def keyless(people: People, **values: Any) -> AiLlm:
    given = {"type": "OTHER", "endpoint": ENDPOINT, "secret": "", "keyless": True, **values}
    return build.ai_llm(people.writer, people.workspace, **given)


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def base(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai/llm"


@pytest.fixture
def sandbox(settings: object) -> Iterator[Sandbox]:
    with Sandbox() as started:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{started.port}"]
        yield started


def credentials_step(client: Client, base: str, endpoint: str = ENDPOINT, type_: str = "OTHER") -> tuple[str, str]:
    address = f"{base}/new?type={type_}&name=local&endpoint={endpoint}"
    found = re.search(r'name="row"[^>]*value="([^"]+)"', client.get(address).content.decode())
    assert found
    return address, unescape(found[1])


class TestTheVerbs:
    def test_nothing_is_stored_for_a_secret(self, people: People) -> None:
        row = keyless(people)
        assert (row.keyless, row.credential, Credential.objects.count()) == (True, None, 0)
        assert Event.objects.get().details["keyless"] is True

    def test_its_state_is_that_of_its_checks(self, people: People) -> None:
        assert keyless(people).state == "never"

    @pytest.mark.parametrize("type_", [value for value in Type.values if value != "OTHER"])
    def test_only_other_may_do_without(self, type_: str, people: People) -> None:
        with pytest.raises(Invalid) as refused:
            keyless(people, type=type_)
        assert refused.value.errors == {"keyless": configs.ONLY_OTHER}

    @pytest.mark.parametrize("field", ["secret", "key"])
    def test_either_a_secret_or_the_choice_but_not_both(self, field: str, people: People) -> None:
        with pytest.raises(Invalid) as refused:
            keyless(people, **{field: build.SECRET})
        assert refused.value.errors == {field: configs.NOT_BOTH}

    def test_neither_is_told_beside_the_secret(self, people: People) -> None:
        with pytest.raises(Invalid) as refused:
            keyless(people, keyless=False)
        assert refused.value.errors == {"secret": configs.SECRET_OR_NONE}

    def test_the_same_form_sent_twice_makes_one_row(self, people: People) -> None:
        row = uuid4()
        assert keyless(people, id=row, name="local").pk == keyless(people, id=row, name="local").pk
        with pytest.raises(configs.AlreadyCreated):
            keyless(people, id=row, name="local", keyless=False, secret=build.SECRET)

    def test_going_without_purges_what_was_stored(self, people: People) -> None:
        row = keyless(people, keyless=False, secret=build.SECRET, key="a-second-key")
        AiLlm.objects.update(verdict="rejected")
        changed = configs.replace_secret(people.writer, row, keyless=True)
        assert (changed.keyless, changed.credential, changed.verdict) == (True, None, "")
        assert not Credential.objects.exists()
        assert Event.objects.order_by("id").last().details == {"secret": "", "keyless": True}

    def test_a_secret_can_come_later(self, people: People) -> None:
        row = configs.replace_secret(people.writer, keyless(people), secret=build.SECRET)
        assert (row.keyless, row.credential is not None) == (False, True)

    def test_it_may_move_without_a_secret_because_there_is_none_to_protect(self, people: People) -> None:
        row = keyless(people)
        moved = configs.update(
            people.writer, row, name=row.name, endpoint="https://other.example.com/v1", version=row.version
        )
        assert (moved.endpoint, moved.keyless) == ("https://other.example.com/v1", True)


@pytest.mark.django_db(transaction=True)
class TestTheCheck:
    def test_no_authorization_is_sent(self, people: People, sandbox: Sandbox) -> None:
        row = keyless(people, endpoint=sandbox.url("/keyless/v1"))
        check = validation.validate(people.writer, row)
        assert (check.verdict, check.model_count) == ("accepted", 2)
        assert {request.header("authorization") for request in sandbox.requests} == {""}

    def test_a_server_that_wants_a_key_after_all_is_told_apart(self, people: People, sandbox: Sandbox) -> None:
        check = validation.validate(people.writer, keyless(people, endpoint=sandbox.url("/openai/v1")))
        assert check.verdict != "accepted"


class TestThePages:
    def test_the_choice_is_offered_for_other_alone(self, client: Client, base: str) -> None:
        for type_ in Type.values:
            address, _ = credentials_step(client, base, type_=type_)
            offered = "This endpoint needs no secret" in text(client.get(address))
            assert offered == (type_ == "OTHER")

    def test_the_wizard_makes_a_row_without_a_credential(self, client: Client, base: str) -> None:
        address, row = credentials_step(client, base)
        answer = client.post(address, {"row": row, "secret": "", "keyless": "on", "action": "create"})
        assert answer.status_code == 303
        page = client.get(answer["Location"])
        assert "No secret: this server does not check keys" in text(page)
        for shown in (page, client.get(base)):
            assert 'class="badge bad"' not in shown.content.decode()  # Needs its secret again

    @pytest.mark.parametrize(
        ("sent", "says"),
        [({}, configs.SECRET_OR_NONE), ({"keyless": "on", "secret": build.SECRET}, configs.NOT_BOTH)],
    )
    def test_a_wrong_choice_is_told_beside_the_field(
        self, sent: dict[str, str], says: str, client: Client, base: str
    ) -> None:
        address, row = credentials_step(client, base)
        answer = client.post(address, {"row": row, "action": "create", **sent})
        assert answer.status_code == 422
        assert re.search(r'id="id_secret_error".*?' + re.escape(says), answer.content.decode(), re.DOTALL)
        assert not AiLlm.objects.exists()

    def test_the_new_page_checks_by_itself(self, client: Client, base: str, people: People) -> None:
        row = keyless(people)
        assert 'hx-trigger="load, submit"' in client.get(f"{base}/{row.pk}").content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_rotation_goes_there_and_back(self, client: Client, base: str, people: People, sandbox: Sandbox) -> None:
        row = keyless(people, keyless=False, secret=build.SECRET, endpoint=sandbox.url("/openai/v1"))
        answer = client.post(f"{base}/{row.pk}/rotate", {"keyless": "on"})
        assert (answer.status_code, AiLlm.objects.get().keyless) == (303, True)
        assert "no secret, this server does not check keys" in text(client.get(f"{base}/{row.pk}/rotate"))
        client.post(f"{base}/{row.pk}/rotate", {"secret": build.SECRET})
        assert (AiLlm.objects.get().keyless, Credential.objects.count()) == (False, 1)

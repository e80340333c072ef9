"""Ids of another organization, in every address and every body: answered exactly as ids that never were."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client

from flashback import api
from tests import build
from tests.api import Api
from tests.conftest import People
from tests.test_api_bad_input import BODIES, DOCUMENT
from workspaces import invitations, logins, own_sessions, tokens
from workspaces.access import OrganizationRole
from workspaces.models import User

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WITH_ID = sorted(
    (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods if "{" in path
)
Ids = dict[str, UUID | str]


def browser_of(person: User) -> str:
    """Sign somebody in to the console; return the id of the session over the API."""
    Client().force_login(person)
    return own_sessions.of(person, None)[0].mark


@pytest.fixture
def there(people: People) -> Ids:
    """One id of each kind of thing in an organization, by the beginning of its address or the name in it."""
    writer, workspace = people.writer, people.workspace
    row = build.ai_llm(writer, workspace)
    repository = build.repository(writer, workspace, row)
    return {
        "/ai/llm": row.pk,
        "/apikeys": build.provider_key(writer, workspace).pk,
        "/repo": repository.pk,
        "/organization/invitations": invitations.create(people.owner, email="new@example.com").invitation.pk,
        "key": build.key(writer, repository).key.pk,
        "ai_llm": row.pk,
        "user_id": people.reader.pk,
        "org_id": people.organization.pk,
        "workspace_id": workspace.pk,
        "token_id": logins.start(people.reader).login.pk,
        "/user/sessions": browser_of(people.reader),
        "/user/apitokens": tokens.create(people.reader, name="mine", scope="read").token.pk,
        "/workspace/{workspace_id}/apitokens": tokens.create(
            people.admin, workspace=workspace, name="ours", scope="read"
        ).token.pk,
    }


@pytest.fixture
def stranger(people: People) -> Api:
    """The owner of another organization: nothing is out of reach for want of a role."""
    User.objects.filter(pk=people.stranger.pk).update(organization_role=OrganizationRole.OWNER)
    return Api(User.objects.get(pk=people.stranger.pk))


def address(path: str, of: Callable[[str], object]) -> str:
    """The address with ids; `id` is that of what stands before it."""
    return re.sub(r"{(\w+)}", lambda found: str(of(path.partition("/{id}")[0] if found[1] == "id" else found[1])), path)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, UUIDS.sub("id", answer.text)


def asked(client: Api, method: str, path: str, body: Any) -> tuple[int, str]:
    """What is answered; whatever it changed is undone."""
    with transaction.atomic():
        found = told(client(method, path, body))
        transaction.set_rollback(True)
    return found


def example(method: str, path: str) -> Any:
    return next((media["example"] for m, p, media in BODIES if (m, p) == (method, path)), ...)


@pytest.mark.parametrize(("method", "path"), WITH_ID, ids=[f"{m} {p}" for m, p in WITH_ID])
def test_an_id_in_the_address(method: str, path: str, there: Ids, stranger: Api) -> None:
    body = example(method, path)
    foreign = asked(stranger, method, address(path, there.__getitem__), body)
    never = asked(stranger, method, address(path, lambda _: uuid4()), body)
    assert foreign == never
    assert foreign[0] in {400, 403, 404}


def with_ids(value: Any, of: Callable[[], object]) -> Any:
    """The body with another id in the place of each of its examples."""
    return json.loads(UUIDS.sub(lambda _: str(of()), json.dumps(value)))


NAMING = [(m, p, media["example"]) for m, p, media in BODIES if UUIDS.search(json.dumps(media["example"]))]


@pytest.mark.parametrize(("method", "path", "body"), NAMING, ids=[f"{m} {p}" for m, p, _ in NAMING])
def test_an_id_in_the_body(method: str, path: str, body: Any, there: Ids, stranger: Api, people: People) -> None:
    own = User.objects.get(pk=people.stranger.pk)
    home = build.workspace(own.organization, "Home")
    row = build.ai_llm(own, home)
    mine = {**there, "/repo": build.repository(own, home, row).pk, "/ai/llm": row.pk, "workspace_id": home.pk}
    here = address(path, lambda name: mine.get(name, own.pk))
    never = asked(stranger, method, here, with_ids(body, uuid4))
    for foreign in {one for one in there.values() if isinstance(one, UUID)}:
        assert asked(stranger, method, here, with_ids(body, lambda one=foreign: one)) == never, foreign


def test_all_operations_with_an_id_are_here() -> None:
    assert len(WITH_ID) == len([1 for path, one in api.operations() if "{" in path for _ in one.methods])

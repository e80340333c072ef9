"""The pages about provider keys: who uses them, adding, changing, deleting; no secret comes back."""

from collections.abc import Callable

import pytest
from django.test import Client

from ai_llm import credentials, provider_keys
from ai_llm.models import AiLlm, Credential
from tests import build
from tests.conftest import People
from tests.test_provider_keys import NEW_SECRET, using
from workspaces.models import Event, User


@pytest.fixture
def at(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai/keys"


@pytest.fixture
def writer(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


def row_of(client: Client, at: str) -> str:
    return str(client.get(f"{at}/new").context["form"].initial["row"])


def add(client: Client, at: str, **values: str):
    given = {"row": row_of(client, at), "name": "team", "type": "OPENAI", "secret": build.SECRET, **values}
    return client.post(f"{at}/new", given)


def test_the_list_says_what_is_stored_and_who_uses_it(people: People, writer: Client, at: str) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team", description="For all")
    user = using(people, key, name="prod")
    page = writer.get(at).content.decode()
    for text in ("team", "For all", "https://api.openai.com/v1", "…cdef", "1 AI LLM"):
        assert text in page
    assert build.SECRET not in page
    assert "provider key <a" in writer.get(f"/w/{people.workspace.slug}/ai/llm/{user.pk}").content.decode()


def test_readers_see_the_list_and_no_buttons(people: People, signed_in: Callable[[User], Client], at: str) -> None:
    reader = signed_in(people.reader)
    assert "Somebody with the role WRITE" in reader.get(at).content.decode()
    build.provider_key(people.writer, people.workspace)
    page = reader.get(at).content.decode()
    assert f"{at}/" not in page.partition("<main")[2]


def test_one_is_added_and_a_second_click_adds_no_other(writer: Client, at: str) -> None:
    row = row_of(writer, at)
    answers = [add(writer, at, row=row, key="organization-key", expires_at="2035-01-31") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    held = Credential.objects.get()
    assert credentials.open_secret(held) == (build.SECRET, "organization-key")
    assert held.expires_at is not None
    assert Event.objects.filter(action="provider_key.created").count() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "Enter a name"),
        ({"secret": ""}, "Enter the API Secret"),
        ({"secret": f"Bearer {NEW_SECRET}"}, "Leave out the word"),
        ({"type": "OTHER"}, "no default one"),
        ({"type": "NOBODY"}, "not one of the available"),
        ({"endpoint": "api.openai.com"}, "https://"),
        ({"expires_at": "2001-01-01"}, "has passed"),
        ({"row": "junk"}, "another person or workspace"),
        ({"description": "x" * 501}, "at most 500"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_no_secret_comes_back(
    change: dict[str, str], says: str, writer: Client, at: str
) -> None:
    answer = add(writer, at, **change)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert says in page
    assert NEW_SECRET not in page
    assert build.SECRET not in page
    assert not Credential.objects.exists()


def test_a_new_secret_is_put_in_its_place(people: People, writer: Client, at: str) -> None:
    key = build.provider_key(people.writer, people.workspace, key="organization-key")
    values = {"name": key.name, "version": "1", "secret": NEW_SECRET, "remove_key": "on"}
    assert writer.post(f"{at}/{key.pk}", values).status_code == 303
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "")
    assert "Somebody else changed" in writer.post(f"{at}/{key.pk}", values).content.decode()


def test_deleting_names_who_uses_it_first(people: People, writer: Client, at: str) -> None:
    key = build.provider_key(people.writer, people.workspace)
    using(people, key, name="prod")
    page = writer.get(f"{at}/{key.pk}/delete").content.decode()
    assert "Deleting is refused for now" in page
    assert "prod" in page
    assert writer.post(f"{at}/{key.pk}/delete").status_code == 409
    free = build.provider_key(people.writer, people.workspace)
    assert writer.post(f"{at}/{free.pk}/delete").status_code == 303
    assert list(Credential.objects.of(people.workspace)) == [key]
    assert provider_keys.used_by(key).count() == 1


# --- Choosing one in Edit ---------------------------------------------------------------------------------------------


def edited(client: Client, people: People, row: AiLlm, **values: str):
    path = f"/w/{people.workspace.slug}/ai/llm/{row.pk}/edit"
    given = {"name": row.name, "endpoint": row.endpoint, "version": str(row.version), "secret": "", "key": "", **values}
    return client.post(path, given)


def test_edit_offers_the_keys_that_suit(people: People, writer: Client) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    path = f"/w/{people.workspace.slug}/ai/llm/{row.pk}/edit"
    build.provider_key(people.writer, people.workspace, provider="ANTHROPIC", name="claude")
    build.provider_key(people.owner, build.workspace(people.organization), name="elsewhere")
    assert "Provider key" not in writer.get(path).content.decode().partition("<main")[2]
    build.provider_key(people.writer, people.workspace, name="team")
    form = writer.get(path).content.decode().partition("<main")[2]
    assert "team (https://api.openai.com/v1, …cdef)" in form
    assert "claude" not in form
    assert "elsewhere" not in form


def test_an_ai_llm_takes_a_provider_key_and_lets_go_of_it(people: People, writer: Client) -> None:
    row, key = build.ai_llm(people.writer, people.workspace), build.provider_key(people.writer, people.workspace)
    assert edited(writer, people, row, provider_key=str(key.pk)).status_code == 303
    row.refresh_from_db()
    assert row.credential == key
    assert Credential.objects.get() == key  # its own secret is purged
    both = edited(writer, people, row, provider_key=str(key.pk), secret=NEW_SECRET)
    assert (both.status_code, both.context["form"].errors.keys()) == (422, {"provider_key"})
    none = edited(writer, people, row, provider_key="")
    assert (none.status_code, none.context["form"].errors.keys()) == (422, {"secret"})
    assert edited(writer, people, row, provider_key="", secret=NEW_SECRET).status_code == 303
    row.refresh_from_db()
    assert credentials.open_secret(row.credential) == (NEW_SECRET, "")
    assert Credential.objects.filter(pk=key.pk).exists()


@pytest.mark.parametrize("wrong", ["nobody", "00000000-0000-4000-8000-000000000000", "nul\0"])
def test_a_provider_key_that_is_not_there_is_refused_beside_its_field(
    wrong: str, people: People, writer: Client
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    build.provider_key(people.writer, people.workspace)
    answer = edited(writer, people, row, provider_key=wrong)
    assert (answer.status_code, answer.context["form"].errors.keys()) == (422, {"provider_key"})


def test_another_provider_key_is_tested_after_it_was_saved(people: People, writer: Client) -> None:
    row, key = build.ai_llm(people.writer, people.workspace), build.provider_key(people.writer, people.workspace)
    answer = edited(writer, people, row, provider_key=str(key.pk), action="test")
    assert (answer.status_code, answer.context["form"].errors.keys()) == (422, {"provider_key"})

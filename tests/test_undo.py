"""Undo: the notice of an act that has an inverse carries the button that does it, with scripts or without."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from ai_llm import rotation
from ai_llm.models import AiLlm
from ai_llm.outcomes import Result
from repositories import attachments, repos
from repositories.models import Repository
from tests import build
from tests.conftest import People
from workspaces.models import User


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


def press(client: Client, page: str, label: str) -> str:
    """Press the button of the notice on `page` as a browser without scripts does; return the page after it."""
    notices = re.search(r'<div id="messages".*?</main>', page, re.DOTALL)
    assert notices
    found = re.search(r'<form method="post" action="([^"]+)"(?:(?!</form>).)*' + label, notices[0], re.DOTALL)
    assert found, label
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[0]))
    return client.post(unescape(found[1]), fields, follow=True).content.decode()


def test_disabling_and_enabling_undo_each_other(client: Client, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    page = client.post(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/disable", follow=True).content.decode()
    assert AiLlm.objects.get(pk=row.pk).disabled_at is not None
    page = press(client, page, "Undo")
    assert AiLlm.objects.get(pk=row.pk).disabled_at is None
    press(client, page, "Undo")
    assert AiLlm.objects.get(pk=row.pk).disabled_at is not None


def test_a_repository_is_enabled_again(client: Client, people: People) -> None:
    row = repos.create(people.writer, people.workspace, name="assistant")
    page = client.post(f"/w/{people.workspace.slug}/repositories/{row.pk}/disable", follow=True).content.decode()
    press(client, page, "Undo")
    assert Repository.objects.get(pk=row.pk).disabled_at is None


def test_what_was_detached_is_attached_again(client: Client, people: People) -> None:
    one, two = (build.ai_llm(people.writer, people.workspace) for _ in range(2))
    row = build.repository(people.writer, people.workspace, one, two)
    sent = {"ai_llm": str(one.pk), "version": row.version}
    page = client.post(f"/w/{people.workspace.slug}/repositories/{row.pk}/detach", sent, follow=True).content.decode()
    press(client, page, "Attach again")
    assert list(row.attachments.in_order().values_list("ai_llm", flat=True)) == [two.pk, one.pk]


def test_nothing_was_detached_so_nothing_is_offered(client: Client, people: People) -> None:
    one = build.ai_llm(people.writer, people.workspace)
    row = build.repository(people.writer, people.workspace, one)
    attachments.detach(people.writer, row, one.pk)
    sent = {"ai_llm": str(one.pk)}
    page = client.post(f"/w/{people.workspace.slug}/repositories/{row.pk}/detach", sent, follow=True).content.decode()
    assert "It was detached before." in page
    assert "Attach again" not in page


def test_a_rotation_leads_back_to_the_former_secret(
    client: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    first = row.credential_id
    monkeypatch.setattr(rotation, "works", lambda _: True)
    monkeypatch.setattr("ai_llm.trials.of_new_secret", lambda *_, **__: Result("accepted", "accepted"))
    sent = {"secret": "sandbox-openai-secret-for-the-next-quarter", "keep": "24h", "version": row.version}
    page = client.post(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/rotate", sent, follow=True).content.decode()
    assert AiLlm.objects.get(pk=row.pk).credential_id != first
    press(client, page, "Return to the former secret")
    assert AiLlm.objects.get(pk=row.pk).credential_id == first


def test_the_button_is_there_once(client: Client, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    address = f"/w/{people.workspace.slug}/ai/llm/{row.pk}"
    assert "</svg>Undo<" in client.post(f"{address}/disable", follow=True).content.decode()
    assert "Undo<" not in client.get(address).content.decode()

"""Repositories: what the verbs keep, the pages people use, and what a repository leads to."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from io import StringIO
from itertools import product
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm.models import AiLlm
from flashback.errors import Conflict, Denied, Invalid
from repositories import attachments, keys, listing, reachable, repos
from repositories.models import AiApiKey, Repository
from tests import build
from tests.conftest import People
from tests.test_hostile import broken, one_by_one
from workspaces.models import Event, User


def actions(subject: Repository | AiApiKey) -> list[str]:
    return list(Event.objects.filter(object_id=str(subject.pk)).order_by("id").values_list("action", flat=True))


def value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*?value="([^"]*)"', page)
    assert found, f"there is no input {name}"
    return unescape(found[1])


# --- The verbs ---


def test_a_repository_starts_empty_with_defaults_for_the_public_api(people: People) -> None:
    made = repos.create(people.writer, people.workspace, name="  chat   production ", description=" For  the shop. ")
    row = Repository.objects.get(pk=made.pk)
    assert (row.name, row.description, row.storage_type, row.mode) == (
        "chat production",
        "For the shop.",
        "S3",
        "NORMAL",
    )
    assert (row.created_by, row.version, row.attachments.count()) == (people.writer, 1, 0)
    assert actions(row) == ["repository.created"]


@pytest.mark.parametrize("name", ["CHAT", "ｃｈａｔ", " chat "])
def test_names_are_unique_in_a_workspace_however_they_are_written(name: str, people: People) -> None:
    build.repository(people.writer, people.workspace, name="chat")
    with pytest.raises(Invalid) as refused:
        repos.create(people.writer, people.workspace, name=name)
    assert refused.value.errors == {"name": repos.SAME_NAME}
    repos.create(people.stranger, people.strange_workspace, name=name)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a", "description": "x" * 501}, "description"),
        ({"name": "a", "storage_type": "TAPE"}, "storage_type"),
        ({"name": "a", "mode": "SIDEWAYS"}, "mode"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(values: dict[str, str], field: str, people: People) -> None:
    with pytest.raises(Invalid) as refused:
        repos.create(people.writer, people.workspace, **values)
    assert list(refused.value.errors) == [field]
    assert not Repository.objects.exists()


def test_the_same_form_sent_twice_makes_one_repository(people: People) -> None:
    form = uuid4()
    first = repos.create(people.writer, people.workspace, id=form, name="chat")
    assert repos.create(people.writer, people.workspace, id=form, name="Chat") == first
    for other in ({"name": "other"}, {"name": "chat", "description": "Another."}, {"name": "chat", "mode": "MIRROR"}):
        with pytest.raises(Conflict, match="has made a repository already"):
            repos.create(people.writer, people.workspace, id=form, **other)
    repos.delete(people.writer, first)
    with pytest.raises(Conflict):
        repos.create(people.writer, people.workspace, id=form, name="chat")
    assert Repository.objects.count() == 1


def test_an_update_records_old_and_new_and_nothing_records_nothing(people: People) -> None:
    row = build.repository(people.writer, people.workspace, name="chat")
    repos.update(people.writer, row, name="talk", description="Ask Ada.")
    repos.update(people.writer, row, name="talk", description="Ask Ada.")
    event = Event.objects.get(object_id=str(row.pk), action="repository.updated")
    assert event.details == {"name": ["chat", "talk"], "description": ["", "Ask Ada."]}


def test_a_rename_to_a_taken_name_is_refused(people: People) -> None:
    build.repository(people.writer, people.workspace, name="chat")
    row = build.repository(people.writer, people.workspace, name="talk")
    with pytest.raises(Invalid):
        repos.update(people.writer, row, name="Chat")
    assert repos.update(people.writer, row, name="Talk").name == "Talk"


def test_disable_and_enable_are_recorded_once_each(people: People) -> None:
    row = build.repository(people.writer, people.workspace)
    for verb in (repos.disable, repos.disable, repos.enable, repos.enable):
        verb(people.writer, row)
    assert actions(row) == ["repository.created", "repository.disabled", "repository.enabled"]


def test_deleting_with_working_keys_needs_the_name(people: People) -> None:
    row = build.repository(people.writer, people.workspace, name="chat")
    build.key(people.writer, row, name="shop")
    for typed in ("", "chatt"):
        with pytest.raises(Invalid) as refused:
            repos.delete(people.writer, row, confirmed=typed)
        assert refused.value.errors == {"name": "1 AI API key of this repository would stop. Type chat to confirm."}
    repos.delete(people.writer, row, confirmed=" Chat ")
    assert list(Repository.objects.of(people.workspace)) == []


def test_deleting_without_working_keys_needs_no_name_and_frees_it(people: People) -> None:
    row = build.repository(people.writer, people.workspace, name="chat")
    expired = build.key(people.writer, row).key
    AiApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    keys.revoke(people.writer, build.key(people.writer, row).key)
    repos.delete(people.writer, row)
    build.repository(people.writer, people.workspace, name="chat")


def test_a_deleted_repository_is_purged_after_thirty_days_with_its_keys(people: People) -> None:
    row = build.repository(people.writer, people.workspace, build.ai_llm(people.writer, people.workspace))
    build.key(people.writer, row)
    repos.delete(people.writer, row, confirmed=row.name)
    call_command("tidy", stdout=StringIO())
    assert Repository.objects.count() == 1
    Repository.objects.filter(pk=row.pk).update(deleted_at=timezone.now() - timedelta(days=30))
    said = StringIO()
    call_command("tidy", stdout=said)
    assert "1 deleted repositories" in said.getvalue()
    assert (Repository.objects.count(), AiApiKey.objects.count(), AiLlm.objects.count()) == (0, 0, 1)


@pytest.mark.parametrize("who", ["reader", "outsider", "stranger", "staff"])
def test_every_verb_asks_for_write(who: str, people: People) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace)
    row = build.repository(people.writer, people.workspace, ai_llm)
    key = build.key(people.writer, row).key
    actor = getattr(people, who)
    before = Event.objects.count()
    for refused in (
        lambda: repos.create(actor, people.workspace, name="x"),
        lambda: repos.update(actor, row, name="x"),
        lambda: repos.disable(actor, row),
        lambda: repos.enable(actor, row),
        lambda: repos.delete(actor, row, confirmed=row.name),
        lambda: attachments.attach(actor, row, []),
        lambda: attachments.attach_to(actor, ai_llm, []),
        lambda: attachments.detach(actor, row, ai_llm.pk),
        lambda: attachments.reorder(actor, row, []),
        lambda: attachments.change(actor, row, ai_llm.pk),
        lambda: attachments.replace(actor, row, []),
        lambda: attachments.move_all(actor, ai_llm, ai_llm),
        lambda: keys.create(actor, row, name="x"),
        lambda: keys.update(actor, key, name="x"),
        lambda: keys.rotate(actor, key),
        lambda: keys.end_former(actor, key),
        lambda: keys.revoke(actor, key),
    ):
        with pytest.raises(Denied):
            refused()
    assert Event.objects.count() == before


def test_a_repository_deleted_meanwhile_conflicts(people: People) -> None:
    row = build.repository(people.writer, people.workspace)
    repos.delete(people.writer, row)
    for verb in (
        lambda: repos.update(people.writer, row, name="x"),
        lambda: repos.disable(people.writer, row),
        lambda: repos.delete(people.writer, row),
        lambda: attachments.attach(people.writer, row, []),
        lambda: keys.create(people.writer, row, name="x"),
    ):
        with pytest.raises(Conflict):
            verb()


# --- Reachable models ---


def test_reachable_models_are_the_union_and_the_first_in_order_wins(people: People) -> None:
    first, second = (build.ai_llm(people.writer, people.workspace, name=name) for name in ("first", "second"))
    build.models(first, "gpt-4o", "o3")
    build.models(second, "gpt-4o", "llama")
    row = build.repository(people.writer, people.workspace, second, first)
    reach = reachable.of(row)
    shown = [(m.name, m.wins.ai_llm.name, [o.ai_llm.name for o in m.others]) for m in reach.models(reach.found())]
    assert shown == [("gpt-4o", "second", ["first"]), ("llama", "second", []), ("o3", "first", [])]
    assert reach.found("GPT") == ["gpt-4o"]
    assert reach.found("", first.pk) == ["gpt-4o", "o3"]
    attachments.reorder(people.writer, row, [first.pk, second.pk])
    assert reachable.of(row).wins["gpt-4o"].ai_llm.name == "first"


def test_calls_pass_by_what_is_disabled_or_without_its_secret(people: People) -> None:
    disabled, lost, rejected = (build.ai_llm(people.writer, people.workspace, name=n) for n in ("a", "b", "c"))
    for ai_llm in (disabled, lost, rejected):
        build.models(ai_llm, f"model-{ai_llm.name}")
    AiLlm.objects.filter(pk=disabled.pk).update(disabled_at=timezone.now())
    AiLlm.objects.filter(pk=lost.pk).update(credential=None)
    AiLlm.objects.filter(pk=rejected.pk).update(verdict="rejected")
    reach = reachable.of(build.repository(people.writer, people.workspace, disabled, lost, rejected))
    assert reach.found() == ["model-c"]
    assert [bool(source.warning) for source in reach.sources] == [True, True, True]


def test_a_list_of_another_endpoint_does_not_count(people: People) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace)
    listed = build.models(ai_llm, "gpt-4o")
    listed.endpoint = "https://elsewhere.example/v1"
    listed.save()
    assert reachable.of(build.repository(people.writer, people.workspace, ai_llm)).found() == []


# --- Lists and pages ---


def test_the_inventory_is_searched_filtered_sorted_and_paged(people: People) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace)
    full = build.repository(people.writer, people.workspace, ai_llm, name="b-full", description="The shop")
    build.key(people.writer, full)
    repos.disable(people.writer, build.repository(people.writer, people.workspace, name="a-off"))
    build.repository(people.stranger, people.strange_workspace, name="foreign")

    def found(**address: str) -> list[str]:
        page = listing.RepositoryQuery.read(address).page_of(people.workspace)
        return [row.name for row in page.object_list]

    assert found() == ["a-off", "b-full"]
    assert found(order="-name") == ["b-full", "a-off"]
    assert (found(q="SHOP"), found(q="A-"), found(q="nothing")) == (["b-full"], ["a-off"], [])
    assert (found(state="disabled"), found(state="enabled")) == (["a-off"], ["b-full"])
    assert (found(state="empty"), found(state="keyless")) == (["a-off"], ["a-off"])
    assert found(state="nonsense", order="nonsense", page="99999") == ["a-off", "b-full"]
    row = listing.repository_rows([full.pk])[0]
    assert (row.ai_llms, row.keys, row.used_at, row.creator) == (1, 1, None, "Will Writer")


def test_the_number_of_queries_does_not_grow_with_rows(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.writer)
    pages = ("repositories", "repositories/inventory", "repositories/keys")

    def count(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"/w/{people.workspace.slug}/{path}").status_code == 200
        return len(queries)

    row = build.repository(people.writer, people.workspace)
    addresses = [*pages, f"repositories/{row.pk}", f"repositories/{row.pk}/models"]
    for address in addresses:
        count(address)

    def fill() -> None:
        ai_llm = build.ai_llm(people.writer, people.workspace)
        build.models(ai_llm, "gpt-4o", ai_llm.name)
        attachments.attach(people.writer, row, [ai_llm.pk])
        build.key(people.writer, row)
        build.key(people.writer, build.repository(people.writer, people.workspace, ai_llm))
        build.repository(people.writer, people.workspace)

    fill()
    before = [count(address) for address in addresses]
    for _ in range(4):
        fill()
    assert [count(address) for address in addresses] == before
    assert max(before) <= 22


def test_a_repository_is_created_edited_and_deleted_on_its_pages(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories"
    form = value(client.get(f"{base}/new").content.decode(), "row")
    answer = client.post(f"{base}/new", {"row": form, "name": "chat", "description": ""})
    row = Repository.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"{base}/{row.pk}")
    assert client.post(f"{base}/new", {"row": form, "name": "chat"})["Location"] == f"{base}/{row.pk}"
    assert (row.storage_type, row.mode) == ("S3", "NORMAL")
    assert client.post(f"{base}/{row.pk}/edit", {"name": "talk", "mode": "MIRROR"}).status_code == 303
    row.refresh_from_db()
    assert (row.name, row.mode, row.storage_type) == ("talk", "MIRROR", "S3")
    build.key(people.writer, row, name="shop key")
    asked = client.get(f"{base}/{row.pk}/delete").content.decode()
    assert ("shop key" in asked, "Type the name" in asked) == (True, True)
    assert client.post(f"{base}/{row.pk}/delete", {"name": "chat"}).status_code == 422
    assert client.post(f"{base}/{row.pk}/delete", {"name": "talk"})["Location"] == f"{base}/inventory"
    assert client.get(f"{base}/{row.pk}").status_code == 404


def test_a_refused_form_keeps_what_was_typed(people: People, signed_in: Callable[[User], Client]) -> None:
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories"
    build.repository(people.writer, people.workspace, name="chat")
    form = value(client.get(f"{base}/new").content.decode(), "row")
    answer = client.post(f"{base}/new", {"row": form, "name": "chat", "description": "Ask <Ada>"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert (value(page, "name"), value(page, "description"), value(page, "row")) == ("chat", "Ask <Ada>", form)
    assert repos.SAME_NAME in page


def test_a_form_made_for_another_person_makes_nothing(people: People, signed_in: Callable[[User], Client]) -> None:
    base = f"/w/{people.workspace.slug}/repositories"
    foreign = value(signed_in(people.admin).get(f"{base}/new").content.decode(), "row")
    for form in (foreign, "junk", ""):
        answer = signed_in(people.writer).post(f"{base}/new", {"row": form, "name": "chat"})
        assert answer.status_code == 422
    assert not Repository.objects.exists()


def test_disable_says_which_keys_stop(people: People, signed_in: Callable[[User], Client]) -> None:
    row = build.repository(people.writer, people.workspace)
    made = build.key(people.writer, row, name="shop key")
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    assert "shop key" in client.get(f"{base}/disable").content.decode()
    client.post(f"{base}/disable")
    with pytest.raises(keys.Refused):
        keys.authenticate(made.bearer)
    client.post(f"{base}/enable")
    assert keys.authenticate(made.bearer).repository_id == row.pk


def test_a_reader_sees_names_and_no_button(people: People, signed_in: Callable[[User], Client]) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace, name="openai-main")
    row = build.repository(people.writer, people.workspace, ai_llm, name="chat")
    made = build.key(people.writer, row, name="shop key")
    page = signed_in(people.reader).get(f"/w/{people.workspace.slug}/repositories/{row.pk}").content.decode()
    main = page[page.index("<main") :]
    assert ("openai-main" in main, "shop key" in main, made.secret.shown in main) == (True, True, True)
    acts = re.search(r"<button(?![^>]* data-copy=)", main)  # whatever can be read can be copied
    assert (bool(acts), "/attach" in main, "/edit" in main, made.bearer in main) == (False,) * 4


def test_models_are_searched_on_their_page(people: People, signed_in: Callable[[User], Client]) -> None:
    one, two = (build.ai_llm(people.writer, people.workspace, name=name) for name in ("one", "two"))
    build.models(one, *[f"gpt-{number}" for number in range(150)])
    build.models(two, "gpt-7", "llama")
    row = build.repository(people.writer, people.workspace, one, two)
    client, base = signed_in(people.reader), f"/w/{people.workspace.slug}/repositories/{row.pk}/models"
    found = client.get(base, {"q": "GPT-7", "ai_llm": str(two.pk)}).content.decode()
    assert re.findall(r'class="mono small break">([^<]+)<', found) == ["gpt-7"]
    assert "place 1 wins" in found
    assert "1–100 of 151 models" in client.get(base).content.decode()
    assert client.get(base, {"q": "none", "ai_llm": "junk", "page": "x"}).status_code == 200


@pytest.mark.parametrize("way", ["repository", "key"])
def test_no_input_gives_a_500(way: str, people: People, signed_in: Callable[[User], Client]) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace)
    row = build.repository(people.writer, people.workspace, ai_llm)
    key = build.key(people.writer, row).key
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories"
    one = f"{base}/{row.pk}"
    query = {"q": "x", "page": "1", "state": "active", "order": "name", "repository": "x", "ai_llm": "x", "moved": "x"}
    places = {
        "repository": (base, f"{base}/inventory", one, f"{one}/models", f"{one}/attach"),
        "key": (f"{base}/keys",),
    }
    found = []
    for fields, place in product(one_by_one(query), places[way]):
        found += broken(client, "GET", f"{place}?{urlencode(fields)}")
    texts = {"name": "x", "description": "x", "storage_type": "S3", "mode": "NORMAL"}
    forms = {
        "repository": {
            f"{base}/new": {**texts, "row": value(client.get(f"{base}/new").content.decode(), "row")},
            f"{one}/edit": texts,
            f"{one}/delete": {"name": "x"},
            f"{one}/attach": {"chosen": str(ai_llm.pk)},
            f"{one}/order": {"up": str(ai_llm.pk), "place": "1", "ai_llm": "x", "version": "1"},
            f"{one}/detach": {"ai_llm": str(ai_llm.pk), "version": "1"},
            f"{one}/ai-llm/{ai_llm.pk}": {"place": "1", "patterns": "x", "version": "1"},
            f"/w/{people.workspace.slug}/ai/llm/{ai_llm.pk}/attach": {"chosen": str(row.pk)},
            f"/w/{people.workspace.slug}/ai/llm/{ai_llm.pk}/move": {"chosen": str(ai_llm.pk)},
        },
        "key": {
            f"{one}/keys/new": {
                "name": "x", "type": "OPENAI", "expires": "2030-01-01", "patterns": "x",
                "row": value(client.get(f"{one}/keys/new").content.decode(), "row"),
            },
            f"{one}/keys/{key.pk}/edit": {"name": "x", "expires": "2030-01-01", "patterns": "x"},
            f"{one}/keys/{key.pk}/rotate": {
                "overlap": "24", "row": value(client.get(f"{one}/keys/{key.pk}/rotate").content.decode(), "row")
            },
        },
    }  # fmt: skip
    for address, good in forms[way].items():
        for fields in one_by_one(good):
            found += broken(client, "POST", address, urlencode(fields).encode())
    assert found == []

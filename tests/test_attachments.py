"""Attachments: several at once, in an order, with allow-lists, and what happens when two people do it at once."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from ai_llm import configs
from ai_llm.models import AiLlm
from flashback.errors import Conflict, Invalid, NotFound
from repositories import attachments, patterns, repos
from repositories.models import Attachment, Repository
from tests import build
from tests.conftest import People
from workspaces.models import Event, User


def attached(row: Repository) -> list[str]:
    return list(row.attachments.in_order().values_list("ai_llm__name", flat=True))


def last_event(row: Repository) -> tuple[str, object]:
    event = Event.objects.filter(object_id=str(row.pk)).order_by("id").last()
    assert event is not None
    return event.action, event.details


@pytest.fixture
def three(people: People) -> list[AiLlm]:
    return [build.ai_llm(people.writer, people.workspace, name=name) for name in ("one", "two", "three")]


# --- Attach and detach ---


def test_several_are_attached_at_once_in_the_order_given(people: People, three: list[AiLlm]) -> None:
    one, two, last = three
    row = build.repository(people.writer, people.workspace, last)
    assert attachments.attach(people.writer, row, [two.pk, one.pk, two.pk]) == [two, one]
    assert attached(row) == ["three", "two", "one"]
    assert last_event(row) == ("repository.attached", {"ai_llms": ["two", "one"]})


def test_attaching_twice_changes_and_records_nothing(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, three[0])
    before = (row.version, Event.objects.count())
    assert attachments.attach(people.writer, row, [three[0].pk]) == []
    row.refresh_from_db()
    assert (row.version, Event.objects.count()) == before


@pytest.mark.parametrize("kind", ["foreign", "other workspace", "deleted", "never existed"])
def test_only_configurations_of_the_same_workspace_can_be_attached(kind: str, people: People) -> None:
    good = build.ai_llm(people.writer, people.workspace)
    second = build.workspace(people.organization, "Second")
    bad = {
        "foreign": lambda: build.ai_llm(people.stranger, people.strange_workspace).pk,
        "other workspace": lambda: build.ai_llm(people.owner, second).pk,
        "deleted": lambda: deleted(build.ai_llm(people.writer, people.workspace)).pk,
        "never existed": uuid4,
    }[kind]()
    row = build.repository(people.owner, people.workspace)
    with pytest.raises(NotFound):
        attachments.attach(people.owner, row, [good.pk, bad])
    with pytest.raises(NotFound):
        attachments.replace(people.owner, row, [good.pk, bad])
    assert attached(row) == []


def deleted(ai_llm: AiLlm) -> AiLlm:
    ai_llm.deleted_at = ai_llm.created_at
    ai_llm.save(update_fields=["deleted_at"])
    return ai_llm


def test_one_is_attached_to_several_repositories_at_once(people: People, three: list[AiLlm]) -> None:
    full = build.repository(people.writer, people.workspace, three[0], name="full")
    empty = build.repository(people.writer, people.workspace, three[1], name="empty")
    foreign = build.repository(people.stranger, people.strange_workspace)
    assert attachments.attach_to(people.writer, three[0], [full.pk, empty.pk]) == [empty]
    assert attached(empty) == ["two", "one"]
    with pytest.raises(NotFound):
        attachments.attach_to(people.writer, three[2], [empty.pk, foreign.pk])
    assert attached(empty) == ["two", "one"]


def test_detaching_closes_the_gap_and_again_is_no_news(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    assert attachments.detach(people.writer, row, three[0].pk) is True
    assert attachments.detach(people.writer, row, three[0].pk, version=1) is False
    assert list(row.attachments.in_order().values_list("ai_llm__name", "position")) == [("two", 0), ("three", 1)]
    assert last_event(row) == ("repository.detached", {"ai_llms": ["one"]})


def many(people: People, number: int) -> list[AiLlm]:
    return AiLlm.objects.bulk_create(
        AiLlm(
            workspace=people.workspace, name=f"a-{n:03}", name_key=f"a-{n:03}", type="OTHER", endpoint="https://a.b/v1"
        )
        for n in range(number)
    )


def test_five_hundred_can_be_attached_and_not_one_more(people: People) -> None:
    rows = many(people, 501)
    row = build.repository(people.writer, people.workspace)
    attachments.attach(people.writer, row, [ai_llm.pk for ai_llm in rows[:500]])
    with pytest.raises(Invalid) as refused:
        attachments.attach(people.writer, row, [rows[500].pk])
    assert list(refused.value.errors) == ["ai_llms"]
    with CaptureQueriesContext(connection) as queries:
        attachments.change(people.writer, row, rows[499].pk, place=1)
    assert (attached(row)[:2], len(queries) < 20) == (["a-499", "a-000"], True)


# --- Order ---


def test_the_order_is_stored_and_recorded_once(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    wanted = [three[2].pk, three[0].pk, three[1].pk]
    attachments.reorder(people.writer, row, wanted)
    attachments.reorder(people.writer, row, wanted)
    assert attached(row) == ["three", "one", "two"]
    assert last_event(row) == ("repository.reordered", {"order": ["three", "one", "two"]})
    assert Event.objects.filter(action="repository.reordered").count() == 1


def test_an_order_names_each_attached_one_once(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *three[:2])
    one, two, other = (ai_llm.pk for ai_llm in three)
    for order in ([], [one], [one, one], [one, two, other], [one, other]):
        with pytest.raises(Invalid):
            attachments.reorder(people.writer, row, order)
    assert attached(row) == ["one", "two"]


@pytest.mark.parametrize(
    ("place", "expected"), [(1, "three one two"), (2, "one three two"), (3, "one two three"), (99, "one two three"),
                            (0, "three one two"), (-5, "three one two")]
)  # fmt: skip
def test_one_is_put_at_a_place(place: int, expected: str, people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    attachments.change(people.writer, row, three[2].pk, place=place)
    assert attached(row) == expected.split()


def test_a_whole_list_replaces_what_is_attached_and_keeps_allow_lists(people: People, three: list[AiLlm]) -> None:
    one, two, last = three
    row = build.repository(people.writer, people.workspace, one, two)
    attachments.change(people.writer, row, two.pk, patterns=["gpt-*"])
    attachments.replace(people.writer, row, [last.pk, two.pk])
    assert attached(row) == ["three", "two"]
    assert row.attachments.get(ai_llm=two).patterns == ["gpt-*"]
    assert last_event(row) == (
        "repository.attachments_replaced",
        {"attached": ["three"], "detached": ["one"], "order": ["three", "two"]},
    )
    attachments.replace(people.writer, row, [])
    assert attached(row) == []


# --- Two people at once ---


def test_whoever_comes_second_gets_a_conflict_and_nothing_is_lost(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    seen = row.version
    attachments.reorder(people.admin, row, [three[2].pk, three[1].pk, three[0].pk], version=seen)
    for late in (
        lambda: attachments.detach(people.writer, row, three[1].pk, version=seen),
        lambda: attachments.change(people.writer, row, three[1].pk, place=1, version=seen),
        lambda: attachments.reorder(people.writer, row, [three[0].pk, three[1].pk, three[2].pk], version=seen),
        lambda: attachments.replace(people.writer, row, [], version=seen),
    ):
        with pytest.raises(attachments.Changed) as refused:
            late()
        assert refused.value.repository.version == seen + 1
    assert attached(row) == ["three", "two", "one"]


def test_a_late_detach_shows_both_wishes_and_can_still_be_done(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    attachments.change(people.admin, row, three[2].pk, place=1, version=row.version)
    answer = client.post(f"{base}/detach", {"ai_llm": three[1].pk, "version": row.version})
    page = answer.content.decode()
    assert answer.status_code == 409
    lists = [
        re.findall(r"<li class=\"break[^>]*>([^<]+)<", part) for part in re.findall(r"<ol>.*?</ol>", page, re.DOTALL)
    ]
    assert lists == [["three", "one", "two"], ["three", "one"]]
    assert "two detached" in page
    row.refresh_from_db()
    assert client.post(f"{base}/detach", {"ai_llm": three[1].pk, "version": row.version}).status_code == 303
    assert attached(row) == ["three", "one"]


def test_a_place_beyond_the_end_is_the_end_and_said_so(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    path = f"/w/{people.workspace.slug}/repositories/{row.pk}/order"
    posted = {"ai_llm": three[0].pk, "place": 999, "version": row.version}
    page = signed_in(people.writer).post(path, posted, follow=True)
    assert "one has place 3 now." in page.text


def test_a_late_move_shows_both_wishes(people: People, three: list[AiLlm], signed_in: Callable[[User], Client]) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    attachments.detach(people.admin, row, three[0].pk)
    answer = client.post(f"{base}/order", {"up": three[2].pk, "version": row.version})
    assert answer.status_code == 409
    assert attached(row) == ["two", "three"]
    page = answer.content.decode()
    assert ("three at place 1" in page, "Make my change" in page) == (True, True)


def test_a_late_change_of_models_keeps_what_was_typed_beside_what_is_stored(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}/ai-llm/{three[0].pk}"
    seen = row.version
    attachments.change(people.admin, row, three[0].pk, patterns=["theirs*"])
    typed = {"place": "2", "patterns": "mine*"}
    answer = client.post(base, {**typed, "version": seen})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert ("theirs*" in page, "mine*" in page) == (True, True)
    version = re.search(r'name="version"\s+value="(\d+)"', page)
    assert version
    assert client.post(base, {**typed, "version": version[1]}).status_code == 303
    assert attached(row) == ["two", "one", "three"]
    assert row.attachments.get(ai_llm=three[0]).patterns == ["mine*"]


def test_in_a_long_list_both_wishes_are_shown_around_what_changes(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace)
    rows = many(people, 120)
    attachments.attach(people.writer, row, [ai_llm.pk for ai_llm in rows])
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    answer = client.post(f"{base}/order", {"ai_llm": rows[99].pk, "place": 5, "version": 1})
    shown = re.findall(r'<li class="break([^"]*)"\s+value="(\d+)">([^<]+)<', answer.content.decode())
    assert answer.status_code == 409
    assert [(value, name) for strong, value, name in shown if strong] == [("100", "a-099"), ("5", "a-099")]
    assert len(shown) == 100


def test_what_was_ticked_stays_ticked_when_it_is_refused(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace)
    attachments.attach(people.writer, row, [ai_llm.pk for ai_llm in many(people, 499)])
    address = f"/w/{people.workspace.slug}/repositories/{row.pk}/attach"
    answer = signed_in(people.writer).post(address, {"chosen": [three[0].pk, three[2].pk]})
    assert answer.status_code == 422
    assert re.findall(r'value="([^"]+)"\s+checked', answer.content.decode()) == [str(three[0].pk), str(three[2].pk)]


def test_detaching_leads_back_to_the_same_page_of_the_list(people: People, signed_in: Callable[[User], Client]) -> None:
    row = build.repository(people.writer, people.workspace)
    attachments.attach(people.writer, row, [ai_llm.pk for ai_llm in many(people, 60)])
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    page = client.get(f"{base}?page=2").content.decode()
    found = re.search(r'formaction="([^"]+)"', page)
    assert found
    last = row.attachments.in_order().last()
    assert last
    answer = client.post(found[1], {"ai_llm": last.ai_llm_id, "version": 2})
    assert (answer.status_code, answer["Location"]) == (303, f"{base}?page=2")


# --- Allow-lists ---


@pytest.mark.parametrize(
    ("pattern", "model", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o-mini", True),
        ("*mini", "gpt-4o-mini", True),
        ("*4o*", "gpt-4o-mini", True),
        ("gpt*mini", "gpt-4o-mini", True),
        ("gpt*mini", "gpt-4o-mini-2", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*", "", True),
        ("GPT*", "gpt-4o", False),
        ("gpt-4.", "gpt-4o", False),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, model: str, expected: bool) -> None:
    assert patterns.fits(pattern, model) is expected


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_mean_what_the_regular_expression_says(pattern: str, model: str) -> None:
    meant = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert patterns.fits(pattern, model) is bool(re.fullmatch(meant, model))


@pytest.mark.parametrize(
    "nonsense",
    [["gpt-[4o]"], ["^gpt.*$"], ["a b"], ["x" * 201], [f"m{n}" for n in range(51)], ["\u202e"], ["a|b"], [""]],
)
def test_nonsense_is_refused_with_what_to_write(nonsense: list[str], people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, three[0])
    with pytest.raises(Invalid) as refused:
        attachments.change(people.writer, row, three[0].pk, patterns=nonsense)
    assert list(refused.value.errors) == ["patterns"]
    assert row.attachments.get().patterns == []


def test_patterns_are_stored_once_each_however_they_are_separated() -> None:
    assert patterns.clean(patterns.split(" gpt-4o*,\n o3; gpt-4o* \t meta/llama:free a**b ")) == [
        *("gpt-4o*", "o3", "meta/llama:free", "a*b")
    ]


def test_the_page_shows_what_an_allow_list_leaves_before_it_is_saved(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    build.models(three[0], "gpt-4o", "gpt-4o-mini", "o3")
    row = build.repository(people.writer, people.workspace, three[0])
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}/ai-llm/{three[0].pk}"
    typed = {"place": "1", "patterns": "gpt-4o*", "version": row.version}
    page = client.post(base, {**typed, "preview": "1"}).content.decode()
    assert ("This leaves 2 of 3 models" in page, row.attachments.get().patterns) == (True, [])
    refused = client.post(base, {**typed, "patterns": "gpt-[4]"})
    assert (refused.status_code, "gpt-[4]" in refused.content.decode()) == (422, True)
    assert client.post(base, typed).status_code == 303
    assert row.attachments.get().patterns == ["gpt-4o*"]
    assert "2 of 3 models: gpt-4o*" in client.get(base.rpartition("/ai-llm")[0]).content.decode()


# --- Re-point ---


def test_all_attachments_move_to_another_ai_llm_with_place_and_allow_list(people: People, three: list[AiLlm]) -> None:
    old, new, other = three
    rows = [build.repository(people.writer, people.workspace, other, old, name=name) for name in ("a", "b")]
    both = build.repository(people.writer, people.workspace, old, other, new, name="c")
    untouched = build.repository(people.writer, people.workspace, other, name="d")
    attachments.change(people.writer, rows[0], old.pk, patterns=["gpt-*"])
    moved = attachments.move_all(people.writer, old, new)
    assert sorted(row.name for row in moved) == ["a", "b", "c"]
    assert [attached(row) for row in (*rows, both, untouched)] == [
        *(["three", "two"], ["three", "two"], ["two", "three"], ["three"])
    ]
    assert rows[0].attachments.get(ai_llm=new).patterns == ["gpt-*"]
    assert last_event(both) == ("repository.repointed", {"from": "one", "to": "two"})
    assert attachments.move_all(people.writer, old, new) == []


def test_nothing_moves_to_itself_to_another_workspace_or_to_what_is_deleted(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, three[0])
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    with pytest.raises(Invalid):
        attachments.move_all(people.writer, three[0], three[0])
    for target in (foreign, deleted(three[1])):
        with pytest.raises(NotFound):
            attachments.move_all(people.writer, three[0], target)
    assert attached(row) == ["one"]


def test_a_move_that_fails_half_way_changes_nothing(
    people: People, three: list[AiLlm], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [build.repository(people.writer, people.workspace, three[0]) for _ in range(3)]
    repoint, done = attachments._repoint, []

    def failing(*arguments: object) -> bool:
        if len(done) == 2:
            raise Conflict("stop")
        done.append(1)
        return repoint(*arguments)

    monkeypatch.setattr(attachments, "_repoint", failing)
    before = Event.objects.count()
    with pytest.raises(Conflict):
        attachments.move_all(people.writer, three[0], three[1])
    assert [attached(row) for row in rows] == [["one"]] * 3
    assert Event.objects.count() == before


def test_attachments_of_deleted_repositories_do_not_count_as_use(people: People, three: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, three[0])
    assert three[0].attachments.in_use().count() == 1
    repos.delete(people.writer, row)
    assert three[0].attachments.in_use().count() == 0
    assert attachments.move_all(people.writer, three[0], three[1]) == []


# --- Where it is used ---


def test_an_attached_ai_llm_cannot_be_deleted_until_it_was_moved(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    rows = [build.repository(people.writer, people.workspace, three[0], name=f"repository {n}") for n in range(7)]
    with pytest.raises(Conflict) as refused:
        configs.delete(people.writer, three[0])
    assert "repository 0, repository 1, repository 2, repository 3, repository 4 and 2 more" in refused.value.message
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/ai/llm/{three[0].pk}"
    asked = client.get(f"{base}/delete").content.decode()
    assert ("repository 6" in asked, f"{base}/move" in asked) == (True, True)
    answer = client.post(f"{base}/delete", {"name": "one"})
    assert (answer.status_code, "Choose the AI LLM that takes its place." in answer.content.decode()) == (422, True)
    three[0].refresh_from_db()
    assert (three[0].deleted_at, three[0].credential is not None) == (None, True)
    attachments.move_all(people.writer, three[0], three[1])
    assert client.post(f"{base}/delete", {"name": "one"}).status_code == 303
    assert [attached(row) for row in rows] == [["two"]] * 7


def test_a_deleted_repository_keeps_no_ai_llm(people: People, three: list[AiLlm]) -> None:
    repos.delete(people.writer, build.repository(people.writer, people.workspace, three[0]))
    configs.delete(people.writer, three[0])
    three[0].refresh_from_db()
    assert three[0].deleted_at is not None


def test_the_page_of_an_ai_llm_says_where_it_is_used(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    build.repository(people.writer, people.workspace, three[1], three[0], name="chat")
    base = f"/w/{people.workspace.slug}/ai/llm/{three[0].pk}"
    page = signed_in(people.writer).get(base).content.decode()
    assert ("chat" in page, "place 2" in page, f"{base}/attach" in page, f"{base}/move" in page) == (True,) * 4
    page = signed_in(people.reader).get(base).content.decode()
    assert ("chat" in page, f"{base}/attach" in page) == (True, False)
    unused = signed_in(people.writer).get(base.replace(str(three[0].pk), str(three[2].pk))).content.decode()
    assert "In no repository, so no application uses it." in unused


# --- Pages ---


def test_several_are_chosen_on_the_page_and_attached(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, three[0])
    AiLlm.objects.filter(pk=three[1].pk).update(verdict="rejected")
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"
    page = client.get(f"{base}/attach").content.decode()
    assert set(re.findall(r'name="chosen"\s+value="([^"]+)"', page)) == {str(three[1].pk), str(three[2].pk)}
    assert "Rejected" in page
    assert str(three[2].pk) not in client.get(f"{base}/attach?q=TW").content.decode()
    assert client.post(f"{base}/attach", {}).status_code == 422
    assert client.post(f"{base}/attach", {"chosen": ["junk"]}).status_code == 422
    assert client.post(f"{base}/attach", {"chosen": [three[1].pk, uuid4()]}).status_code == 404
    assert client.post(f"{base}/attach", {"chosen": [three[1].pk, three[2].pk]}).status_code == 303
    assert attached(row) == ["one", "two", "three"]
    page = client.get(base).content.decode()
    assert ("The provider rejected it" in page, "Never validated" in page) == (True, True)
    assert "Nothing left to attach" in client.get(f"{base}/attach").content.decode()


def test_buttons_move_one_up_and_down_and_the_focus_stays_on_it(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/repositories/{row.pk}"

    def send(**posted: object) -> str:
        row.refresh_from_db()
        return str(client.post(f"{base}/order", {**posted, "version": row.version})["Location"])

    assert send(up=three[2].pk) == f"{base}?moved={three[2].pk}"
    assert attached(row) == ["one", "three", "two"]
    send(down=three[0].pk)
    assert attached(row) == ["three", "one", "two"]
    send(ai_llm=three[1].pk, place="1")
    assert attached(row) == ["two", "three", "one"]
    page = client.get(f"{base}?moved={three[0].pk}").content.decode()
    button = re.search(r"<button[^>]*autofocus[^>]*>", page)
    assert button
    assert "Move one up" in button[0]


@pytest.mark.parametrize(
    "posted", [{}, {"up": "junk"}, {"ai_llm": "", "place": "x"}, {"version": "9" * 50, "up": "\0"}]
)
def test_nonsense_in_the_order_form_is_refused(
    posted: dict[str, str], people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    row = build.repository(people.writer, people.workspace, *three)
    base = f"/w/{people.workspace.slug}/repositories/{row.pk}"
    assert signed_in(people.writer).post(f"{base}/order", posted).status_code == 422
    assert signed_in(people.writer).post(f"{base}/detach", posted).status_code == 422
    assert attached(row) == ["one", "two", "three"]


def test_from_the_ai_llms_page_it_is_attached_to_several_and_moved(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    rows = [build.repository(people.writer, people.workspace, name=name) for name in ("a", "b")]
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}/ai/llm/{three[0].pk}"
    answer = client.post(f"{base}/attach", {"chosen": [row.pk for row in rows]})
    assert (answer.status_code, answer["Location"]) == (303, base)
    assert [attached(row) for row in rows] == [["one"], ["one"]]
    page = client.get(f"{base}/move").content.decode()
    assert "2 repositories change" in page
    assert str(three[0].pk) not in re.findall(r'name="chosen"\s+value="([^"]+)"', page)
    assert client.post(f"{base}/move", {"chosen": [three[0].pk]}).status_code == 422
    assert client.post(f"{base}/move", {"chosen": [uuid4()]}).status_code == 404
    assert client.post(f"{base}/move", {"chosen": [three[1].pk]}).status_code == 303
    assert [attached(row) for row in rows] == [["two"], ["two"]]
    assert Attachment.objects.filter(ai_llm=three[0]).count() == 0


# --- From the page of an AI LLM to a new repository ---


def test_without_a_repository_the_page_says_so_and_a_new_one_gets_the_ai_llm(
    people: People, three: list[AiLlm], signed_in: Callable[[User], Client]
) -> None:
    client, base = signed_in(people.writer), f"/w/{people.workspace.slug}"
    html = client.get(f"{base}/ai/llm/{three[0].pk}/attach").content.decode()
    assert "No repository yet" in html
    assert "It is attached to every repository" not in html
    address = re.search(r'href="([^"]*\?attach=[^"]*)"', html)
    assert address is not None
    form = client.get(address[1]).content.decode()
    hidden = dict(re.findall(r'type="hidden" name="(row|attach)" value="([^"]*)"', form))
    assert hidden["attach"] == str(three[0].pk)
    for _ in range(2):  # sent twice, it is there once
        assert client.post(f"{base}/repositories/new", {**hidden, "name": "chat"}).status_code == 303
    assert attached(Repository.objects.get(name="chat")) == ["one"]
    said = client.get(f"{base}/ai/llm/{three[0].pk}/attach").content.decode()
    assert "It is attached to every repository of this workspace." in said


def test_a_new_repository_gets_no_ai_llm_of_another_workspace(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client, foreign = signed_in(people.writer), build.ai_llm(people.stranger, people.strange_workspace, name="foreign")
    path = f"/w/{people.workspace.slug}/repositories/new"
    form = client.get(f"{path}?attach={foreign.pk}").content.decode()
    assert "foreign" not in form
    row = re.search(r'name="row" value="([^"]*)"', form)
    assert row is not None
    answer = client.post(path, {"row": row[1], "name": "chat", "attach": str(foreign.pk)}, follow=True)
    assert attached(Repository.objects.get(name="chat")) == []
    assert "The AI LLM that was to be attached to it is not there any more." in answer.text

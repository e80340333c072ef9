"""AI API keys: their format, what is stored of them, who is let in, and that a secret is shown exactly once."""

import io
import logging
import re
import threading
import zlib
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flashback import tokens
from flashback.errors import Conflict, Invalid
from repositories import attachments, keys, listing, repos
from repositories.models import AiApiKey, KeySecret, Repository
from tests import build
from tests.conftest import People
from tests.test_canary import answer_of, crawl, dump, forms, log, sessions, stored  # noqa: F401 - log is a fixture
from workspaces.account_models import Session
from workspaces.models import Event, User

BEARER = re.compile(tokens.pattern(keys.PREFIX))


def refusal(bearer: str) -> str:
    with pytest.raises(keys.Refused) as refused:
        keys.authenticate(bearer)
    assert (refused.value.message, refused.value.status) == (keys.NOT_ACCEPTED, 401)
    return refused.value.reason


@pytest.fixture
def repository(people: People) -> Repository:
    return build.repository(people.writer, people.workspace, name="chat")


# --- Format and storage ---


def test_a_token_has_the_form_and_checksum_that_scanners_are_told() -> None:
    for _ in range(200):
        token = tokens.issue("sk-fb-")
        assert re.fullmatch(r"sk-fb-[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", token.text)
        assert BEARER.search(f"key={token.text}, next") is not None
        assert tokens.public_id(token.text, "sk-fb-") == token.public_id
        number = zlib.crc32(token.text[:-6].encode())
        spelled = ""
        for _ in range(6):
            spelled = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[number % 62] + spelled
            number //= 62
        assert token.text[-6:] == spelled


def test_one_flipped_character_anywhere_is_junk_without_a_query(db: None) -> None:
    text = tokens.issue("sk-fb-").text
    with CaptureQueriesContext(connection) as queries:
        for place, character in enumerate(text):
            other = "b" if character != "b" else "c"
            assert refusal(text[:place] + other + text[place + 1 :]) == "not one of our keys"
    assert len(queries) == 0


@pytest.mark.parametrize(
    "junk", ["", "sk-fb-", "sk-" + "x" * 48, "\0", "\ud800", "sk-fb-" + "\u0663" * 58, "x" * 100_000, "Bearer sk-fb-"]
)
def test_junk_is_refused_without_a_query(junk: str, db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert refusal(junk) == "not one of our keys"
    assert len(queries) == 0


def test_blanks_around_a_key_and_another_case_are_junk(people: People, repository: Repository) -> None:
    bearer = build.key(people.writer, repository).bearer
    for wrong in (f" {bearer}", f"{bearer}\n", bearer.swapcase(), f"{bearer}{bearer}"):
        assert refusal(wrong) == "not one of our keys"


@pytest.mark.django_db(transaction=True)
def test_the_secret_is_nowhere_in_the_database(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)
    again = keys.rotate(people.writer, made.key, until=timezone.now() + timedelta(days=1))
    data = stored()
    for bearer in (made.bearer, again.bearer):
        random_part = bearer.partition("_")[2]
        assert (bearer.encode() in data, random_part[:20].encode() in data, random_part[20:].encode() in data) == (
            *(False, False, False),
        )
        assert bearer not in repr(made) + repr(again) + repr(tokens.Issued(bearer, "id", "digest", "hint"))
    assert made.secret.digest.encode() in data


# --- Who is let in ---


def test_a_key_tells_who_calls_with_one_query(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository, name="shop", type="ANTHROPIC", patterns=["claude-*"])
    keys.authenticate(made.bearer)
    with CaptureQueriesContext(connection) as queries:
        caller = keys.authenticate(made.bearer)
    assert len(queries) == 1
    assert caller == keys.Caller(
        *(made.key.pk, "shop", "ANTHROPIC", ["claude-*"]),
        *(repository.pk, people.workspace.pk, people.organization.pk),
    )


def test_every_cause_has_its_own_reason_in_the_log_and_one_text_outside(
    people: People, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    def fresh() -> keys.Made:
        return build.key(people.writer, repository)

    def stale(**values: object) -> str:
        made = fresh()
        AiApiKey.objects.filter(pk=made.key.pk).update(**values)
        return made.bearer

    wrong = tokens.issue(keys.PREFIX)
    KeySecret.objects.filter(pk=fresh().secret.pk).update(public_id=wrong.public_id)
    rotated = fresh()
    keys.rotate(people.writer, rotated.key)
    other = build.repository(people.writer, people.workspace)
    elsewhere = build.key(people.writer, other)
    repos.disable(people.writer, other)
    gone = build.repository(people.writer, people.workspace)
    of_gone = build.key(people.writer, gone)
    repos.delete(people.writer, gone, confirmed=gone.name)
    expected = {
        tokens.issue(keys.PREFIX).text: "unknown key",
        wrong.text: "wrong secret",
        stale(revoked_at=timezone.now()): "key revoked",
        stale(expires_at=timezone.now()): "key expired",
        rotated.bearer: "secret rotated away",
        elsewhere.bearer: "repository disabled",
        of_gone.bearer: "repository deleted",
    }
    with caplog.at_level(logging.INFO, "repositories.keys"):
        assert {bearer: refusal(bearer) for bearer in expected} == expected
    assert [reason in line for reason, line in zip(expected.values(), caplog.messages, strict=True)] == [True] * 7
    assert not any(bearer in caplog.text for bearer in expected)


def test_an_unknown_key_is_compared_like_a_known_one(
    people: People, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    matches = tokens.matches

    def watched(text: str, digest: str) -> bool:
        compared.append(digest)
        return matches(text, digest)

    monkeypatch.setattr(tokens, "matches", watched)
    refusal(tokens.issue(keys.PREFIX).text)
    keys.authenticate(build.key(people.writer, repository).bearer)
    assert (compared[0], len(compared), len(compared[0])) == (tokens.NOTHING, 2, len(compared[1]))


def test_use_is_noted_at_most_every_ten_minutes(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)

    def used() -> object:
        return KeySecret.objects.get(pk=made.secret.pk).last_used_at

    assert used() is None
    keys.authenticate(made.bearer)
    first = used()
    keys.authenticate(made.bearer)
    assert used() == first is not None
    KeySecret.objects.update(last_used_at=timezone.now() - timedelta(minutes=10))
    with CaptureQueriesContext(connection) as queries:
        keys.authenticate(made.bearer)
    assert [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]] == ["SELECT", "UPDATE"]
    assert used() > first


def test_a_call_is_answered_though_its_use_cannot_be_noted(
    people: People, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build.key(people.writer, repository)

    def locked(*_: object, **__: object) -> int:
        raise DatabaseError("database is locked")

    monkeypatch.setattr("django.db.models.query.QuerySet.update", locked)
    assert keys.authenticate(made.bearer).key_id == made.key.pk


# --- The verbs ---


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "taken"}, "name"),
        ({"name": "ＴＡＫＥＮ"}, "name"),
        ({"type": "SPOKEN"}, "type"),
        ({"expires_at": timezone.now()}, "expires_at"),
        ({"expires_at": timezone.now() + timedelta(days=4000)}, "expires_at"),
        ({"patterns": ["gpt-[4]"]}, "patterns"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(
    values: dict[str, object], field: str, people: People, repository: Repository
) -> None:
    build.key(people.writer, repository, name="taken")
    with pytest.raises(Invalid) as refused:
        build.key(people.writer, repository, **values)
    assert list(refused.value.errors) == [field]
    assert AiApiKey.objects.count() == 1


def test_the_name_of_a_revoked_key_and_of_another_repository_is_free(people: People, repository: Repository) -> None:
    first = build.key(people.writer, repository, name="shop")
    keys.revoke(people.writer, first.key)
    build.key(people.writer, repository, name="shop")
    build.key(people.writer, build.repository(people.writer, people.workspace), name="shop")


def test_everything_is_recorded_without_the_secret(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository, name="shop")
    keys.update(people.writer, made.key, name="store")
    keys.update(people.writer, made.key, name="store")
    again = keys.rotate(people.writer, made.key, until=timezone.now() + timedelta(hours=1))
    keys.end_former(people.writer, made.key)
    assert keys.end_former(people.writer, made.key) is False
    keys.revoke(people.writer, made.key)
    assert keys.revoke(people.writer, made.key) is False
    events = Event.objects.filter(object_id=str(made.key.pk)).order_by("id")
    assert [event.action.removeprefix("ai_api_key.") for event in events] == [
        *("created", "updated", "rotated", "former_ended", "revoked")
    ]
    assert events[1].details == {"name": ["shop", "store"]}
    assert not any(made.bearer in str(event.details) or again.bearer in str(event.details) for event in events)


def test_after_a_rotation_both_answer_until_the_chosen_time(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)
    again = keys.rotate(people.writer, made.key, until=timezone.now() + timedelta(hours=1))
    assert keys.authenticate(made.bearer).key_id == keys.authenticate(again.bearer).key_id == made.key.pk
    KeySecret.objects.filter(pk=made.secret.pk).update(ends_at=timezone.now())
    assert refusal(made.bearer) == "secret rotated away"
    assert keys.authenticate(again.bearer).key_id == made.key.pk


def test_at_most_two_secrets_answer(people: People, repository: Repository) -> None:
    first = build.key(people.writer, repository)
    until = timezone.now() + timedelta(days=1)
    second, third = (keys.rotate(people.writer, first.key, until=until) for _ in range(2))
    assert refusal(first.bearer) == "secret rotated away"
    for made in (second, third):
        keys.authenticate(made.bearer)
    keys.end_former(people.writer, first.key)
    assert refusal(second.bearer) == "secret rotated away"


@pytest.mark.parametrize("until", [timedelta(0), timedelta(days=-1), timedelta(days=91)])
def test_the_former_secret_ends_within_ninety_days(until: timedelta, people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)
    with pytest.raises(Invalid) as refused:
        keys.rotate(people.writer, made.key, until=timezone.now() + until)
    assert list(refused.value.errors) == ["until"]
    assert KeySecret.objects.count() == 1


def test_a_revoked_key_stays_revoked(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)
    keys.revoke(people.writer, made.key)
    for verb in (
        lambda: keys.rotate(people.writer, made.key),
        lambda: keys.update(people.writer, made.key, name="x"),
        lambda: keys.end_former(people.writer, made.key),
    ):
        with pytest.raises(Conflict):
            verb()


def test_an_unchanged_end_that_has_passed_does_not_stop_a_rename(people: People, repository: Repository) -> None:
    made = build.key(people.writer, repository)
    made.key.expires_at = timezone.now() - timedelta(days=1)
    made.key.save()
    keys.update(people.writer, made.key, name="store", expires_at=made.key.expires_at)
    with pytest.raises(Invalid):
        keys.update(people.writer, made.key, name="store", expires_at=timezone.now() - timedelta(hours=1))


def test_a_form_that_loses_the_race_to_its_twin_makes_no_second_key(
    people: People, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = uuid4()
    keys.create(people.writer, repository, id=form, name="shop")
    # The twin is not there yet when this one looks, and is when it stores.
    refuse, looks = keys._refuse_made_before, iter([lambda *_: None, keys._refuse_made_before])
    monkeypatch.setattr(keys, "_refuse_made_before", lambda *arguments: next(looks, refuse)(*arguments))
    with pytest.raises(keys.AlreadyCreated) as refused:
        keys.create(people.writer, repository, id=form, name="shop")
    assert (refused.value.key.pk, KeySecret.objects.count()) == (form, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_same_form_at_the_same_moment_makes_one_key(people: People, repository: Repository) -> None:
    form, made, refused = uuid4(), [], []

    def send() -> None:
        try:
            made.append(keys.create(people.writer, repository, id=form, name="shop"))
        except keys.AlreadyCreated as already:
            refused.append(already.key.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), refused) == (1, [form] * 3)
    assert KeySecret.objects.count() == 1


# --- Pages: shown once ---


class Pages:
    """A writer's way to a key: the form, what it answers, and every page afterwards."""

    def __init__(self, client: Client, repository: Repository) -> None:
        self.client = client
        self.base = f"/w/{repository.workspace.slug}/repositories/{repository.pk}/keys"

    def form(self, path: str = "new") -> str:
        found = re.search(r'name="row"\s+value="([^"]+)"', self.client.get(f"{self.base}/{path}").content.decode())
        assert found
        return unescape(found[1])

    def create(self, **values: str) -> HttpResponse:
        return self.client.post(f"{self.base}/new", {"row": self.form(), "name": "shop", "type": "OPENAI", **values})


@pytest.fixture
def pages(people: People, repository: Repository, signed_in: Callable[[User], Client]) -> Pages:
    return Pages(signed_in(people.writer), repository)


def shown(answer: HttpResponse) -> list[str]:
    return BEARER.findall(answer.content.decode())


def test_the_secret_is_in_the_answer_to_the_form_once_and_nothing_may_keep_it(pages: Pages) -> None:
    answer = pages.create(expires="2030-01-31", patterns="gpt-4o*")
    assert (answer.status_code, answer["Cache-Control"], len(shown(answer))) == (200, "no-store, private", 1)
    key = AiApiKey.objects.get()
    assert keys.authenticate(shown(answer)[0]).patterns == ["gpt-4o*"]
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2030-02-01T00:00:00+00:00"
    assert answer["HX-Push-Url"] == f"{pages.base}/{key.pk}"
    assert "The gateway is not there yet" in answer.content.decode()
    sessions = "".join(str(session.get_decoded()) for session in Session.objects.all())
    assert (BEARER.findall(sessions), BEARER.findall(str(answer.cookies))) == ([], [])


def test_sending_the_form_again_makes_no_key_and_says_where_the_secret_was(pages: Pages) -> None:
    form = {"row": pages.form(), "name": "shop", "type": "OPENAI"}
    first, second = (pages.client.post(f"{pages.base}/new", form) for _ in range(2))
    key = AiApiKey.objects.get()
    assert (first.status_code, len(shown(first))) == (200, 1)
    page = second.content.decode()
    assert (second.status_code, shown(second)) == (409, [])
    assert ("in the other tab or window" in page, f"{pages.base}/{key.pk}/rotate" in page) == (True, True)


def test_no_other_page_shows_the_secret(pages: Pages, repository: Repository) -> None:
    bearer = shown(pages.create())[0]
    key = AiApiKey.objects.get()
    base = pages.base.removesuffix("/keys")
    workspace = base.rpartition("/")[0]
    seen = [f"{pages.base}/{key.pk}", f"{pages.base}/{key.pk}/edit", f"{pages.base}/{key.pk}/rotate", base]
    seen += [f"{pages.base}/{key.pk}/revoke", f"{pages.base}/new", workspace, f"{workspace}/keys", f"{base}/delete"]
    for path in seen:
        page = pages.client.get(path)
        assert (page.status_code, BEARER.findall(page.content.decode())) == (200, [])
        assert bearer[16:40] not in page.content.decode()
    assert f"sk-fb-{bearer[6:14]}_…{bearer[-4:]}" in pages.client.get(f"{workspace}/keys").content.decode()


def test_a_rotation_shows_the_new_secret_once_and_keeps_the_old_one_for_the_chosen_time(pages: Pages) -> None:
    first = shown(pages.create())[0]
    key = AiApiKey.objects.get()
    form = {"row": pages.form(f"{key.pk}/rotate"), "overlap": "24"}
    answer, again = (pages.client.post(f"{pages.base}/{key.pk}/rotate", form) for _ in range(2))
    assert (answer.status_code, len(shown(answer)), again.status_code, shown(again)) == (200, 1, 409, [])
    for bearer in (first, shown(answer)[0]):
        assert keys.authenticate(bearer).key_id == key.pk
    page = pages.client.get(f"{pages.base}/{key.pk}").content.decode()
    assert ("Former, still works" in page, "End it now" in page) == (True, True)
    assert pages.client.post(f"{pages.base}/{key.pk}/end-former").status_code == 303
    assert refusal(first) == "secret rotated away"
    at_once = {"row": pages.form(f"{key.pk}/rotate"), "overlap": "0"}
    assert "does not work any more" in pages.client.post(f"{pages.base}/{key.pk}/rotate", at_once).content.decode()
    assert refusal(shown(answer)[0]) == "secret rotated away"


@pytest.mark.parametrize(
    "typed",
    [
        {"name": ""},
        {"type": "SPOKEN"},
        {"expires": "yesterday"},
        {"expires": "2020-01-01"},
        {"expires": "9999-12-31"},
        {"patterns": "gpt-[4]"},
        {"row": "junk"},
        {"row": ""},
    ],
)
def test_a_refused_form_makes_no_key_and_keeps_what_was_typed(typed: dict[str, str], pages: Pages) -> None:
    answer = pages.create(**{"name": "my <b>app", **typed})
    assert (answer.status_code, AiApiKey.objects.count()) == (422, 0)
    if "name" not in typed:
        assert 'value="my &lt;b&gt;app"' in answer.content.decode()


def test_a_form_of_another_repository_or_person_makes_no_key(
    people: People, pages: Pages, signed_in: Callable[[User], Client]
) -> None:
    other = Pages(signed_in(people.writer), build.repository(people.writer, people.workspace))
    assert pages.create(row=other.form()).status_code == 422
    pages.client = signed_in(people.admin)
    form = pages.form()
    pages.client = signed_in(people.writer)
    assert pages.create(row=form).status_code == 422
    assert AiApiKey.objects.count() == 0


def test_a_key_cannot_be_made_for_a_deleted_repository(people: People, pages: Pages, repository: Repository) -> None:
    form = pages.form()
    repos.delete(people.writer, repository)
    assert pages.client.post(f"{pages.base}/new", {"row": form, "name": "x", "type": "OPENAI"}).status_code == 404
    assert AiApiKey.objects.count() == 0


def test_editing_keeps_the_secret_and_the_stored_moment(people: People, pages: Pages, repository: Repository) -> None:
    ends = timezone.now() + timedelta(days=3)
    made = build.key(people.writer, repository, name="shop", expires_at=ends)
    typed = {"name": "store", "expires": ends.date().isoformat(), "patterns": "o3"}
    assert pages.client.post(f"{pages.base}/{made.key.pk}/edit", typed).status_code == 303
    made.key.refresh_from_db()
    assert (made.key.name, made.key.expires_at, made.key.patterns) == ("store", ends, ["o3"])
    assert keys.authenticate(made.bearer).name == "store"


def test_revoking_stops_at_once_and_leads_to_the_list(people: People, pages: Pages, repository: Repository) -> None:
    made = build.key(people.writer, repository, name="shop")
    keys.authenticate(made.bearer)
    assert "last used" in pages.client.get(f"{pages.base}/{made.key.pk}/revoke").content.decode()
    answer = pages.client.post(f"{pages.base}/{made.key.pk}/revoke")
    assert (answer.status_code, answer["Location"].endswith(f"?repository={repository.pk}")) == (303, True)
    assert refusal(made.bearer) == "key revoked"
    assert pages.client.get(f"{pages.base}/{made.key.pk}").status_code == 200


def test_a_key_is_only_found_under_its_own_repository(people: People, pages: Pages, repository: Repository) -> None:
    other = build.key(people.writer, build.repository(people.writer, people.workspace)).key
    foreign = build.key(people.stranger, build.repository(people.stranger, people.strange_workspace)).key
    for row in (other, foreign):
        assert pages.client.get(f"{pages.base}/{row.pk}").status_code == 404
        assert pages.client.post(f"{pages.base}/{row.pk}/revoke").status_code == 404


def test_the_list_is_searched_and_filtered_by_state(people: People, repository: Repository) -> None:
    now = timezone.now()
    off = build.repository(people.writer, people.workspace)
    build.key(people.writer, repository, name="active")
    build.key(people.writer, repository, name="soon", expires_at=now + timedelta(days=2))
    made = build.key(people.writer, repository, name="expired")
    AiApiKey.objects.filter(pk=made.key.pk).update(expires_at=now)
    keys.revoke(people.writer, build.key(people.writer, repository, name="revoked").key)
    build.key(people.writer, off, name="stopped")
    repos.disable(people.writer, off)
    build.key(people.stranger, build.repository(people.stranger, people.strange_workspace), name="foreign")

    def found(**address: str) -> list[str]:
        page = listing.KeyQuery.read(address).page_of(people.workspace)
        return [row.name for row in page.object_list]

    assert {state: found(state=state) for state in listing.KEY_STATES} == {name: [name] for name in listing.KEY_STATES}
    assert found() == ["active", "expired", "soon", "stopped"]
    assert found(repository=str(off.pk)) == ["stopped"]
    assert (found(q="EXP"), found(q=made.bearer[:14]), found(q=made.secret.public_id)) == (*(["expired"],) * 3,)
    assert found(state="x", repository="junk", page="0") == ["active", "expired", "soon", "stopped"]
    rows = listing.KeyQuery().page_of(people.workspace).object_list
    assert [row.state for row in rows] == ["active", "expired", "soon", "stopped"]


@pytest.mark.django_db(transaction=True)
def test_issued_keys_are_found_nowhere_but_in_the_answers_that_made_them(
    people: People,
    repository: Repository,
    signed_in: Callable[[User], Client],
    log: io.StringIO,  # noqa: F811 - a fixture of another module
    tmp_path: Path,
) -> None:
    attachments.attach(people.writer, repository, [build.ai_llm(people.writer, people.workspace).pk])
    pages = Pages(signed_in(people.writer), repository)
    issued = shown(pages.create())
    key = AiApiKey.objects.get()
    form = {"row": pages.form(f"{key.pk}/rotate"), "overlap": "24"}
    issued += shown(pages.client.post(f"{pages.base}/{key.pk}/rotate", form))
    again = [pages.client.post(f"{pages.base}/{key.pk}/rotate", form), pages.create()]
    assert len(issued) == 2
    for bearer in issued:
        keys.authenticate(bearer)
        refusal(f"{bearer[:-1]}~")
    # The random parts: the public id and the last four characters are shown on purpose.
    needles = {form for bearer in issued for form in forms(bearer[15:-4])}
    places = {
        "the second answers": b"".join(map(answer_of, again)),
        "database": stored(),
        "log": log.getvalue().encode(),
    }
    places |= {"sessions": "".join(map(sessions, Session.objects.all())).encode(), "dump": dump(tmp_path)}
    for person in (people.owner, people.writer, people.reader, people.staff):
        for path, body in crawl(signed_in(person), "/admin/" if person.is_staff else "/"):
            places[f"{person.name} {path}"] = body
    assert len(places) > 40
    assert {place for place, body in places.items() if any(needle in body for needle in needles)} == set()

"""Provider keys: stored provider credentials that several AI LLMs of a workspace use."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ai_llm import configs, credentials, history, provider_keys, rotation, rows, validation
from ai_llm.models import AiLlm, Credential, Verdict
from ai_llm.outcomes import Result
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from workspaces.models import Event

NEW_SECRET = "sandbox-openai-secret-fedcba9876543210"
PASSES = Result(Verdict.ACCEPTED.value, "accepted")
ELSEWHERE = "https://llm.example.com/v1"


def details() -> dict[str, Any]:
    last = Event.objects.order_by("id").last()
    assert last is not None
    return {"action": last.action, **last.details}


def using(people: People, key: Credential, **values: Any) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, secret="", provider_key=key, **values)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of a new secret is passed, and nobody is asked."""
    monkeypatch.setattr(validation, "run", lambda *_, **__: PASSES)


# --- Creating ---------------------------------------------------------------------------------------------------------


def test_it_is_sealed_for_its_endpoint_and_recorded(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team key", key="organization-key")
    assert credentials.open_secret(key) == (build.SECRET, "organization-key")
    assert (key.endpoint, key.origin, key.hint) == ("https://api.openai.com/v1", "https://api.openai.com:443", "cdef")
    assert details() == {
        "action": "provider_key.created", "name": "team key", "type": "OPENAI", "endpoint": "https://api.openai.com/v1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({"provider": "ANTHROPIC"}, "https://api.anthropic.com"),
        ({"provider": "AWS", "region": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ({"provider": "AWS"}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ({"provider": "OTHER", "endpoint": "https://llm.example.com/v1/"}, ELSEWHERE),
    ],
)
def test_its_endpoint_is_the_providers_default_unless_said(
    given: dict[str, Any], endpoint: str, people: People
) -> None:
    assert build.provider_key(people.writer, people.workspace, **given).endpoint == endpoint


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"provider": "OTHER"}, "endpoint"),
        ({"provider": "NOBODY"}, "type"),
        ({"endpoint": "https://user:pw@api.openai.com/v1"}, "endpoint"),
        ({"provider": "AWS", "region": "eu/../west"}, "region"),
        ({"secret": ""}, "secret"),
        ({"secret": "***"}, "secret"),
        ({"name": "nul\0"}, "name"),
        ({"description": "x" * 501}, "description"),
        ({"tenant_id": "half \ud800 a pair"}, "tenant_id"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expires_at"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, Any], field: str, people: People) -> None:
    with pytest.raises(Invalid) as refused:
        build.provider_key(people.writer, people.workspace, **given)
    assert list(refused.value.errors) == [field]
    assert not Credential.objects.exists()


def test_without_a_name_it_is_called_by_its_description_or_its_provider(people: People) -> None:
    given = [{}, {}, {"description": "For the batch jobs"}, {"description": "For the batch jobs"}]
    found = [build.provider_key(people.writer, people.workspace, name="", **more).name for more in given]
    assert found == ["OpenAI key", "OpenAI key 2", "For the batch jobs", "For the batch jobs 2"]


def test_names_are_unique_in_a_workspace(people: People) -> None:
    build.provider_key(people.writer, people.workspace, name="Team")
    build.provider_key(people.owner, build.workspace(people.organization), name="Team")
    with pytest.raises(Invalid) as refused:
        build.provider_key(people.writer, people.workspace, name="TEAM")
    assert refused.value.errors == {"name": provider_keys.SAME_NAME}


def test_sent_twice_it_makes_one(people: People) -> None:
    row = uuid4()
    first = build.provider_key(people.writer, people.workspace, id=row, name="team")
    assert build.provider_key(people.writer, people.workspace, id=row, name="team") == first
    with pytest.raises(Conflict, match="already created"):
        build.provider_key(people.writer, people.workspace, id=row, name="team", secret=NEW_SECRET)
    assert Event.objects.count() == 1


@pytest.mark.parametrize("who", ["reader", "outsider", "stranger", "staff"])
def test_people_without_write_change_nothing(who: str, people: People) -> None:
    actor, key = getattr(people, who), build.provider_key(people.writer, people.workspace)
    with pytest.raises(Denied):
        build.provider_key(actor, people.workspace)
    with pytest.raises(Denied):
        provider_keys.update(actor, key, name="mine")
    with pytest.raises(Denied):
        provider_keys.delete(actor, key)
    assert Event.objects.count() == 1


def test_they_are_visible_in_their_workspace_only(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace)
    build.ai_llm(people.writer, people.workspace)  # its own credential has no name, and is nobody's to choose
    assert list(Credential.objects.visible_to(people.reader)) == [key]
    for who in (people.outsider, people.stranger, people.staff):
        assert not Credential.objects.visible_to(who).exists()


# --- Using ------------------------------------------------------------------------------------------------------------


def test_an_ai_llm_uses_it_in_the_place_of_an_own_secret(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team key")
    first, second = using(people, key), using(people, key, endpoint="")
    assert (first.credential, second.credential, second.endpoint) == (key, key, key.endpoint)
    assert Credential.objects.count() == 1
    assert details()["provider_key"] == "team key"
    assert list(provider_keys.used_by(key)) == [first, second]
    assert provider_keys.uses([key]) == {key.pk: 2}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"endpoint": "https://api.openai.com/other-tenant/v1"}, "only goes to"),
        ({"endpoint": ELSEWHERE}, "only goes to"),
        ({"type": "OTHER"}, "is for OpenAI"),
        ({"secret": NEW_SECRET}, "not both"),
    ],
)
def test_an_ai_llm_elsewhere_is_refused(given: dict[str, Any], says: str, people: People) -> None:
    key = build.provider_key(people.writer, people.workspace)
    with pytest.raises(Invalid) as refused:
        build.ai_llm(people.writer, people.workspace, **{"secret": "", "provider_key": key, **given})
    assert says in refused.value.errors["provider_key"]
    assert not AiLlm.objects.exists()


def test_one_of_another_workspace_or_without_a_name_is_not_there(people: People) -> None:
    foreign = build.provider_key(people.stranger, people.strange_workspace)
    own = build.ai_llm(people.writer, people.workspace).credential
    assert own is not None
    for key in (foreign, own):
        with pytest.raises(Invalid) as refused:
            using(people, key, name="wants it")
        assert refused.value.errors == {"provider_key": provider_keys.UNKNOWN}


def test_edit_takes_it_and_lets_go_of_it(people: People) -> None:
    key, found = build.provider_key(people.writer, people.workspace), build.ai_llm(people.writer, people.workspace)
    configs.update(people.writer, found, provider_key=key)
    assert (AiLlm.objects.get().credential, Credential.objects.count()) == (key, 1)
    assert details() == {"action": "ai_llm.updated", "provider_key": key.name}
    configs.update(people.writer, found, provider_key=key)
    assert Event.objects.count() == 3
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, found, provider_key=None)
    assert list(refused.value.errors) == ["secret"]
    configs.update(people.writer, found, provider_key=None, secret=NEW_SECRET)
    assert AiLlm.objects.get().credential != key
    assert credentials.open_secret(Credential.objects.get(pk=key.pk)) == (build.SECRET, "")


@pytest.mark.parametrize("change", [{"key": "a-new-key"}, {"expires_at": timezone.now() + timedelta(days=9)}])
def test_an_ai_llm_changes_nothing_of_it(change: dict[str, Any], people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team key")
    found = using(people, key)
    with pytest.raises(Invalid, match="uses the provider key team key"):
        configs.update(people.writer, found, **change)


def test_it_outlives_everything_that_its_users_do(people: People, passes: None) -> None:
    key = build.provider_key(people.writer, people.workspace)
    moved, replaced, deleted, rotated, kept = (using(people, key, name=name) for name in "abcde")
    configs.update(people.writer, moved, endpoint=ELSEWHERE, secret=NEW_SECRET)
    configs.replace_secret(people.writer, replaced, secret=NEW_SECRET)
    configs.delete(people.writer, deleted)
    rotation.rotate(people.writer, rotated, secret=NEW_SECRET, keep="24h")
    rotation.rotate(people.writer, kept, secret=NEW_SECRET, keep="none")
    rotated.refresh_from_db()
    assert (rotated.fallback, list(provider_keys.used_by(key))) == (key, [rotated])
    rotation.retire(people.writer, rotated)
    held = Credential.objects.get(pk=key.pk)
    assert credentials.open_secret(held) == (build.SECRET, "")
    assert list(provider_keys.used_by(key)) == []
    assert {row.credential_id for row in AiLlm.objects.filter(deleted_at=None)}.isdisjoint({key.pk})


def test_rotation_returns_to_it(people: People, passes: None) -> None:
    key = build.provider_key(people.writer, people.workspace)
    found = rotation.rotate(people.writer, using(people, key), secret=NEW_SECRET).ai_llm
    rotation.return_to_former(people.writer, found)
    assert AiLlm.objects.get().credential == key


def test_the_end_of_the_overlap_does_not_purge_it(people: People, passes: None) -> None:
    key = build.provider_key(people.writer, people.workspace)
    rotated = rotation.rotate(people.writer, using(people, key), secret=NEW_SECRET).ai_llm
    AiLlm.objects.update(fallback_until=timezone.now() - timedelta(seconds=1))
    rotated.refresh_from_db()
    rotation.expire(rotated)
    assert AiLlm.objects.get().fallback is None
    assert credentials.open_secret(Credential.objects.get(pk=key.pk)) == (build.SECRET, "")


def test_sending_the_form_of_an_ai_llm_twice_makes_one_row(people: People) -> None:
    key, row = build.provider_key(people.writer, people.workspace), uuid4()
    other = build.provider_key(people.writer, people.workspace)
    first = using(people, key, id=row, name="prod")
    assert using(people, key, id=row, name="prod") == first
    for values in ({"provider_key": other, "secret": ""}, {"secret": build.SECRET}):
        with pytest.raises(configs.AlreadyCreated):
            build.ai_llm(people.writer, people.workspace, id=row, name="prod", **values)


# --- Changing and deleting --------------------------------------------------------------------------------------------


def test_a_new_secret_is_the_new_one_of_all_its_users(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, key="organization-key")
    users = [using(people, key) for _ in range(2)]
    apart = build.ai_llm(people.writer, people.workspace)
    AiLlm.objects.update(verdict="accepted")
    changed = provider_keys.update(people.writer, key, secret=NEW_SECRET)
    assert credentials.open_secret(changed) == (NEW_SECRET, "organization-key")
    for user in users:
        user.refresh_from_db()
        assert (user.verdict, user.version, user.credential) == ("", 2, key)
    apart.refresh_from_db()
    assert (apart.verdict, apart.version) == ("accepted", 1)
    assert details() == {"action": "provider_key.updated", "secret": changed.fingerprint}


def test_a_check_of_the_former_secret_has_no_word_about_the_new_one(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace)
    tested = using(people, key)
    provider_keys.update(people.writer, key, secret=NEW_SECRET)
    with pytest.raises(Conflict):
        history.keep(people.writer, tested, PASSES)
    assert AiLlm.objects.get().verdict == ""


def test_its_expiry_is_that_of_its_users(people: People) -> None:
    ends = (timezone.now() + timedelta(days=9)).replace(microsecond=0)
    key = build.provider_key(people.writer, people.workspace)
    using(people, key)
    provider_keys.update(people.writer, key, expires_at=ends)
    assert AiLlm.objects.get().due_at == ends
    provider_keys.update(people.writer, key, expires_at=None)
    assert AiLlm.objects.get().due_at is None


@pytest.mark.parametrize(
    ("change", "recorded"),
    [
        ({"name": "renamed"}, {"name": ["team key", "renamed"]}),
        ({"description": " For  all "}, {"description": ["", "For all"]}),
        ({"endpoint": "https://api.openai.com"}, {"endpoint": ["https://api.openai.com/v1", "https://api.openai.com"]}),
        ({"name": "team key"}, None),
    ],
)
def test_old_and_new_values_are_recorded(
    change: dict[str, Any], recorded: dict[str, Any] | None, people: People
) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team key")
    changed = provider_keys.update(people.writer, key, version=1, **change)
    assert Event.objects.count() == (1 if recorded is None else 2)
    if recorded is not None:
        assert details() == {"action": "provider_key.updated", **recorded}
        assert changed.version == 2


@pytest.mark.parametrize("change", [{"endpoint": ELSEWHERE}, {"provider": "OTHER"}])
def test_another_destination_needs_the_secret_again_and_no_user(change: dict[str, Any], people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, key="organization-key")
    with pytest.raises(Invalid) as refused:
        provider_keys.update(people.writer, key, **change)
    assert refused.value.errors == {"secret": configs.SECRET_AGAIN}
    user = using(people, key)
    with pytest.raises(Conflict, match="must stay"):
        provider_keys.update(people.writer, key, secret=NEW_SECRET, **change)
    configs.delete(people.writer, user)
    moved = provider_keys.update(people.writer, key, secret=NEW_SECRET, **change)
    held = Credential.objects.get(pk=key.pk)
    assert credentials.open_secret(held) == (NEW_SECRET, "")
    assert held.origin == rows.outbound.origin(moved.endpoint)


def test_the_second_of_two_editors_is_told(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace)
    provider_keys.update(people.writer, key, version=1, name="first")
    with pytest.raises(Conflict, match="Somebody else changed"):
        provider_keys.update(people.admin, key, version=1, name="second")


def test_the_api_key_changes_alone(people: People) -> None:
    key = build.provider_key(people.writer, people.workspace, key="organization-key")
    provider_keys.update(people.writer, key, key="another-key")
    assert credentials.open_secret(Credential.objects.get()) == (build.SECRET, "another-key")
    provider_keys.update(people.writer, key, remove_key=True)
    assert credentials.open_secret(Credential.objects.get()) == (build.SECRET, "")


def test_deleting_is_refused_while_it_is_used_and_purges_it_then(people: People, passes: None) -> None:
    key = build.provider_key(people.writer, people.workspace, name="team key")
    user = using(people, key, name="prod")
    with pytest.raises(Conflict, match="team key is used by prod"):
        provider_keys.delete(people.writer, key)
    rotation.rotate(people.writer, user, secret=NEW_SECRET)
    with pytest.raises(Conflict):  # one click may return to it
        provider_keys.delete(people.writer, key)
    user.refresh_from_db()
    rotation.retire(people.writer, user)
    provider_keys.delete(people.writer, key)
    assert not Credential.objects.filter(pk=key.pk).exists()
    assert details()["action"] == "provider_key.deleted"
    for verb in (lambda: provider_keys.delete(people.writer, key), lambda: provider_keys.update(people.writer, key)):
        with pytest.raises(Conflict, match="deleted in the meantime"):
            verb()

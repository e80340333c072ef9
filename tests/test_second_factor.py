"""The second factor as verbs: what turns it on and off, what a code is worth, and where its secrets are not."""

import time
from collections.abc import Callable
from io import StringIO
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.management import CommandError, call_command
from django.db import connection

from flashback import sealed
from flashback.errors import Conflict, Denied, Invalid
from flashback.keyring import new_field_key
from tests import build
from tests.conftest import People
from workspaces import second_factor
from workspaces.access import OrganizationRole
from workspaces.account_models import SecondFactorSecret
from workspaces.models import Event, Organization, User

pytestmark = pytest.mark.django_db
NOW = 1_800_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Stop the clock of the codes, and move it by seconds."""
    at = [float(NOW)]
    monkeypatch.setattr(totp.time, "time", lambda: at[0])

    def move(seconds: int) -> None:
        at[0] += seconds

    return move


def code(secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or showed so many steps of 30 seconds away."""
    step = int(totp.time.time()) // 30 + steps
    return str(totp.format_hotp_value(totp.hotp_value(secret, step)))


def set_up(person: User) -> tuple[str, list[str]]:
    """Turn a second factor on; return the key in the app and the recovery codes."""
    secret = totp.generate_totp_secret()
    return secret, second_factor.enable(person, secret, code(secret))


def actions() -> list[str]:
    return list(Event.objects.order_by("id").values_list("action", flat=True))


# --- On and off -------------------------------------------------------------------------------------------------------


def test_it_is_on_after_the_app_has_shown_a_code_that_fits(people: People) -> None:
    assert not second_factor.enabled(people.reader)
    _, codes = set_up(people.reader)
    assert second_factor.enabled(people.reader)
    assert not second_factor.enabled(people.writer)
    assert len(set(codes)) == 10
    assert actions() == ["second_factor.enabled"]


@pytest.mark.parametrize("typed", ["", "000000", "abc", "\0", "1" * 39, "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_a_code_that_does_not_fit_turns_nothing_on(people: People, typed: str) -> None:
    secret = totp.generate_totp_secret()
    with pytest.raises(Invalid) as refused:
        second_factor.enable(people.reader, secret, typed)
    assert refused.value.errors == {"code": second_factor.WRONG}
    assert Authenticator.objects.count() == SecondFactorSecret.objects.count() == 0


def test_turning_it_off_leaves_nothing_behind(people: People) -> None:
    set_up(people.reader)
    second_factor.disable(people.reader)
    assert not second_factor.enabled(people.reader)
    assert Authenticator.objects.count() == SecondFactorSecret.objects.count() == 0
    assert actions() == ["second_factor.enabled", "second_factor.disabled"]
    with pytest.raises(Conflict):
        second_factor.disable(people.reader)


def test_another_app_takes_the_place_of_the_first(people: People, clock: Callable[[int], None]) -> None:
    old, old_codes = set_up(people.reader)
    new, _ = set_up(people.reader)
    clock(60)
    assert not second_factor.check(people.reader, code(old))
    assert not second_factor.check(people.reader, old_codes[0])
    assert second_factor.check(people.reader, code(new))
    assert actions()[:2] == ["second_factor.enabled", "second_factor.replaced"]
    assert SecondFactorSecret.objects.count() == 2


# --- What a code is worth ---------------------------------------------------------------------------------------------


def test_a_code_of_the_app_works_once(people: People, clock: Callable[[int], None]) -> None:
    secret, _ = set_up(people.reader)
    assert not second_factor.check(people.reader, code(secret)), "the code that turned it on is used up"
    clock(30)
    assert second_factor.check(people.reader, code(secret))
    assert not second_factor.check(people.reader, code(secret))


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(
    people: People, clock: Callable[[int], None], steps: int, right: bool
) -> None:
    secret, _ = set_up(people.reader)
    clock(300)
    assert second_factor.check(people.reader, code(secret, steps=steps)) is right


def test_a_code_before_the_last_one_used_is_worth_nothing(people: People, clock: Callable[[int], None]) -> None:
    secret, _ = set_up(people.reader)
    clock(300)
    assert second_factor.check(people.reader, code(secret))
    assert not second_factor.check(people.reader, code(secret, steps=-1))


def test_blanks_and_hyphens_in_a_code_do_not_matter(people: People, clock: Callable[[int], None]) -> None:
    secret, codes = set_up(people.reader)
    clock(60)
    now = code(secret)
    assert second_factor.check(people.reader, f" {now[:3]} {now[3:]} ")
    assert second_factor.check(people.reader, f"{codes[0][:5]}-{codes[0][5:]}")


def test_each_recovery_code_works_once(people: People) -> None:
    _, codes = set_up(people.reader)
    assert second_factor.check(people.reader, codes[3])
    assert not second_factor.check(people.reader, codes[3])
    assert second_factor.check(people.reader, codes[4])
    assert len(second_factor.codes_left(people.reader)) == 8
    used = Event.objects.filter(action="second_factor.recovery_code_used").order_by("id")
    assert [event.details for event in used] == [{"left": 9}, {"left": 8}]


def test_new_recovery_codes_end_the_old_ones(people: People) -> None:
    _, old = set_up(people.reader)
    new = second_factor.renew_codes(people.reader)
    assert not second_factor.check(people.reader, old[0])
    assert second_factor.check(people.reader, new[0])
    assert "second_factor.codes_renewed" in actions()


def test_without_a_second_factor_no_code_is_right_and_none_is_made(people: People) -> None:
    assert not second_factor.check(people.reader, "123456")
    with pytest.raises(Conflict):
        second_factor.renew_codes(people.reader)


def test_five_wrong_codes_close_it_for_the_right_one_too(people: People, clock: Callable[[int], None]) -> None:
    secret, codes = set_up(people.reader)
    clock(60)
    for _ in range(5):
        assert not second_factor.is_closed(people.reader)
        assert not second_factor.check(people.reader, "000000")
    assert second_factor.is_closed(people.reader)
    assert not second_factor.check(people.reader, code(secret))
    assert not second_factor.check(people.reader, codes[0])
    clock(15 * 60)
    assert second_factor.check(people.reader, code(secret))
    assert actions().count("second_factor.failed") == 5


def test_right_codes_are_not_counted(people: People) -> None:
    _, codes = set_up(people.reader)
    assert [second_factor.check(people.reader, one) for one in codes] == [True] * 10


def test_somebody_elses_app_and_codes_are_worth_nothing(people: People, clock: Callable[[int], None]) -> None:
    secret, codes = set_up(people.writer)
    set_up(people.reader)
    clock(60)
    assert not second_factor.check(people.reader, code(secret))
    assert not second_factor.check(people.reader, codes[0])


# --- Where its secrets are --------------------------------------------------------------------------------------------


def test_what_is_stored_is_sealed_and_no_table_holds_it_in_clear(people: People) -> None:
    secret, codes = set_up(people.reader)
    with connection.cursor() as cursor:
        everything = ""
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            everything += str(cursor.fetchall())
    assert "gAAAA" in everything
    for text in (secret, *codes):
        assert text not in everything


def test_a_dump_holds_neither_secret_nor_ciphertext(people: People) -> None:
    secret, codes = set_up(people.reader)
    out = StringIO()
    call_command("dumpdata", "mfa", "workspaces", stdout=out)
    for text in (secret, *codes, "gAAAA"):
        assert text not in out.getvalue()


def test_a_secret_that_is_moved_to_another_person_does_not_open(
    people: People, clock: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    mine, _ = set_up(people.writer)
    set_up(people.reader)
    clock(60)
    of_mine = Authenticator.objects.get(user=people.writer, type="totp")
    of_other = Authenticator.objects.get(user=people.reader, type="totp")
    Authenticator.objects.filter(pk=of_other.pk).update(data=of_mine.data)
    assert not second_factor.check(people.reader, code(mine))
    SecondFactorSecret.objects.filter(pk=of_mine.data["secret"]).update(user=people.reader)
    assert not second_factor.check(people.reader, code(mine))
    assert "context_mismatch" in caplog.text
    assert mine not in caplog.text


def test_a_lost_key_closes_the_door_and_says_so_in_the_log(
    people: People, ring: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    _, codes = set_up(people.reader)
    ring(new_field_key())
    assert not second_factor.check(people.reader, codes[0])
    assert "undecryptable" in caplog.text


def test_the_secrets_command_checks_and_rotates_it(people: People, ring: Callable[..., None], settings: object) -> None:
    _, codes = set_up(people.reader)
    old, new = settings.FIELD_ENCRYPTION_KEY[0], new_field_key()
    ring(new, old)
    out = StringIO()
    call_command("secrets", "rotate", stdout=out)
    assert out.getvalue().startswith("2 moved to the first key")
    ring(new)
    call_command("secrets", "check", stdout=out)
    assert second_factor.check(people.reader, codes[0])
    row = SecondFactorSecret.objects.first()
    SecondFactorSecret.objects.filter(pk=row.pk).delete()
    row.user = people.writer
    row.save(force_insert=True)
    with pytest.raises(CommandError):
        call_command("secrets", "check", stdout=out)
    assert f"{row.pk}  context mismatch" in out.getvalue()


def test_a_secret_is_bound_to_its_person_and_row(people: People) -> None:
    set_up(people.reader)
    row = SecondFactorSecret.objects.first()
    assert row.secret.open(row.sealing_context())
    for other in (people.writer.pk, UUID(int=0)):
        with pytest.raises(sealed.Unsealable):
            row.secret.open(sealed.Context(other, row.pk, ""))


# --- Who has to have one ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "who"),
    [
        ("off", set()),
        ("administrators", {"owner", "staff"}),
        ("everyone", {"owner", "staff", "admin", "writer", "reader", "outsider"}),
    ],
)
def test_the_policy_says_who_needs_one(people: People, policy: str, who: set[str]) -> None:
    second_factor.set_policy(people.owner, policy)
    everybody = ("owner", "admin", "writer", "reader", "outsider", "stranger", "staff")
    assert {name for name in everybody if second_factor.required(getattr(people, name))} == who


def test_a_policy_is_recorded_once_and_ends_nothing(people: People) -> None:
    second_factor.set_policy(people.owner, "everyone")
    second_factor.set_policy(people.owner, "everyone")
    event = Event.objects.get()
    assert (event.action, event.details) == (
        "organization.second_factor_changed", {"second_factor": ["off", "everyone"]},
    )  # fmt: skip
    assert second_factor.due(people.reader)


@pytest.mark.parametrize("policy", ["", "on", "EVERYONE"])
def test_a_policy_that_is_none_is_refused(people: People, policy: str) -> None:
    with pytest.raises(Invalid):
        second_factor.set_policy(people.owner, policy)


def test_only_administrators_set_the_policy(people: People) -> None:
    for who in (people.admin, people.reader, people.staff):
        with pytest.raises(Denied):
            second_factor.set_policy(who, "everyone")
    administrator = build.person(people.organization, role=OrganizationRole.ADMINISTRATOR)
    assert second_factor.set_policy(administrator, "everyone").second_factor == "everyone"
    assert Organization.objects.exclude(second_factor="off").count() == 1


def test_who_has_to_have_one_cannot_turn_it_off_but_can_replace_it(people: People) -> None:
    set_up(people.reader)
    second_factor.set_policy(people.owner, "everyone")
    assert not second_factor.due(people.reader)
    with pytest.raises(Denied):
        second_factor.disable(people.reader)
    set_up(people.reader)


# --- When it is lost --------------------------------------------------------------------------------------------------


def test_a_superuser_takes_a_lost_one_away_and_all_sessions_end(people: People) -> None:
    set_up(people.reader)
    second_factor.reset(people.staff, people.reader)
    assert not second_factor.enabled(people.reader)
    assert User.objects.get(pk=people.reader.pk).session_epoch == 1
    event = Event.objects.get(action="second_factor.reset")
    assert (event.actor_id, event.organization_id) == (people.staff.pk, people.organization.pk)


def test_nobody_else_takes_one_away(people: People) -> None:
    set_up(people.reader)
    for who in (people.owner, people.reader, people.stranger):
        with pytest.raises(Denied):
            second_factor.reset(who, people.reader)
    with pytest.raises(Conflict):
        second_factor.reset(people.staff, people.writer)


def test_the_clock_of_the_codes_is_the_real_one(people: People) -> None:
    secret, _ = set_up(people.reader)
    step = Authenticator.objects.get(user=people.reader, type="totp").data["step"]
    assert abs(step - time.time() // 30) <= 1
    assert secret


def test_the_operator_takes_one_away_with_a_command(people: People) -> None:
    set_up(people.reader)
    out = StringIO()
    call_command("resetsecondfactor", f"--email={people.reader.email.upper()}", stdout=out)
    assert "the password alone" in out.getvalue()
    assert not second_factor.enabled(people.reader)
    for email in (people.reader.email, "nobody@example.com"):
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("resetsecondfactor", f"--email={email}", stdout=out)
    assert Event.objects.get(action="second_factor.reset").actor_kind == "command"

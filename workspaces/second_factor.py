"""The verbs of the second factor: a code of an authenticator app or a recovery code, after the password.

`django-allauth` brings the tables, the codes and the step at the sign-in; this module decides what counts. What an
authenticator works with is sealed for its person in a row of its own (`SecondFactorSecret`), and allauth's row holds
that one's id. TOTP is RFC 6238; a code counts once (its section 5.2), whichever process sees it first.
"""

import base64
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from allauth.core.internal import ratelimit
from allauth.core.internal.cryptokit import compare_user_code, normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from flashback import sealed
from flashback.errors import Conflict, Denied, Invalid
from workspaces import access, events, notices
from workspaces.access import OrganizationRole
from workspaces.account_models import SecondFactorPolicy, SecondFactorSecret
from workspaces.models import ActorKind, Organization, User

log = logging.getLogger(__name__)

TOTP, RECOVERY = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
TOLERANCE = 1  # steps of 30 seconds that a device's clock may be ahead or behind
APP, ACTION = "workspaces", "second_factor"
RATES = {ACTION: "5/15m/key"}
WRONG = "This code is not right. Codes of the app change every 30 seconds, and each works once."
TOO_MANY = "Too many codes were not right. Try again in a quarter of an hour."
REQUIRED = "Your organization requires a second factor of you, so it stays on. You can replace it by another app."

SETUP, SETUP_SECONDS = "workspaces.second_factor.setup", 600
SETUP_OVER = "This setup is over: it is good for ten minutes, and for who began it. Begin another one."

_whose: ContextVar[User] = ContextVar("whose")


def enabled(person: User) -> bool:
    """Return whether `person` has a second factor: signing in then takes a code as well."""
    return bool(Authenticator.objects.filter(user=person, type=TOTP).exists())


def required(person: User) -> bool:
    """Return whether `person` has to have one, by their organization's policy.

    Staff of the installation see what all organizations keep, so that any policy but Off counts for them too.
    """
    held = Organization.objects.filter(people=person).values_list("second_factor", flat=True).first()
    if held == SecondFactorPolicy.EVERYONE:
        return True
    if held == SecondFactorPolicy.ADMINISTRATORS and person.organization_role >= OrganizationRole.ADMINISTRATOR:
        return True
    return person.is_staff and Organization.objects.exclude(second_factor=SecondFactorPolicy.OFF).exists()


def due(person: User) -> bool:
    """Return whether `person` has to set one up before anything else."""
    return required(person) and not enabled(person)


def check(person: User, code: str) -> bool:
    """Return whether `code` is one of the app's current ones or an unused recovery code, and use it up.

    Five codes that are not right close it for a quarter of an hour, everywhere (`is_closed`); then, as without a second
    factor, the answer is no. Records `second_factor.failed`, or `second_factor.recovery_code_used`.
    """
    if not ratelimit.consume(None, app=APP, action=ACTION, config=RATES, key=str(person.pk), limit_get=True):
        return False
    if _accepted(person, code):
        ratelimit.clear(None, app=APP, action=ACTION, config=RATES, key=str(person.pk))
        return True
    events.record(None, "second_factor.failed", person, organization=person.organization, kind=ActorKind.NOBODY)
    return False


def is_closed(person: User) -> bool:
    """Return whether too many codes were not right, so that none is looked at now."""
    allowed = ratelimit.consume(
        None, app=APP, action=ACTION, config=RATES, key=str(person.pk), limit_get=True, dry_run=True
    )
    return allowed is None


def enable(person: User, secret: str, code: str) -> list[str]:
    """Turn the second factor on: `secret` (base32) is what the person's app holds, `code` proves it.

    With one already on, the app is replaced. Returns new recovery codes, which nothing shows again, and tells the
    person by mail. Records `second_factor.enabled` or `second_factor.replaced`. Raises `Invalid` for the field `code`.
    """
    step = _matching(secret, code, after=0)
    if step is None:
        raise Invalid({"code": WRONG})
    with transaction.atomic(), _sealing_for(person):
        had = _emptied(person)
        data = {"secret": seal(secret), "step": step}
        Authenticator.objects.create(user=person, type=TOTP, data=data, last_used_at=timezone.now())
        codes: list[str] = RecoveryCodes.activate(person).generate_codes()
        events.record(person, "second_factor.replaced" if had else "second_factor.enabled", person)
    what = "was moved to another app, and has new recovery codes" if had else "was turned on"
    notices.send(person, f"Your second factor {what}.")
    return codes


def proposal(person: User, nonce: str) -> str:
    """Return the key (base32) that `person` is offered for an app: made from a `nonce`, so that no session holds it.

    The same for the same nonce, as long as the first key of the keyring is the same.
    """
    keyed = salted_hmac(
        "flashback totp v1", f"{person.pk} {nonce}", settings.FIELD_ENCRYPTION_KEY[0], algorithm="sha256"
    )
    return base64.b32encode(keyed.digest()[:20]).decode()


def offer(person: User) -> tuple[str, str]:
    """Return a key (base32) for an app of `person`, and a token that `accept` takes; nothing is stored."""
    nonce = secrets.token_hex(16)
    return proposal(person, nonce), signing.dumps([str(person.pk), nonce], salt=SETUP)


def accept(person: User, token: str, code: str) -> list[str]:
    """Do as `enable` with the key that `offer` gave with `token`.

    Raises `Invalid` for the fields `setup_token` (ten minutes old, or another person's) and `code`.
    """
    try:
        whose, nonce = signing.loads(token, salt=SETUP, max_age=SETUP_SECONDS)
    except (signing.BadSignature, ValueError):
        whose, nonce = "", ""
    if whose != str(person.pk):
        raise Invalid({"setup_token": SETUP_OVER})
    return enable(person, proposal(person, nonce), code)


def disable(person: User) -> None:
    """Turn one's second factor off, and tell the person by mail. Records `second_factor.disabled`.

    Raises `Denied` when the organization requires it, and `Conflict` when it is off already.
    """
    if required(person):
        raise Denied(REQUIRED)
    with transaction.atomic():
        if not _emptied(person):
            raise Conflict("Your second factor is off already.")
        events.record(person, "second_factor.disabled", person)
    notices.send(person, "Your second factor was turned off: the password alone is enough to sign in.")


def reset(actor: User | None, person: User) -> None:
    """Take the second factor from somebody who lost both app and recovery codes, and end their sessions.

    `actor` is a superuser, or None for a command of the operator. Records `second_factor.reset`. Raises `Denied` for
    anybody else, and `Conflict` when there is none.
    """
    if actor is not None and not (actor.is_active and actor.is_superuser):
        raise Denied("Only a superuser of this installation may do this.")
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=person.pk)
        if not _emptied(row):
            raise Conflict(f"{row.email} has no second factor.")
        row.end_sessions()
        row.save(update_fields=["session_epoch"])
        events.record(actor, "second_factor.reset", row, organization=row.organization)
    notices.send(row, "Your second factor was taken away by whoever runs this installation. Set up a new one.")


def renew_codes(person: User) -> list[str]:
    """Return new recovery codes, which nothing shows again; those before them end. Records their renewal.

    Raises `Conflict` without a second factor.
    """
    with transaction.atomic(), _sealing_for(person):
        User.objects.select_for_update().get(pk=person.pk)
        if not enabled(person):
            raise Conflict("Set up a second factor first: recovery codes stand in for it.")
        _drop(Authenticator.objects.filter(user=person, type=RECOVERY))
        codes: list[str] = RecoveryCodes.activate(person).generate_codes()
        events.record(person, "second_factor.codes_renewed", person)
    notices.send(person, "New recovery codes were made for your second factor. The former ones do not work any more.")
    return codes


def codes_left(person: User) -> list[str]:
    """Return the recovery codes that still work. For their person's eyes alone, right after they were made."""
    row = Authenticator.objects.filter(user=person, type=RECOVERY).first()
    if row is None:
        return []
    with _sealing_for(person):
        codes: list[str] = RecoveryCodes(row).get_unused_codes()
    return codes


def number_of_codes_left(person: User) -> int:
    """Return how many recovery codes still work. Opens nothing, so that it works without the key too."""
    row = Authenticator.objects.filter(user=person, type=RECOVERY).first()
    return settings.MFA_RECOVERY_CODE_COUNT - int(row.data["used_mask"]).bit_count() if row else 0


def set_policy(actor: User, policy: str) -> Organization:
    """Say who needs a second factor in the actor's organization, from their next sign-in on.

    Records `organization.second_factor_changed` with old and new; the same again records nothing. Raises `Denied`
    below the role Administrator, and `Invalid` for the field `policy`.
    """
    access.require_organization(actor, OrganizationRole.ADMINISTRATOR)
    if policy not in SecondFactorPolicy.values:
        raise Invalid({"policy": "Choose one of the three."})
    with transaction.atomic():
        row = Organization.objects.select_for_update().get(people=actor)
        before, row.second_factor = row.second_factor, policy
        if before != policy:
            row.save(update_fields=["second_factor"])
            details = {"second_factor": [before, policy]}
            events.record(actor, "organization.second_factor_changed", row, organization=row, details=details)
    return row


def seal(text: str) -> str:
    """Keep what an authenticator works with, for the person whose turn it is; return the id to find it by."""
    row = SecondFactorSecret(user=_whose.get(), key_id=sealed.key_id())
    row.secret = sealed.Fresh(text)
    row.save(force_insert=True)
    return str(row.pk)


def unseal(reference: str) -> str:
    """Return what `seal` kept. Raises `Unsealable`, also for what was kept for somebody else."""
    row = SecondFactorSecret.objects.filter(pk=reference, user=_whose.get()).first()
    if row is None or row.secret is None:
        raise sealed.Unsealable("context_mismatch")
    return row.secret.open(row.sealing_context())


@contextmanager
def _sealing_for(person: User) -> Iterator[None]:
    token = _whose.set(person)
    try:
        yield
    finally:
        _whose.reset(token)


def _accepted(person: User, code: str) -> bool:
    with transaction.atomic(), _sealing_for(person):
        rows = {row.type: row for row in Authenticator.objects.select_for_update().filter(user=person)}
        if TOTP not in rows:
            return False
        try:
            return _of_app(rows[TOTP], code) or (RECOVERY in rows and _of_recovery(rows[RECOVERY], code))
        except sealed.Unsealable as refusal:
            log.error("The second factor of a person does not open (%s). See manage.py secrets check.", refusal.reason)
            return False


def _of_app(row: Authenticator, code: str) -> bool:
    step = _matching(unseal(row.data["secret"]), code, after=row.data["step"])
    if step is None:
        return False
    row.data["step"], row.last_used_at = step, timezone.now()
    row.save(update_fields=["data", "last_used_at"])
    return True


def _of_recovery(row: Authenticator, code: str) -> bool:
    codes = RecoveryCodes(row)
    if not codes.validate_code(code):
        return False
    codes.instance.record_usage()
    details = {"left": len(codes.get_unused_codes())}
    person = _whose.get()
    events.record(person, "second_factor.recovery_code_used", person, details=details)
    return True


def _matching(secret: str, code: str, *, after: int) -> int | None:
    """Return the step of 30 seconds that `code` belongs to, None unless it is a current one after step `after`."""
    code = normalize_user_code(code)
    now = next(totp.yield_hotp_counters_from_time())
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if compare_user_code(actual=code, expected=expected) and step > after:
            return step
    return None


def _emptied(person: User) -> bool:
    """Drop all authenticators of `person`, whose row is locked for it; return whether a second factor was on."""
    User.objects.select_for_update().get(pk=person.pk)
    had = enabled(person)
    _drop(Authenticator.objects.filter(user=person))
    return had


def _drop(rows: "QuerySet[Authenticator]") -> None:
    references = [row.data.get("secret") or row.data["seed"] for row in rows]
    SecondFactorSecret.objects.filter(pk__in=references).delete()
    rows.delete()

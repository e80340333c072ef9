"""Sign-ins over the API: a short-lived access token (JWT), and a refresh token that is good once.

The access token names its `Login`, whose row is looked at with every request: an access token dies with the login, the
account, the password and the session epoch, not only with its time. Whoever shows a refresh token a second time may
have stolen it, or been robbed of it: the whole login ends (RFC 9700, 4.14.2).
"""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from flashback import tokens
from flashback.errors import Denied, NotFound
from flashback.prepared import prepared
from workspaces import events, sources
from workspaces.models import User
from workspaces.token_models import Login, RefreshToken

PREFIX = "fbr_"
ACCESS, LIMITED = "access", "mfa"
ACCESS_SECONDS = 3600
LIMITED_SECONDS = 600
LIFETIME = timedelta(days=30)
UNUSED = timedelta(days=7)
USE_NOTED_EVERY = timedelta(minutes=5)
AUDIENCE = "flashback"
ALGORITHM = "HS256"
ENDED = "This sign-in is over. Sign in again."


class Ended(Denied):
    """The token says who somebody was, but that sign-in is over, or never was (401)."""

    status = 401

    def __init__(self) -> None:
        super().__init__(ENDED)


@dataclass(frozen=True)
class Pair:
    """What a client gets: both tokens (kept nowhere), and the epoch second at which the access token ends."""

    login: Login
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: int


def start(person: User, *, verified: bool = True) -> Pair:
    """Open a login for `person` and return its first tokens; until `verified` there is no refresh token.

    The caller has checked the password and records who came in. Logins that are long over go with it.
    """
    source = sources.current()
    login = Login(
        user=person,
        standing=person.get_session_auth_hash(),
        verified=verified,
        ip=source.ip,
        agent=source.agent,
        expires_at=timezone.now() + (LIFETIME if verified else timedelta(seconds=LIMITED_SECONDS)),
    )
    with transaction.atomic():
        Login.objects.filter(user=person, expires_at__lt=timezone.now() - LIFETIME).delete()
        login.save(force_insert=True)
        return _pair(login, _refresh_token(login) if verified else "")


def complete(login: Login) -> Pair:
    """Turn a login that waited for its second factor into a whole one, and return its tokens. Raises `Ended`."""
    with transaction.atomic():
        row = Login.objects.select_for_update(of=("self",)).select_related("user").filter(pk=login.pk).first()
        if row is None or row.verified or row.revoked_at is not None:
            raise Ended
        row.verified, row.expires_at = True, timezone.now() + LIFETIME
        row.save(update_fields=["verified", "expires_at"])
        return _pair(row, _refresh_token(row))


def refresh(text: str) -> Pair:
    """Return new tokens for a refresh token, which is spent with it. Raises `Ended`.

    One that was spent before ends its login, and records `login.reused`.
    """
    found = _presented(text)
    if found is None:
        raise Ended
    with transaction.atomic():
        login = Login.objects.select_for_update(of=("self",)).select_related("user").get(pk=found.login_id)
        spent = not RefreshToken.objects.filter(pk=found.pk, used_at=None).update(used_at=timezone.now())
        if not spent and _stands(login):
            login.last_used_at = timezone.now()
            login.save(update_fields=["last_used_at"])
            return _pair(login, _refresh_token(login))
        if spent and login.revoked_at is None:
            _revoke(login)
            events.record(login.user, "login.reused", login, organization=login.user.organization)
    raise Ended


def end(text: str) -> None:
    """End the login of a refresh token, and record `person.signed_out`. One that is unknown or over changes nothing."""
    found = _presented(text)
    if found is None:
        return
    with transaction.atomic():
        login = Login.objects.select_for_update(of=("self",)).select_related("user").get(pk=found.login_id)
        if login.revoked_at is None:
            _revoke(login)
            events.record(login.user, "person.signed_out", login.user)


def revoke(actor: User, id: UUID) -> None:
    """End one of `actor`'s own logins and record `login.revoked`. Raises `NotFound` for any other and an ended one."""
    with transaction.atomic():
        login = Login.objects.select_for_update(of=("self",)).filter(user=actor, pk=id, revoked_at=None).first()
        if login is None:
            raise NotFound("There is no such sign-in of yours. It may be over.")
        _revoke(login)
        events.record(actor, "login.revoked", login)


def live_of(person: User) -> list[Login]:
    """Return the logins of `person` that are not over, the newest first."""
    rows = Login.objects.filter(user=person, revoked_at=None, verified=True, expires_at__gt=timezone.now())
    recent = rows.filter(last_used_at__gt=timezone.now() - UNUSED).select_related("user")
    return [login for login in recent.order_by("-created_at", "pk") if _stands(login)]


def authenticate(text: str) -> Login:
    """Return the login that an access token stands on, with its person; one query. Raises `Ended`."""
    claims = _claims(text)
    found = _with_person(UUID(claims["sid"])) if claims else []
    if claims is None or not found or str(found[0].user_id) != claims["userId"] or not _stands(found[0]):
        raise Ended
    login: Login = found[0]
    if (claims["type"] == ACCESS) != login.verified:
        raise Ended
    if login.last_used_at <= timezone.now() - USE_NOTED_EVERY:
        Login.objects.filter(pk=login.pk).update(last_used_at=timezone.now())
    return login


@prepared
def _with_person(id: UUID) -> "QuerySet[Login]":
    return Login.objects.select_related("user__organization").filter(pk=id)


def _stands(login: Login) -> bool:
    now = timezone.now()
    if login.revoked_at is not None or login.expires_at <= now or login.last_used_at <= now - UNUSED:
        return False
    if not login.user.is_active:
        return False
    hashes = [login.user.get_session_auth_hash(), *login.user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(login.standing, one) for one in hashes)


def _presented(text: str) -> RefreshToken | None:
    public_id = tokens.public_id(text, PREFIX)
    if not public_id:
        return None
    found = RefreshToken.objects.filter(pk=public_id).first()
    return found if tokens.matches(text, found.digest if found else tokens.NOTHING) else None


def _refresh_token(login: Login) -> str:
    issued = tokens.issue(PREFIX)
    RefreshToken.objects.create(public_id=issued.public_id, login=login, digest=issued.digest)
    return issued.text


def _revoke(login: Login) -> None:
    login.revoked_at = timezone.now()
    login.save(update_fields=["revoked_at"])


def _pair(login: Login, refresh: str) -> Pair:
    person, now = login.user, int(time.time())
    expires = now + (ACCESS_SECONDS if login.verified else LIMITED_SECONDS)
    claims = {
        "userId": str(person.pk),
        "email": person.email,
        "orgId": str(person.organization_id) if person.organization_id else None,
        "type": ACCESS if login.verified else LIMITED,
        "sid": str(login.pk),
        "aud": AUDIENCE,
        "iat": now,
        "exp": expires,
    }
    return Pair(login, jwt.encode(claims, _key(settings.SECRET_KEY), ALGORITHM), refresh, expires)


def _claims(text: str) -> dict[str, Any] | None:
    wanted = ["userId", "sid", "type", "iat", "exp", "aud"]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            claims: dict[str, Any] = jwt.decode(
                text, _key(secret), algorithms=[ALGORITHM], audience=AUDIENCE, options={"require": wanted}
            )
        except jwt.InvalidTokenError:
            continue
        return claims
    return None


def _key(secret: str) -> bytes:
    return salted_hmac("workspaces.logins.access", "key", secret=secret, algorithm="sha256").digest()

"""How django-allauth behaves here: nobody signs up, links are ours, guesses are counted, and answers tell nothing."""

import logging
import math
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.internal import ratelimit
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from workspaces import events, sign_ins
from workspaces.models import User

log = logging.getLogger(__name__)

APP = "allauth.account"
FAILED, FAILED_ANYWHERE = "login_failed", "login_failed_anywhere"
# What our mails show; allauth adds more to some, the request for one.
MAILED = ("user", "password_reset_url", "what", "when", "ip", "agent", "confirm_url", "new_email")
# Signing in and out shows by itself.
SILENT = {"account/messages/logged_in.txt", "account/messages/logged_out.txt"}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """People are invited or made by an owner; nobody signs up by themselves."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": "This account is not active. An administrator of your organization can help.",
        "email_password_mismatch": "The e-mail address or the password is not right.",
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "The password is not right.",
        "too_many_login_attempts": "Too many attempts. Try again in a quarter of an hour, or reset your password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Return that sign-up is closed."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Return that these pages never answer in JSON, whatever a request's headers ask for."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Return whether `next` may be followed: only a path on this host, never an address."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address. `flashback.asgi` sets it; a forwarded header has no say here."""
        return str(request.META.get("REMOTE_ADDR", ""))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return the link of a reset mail, built from the public URL and never from the request's Host."""
        user, _, token = key.partition("-")
        return settings.PUBLIC_URL + reverse("account_reset_password_from_key", args=[user, token])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002 - allauth's signature
        """Return where a changed password leads."""
        return reverse("account")

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        """Return where signing out leads: the sign-in page, which then says so to whoever was signed in."""
        return reverse("account_login") + ("?signed_out=1" if request.user.is_authenticated else "")

    def format_email_subject(self, subject: str) -> str:
        """Return the subject as its template has it."""
        return subject

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one mail. A mail server that refuses is logged only: no answer may tell who has an account."""
        values: dict[str, Any] = {name: context[name] for name in MAILED if name in context}
        message = self.render_mail(
            template_prefix, email, {**values, "email": email, "public_url": settings.PUBLIC_URL}
        )
        try:
            message.send()
        except OSError as fault:  # smtplib's errors and those of the socket beneath
            log.error("A mail (%s) could not be sent: %s. See EMAIL_URL.", template_prefix, type(fault).__name__)

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *arguments: Any, **keywords: Any
    ) -> None:
        """Show a message on the next page, unless that says as much; without a person it would open a session."""
        if message_template not in SILENT and request.user.is_authenticated:
            super().add_message(request, level, message_template, *arguments, **keywords)

    def set_password(self, user: User, password: str) -> None:
        """Store a new password; other sessions and reset links end with it.

        Records `person.password_changed`, or `person.password_reset` for somebody who followed a link.
        """
        match = context.request.resolver_match if context.request else None
        reset = match is not None and match.url_name == "account_reset_password_from_key"
        with transaction.atomic():
            user.set_password(password)
            user.save(update_fields=["password"])
            events.record(user, "person.password_reset" if reset else "person.password_changed", user)

    def login(self, request: HttpRequest, user: User) -> None:
        """Open a session and record `person.signed_in`."""
        super().login(request, user)
        sign_ins.succeeded(user)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record `person.sign_in_failed`, for an e-mail address and a password that do not belong together.

        When somebody who is signed in was asked for their password again, `person.reauthentication_failed`.
        """
        super().authentication_failed(request, **credentials)
        if isinstance(request.user, User) and request.user.email == _login(credentials):
            sign_ins.unconfirmed(request.user)
        else:
            sign_ins.failed(_login(credentials))

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Return how `user` confirms who they are: with a code, for those who have a second factor."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        coded = [method for method in methods if method["id"] == "mfa_reauthenticate"]
        return coded or methods

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count an attempt before the password is looked at. Raises a ValidationError when there were too many."""
        super().pre_authenticate(request, **credentials)
        anywhere = ratelimit.consume(request, app=APP, action=FAILED_ANYWHERE, key=_login(credentials))
        if not anywhere:
            raise self.validation_error("too_many_login_attempts")
        self._login_failed_rl_usage.usage += anywhere.usage

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Login and address together: a stranger elsewhere can not lock a person out, and the Host header has no say.
        return f"{_login(credentials)} {ratelimit.get_ip(request)}"

    def forget_failures(self, request: HttpRequest, login: str) -> None:
        """Let `login` try again from this address: its owner has just proved to hold the mailbox."""
        self._delete_login_attempts_cached_email(request, email=login)
        ratelimit.clear(request, app=APP, action=FAILED_ANYWHERE, key=login.lower())

    def seconds_to_wait(self, request: HttpRequest, login: str) -> int:
        """Return the seconds until `login` may be tried again from this request's address; 0 when that is now."""
        keys = {FAILED: self._get_login_attempts_cache_key(request, email=login), FAILED_ANYWHERE: login.lower()}
        waits = [
            _seconds_left(ratelimit.get_cache_key(request, app=APP, action=action, rate=rate, key=key), rate)
            for action, key in keys.items()
            for rate in ratelimit.get_rates(app=APP, action=action)
        ]
        return max(waits)


def _login(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email", "")).strip().lower()


def _seconds_left(cache_key: str, rate: Any) -> int:
    history: list[float] = cache.get(cache_key, [])
    if len(history) < rate.amount:
        return 0
    ends = history[int(rate.amount) - 1] + float(rate.duration)
    return max(0, math.ceil(ends - time.time()))

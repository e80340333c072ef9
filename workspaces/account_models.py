"""The rows of sessions and of second factors, and what people and organizations can choose about them."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from flashback import sealed


class SecondFactorPolicy(models.TextChoices):
    """Who needs a second factor in an organization."""

    OFF = "off", "Nobody has to"
    ADMINISTRATORS = "administrators", "Staff, administrators and owners"
    EVERYONE = "everyone", "Everyone"


class Theme(models.TextChoices):
    """How the console looks for a person."""

    AUTO = "", "As the device has it"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Session(AbstractBaseSession):
    """One session. `user_id` says whose it is, None before a sign-in, so that a person's can be listed and ended."""

    user_id = models.UUIDField(null=True, db_index=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Return the store whose rows these are."""
        from workspaces.sessions import SessionStore  # it needs this module

        return SessionStore


class SecondFactorSecret(models.Model):
    """What one authenticator of a person works with, sealed: the key of an app, or the seed of recovery codes.

    allauth's row of the authenticator holds the id of this one (`workspaces.second_factor`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    secret = sealed.SealedField(null=True)
    key_id = models.CharField(max_length=8, blank=True)

    def __str__(self) -> str:
        return f"second factor {self.pk}"

    def sealing_context(self) -> sealed.Context:
        """Return what the secret is bound to: the person and this row. It goes to no destination."""
        return sealed.Context(self.user_id, self.pk, "")

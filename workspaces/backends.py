"""Who a session belongs to: allauth's sign-in, with the row of the person read as cheaply as every page reads it."""

from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from django.db.models import QuerySet

from flashback.prepared import prepared
from workspaces.models import User


class PersonBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth is not typed
    """Signs in by e-mail address and password."""

    def get_user(self, user_id: Any) -> User | None:
        """Return the person with this id as they are stored now, None when they are gone or may not sign in."""
        person = next(iter(_person(User._meta.pk.to_python(user_id))), None)
        return person if person is not None and self.user_can_authenticate(person) else None


@prepared
def _person(id: UUID) -> "QuerySet[User]":
    return User.objects.filter(pk=id)

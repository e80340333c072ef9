"""The app of people and workspaces: what has to be in place before the first request."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate

from workspaces import sessions

SUPPORT = "Support"
SEEN_BY_SUPPORT = {
    "workspaces": ["organization", "user", "workspace", "membership", "event"],
    "ai_llm": ["aillm", "check"],
}


class WorkspacesConfig(AppConfig):
    """People, organizations, workspaces and the audit log."""

    name = "workspaces"
    verbose_name = "People and workspaces"

    def ready(self) -> None:
        """Connect what follows a migration and a sign-in."""
        post_migrate.connect(seed_support, dispatch_uid="workspaces.seed_support")
        user_logged_in.connect(_start_session, dispatch_uid="workspaces.start_session")


def _start_session(request: Any, **_: Any) -> None:
    sessions.start(request)


def seed_support(app_config: AppConfig, using: str, **_: Any) -> None:
    """Let the group Support look at everything in the admin site that holds no secret, and change nothing.

    Staff belong to it; it is made with the tables, so that no superuser has to hand out rights one by one.
    """
    models = SEEN_BY_SUPPORT.get(app_config.label)
    if not models:
        return
    # Django makes the permissions in a receiver of the same signal, which may run after this one.
    create_permissions(app_config, verbosity=0, using=using)
    group, _created = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=SUPPORT)
    names = [f"view_{model}" for model in models]
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    group.permissions.add(*permissions.filter(content_type__app_label=app_config.label, codename__in=names))

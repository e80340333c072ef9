"""The app of people and workspaces: what has to be in place before the first request."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_migrate

from workspaces import sessions

SUPPORT = "Support"
# Exactly what support staff may do, by app: to look, and the two verbs that `workspaces.access.supports` knows.
MAY_SUPPORT = {
    "workspaces": ["view_organization", "view_user", "view_workspace", "view_membership", "view_event"],
    "ai_llm": ["view_aillm", "view_check", "validate_aillm", "disable_aillm"],
    "repositories": ["view_repository", "view_attachment", "view_aiapikey"],
}


class WorkspacesConfig(AppConfig):
    """People, organizations, workspaces and the audit log."""

    name = "workspaces"
    verbose_name = "People and workspaces"

    def ready(self) -> None:
        """Connect what follows a migration and a sign-in."""
        from allauth.account.signals import authentication_step_completed  # it needs the settings

        post_migrate.connect(seed_support, dispatch_uid="workspaces.seed_support")
        user_logged_in.connect(_start_session, dispatch_uid="workspaces.start_session")
        authentication_step_completed.connect(_note_confirmation, dispatch_uid="workspaces.note_confirmation")
        user_logged_out.connect(_end_session, dispatch_uid="workspaces.end_session")


def _start_session(request: Any, user: Any, **_: Any) -> None:
    sessions.start(request, user)


def _note_confirmation(request: Any, **values: Any) -> None:
    from workspaces import reauthentication  # as below

    reauthentication.note(request, **values)


def _end_session(request: Any, user: Any, **_: Any) -> None:
    from workspaces import sign_ins  # its models are not there yet when Django reads this module

    sign_ins.ended(request, user)


def seed_support(app_config: AppConfig, using: str, **_: Any) -> None:
    """Give the group Support exactly the permissions of MAY_SUPPORT.

    It is made with the tables, so that no superuser has to hand out rights one by one; what a later version takes back
    is taken back.
    """
    names = MAY_SUPPORT.get(app_config.label)
    if not names:
        return
    # Django makes the permissions in a receiver of the same signal, which may run after this one.
    create_permissions(app_config, verbosity=0, using=using)
    group, _created = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=SUPPORT)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    of_this_app = permissions.filter(content_type__app_label=app_config.label)
    group.permissions.remove(*of_this_app.exclude(codename__in=names))
    group.permissions.add(*of_this_app.filter(codename__in=names))

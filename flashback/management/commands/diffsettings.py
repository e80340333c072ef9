"""`manage.py diffsettings` as Django has it, but with keys, passwords and addresses with credentials masked."""

from typing import Any

from django.conf import settings
from django.core.management.commands import diffsettings

from flashback.redaction import ReporterFilter


class Command(diffsettings.Command):
    """Prints the settings that differ from Django's; what an error report would not show, it does not show either."""

    def output_hash(self, user_settings: dict[str, str], default_settings: dict[str, str], **options: Any) -> list[str]:
        """Return one line for each setting."""
        return super().output_hash(_masked(user_settings), default_settings, **options)

    def output_unified(
        self, user_settings: dict[str, str], default_settings: dict[str, str], **options: Any
    ) -> list[str]:
        """Return the lines of a unified diff."""
        return super().output_unified(_masked(user_settings), default_settings, **options)


def _masked(shown: dict[str, str]) -> dict[str, str]:
    cleanse = ReporterFilter().cleanse_setting
    return {name: repr(cleanse(name, getattr(settings, name))) for name in shown}

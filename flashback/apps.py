"""The project itself as an app: it has no tables, but checks."""

from django.apps import AppConfig


class FlashbackConfig(AppConfig):
    """Registers the system checks."""

    name = "flashback"

    def ready(self) -> None:
        """Import the checks, which register themselves."""
        from flashback import checks, outbound_checks  # noqa: F401 - they need the models to be loaded

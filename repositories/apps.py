"""The application in Django's words."""

from django.apps import AppConfig

from flashback import metrics, tidying


class RepositoriesConfig(AppConfig):
    """Names the application in the admin site."""

    name = "repositories"
    verbose_name = "Repositories"

    def ready(self) -> None:
        """Follow what happens to AI LLMs, and take part in `manage.py tidy`."""
        from repositories import deletions, repos  # noqa: F401 - models are there only now

        tidying.steps.append(tidying.Step(repos.tidy, repos.untidy))
        about = "Repositories and AI API keys that can be used."
        metrics.gauges.append(metrics.Gauge("flashback_in_use", about, "kind", repos.in_use))

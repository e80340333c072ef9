"""The application in Django's words."""

from django.apps import AppConfig

from flashback import metrics


class AiLlmConfig(AppConfig):
    """Names the application in the admin site."""

    name = "ai_llm"
    verbose_name = "AI LLM"

    def ready(self) -> None:
        """Tell the metrics what there is to count."""
        from ai_llm import summary  # models are there only now

        metrics.gauges.append(metrics.Gauge("flashback_ai_llms", "AI LLMs by state.", "state", summary.everywhere))

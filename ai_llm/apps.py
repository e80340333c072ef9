"""The application in Django's words."""

from django.apps import AppConfig


class AiLlmConfig(AppConfig):
    """Names the application in the admin site."""

    name = "ai_llm"
    verbose_name = "AI LLM"

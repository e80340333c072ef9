"""Every provider there is: facts about it, and pure functions that describe its check and judge the answers.

Adding a provider is one row: here for a new AI LLM Type; for a host that speaks a known form a row, or a file with
rows, in `recipes`, which is found by itself.
"""

from collections.abc import Mapping

from ai_llm.providers.facts import Error, Judgement, Provider, Recipe, UnprovableError
from ai_llm.providers.rows import ANTHROPIC, AWS, GOOGLE, OPENAI, OTHER

PROVIDERS: Mapping[str, Provider] = {row.type.value: row for row in (OPENAI, GOOGLE, ANTHROPIC, AWS, OTHER)}

__all__ = ["PROVIDERS", "Error", "Judgement", "Provider", "Recipe", "UnprovableError"]

"""The part of the API about AI LLMs."""

from ninja import Router

router = Router()

"""The part of the API about repositories."""

from ninja import Router

router = Router()

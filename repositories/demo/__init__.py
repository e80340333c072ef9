"""The sample organization: people, AI LLMs in every state, repositories and keys, to look around in and for pictures.

`filling.fill` makes it, or what a run before did not get to. Everything is made by the verbs, so that it is as real as
what people make; the checks ask the sandbox provider. Only time is made up: `past` lets things look older than they
are. The audit log is not touched by that, so it says when all this was really made.
"""

from repositories.demo.filling import fill
from repositories.demo.people import ORGANIZATION, founder, password

__all__ = ["ORGANIZATION", "fill", "founder", "password"]

"""Making the sample organization, whole or what is missing of it."""

from repositories.demo import connections, groups, people
from workspaces.models import User


def fill(origin: str) -> User:
    """Make what is missing of the sample and return its owner; what is there stays as it is.

    `origin` is that of a running sandbox provider, which the checks ask. Blocks for some seconds. Raises
    `flashback.errors.Invalid` when the names of the sample are taken by something else.
    """
    cast = people.gather()
    ai_llms = connections.make(cast, origin)
    groups.make(cast, ai_llms)
    return cast.people["Olivia"]

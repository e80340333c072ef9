"""The four things that can go wrong inside a verb. Each edge (page, REST, command) translates them once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Problem(Exception):
    """Base of the four; `message` is one sentence that may be shown to the person as it is.

    A subclass may name the HTTP `status` that its edge answers with, where it differs from its base's.
    """

    status = 0

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TooMany(Problem):
    """Too many requests of one kind (429). `retry_after` is the number of seconds to wait."""

    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(Problem):
    """The thing does not exist for this person: foreign, deleted and never-existed read the same (404)."""

    def __init__(self, message: str = "There is nothing here that you can see.") -> None:
        super().__init__(message)


class Denied(Problem):
    """The person sees the thing but may not do this to it (403). `needed` names the role that may."""

    def __init__(self, message: str, *, needed: str = "") -> None:
        super().__init__(message)
        self.needed = needed


class Invalid(Problem):
    """The input cannot be used (422 on a page, 400 in the API). `errors` maps a field to its message."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


class Conflict(Problem):
    """The input was right once, but something else happened in the meantime (409)."""


class Repeated(Conflict):
    """The id of a row to make was used before, with other content or for what has changed or gone since (409).

    `message` speaks of a form; the API, where the id follows from a header, has words of its own.
    """


@contextmanager
def collecting(errors: dict[str, str]) -> Iterator[None]:
    """Put what an `Invalid` raised inside says into `errors`, and go on: a form hears all that is wrong at once."""
    try:
        yield
    except Invalid as invalid:
        errors.update(invalid.errors)

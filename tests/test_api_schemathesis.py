"""Schemathesis against the real server, with a small budget; `make soak` has the large one."""

from collections.abc import Iterator

import pytest

from flashback import api
from tests import console, soak_api

pytestmark = pytest.mark.server
OPERATIONS = {f"{method.upper()} {path}" for path, found in api.document()["paths"].items() for method in found}
# What no call of these runs can bring to success, and why.
NEVER = {
    "POST /mfa/verify-login",  # needs a half sign-in; those who run are whole. See test_api_second_factor
    # Need an app that shows codes, a mail, or a browser. See test_api_own
    *("POST /mfa/enable", "POST /mfa/recovery-codes", "DELETE /mfa"),
    *("POST /user/email/confirm", "DELETE /user/sessions/{id}"),
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[soak_api.Target]:
    with soak_api.target(tmp_path_factory.mktemp("schemathesis"), times=1) as running:
        yield running


@pytest.mark.parametrize("who", [soak_api.READER, soak_api.NOBODY])
def test_every_answer_to_others_is_one_that_the_description_has(who: str, target: soak_api.Target) -> None:
    done = target.run(who, examples=1, phases="examples", small=True)
    assert done.fine, done.output


def test_an_owner_reaches_every_operation_and_each_does_what_it_is_for(target: soak_api.Target) -> None:
    # After the others: an owner may end them, and gives the ownership away.
    done = target.run(console.EMAIL, examples=1, phases="examples,coverage,fuzzing", small=True)
    assert done.fine, done.output
    assert set(done.statuses) == OPERATIONS
    assert done.without_success() == NEVER


def test_one_thing_leads_to_the_next(target: soak_api.Target) -> None:
    done = target.run(console.EMAIL, examples=10, phases="stateful", small=True)
    assert done.fine, done.output
    assert done.led, "nothing was done with anything that was made before"

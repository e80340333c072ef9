"""Schemathesis against the real server, with a small budget; `make soak` has the large one."""

from collections.abc import Iterator

import pytest

from tests import console, soak_api
from tests.console import Console

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console.running(tmp_path_factory.mktemp("schemathesis")) as running:
        running.add_owner()
        running.shell(soak_api.ADD_READER)
        yield running


@pytest.mark.parametrize(
    ("who", "phases"), [(console.EMAIL, "examples,coverage"), (soak_api.READER, "examples"), ("", "examples")]
)
def test_every_answer_is_one_that_the_description_has(who: str, phases: str, place: Console) -> None:
    done = soak_api.run(place.url, who, examples=1, phases=phases)
    assert done.returncode == 0, done.stdout

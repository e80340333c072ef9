"""A clock that was put forward purges nothing too early."""

import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from ai_llm.models import AiLlm
from flashback import clock
from tests import build
from tests.conftest import People

DAY = 86_400


@pytest.fixture
def deleted(people: People, settings: object, tmp_path: Path) -> AiLlm:
    """Deleted 29 and a half days ago; `tidy` ran a moment ago."""
    settings.DATA_DIR = tmp_path
    row = build.ai_llm(people.writer, people.workspace)
    AiLlm.objects.filter(pk=row.pk).update(deleted_at=timezone.now() - timedelta(days=29.5))
    tidy()
    return row


def tidy(*words: str) -> str:
    said = StringIO()
    call_command("tidy", *words, stdout=said)
    return said.getvalue()


def pass_by(monkeypatch: pytest.MonkeyPatch, *, on_the_clock: float, really: float) -> None:
    """Let time go by: what the clock shows, and what has gone by since the machine started."""
    monkeypatch.setattr(time, "time", lambda now=time.time(): now + on_the_clock)
    monkeypatch.setattr(time, "clock_gettime", lambda _, now=time.clock_gettime(time.CLOCK_BOOTTIME): now + really)
    moment = timezone.now() + timedelta(seconds=on_the_clock)
    monkeypatch.setattr(timezone, "now", lambda: moment)


def test_a_clock_a_day_ahead_purges_nothing_until_it_is_set_right_or_said_to_be(
    deleted: AiLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_by(monkeypatch, on_the_clock=DAY + 60, really=60)
    for _ in range(2):
        with pytest.raises(CommandError, match="put forward by 24 hours since the last run"):
            tidy()
    assert AiLlm.objects.filter(pk=deleted.pk).exists()
    assert "1 deleted AI LLMs" in tidy("--yes")
    assert tidy() == "There was nothing to purge.\n"


def test_a_command_that_did_not_run_for_a_while_is_nothing_to_stop_at(
    deleted: AiLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_by(monkeypatch, on_the_clock=3 * DAY, really=3 * DAY)
    assert "1 deleted AI LLMs" in tidy()


@pytest.mark.parametrize("change", ["restarted", "torn", "gone"])
def test_nothing_is_refused_where_nothing_can_be_told(
    change: str, deleted: AiLlm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "tidied.json"
    if change == "restarted":
        boot = tmp_path / "boot_id"
        boot.write_text("another")
        monkeypatch.setattr(clock, "BOOT", boot)
    elif change == "torn":
        mark.write_text("[")
    else:
        mark.unlink()
    pass_by(monkeypatch, on_the_clock=DAY, really=0)
    assert "1 deleted AI LLMs" in tidy()

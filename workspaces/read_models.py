"""Which lines of the audit log a person has read. Kept apart from the log, which nobody changes."""

from django.db import models


class ReadMark(models.Model):
    """One person has read one event. The id is a plain number, so that the log can be pruned."""

    user = models.ForeignKey("workspaces.User", models.CASCADE, related_name="+")
    event_id = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "event_id"], name="one_mark_per_event")]
        indexes = [models.Index(fields=["event_id"], name="marks_of_an_event")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.event_id}"

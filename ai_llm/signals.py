"""What other parts of the application may follow. A receiver runs inside the transaction of the verb."""

from django.dispatch import Signal

# Sent by `configs.delete` before it takes the row: `target` takes the place of `ai_llm` wherever that is used, so that
# nothing depends on it any more.
moving = Signal()

# Sent by `configs.delete` while it holds the row: `ai_llm` is about to go, `actor` is who deletes it. Whoever
# depends on it refuses by raising `Conflict`.
deleting = Signal()

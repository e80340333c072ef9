"""What other parts of the application may follow. A receiver runs inside the transaction of the verb."""

from django.dispatch import Signal

# Sent by `configs.delete` while it holds the row: `ai_llm` is about to go, `actor` is who deletes it. Whoever
# depends on it refuses by raising `Conflict`.
deleting = Signal()

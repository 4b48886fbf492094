"""What the API keeps: uploads of Metrica's scripts, and what it has to remember of requests."""

from apps.api.models.received import ReceivedKind, ReceivedState, ReceivedUpload
from apps.api.models.remembered import KeptAnswer, Spending

__all__ = ["KeptAnswer", "ReceivedKind", "ReceivedState", "ReceivedUpload", "Spending"]

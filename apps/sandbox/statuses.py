"""What a status means on a counter: its type and the JavaScript goals it reaches by itself (contacts page)."""

from dataclasses import dataclass

from apps.metrica.vocabulary import DEFAULT_STATUSES, OrderType
from apps.sandbox.models import SandboxCounter, SandboxGoal


@dataclass(frozen=True, slots=True)
class Meaning:
    type: OrderType
    goal_action_ids: tuple[str, ...] = ()
    known: bool = True


class StatusReader:
    """Knows the counter's JavaScript goals as they were when it was made (one query). Case matters."""

    def __init__(self, counter: SandboxCounter) -> None:
        goals = SandboxGoal.objects.living().filter(counter=counter, type="action")
        self.goals = frozenset(identifier for goal in goals for identifier in goal.identifiers)
        self._known = {status: Meaning(order_type) for status, order_type in DEFAULT_STATUSES.items()}
        # An identifier that looks like a default status is that status.
        self._known = {goal: Meaning(OrderType.OTHER, (goal,)) for goal in self.goals} | self._known

    def meaning(self, status: str) -> Meaning:
        """A blank status is PAID; the identifier of a JavaScript goal gives type OTHER; all else is unknown."""
        return self._known.get(status or OrderType.PAID.value) or Meaning(OrderType.OTHER, known=False)

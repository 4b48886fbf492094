"""What a status means on a counter: its type and the JavaScript goals it reaches by itself (contacts page)."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.metrica.vocabulary import DEFAULT_STATUSES, OrderType
from apps.sandbox.models import SandboxCounter, SandboxGoal, SandboxStatus


@dataclass(frozen=True, slots=True)
class Meaning:
    type: OrderType
    goal_action_ids: tuple[str, ...] = ()
    known: bool = True


_UNKNOWN = Meaning(OrderType.OTHER, known=False)


class StatusReader:
    """Knows the counter's JavaScript goals and mapped statuses as they were when it was made (two queries)."""

    def __init__(self, counter: SandboxCounter, *, switches: Mapping[str, str], mapped: bool = True) -> None:
        """`mapped` False: the counter's mapping does not count."""
        self._any_case = switches["status_case"] == "ignored"
        living = SandboxGoal.objects.living().filter(counter=counter, type="action")
        self._goals = {self._spelling(name): name for goal in living for name in goal.identifiers}
        known = {goal: Meaning(OrderType.OTHER, (goal,)) for goal in self._goals.values()}
        # An identifier that looks like a default status is that status, unless the mapping says otherwise.
        known |= {status: Meaning(order_type) for status, order_type in DEFAULT_STATUSES.items()}
        if mapped:
            for status in SandboxStatus.objects.filter(counter=counter):
                known[status.status_id] = Meaning(OrderType(status.type), tuple(status.goal_action_ids))
        self._known = {self._spelling(status): meaning for status, meaning in known.items()}

    def meaning(self, status: str) -> Meaning:
        """A blank status is PAID; a mapped one is what its mapping says; the identifier of a JavaScript goal gives
        type OTHER; all else is unknown."""
        return self._known.get(self._spelling(status or OrderType.PAID.value), _UNKNOWN)

    def goal(self, identifier: str) -> str | None:
        """The counter's own spelling of a JavaScript goal, None where the counter does not have it."""
        return self._goals.get(self._spelling(identifier))

    def _spelling(self, text: str) -> str:
        return text.casefold() if self._any_case else text

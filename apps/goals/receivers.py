"""What other apps tell this one."""

from typing import Any

from apps.counters.models import Counter
from apps.goals.goal_services import store_goals
from apps.metrica.client import GoalInfo


def goals_were_read(*, counter: Counter, goals: list[GoalInfo], **_details: Any) -> None:
    """Keep the goals that came with the counter."""
    store_goals(counter=counter, goals=goals)

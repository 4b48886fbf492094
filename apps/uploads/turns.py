"""Work that one worker has at a time, see apps.counters.turns."""

from apps.counters.turns import TurnLost, free, take, untold

__all__ = ["TurnLost", "free", "take", "untold"]

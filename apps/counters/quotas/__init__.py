"""Metrica's quotas, kept for everybody together: all workers and web processes on all machines, all agencies (R10)."""

from apps.counters.quotas.standing import DayStanding, standing, standings

__all__ = ["DayStanding", "standing", "standings"]

"""A worker that is asked to stop, see apps.counters.stopping."""

from apps.counters.stopping import Left, leave, may_be_left, prepare, requested

__all__ = ["Left", "leave", "may_be_left", "prepare", "requested"]

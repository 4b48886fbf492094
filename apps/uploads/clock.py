"""The clock by which leases are told: the database's, see apps.counters.clock."""

from apps.counters.clock import ahead, now, present

__all__ = ["ahead", "now", "present"]

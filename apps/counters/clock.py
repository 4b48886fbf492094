"""One clock for all machines: the database's.

A lease is written by one machine and judged by another, and so is the moment at which a file left. Were each to use its
own clock, a machine that is ahead would take jobs from a living worker. So whatever decides who may write, and whatever
is compared with Metrica's clock, is told and read on the clock of the database, which all machines share. What merely
shifts a pause (`not_before`) stays on the machines' own clocks.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone


def now() -> datetime:
    """This moment (aware). One tiny query on PostgreSQL; SQLite serves one machine, whose clock is as good."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def present() -> Combinable:
    """This moment, for use within a statement. SQLite serves one machine, whose clock is as good."""
    return Now() if connection.vendor == "postgresql" else Value(timezone.now())


def ahead(seconds: float) -> Combinable:
    """So many seconds after this moment, for use within a statement."""
    if connection.vendor == "postgresql":
        return Now() + timedelta(seconds=seconds)
    return Value(timezone.now() + timedelta(seconds=seconds))

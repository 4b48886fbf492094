"""The row that rounds of work lie in."""

from django.db import models


class RoundRow(models.Model):
    """Who works in these rounds now: one worker at a time, so that they never take all workers."""

    name = models.CharField(primary_key=True, max_length=20)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    # When a message about it was last put into the queue; null once a worker has taken it.
    enqueued_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

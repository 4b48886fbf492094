"""What the API itself has to remember: answers that may be asked for again, and how much a key has asked for."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency, ApiKey


class KeptAnswer(models.Model):
    """The answer to a request that carried an Idempotency-Key, committed together with what the request did.

    Neither the key nor what was sent is kept, only their hashes; the answer is compressed and encrypted.
    """

    # Of the agency, the counters that the caller is limited to, method, address and Idempotency-Key.
    key = models.CharField(max_length=64, primary_key=True)
    agency = models.ForeignKey(Agency, models.CASCADE, related_name="+", db_index=False)
    request = models.CharField(max_length=64)  # of what was asked for: query and body
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(default=bytes)
    headers = models.JSONField(default=dict)  # those of KEPT_HEADERS that it had
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        indexes = [models.Index(fields=["created_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return self.key[:12]


class Spending(models.Model):
    """What an API key has asked for in one minute, as far as the processes have told."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="+", db_index=False)
    minute = models.PositiveBigIntegerField()  # since 1970
    requests = models.PositiveBigIntegerField(default=0)
    orders = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("use of an API key in a minute")
        verbose_name_plural = _("use of API keys by the minute")
        constraints = [models.UniqueConstraint(fields=["minute", "key"], name="spending_of_a_minute")]

    def __str__(self) -> str:
        return f"{self.key_id} {self.minute}"

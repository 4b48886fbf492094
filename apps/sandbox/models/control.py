"""What a tester sets (faults, switches) and the log of every request that came in."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FaultKind(models.TextChoices):
    LATENCY = "latency", _("Latency: the answer comes late")
    QUOTA_429 = "quota_429", _("Quota exceeded, status 429")
    QUOTA_420 = "quota_420", _("Quota exceeded, status 420")
    SERVER_ERROR = "server_error", _("Server error, status 5xx")
    CUT_BEFORE = "cut_before", _("Connection cut before anything is stored")
    CUT_AFTER = "cut_after", _("Connection cut after the upload is stored, without an answer")
    FAILED = "failed", _("Upload answered 200 with FAILED")
    REFUSE_ROW = "refuse_row", _("A file that contains a certain row is refused")
    BAD_TOKEN = "bad_token", _("Token refused")
    LATE_LISTING = "late_listing", _("The list of uploads is behind")


class Endpoint(models.TextChoices):
    """Which calls a fault meets."""

    ANY = "any", _("any call")
    UPLOAD = "upload", _("uploads")
    LAST_UPLOADINGS = "last_uploadings", _("list of uploads")
    MANAGEMENT = "management", _("counters and goals")
    OAUTH = "oauth", _("tokens (OAuth)")
    REPORT = "report", _("reports")
    SCHEMA = "schema", _("statuses, attributes and products")


class SandboxFault(models.Model):
    kind = models.CharField(_("fault"), max_length=16, choices=FaultKind.choices)
    counter = models.ForeignKey(
        "sandbox.SandboxCounter",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="faults",
        verbose_name=_("counter"),
    )
    endpoint = models.CharField(_("meets"), max_length=16, choices=Endpoint.choices)
    remaining = models.PositiveIntegerField(_("times left"), null=True, blank=True)  # null: until removed
    applied = models.PositiveIntegerField(_("times applied"), default=0)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.kind


class SandboxSwitch(models.Model):
    """A switch that was moved from its default; see `apps.sandbox.switches` for all of them."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    value = models.CharField(_("value"), max_length=64)

    class Meta:
        verbose_name = _("switch")
        verbose_name_plural = _("switches")

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class SandboxRequest(models.Model):
    """One call of the API as the sandbox saw it, without its token. `status` is null where the connection was cut."""

    started_at = models.DateTimeField(_("started"), db_index=True)
    finished_at = models.DateTimeField(_("finished"))
    counter_number = models.BigIntegerField(_("counter"), null=True, blank=True, db_index=True)
    login = models.CharField(_("login"), max_length=100, blank=True)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=255)
    query = models.TextField(_("query"), blank=True)
    size = models.BigIntegerField(_("bytes received"), default=0)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    error_type = models.CharField(_("error"), max_length=64, blank=True)
    fault = models.CharField(_("faults applied"), max_length=255, blank=True)
    uploading = models.UUIDField(_("upload"), null=True, blank=True)

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

"""Metrica accounts (OAuth credentials), the counters they reach, and the ledger of every call to Metrica."""

from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.models import Agency
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters import schedule as schedules
from apps.counters.refusals import told
from apps.metrica.text import Text


class AccountState(models.TextChoices):
    CONNECTED = "connected", _("Connected")
    DISCONNECTED = "disconnected", _("Disconnected")  # no token, or Metrica refused it


class AccountQuerySet(TenantQuerySet["MetricaAccount"]):
    def refresh_due(self, now: "timezone.datetime") -> Self:  # type: ignore[name-defined]
        """Accounts whose token is to be renewed by `now` (aware)."""
        return self.filter(refresh_at__lte=now, agency__is_active=True).exclude(refresh_token_encrypted="")


class MetricaAccount(models.Model):
    """A Yandex login whose tokens open its counters. They are encrypted at rest and never shown again.

    One that was connected by OAuth has a refresh token: `refresh_at` says when it is used next. Who moves it on by a
    compare-and-swap does the work. What is proven of a token's rights is forgotten when a person gives another.
    """

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="accounts", verbose_name=_("agency"))
    login = models.CharField(_("Yandex login"), max_length=100)
    token_encrypted = models.TextField(editable=False, blank=True)
    base_url = models.URLField(_("Metrica address"), blank=True)  # blank: METRICA_URL
    state = models.CharField(
        _("state"), max_length=12, choices=AccountState.choices, default=AccountState.DISCONNECTED, editable=False
    )
    state_reason = models.CharField(_("why"), max_length=255, blank=True, editable=False)
    token_expires_at = models.DateTimeField(_("token expires"), null=True, blank=True)
    last_ok_at = models.DateTimeField(_("last good call"), null=True, blank=True, editable=False)
    refresh_token_encrypted = models.TextField(editable=False, blank=True)
    scopes = models.CharField(_("rights granted"), max_length=255, blank=True, editable=False)  # blank: unknown
    confirmed_login = models.CharField(_("login as Yandex says"), max_length=100, blank=True, editable=False)
    refreshed_at = models.DateTimeField(_("renewed"), null=True, blank=True, editable=False)
    refresh_at = models.DateTimeField(_("next renewal"), null=True, blank=True, editable=False)
    refresh_attempts = models.PositiveSmallIntegerField(_("renewals tried in vain"), default=0, editable=False)
    refresh_error_code = models.CharField(max_length=64, blank=True, editable=False)
    refresh_error = models.CharField(_("why the renewal failed"), max_length=500, blank=True, editable=False)
    reading_ok_at = models.DateTimeField(_("reading worked"), null=True, blank=True, editable=False)
    last_upload_ok_at = models.DateTimeField(_("last passed upload"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager(base=AccountQuerySet)

    class Meta:
        verbose_name = _("Metrica account")
        verbose_name_plural = _("Metrica accounts")
        ordering = ["login"]
        constraints = [models.UniqueConstraint(fields=["agency", "login"], name="login_per_agency")]
        indexes = [
            models.Index(
                fields=["refresh_at"], name="account_refresh_due", condition=models.Q(refresh_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.login

    @property
    def why_disconnected(self) -> str:
        """The kept reason, in the language of whoever reads it."""
        return told(self.state_reason)

    @property
    def renews_itself(self) -> bool:
        return bool(self.refresh_token_encrypted)


class Mode(models.TextChoices):
    SIMPLE = "simple", _("Simple")
    DETAILED = "detailed", _("Detailed")


class DeliveryPolicy(models.TextChoices):
    EVERY_STATUS = "every_status", _("Every status, in order")
    LATEST_ONLY = "latest_only", _("Latest state only")


class CounterQuerySet(TenantQuerySet["Counter"]):
    def active(self) -> Self:
        return self.filter(paused_at=None, agency__is_active=True)

    def due(self, now: "timezone.datetime") -> Self:  # type: ignore[name-defined]
        """Counters whose schedule asks for an upload by `now` (aware)."""
        return self.active().filter(next_upload_at__lte=now)


FEWEST_PEOPLE_DAYS = 21
"""As long as Metrica binds an order to a visit, what it is found by is needed."""
MOST_DAYS = 36_500


def files_kept_by_default() -> int | None:
    return settings.KEEP_UPLOAD_FILES_DAYS or None


def people_kept_by_default() -> int | None:
    return settings.KEEP_IDENTIFIERS_DAYS or None


class Counter(models.Model):
    """A Metrica counter (*tag* in English Metrica) and how its orders are delivered."""

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="counters", verbose_name=_("agency"))
    account = models.ForeignKey(
        MetricaAccount,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="counters",
        verbose_name=_("Metrica account"),
    )
    metrica_id = models.PositiveIntegerField(
        _("counter number"), validators=[MinValueValidator(1), MaxValueValidator(2**31 - 1)]
    )
    name = models.CharField(_("name"), max_length=255)
    site = models.CharField(_("site"), max_length=255, blank=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("IANA name, for example Europe/Moscow. Read from Metrica."),
    )
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices, default=Mode.SIMPLE)
    delivery = models.CharField(
        _("delivery"), max_length=14, choices=DeliveryPolicy.choices, default=DeliveryPolicy.EVERY_STATUS
    )
    schedule = models.CharField(
        _("schedule"),
        max_length=20,
        default="manual",
        help_text=_("manual, as they come, 5m, 1h, or daily 03:00 (counter time)"),
    )
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    hash_identifiers = models.BooleanField(_("send only hashes of contacts"), default=False)
    wave_pause_seconds = models.PositiveIntegerField(_("pause between waves, seconds"), default=0)
    # How long what is kept of people stays here; null: always. New counters begin with what the installation says.
    keep_files_days = models.PositiveIntegerField(
        _("upload files are kept for, days"),
        null=True,
        blank=True,
        default=files_kept_by_default,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
    )
    keep_people_days = models.PositiveIntegerField(
        _("identifiers are kept for, days"),
        null=True,
        blank=True,
        default=people_kept_by_default,
        validators=[MinValueValidator(FEWEST_PEOPLE_DAYS), MaxValueValidator(MOST_DAYS)],
    )
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)
    pause_reason = models.CharField(_("reason of the pause"), max_length=255, blank=True, editable=False)
    # Grows with every change that may free held orders (zone, account, pause, mapping, goals).
    revision = models.PositiveBigIntegerField(default=1, editable=False)
    next_upload_at = models.DateTimeField(_("next upload"), null=True, blank=True, editable=False)
    # As Metrica said last; blank, null: not known. `permission`: own, view, edit, …
    permission = models.CharField(
        _("right at Metrica"), max_length=32, blank=True, default="", db_default="", editable=False
    )
    advanced_matching = models.BooleanField(_("advanced matching"), null=True, blank=True, editable=False)
    # The Metrica of which the next five hold, and what is known of clients; blank: the account's present one.
    known_address = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # Detailed mode: Metrica binds orders only to visits after the first clients came.
    first_clients_at = models.DateTimeField(_("first clients uploaded"), null=True, blank=True, editable=False)
    # The declared attributes and the list of products: how often each changed, and which state of it Metrica has.
    attributes_revision = models.PositiveIntegerField(default=0, editable=False)
    attributes_sent = models.PositiveIntegerField(default=0, editable=False)
    products_revision = models.PositiveIntegerField(default=0, editable=False)
    products_sent = models.PositiveIntegerField(default=0, editable=False)
    last_passed_at = models.DateTimeField(_("last passed upload"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager(counter_path="metrica_id", base=CounterQuerySet)

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        ordering = ["name", "metrica_id"]
        constraints = [models.UniqueConstraint(fields=["agency", "metrica_id"], name="counter_per_agency")]
        indexes = [
            models.Index(
                fields=["next_upload_at"], name="counter_due", condition=models.Q(next_upload_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.metrica_id})"

    @property
    def zone(self) -> ZoneInfo | None:
        """The counter's time zone, or None while it is unknown."""
        return ZoneInfo(self.time_zone) if self.time_zone else None

    @property
    def schedule_words(self) -> str:
        """When its orders go out, for people."""
        return schedules.parse(self.schedule).words

    @property
    def is_detailed(self) -> bool:
        return self.mode == Mode.DETAILED


class AttributeEntity(models.TextChoices):
    """Metrica's `entity_type`."""

    CONTACT = "CONTACT", _("Client")
    ORDER = "ORDER", _("Order")


class AttributeType(models.TextChoices):
    """Metrica's `type_name` of a scalar attribute."""

    TEXT = "text", _("Text")
    NUMERIC = "numeric", _("Number")
    DATE = "date", _("Date")
    DATETIME = "datetime", _("Date and time")
    EMAIL = "email", _("E-mail")


class CustomAttribute(models.Model):
    """A field of the counter's clients or orders that Metrica does not have by itself (detailed mode)."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="attributes", verbose_name=_("counter"))
    entity = models.CharField(_("of"), max_length=8, choices=AttributeEntity.choices)
    name = models.CharField(_("name"), max_length=255, help_text=_("Latin letters, digits, _, - and :"))
    type = models.CharField(_("type"), max_length=10, choices=AttributeType.choices, default=AttributeType.TEXT)
    multivalued = models.BooleanField(_("several values"), default=False)
    humanized = models.CharField(_("title in Metrica"), max_length=255, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("custom attribute")
        verbose_name_plural = _("custom attributes")
        ordering = ["entity", "pk"]
        constraints = [models.UniqueConstraint(fields=["counter", "entity", "name"], name="attribute_per_counter")]

    def __str__(self) -> str:
        return self.humanized or self.name


class Product(models.Model):
    """The name of a product whose id orders carry: in Metrica's reports it stands instead of the id (detailed mode)."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="products", verbose_name=_("counter"))
    name = models.CharField(_("product id"), max_length=255)
    humanized = models.CharField(_("title in Metrica"), max_length=4096, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["counter", "name"], name="product_per_counter")]

    def __str__(self) -> str:
        return self.humanized or self.name


OUTCOMES = {
    "pending": _("No answer yet"),
    "ok": _("Answered"),
    "permanent": _("Refused"),
    "transient": _("Did not happen"),
    "unknown": _("Outcome unknown"),
}


class ApiCall(models.Model):
    """One HTTP call to Metrica, written before it leaves and completed by what came back. Secrets are redacted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agency = models.ForeignKey(Agency, models.CASCADE, related_name="+", verbose_name=_("agency"))
    account = models.ForeignKey(
        MetricaAccount, models.SET_NULL, null=True, related_name="calls", verbose_name=_("account")
    )
    counter = models.ForeignKey(Counter, models.SET_NULL, null=True, related_name="calls", verbose_name=_("counter"))
    subject = models.UUIDField(_("on behalf of"), null=True, blank=True)  # the upload that the call carried, if any
    method = models.CharField(_("method"), max_length=8)
    url = models.TextField(_("address"))
    request_headers = models.JSONField(_("request headers"), default=dict)
    request_body = models.TextField(_("request body"), blank=True)  # redacted excerpt
    request_size = models.BigIntegerField(_("request bytes"), default=0)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    response_headers = models.JSONField(_("answer headers"), default=dict)
    response_body = models.TextField(_("answer body"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, default="pending")
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    objects = tenant_manager(counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("call to Metrica")
        verbose_name_plural = _("calls to Metrica")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject"], name="apicall_subject", condition=models.Q(subject__isnull=False)),
            models.Index(fields=["agency", "-started_at"], name="apicall_agency_newest"),
            # The few that somebody looks for among the many: for one agency, and for the platform's staff.
            models.Index(
                fields=["agency", "-started_at"], name="apicall_agency_not_ok", condition=~models.Q(outcome="ok")
            ),
            models.Index(fields=["-id"], name="apicall_not_ok", condition=~models.Q(outcome="ok")),
            models.Index(fields=["request_id"], name="apicall_request", condition=~models.Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.method} {urlsplit(self.url).path}"

    @property
    def outcome_name(self) -> Text:
        return OUTCOMES.get(self.outcome, self.outcome)


class QuotaState(models.Model):
    """What is used of one of Metrica's quotas, for whoever shares it: see apps.counters.quotas.gates. With REDIS_URL it
    is kept in Redis instead. Of no agency: several may share one."""

    key = models.CharField(max_length=200, primary_key=True)
    state = models.TextField(default="{}")  # JSON

    class Meta:
        verbose_name = _("state of a quota")
        verbose_name_plural = _("states of quotas")

    def __str__(self) -> str:
        return self.key


class Breaker(models.Model):
    """How calls to one Metrica have fared lately, of all accounts there or (`account`) of one: see
    apps.counters.breaker. Open since `opened_at`; `retry_at` is when one call may try."""

    host = models.CharField(max_length=200)
    account = models.ForeignKey(MetricaAccount, models.CASCADE, null=True, blank=True, related_name="+")
    failures = models.PositiveIntegerField(default=0)  # in a row
    failing_accounts = models.JSONField(default=list)
    failing_since = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    trips = models.PositiveSmallIntegerField(default=0)  # probes in vain, the opening included
    probe = models.CharField(max_length=36, blank=True)  # the call that is trying now

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        constraints = [
            models.UniqueConstraint(fields=["host"], condition=models.Q(account=None), name="breaker_per_host"),
            models.UniqueConstraint(fields=["host", "account"], name="breaker_per_account"),
        ]

    def __str__(self) -> str:
        return f"{self.host} {self.account_id or ''}".strip()

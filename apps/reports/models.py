"""How an agency looks to its clients, the links by which they read reports, and who gets one by e-mail every week."""

from datetime import datetime
from typing import Final, Self

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.reports import colours, pictures

READERS_LANGUAGE: Final = ""
"""Of a link: the one that the reader's browser asks for."""


class AgencyLook(models.Model):
    """The name, the colour and the picture under which an agency's clients read their reports."""

    agency = models.OneToOneField(
        Agency, models.CASCADE, primary_key=True, related_name="look", verbose_name=_("agency")
    )
    shown_name = models.CharField(
        _("name shown"), max_length=100, blank=True, help_text=_("Left out: the agency's name as it stands here.")
    )
    colour = models.CharField(
        _("main colour"),
        max_length=7,
        default=colours.USUAL,
        validators=[RegexValidator(r"^#[0-9a-f]{6}\Z", _("Write the colour like #4338ca."))],
        help_text=_("Of the head, the chart and the links. Text on it is made black or white, whichever is readable."),
    )
    logo = models.BinaryField(_("logo"), blank=True, default=b"", editable=False)  # see apps.reports.pictures
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True, editable=False)

    objects = tenant_manager()

    class Meta:
        verbose_name = _("look of reports")
        verbose_name_plural = _("looks of reports")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.shown_name or self.agency.name

    @property
    def brand(self) -> str:
        """The colour, fit for a stylesheet whatever stands in the database."""
        return self.colour if colours.is_colour(self.colour) else colours.USUAL

    @property
    def on_brand(self) -> str:
        return colours.on(self.brand)

    @property
    def ink(self) -> str:
        return colours.ink(self.brand)

    @property
    def logo_src(self) -> str:
        return pictures.as_data(bytes(self.logo))


class LinkQuerySet(TenantQuerySet["ReportLink"]):
    def good(self, now: datetime) -> Self:
        """Those that open a report."""
        return self.filter(withdrawn_at=None, expires_at__gt=now, counter__agency__is_active=True)

    def with_letters_due(self, now: datetime | Combinable) -> Self:
        """Those of which somebody is to get a letter by `now`."""
        return self.filter(Exists(Recipient.objects.due(now).filter(link=OuterRef("pk")).order_by()))


class ReportLink(models.Model):
    """An address at which a client reads the report of one counter, without a login, until it ends or is withdrawn.

    A client's page is found by a hash of the secret in the address. The secret itself is kept encrypted, because a
    manager copies the address again, and every letter carries it.
    """

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", verbose_name=_("counter"))
    name = models.CharField(_("for whom"), max_length=100, help_text=_("Seen by your agency only, not by the reader."))
    language = models.CharField(_("language of the page"), max_length=5, blank=True, default=READERS_LANGUAGE)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    secret_encrypted = models.TextField(editable=False)
    created_by = models.CharField(_("created by"), max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("good until"), editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)
    opened = models.PositiveIntegerField(_("times opened"), default=0, editable=False)
    last_opened_at = models.DateTimeField(_("last opened"), null=True, blank=True, editable=False)
    # The weekly letter, on the counter's clock.
    weekly = models.BooleanField(_("weekly letter"), default=False)
    weekday = models.PositiveSmallIntegerField(_("day"), choices=list(WEEKDAYS.items()), default=0)
    hour = models.PositiveSmallIntegerField(
        _("hour"), default=9, validators=[MaxValueValidator(23)], help_text=_("On the counter's clock, 0 to 23.")
    )
    letter_language = models.CharField(_("language of the letter"), max_length=5, default="en")
    # When the next week is to be told; who moves it on by compare-and-swap has the week written down for everybody.
    letter_at = models.DateTimeField(_("next letter"), null=True, blank=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id", base=LinkQuerySet)

    class Meta:
        verbose_name = _("client report")
        verbose_name_plural = _("client reports")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["letter_at"], name="report_letter_due", condition=Q(letter_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_withdrawn(self) -> bool:
        return self.withdrawn_at is not None

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def is_good(self) -> bool:
        """Its address opens the report."""
        return not self.is_withdrawn and not self.is_expired and self.counter.agency.is_active

    def subscribers(self) -> "RecipientQuerySet":
        """Those who get the letter. Reading them is a query."""
        wanting: RecipientQuerySet = Recipient.objects.filter(link=self).wanting()
        return wanting


class RecipientQuerySet(TenantQuerySet["Recipient"]):
    def wanting(self) -> Self:
        """Those who have not stopped the letters."""
        return self.filter(unsubscribed_at=None)

    def due(self, now: datetime | Combinable) -> Self:
        """Those whose letter may be sent by `now`: nobody is at it, and the wait after a failure is over."""
        return self.filter(Q(not_before=None) | Q(not_before__lte=now), due_for__isnull=False)


class Recipient(models.Model):
    """Who gets the weekly letter, and how the last one went.

    `due_for` is the outbox: the last day of the week that is still to be told. An attempt is had by who moves `fence`
    on; with it `not_before` goes beyond the time that an attempt takes, so one that was killed comes again after that.
    """

    link = models.ForeignKey(ReportLink, models.CASCADE, related_name="recipients", verbose_name=_("client report"))
    email = models.EmailField(_("e-mail"))
    unsubscribed_at = models.DateTimeField(_("has stopped the letters"), null=True, blank=True, editable=False)
    due_for = models.DateField(null=True, blank=True, editable=False)
    fence = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    sending_since = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error_message = models.CharField(_("last error"), max_length=500, blank=True, editable=False)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True, editable=False)
    last_sent_on = models.DateField(_("last week told"), null=True, blank=True, editable=False)  # its last day
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True, editable=False)

    objects = tenant_manager(
        agency_path="link__counter__agency_id", counter_path="link__counter__metrica_id", base=RecipientQuerySet
    )

    class Meta:
        verbose_name = _("recipient of a report")
        verbose_name_plural = _("recipients of reports")
        ordering = ["email"]
        constraints = [models.UniqueConstraint(fields=["link", "email"], name="recipient_once_per_link")]
        indexes = [
            models.Index(fields=["link"], name="recipient_letter_due", condition=Q(due_for__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.email

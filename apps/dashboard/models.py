"""Day figures of both sides, delivered and reported, and how the comparison of each counter stands; and the numbers of
the home page, kept by the roll-up."""

from datetime import date, datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.counters.turns import free


class CompareState(models.TextChoices):
    IDLE = "idle", _("Not running")
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")


class ComparisonQuerySet(TenantQuerySet["Comparison"]):
    def claimable(self, now: datetime | Combinable) -> Self:
        """Comparisons that a worker may take at `now`: asked for, held by nobody, waiting for nothing."""
        due = Q(not_before=None) | Q(not_before__lte=now)
        return self.filter(free(now), due, state__in=[CompareState.QUEUED, CompareState.RUNNING])


class Comparison(models.Model):
    """The comparison of one counter with Metrica: when it runs, how far it is, and what it found the last time."""

    counter = models.OneToOneField(
        Counter, models.CASCADE, primary_key=True, related_name="+", verbose_name=_("counter")
    )
    state = models.CharField(_("state"), max_length=8, choices=CompareState.choices, default=CompareState.IDLE)
    # The next night's turn; who moves it on starts the comparison, so one does.
    due_at = models.DateTimeField(_("next"), null=True, blank=True, editable=False)
    # A person asked for the last so many days, whatever has changed; 0: nobody did.
    asked_days = models.PositiveSmallIntegerField(default=0, editable=False)
    # The plan: days that are still to be added up (ISO), and the first day to ask Metrica for. Null: not planned yet.
    todo = models.JSONField(null=True, blank=True, editable=False)
    read_from = models.DateField(null=True, blank=True, editable=False)
    planned_at = models.DateTimeField(null=True, blank=True, editable=False)
    # All uploads that had passed by then are in the day figures, which are of this zone and currency.
    added_up_to = models.DateTimeField(null=True, blank=True, editable=False)
    basis = models.CharField(max_length=80, blank=True, editable=False)
    read_at = models.DateTimeField(_("Metrica was asked"), null=True, blank=True)
    # What Metrica says of the counter: {"time_zone": "…", "missing_goals": […], …}
    facts = models.JSONField(default=dict, blank=True, editable=False)
    # Share of the orders that Metrica matched, in the last 28 days and in the 28 before; null: nothing to tell.
    matched = models.FloatField(_("matched"), null=True, blank=True)
    matched_before = models.FloatField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    # Whoever holds the lease works; `fence` grows with each claim, so a worker thought dead cannot write on.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(
        agency_path="counter__agency_id", counter_path="counter__metrica_id", base=ComparisonQuerySet
    )

    class Meta:
        verbose_name = _("comparison with Metrica")
        verbose_name_plural = _("comparisons with Metrica")
        ordering = ["counter__name", "counter__metrica_id"]
        indexes = [
            models.Index(fields=["due_at"], name="comparison_due", condition=Q(due_at__isnull=False)),
            models.Index(
                fields=["state", "not_before"],
                name="comparison_asked_for",
                condition=Q(state__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return str(self.counter)

    @property
    def is_under_way(self) -> bool:
        return self.state != CompareState.IDLE

    @property
    def waits_until(self) -> datetime | None:
        """The next attempt after a fault, while it lies ahead."""
        waits = self.is_under_way and self.not_before is not None and self.not_before > timezone.now()
        return self.not_before if waits else None


class Side(models.TextChoices):
    OURS = "ours", _("Delivered")
    METRICA = "metrica", _("Metrica")


class FiguresQuerySet(TenantQuerySet["DayFigures"]):
    def of(self, counter: Counter, *, first: date, last: date) -> Self:
        """Both sides of the counter's days from `first` to `last`, both included."""
        return self.filter(counter=counter, day__gte=first, day__lte=last)


class DayFigures(models.Model):
    """One day of a counter, on the counter's clock, as one side has it. What each figure counts, and why it may differ:
    see apps.dashboard.comparison."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", db_index=False, verbose_name=_("counter"))
    side = models.CharField(_("side"), max_length=7, choices=Side.choices)
    day = models.DateField(_("day"))
    orders = models.PositiveIntegerField(_("orders without spam"), default=0)
    in_progress = models.PositiveIntegerField(_("in progress"), default=0)
    paid = models.PositiveIntegerField(_("paid"), default=0)
    cancelled = models.PositiveIntegerField(_("cancelled"), default=0)
    spam = models.PositiveIntegerField(_("spam"), default=0)
    other = models.PositiveIntegerField(_("other"), default=0)
    # Of paid orders in the counter's currency; null: not reported in it.
    revenue = models.DecimalField(_("revenue"), max_digits=24, decimal_places=4, null=True, blank=True)
    profit = models.DecimalField(_("profit"), max_digits=24, decimal_places=4, null=True, blank=True)
    goals = models.JSONField(_("goals"), default=dict, blank=True)  # {goal: reaches}; system goals by their type
    # Of our side only.
    bindable = models.PositiveIntegerField(default=0)  # delivered within 21 days of their creation, spam included
    late = models.PositiveIntegerField(default=0)  # delivered later than that
    without_client_id = models.PositiveIntegerField(default=0)  # of the bindable ones
    fresh = models.PositiveIntegerField(default=0)  # something of them was delivered less than two hours before
    other_currency = models.PositiveIntegerField(default=0)  # paid orders in another currency
    # Of Metrica's side only.
    visits = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(_("as of"), default=timezone.now)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id", base=FiguresQuerySet)

    class Meta:
        verbose_name = _("day figures")
        verbose_name_plural = _("day figures")
        ordering = ["counter", "day", "side"]
        constraints = [models.UniqueConstraint(fields=["counter", "side", "day"], name="figures_of_a_day")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.side}"


class RollUp(models.Model):
    """The one row by which a worker at a time keeps the numbers of the home page. See apps.dashboard.rollup."""

    # When the next turn may begin: the longer one took, the later.
    next_at = models.DateTimeField(default=timezone.now)
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("roll-up of numbers")
        verbose_name_plural = _("roll-ups of numbers")

    def __str__(self) -> str:
        return f"{self.pk}"


class CounterNumbers(models.Model):
    """What a counter has to do, as of `work_at`, and how far its days are counted."""

    counter = models.OneToOneField(
        Counter, models.CASCADE, primary_key=True, related_name="numbers", verbose_name=_("counter")
    )
    waiting = models.PositiveIntegerField(default=0)
    oldest = models.DateTimeField(null=True, blank=True)  # when the longest-waiting change came in
    held = models.PositiveIntegerField(default=0)
    held_by_reason = models.JSONField(default=dict, blank=True)
    rejected = models.PositiveIntegerField(default=0)  # and needing a person
    closing = models.PositiveIntegerField(default=0)  # orders never sent whose binding window closes soon
    work_at = models.DateTimeField(null=True, blank=True)
    # The day numbers are of this zone and currency; all that was committed by `counted_to` is in them or in `todo`.
    basis = models.CharField(max_length=80, blank=True, editable=False)
    counted_to = models.DateTimeField(null=True, blank=True, editable=False)
    todo = models.JSONField(default=list, blank=True, editable=False)  # days (ISO) whose orders are to be counted anew
    days_at = models.DateTimeField(null=True, blank=True)  # all days are as of then
    turn_at = models.DateTimeField(null=True, blank=True, editable=False)  # who had the last turn longest ago is next
    # The full re-count: it goes back from day to day; null: the next one begins anew when its time has come.
    recount_day = models.DateField(null=True, blank=True, editable=False)
    recount_at = models.DateTimeField(default=timezone.now, editable=False)  # when the next one is due
    recounted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("numbers of a counter")
        verbose_name_plural = _("numbers of counters")

    def __str__(self) -> str:
        return f"{self.counter_id}"


class DayNumbers(models.Model):
    """One day of a counter, on the counter's clock, as the home page's charts have it.

    `received` and `delivered` are of changes, by the day on which that happened. All others are of orders, by the day
    of their creation: first of all of them, then of those that were delivered (as DayFigures has them).
    """

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", db_index=False, verbose_name=_("counter"))
    day = models.DateField(_("day"))
    received = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    orders = models.PositiveIntegerField(default=0)
    with_client_id = models.PositiveIntegerField(default=0)
    with_phone = models.PositiveIntegerField(default=0)
    with_email = models.PositiveIntegerField(default=0)
    in_progress = models.PositiveIntegerField(default=0)
    paid = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    spam = models.PositiveIntegerField(default=0)
    other = models.PositiveIntegerField(default=0)
    # Of paid orders in the counter's currency.
    revenue = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    profit = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    reached_created = models.PositiveIntegerField(default=0)
    reached_paid = models.PositiveIntegerField(default=0)
    reached_cancelled = models.PositiveIntegerField(default=0)
    reached_spam = models.PositiveIntegerField(default=0)
    reached_own = models.PositiveIntegerField(default=0)
    goals = models.JSONField(default=dict, blank=True)  # {JavaScript goal: reaches}; together `reached_own`
    # {column of the type: {CRM status: orders}}, by the status that made the order what it is.
    statuses = models.JSONField(default=dict, blank=True)
    # Of paid orders in other currencies, which have no rate here: {currency: [revenue, profit]}, as text.
    other_money = models.JSONField(default=dict, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("numbers of a day")
        verbose_name_plural = _("numbers of days")
        ordering = ["counter", "day"]
        constraints = [models.UniqueConstraint(fields=["counter", "day"], name="numbers_of_a_day")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"


class StaleDay(models.Model):
    """A mark that orders of this moment's day are to be counted anew. Only ever added, so that writers wait for nobody;
    the roll-up takes away those that it has seen."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", verbose_name=_("counter"))
    at = models.DateTimeField()

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("day to be counted anew")
        verbose_name_plural = _("days to be counted anew")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

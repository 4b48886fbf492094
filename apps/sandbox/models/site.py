"""The site's side: who may open a counter, its goals, and the visits that orders are bound to."""

from collections.abc import Collection
from typing import Self
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.metrica.vocabulary import SystemGoal

_CRM_TYPES = [goal.value for goal in SystemGoal]


class Permission(models.TextChoices):
    """A login's right to a counter, in Metrica's words (counters and grants pages). Uploading needs `own` or `edit`."""

    OWN = "own", _("own")
    EDIT = "edit", _("edit")
    VIEW = "view", _("view")
    ANALYST = "analyst", _("analyst")
    VIEW_ACCESS_FILTER = "view_access_filter", _("view, filtered")
    ANALYST_ACCESS_FILTER = "analyst_access_filter", _("analyst, filtered")
    PUBLIC_STAT = "public_stat", _("statistics open to everybody")

    @property
    def may_change(self) -> bool:
        return self in (Permission.OWN, Permission.EDIT)


class CounterQuerySet(models.QuerySet["SandboxCounter"]):
    def open_to(self, login: str) -> Self:
        """Counters that `login` owns or was invited to. No query."""
        invited = SandboxAccess.objects.filter(login=login).values("counter_id")
        return self.filter(Q(owner_login=login) | Q(pk__in=invited))

    def matching(self, text: str) -> Self:
        """Counters found by `search_string`: the number must be whole; name, site and mirrors match by substring."""
        found = Q(name__icontains=text) | Q(site__icontains=text) | Q(mirrors__icontains=text)
        if text.isascii() and text.isdigit() and len(text) <= 10:
            found |= Q(metrica_id=int(text))
        return self.filter(found)


class SandboxCounter(models.Model):
    metrica_id = models.PositiveIntegerField(_("counter number"), unique=True)
    name = models.CharField(_("name"), max_length=255)
    site = models.CharField(_("site"), max_length=255, blank=True)
    time_zone_name = models.CharField(_("time zone"), max_length=64, default="Europe/Moscow")
    owner_login = models.CharField(_("owner"), max_length=100)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    mirrors = models.TextField(_("mirrors"), blank=True)  # comma-separated domains
    favorite = models.BooleanField(_("favourite"), default=False)
    flags = models.JSONField(_("flags"), default=dict, blank=True)  # counter_flags that were changed
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)
    # The four CRM goals become visible with the first upload that passed.
    first_upload_at = models.DateTimeField(_("first passed upload"), null=True, blank=True)

    # In the detailed format orders are bound only to visits that began after it.
    first_contacts_at = models.DateTimeField(_("first passed upload of customers"), null=True, blank=True)

    objects = CounterQuerySet.as_manager()

    class Meta:
        verbose_name = _("sandbox counter")
        verbose_name_plural = _("sandbox counters")
        ordering = ["metrica_id"]

    def __str__(self) -> str:
        return f"{self.metrica_id} {self.name}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone_name)

    @property
    def token(self) -> str:
        """A working token of the owner, "" if none. One query."""
        tokens = SandboxToken.objects.filter(login=self.owner_login, revoked=False).order_by("pk")
        return tokens.values_list("token", flat=True).first() or ""


class SandboxToken(models.Model):
    """An OAuth token of a login. Kept readable: it opens nothing but the sandbox."""

    token = models.CharField(_("token"), max_length=255, unique=True)
    login = models.CharField(_("login"), max_length=100, db_index=True)
    revoked = models.BooleanField(_("revoked"), default=False)

    class Meta:
        verbose_name = _("sandbox token")
        verbose_name_plural = _("sandbox tokens")

    def __str__(self) -> str:
        return self.login


class SandboxAccess(models.Model):
    """A login's guest access to a counter of another login."""

    counter = models.ForeignKey(SandboxCounter, models.CASCADE, related_name="accesses", verbose_name=_("counter"))
    login = models.CharField(_("login"), max_length=100, db_index=True)
    permission = models.CharField(_("permission"), max_length=32, choices=Permission.choices)
    comment = models.CharField(_("comment"), max_length=255, blank=True)
    partner_data_access = models.BooleanField(_("sees partner data"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("guest access")
        verbose_name_plural = _("guest accesses")
        constraints = [models.UniqueConstraint(fields=["counter", "login"], name="sandbox_access_once")]

    def __str__(self) -> str:
        return f"{self.login}: {self.permission}"


class GoalQuerySet(models.QuerySet["SandboxGoal"]):
    def living(self) -> Self:
        return self.filter(deleted_at=None)

    def shown_of(self, counters: Collection[SandboxCounter], *, deleted_too: bool = False) -> Self:
        """Goals that Metrica lists: its own CRM goals only after the counter's first passed upload. No query."""
        hidden = Q(type__in=_CRM_TYPES, counter__first_upload_at=None)
        goals = self.filter(counter__in=counters).exclude(hidden)
        return goals if deleted_too else goals.living()


class SandboxGoal(models.Model):
    """A goal of the counter: a JavaScript event (`type` "action"), another kind that people make, or a CRM goal.

    CRM goals exist hidden from the start, so their numbers are lower than all other goals', as on live counters.
    """

    counter = models.ForeignKey(SandboxCounter, models.CASCADE, related_name="goals", verbose_name=_("counter"))
    name = models.CharField(_("name"), max_length=255, blank=True)
    type = models.CharField(_("type"), max_length=32, default="action")
    # Of the first condition; for a CRM goal its type.
    identifier = models.CharField(_("identifier"), max_length=255, blank=True)
    condition_type = models.CharField(_("condition"), max_length=32, default="exact")
    more_conditions = models.JSONField(_("further conditions"), default=list, blank=True)  # [{type, url}]
    details = models.JSONField(_("details"), default=dict, blank=True)  # what only some kinds have: depth, steps …
    default_price = models.DecimalField(_("default price"), max_digits=18, decimal_places=2, default=0)
    is_favorite = models.BooleanField(_("favourite"), default=False)
    flag = models.CharField(_("flag"), max_length=16, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    objects = GoalQuerySet.as_manager()

    class Meta:
        verbose_name = _("sandbox goal")
        verbose_name_plural = _("sandbox goals")
        ordering = ["pk"]
        indexes = [models.Index(fields=["counter", "identifier"], name="sandbox_goal_by_identifier")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_crm(self) -> bool:
        return self.type in _CRM_TYPES

    @property
    def identifiers(self) -> list[str]:
        """What may stand in `order_status`, `goals` and `goal_action_ids` to reach this goal."""
        if self.is_crm:
            return [self.identifier]
        if self.type != "action":
            return []
        return [self.identifier, *(condition["url"] for condition in self.more_conditions)]


class SandboxVisit(models.Model):
    """A visit to the site and what the counter learned of the visitor. Lists are comma-separated, normalised."""

    counter = models.ForeignKey(
        SandboxCounter, models.CASCADE, related_name="visits", db_index=False, verbose_name=_("counter")
    )
    started_at = models.DateTimeField(_("started"))
    client_id = models.CharField("ClientID", max_length=20, blank=True)
    emails = models.TextField(_("e-mails"), blank=True)
    phones = models.TextField(_("phones"), blank=True)

    class Meta:
        verbose_name = _("sandbox visit")
        verbose_name_plural = _("sandbox visits")
        ordering = ["-started_at", "-pk"]
        indexes = [models.Index(fields=["counter", "started_at"], name="sandbox_visit_by_time")]

    def __str__(self) -> str:
        return f"{self.client_id or self.pk} {self.started_at:%Y-%m-%d %H:%M:%S}"


class SandboxVisitKey(models.Model):
    """One identifier under which a visit can be found: the counter's key, then `c:<ClientID>`, `e:<MD5 of e-mail>` or
    `p:<MD5 of phone>`. One column, not two: see `SandboxOrder.key`."""

    visit = models.ForeignKey(SandboxVisit, models.CASCADE, related_name="keys")
    key = models.CharField(max_length=64)
    started_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["key", "started_at"], name="sandbox_visit_by_key")]

    def __str__(self) -> str:
        return self.key

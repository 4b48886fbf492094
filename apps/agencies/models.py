"""Agencies (the tenants) and the people in them with their roles. API keys are in `key_models`."""

import unicodedata
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.actor import Actor
from apps.agencies.key_models import ApiKey, ApiKeyDay
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.metrica.redact import mask_personal

__all__ = [
    "Agency",
    "ApiKey",
    "ApiKeyDay",
    "Invitation",
    "Membership",
    "Role",
    "SavedFilter",
    "SecondStepFor",
    "SignIn",
    "User",
]


def folded(email: str) -> str:
    """An e-mail in the one form in which logins are kept, compared and counted. Databases fold in ways of their own:
    by upper case, some take a Turkish dotless i for the common one."""
    return unicodedata.normalize("NFKC", email).strip().lower()


class UserManager(BaseUserManager["User"]):
    def by_email(self, email: str | None) -> "User | None":
        """Whose login this e-mail is, in whatever capitals; None where it is nobody's."""
        return self.alias(folded=Lower("email")).filter(folded=folded(email or "")).first()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=folded(email), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        found = self.by_email(username)
        if found is None:
            raise self.model.DoesNotExist
        return found


class User(AbstractBaseUser, PermissionsMixin):
    """A person. What they may do is said by their memberships; `is_superuser` marks the platform's own staff."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    language = models.CharField(_("language"), max_length=5, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Keys of the saved filters with which their lists open for this person. Here, where every request reads it anyway:
    # a list of somebody who has none costs no query more.
    start_filters = models.JSONField(default=list, blank=True, editable=False)

    USERNAME_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """What the admin calls a person in its corner."""
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Everybody who belongs to an agency works in the admin; the site itself asks for the rights."""
        return self.is_active


class SignIn(models.Model):
    """A browser in which a person is logged in: from when, from where, and when it was last seen.

    It ends with its session, whose key it has: who ends it from elsewhere deletes the session.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins", verbose_name=_("person"))
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    began_at = models.DateTimeField(_("logged in"), default=timezone.now)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    agent = models.CharField(_("browser"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return self.agent


class SecondStepFor(models.TextChoices):
    """Who has to log in with a second step to work in an agency."""

    NOBODY = "", _("Nobody: everybody decides for themselves")
    OWNERS = "owners", _("Owners")
    EVERYBODY = "everybody", _("Everybody")


class Agency(models.Model):
    """The tenant: everything belongs to one of these."""

    slug = models.SlugField(_("short name"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    is_active = models.BooleanField(_("active"), default=True)
    second_step_for = models.CharField(
        _("second step is required of"), max_length=10, choices=SecondStepFor.choices, blank=True, default=""
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager(agency_path="pk")

    class Meta:
        verbose_name = _("agency")
        verbose_name_plural = _("agencies")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    ANALYST = "analyst", _("Analyst")


class Membership(models.Model):
    """A person's place in an agency."""

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="memberships", verbose_name=_("agency"))
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("person"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.ANALYST)
    # Metrica's numbers of the counters that a manager or an analyst is limited to; null: no limit. Never for an owner.
    counter_ids = models.JSONField(_("only counters"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [models.UniqueConstraint(fields=["agency", "user"], name="one_membership_per_agency")]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class InvitationQuerySet(TenantQuerySet["Invitation"]):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor withdrawn; their links may have expired."""
        return self.filter(accepted_at=None, withdrawn_at=None)


class Invitation(models.Model):
    """An owner asks a person in. Of the link's secret only a hash is kept; sending again makes a new one."""

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="invitations", verbose_name=_("agency"))
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.MANAGER)
    counter_ids = models.JSONField(_("only counters"), null=True, blank=True)  # as of Membership
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.CharField(_("invited by"), max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("link is good until"), editable=False)
    mailed_at = models.DateTimeField(_("mailed"), null=True, blank=True, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)

    objects = tenant_manager(base=InvitationQuerySet)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "email"],
                name="one_open_invitation",
                condition=models.Q(accepted_at=None, withdrawn_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None

    @property
    def is_good(self) -> bool:
        """Its link can be followed."""
        return self.is_open and self.expires_at > timezone.now() and self.agency.is_active


class SavedFilterQuerySet(TenantQuerySet["SavedFilter"]):
    def visible_to(self, actor: Actor | None) -> Self:
        """Their own; and those for all of the agency, which may name any counter of it: none of these for who is
        limited to some. Platform staff who look at all agencies have such of that place, not those of each agency."""
        if actor is None or actor.kind != "person" or (actor.agencies is not None and not actor.agencies):
            return self.none()
        whose = models.Q(user=actor.id)
        if actor.counters is None:
            whose |= models.Q(shared=True)
        return self.filter(whose, agency=actor.agency_id)


class SavedFilter(models.Model):
    """Search, filters and order of a list of the admin under a name; a person's own, or for all of the agency."""

    agency = models.ForeignKey(
        Agency, models.CASCADE, null=True, blank=True, related_name="saved_filters", verbose_name=_("agency")
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="saved_filters", verbose_name=_("person"))
    list_name = models.CharField(_("list"), max_length=100)  # as the admin's addresses name it: orders_order
    name = models.CharField(_("name"), max_length=100)
    query = models.CharField(_("parameters"), max_length=2000)
    shared = models.BooleanField(_("for the whole agency"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = tenant_manager(base=SavedFilterQuerySet)

    class Meta:
        verbose_name = _("saved filter")
        verbose_name_plural = _("saved filters")
        constraints = [
            models.UniqueConstraint(fields=["agency", "user", "list_name", "name"], name="saved_filter_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_label(self) -> str:
        """In the audit log, which outlives an erasure: a filter is often called what it looks for."""
        return mask_personal(self.name)

"""Pages of agencies, their people and their API keys."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.agencies import services, shown_once
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.forms import MemberForm, NewKeyForm, NewMemberForm
from apps.agencies.models import Agency, ApiKey, Membership, User
from apps.agencies.tenant_admin import (
    PlatformAdmin,
    TenantAdmin,
    TenantRules,
    TenantStackedInline,
    TenantTabularInline,
    become,
    done,
)

__all__ = [
    "PlatformAdmin",
    "TenantAdmin",
    "TenantRules",
    "TenantStackedInline",
    "TenantTabularInline",
    "become",
    "done",
]

_ASK = {"form_class": None, "form_submit_text": _("Yes")}


class _OwnersAdmin(TenantAdmin):
    """Everybody in the agency sees these; its owners change them."""

    add_right = Right.ADMINISTER

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*self.list_display, *self.agency_field(request))

    def agency_field(self, request: HttpRequest) -> tuple[str, ...]:
        """The field is shown, and chosen, by who looks at many agencies; in one of them it goes without saying."""
        return ("agency",) if actor_of(request).agency_id is None else ()


@admin.register(Membership)
class MembershipAdmin(_OwnersAdmin):
    """People. Who is added gets a password or a link; who is removed keeps their login, and nothing here."""

    change_right = delete_right = Right.ADMINISTER
    list_display = ("email", "name", "role", "shown_counters", "last_login", "created_at")
    list_display_links = ("email",)
    list_filter = ("role",)
    list_select_related = ("user", "agency")
    search_fields = ("user__email", "user__name")
    search_help_text = _("E-mail or name")
    ordering = ("user__email",)
    readonly_fields = ("email", "name", "shown_counters", "last_login", "created_at")
    actions_detail = ("password_link",)

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, member: Membership) -> str:
        return member.user.email

    @display(description=_("name"), ordering="user__name")
    def name(self, member: Membership) -> str:
        return member.user.name

    @display(description=_("counters"))
    def shown_counters(self, member: Membership) -> Any:
        return _("all") if member.counter_ids is None else ", ".join(map(str, member.counter_ids))

    @display(description=_("last login"), ordering="user__last_login")
    def last_login(self, member: Membership) -> Any:
        return member.user.last_login

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("agency", *self.readonly_fields) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return (*self.agency_field(request), "email", "name", "role", "password")
        limit = "counter_ids" if self.has_change_permission(request) else "shown_counters"
        return (*self.agency_field(request), "email", "name", "role", limit, "last_login", "created_at")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewMemberForm
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, form=MemberForm, **kwargs)
        form.agency_id = obj.agency_id
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            facts = form.cleaned_data
            limit = facts["counter_ids"]
            become(obj, services.change_member(actor=actor, member=obj, role=facts["role"], counter_ids=limit))
            return
        facts = form.cleaned_data
        agency = self.agency_for_new(request, form)
        known = User.objects.filter(email__iexact=facts["email"]).exists()
        member = services.add_member(
            actor=actor,
            agency=agency,
            email=facts["email"],
            role=facts["role"],
            name=facts["name"],
            password=facts["password"] or None,
        )
        become(obj, member)
        if known:
            messages.info(request, _("This person has a login already and keeps its password."))
        elif not facts["password"]:
            request.shown_once = services.password_link(actor=actor, member=member)  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        path = getattr(request, "shown_once", "")
        return self._show_link(request, obj, path) if path else super().response_add(request, obj, post_url_continue)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.remove_member(actor=actor_of(request), member=obj)

    @action(
        description=_("New password by link"),
        url_path="password-link",
        permissions=["administer"],
        icon="link",
        dialog={
            "title": _("Make a link for a new password?"),
            "description": _("The person opens it and chooses a password. Their present one works until then."),
            **_ASK,
        },
    )
    def password_link(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.get_or_404(request, object_id)
        try:
            path = services.password_link(actor=actor_of(request), member=member)
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        else:
            # A message is kept in the person's own signed cookie or session until it is shown, and then forgotten.
            text = _("The link for %(email)s, good for three days: %(link)s")
            messages.success(request, text % {"email": member.user.email, "link": request.build_absolute_uri(path)})
        return done(request, reverse("admin:agencies_membership_change", args=[member.pk]))

    def _show_link(self, request: HttpRequest, member: Membership, path: str) -> HttpResponse:
        return shown_once.page(
            request,
            model=Membership,
            title=_("%(email)s is added") % {"email": member.user.email},
            why=_(
                "Give this link to the person: it lets them choose a password. It is good for three days and is not "
                "shown again."
            ),
            secret=request.build_absolute_uri(path),
            back=reverse("admin:agencies_membership_changelist"),
        )


@admin.register(ApiKey)
class ApiKeyAdmin(_OwnersAdmin):
    """Keys of CRMs. A key is shown once, on the page after it was made; afterwards one only sees its prefix."""

    change_right = None
    list_display = ("name", "prefix", "shown_scopes", "shown_counters", "state", "expires_at", "last_used_at")
    list_display_links = ("name",)
    list_select_related = ("agency",)
    search_fields = ("name", "prefix")
    search_help_text = _("Name or beginning of the key")
    ordering = ("revoked_at", "name")
    actions = ("revoke_selected",)
    actions_detail = ("revoke",)

    @display(description=_("scopes"))
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description=_("counters"))
    def shown_counters(self, key: ApiKey) -> Any:
        return _("all") if key.counter_ids is None else ", ".join(map(str, key.counter_ids))

    @display(
        description=_("state"),
        label={"active": "success", "expired": "warning", "revoked": "danger"},
        ordering="revoked_at",
    )
    def state(self, key: ApiKey) -> tuple[str, Any]:
        if key.revoked_at is not None:
            return "revoked", _("Revoked")
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return "expired", _("Expired")
        return "active", _("Active")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return (*self.agency_field(request), "name", "scopes", "counter_ids", "expires_at")
        return (*self.agency_field(request), *self.list_display, "revoked_at", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        facts = form.cleaned_data
        agency = self.agency_for_new(request, form)
        key, text = services.create_api_key(
            actor=actor_of(request),
            agency=agency,
            name=facts["name"],
            scopes=facts["scopes"],
            counter_ids=facts["counter_ids"],
            expires_at=facts["expires_at"],
        )
        become(obj, key)
        request.shown_once = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once.page(
            request,
            model=ApiKey,
            title=_("The key “%(name)s” is made") % {"name": obj.name},
            why=_("Copy it now into the CRM: it is kept nowhere and is not shown again."),
            secret=request.shown_once,  # type: ignore[attr-defined]
            back=reverse("admin:agencies_apikey_changelist"),
        )

    @admin.action(description=_("Revoke the selected keys"), permissions=["administer"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            services.revoke_api_key(actor=actor_of(request), key=key)
        messages.success(request, _("Revoked. These keys open nothing any more."))

    @action(
        description=_("Revoke"),
        url_path="revoke",
        permissions=["administer"],
        icon="block",
        dialog={
            "title": _("Revoke this key?"),
            "description": _("Whoever uses it is refused from now on. This cannot be undone."),
            **_ASK,
        },
    )
    def revoke(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        key = self.get_or_404(request, object_id)
        services.revoke_api_key(actor=actor_of(request), key=key)
        messages.success(request, _("Revoked. The key opens nothing any more."))
        return done(request, reverse("admin:agencies_apikey_change", args=[key.pk]))


@admin.register(Agency)
class AgencyAdmin(PlatformAdmin):
    """The tenants, for the platform's own staff."""

    add_right = change_right = Right.ADMINISTER
    list_display = ("name", "slug", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    search_help_text = _("Name or short name")
    fields = ("name", "slug", "is_active")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        facts, actor = form.cleaned_data, actor_of(request)
        if change:
            become(obj, services.update_agency(actor=actor, agency=obj, **facts))
        else:
            become(obj, services.create_agency(actor=actor, slug=facts["slug"], name=facts["name"]))


@admin.register(User)
class UserAdmin(PlatformAdmin):
    """Logins of everybody, for the platform's own staff. People are added to an agency, not here."""

    add_right = None
    change_right = Right.ADMINISTER
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    search_help_text = _("E-mail or name")
    ordering = ("email",)
    fields = ("email", "name", "is_active", "is_superuser")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        become(obj, services.update_person(actor=actor_of(request), user=obj, **form.cleaned_data))

"""Pages of agencies and their people; those of API keys are in `key_admin`."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.agencies import second_step, services
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.clocks import moment
from apps.agencies.exporting import Cell
from apps.agencies.forms import MemberForm, RequirementForm
from apps.agencies.invitation_admin import InvitationAdmin
from apps.agencies.key_admin import ApiKeyAdmin
from apps.agencies.limits import LimitColumnMixin
from apps.agencies.models import Agency, ApiKey, Invitation, Membership, User
from apps.agencies.tenant_admin import (
    OwnersAdmin,
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

SHOWN_INVITATIONS = 20
_ASK = {"form_class": None, "form_submit_text": _("Yes")}


admin.site.register(Invitation, InvitationAdmin)
admin.site.register(ApiKey, ApiKeyAdmin)


@admin.register(Membership)
class MembershipAdmin(LimitColumnMixin, OwnersAdmin):
    """People. They come by invitation; who is removed keeps their login, and nothing here."""

    add_right = None
    change_right = delete_right = Right.ADMINISTER
    list_display = ("email", "name", "role", "shown_counters", "last_login", "joined")
    list_display_links = ("email",)
    list_filter = ("role",)
    list_select_related = ("user", "agency")
    search_fields = ("user__email", "user__name")
    search_help_text = _("E-mail or name")
    ordering = ("user__email",)
    readonly_fields = ("email", "name", "shown_counters", "last_login", "joined")
    actions_detail = ("password_link", "second_step_off")
    list_before_template = "admin/agencies/people_before.html"

    export_cells = {
        "last_login": (Cell(_("last login"), lambda member: member.user.last_login),),
        "joined": (Cell(_("created"), lambda member: member.created_at),),
    }

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, member: Membership) -> str:
        return member.user.email

    @display(description=_("name"), ordering="user__name")
    def name(self, member: Membership) -> str:
        return member.user.name

    @display(description=_("last login"), ordering="user__last_login")
    def last_login(self, member: Membership) -> str:
        return moment(member.user.last_login)

    @display(description=_("created"), ordering="created_at")
    def joined(self, member: Membership) -> str:
        return moment(member.created_at)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("agency", *self.readonly_fields)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        limit = ("reach", "counter_ids") if self.has_change_permission(request) else ("shown_counters",)
        return (*self.agency_field(request), "email", "name", "role", *limit, "last_login", "joined")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, form=MemberForm, **kwargs)
        form.agency_id = obj.agency_id if obj is not None else None
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        role, limit = form.cleaned_data["role"], form.cleaned_data["counter_ids"]
        become(obj, services.change_member(actor=actor_of(request), member=obj, role=role, counter_ids=limit))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        rows = Invitation.objects.visible_to(actor_of(request)).open().select_related("agency").order_by("-created_at")
        invited = list(rows[: SHOWN_INVITATIONS + 1])
        context = {
            "invited": invited[:SHOWN_INVITATIONS],
            "more_invited": len(invited) > SHOWN_INVITATIONS,
            "may_invite": self.has_administer_permission(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.requirement)
        return [path("requirement/", page, name="agencies_membership_requirement"), *super().get_urls()]

    def requirement(self, request: HttpRequest) -> HttpResponse:
        """Of whom the agency requires a second step of logging in."""
        if not self.has_administer_permission(request):
            raise PermissionDenied
        agency = self.agency_of(request)
        back = reverse("admin:agencies_membership_changelist")
        if agency is None:
            messages.info(request, _("Choose one agency first."))
            return HttpResponseRedirect(back)
        form = RequirementForm(request.POST or None, initial={"of": agency.second_step_for})
        if request.method == "POST" and form.is_valid():
            services.require_second_step(actor=actor_of(request), agency=agency, of=form.cleaned_data["of"])
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(back)
        people = Membership.objects.filter(agency=agency, user__is_active=True)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Second step of logging in"),
            "form": form,
            "without": people.exclude(user__totpdevice__confirmed=True).count(),
            "people": people.count(),
            "cancel_url": back,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/agencies/requirement.html", context)

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

    @action(
        description=_("Switch the second step off"),
        url_path="second-step-off",
        permissions=["administer"],
        icon="lock_reset",
        dialog={
            "title": _("Switch the second step of logging in off?"),
            "description": _(
                "For a person who has lost the app and the backup codes. The password alone opens again, until they "
                "switch it on anew."
            ),
            **_ASK,
        },
    )
    def second_step_off(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.get_or_404(request, object_id)
        try:
            second_step.reset(actor=actor_of(request), member=member)
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        else:
            messages.success(request, _("Switched off. The password alone opens again."))
        return done(request, reverse("admin:agencies_membership_change", args=[member.pk]))


@admin.register(Agency)
class AgencyAdmin(PlatformAdmin):
    """The tenants, for the platform's own staff."""

    add_right = change_right = Right.ADMINISTER
    list_display = ("name", "slug", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    search_help_text = _("Name or short name")
    fields = ("name", "slug", "is_active", "second_step_for")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        facts, actor = form.cleaned_data, actor_of(request)
        if change:
            become(obj, services.update_agency(actor=actor, agency=obj, **facts))
        else:
            become(obj, services.create_agency(actor=actor, **facts))


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

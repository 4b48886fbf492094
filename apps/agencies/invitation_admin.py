"""Invitations: asking a person in, seeing who has not come yet, sending again, withdrawing."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.agencies import invitation_mail, invitations, shown_once
from apps.agencies.access import actor_of
from apps.agencies.forms import InviteForm
from apps.agencies.limits import LimitColumnMixin
from apps.agencies.models import Invitation
from apps.agencies.tenant_admin import OwnersAdmin, done

PEOPLE = "admin:agencies_membership_changelist"


class InvitationAdmin(LimitColumnMixin, OwnersAdmin):
    change_right = None
    list_display = ("email", "role", "shown_counters", "state", "invited_by", "created_at", "expires_at")
    list_display_links = ("email",)
    list_filter = ("role",)
    list_select_related = ("agency",)
    search_fields = ("email",)
    search_help_text = _("E-mail")
    ordering = ("-created_at",)
    actions_detail = ("send_again", "withdraw")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.agency_field(request), *self.list_display, "mailed_at", "accepted_at", "withdrawn_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    @display(
        description=_("state"),
        label={"open": "info", "accepted": "success", "expired": "warning", "withdrawn": "danger"},
        ordering="accepted_at",
    )
    def state(self, invitation: Invitation) -> tuple[str, Any]:
        if invitation.accepted_at is not None:
            return "accepted", _("Accepted")
        if invitation.withdrawn_at is not None:
            return "withdrawn", _("Withdrawn")
        if invitation.expires_at <= timezone.now():
            return "expired", _("Expired")
        return "open", _("Waiting for the person")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not the theme's own form: the mail leaves once the invitation is kept for good."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = InviteForm(request.POST or None, actor=actor_of(request))
        if request.method == "POST" and form.is_valid():
            facts = form.cleaned_data
            try:
                invitation, secret = invitations.invite(
                    actor=actor_of(request),
                    agency=self.agency_for_new(request, form),
                    email=facts["email"],
                    role=facts["role"],
                    counter_ids=facts.get("counter_ids"),
                )
            except ValidationError as refusal:
                for field, errors in refusal.error_dict.items():
                    form.add_error(field if field in form.fields else None, errors)
            else:
                return self._sent(request, invitation, secret)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Invite a person"),
            "form": form,
            "mails": invitation_mail.is_configured(),
            "cancel_url": reverse(PEOPLE),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/agencies/invite.html", context)

    def _sent(self, request: HttpRequest, invitation: Invitation, secret: str) -> HttpResponse:
        trouble = invitation_mail.send(invitation, secret)
        if not trouble:
            messages.success(request, _now("The invitation is on its way to %(email)s.") % {"email": invitation.email})
            return HttpResponseRedirect(reverse(PEOPLE))
        return shown_once.page(
            request,
            model=Invitation,
            title=_now("%(email)s is invited") % {"email": invitation.email},
            why=_now(
                "No mail was sent: %(why)s Give this link to the person yourself. It is good once and for a week, and "
                "is not shown again."
            )
            % {"why": trouble.rstrip(".") + "."},
            secret=request.build_absolute_uri(invitation_mail.path_of(secret)),
            back=reverse(PEOPLE),
        )

    @action(
        description=_("Send again"),
        url_path="send-again",
        permissions=["administer"],
        icon="forward_to_inbox",
        dialog={
            "title": _("Send the invitation again?"),
            "description": _("The person gets a new link for another week. The one before opens nothing any more."),
            "form_class": None,
            "form_submit_text": _("Yes"),
        },
    )
    def send_again(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        invitation = self.get_or_404(request, object_id)
        try:
            invitation, secret = invitations.send_again(actor=actor_of(request), invitation=invitation)
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        else:
            trouble = invitation_mail.send(invitation, secret)
            if not trouble:
                text = _now("The invitation is on its way to %(email)s.") % {"email": invitation.email}
            else:
                # A message is kept in the person's own signed cookie or session until it is shown, then forgotten.
                text = _now("No mail was sent: %(why)s The link for %(email)s, good for a week: %(link)s") % {
                    "why": trouble.rstrip(".") + ".",
                    "email": invitation.email,
                    "link": request.build_absolute_uri(invitation_mail.path_of(secret)),
                }
            messages.success(request, text)
        return done(request, reverse("admin:agencies_invitation_change", args=[invitation.pk]))

    @action(
        description=_("Withdraw"),
        url_path="withdraw",
        permissions=["administer"],
        icon="block",
        dialog={
            "title": _("Withdraw the invitation?"),
            "description": _("Its link opens nothing from now on."),
            "form_class": None,
            "form_submit_text": _("Yes"),
        },
    )
    def withdraw(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        invitation = self.get_or_404(request, object_id)
        try:
            invitations.withdraw(actor=actor_of(request), invitation=invitation)
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        else:
            messages.success(request, _now("Withdrawn. The link opens nothing any more."))
        return done(request, reverse("admin:agencies_invitation_changelist"))

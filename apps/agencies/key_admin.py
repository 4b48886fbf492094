"""Pages of API keys: made and shown once, limited, rotated, revoked, and how much each is used."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.agencies import services, shown_once
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.clocks import moment
from apps.agencies.exporting import Cell
from apps.agencies.forms import KeyForm, NewKeyForm, RotationForm
from apps.agencies.limits import LimitColumnMixin
from apps.agencies.models import ApiKey
from apps.agencies.tenant_admin import OwnersAdmin, become, done

SHOWN_DAYS = 30
_ASK = {"form_class": None, "form_submit_text": _("Yes")}


class ApiKeyAdmin(LimitColumnMixin, OwnersAdmin):
    """Keys of CRMs. A key is shown once, on the page after it was made; afterwards one only sees its prefix."""

    change_right = Right.ADMINISTER
    list_display = (
        *("name", "prefix", "shown_scopes", "shown_counters", "shown_networks", "state", "expires", "last_used"),
        "turned_away",
    )
    list_display_links = ("name",)
    list_select_related = ("agency", "replaced_by")
    search_fields = ("name", "prefix")
    search_help_text = _("Name or beginning of the key")
    ordering = ("revoked_at", "name")
    actions = ("revoke_selected",)
    actions_detail = ("rotate", "revoke")
    change_form_after_template = "admin/agencies/key_after.html"

    export_cells = {
        "expires": (Cell(_("expires"), lambda key: key.expires_at),),
        "last_used": (
            Cell(_("last used"), lambda key: key.last_used_at),
            Cell(_("last used from"), lambda key: key.last_used_from),
        ),
        "turned_away": (
            Cell(_("turned away"), lambda key: key.turned_away_at),
            Cell(_("turned away from"), lambda key: key.turned_away_from),
            Cell(_("Why"), lambda key: key.get_turned_away_why_display()),
        ),
    }

    @display(description=_("scopes"))
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description=_("only from"))
    def shown_networks(self, key: ApiKey) -> Any:
        return _("anywhere") if key.networks is None else ", ".join(key.networks)

    @display(
        description=_("state"),
        label={"active": "success", "replaced": "info", "expired": "warning", "revoked": "danger"},
        ordering="revoked_at",
    )
    def state(self, key: ApiKey) -> tuple[str, Any]:
        if key.revoked_at is not None:
            return "revoked", _("Revoked")
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return "expired", _("Replaced, ended") if key.replaced_by_id else _("Expired")
        if key.replaced_by_id:
            return "replaced", _("Replaced, goes on until its end")
        return "active", _("Active")

    @display(description=_("expires"), ordering="expires_at")
    def expires(self, key: ApiKey) -> str:
        return moment(key.expires_at)

    @display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return _with_address(moment(key.last_used_at), key.last_used_from)

    @display(description=_("turned away"), ordering="turned_away_at")
    def turned_away(self, key: ApiKey) -> str:
        if key.turned_away_at is None:
            return "—"
        when = _with_address(moment(key.turned_away_at), key.turned_away_from)
        return format_html("{}<br>{}", when, key.get_turned_away_why_display())

    @display(description=_("replaced by"))
    def successor(self, key: ApiKey) -> str:
        return "—" if key.replaced_by is None else _link_to(key.replaced_by)

    @display(description=_("takes the place of"))
    def predecessors(self, key: ApiKey) -> str:
        found = key.predecessors.order_by("-created_at").first()
        return "—" if found is None else _link_to(found)

    @display(description=_("revoked"))
    def revoked(self, key: ApiKey) -> str:
        return moment(key.revoked_at)

    @display(description=_("created"))
    def made(self, key: ApiKey) -> str:
        return moment(key.created_at)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return (*self.agency_field(request), "name", "scopes", "counter_ids", "networks", "expires_at")
        limits = ("shown_networks", "expires")
        if self.has_change_permission(request, obj) and _is_in_force(obj):
            limits = ("networks", "expires_at")
        told = ("name", "prefix", "shown_scopes", "shown_counters", "state")
        ways = ("last_used", "turned_away", "successor", "predecessors", "revoked", "made")
        return (*self.agency_field(request), *told, *limits, *ways)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name not in ("networks", "expires_at")] if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewKeyForm
        elif "networks" in self.get_fields(request, obj):
            kwargs["form"] = KeyForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        facts, actor = form.cleaned_data, actor_of(request)
        if change:
            if "networks" in facts:
                limits = {"networks": facts["networks"], "expires_at": facts["expires_at"]}
                become(obj, services.change_api_key(actor=actor, key=obj, **limits))
            return
        key, text = services.create_api_key(
            actor=actor,
            agency=self.agency_for_new(request, form),
            name=facts["name"],
            scopes=facts["scopes"],
            counter_ids=facts["counter_ids"],
            networks=facts["networks"],
            expires_at=facts["expires_at"],
        )
        become(obj, key)
        request.shown_once = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        title = _("The key “%(name)s” is made") % {"name": obj.name}
        back = reverse("admin:agencies_apikey_changelist")
        return _shown(request, title, request.shown_once, back)  # type: ignore[attr-defined]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if (key := context.get("original")) is not None:
            context["key_days"] = list(key.days.order_by("-day")[:SHOWN_DAYS])
            context["shown_days"] = SHOWN_DAYS
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Revoke the selected keys"), permissions=["administer"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        older = [old for key in keys for old in services.revoke_api_key(actor=actor_of(request), key=key)]
        messages.success(request, _("Revoked. These keys open nothing any more."))
        _tell_older(request, older)

    @action(description=_("New secret"), url_path="rotate", permissions=["administer"], icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Not a dialog of the theme's: the secret stands in the answer itself and nowhere else."""
        key: ApiKey = self.get_or_404(request, object_id)
        page = reverse("admin:agencies_apikey_change", args=[key.pk])
        if not _is_in_force(key):
            messages.warning(request, _("This key is revoked or has been replaced already."))
            return done(request, page)
        form = RotationForm(request.POST or None, initial={"expires_at": key.expires_at})
        if request.method == "POST" and form.is_valid():
            facts = form.cleaned_data
            overlap = timedelta(hours=int(facts["overlap"]))
            try:
                new, text = services.rotate_api_key(
                    actor=actor_of(request), key=key, overlap=overlap, expires_at=facts["expires_at"]
                )
            except ValidationError as refusal:
                form.add_error(None, refusal)
            else:
                title = _("The new secret of the key “%(name)s”") % {"name": new.name}
                return _shown(request, title, text, reverse("admin:agencies_apikey_change", args=[new.pk]))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": key, "form": form}
        context |= {"title": _now("New secret for “%(name)s”") % {"name": key.name}, "cancel_url": page}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/agencies/rotate_key.html", context)

    @action(
        description=_("Revoke"),
        url_path="revoke",
        permissions=["administer"],
        icon="block",
        dialog={
            "title": _("Revoke this key?"),
            "description": _(
                "Whoever uses it is refused from now on, and so is whoever still uses a secret that it took the place "
                "of. This cannot be undone."
            ),
            **_ASK,
        },
    )
    def revoke(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        key = self.get_or_404(request, object_id)
        older = services.revoke_api_key(actor=actor_of(request), key=key)
        messages.success(request, _("Revoked. The key opens nothing any more."))
        _tell_older(request, older)
        return done(request, reverse("admin:agencies_apikey_change", args=[key.pk]))


def _tell_older(request: HttpRequest, older: list[ApiKey]) -> None:
    if older:
        told = _now("What was still open of what it took the place of is revoked as well: %(keys)s.")
        messages.warning(request, told % {"keys": ", ".join(f"{old.prefix}…" for old in older)})


def _is_in_force(key: ApiKey) -> bool:
    """It carries its name: neither revoked nor replaced."""
    return key.revoked_at is None and key.replaced_by_id is None


def _link_to(key: ApiKey) -> str:
    return format_html(
        '<a class="gp-link" href="{}">{}…</a>', reverse("admin:agencies_apikey_change", args=[key.pk]), key.prefix
    )


def _with_address(when: str, address: str | None) -> str:
    return format_html("{} · {}", when, address) if address else when


def _shown(request: HttpRequest, title: Any, secret: str, back: str) -> HttpResponse:
    why = _("Copy it now into the CRM: it is kept nowhere and is not shown again.")
    return shown_once.page(request, model=ApiKey, title=title, why=why, secret=secret, back=back)

"""Metrica accounts: their token goes in and is never shown again."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import TenantAdmin
from apps.counters import services, yandex
from apps.counters.admin_pages.connecting import ConnectingMixin
from apps.counters.admin_pages.importing import ImportingMixin
from apps.counters.admin_pages.traffic import traffic_of
from apps.counters.expiry import may_upload, renewal_text, rights_text, warning_of
from apps.counters.models import AccountState, MetricaAccount
from apps.counters.templatetags.goalpost import badge, since, state_badge
from apps.counters.ui.acts import Act, ActForm, ActingMixin, Outcome, offer
from apps.counters.ui.lists import EmptyLink, PreparedListMixin
from apps.metrica.oauth import Scope

TOKEN_HELP = _("The OAuth token of this login. It is kept encrypted and nobody sees it again, you included.")
SHOWN_COUNTERS = 50
ADDRESS_HELP = _("Left empty: Yandex Metrica itself. Another address is for the built-in sandbox and for tests.")


def may_set_address(request: HttpRequest) -> bool:
    """An address of one's own would get the token, and is called from within: for the platform's staff alone."""
    return actor_of(request).platform


class TokenFields(forms.Form):
    token = forms.CharField(
        label=_("Token"),
        help_text=TOKEN_HELP,
        max_length=2000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
    )
    token_expires_at = forms.DateField(
        label=_("Token expires"),
        required=False,
        help_text=_("Yandex tells it beside the token. Left empty: unknown."),
        widget=UnfoldAdminSingleDateWidget,
    )

    def clean_token_expires_at(self) -> Any:
        day = self.cleaned_data["token_expires_at"]
        if day is None:
            return None
        end = timezone.make_aware(timezone.datetime(day.year, day.month, day.day, 23, 59))  # type: ignore[attr-defined]
        if end < timezone.now():
            raise forms.ValidationError(_("This day is over. A token that has expired cannot be used."), code="expired")
        return end


class NewAccountForm(TokenFields, forms.ModelForm):
    class Meta:
        model = MetricaAccount
        fields = ("agency", "login", "base_url")
        help_texts = {"base_url": ADDRESS_HELP}


class AccountForm(forms.ModelForm):
    class Meta:
        model = MetricaAccount
        fields = ("login",)


class ConnectForm(TokenFields, ActForm):
    field_order = ("token", "token_expires_at", "base_url")
    base_url = forms.URLField(
        label=_("Metrica address"),
        required=False,
        help_text=ADDRESS_HELP,
        assume_scheme="https",
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_set_address(self.request):
            del self.fields["base_url"]


class DisconnectForm(ActForm):
    reason = forms.CharField(label=_("Why"), max_length=255, widget=UnfoldAdminTextInputWidget)


def _connect(request: HttpRequest, account: MetricaAccount, values: Mapping[str, Any]) -> str:
    services.connect_account(
        agency=account.agency,
        login=account.login,
        token=values["token"],
        base_url=values.get("base_url", account.base_url),
        expires_at=values["token_expires_at"],
    )
    return _now("The account is connected. Orders held for its lack go out with the next upload.")


def _disconnect(request: HttpRequest, account: MetricaAccount, values: Mapping[str, Any]) -> Outcome:
    renewed_itself = account.renews_itself
    problem = yandex.disconnect(account=account, reason=values["reason"])
    if problem is not None:
        told = _now(
            "The token is forgotten here, but Yandex could not be told to end it: %(why)s "
            "Take the access away by hand, at id.yandex.ru under “Data access”."
        )
        messages.warning(request, told % {"why": str(problem)})
    elif not renewed_itself:
        told = _now("A pasted token cannot be ended from here: it stays good at Yandex until it expires or is revoked.")
        messages.info(request, told)
    return _now("The account is disconnected and its token forgotten. Orders of its counters are held from now on.")


def _check(request: HttpRequest, account: MetricaAccount, values: Mapping[str, Any]) -> str:
    count = yandex.asked(account, yandex.read_test)
    told = ngettext(
        "Metrica answered: this account reaches %(count)s counter.",
        "Metrica answered: this account reaches %(count)s counters.",
        count,
    ) % {"count": count}
    return f"{told} {rights_text(MetricaAccount.objects.get(pk=account.pk))}"


def yandex_url(account: MetricaAccount | None = None) -> str:
    """The page “Connect Yandex”, for a new login or to connect the account anew."""
    page = reverse("admin:counters_metricaaccount_yandex_start")
    return f"{page}?account={account.pk}" if account else page


def _is_connected(request: HttpRequest, account: MetricaAccount) -> bool:
    return account.state == AccountState.CONNECTED


def _has_token(request: HttpRequest, account: MetricaAccount) -> bool:
    """One that Metrica refused is kept, and may be renewed, until a person takes it away."""
    return bool(account.token_encrypted)


offer(
    MetricaAccount,
    Act(
        name="connect",
        title=_("Paste a token"),
        icon="key",
        question=lambda request, account: _("The new token takes the place of the one that is kept, if there is one."),
        form=ConnectForm,
        initial=lambda request, account: {"base_url": account.base_url},
        do=_connect,
        right=Right.ADMINISTER,
    ),
    Act(
        name="check",
        title=_("Check the connection"),
        icon="network_check",
        question=lambda request, account: _(
            "Metrica is asked with this token which counters it reaches. Nothing is changed there."
        ),
        do=_check,
        button=_("Ask Metrica"),
        shown=_is_connected,
    ),
    Act(
        name="disconnect",
        title=_("Disconnect"),
        icon="link_off",
        question=lambda request, account: _(
            "Its token is forgotten. Nothing of its counters leaves for Metrica any more; what comes in is held."
        ),
        form=DisconnectForm,
        do=_disconnect,
        right=Right.ADMINISTER,
        danger=True,
        shown=_has_token,
    ),
)


class MetricaAccountAdmin(ConnectingMixin, ImportingMixin, PreparedListMixin, ActingMixin, TenantAdmin):
    add_right = Right.ADMINISTER
    change_right = Right.ADMINISTER
    list_display = ("login", "show_state", "show_counters", "show_rights", "show_expiry", "show_last_ok")
    list_filter = ("state",)
    search_fields = ("login",)
    search_help_text = _("Yandex login")
    sortable_by = ("login",)
    change_form_outer_before_template = "admin/counters/metricaaccount/before.html"
    export_cells = {
        "show_state": (
            Cell(_("State"), lambda account: account.get_state_display()),
            Cell(_("Why"), lambda account: account.why_disconnected),
        ),
        "show_counters": (Cell(_("Counters"), lambda account: account.counters_count),),
        "show_rights": (Cell(_("Uploading"), rights_text),),
        "show_expiry": (
            Cell(_("Token expires"), lambda account: account.token_expires_at),
            Cell(_("Renews itself"), lambda account: account.renews_itself),
        ),
        "show_last_ok": (Cell(_("Last good call"), lambda account: account.last_ok_at),),
    }
    empty_icon = "key"
    empty_title = _("No Metrica account is connected yet")
    empty_text = _("Connect the Yandex login that has the counters: without it nothing can be delivered.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("agency").annotate(counters_count=Count("counters"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = AccountForm if obj else NewAccountForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return [(None, {"fields": ["login", *(["base_url"] if obj.base_url else [])]})]
        agency = [] if self.agency_of(request) else ["agency"]
        address = ["base_url"] if may_set_address(request) else []
        return [(None, {"fields": [*agency, "login", "token", "token_expires_at", *address]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["base_url"] if obj is not None else []

    def save_model(self, request: HttpRequest, obj: MetricaAccount, form: Any, change: bool) -> None:
        values = form.cleaned_data
        if change:
            services.update_account(
                account=MetricaAccount.objects.get(pk=obj.pk), login=values["login"], base_url=obj.base_url
            )
            return
        agency = values.get("agency") or self.agency_of(request)
        assert agency is not None  # the form asks for it where it is not clear
        account = services.connect_account(
            agency=agency,
            login=values["login"],
            token=values["token"],
            base_url=values.get("base_url", ""),
            expires_at=values["token_expires_at"],
        )
        obj.pk, obj._state.adding = account.pk, False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        account = context.get("original")
        if account is not None:
            context.update(traffic_of(account))
            context["counters"] = account.counters.order_by("name")[:SHOWN_COUNTERS]
            context["counters_count"] = account.counters.count()
            context["counters_url"] = f"{reverse('admin:counters_counter_changelist')}?account__id__exact={account.pk}"
            context["warning"] = warning_of(account, timezone.now())
            context["renewal_text"] = renewal_text(account)
            context["rights_text"] = rights_text(account)
            context["granted"] = [(scope, scope.label) for scope in Scope if scope in account.scopes.split()]
            context["reconnect_url"] = yandex_url(account) if actor_of(request).can(Right.ADMINISTER) else ""
        return super().render_change_form(request, context, *args, **kwargs)

    def offered(self, request: HttpRequest, obj: MetricaAccount) -> list[dict[str, Any]]:
        """The pages of their own first, then the acts."""
        if not actor_of(request).can(Right.ADMINISTER):
            return super().offered(request, obj)
        connected, own = obj.state == AccountState.CONNECTED, []
        if connected:
            url = reverse("admin:counters_metricaaccount_import", args=[obj.pk])
            own.append(_link(_("Import counters"), "playlist_add", url, main=True))
        acts = super().offered(request, obj)
        if yandex.is_configured():
            own.append(_link(_("Connect Yandex"), "link", yandex_url(obj), main=not connected))
            # The page behind it offers to paste a token as well: the header has no room for both.
            pasting = reverse("admin:counters_metricaaccount_connect", args=[obj.pk])
            acts = [button for button in acts if button["path"] != pasting]
        return [*own, *acts]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and actor_of(request).can(Right.ADMINISTER):
            context = response.context_data or {}
            context["actions_list"] = [_link(_("Connect Yandex"), "link", yandex_url(), main=True)]
        return response

    def empty_link(self, request: HttpRequest) -> EmptyLink | None:
        if not actor_of(request).can(Right.ADMINISTER):
            return None
        return EmptyLink(yandex_url(), _("Connect Yandex"), "link")

    @display(description=_("State"))
    def show_state(self, account: MetricaAccount) -> str:
        return state_badge(account.state, account.get_state_display(), account.why_disconnected)

    @display(description=_("Uploading"))
    def show_rights(self, account: MetricaAccount) -> str:
        hint = rights_text(account)
        if may_upload(account) is False:
            return badge(_now("No right"), "bad", "block", hint)
        if account.last_upload_ok_at is not None:
            return badge(_now("Works"), "good", "check_circle", hint)
        return badge(_now("Not yet proven"), "quiet", "help", hint)

    @display(description=_("Counters"))
    def show_counters(self, account: Any) -> str:
        url = reverse("admin:counters_counter_changelist")
        return format_html(
            '<a class="gp-link" href="{}?account__id__exact={}">{}</a>', url, account.pk, account.counters_count
        )

    @display(description=_("Token expires"))
    def show_expiry(self, account: MetricaAccount) -> str:
        warning = warning_of(account, timezone.now()) if account.state == AccountState.CONNECTED else None
        ends = since(account.token_expires_at) if account.token_expires_at else "—"
        if warning is not None:
            looks = badge(_now("Needs a look"), warning.tone, "warning", warning.text)
            return format_html('{}<br><span class="gp-text--{}">{}</span>', looks, warning.tone, ends)
        if account.renews_itself:
            return format_html('{}<br><span class="gp-sub">{}</span>', ends, _now("renews itself"))
        return ends

    @display(description=_("Last good call"))
    def show_last_ok(self, account: MetricaAccount) -> str:
        return since(account.last_ok_at)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All columns come with the rows."""


def _link(title: Any, icon: str, url: str, *, main: bool = False) -> dict[str, Any]:
    """A button of the header that leads to a page."""
    variant = ActionVariant.PRIMARY if main else ActionVariant.DEFAULT
    return {"title": title, "icon": icon, "variant": variant, "attrs": {}, "dialog": False, "path": url}

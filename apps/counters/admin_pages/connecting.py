"""“Connect Yandex”: from the button to an account with tokens that renew themselves.

An attempt lives in the person's session: the verifier never leaves the server, and a `state` that came back counts only
in the session, and for the agency, in which it was made.
"""

import secrets
from dataclasses import asdict, dataclass
from typing import Any, Self

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.filters import visible
from apps.agencies.models import Agency
from apps.counters import yandex
from apps.counters.models import MetricaAccount
from apps.metrica.errors import MetricaError
from apps.metrica.oauth import Pkce, Scope, error_of_consent

_SESSION_KEY = "yandex_oauth"
LIVES_SECONDS = 30 * 60
ATTEMPTS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to connect. `redirect_uri` is blank where the person types the code; `account_id` 0 for a new one."""

    agency_id: int
    account_id: int
    typed_login: str
    redirect_uri: str
    verifier: str
    url: str
    began_at: float

    @classmethod
    def begin(
        cls, request: HttpRequest, *, agency: Agency, account: MetricaAccount | None, login: str, redirect_uri: str
    ) -> str:
        """Remember a new attempt in the session. Returns its `state`. Raises MetricaError where no app is set up."""
        state, pkce = secrets.token_urlsafe(24), Pkce.new()
        url = yandex.authorize_url(
            agency_id=agency.pk,
            state=state,
            challenge=pkce.challenge,
            redirect_uri=redirect_uri,
            login_hint=login or (account.confirmed_login or account.login if account else ""),
            force_confirm=True,
        )
        now = timezone.now().timestamp()
        attempt = cls(agency.pk, account.pk if account else 0, login, redirect_uri, pkce.verifier, url, now)
        kept = sorted(_attempts(request).items(), key=lambda item: item[1].get("began_at", 0))[1 - ATTEMPTS_KEPT :]
        request.session[_SESSION_KEY] = {**dict(kept), state: asdict(attempt)}
        return state

    @classmethod
    def of(cls, request: HttpRequest, state: str) -> Self | None:
        """The attempt with this state, if it was made in this session not long ago, for an agency still in view."""
        kept = _attempts(request).get(state) if state else None
        attempt = cls(**kept) if kept else None
        if attempt is None or attempt.began_at < timezone.now().timestamp() - LIVES_SECONDS:
            return None
        return attempt if actor_of(request).reaches(attempt.agency_id) else None

    @staticmethod
    def end(request: HttpRequest, state: str) -> None:
        request.session[_SESSION_KEY] = {key: kept for key, kept in _attempts(request).items() if key != state}


def _attempts(request: HttpRequest) -> dict[str, Any]:
    kept = request.session.get(_SESSION_KEY)
    return dict(kept) if isinstance(kept, dict) else {}


class StartForm(forms.Form):
    agency = forms.ModelChoiceField(Agency.objects.none(), label=_("Agency"), widget=UnfoldAdminSelectWidget)
    login = forms.CharField(
        label=_("Yandex login"),
        required=False,
        max_length=100,
        help_text=_("The one that has the counters. Yandex proposes it; you can choose another one there."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    way = forms.ChoiceField(
        label=_("How you come back"),
        choices=[
            ("redirect", _("Yandex leads you back to Goalpost")),
            ("code", _("Yandex shows a code, and you type it in")),
        ],
        initial="redirect",
        help_text=_("The code is for a Goalpost that has no public address."),
        widget=UnfoldAdminRadioSelectWidget,
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=100,
        help_text=_("As Yandex shows it. It lives ten minutes."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ConnectingMixin:
    """For the admin of accounts: the pages of the flow."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[URLPattern]:
        pages = (
            ("yandex/", self.start, "start"),
            ("yandex/go/", self.go, "go"),
            ("yandex/callback/", self.callback, "callback"),
        )
        urls = [
            path(address, self.admin_site.admin_view(view), name=f"counters_metricaaccount_yandex_{name}")
            for address, view, name in pages
        ]
        return [*urls, *super().get_urls()]  # type: ignore[misc]

    def start(self, request: HttpRequest) -> HttpResponse:
        """What is going to happen, and how the person comes back. `?account=`: connect this one anew."""
        self._require(request)
        account = self._account(request, request.GET.get("account", ""))
        form = StartForm(request.POST or None, initial={"login": account.login if account else ""})
        agency = account.agency if account else self.agency_of(request)  # type: ignore[attr-defined]
        if agency is not None:
            del form.fields["agency"]
        else:
            form.fields["agency"].queryset = visible(Agency, actor_of(request))  # type: ignore[attr-defined]
        if request.method == "POST" and yandex.is_configured() and form.is_valid():
            back = _callback_url(request) if form.cleaned_data["way"] == "redirect" else ""
            state = Attempt.begin(
                request,
                agency=agency or form.cleaned_data["agency"],
                account=account,
                login=form.cleaned_data["login"].strip(),
                redirect_uri=back,
            )
            return HttpResponseRedirect(f"{_url('go')}?state={state}")
        return self._page(request, "start", account=account, form=form, callback_url=_callback_url(request))

    def go(self, request: HttpRequest) -> HttpResponse:
        """The way to Yandex, as a link: a form's answer may not lead to another site. Codes are typed in here, too."""
        self._require(request)
        state = request.GET.get("state", "")
        attempt = Attempt.of(request, state)
        if attempt is None:
            return self._over(request)
        form = CodeForm(request.POST or None)
        if request.method == "POST" and not attempt.redirect_uri and form.is_valid():
            try:
                connected = self._connect(request, attempt, form.cleaned_data["code"])
            except MetricaError as error:
                form.add_error("code", f"{error} {error.next_step}")
            except ValidationError as error:
                form.add_error(None, error.messages)
            else:
                return self._done(request, state, connected)
        account = self._account(request, str(attempt.account_id or ""))
        return self._page(request, "go", account=account, form=form, attempt=attempt)

    def callback(self, request: HttpRequest) -> HttpResponse:
        """Where Yandex leads back to, with a code or with the reason why there is none."""
        self._require(request)
        state = request.GET.get("state", "")
        attempt = Attempt.of(request, state)
        if attempt is None or not attempt.redirect_uri:
            return self._over(request)
        Attempt.end(request, state)
        try:
            if error := request.GET.get("error", ""):
                raise error_of_consent(error=error, description=request.GET.get("error_description", ""))
            connected = self._connect(request, attempt, request.GET.get("code", ""))
        except (MetricaError, ValidationError) as error:
            account = self._account(request, str(attempt.account_id or ""))
            words = error.messages[0] if isinstance(error, ValidationError) else str(error)
            step = "" if isinstance(error, ValidationError) else error.next_step
            return self._page(request, "failed", account=account, problem=words, next_step=step)
        return self._done(request, state, connected)

    def _connect(self, request: HttpRequest, attempt: Attempt, code: str) -> yandex.Connected:
        return yandex.connect(
            agency=Agency.objects.get(pk=attempt.agency_id),
            code=code,
            verifier=attempt.verifier,
            typed_login=attempt.typed_login,
            account=self._account(request, str(attempt.account_id or "")),
        )

    def _done(self, request: HttpRequest, state: str, connected: yandex.Connected) -> HttpResponse:
        Attempt.end(request, state)
        login = {"login": connected.account.login}
        messages.success(request, _now("%(login)s is connected.") % login)
        if not connected.account.renews_itself:
            messages.warning(request, _now("Yandex gave no refresh token: nobody can renew this token by itself."))
        if connected.problem is not None:
            problem = connected.problem
            messages.warning(
                request, _now("But reading does not work: %(why)s") % {"why": f"{problem} {problem.next_step}"}
            )
        elif connected.counters is not None:
            told = ngettext(
                "Reading works: %(count)s counter. Uploading not yet proven: the first upload that passes shows it.",
                "Reading works: %(count)s counters. Uploading not yet proven: the first upload that passes shows it.",
                connected.counters,
            )
            messages.info(request, told % {"count": connected.counters})
        return HttpResponseRedirect(reverse("admin:counters_metricaaccount_change", args=[connected.account.pk]))

    def _over(self, request: HttpRequest) -> HttpResponse:
        messages.warning(request, _now("This attempt to connect is over, or was begun elsewhere. Begin again."))
        return HttpResponseRedirect(_url("start"))

    def _require(self, request: HttpRequest) -> None:
        if not actor_of(request).can(Right.ADMINISTER):
            raise PermissionDenied

    def _account(self, request: HttpRequest, key: str) -> MetricaAccount | None:
        """The account that is to be connected anew; 404 where it is not theirs."""
        if not key:
            return None
        rows = MetricaAccount.objects.visible_to(actor_of(request)).select_related("agency")
        account = rows.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None
        if account is None:
            raise Http404
        return account

    def _page(self, request: HttpRequest, name: str, *, account: MetricaAccount | None, **context: Any) -> HttpResponse:
        asked = [*settings.YANDEX_SCOPES, *settings.YANDEX_OPTIONAL_SCOPES]
        everything = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "account": account,
            "title": _now("Connect Yandex"),
            "configured": yandex.is_configured(),
            "rights": [(scope, Scope(scope).label, scope in settings.YANDEX_SCOPES) for scope in dict.fromkeys(asked)],
            "start_url": _url("start") + (f"?account={account.pk}" if account else ""),
            **context,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/counters/metricaaccount/yandex_{name}.html", everything)


def _url(name: str) -> str:
    return reverse(f"admin:counters_metricaaccount_yandex_{name}")


def _callback_url(request: HttpRequest) -> str:
    return request.build_absolute_uri(_url("callback"))

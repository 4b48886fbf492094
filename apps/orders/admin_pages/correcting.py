"""What a person does about rejected changes: correct and send again, send again as they are, leave them as they are."""

from collections import Counter as Tally
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.counters.leaving import leave_together, leaves
from apps.counters.ui.acts import Act, ActForm
from apps.counters.ui.bulk import BulkAct
from apps.counters.ui.widgets import SuggestInput
from apps.metrica.vocabulary import CURRENCIES, IDENTIFIER_KINDS
from apps.orders import services
from apps.orders.admin_pages.asking import WhyForm, how_many_again, how_many_chosen
from apps.orders.admin_pages.intake import text_field
from apps.orders.models import Delivery, StatusChange
from apps.orders.reject_advice import CORRECTABLE, advice_for

_IDENTIFIERS = IDENTIFIER_KINDS[:3]


class CorrectForm(ActForm):
    """What can be corrected of the rejected change `obj`, as it is now. A field left as it is stays so."""

    client_ids = text_field(_("ClientID"), help_text=_("From Metrica's cookie _ym_uid. Several are joined by commas."))
    emails = text_field(_("E-mails"))
    phones = text_field(_("Phones"), help_text=_("In any usual writing. Several are joined by commas."))
    revenue = text_field(_("Revenue"), widget=UnfoldAdminDecimalFieldWidget())
    cost = text_field(_("Cost"), help_text=_("Unknown? Leave it empty."), widget=UnfoldAdminDecimalFieldWidget())
    currency = text_field(_("Currency"), widget=SuggestInput(sorted(CURRENCIES)))
    goals = text_field(
        _("Extra goals"), help_text=_("Besides those of the status, for example deal_won:5000, branch_2.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = self.obj.reject_field
        if named in self.fields:  # what Metrica named comes first
            self.order_fields([named, *(name for name in self.fields if name != named)])

    def corrected(self) -> dict[str, str | None]:
        """What is other than it was; None where it is to be cleared."""
        before = current_values(self.obj)
        given = {name: (self.cleaned_data.get(name) or "").strip() for name in CORRECTABLE}
        return {name: value or None for name, value in given.items() if value != before[name]}


def current_values(change: StatusChange) -> dict[str, str]:
    """What the change would go with now, as the form shows it. Identifiers are the order's own."""
    own = change.order.identifiers
    goals = (
        goal["goal_action_id"] if goal.get("price") is None else f"{goal['goal_action_id']}:{goal['price']}"
        for goal in change.goals
    )
    return {
        **{kind: ", ".join(own.get(kind, ())) for kind in _IDENTIFIERS},
        "revenue": "" if change.revenue is None else f"{change.revenue.normalize():f}",
        "cost": "" if change.cost is None else f"{change.cost.normalize():f}",
        "currency": change.currency,
        "goals": ", ".join(goals),
    }


def _correct(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    form: Any = CorrectForm(request.POST, request=request, obj=change)
    form.full_clean()
    corrected = form.corrected()
    report = services.correct_rejected(
        change=change,
        identifiers={name: value for name, value in corrected.items() if name in _IDENTIFIERS},
        state={name: value for name, value in corrected.items() if name not in _IDENTIFIERS},
    )
    if report.rejected:
        raise ValidationError(
            {
                error.field if error.field in form.fields else "__all__": [str(error.message)]
                for result in report.results
                for error in result.errors
            }
        )
    for result in report.results:
        for warning in result.warnings:
            messages.warning(request, str(warning.message))
    if not corrected:
        return _now("Nothing was altered: the status goes once more as it is.")
    return _now("Corrected: it goes with the next upload.")


def _is_rejected(request: HttpRequest, change: StatusChange) -> bool:
    return change.delivery == Delivery.REJECTED


def _question(change: StatusChange) -> str:
    told = advice_for(change)
    what = _now("“%(status)s” of the order %(order)s") % {"status": change.order_status, "order": change.order.order_id}
    return f"{what}. {told.means} {told.next_step}"


def _retry(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    services.retry_rejected(changes=[change])
    return _now("It goes once more with the next upload.")


def _leave(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    services.leave_rejected(changes=[change], why=values["why"])
    return _now("It stays as it is, and leaves the list.")


def _retry_many(request: HttpRequest, changes: list[StatusChange], values: Mapping[str, Any]) -> str:
    return how_many_again(services.retry_rejected(changes=changes))


def _leave_many(request: HttpRequest, changes: list[StatusChange], values: Mapping[str, Any]) -> str:
    done = services.leave_rejected(changes=changes, why=values["why"])
    text = ngettext("%(count)s status stays as it is.", "%(count)s statuses stay as they are.", done)
    return text % {"count": done}


_LATE = _("A status that comes late is followed by the order's current state.")

CORRECT = Act(
    name="correct",
    title=_("Correct and send again"),
    icon="edit",
    question=lambda request, change: f"{_question(change)} {leaves(change.counter, changes=1)}",
    form=CorrectForm,
    initial=lambda request, change: current_values(change),
    do=_correct,
    shown=_is_rejected,
    main=True,
)
RETRY_ONE = Act(
    name="retry",
    title=_("Send again"),
    icon="replay",
    question=lambda request, change: f"{_question(change)} {_LATE} {leaves(change.counter, changes=1)}",
    do=_retry,
    shown=_is_rejected,
)
LEAVE = Act(
    name="leave",
    title=_("Leave as it is"),
    icon="done_all",
    question=lambda request, change: (
        _now("“%(status)s” of the order %(order)s is not sent, and nobody is asked about it any more.")
        % {"status": change.order_status, "order": change.order.order_id}
    ),
    form=WhyForm,
    do=_leave,
    shown=_is_rejected,
    danger=True,
)
LEAVE_MANY = BulkAct(
    name="leave_rejected",
    title=_("Leave as they are"),
    icon="done_all",
    question=lambda request, changes: (
        f"{how_many_chosen(changes)} " + _now("They are not sent, and nobody is asked about them any more.")
    ),
    form=WhyForm,
    do=_leave_many,
    danger=True,
)
RETRY_MANY = BulkAct(
    name="retry_rejected",
    title=_("Send again"),
    icon="replay",
    question=lambda request, changes: (
        f"{how_many_chosen(changes)} "
        + _now("They go with the next upload, with what is known of their orders by now.")
        + f" {_LATE} {leave_together(Tally(change.counter_id for change in changes))}"
    ),
    do=_retry_many,
)

"""Orders and statuses written by hand. They enter by the same door as everybody else's (R1)."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.audit import trace
from apps.counters.models import Counter
from apps.counters.ui.acts import ActForm
from apps.counters.ui.widgets import SuggestInput
from apps.goals.models import StatusMapping
from apps.metrica.vocabulary import CURRENCIES, DEFAULT_STATUSES, IDENTIFIER_KINDS
from apps.orders import intake
from apps.orders.models import Order, Source


def text_field(label: Any, *, help_text: Any = "", required: bool = False, widget: Any = None) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=help_text, required=required, widget=widget or UnfoldAdminTextInputWidget()
    )


class ClockInput(UnfoldAdminTextInputWidget):
    """The browser's own choice of day and time."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__({"step": "1"})


class RowForm(forms.Form):
    """Fields of a row. What intake says of them is shown at them; `warnings` keeps what it let pass with a remark."""

    order_status = text_field(_("Status"), required=True, help_text=_("As the CRM writes it."))
    revenue = text_field(_("Revenue"), widget=UnfoldAdminDecimalFieldWidget())
    cost = text_field(_("Cost"), help_text=_("Unknown? Leave it empty."), widget=UnfoldAdminDecimalFieldWidget())
    currency = text_field(
        _("Currency"), help_text=_("Left empty: the counter's."), widget=SuggestInput(sorted(CURRENCIES))
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: list[str] = []

    def row(self) -> dict[str, Any]:
        """The fields that were filled in: an empty one is left out, so it keeps its value."""
        return {
            name: value for name, value in self.cleaned_data.items() if name != "counter" and value not in ("", None)
        }


class NewOrderForm(RowForm):
    field_order = (
        *("counter", "id", "create_date_time", "order_status", "status_date_time"),
        *("client_uniq_id", "client_name", *IDENTIFIER_KINDS[:3], "revenue", "cost", "currency", "goals"),
    )
    counter = forms.ModelChoiceField(
        Counter.objects.none(), label=_("Counter"), widget=UnfoldAdminSelectWidget, empty_label=_("Choose a counter")
    )
    id = text_field(_("Order id"), required=True, help_text=_("The CRM's own number of the order."))
    create_date_time = text_field(
        _("Created in the CRM"), required=True, help_text=_("On the counter's clock."), widget=ClockInput()
    )
    status_date_time = text_field(
        _("Status since"),
        help_text=_("On the counter's clock. Left empty: since the order was created."),
        widget=ClockInput(),
    )
    client_uniq_id = text_field(_("Client id"), help_text=_("The CRM's own number of the client."))
    client_name = text_field(_("Client's name"))
    client_ids = text_field(_("ClientID"), help_text=_("From Metrica's cookie _ym_uid. Several are joined by commas."))
    emails = text_field(_("E-mails"))
    phones = text_field(_("Phones"), help_text=_("In any usual writing. Several are joined by commas."))
    goals = text_field(
        _("Extra goals"), help_text=_("Besides those of the status, for example deal_won:5000, branch_2.")
    )

    def __init__(self, *args: Any, counters: QuerySet[Counter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["counter"].queryset = counters  # type: ignore[attr-defined]
        # When the order would leave depends on the counter: the page says it anew.
        self.fields["counter"].widget.attrs |= {
            "hx-get": reverse("admin:orders_order_add"),
            "hx-trigger": "change",
            "hx-target": "#leaving",
            "hx-select": "#leaving",
            "hx-swap": "outerHTML",
        }


class NewStatusForm(RowForm, ActForm):
    """One more status of the order `obj`."""

    field_order = ("order_status", "status_date_time", "revenue", "cost", "currency", "goals")
    status_date_time = text_field(
        _("Happened"), help_text=_("On the counter's clock. Left empty: now."), widget=ClockInput()
    )
    goals = text_field(
        _("Extra goals"), help_text=_("Besides those of the status, for example deal_won:5000, branch_2.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["order_status"].widget = SuggestInput(known_statuses(self.obj.counter))
        zone = self.obj.counter.time_zone
        if zone:
            text = _now("On the counter's clock (%(zone)s). Left empty: now.") % {"zone": zone}
            self.fields["status_date_time"].help_text = text


class IdentifyForm(ActForm):
    """Identifiers for an order that has none. `obj`: its held change."""

    client_ids = text_field(_("ClientID"), help_text=_("From Metrica's cookie _ym_uid. Several are joined by commas."))
    emails = text_field(_("E-mails"))
    phones = text_field(_("Phones"), help_text=_("In any usual writing. Several are joined by commas."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: list[str] = []

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not any(values.values()):
            raise forms.ValidationError(_("Write at least one of them."), code="required")
        return values

    def row(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value}


def known_statuses(counter: Counter) -> list[str]:
    mapped = StatusMapping.objects.filter(counter=counter).values_list("crm_status", flat=True)
    return [*mapped, *DEFAULT_STATUSES]


def take_in(
    form: Any, *, counter: Counter, order: Order | None = None, extra: Mapping[str, Any] | None = None
) -> Order | None:
    """Give the form's row to intake. Returns the order; or None, and then the form says what is wrong.

    `order`: the one that the row is about, where the form does not name it itself.
    """
    row = {**form.row(), **(extra or {})}
    if order is not None:
        row = {"id": order.order_id, **row}
    report = intake.accept_all(
        counter=counter, rows=[row], source=Source.ADMIN, actor_label=trace.current().actor.label, atomic=True
    )
    result = report.results[0]
    form.warnings = _sentences(form, result.warnings)
    if result.result == "rejected":
        for error in result.errors:
            form.add_error(error.field if error.field in form.fields else None, str(error.message))
        return None
    if _only_bad_identifiers(form, result.warnings):
        return None
    return Order.objects.get(counter=counter, order_id=row["id"])


def _only_bad_identifiers(form: Any, warnings: Iterable[Any]) -> bool:
    """Where identifiers are all that was asked for, a bad one is no remark but an error."""
    if not isinstance(form, IdentifyForm):
        return False
    bad = [warning for warning in warnings if warning.field in form.fields]
    for warning in bad:
        form.add_error(warning.field, str(warning.message))
    return bool(bad)


def _sentences(form: Any, warnings: Iterable[Any]) -> list[str]:
    return [
        f"{form.fields[one.field].label}: {one.message}" if one.field in form.fields else str(one.message)
        for one in warnings
    ]

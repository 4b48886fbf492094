"""Custom attributes inside the counter's page, and its list of products: both go to Metrica in detailed mode."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.agencies.tenant_admin import TenantTabularInline
from apps.counters import declaring
from apps.counters.models import Counter, CustomAttribute, Product
from apps.counters.ui.acts import Act, ActForm

EDITABLE_PRODUCTS = 2000
_FIELDS = ("entity", "name", "type", "multivalued", "humanized")


class AttributeFormSet(PaginationInlineFormSet):
    """Writes through the service, all attributes at once."""

    def clean(self) -> None:
        super().clean()
        if not any(form.errors for form in self.forms):
            declaring.checked_attributes(self._wanted())

    def save(self, commit: bool = True) -> list[CustomAttribute]:
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []
        declaring.set_attributes(counter=self.instance, attributes=self._wanted())
        return list(CustomAttribute.objects.filter(counter=self.instance))

    def _wanted(self) -> list[dict[str, Any]]:
        kept = [form for form in self.forms if form not in self.deleted_forms and form.cleaned_data.get("name")]
        return [{name: form.cleaned_data[name] for name in _FIELDS} for form in kept]


class AttributeInline(TenantTabularInline):
    model = CustomAttribute
    formset = AttributeFormSet
    fields = _FIELDS
    hide_title = True
    show_change_link = False
    template_before = "admin/counters/counter/attributes_before.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


class ProductsForm(ActForm):
    products = forms.CharField(
        label=_("Products"),
        required=False,
        strip=False,
        max_length=20_000_000,
        help_text=_(
            "A line for each: the id that orders carry; a semicolon; the title. What is not in the list is taken out."
        ),
        widget=UnfoldAdminTextareaWidget({"rows": 12}),
    )

    def clean_products(self) -> list[dict[str, str]]:
        return declaring.read_products(self.cleaned_data["products"])


def _ask_products(request: HttpRequest, counter: Counter) -> str:
    number = Product.objects.filter(counter=counter).count()
    text = ngettext(
        "The counter has %(count)s product. The list below becomes the whole list, and goes to Metrica with the next "
        "upload.",
        "The counter has %(count)s products. The list below becomes the whole list, and goes to Metrica with the next "
        "upload.",
        number,
    )
    return text % {"count": number}


def _initial_products(request: HttpRequest, counter: Counter) -> dict[str, str]:
    """The list as it is, unless it is too long to be edited in a page."""
    rows = Product.objects.filter(counter=counter).values_list("name", "humanized")
    lines = [f"{name};{declaring.quoted(title)}" for name, title in rows[: EDITABLE_PRODUCTS + 1]]
    return {"products": "\n".join(lines)} if len(lines) <= EDITABLE_PRODUCTS else {}


def _set_products(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    if not values["products"] and Product.objects.filter(counter=counter).count() > EDITABLE_PRODUCTS:
        message = _("The list is too long to be shown here, so an empty field does not clear it. Paste the whole list.")
        raise ValidationError({"products": ValidationError(message, code="required")})
    done = declaring.set_products(counter=counter, products=values["products"])
    text = ngettext(
        "The list has %(products)s product now: %(changed)s new or changed, %(removed)s taken out.",
        "The list has %(products)s products now: %(changed)s new or changed, %(removed)s taken out.",
        done["products"],
    )
    return text % done


PRODUCTS = Act(
    name="products",
    title=_("Products"),
    icon="inventory_2",
    question=_ask_products,
    form=ProductsForm,
    do=_set_products,
    initial=_initial_products,
    button=_("Save"),
    shown=lambda request, counter: counter.is_detailed,
)

"""What every page of the admin is built on: rights come from the actor, rows from `visible_to()` (R11).

Reads go through the rules here; writes go through services, whose ValidationError is shown at the field it names.
"""

from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, StackedInline, TabularInline

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.changelists import TenantChangeList, is_counted_modestly
from apps.agencies.export_pages import ExportMixin
from apps.agencies.filter_pages import SavedFiltersMixin
from apps.agencies.filters import is_offered, tenant_filters, visible
from apps.agencies.merging import Parts
from apps.agencies.models import Agency
from apps.agencies.paginator import LimitedPaginator, ModestPaginator
from apps.agencies.tenancy import counter_path_of


class TenantRules:
    """Rights by the actor, choices of relations by what is visible. For model admins and inlines alike.

    `view_right`, `add_right`, `change_right`, `delete_right`: the right that each takes; None: nobody may.
    """

    keeps_tenant_rules = True
    view_right: ClassVar[Right | None] = Right.READ
    add_right: ClassVar[Right | None] = Right.OPERATE
    change_right: ClassVar[Right | None] = Right.OPERATE
    delete_right: ClassVar[Right | None] = None

    def _may(self, request: HttpRequest, right: Right | None) -> bool:
        actor = actor_of(request)
        if actor.counters is not None and not counter_path_of(self.model):  # type: ignore[attr-defined]
            return False  # what concerns all of the agency is not for those who are limited to some of its counters
        return right is not None and actor.can(right)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.view_right)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.add_right)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.change_right)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.delete_right)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    # For `permissions=["operate"]` and the like on actions.
    def has_read_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, Right.READ)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, Right.OPERATE)

    def has_administer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, Right.ADMINISTER)

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> models.QuerySet[Any]:
        ordered = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        rows = visible(db_field.remote_field.model, actor_of(request))
        return rows if ordered is None else rows.order_by(*ordered.query.order_by)


class TenantAdmin(TenantRules, ExportMixin, SavedFiltersMixin, ModelAdmin):
    """The base of every model's pages."""

    change_list_template = "admin/list.html"
    paginator = LimitedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return self.narrowed(request, super().get_queryset(request))

    def narrowed(self, request: HttpRequest, rows: Any) -> Any:
        """`rows` down to what this person may see (R11)."""
        return rows.visible_to(actor_of(request))

    def get_ordering(self, request: HttpRequest) -> Any:
        """Said aloud: what counts its rows' children forgets the model's own order, and its pages with it."""
        return super().get_ordering(request) or self.opts.ordering or ("-pk",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TenantChangeList]:
        return TenantChangeList

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator = super().get_paginator(request, *args, **kwargs)
        paginator.parts = self.parts_of(request)
        if is_counted_modestly(request):
            paginator.COUNT_LIMIT = min(paginator.COUNT_LIMIT, ModestPaginator.COUNT_LIMIT)
        return paginator

    def parts_of(self, request: HttpRequest) -> Parts | None:
        """Of a list that may be long: what it is read by, see `merging`. None: it is read as it is."""
        return None

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return tenant_filters(self.model, super().get_list_filter(request))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Only what the list's filters offer. Django lets an address filter by any field of the model, and whoever
        sees how many rows are left finds out by guessing what the pages hide; in the big tables it is slow as well.

        What is no field is a word of a filter's own, or leads back to the list without it.
        """
        first = lookup.split("__", 1)[0]
        if first != "pk" and first not in self.get_queryset(request).query.annotations:
            try:
                self.opts.get_field(first)
            except FieldDoesNotExist:
                return True
        return is_offered(self.model, self.get_list_filter(request), lookup)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_or_404(self, request: HttpRequest, object_id: Any) -> Any:
        """The object for a page or an action of one's own; 404 where it is not there or not theirs."""
        obj = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404
        return obj

    def agency_of(self, request: HttpRequest) -> Agency | None:
        """The one agency in view, which new objects belong to; None while platform staff look at all of them."""
        agency_id = actor_of(request).agency_id
        return None if agency_id is None else Agency.objects.get(pk=agency_id)

    def agency_for_new(self, request: HttpRequest, form: Any) -> Agency:
        """The agency that a new object goes to: the one in view, or the one chosen in the form."""
        agency = form.cleaned_data.get("agency") or self.agency_of(request)
        if agency is None:
            raise ValidationError({"agency": ValidationError(_("Choose an agency."), code="required")})
        return agency

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404  # Django's own would lead to the home page; what is not theirs is not there

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if object_id is not None and request.method == "POST" and not self.has_change_permission(request):
            self.get_or_404(request, unquote(object_id))  # not theirs to see comes before not theirs to change
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as refusal:
            # A service refused (its transaction is rolled back): show the same form once more, with its reasons.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form if refusal is None else _refused(form, refusal)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        if not self.has_delete_permission(request):
            self.get_or_404(request, unquote(object_id))
        try:
            return super().delete_view(request, object_id, extra_context)
        except ValidationError as refusal:
            for message in refusal.messages:
                messages.error(request, message)
            view = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(view, args=[object_id]))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's own history stays empty; the audit log is the history."""
        obj = self.get_or_404(request, unquote(object_id))
        log = reverse("admin:audit_auditentry_changelist")
        return HttpResponseRedirect(f"{log}?object_type={self.opts.label_lower}&object_id={obj.pk}")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Services write the audit log; Django's own stays empty."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """As `log_addition`."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """As `log_addition`."""


class OwnersAdmin(TenantAdmin):
    """Everybody in the agency sees these; its owners change them."""

    add_right: ClassVar[Right | None] = Right.ADMINISTER

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*self.list_display, *self.agency_field(request))

    def agency_field(self, request: HttpRequest) -> tuple[str, ...]:
        """The field is shown, and chosen, by who looks at many agencies; in one of them it goes without saying."""
        return ("agency",) if actor_of(request).agency_id is None else ()


class PlatformAdmin(TenantAdmin):
    """Pages for the platform's own staff, of things that belong to no agency or stand above them."""

    delete_right = None

    def _may(self, request: HttpRequest, right: Right | None) -> bool:
        return actor_of(request).platform and super()._may(request, right)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = ModelAdmin.get_queryset(self, request)
        return rows if actor_of(request).platform else rows.none()


class TenantTabularInline(TenantRules, TabularInline):
    """Rows of a parent's page. They are as visible as the parent is."""

    extra = 0
    show_change_link = True

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The head of a column is no label of the fields below it: each says by itself what it is."""
        formset = super().get_formset(request, obj, **kwargs)
        for field in formset.form.base_fields.values():
            if field.label:
                field.widget.attrs.setdefault("aria-label", capfirst(field.label))
        return formset


class TenantStackedInline(TenantRules, StackedInline):
    """As `TenantTabularInline`."""

    extra = 0
    show_change_link = True


def done(request: HttpRequest, url: str) -> HttpResponse:
    """On to another page after an action; from one of unfold's dialogs (they post by HTMX) as well."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def become(obj: models.Model, saved: models.Model) -> None:
    """Let the admin's own unsaved object be the one that the service made."""
    obj.__dict__.update(saved.__dict__)


def _refused(form: Any, refusal: ValidationError) -> Any:
    """The form class whose every form fails with what the service said, at its own fields where it has them."""

    def clean(self: Any) -> Any:
        cleaned = super(refused, self).clean()
        for field, errors in _by_field(refusal).items():
            self.add_error(field if field in self.fields else None, errors)
        return cleaned

    refused: Any = type(form.__name__, (form,), {"clean": clean})
    return refused


def _by_field(refusal: ValidationError) -> dict[str, list[ValidationError]]:
    return getattr(refusal, "error_dict", None) or {NON_FIELD_ERRORS: refusal.error_list}

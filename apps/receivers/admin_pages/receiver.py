"""Receivers: the address that a CRM posts to, its CRM's side, and how that goes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.agencies import shown_once
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.clients.masking import may_see_identifiers
from apps.counters.templatetags.goalpost import number, since
from apps.counters.ui import exports
from apps.counters.ui.acts import Act, ActingMixin, offer
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.long_logs import MOST_COUNTED, LongLogMixin, at_most
from apps.hooks import door
from apps.hooks.door import DoorClosed, NotReached
from apps.orders.numbers import CappedCount
from apps.receivers import addresses, paths, services, trying
from apps.receivers.admin_pages import looks
from apps.receivers.admin_pages.forms import MappingForm, NewReceiverForm, ReceiverForm
from apps.receivers.models import Kind, Post, Receiver
from apps.receivers.problems import REFUSALS

SHOWN_POSTS = 10
_OF_KIND = {
    Kind.BITRIX24: ("crm_url", "check_secret"),
    Kind.AMOCRM: ("crm_url", "crm_token"),
    Kind.GENERIC: ("check_kind", "check_name", "check_secret"),
}


def _address_page(request: HttpRequest, receiver: Receiver, secret: str, title: str, *, more: str = "") -> HttpResponse:
    place = addresses.path_of(receiver, secret)
    whole = f"{settings.SITE_URL}{place}" if settings.SITE_URL else request.build_absolute_uri(place)
    told = _now("Write this address into the CRM now: it is a key by itself. It is kept as a hash and not shown again.")
    back = reverse("admin:receivers_receiver_change", args=[receiver.pk])
    named = title % {"name": receiver.name}
    return shown_once.page(request, model=Receiver, title=named, why=f"{told} {more}".strip(), secret=whole, back=back)


def _new_address(request: HttpRequest, receiver: Receiver, values: Mapping[str, Any]) -> HttpResponse:
    secret = services.new_address(receiver=receiver)
    more = _now("The old address is good for a day more, unless you end it before.")
    return _address_page(request, receiver, secret, _now("The new address of “%(name)s”"), more=more)


def _end_old(request: HttpRequest, receiver: Receiver, values: Mapping[str, Any]) -> str:
    services.end_old_address(receiver=receiver)
    return _now("The old address opens nothing any more.")


def _again(request: HttpRequest, receiver: Receiver, values: Mapping[str, Any]) -> str:
    count = services.process_held_again(receiver=receiver)
    told = ngettext("%(count)s post is processed again.", "%(count)s posts are processed again.", count)
    return told % {"count": count}


def _read_statuses(request: HttpRequest, receiver: Receiver, values: Mapping[str, Any]) -> str:
    found = services.read_statuses(receiver=receiver)
    known = {code: name for code, name in found.items() if name.strip() and code not in receiver.statuses}
    services.update_receiver(receiver=receiver, statuses={**receiver.statuses, **known})
    told = ngettext(
        "The CRM has %(all)s status; new in the list: %(new)s.",
        "The CRM has %(all)s statuses; new in the list: %(new)s.",
        len(found),
    )
    return told % {"all": len(found), "new": len(known)}


def _has_old(request: HttpRequest, receiver: Receiver) -> bool:
    return receiver.old_secret_until is not None and receiver.old_secret_until > timezone.now()


offer(
    Receiver,
    Act(
        name="again",
        title=_("Process held posts again"),
        icon="replay",
        question=lambda request, receiver: _(
            "All posts that need a person are worked on once more, by the mapping as it is now, the oldest first. "
            "What was taken in already is known, and does not come twice."
        ),
        do=_again,
        shown=lambda request, receiver: Post.objects.held().filter(receiver=receiver).exists(),
        main=True,
    ),
    Act(
        name="statuses",
        title=_("Read names of statuses"),
        icon="label",
        question=lambda request, receiver: _(
            "The CRM is asked for its statuses; those that the list below lacks are added to it. Nothing changes there."
        ),
        do=_read_statuses,
        shown=lambda request, receiver: receiver.kind == Kind.AMOCRM and bool(receiver.crm_token_encrypted),
        button=_("Ask the CRM"),
    ),
    Act(
        name="address",
        title=_("New address"),
        icon="key",
        question=lambda request, receiver: _(
            "The new address is shown once. The old one is good for a day more, so that no post is lost meanwhile."
        ),
        do=_new_address,
    ),
    Act(
        name="end_old",
        title=_("End the old address"),
        icon="key_off",
        question=lambda request, receiver: _("Whoever still posts to the old address gets a 404 from now on."),
        do=_end_old,
        shown=_has_old,
        danger=True,
    ),
)


class ReceiverAdmin(LongLogMixin, PreparedListMixin, ActingMixin, TenantAdmin):
    delete_right = Right.ADMINISTER
    list_display = ("show_name", "show_counter", "show_state", "show_held", "show_last")
    list_filter = ("counter", "kind", "active")
    search_fields = ("name", "counter__name", "=counter__metrica_id")
    search_help_text = _("Name, or the counter")
    sortable_by = ("show_name",)
    change_form_outer_before_template = "admin/receivers/receiver/before.html"
    change_form_outer_after_template = "admin/receivers/receiver/after.html"
    export_cells = {
        "show_name": (
            Cell(_("Receiver"), lambda receiver: receiver.name),
            Cell(_("CRM"), lambda receiver: receiver.get_kind_display()),
        ),
        "show_counter": exports.COUNTER,
        "show_held": (Cell(_("Held posts"), lambda receiver: receiver.held),),
        "show_last": (Cell(_("Last post"), lambda receiver: receiver.last and receiver.last.received_at),),
    }
    empty_icon = "input"
    empty_title = _("No CRM posts here yet")
    empty_text = _("Add a receiver: it gives you an address that Bitrix24, amoCRM or any other CRM posts its deals to.")

    # ---- the form ----

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receiver]:
        return super().get_queryset(request).select_related("counter__agency", "counter__account")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = NewReceiverForm if obj is None else ReceiverForm
        form = super().get_form(request, obj, change, **kwargs)
        form.actor = actor_of(request)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["counter", "name", "kind"]})]
        own: list[tuple[Any, dict[str, Any]]] = [(None, {"fields": ["name", "active", "prefix"]})]
        if self.has_change_permission(request, obj):
            own.append((_("The CRM's side"), {"fields": list(_OF_KIND[obj.kind])}))
            own.append((_("Statuses"), {"fields": ["status_lines"]}))
        return own

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        may = object_id is not None and request.method == "POST" and self.has_change_permission(request)
        if may and self.get_object(request, str(object_id)) is not None:
            # Looked up before Django opens the form's transaction: a name server takes its time.
            _refuse_address(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Receiver, form: Any, change: bool) -> None:
        if change:
            become(obj, services.update_receiver(receiver=Receiver.objects.get(pk=obj.pk), **form.values()))
            return
        values = {name: form.cleaned_data[name] for name in ("counter", "name", "kind")}
        receiver, secret = services.create_receiver(**values)
        become(obj, receiver)
        request.secret = secret  # type: ignore[attr-defined]

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return ""

    def response_add(self, request: HttpRequest, obj: Receiver, post_url_continue: str | None = None) -> HttpResponse:
        secret = request.secret  # type: ignore[attr-defined]
        return _address_page(request, obj, secret, _now("The address of “%(name)s”"))

    def log_of(self, objs: list[Any]) -> QuerySet[Any]:
        return Post.objects.filter(receiver__in=objs)

    def delete_model(self, request: HttpRequest, obj: Receiver) -> None:
        services.delete_receiver(receiver=obj)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        receiver: Receiver | None = context.get("original")
        if receiver is not None:
            posts = Post.objects.filter(receiver=receiver)
            shown = list(posts.order_by("-pk")[:SHOWN_POSTS])
            held = at_most(posts.held())
            context.update(
                look=looks.look(receiver, held=bool(held), last=shown[0] if shown else None),
                held=held,
                most_counted=MOST_COUNTED,
                posts=[(one, looks.state_look(one), looks.why(one)) for one in shown],
                crm_address=services.masked_url(receiver),
                refused_why=REFUSALS.get(receiver.refused_for, ""),
                open_to_all=receiver.kind == Kind.BITRIX24 and not receiver.check_secret_encrypted,
                needs_address=receiver.kind == Kind.BITRIX24 and not receiver.crm_url_encrypted,
                has_old=_has_old(request, receiver),
                address_begins=f"/in/{receiver.public_id}/…",
                mapping_url=reverse("admin:receivers_receiver_mapping", args=[receiver.pk]),
                may_operate=self.has_operate_permission(request),
            )
        # The address is shown in place of the page that would follow.
        context.update(show_save_and_add_another=False, show_save_and_continue=receiver is not None)
        return super().render_change_form(request, context, *args, **kwargs)

    # ---- the mapping ----

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.mapping_view)
        return [path("<path:object_id>/mapping/", view, name="receivers_receiver_mapping"), *super().get_urls()]

    def mapping_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Where the fields stand in the CRM's posts, tried on the newest one; `try` shows, `save` keeps."""
        receiver: Receiver = self.get_or_404(request, object_id)
        if request.method == "POST" and not self.has_operate_permission(request):
            raise PermissionDenied
        sees = may_see_identifiers(actor_of(request))
        sample = _sample(request, receiver) if sees else None
        documents = trying.documents_of(receiver, sample) if sample is not None else []
        known = _known(receiver, documents)
        form = MappingForm(request.POST if request.method == "POST" else None, receiver=receiver, known=known)
        kept, refused = receiver.mapping, False
        if request.method == "POST" and form.is_valid():
            try:
                kept = services.checked_mapping(form.kept())
                if "save" in request.POST:
                    services.map_fields(receiver=receiver, kept=kept)
                    return _saved(request, receiver)
            except ValidationError as refusal:
                refused = True
                for name, errors in refusal.error_dict.items():
                    form.add_error(name if name in form.fields else None, errors)
        usable = bool(documents and kept.get("fields")) and not refused and not form.errors
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": receiver,
            "title": _now("Fields of “%(name)s”") % {"name": receiver.name},
            "form": form,
            "sample": sample,
            "hidden": not sees,
            "body": _shown_body(documents),
            "trial": trying.tried(receiver, sample, documents, kept) if usable and sample is not None else None,
            "refused": refused or bool(form.errors),
            "reads_crm": receiver.kind == Kind.BITRIX24,
            "may_operate": self.has_operate_permission(request),
            "back": reverse("admin:receivers_receiver_change", args=[receiver.pk]),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/receivers/receiver/mapping.html", context)

    # ---- the list ----

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Three queries for all of them."""
        keys = [row.pk for row in rows]
        last, held = _last_posts(keys), _held_counts(keys)
        for row in rows:
            row.last, row.held = last.get(row.pk), held.get(row.pk, 0)

    @display(description=_("Receiver"), ordering="name")
    def show_name(self, receiver: Receiver) -> str:
        return format_html(
            '<strong class="gp-strong">{}</strong><br><span class="gp-sub">{}</span>',
            receiver.name,
            receiver.get_kind_display(),
        )

    @display(description=_("Counter"))
    def show_counter(self, receiver: Receiver) -> str:
        return format_html("{}<br><span class='gp-sub'>{}</span>", receiver.counter.name, receiver.counter.metrica_id)

    @display(description=_("State"))
    def show_state(self, receiver: Any) -> str:
        return looks.look(receiver, held=bool(receiver.held), last=receiver.last)

    @display(description=_("Held posts"))
    def show_held(self, receiver: Any) -> str:
        more = "+" if receiver.held == MOST_COUNTED else ""
        return f"{number(receiver.held)}{more}"

    @display(description=_("Last post"))
    def show_last(self, receiver: Any) -> str:
        return since(receiver.last.received_at) if receiver.last else "—"


def _refuse_address(request: HttpRequest) -> None:
    """Let the form refuse an address that leads nowhere good, or nowhere at all."""
    url = request.POST.get("crm_url", "").strip()
    if not url:
        return
    try:
        door.check(url)
    except (DoorClosed, NotReached) as problem:
        refusal = ValidationError(str(problem), code=problem.code)
        request.refusal = ValidationError({"crm_url": refusal})  # type: ignore[attr-defined]


def _sample(request: HttpRequest, receiver: Receiver) -> Post | None:
    """The post named in the address, or the newest one that will do."""
    named = request.GET.get("post", "")
    if named:
        try:
            found = Post.objects.filter(receiver=receiver, pk=named, is_readable=True).first()
        except ValidationError:
            found = None
        if found is not None:
            return found
    return trying.sample_of(receiver)


def _known(receiver: Receiver, documents: Sequence[Any]) -> list[tuple[str, str]]:
    """Paths of the sample: of its first order, where one post has several."""
    if not documents:
        return []
    known = paths.known_paths(documents[0])
    orders = receiver.mapping.get("orders", "")
    if orders:
        try:
            several = paths.listed(paths.read(orders).values(documents[0]))
        except paths.PathError:
            several = []
        if several:
            known = [*paths.known_paths(several[0]), *known]
    elif isinstance(documents[0], list) and documents[0]:
        known = [*paths.known_paths(documents[0][0]), *known]
    return known


def _shown_body(documents: Sequence[Any]) -> str:
    if not documents:
        return ""
    shown = documents[0] if len(documents) == 1 else list(documents)
    return json.dumps(shown, ensure_ascii=False, indent=2)[:50_000]


def _saved(request: HttpRequest, receiver: Receiver) -> HttpResponse:
    messages.success(request, _now("The mapping is saved. Posts that come from now on are read by it."))
    if Post.objects.held().filter(receiver=receiver).exists():
        messages.info(request, _now("Posts are held: “Process held posts again” reads them by the new mapping."))
    return HttpResponseRedirect(reverse("admin:receivers_receiver_change", args=[receiver.pk]))


def _last_posts(keys: Sequence[int]) -> dict[int, Post]:
    newest = Post.objects.filter(receiver=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    wanted = Receiver.objects.filter(pk__in=keys).order_by().values_list(Subquery(newest), flat=True)
    posts = Post.objects.filter(pk__in=[key for key in wanted if key is not None])
    fields = ("receiver_id", "received_at", "state", "error_code")
    return {post.receiver_id: post for post in posts.only(*fields)}


def _held_counts(keys: Sequence[int]) -> dict[int, int]:
    held = Post.objects.held().filter(receiver=OuterRef("pk")).order_by().values("pk")[:MOST_COUNTED]
    return dict(Receiver.objects.filter(pk__in=keys).order_by().values_list("pk", CappedCount(held)))

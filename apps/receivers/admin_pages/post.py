"""The log of posts: what came, what became of it, and processing it once more."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.changelists import is_few
from apps.agencies.exporting import Cell
from apps.agencies.merging import Parts
from apps.clients.masking import may_see_identifiers, shown_text
from apps.counters.admin_pages.ledger import readable
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.templatetags.goalpost import moment, number
from apps.counters.ui.acts import Act, offer
from apps.counters.ui.bulk import BulkAct
from apps.counters.ui.lists import PreparedListMixin, exactly
from apps.counters.ui.pages import PageAdmin
from apps.orders.models import HoldReason, Order
from apps.receivers import services, working
from apps.receivers.admin_pages import looks
from apps.receivers.models import Kind, Post, PostState, Receiver

SHOWN_CHARACTERS = 50_000


def _again(request: HttpRequest, post: Post, values: Mapping[str, Any]) -> str:
    services.process_again(post=post)
    return _now("The post is processed again. This page tells what became of it.")


def _again_many(request: HttpRequest, posts: list[Post], values: Mapping[str, Any]) -> str:
    count = services.process_many_again(posts=posts)
    told = ngettext("%(count)s post is processed again.", "%(count)s posts are processed again.", count)
    return told % {"count": count}


offer(
    Post,
    Act(
        name="again",
        title=_("Process again"),
        icon="replay",
        question=lambda request, post: _(
            "The post is worked on once more, by the mapping as it is now. What was taken in already is known, and "
            "does not come twice."
        ),
        do=_again,
        shown=lambda request, post: post.state != PostState.WAITING,
        main=True,
    ),
)

_AGAIN = BulkAct(
    name="again",
    title=_("Process again"),
    icon="replay",
    question=lambda request, posts: (
        ngettext(
            "%(count)s post is worked on once more, by the mapping as it is now.",
            "%(count)s posts are worked on once more, by the mapping as it is now.",
            len(posts),
        )
        % {"count": len(posts)}
    ),
    do=_again_many,
)


class PostAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/receivers/post/page.html"
    list_display = ("show_received", "receiver", "show_state", "show_rows", "show_why")
    list_filter = ("receiver", "state")
    list_select_related = ("receiver__counter",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("id", "request_id")
    search_help_text = _("Id of the post or of its request, whole")
    actions = (_AGAIN.as_action(),)
    export_cells = {
        "show_received": (Cell(_("Received"), lambda post: post.received_at),),
        "show_state": (Cell(_("State"), lambda post: post.get_state_display()),),
        "show_rows": (
            Cell(_("New orders"), lambda post: post.created),
            Cell(_("New statuses"), lambda post: post.updated),
            Cell(_("Known already"), lambda post: post.unchanged),
            Cell(_("Rejected"), lambda post: post.rejected),
        ),
        "show_why": (Cell(_("Why"), looks.why),),
    }
    export_keys = (
        Cell(_("Post"), lambda post: post.pk),
        Cell(_("Request id"), lambda post: post.request_id),
    )
    empty_icon = "input"
    empty_title = _("Nothing has come yet")
    empty_text = _("What CRMs post to your receivers is written here, with what became of it.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        rows = super().get_queryset(request).select_related("receiver__counter__agency")
        return (
            rows
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else rows.defer("body_encrypted", "documents_encrypted", "results")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Post], search_term: str
    ) -> tuple[QuerySet[Post], bool]:
        return exactly(request, queryset, search_term, "id", "request_id"), False

    def parts_of(self, request: HttpRequest) -> Parts | None:
        actor = actor_of(request)
        if actor.agencies is None or is_few(request):
            return None
        receivers = Receiver.objects.visible_to(actor).order_by().values_list("pk", flat=True)
        return Parts("receiver", tuple(receivers))

    def page_context(self, request: HttpRequest, obj: Post) -> dict[str, Any]:
        receiver = obj.receiver
        sees = may_see_identifiers(actor_of(request))
        body = readable(_body(obj)) if sees else ""
        documents = _documents(obj) if sees and receiver.kind != Kind.GENERIC else ""
        return {
            "title": f"{receiver} · {obj}",
            "zone": receiver.counter.zone,
            "look": looks.state_look(obj),
            "why": looks.why(obj),
            "step": looks.step(obj),
            "detail": shown_text(obj.error_detail),
            "hidden": not sees,
            "body": body[:SHOWN_CHARACTERS],
            "body_cut": len(body) > SHOWN_CHARACTERS,
            "documents": documents[:SHOWN_CHARACTERS],
            "lines": _lines(request, obj),
            "shown_rows": working.SHOWN_ROWS,
            "mapping_url": f"{reverse('admin:receivers_receiver_mapping', args=[receiver.pk])}?post={obj.pk}",
            "tone": "bad" if obj.state == PostState.HELD else "warn",
        }

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All columns come with the rows."""

    @display(description=_("Received"))
    def show_received(self, post: Post) -> str:
        again = _now("came again: %(number)s") % {"number": post.repeats} if post.repeats else ""
        when = moment(post.received_at, post.receiver.counter.zone, seconds=True)
        return format_html('{}<br><span class="gp-sub">{}</span>', when, again) if again else when

    @display(description=_("State"))
    def show_state(self, post: Post) -> str:
        return looks.state_look(post)

    @display(description=_("Orders"))
    def show_rows(self, post: Post) -> str:
        if not post.rows:
            return "—"
        told = [
            (_now("new: %(number)s"), post.created),
            (_now("new statuses: %(number)s"), post.updated),
            (_now("known already: %(number)s"), post.unchanged),
            (_now("rejected: %(number)s"), post.rejected),
        ]
        return ", ".join(text % {"number": number(count)} for text, count in told if count)

    @display(description=_("Why"))
    def show_why(self, post: Post) -> str:
        return format_html('<span class="gp-wrap">{}</span>', looks.why(post)) if post.error_code else "—"


def _body(post: Post) -> str:
    try:
        return working.body_of(post)
    except UnreadableSecret:
        return _now("The post cannot be read: a key is missing in ENCRYPTION_KEYS.")


def _documents(post: Post) -> str:
    if not post.documents_encrypted:
        return ""
    try:
        return json.dumps(json.loads(decrypt(post.documents_encrypted)), ensure_ascii=False, indent=2)
    except UnreadableSecret:
        return ""


def _lines(request: HttpRequest, post: Post) -> list[dict[str, Any]]:
    """What became of each order, with a link to it. One query."""
    ids = {row["id"] for row in post.results if row.get("id")}
    orders = Order.objects.visible_to(actor_of(request)).filter(counter=post.receiver.counter_id, order_id__in=ids)
    keys = dict(orders.values_list("order_id", "pk"))
    return [
        {
            **row,
            "url": reverse("admin:orders_order_change", args=[keys[row["id"]]]) if row["id"] in keys else "",
            "hold_label": HoldReason(row["hold"]).label if row.get("hold") in HoldReason.values else "",
            # Kept in English by the worker, read in the reader's own language.
            "notes": [(field, shown_text(_now(text))) for field, _code, text in (*row["errors"], *row["warnings"])],
        }
        for row in post.results
    ]

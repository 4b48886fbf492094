"""The table: a line for each address, action, filter and autocomplete that a person can reach.

Whoever adds one of them adds its line here, or a test fails and says which line is missing. Most lines are one word:
`**pages(…)` has the six addresses of a model, `**acts(…)` those of its acts.
"""

from collections.abc import Callable
from typing import Any

from django.db import models
from django.utils import timezone

from apps.agencies.models import Agency, ApiKey, Invitation, Membership, SavedFilter, User
from apps.alerts.models import Alert, AlertRules, Channel
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import ApiCall, Counter, MetricaAccount
from apps.dashboard.models import Comparison
from apps.goals.models import Goal, MappingVersion
from apps.hooks.models import Delivery, Endpoint
from apps.imports.models import ImportJob
from apps.metrica.vocabulary import OrderType, SystemGoal
from apps.orders.models import HeldChange, Order, RejectedChange, StatusChange
from apps.orders.reached import OWN
from apps.reports import services as reports
from apps.reports.letters import stopping
from apps.reports.models import AgencyLook, Recipient, ReportLink
from apps.uploads.models import Heartbeat, Upload, UploadJob
from tests.admin.access.who import (
    ADMINISTER,
    ADMINISTER_WHOLE,
    DO,
    EVERYBODY,
    FORBIDDEN,
    LOGIN,
    NEVER,
    NEVER_WHOLE,
    NO_METHOD,
    NO_WAY,
    NOBODY,
    NOT_THERE,
    NOTHING,
    NOWHERE,
    OK,
    ONLY_READ,
    OPERATE,
    OPERATE_WHOLE,
    OPERATORS,
    OWNERS,
    READ,
    READ_WHOLE,
    SEE_WHOLE,
    STAFF,
    STAFF_ONLY,
    UNLIMITED,
    Action,
    Line,
    Who,
)
from tests.admin.access.world import Place, World

# ---- what is asked for ----

OBJECTS: dict[type[models.Model], Callable[[Place], Any]] = {
    Agency: lambda place: place.agency,
    ApiKey: lambda place: ApiKey.objects.filter(agency=place.agency).earliest("pk"),
    Invitation: lambda place: Invitation.objects.get(agency=place.agency),
    Membership: lambda place: place.analyst.memberships.get(),
    User: lambda place: User.objects.get(pk=place.analyst.pk),
    Alert: lambda place: Alert.objects.get(counter=place.counter),
    AlertRules: lambda place: AlertRules.objects.get(agency=place.agency),
    Channel: lambda place: Channel.objects.get(agency=place.agency),
    AuditEntry: lambda place: AuditEntry.objects.get(counter=place.counter.metrica_id, action="change.held"),
    Client: lambda place: Client.objects.get(counter=place.counter),
    ApiCall: lambda place: ApiCall.objects.get(counter=place.counter),
    Counter: lambda place: place.counter,
    MetricaAccount: lambda place: place.account,
    Comparison: lambda place: Comparison.objects.get(counter=place.counter),
    Goal: lambda place: Goal.objects.get(counter=place.counter),
    MappingVersion: lambda place: MappingVersion.objects.filter(counter=place.counter).last(),
    Delivery: lambda place: Delivery.objects.filter(event__counter=place.counter).first(),
    Endpoint: lambda place: Endpoint.objects.filter(agency=place.agency).earliest("pk"),
    ImportJob: lambda place: ImportJob.objects.get(counter=place.counter),
    HeldChange: lambda place: HeldChange.objects.get(order__order_id=f"{place.mark}-2"),
    Order: lambda place: Order.objects.get(order_id=f"{place.mark}-1"),
    RejectedChange: lambda place: RejectedChange.objects.get(order__order_id=f"{place.mark}-3"),
    StatusChange: lambda place: StatusChange.objects.get(order__order_id=f"{place.mark}-5"),
    AgencyLook: lambda place: AgencyLook.objects.get(agency=place.agency),
    ReportLink: lambda place: ReportLink.objects.get(counter=place.counter),
    Heartbeat: lambda place: Heartbeat.objects.get(name=f"worker {place.mark} 1"),
    UploadJob: lambda place: UploadJob.objects.get(counter=place.counter),
}
"""For each model with pages: an object of the agency, at its counter where it has one."""


def _upload(world: World) -> Upload:
    return Upload.objects.get(job__counter=world.place.counter)


def _letter_token(world: World) -> str:
    return stopping.path_of(Recipient.objects.get(link__counter=world.place.counter)).strip("/").split("/")[-1]


def _saved_filter(world: World, model: str) -> int:
    found = SavedFilter.objects.filter(agency=world.place.agency, list_name=model).first()
    return found.pk if found else 0


ARGUMENTS: dict[str, Callable[[World, str], Any]] = {
    "counter_id": lambda world, model: world.place.counter.pk,
    "job_id": lambda world, model: _upload(world).job_id,
    "upload_id": lambda world, model: _upload(world).pk,
    "which": lambda world, model: "orders",
    "filter_id": _saved_filter,
    "secret": lambda world, model: world.invitation,
    "uidb64": lambda world, model: world.first_password[0],
    "token": lambda world, model: world.first_password[1],
    "url": lambda world, model: "nowhere",
    "link_secret": lambda world, model: reports.secret_of(OBJECTS[ReportLink](world.place)),
    "letter_token": lambda world, model: _letter_token(world),
}
"""What is written into an address for its arguments, by the name of the model whose page it is; `object_id` is of
OBJECTS."""

ELSEWHERE = {
    "api/v1/": "by keys alone: tests/api/test_permissions.py",
    "healthz": "for load balancers: tests/api/test_health.py",
    "readyz": "for load balancers: tests/api/test_health.py",
    "metrics": "by a token of its own: tests/api/test_health.py",
    "sandbox/": "a Metrica to play with, which knows of no agency: tests/sandbox",
}
"""Beginnings of addresses that are not for people, and what tests them."""


# ---- addresses ----

SAVE_FOR_THEMSELVES = ("outsider", "inside", "outside", "staff")


def pages(name: str, *, lists: Who, page: Who, change: Who, add: Who = NOBODY, delete: Who = NEVER) -> dict[str, Line]:
    """The addresses that every model has. `change`: who may post its form. Its history is there for who sees it; who
    sees the list may take it along, and save filters of it."""
    history = {SEE_WHOLE: READ_WHOLE, STAFF: STAFF_ONLY}.get(page, page)
    # One that the owner has saved for all of the agency. Who is limited to counters, and staff, have their own.
    strangers = {person: NOT_THERE for person in SAVE_FOR_THEMSELVES if getattr(lists, person) == OK}
    return {
        f"{name}_export_csv": Line(lists, NO_WAY),
        f"{name}_export_xlsx": Line(lists, NO_WAY),
        f"{name}_filters": Line(lists, lists),
        f"{name}_filter": Line(lists.but(**strangers), lists.but(**strangers)),
        f"{name}_changelist": Line(lists, lists),
        f"{name}_add": Line(add, add),
        f"{name}_change": Line(page, change),
        f"{name}_delete": Line(delete, delete),
        f"{name}_history": Line(history, history),
        f"{name}_": Line(EVERYBODY, EVERYBODY),  # only leads to the page itself, be it there or not
    }


def acts(model: str, who: Who, *names: str, **more: Any) -> dict[str, Line]:
    """Acts of a model's page: whoever may not do it is not asked either."""
    return {f"{model}_{name}": Line(who, who, **more) for name in names}


def dialogs(model: str, *names: str) -> dict[str, Line]:
    """The theme's: “are you sure?” comes before the object is looked for, and says nothing of it."""
    done = ADMINISTER.but(outside=FORBIDDEN)
    return {f"{model}_{name}": Line(OWNERS, done, data={"_form_submitted": "on"}) for name in names}


def apps(**labels: Who) -> dict[str, Line]:
    """What an app has."""
    return {f"app_list/{label}": Line(who, who) for label, who in labels.items()}


ANYBODY = EVERYBODY.but(anonymous=OK, no_agency=OK)
WHOLE_FORM = {"lists": UNLIMITED, "page": SEE_WHOLE}
COUNTER_PAGE = {"lists": EVERYBODY, "page": READ, "change": ONLY_READ}

ADDRESSES: dict[str, Line] = {
    # -- the site itself --
    "root": Line(ANYBODY, ANYBODY),
    "index": Line(EVERYBODY, EVERYBODY),
    "login": Line(EVERYBODY.but(anonymous=OK), EVERYBODY.but(anonymous=OK)),
    "login-code": Line(ANYBODY.but(anonymous=LOGIN), ANYBODY.but(anonymous=LOGIN)),
    "logout": Line(NO_WAY.but(anonymous=OK, no_agency=NO_METHOD), ANYBODY),
    "password_change": Line(EVERYBODY, EVERYBODY),
    "password_change_done": Line(EVERYBODY, NO_WAY),
    "profile": Line(EVERYBODY, EVERYBODY),
    "second-step": Line(EVERYBODY, EVERYBODY),
    "second-step-off": Line(EVERYBODY, EVERYBODY),
    "backup-codes": Line(EVERYBODY, EVERYBODY),
    "end-sessions": Line(NO_WAY, EVERYBODY, data={"session": "others"}),
    "search": Line(EVERYBODY, EVERYBODY, query=lambda world: {"s": world.place.mark, "extended": "1"}),
    "autocomplete": Line(
        EVERYBODY, NO_WAY, query={"app_label": "hooks", "model_name": "endpoint", "field_name": "counters"}
    ),
    "jsi18n": Line(EVERYBODY, NO_WAY),
    "admin/(?P<url>.*)$": Line(NOWHERE, NOWHERE),
    "switch-agency": Line(
        NO_WAY.but(no_agency=NO_METHOD),
        EVERYBODY.but(no_agency=NOT_THERE, outsider=NOT_THERE),
        data=lambda world: {"agency": world.place.agency.pk},
    ),
    "set_language": Line(NO_WAY.but(anonymous=NO_METHOD, no_agency=NO_METHOD), ANYBODY, data={"language": "en"}),
    "invitation": Line(ANYBODY, ANYBODY, tells=True),
    "first-password": Line(ANYBODY, ANYBODY, tells=True),
    "report": Line(ANYBODY, NO_WAY.but(anonymous=NO_METHOD, no_agency=NO_METHOD), tells=True),
    "report-letters": Line(ANYBODY, ANYBODY, tells=True),
    **apps(
        agencies=EVERYBODY.but(inside=NOT_THERE, outside=NOT_THERE),
        **dict.fromkeys(
            (
                "alerts",
                "audit",
                "clients",
                "counters",
                "dashboard",
                "goals",
                "hooks",
                "imports",
                "orders",
                "reports",
                "uploads",
            ),
            EVERYBODY,
        ),
    ),
    # -- the agency, its people and keys --
    **pages("agencies_membership", **WHOLE_FORM, change=ADMINISTER_WHOLE, delete=ADMINISTER_WHOLE),
    **dialogs("agencies_membership", "password_link", "second_step_off"),
    "agencies_membership_requirement": Line(OWNERS, OWNERS, data={"of": ""}),
    **pages("agencies_invitation", **WHOLE_FORM, add=OWNERS, change=NEVER_WHOLE, delete=NEVER_WHOLE),
    **dialogs("agencies_invitation", "send_again", "withdraw"),
    **pages("agencies_apikey", **WHOLE_FORM, add=OWNERS, change=ADMINISTER_WHOLE, delete=NEVER_WHOLE),
    **dialogs("agencies_apikey", "revoke"),
    "agencies_apikey_rotate": Line(
        *(ADMINISTER_WHOLE.but(manager=FORBIDDEN, inside=FORBIDDEN, outside=FORBIDDEN),) * 2
    ),
    # -- the platform --
    **pages(
        "agencies_agency",
        lists=STAFF,
        add=STAFF,
        page=STAFF,
        change=STAFF_ONLY,
        delete=STAFF_ONLY.but(staff=FORBIDDEN),
    ),
    **pages(
        "agencies_user",
        lists=STAFF,
        page=STAFF,
        change=STAFF_ONLY,
        delete=STAFF_ONLY.but(staff=FORBIDDEN),
    ),
    **pages(
        "uploads_heartbeat",
        lists=STAFF,
        page=STAFF,
        **dict.fromkeys(("change", "delete"), STAFF_ONLY.but(staff=FORBIDDEN)),
    ),
    # -- the log --
    **pages("audit_auditentry", lists=EVERYBODY, page=READ, change=NEVER),
    "audit_auditentry_verify": Line(UNLIMITED, UNLIMITED),
    # -- accounts, counters and their mapping --
    **pages("counters_metricaaccount", **WHOLE_FORM, add=OWNERS, change=ADMINISTER_WHOLE, delete=NEVER_WHOLE),
    **acts("counters_metricaaccount", OPERATE_WHOLE, "check"),
    **acts("counters_metricaaccount", ADMINISTER_WHOLE, "connect", "disconnect", "import"),
    **acts("counters_metricaaccount", OWNERS, "yandex_start", "yandex_go", "yandex_callback"),
    **pages("counters_counter", lists=EVERYBODY, add=OWNERS, page=READ, change=OPERATE),
    **acts("counters_counter", OPERATE, "pause", "resume", "upload", "set_zone", "choose_account", "matching"),
    **acts("counters_counter", OPERATE, "read", "map", "compare", "create-goals", "simulate", "compare-orders"),
    **acts("counters_counter", OPERATE, "products", "to_detailed", "to_simple"),
    **pages("counters_apicall", **COUNTER_PAGE),
    **pages("goals_goal", lists=EVERYBODY, page=READ, change=NEVER),
    **pages("goals_mappingversion", **COUNTER_PAGE),
    **acts("goals_mappingversion", OPERATE, "restore"),
    **pages("dashboard_comparison", **COUNTER_PAGE),
    **acts("dashboard_comparison", OPERATE, "compare"),
    # -- orders and clients --
    **pages("orders_order", **COUNTER_PAGE, add=OPERATORS),
    **acts("orders_order", OPERATE, "status", "resend", "retry", "release", "hold", "upload"),
    "orders_order_sent": Line(READ, NO_WAY),
    **pages("orders_heldchange", **COUNTER_PAGE),
    **pages("orders_statuschange", **COUNTER_PAGE),
    **acts("orders_heldchange", OPERATE, "map", "identify", "release", "reject", "reject_status"),
    **pages("orders_rejectedchange", **COUNTER_PAGE),
    **acts("orders_rejectedchange", OPERATE, "correct", "map", "retry", "leave"),
    **pages("clients_client", **COUNTER_PAGE),
    **acts("clients_client", OPERATE, "send", "merge"),
    **acts("clients_client", ADMINISTER, "erase"),
    # -- uploads and imports --
    **pages("uploads_uploadjob", **COUNTER_PAGE),
    **acts("uploads_uploadjob", OPERATE, "cancel", "retry", "retry_rejected"),
    "uploads_uploadjob_file": Line(READ, NO_WAY),
    "uploads_uploadjob_dry_run": Line(READ, NO_WAY),
    "uploads_uploadjob_dry_run_file": Line(READ, NO_WAY),
    **pages("imports_importjob", **COUNTER_PAGE, add=OPERATORS),
    **acts("imports_importjob", OPERATE, "columns", "cancel", "discard"),
    "imports_importjob_report": Line(READ, ONLY_READ),
    # -- client reports --
    **pages("reports_reportlink", lists=EVERYBODY, add=OPERATORS, page=READ, change=OPERATE),
    **acts("reports_reportlink", OPERATE, "send-now", "prolong", "new-address", "take-back"),
    **acts("reports_reportlink", READ, "preview", "letter"),
    **pages("reports_agencylook", **WHOLE_FORM, change=ADMINISTER_WHOLE, delete=NEVER_WHOLE),
    "reports_agencylook_preview": Line(SEE_WHOLE, ADMINISTER_WHOLE.but(inside=FORBIDDEN, outside=FORBIDDEN)),
    # -- webhooks and alerts --
    **pages("hooks_endpoint", **WHOLE_FORM, add=OWNERS, change=ADMINISTER_WHOLE, delete=ADMINISTER_WHOLE),
    **acts("hooks_endpoint", OPERATE_WHOLE, "enable", "test", "now", "since"),
    **acts("hooks_endpoint", ADMINISTER_WHOLE, "secret"),
    **pages("hooks_delivery", **COUNTER_PAGE),
    **acts("hooks_delivery", OPERATE, "again", "give_up"),
    **pages("alerts_alert", **COUNTER_PAGE),
    **acts("alerts_alert", OPERATE, "mute", "unmute"),
    **pages("alerts_alertrules", **WHOLE_FORM, change=OPERATE_WHOLE, delete=NEVER_WHOLE),
    **pages("alerts_channel", **WHOLE_FORM, add=OWNERS, change=ADMINISTER_WHOLE, delete=ADMINISTER_WHOLE),
    **acts("alerts_channel", OPERATE_WHOLE, "test"),
    **acts("alerts_channel", ADMINISTER_WHOLE, "find-chat", "new-secret"),
}

PLATFORM = {
    model for model in OBJECTS if ADDRESSES[f"{model._meta.label_lower.replace('.', '_')}_changelist"].get == STAFF
}
"""Models with pages of the platform's own staff."""

# ---- actions in lists ----

ACTIONS: dict[str, Action] = {
    "agencies_apikey.revoke_selected": Action(
        DO.but(manager=NOTHING, inside=FORBIDDEN, outside=FORBIDDEN), OBJECTS[ApiKey]
    ),
    "orders_order.upload_orders": Action(DO, lambda place: Order.objects.get(order_id=f"{place.mark}-5")),
    "orders_heldchange.release_changes": Action(
        DO, lambda place: HeldChange.objects.get(order__order_id=f"{place.mark}-6")
    ),
    "orders_heldchange.reject_changes": Action(DO, OBJECTS[HeldChange]),
    "orders_rejectedchange.retry_rejected": Action(DO, OBJECTS[RejectedChange]),
    "orders_rejectedchange.leave_rejected": Action(DO, OBJECTS[RejectedChange]),
}

# ---- filters of lists: each parameter, and values of which one at least finds something ----

Values = tuple[Any, ...]  # functions are asked with the full agency's place


def among(field: str, *values: str) -> dict[str, Values]:
    """A filter over one of these values."""
    return {f"{field}__exact": values, f"{field}__isnull": ("True", "False")}


def related(field: str, value: Callable[[Place], Any]) -> dict[str, Values]:
    """A filter over another object."""
    return {f"{field}__id__exact": (value,), f"{field}__isnull": ("True", "False")}


def _entry(name: str) -> Callable[[Place], Any]:
    return lambda place: getattr(OBJECTS[AuditEntry](place), name)


BY_COUNTER = related("counter", lambda place: place.counter.pk)
BY_COUNTERS: dict[str, Values] = {"counter__id__in": (lambda place: place.counter.pk, 0)}
ON_COUNTERS_CLOCK: dict[str, Values] = {"clock": ("counter",)}
BY_ACCOUNT = related("account", lambda place: place.account.pk)
DAY_BEFORE, DAY_AFTER = (f"{timezone.now() + timezone.timedelta(days=days):%Y-%m-%d}" for days in (-9, 9))  # type: ignore[attr-defined]

FILTERS: dict[str, dict[str, Values]] = {
    "agencies_agency": among("is_active", "1", "0"),
    "agencies_invitation": among("role", "owner", "manager", "analyst"),
    "agencies_membership": among("role", "owner", "manager", "analyst"),
    "agencies_user": {**among("is_active", "1", "0"), **among("is_superuser", "1", "0")},
    "alerts_alert": {
        "state": ("open", "closed"),
        "cause": ("holds_waiting", "nothing"),
        **among("severity", "urgent", "warning"),
        **BY_COUNTER,
    },
    "alerts_channel": {**among("kind", "email", "telegram"), **among("is_active", "1", "0")},
    "audit_auditentry": {
        "actor": (_entry("actor_label"),),
        "action": ("change", "nothing"),
        "object_type": (_entry("object_type"),),
        "object_id": (_entry("object_id"),),
        "request_id": (_entry("request_id"),),
        "at_from_0": (DAY_BEFORE, DAY_AFTER),
        "at_from_1": ("00:00",),
        "at_to_0": (DAY_BEFORE, DAY_AFTER),
        "at_to_1": ("23:59",),
    },
    "clients_client": BY_COUNTER,
    "counters_apicall": {"outcome": ("ok", "permanent"), **BY_COUNTER, **BY_ACCOUNT},
    "counters_counter": {**BY_ACCOUNT, **among("mode", "simple"), **among("delivery", "every_status", "latest_only")},
    "counters_metricaaccount": among("state", "connected", "disconnected"),
    "goals_goal": BY_COUNTER,
    "goals_mappingversion": BY_COUNTER,
    "hooks_delivery": {
        **related("endpoint", lambda place: OBJECTS[Endpoint](place).pk),
        **among("state", "waiting", "delivered"),
        **among("event__type", "order.held", "test"),
    },
    "hooks_endpoint": among("active", "1", "0"),
    "imports_importjob": {**BY_COUNTER, **among("state", "partly_failed", "failed", "draft", "succeeded")},
    "orders_heldchange": {
        "reason": ("unmapped_status", "by_hand", "counter_paused"),
        "request_id": (lambda place: OBJECTS[HeldChange](place).request_id,),
        **BY_COUNTER,
    },
    "orders_order": {
        "status": ("new", lambda place: f"{place.mark} unknown status"),
        "delivery": ("waiting", "held", "rejected", "closing"),
        "create_date_time_from": (DAY_BEFORE, DAY_AFTER),
        "create_date_time_to": (DAY_BEFORE, DAY_AFTER),
        "client": (lambda place: OBJECTS[Client](place).pk,),
        "without": ("client_id", "phone", "email"),
        "sent_as": tuple(OrderType),
        "goal": (*SystemGoal, OWN, lambda place: OBJECTS[Goal](place).identifier),
        **ON_COUNTERS_CLOCK,
        **BY_COUNTERS,
        **BY_COUNTER,
    },
    "orders_statuschange": {
        "delivery": ("waiting", "held", "rejected"),
        "job": (lambda place: OBJECTS[UploadJob](place).pk,),
        "received_at_from": (DAY_BEFORE, DAY_AFTER),
        "received_at_to": (DAY_BEFORE, DAY_AFTER),
        **ON_COUNTERS_CLOCK,
        **BY_COUNTERS,
        **BY_COUNTER,
    },
    "reports_reportlink": {**among("weekly", "1", "0"), **BY_COUNTER},
    "orders_rejectedchange": {
        "show": ("open", "overtaken", "left"),
        "job": (lambda place: OBJECTS[UploadJob](place).pk,),
        **BY_COUNTER,
    },
    "uploads_uploadjob": {
        "finished_at_from": (DAY_BEFORE, DAY_AFTER),
        "finished_at_to": (DAY_BEFORE, DAY_AFTER),
        **ON_COUNTERS_CLOCK,
        **BY_COUNTERS,
        **BY_COUNTER,
        **among("state", "succeeded", "failed"),
        **among("trigger", "person", "schedule"),
    },
}

# ---- autocompletes that forms use: `model.field`, and who gets answers ----

AUTOCOMPLETES: dict[str, Who] = {
    "hooks_endpoint.counters": EVERYBODY,
}

"""What the log's codes are called for people. The log keeps codes, and so do addresses and exports; who reads it reads
words. An action that has no name here fails a test."""

from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text

ACTIONS: Final[Mapping[str, Text]] = {
    "account.changed": _("Account changed"),
    "account.connected": _("Account connected"),
    "account.disconnected": _("Account disconnected"),
    "account.renewal_failed": _("Token could not be renewed"),
    "account.renewed": _("Token renewed"),
    "account.revoke_failed": _("Yandex could not be told to end the token"),
    "account.revoked": _("Token ended at Yandex"),
    "agency.changed": _("Agency changed"),
    "agency.created": _("Agency created"),
    "alert.muted": _("Alert muted"),
    "alert.unmuted": _("Alert told of again"),
    "alert_channel.changed": _("Alert channel changed"),
    "alert_channel.chat_found": _("Telegram chat found"),
    "alert_channel.created": _("Alert channel created"),
    "alert_channel.deleted": _("Alert channel deleted"),
    "alert_channel.secret_renewed": _("Alert channel's secret renewed"),
    "alert_rules.changed": _("Alert rules changed"),
    "agency.second_step_required": _("Requirement of the second step changed"),
    "api_key.changed": _("API key limited anew"),
    "api_key.created": _("API key created"),
    "api_key.revoked": _("API key revoked"),
    "api_key.rotated": _("API key replaced by a new secret"),
    "api_key.turned_away": _("API key turned away"),
    "audit.exported": _("Audit log exported"),  # of entries that are older than "list.exported"
    "audit.verified": _("Audit log checked"),
    "change.given_up": _("Held status rejected by hand"),
    "change.held": _("Status held by hand"),
    "change.left": _("Rejected status left as it is"),
    "change.released": _("Held status released by hand"),
    "change.retried": _("Rejected status sent again"),
    "client.data_exported": _("What is known of a client taken as a file"),
    "client.erased": _("Client erased"),
    "client.erasure_finished": _("Files gone through after a client was erased"),
    "client.merged": _("Clients merged"),
    "client.resend_requested": _("Client to be sent again"),
    "clients.accepted": _("Clients received"),
    "comparison.failed": _("Reconciliation failed"),
    "comparison.finished": _("Reconciliation finished"),
    "comparison.requested": _("Reconciliation asked for"),
    "counter.attributes_changed": _("Custom attributes changed"),
    "counter.changed": _("Counter's settings changed"),
    "counter.checked": _("Connection checked"),
    "counter.created": _("Counter added"),
    "counter.matching_switched_on": _("Advanced matching switched on"),
    "counter.metrica_changed": _("Counter moved to another Metrica"),
    "counter.mode_switched": _("Counter's mode switched"),
    "counter.paused": _("Counter paused"),
    "counter.products_changed": _("Product catalogue changed"),
    "counter.resumed": _("Counter resumed"),
    "goal.created_at_metrica": _("Goal created at Metrica"),
    "goals.read_from_metrica": _("Goals read from Metrica"),
    "import.cancelled": _("Import stopped"),
    "import.checked": _("File for import checked"),
    "import.received": _("File for import received"),
    "import.started": _("Import started"),
    "installation.restored": _("Installation restored from a backup"),
    "invitation.accepted": _("Invitation accepted"),
    "invitation.sent": _("Invitation sent"),
    "invitation.sent_again": _("Invitation sent again"),
    "invitation.withdrawn": _("Invitation withdrawn"),
    "keys.rotated": _("Encryption keys rotated"),
    "list.export_begun": _("List begun to be exported"),
    "list.exported": _("List exported"),
    "member.added": _("Person added"),
    "member.counters_changed": _("Person's counters changed"),
    "member.password_link": _("Link for a new password made"),
    "member.removed": _("Person removed"),
    "member.role_changed": _("Person's role changed"),
    "member.second_step_reset": _("Person's second step switched off"),
    "metrica.reachable": _("Metrica is reached again"),
    "metrica.unreachable": _("Metrica is not reached"),
    "order.resend_requested": _("Order's current state to be sent again"),
    "orders.accepted": _("Orders received"),
    "orders.imported": _("File of orders imported"),
    "person.backup_codes_renewed": _("Backup codes renewed"),
    "person.changed": _("Person's login changed"),
    "person.locked_out": _("Login locked after wrong passwords"),
    "person.logged_in": _("Logged in"),
    "person.logged_out": _("Logged out"),
    "person.password_chosen": _("Password chosen"),
    "person.second_step_off": _("Second step of logging in switched off"),
    "person.second_step_on": _("Second step of logging in switched on"),
    "person.session_ended": _("Session ended"),
    "receiver.address_changed": _("Receiver's address changed"),
    "receiver.changed": _("Receiver changed"),
    "receiver.created": _("Receiver created"),
    "receiver.deleted": _("Receiver deleted"),
    "receiver.mapped": _("Receiver's fields mapped"),
    "receiver.old_address_ended": _("Receiver's old address ended"),
    "receiver.processed_again": _("CRM's posts processed again"),
    "report.address_renewed": _("Report's address renewed"),
    "report.changed": _("Report changed"),
    "report.created": _("Report created"),
    "report.letter_asked_for": _("Letter with the report asked for"),
    "report.letter_sent": _("Letter with the report sent"),
    "report.letters_stopped": _("Letters with the report stopped"),
    "report.letters_wanted_again": _("Letters with the report wanted again"),
    "report.prolonged": _("Report prolonged"),
    "report.withdrawn": _("Report withdrawn"),
    "report_look.changed": _("Look of reports changed"),
    "retention.applied": _("Kept for long enough and forgotten"),
    "saved_filter.created": _("Filter saved"),
    "saved_filter.deleted": _("Saved filter deleted"),
    "saved_filter.renamed": _("Saved filter renamed"),
    "status.added": _("Status added to the mapping"),
    "status.changed": _("Status changed in the mapping"),
    "status.removed": _("Status taken out of the mapping"),
    "statuses.pushed_to_metrica": _("Statuses sent to Metrica"),
    "statuses.taken_from_metrica": _("Statuses taken from Metrica"),
    "upload.adopted": _("File found at Metrica after all"),
    "upload.came_after_all": _("File came to Metrica after all"),
    "upload.failed": _("File given up"),
    "upload.passed": _("File passed"),
    "upload.recovered": _("File recognised after a restore"),
    "upload.refused": _("File refused by Metrica"),
    "upload.sent_again": _("File sent again"),
    "upload.split": _("Refused file divided"),
    "upload.unknown": _("Outcome of a file unknown"),
    "upload_job.cancelled": _("Upload cancelled"),
    "upload_job.finished": _("Upload finished"),
    "upload_job.requested": _("Upload asked for"),
    "webhook.changed": _("Webhook changed"),
    "webhook.created": _("Webhook created"),
    "webhook.deleted": _("Webhook deleted"),
    "webhook.disabled": _("Webhook switched off after long failure"),
    "webhook.enabled": _("Webhook switched on again"),
    "webhook.given_up": _("Webhook's message given up"),
    "webhook.secret_changed": _("Webhook's secret changed"),
    "webhook.sent_again": _("Webhook's message sent again"),
    "webhook.tried_at_once": _("Webhook tried at once"),
}

SOURCES: Final[Mapping[str, Text]] = {
    "web": _("these pages"),
    "api": _("API"),
    "command": _("command line"),
    "worker": _("worker"),
}

KINDS: Final[Mapping[str, Text]] = {
    "person": _("person"),
    "key": _("API key"),
    "system": _("system"),
    "nobody": _("nobody"),
}

_FIELDS: Final[Mapping[str, Text]] = {
    "about": _("about"),
    "account": _("Metrica account"),
    "active": _("switched on"),
    "addresses": _("addresses"),
    "address": _("address"),
    "advanced_matching": _("advanced matching"),
    "again": _("new message"),
    "at": _("place in the file"),
    "attempt": _("attempt"),
    "attempts": _("attempts"),
    "attributes": _("attributes"),
    "backup_taken_at": _("backup taken"),
    "because": _("because"),
    "both_until": _("both secrets are good until"),
    "broken_at": _("broken at place"),
    "broken_entry": _("broken at entry"),
    "bytes": _("bytes"),
    "cause": _("cause"),
    "candidates": _("files in Metrica's list that fit"),
    "causes": _("causes"),
    "change": _("status change"),
    "changed": _("changed"),
    "changes": _("status changes"),
    "changes_sha256": _("digest of the status changes"),
    "chat_id": _("chat"),
    "chat_title": _("name of the chat"),
    "checked": _("checked"),
    "clients": _("clients"),
    "clients_due_again": _("clients to be sent again"),
    "clients_sha256": _("digest of the clients"),
    "code": _("code"),
    "columns": _("columns"),
    "complete": _("to the end"),
    "counter": _("counter number"),
    "counter_ids": _("only these counters"),
    "counters": _("counters"),
    "crm_key_kept": _("the CRM's key is kept"),
    "created": _("new"),
    "cut": _("filters or search cut short"),
    "days": _("days"),
    "deliveries": _("messages"),
    "delivered": _("delivered"),
    "delivery": _("delivery"),
    "disabled_at": _("switched off"),
    "dry_run": _("only checked"),
    "duplicate": _("duplicate"),
    "duplicate_label": _("duplicate's name"),
    "duplicate_uniq_id": _("duplicate's client id"),
    "event": _("event"),
    "events": _("events"),
    "failing_since": _("fails since"),
    "failures": _("failures"),
    "file": _("file"),
    "files": _("files"),
    "filters": _("filters"),
    "format": _("format"),
    "goal_action_ids": _("goals"),
    "hash": _("hash"),
    "held": _("held"),
    "held_for": _("held because"),
    "holds": _("the chain holds"),
    "host": _("address"),
    "identifiers": _("identifiers"),
    "import": _("import"),
    "is_active": _("active"),
    "is_superuser": _("platform's own staff"),
    "job": _("upload"),
    "jobs": _("uploads"),
    "kind": _("kind"),
    "lookups": _("looked up"),
    "matched": _("matched"),
    "name": _("name"),
    "not_before": _("next attempt"),
    "order_status": _("status"),
    "orders": _("orders"),
    "orders_due_again": _("orders to be sent again"),
    "parts": _("parts"),
    "post": _("post"),
    "posts": _("posts"),
    "prefix": _("prefix"),
    "proof_kept": _("what proves posts is kept"),
    "products": _("products"),
    "quiet_from": _("quiet from"),
    "quiet_to": _("quiet until"),
    "reason": _("reason"),
    "refused_for": _("refused because"),
    "rejected": _("rejected"),
    "rejected_for": _("rejected because"),
    "removed": _("taken out"),
    "renews_itself": _("renews itself"),
    "repeated": _("sent again"),
    "retry_at": _("tried again"),
    "returned": _("gone back to waiting"),
    "rows": _("rows"),
    "rewritten": _("rewritten"),
    "said": _("Metrica's own words"),
    "saved_filters": _("saved filters"),
    "scopes": _("rights granted"),
    "sealed": _("identifiers sealed"),
    "sha256": _("digest of the file"),
    "since": _("since"),
    "source": _("source"),
    "state": _("state"),
    "state_reason": _("why"),
    "time_zone": _("time zone"),
    "told": _("told Metrica"),
    "token_replaced": _("another token before"),
    "tried_again_at": _("tried again"),
    "trigger": _("started by"),
    "unchanged": _("known already"),
    "unreadable": _("no key opens"),
    "until": _("until"),
    "updated": _("new statuses"),
    "uploading_id": _("upload id at Metrica"),
    "uploads": _("files"),
    "urgent_breaks_quiet": _("urgent ones break the quiet"),
    "urgent_only": _("urgent ones only"),
    "url": _("address"),
    "wave": _("wave"),
    "why": _("why"),
}


def action_name(code: str) -> Text:
    return ACTIONS.get(code, code)


def source_name(code: str) -> Text:
    return SOURCES.get(code, code)


def kind_name(code: str) -> Text:
    return KINDS.get(code, code)


def type_name(object_type: str) -> Text:
    """What a model (`counters.counter`) is called; one that is gone, by its code."""
    model = _model(object_type)
    return model._meta.verbose_name if model is not None and model._meta.verbose_name else object_type


def field_name(object_type: str, name: str) -> Text:
    """Of the object's own field, or of what else an entry tells."""
    if (field := _field(object_type, name)) is not None and field.verbose_name != field.name.replace("_", " "):
        return field.verbose_name
    return _FIELDS.get(name, name)


def value_name(object_type: str, name: str, value: Any) -> Any:
    """A value as it is read: one of the field's choices, yes or no, or itself."""
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    field = _field(object_type, name)
    if field is not None and field.choices and isinstance(value, (str, int)):
        return dict(field.flatchoices).get(value, value)
    return SOURCES.get(value, value) if name == "source" and isinstance(value, str) else value


def types() -> list[tuple[str, str]]:
    """Of all models that have a name, as a list to choose from."""
    own = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
    found = {model._meta.label_lower: str(model._meta.verbose_name) for model in own}
    return sorted(found.items(), key=lambda one: one[1].casefold())


def _model(object_type: str) -> type[models.Model] | None:
    try:
        return apps.get_model(object_type)
    except (LookupError, ValueError):
        return None


def _field(object_type: str, name: str) -> Any:
    model = _model(object_type)
    try:
        field = model._meta.get_field(name) if model is not None else None
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, models.Field) else None

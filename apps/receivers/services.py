"""Every write that a person asks for: receivers, their addresses and mappings, posts processed once more."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit import trace
from apps.audit.services import record
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt
from apps.counters.models import Counter
from apps.hooks import door
from apps.hooks.door import DoorClosed
from apps.receivers import addresses, mapping, paths, rounds
from apps.receivers.crm import amocrm
from apps.receivers.crm.calls import CrmRefused, CrmTrouble
from apps.receivers.models import Check, Kind, Post, PostState, Receiver
from apps.receivers.paths import PathError
from apps.receivers.problems import describe

BOTH_ADDRESSES: Final = timedelta(hours=24)
"""For so long the old address opens along with the new one."""

SHORTEST_SECRET: Final = 8
LONGEST_SECRET: Final = 200
MOST_STATUSES: Final = 2000
MOST_ATTRIBUTES: Final = 100
AGAIN_AT_ONCE: Final = 10_000

FIELDS: Final = ("name", "active", "prefix", "check_kind", "check_name")
SECRETS: Final = ("check_secret", "crm_url", "crm_token")


@transaction.atomic
def create_receiver(*, counter: Counter, name: str, kind: str, **fields: Any) -> tuple[Receiver, str]:
    """A new receiver and the secret of its address, which is not shown again. `fields`: as of `update_receiver`.

    Raises ValidationError by field. A CRM's address is checked as it is written; `door.check` tells about the rest.
    """
    receiver = Receiver(counter=counter, kind=kind, name=name.strip(), public_id=addresses.new_public_id())
    secret = addresses.new_secret()
    receiver.secret_hash = addresses.hash_of(secret)
    receiver.created_by = trace.current().actor.label[:255]
    if kind in Kind.values:
        receiver.mapping = mapping.usual(kind)
    _fill(receiver, fields)
    receiver.save()
    record(action="receiver.created", agency=counter.agency_id, obj=receiver, after=_facts(receiver))
    return receiver, secret


@transaction.atomic
def update_receiver(*, receiver: Receiver, statuses: Mapping[str, str] | None = None, **fields: Any) -> Receiver:
    """Change what is given, of FIELDS and SECRETS. A secret that is None stays; an empty one is forgotten."""
    receiver = _locked(receiver)
    before, secrets = _facts(receiver), _secrets(receiver)
    if statuses is not None:
        receiver.statuses = dict(statuses)
    _fill(receiver, fields)
    receiver.save()
    if (after := _facts(receiver)) != before or _secrets(receiver) != secrets:
        record(action="receiver.changed", agency=_agency(receiver), obj=receiver, before=before, after=after)
    return receiver


@transaction.atomic
def delete_receiver(*, receiver: Receiver) -> None:
    """The receiver goes with its log of posts; orders stay."""
    record(action="receiver.deleted", agency=_agency(receiver), obj=receiver, before=_facts(receiver))
    receiver.delete()


@transaction.atomic
def new_address(*, receiver: Receiver, at_once: bool = False) -> str:
    """Another secret for the address, which is returned and not shown again. The old one opens for a day more, unless
    it is to end `at_once`."""
    receiver = _locked(receiver)
    secret = addresses.new_secret()
    until = None if at_once else timezone.now() + BOTH_ADDRESSES
    receiver.old_secret_hash, receiver.old_secret_until = ("" if at_once else receiver.secret_hash), until
    receiver.secret_hash = addresses.hash_of(secret)
    receiver.save(update_fields=["secret_hash", "old_secret_hash", "old_secret_until"])
    record(action="receiver.address_changed", agency=_agency(receiver), obj=receiver, details={"both_until": until})
    return secret


@transaction.atomic
def end_old_address(*, receiver: Receiver) -> bool:
    """The old address opens nothing any more. False where there is none."""
    rows = Receiver.objects.filter(pk=receiver.pk).exclude(old_secret_until=None)
    done = bool(rows.update(old_secret_hash="", old_secret_until=None))
    if done:
        record(action="receiver.old_address_ended", agency=_agency(receiver), obj=receiver)
    return done


@transaction.atomic
def map_fields(*, receiver: Receiver, kept: Mapping[str, Any]) -> Receiver:
    """The paths of the receiver's fields from now on. Raises ValidationError by field; see `checked_mapping`."""
    receiver = _locked(receiver)
    before = receiver.mapping
    receiver.mapping = checked_mapping(kept)
    if receiver.mapping != before:
        receiver.save(update_fields=["mapping"])
        record(
            action="receiver.mapped",
            agency=_agency(receiver),
            obj=receiver,
            before={"mapping": before},
            after={"mapping": receiver.mapping},
        )
    return receiver


def checked_mapping(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping in the form in which it is kept. Raises ValidationError by field."""
    errors: dict[str, list[ValidationError]] = {}
    made: dict[str, Any] = {
        name: _checked_path(str(kept.get(name) or ""), name, errors) for name in (mapping.ORDERS, mapping.EVENT_ID)
    }
    fields = {
        name: path
        for name in mapping.LABELS
        if (path := _checked_path(str(kept.get("fields", {}).get(name) or ""), name, errors))
    }
    for name in mapping.REQUIRED:
        if name not in fields and name not in errors:
            errors[name] = [ValidationError(_("Every order needs this."), code="required")]
    made["fields"] = fields
    for group in ("attributes", "client_attributes"):
        given = kept.get(group, {})
        if len(given) > MOST_ATTRIBUTES:
            errors.setdefault(group, []).append(ValidationError(_("At most 100 attributes."), code="too_many"))
        made[group] = {str(name).strip(): _checked_path(str(path), group, errors) for name, path in given.items()}
    if errors:
        raise ValidationError(errors)
    return made


@transaction.atomic
def process_again(*, post: Post) -> bool:
    """Work on the post once more, by the mapping as it is now. False while it waits for that anyway."""
    done = bool(_again([post]))
    if done:
        details = {"post": str(post.pk), "state": post.state}
        record(action="receiver.processed_again", agency=_agency(post.receiver), obj=post.receiver, details=details)
    return done


@transaction.atomic
def process_many_again(*, posts: Iterable[Post]) -> int:
    """The same for many, of any receivers. Returns how many."""
    of_agency: dict[int, list[Post]] = {}
    for post in posts:
        of_agency.setdefault(_agency(post.receiver), []).append(post)
    done = 0
    for agency, theirs in of_agency.items():
        if number := _again(theirs):
            record(action="receiver.processed_again", agency=agency, details={"posts": number})
            done += number
    return done


@transaction.atomic
def process_held_again(*, receiver: Receiver) -> int:
    """All held posts of the receiver, the oldest first, at most AGAIN_AT_ONCE. Returns how many."""
    held = list(Post.objects.held().filter(receiver=receiver).order_by("pk")[:AGAIN_AT_ONCE])
    done = _again(held)
    if done:
        record(action="receiver.processed_again", agency=_agency(receiver), obj=receiver, details={"posts": done})
    return done


def read_statuses(*, receiver: Receiver) -> dict[str, str]:
    """The names of statuses as amoCRM has them; in posts there are codes alone. Asks the CRM: not within a transaction.
    Raises ValidationError with what is wrong and what to do."""
    try:
        url = decrypt(receiver.crm_url_encrypted) if receiver.crm_url_encrypted else ""
        token = decrypt(receiver.crm_token_encrypted) if receiver.crm_token_encrypted else ""
        if not (url and token):
            raise CrmRefused("not_set_up")
        found = amocrm.stages(url, token)
    except UnreadableSecret:
        raise _as_error("unreadable_secret") from None
    except CrmTrouble as trouble:
        raise _as_error(trouble.code, trouble.detail) from None
    return found


def _as_error(code: str, detail: str = "") -> ValidationError:
    problem = describe(code)
    assert problem is not None
    said = f" ({detail})" if detail else ""
    return ValidationError(f"{problem.message}{said} {problem.step}", code=code)


def masked_url(receiver: Receiver) -> str:
    """Enough of the CRM's address to know it again, without the secret in it. Empty where there is none."""
    if not receiver.crm_url_encrypted:
        return ""
    try:
        parts = urlsplit(decrypt(receiver.crm_url_encrypted))
    except UnreadableSecret:
        return "•••"
    secret = "/rest/…" if receiver.kind == Kind.BITRIX24 else ""
    return f"{parts.scheme}://{parts.netloc}{secret}"


def _again(posts: list[Post]) -> int:
    rows: QuerySet[Post] = Post.objects.filter(pk__among=[post.pk for post in posts])
    settled = rows.exclude(state=PostState.WAITING)
    done = settled.update(
        state=PostState.WAITING,
        tries=0,
        not_before=None,
        failing_since=None,
        finished_at=None,
        error_code="",
        error_detail="",
    )
    if done:
        rounds.WORKING.wake_after_commit()
    return done


def _locked(receiver: Receiver) -> Receiver:
    rows = Receiver.objects.select_for_update(of=("self",)).select_related("counter__agency")
    return rows.get(pk=receiver.pk)


def _agency(receiver: Receiver) -> int:
    return receiver.counter.agency_id


def _fill(receiver: Receiver, fields: Mapping[str, Any]) -> None:
    """Raises ValidationError with all complaints by field."""
    if unknown := set(fields) - set(FIELDS) - set(SECRETS):
        raise TypeError(f"a receiver has no {unknown}")
    for name in FIELDS:
        if (value := fields.get(name)) is not None:
            setattr(receiver, name, value.strip() if isinstance(value, str) else value)
    errors: dict[str, list[ValidationError]] = {}
    address, had_token = _kept_url(receiver), bool(receiver.crm_token_encrypted)
    for name in SECRETS:
        if (value := fields.get(name)) is not None:
            _take_secret(receiver, name, value.strip(), errors)
    if had_token and _kept_url(receiver) != address and not fields.get("crm_token"):
        # It was given for the address that was there: nobody gets it sent to another one.
        receiver.crm_token_encrypted = ""
        if receiver.crm_url_encrypted and fields.get("crm_token") is None:
            message = _(
                "The address is another one: write its token as well. The kept one is sent to the old one only."
            )
            errors["crm_token"] = [ValidationError(message, code="other_address")]
    _check(receiver, errors)
    if errors:
        raise ValidationError(errors)


def _kept_url(receiver: Receiver) -> str | None:
    """None where no key opens it any more: then it is the same as no other."""
    try:
        return decrypt(receiver.crm_url_encrypted) if receiver.crm_url_encrypted else ""
    except UnreadableSecret:
        return None


def _take_secret(receiver: Receiver, name: str, text: str, errors: dict[str, list[ValidationError]]) -> None:
    try:
        if text and name == "crm_url":
            text = _checked_url(receiver, text)
        elif text and name == "crm_token" and (len(text) > 5000 or not text.isascii() or " " in text):
            raise ValidationError(_("This is no token: it holds spaces or other signs."), code="bad_secret")
        elif text and name == "check_secret" and not _is_secret(text):
            message = _("A secret is 8 to 200 printable ASCII characters without spaces.")
            raise ValidationError(message, code="bad_secret")
    except ValidationError as error:
        errors[name] = error.error_list
        return
    setattr(receiver, f"{name}_encrypted", encrypt(text) if text else "")


def _is_secret(text: str) -> bool:
    fits = SHORTEST_SECRET <= len(text) <= LONGEST_SECRET
    return fits and text.isascii() and text.isprintable() and " " not in text


def _checked_url(receiver: Receiver, text: str) -> str:
    try:
        door.check_text(text)
    except DoorClosed as closed:
        raise ValidationError(str(closed), code=closed.code) from None
    parts = urlsplit(text)
    if receiver.kind == Kind.BITRIX24:
        pieces = [piece for piece in parts.path.split("/") if piece]
        # People copy the address of a method: `…/rest/1/abc/profile.json`.
        if "rest" not in pieces or len(pieces) < pieces.index("rest") + 3 or parts.query:
            message = _("Write the address of an incoming webhook, like https://portal.bitrix24.ru/rest/1/abc123/.")
            raise ValidationError(message, code="bad_rest_address")
        kept = "/".join(pieces[: pieces.index("rest") + 3])
        return f"{parts.scheme}://{parts.netloc}/{kept}/"
    return f"{parts.scheme}://{parts.netloc}"


def _check(receiver: Receiver, errors: dict[str, list[ValidationError]]) -> None:
    def complain(field: str, message: Any, code: str) -> None:
        errors.setdefault(field, []).append(ValidationError(message, code=code))

    same_name = Receiver.objects.filter(counter=receiver.counter_id, name=receiver.name).exclude(pk=receiver.pk)
    if not receiver.name:
        complain("name", _("Give it a name."), "required")
    elif len(receiver.name) > 100:
        complain("name", _("A name has 100 characters at most."), "max_length")
    elif same_name.exists():
        complain("name", _("The counter has a receiver of this name already. Choose another name."), "duplicate")
    if receiver.kind not in Kind.values:
        complain("kind", _("Choose one of the CRMs."), "invalid_choice")
    if len(receiver.prefix) > 20:
        complain("prefix", _("At most 20 characters."), "max_length")
    if receiver.kind == Kind.GENERIC and receiver.check_kind not in ("", Check.NONE):
        if not receiver.check_name:
            complain("check_name", _("Say how the header or the parameter is called."), "required")
        elif not receiver.check_name.isascii() or any(mark in receiver.check_name for mark in " :=&?\r\n"):
            complain("check_name", _("A name of letters, digits and dashes is meant here."), "invalid")
        if not receiver.check_secret_encrypted and "check_secret" not in errors:
            complain("check_secret", _("Write the secret that the CRM sends or signs with."), "required")
    if len(receiver.statuses) > MOST_STATUSES:
        complain("statuses", _("At most 2,000 statuses."), "too_many")
    for code, name in receiver.statuses.items():
        if not code.strip() or not name.strip() or len(code) > 255 or len(name) > 255:
            complain("statuses", _("Write a line as “code = name”, of at most 255 characters each."), "invalid")
            break


def _checked_path(text: str, field: str, errors: dict[str, list[ValidationError]]) -> str:
    text = text.strip()
    if text:
        try:
            paths.read(text)
        except PathError as error:
            errors.setdefault(field, []).append(ValidationError(str(error.message), code="bad_path"))
    return text


def _facts(receiver: Receiver) -> dict[str, Any]:
    """What it is set to, for the log: of secrets, whether there are any."""
    return {
        "name": receiver.name,
        "kind": receiver.kind,
        "counter": receiver.counter.metrica_id,
        "active": receiver.active,
        "prefix": receiver.prefix,
        "check_kind": receiver.check_kind,
        "check_name": receiver.check_name,
        "proof_kept": bool(receiver.check_secret_encrypted),
        "url": masked_url(receiver),
        "crm_key_kept": bool(receiver.crm_token_encrypted),
        "statuses": len(receiver.statuses),
    }


def _secrets(receiver: Receiver) -> tuple[Any, ...]:
    return (
        receiver.check_secret_encrypted,
        receiver.crm_url_encrypted,
        receiver.crm_token_encrypted,
        tuple(receiver.statuses.items()),
    )

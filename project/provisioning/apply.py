"""Brings the database to what a provision file says, through the services, and tells each difference."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.agencies.actor import Actor
from apps.agencies.keys import find as find_key
from apps.agencies.models import Agency, ApiKey, Membership, Role, User
from apps.agencies.networks import checked_networks
from apps.agencies.services import (
    add_member,
    change_api_key,
    change_member,
    create_agency,
    create_api_key,
    revoke_api_key,
    update_agency,
)
from apps.audit import trace
from apps.counters.declaring import set_attributes, set_products
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.services import connect_account, create_counter, update_account, update_counter
from apps.goals.models import StatusMapping
from apps.goals.services import replace_statuses
from apps.hooks.models import SUBSCRIBABLE, Endpoint
from apps.hooks.services import create_endpoint, new_secret, update_endpoint
from apps.uploads.modes import switch_mode
from project.provisioning.document import Account, AgencyEntry, CounterEntry, Key, Person, ProvisionError, Webhook


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was made or changed. `secret` is a new API key or secret, to be shown once."""

    sign: str  # "+" made, "~" changed
    what: str
    secret: str = ""


def _actor() -> Actor:
    """Whoever runs the command; the audit log names them."""
    return trace.current().actor


class _RolledBack(Exception):
    pass


def apply(entries: list[AgencyEntry], *, dry_run: bool = False) -> list[Difference]:
    """All or nothing. With `dry_run` the same is done and rolled back. Raises ProvisionError."""
    differences: list[Difference] = []
    try:
        with transaction.atomic():
            for entry in entries:
                differences.extend(_agency(entry))
            if dry_run:
                raise _RolledBack
    except _RolledBack:
        pass
    return differences


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        if hasattr(error, "error_dict"):
            problems = [f"{place}: {name}: {text}" for name, texts in error.message_dict.items() for text in texts]
        else:
            problems = [f"{place}: {text}" for text in error.messages]
        raise ProvisionError(problems) from error


def _agency(entry: AgencyEntry) -> Iterator[Difference]:
    with _at(f"agency {entry.slug}"):
        agency = Agency.objects.filter(slug=entry.slug).first()
        if agency is None:
            agency = create_agency(actor=_actor(), slug=entry.slug, name=entry.name)
            yield Difference("+", f"agency {entry.slug}")
        elif agency.name != entry.name:
            yield Difference("~", f"agency {entry.slug}: name {agency.name!r} → {entry.name!r}")
            update_agency(actor=_actor(), agency=agency, name=entry.name)
    for person in entry.people:
        yield from _person(agency, person)
    for account in entry.accounts:
        yield from _account(agency, account)
    for counter in entry.counters:
        yield from _counter(agency, counter)
    for key in entry.api_keys:
        yield from _key(agency, key)
    for webhook in entry.webhooks:
        yield from _webhook(agency, webhook)


def _person(agency: Agency, person: Person) -> Iterator[Difference]:
    place = f"{agency.slug}: person {person.email}"
    with _at(place):
        membership = Membership.objects.filter(agency=agency, user=User.objects.by_email(person.email)).first()
        if membership is None:
            add_member(
                actor=_actor(),
                agency=agency,
                email=person.email,
                role=person.role,
                password=person.password,
                name=person.name,
            )
            yield Difference("+", f"{place} ({person.role})")
        elif membership.role != person.role:
            yield Difference("~", f"{place}: role {membership.role} → {person.role}")
            limit = None if person.role == Role.OWNER else membership.counter_ids
            change_member(actor=_actor(), member=membership, role=person.role, counter_ids=limit)


def _account(agency: Agency, account: Account) -> Iterator[Difference]:
    place = f"{agency.slug}: account {account.login}"
    with _at(place):
        known = MetricaAccount.objects.filter(agency=agency, login=account.login).first()
        if known is not None and known.renews_itself and known.state == AccountState.CONNECTED:
            return  # a person has connected it since: its token is another one by now, and a better one
        if (
            known is None
            or known.state != AccountState.CONNECTED
            or not _is_secret(known.token_encrypted, account.token)
        ):
            connect_account(agency=agency, login=account.login, token=account.token, base_url=account.base_url)
            yield Difference("~" if known else "+", f"{place}: connected" if known else place)
        elif known.base_url != account.base_url.rstrip("/"):
            yield Difference("~", f"{place}: address {known.base_url!r} → {account.base_url!r}")
            update_account(account=known, login=account.login, base_url=account.base_url)


def _is_secret(encrypted: str, text: str) -> bool:
    try:
        return decrypt(encrypted) == text
    except UnreadableSecret:
        return False


def _counter(agency: Agency, entry: CounterEntry) -> Iterator[Difference]:
    place = f"{agency.slug}: counter {entry.metrica_id}"
    account = MetricaAccount.objects.filter(agency=agency, login=entry.account).first() if entry.account else None
    with _at(place):
        counter = Counter.objects.filter(agency=agency, metrica_id=entry.metrica_id).first()
        if counter is None:
            counter = create_counter(
                agency=agency, metrica_id=entry.metrica_id, name=entry.name, account=account, **entry.settings
            )
            yield Difference("+", place)
        else:
            wanted: dict[str, Any] = {**entry.settings, "name": entry.name}
            if entry.account is not None:
                wanted["account"] = account
            before = {name: getattr(counter, name) for name in wanted}
            if (mode := wanted.pop("mode", None)) is not None:
                switch_mode(counter=counter, mode=mode)
            counter = update_counter(counter=counter, **wanted)
            for name, old in before.items():
                if getattr(counter, name) != old:
                    yield Difference("~", f"{place}: {name} {old!s} → {getattr(counter, name)!s}")
        if entry.statuses is not None:
            known = set(StatusMapping.objects.filter(counter=counter).values_list("crm_status", flat=True))
            done = replace_statuses(counter=counter, statuses=entry.statuses)
            if done["changed"] or done["removed"]:
                sign = "~" if known else "+"
                yield Difference(sign, f"{place}: {done['changed']} statuses set, {done['removed']} removed")
        if entry.attributes is not None and set_attributes(counter=counter, attributes=entry.attributes):
            yield Difference("~", f"{place}: {len(entry.attributes)} custom attributes set")
        if entry.products is not None:
            done = set_products(counter=counter, products=entry.products)
            if done["changed"] or done["removed"]:
                yield Difference("~", f"{place}: {done['changed']} products set, {done['removed']} removed")


def _sorted(numbers: list[int] | None) -> list[int] | None:
    return None if numbers is None else sorted(numbers)


def _told(networks: list[str] | None) -> str:
    return "anywhere" if networks is None else ", ".join(networks)


def _key(agency: Agency, entry: Key) -> Iterator[Difference]:
    place = f"{agency.slug}: API key {entry.name}"
    with _at(place):
        known = ApiKey.objects.current().filter(agency=agency, name=entry.name).first()
        networks = checked_networks(entry.networks)
        if known is not None:
            same = entry.secret is None or _is_of(known, entry.secret)
            limits = None if entry.counters is None else sorted(entry.counters)
            if same and set(known.scopes) == set(entry.scopes) and _sorted(known.counter_ids) == limits:
                yield from _limited(known, networks, place)
                return
            if same and entry.secret is not None:
                problem = "its rights differ, and the same secret cannot be given to another key. Set a new secret."
                raise ProvisionError([f"{place}: {problem}"])
            revoke_api_key(actor=_actor(), key=known)
        expires = datetime.combine(entry.expires, time.max, UTC) if entry.expires else None
        _made, secret = create_api_key(
            actor=_actor(),
            agency=agency,
            name=entry.name,
            scopes=entry.scopes,
            counter_ids=entry.counters,
            networks=networks,
            expires_at=expires,
            secret=entry.secret,
        )
        what = f"{place}: replaced" if known else place
        yield Difference("~" if known else "+", what, secret="" if entry.secret else secret)


def _is_of(known: ApiKey, secret: str) -> bool:
    """Whether this is the key's secret, or one that it took the place of: what was rotated since stays rotated."""
    found = find_key(secret)
    if found is None or found == known:
        return found is not None
    is_before = found.replaced_by_id is not None and found.pk < known.pk and found.revoked_at is None
    return is_before and (found.agency_id, found.name) == (known.agency_id, known.name)


def _limited(known: ApiKey, networks: list[str] | None, place: str) -> Iterator[Difference]:
    older = ApiKey.objects.still_open_before(known)
    if known.networks != networks:
        yield Difference("~", f"{place}: networks {_told(known.networks)} → {_told(networks)}")
    elif any(one.networks != networks for one in older):
        yield Difference("~", f"{place}: networks of an older secret → {_told(networks)}")
    else:
        return
    change_api_key(actor=_actor(), key=known, networks=networks, expires_at=known.expires_at)


def _webhook(agency: Agency, entry: Webhook) -> Iterator[Difference]:
    place = f"{agency.slug}: webhook {entry.name}"
    counters = list(Counter.objects.filter(agency=agency, metrica_id__in=entry.counters))
    if unknown := set(entry.counters) - {counter.metrica_id for counter in counters}:
        raise ProvisionError([f"{place}: unknown counters {', '.join(map(str, sorted(unknown)))}."])
    events = [kind.value for kind in SUBSCRIBABLE] if entry.events is None else entry.events
    with _at(place):
        known = Endpoint.objects.filter(agency=agency, name=entry.name).first()
        if known is None:
            _made, secret = create_endpoint(
                agency=agency, name=entry.name, url=entry.url, events=events, counters=counters, secret=entry.secret
            )
            yield Difference("+", place, secret="" if entry.secret else secret)
            return
        before = _webhook_facts(known)
        after = _webhook_facts(update_endpoint(endpoint=known, url=entry.url, events=events, counters=counters))
        for name, old in before.items():
            if after[name] != old:
                yield Difference("~", f"{place}: {name} {old} → {after[name]}")
        if entry.secret is not None and not _is_secret(known.secret_encrypted, entry.secret):
            new_secret(endpoint=known, secret=entry.secret)
            yield Difference("~", f"{place}: secret changed")


def _webhook_facts(endpoint: Endpoint) -> dict[str, Any]:
    numbers = sorted(endpoint.counters.values_list("metrica_id", flat=True))
    return {"address": endpoint.url, "events": endpoint.events, "counters": numbers or "all"}

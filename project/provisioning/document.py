"""Reads and checks a provision file. All that is wrong is found in one pass, each with its place in the file."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any


class ProvisionError(Exception):
    """The file cannot be used; `problems` are sentences with the place in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Person:
    email: str
    role: str
    password: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    scopes: tuple[str, ...]
    secret: str | None
    counters: tuple[int, ...] | None
    networks: tuple[str, ...] | None
    expires: date | None


@dataclass(frozen=True, slots=True)
class Account:
    login: str
    token: str
    base_url: str


@dataclass(frozen=True, slots=True)
class CounterEntry:
    metrica_id: int
    account: str | None
    name: str
    settings: dict[str, Any]
    statuses: list[dict[str, Any]] | None
    attributes: list[dict[str, Any]] | None = None
    products: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    name: str
    url: str
    secret: str | None
    events: tuple[str, ...] | None
    counters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AgencyEntry:
    slug: str
    name: str
    people: list[Person] = field(default_factory=list)
    api_keys: list[Key] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    counters: list[CounterEntry] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)


class _Table:
    """One table of the file: hands out values of the wanted kind and notes what is wrong."""

    def __init__(self, value: Any, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = problems
        self._left: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            problems.append(f"{where}: must be a table.")

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None, *, required: bool = False) -> Any:
        if key not in self._left:
            if required:
                self.problems.append(f"{self.where}: `{key}` is missing.")
            return default
        value = self._left.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            wanted = kind.__name__ if isinstance(kind, type) else " or ".join(one.__name__ for one in kind)
            self.problems.append(f"{self.where}: `{key}` must be of type {wanted}, not {type(value).__name__}.")
            return default
        return value

    def text_list(self, key: str) -> tuple[str, ...] | None:
        values = self.take(key, list)
        if values is not None and not all(isinstance(one, str) for one in values):
            self.problems.append(f"{self.where}: `{key}` must be a list of texts.")
            return None
        return None if values is None else tuple(values)

    def secret(self, key: str, environment: Mapping[str, str], *, required: bool = False) -> str | None:
        """The value of the environment variable that `key` names; secrets themselves never stand in the file."""
        variable = self.take(key, str, required=required)
        if variable is None:
            return None
        value = environment.get(variable, "")
        if not value:
            self.problems.append(f"{self.where}: the environment variable {variable} (`{key}`) is not set.")
        return value or None

    def tables(self, key: str) -> list["_Table"]:
        values = self.take(key, list, [])
        return [_Table(value, f"{self.where}.{key}[{n}]", self.problems) for n, value in enumerate(values)]

    def finish(self) -> None:
        self.problems.extend(f"{self.where}: unknown key `{key}`." for key in self._left)


def load(path: Path, *, environment: Mapping[str, str] = os.environ) -> list[AgencyEntry]:
    """The checked content of the file. Raises ProvisionError with everything that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ProvisionError([f"{path}: there is no such file."]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionError([f"{path}: cannot be read as UTF-8 text ({error})."]) from error
    except tomllib.TOMLDecodeError as error:
        raise ProvisionError([f"{path}: no valid TOML: {error}."]) from error
    problems: list[str] = []
    root = _Table(document, path.name, problems)
    agencies = [_agency(table, environment) for table in root.tables("agencies")]
    root.finish()
    if not agencies and not problems:
        problems.append(f"{path.name}: no [[agencies]] in it.")
    if problems:
        raise ProvisionError(problems)
    return agencies


def _agency(table: _Table, environment: Mapping[str, str]) -> AgencyEntry:
    slug = table.take("slug", str, "", required=True)
    entry = AgencyEntry(
        slug=slug,
        name=table.take("name", str, slug),
        people=[_person(one, environment) for one in table.tables("people")],
        api_keys=[_key(one, environment) for one in table.tables("api_keys")],
        accounts=[_account(one, environment) for one in table.tables("accounts")],
        counters=[_counter(one) for one in table.tables("counters")],
        webhooks=[_webhook(one, environment) for one in table.tables("webhooks")],
    )
    known = {account.login for account in entry.accounts}
    for counter in entry.counters:
        if counter.account is not None and counter.account not in known:
            table.problems.append(
                f"{table.where}: counter {counter.metrica_id} names the unknown account `{counter.account}`."
            )
    table.finish()
    return entry


def _person(table: _Table, environment: Mapping[str, str]) -> Person:
    person = Person(
        email=table.take("email", str, "", required=True),
        role=table.take("role", str, "", required=True),
        password=table.secret("password_env", environment),
        name=table.take("name", str, ""),
    )
    if person.role not in ("owner", "manager", "analyst"):
        table.problems.append(f"{table.where}: `role` must be owner, manager or analyst.")
    table.finish()
    return person


def _key(table: _Table, environment: Mapping[str, str]) -> Key:
    counters = table.take("counters", list)
    scopes = table.text_list("scopes") or ("read",)
    if not set(scopes) <= {"read", "write"}:
        table.problems.append(f"{table.where}: `scopes` may hold read and write only.")
    key = Key(
        name=table.take("name", str, "", required=True),
        scopes=scopes,
        secret=table.secret("secret_env", environment),
        counters=None if counters is None else tuple(counters),
        networks=table.text_list("networks"),
        expires=table.take("expires", date),
    )
    table.finish()
    return key


def _webhook(table: _Table, environment: Mapping[str, str]) -> Webhook:
    webhook = Webhook(
        name=table.take("name", str, "", required=True),
        url=table.take("url", str, "", required=True),
        secret=table.secret("secret_env", environment),
        events=table.text_list("events"),
        counters=tuple(table.take("counters", list, [])),
    )
    table.finish()
    return webhook


def _account(table: _Table, environment: Mapping[str, str]) -> Account:
    account = Account(
        login=table.take("login", str, "", required=True),
        token=table.secret("token_env", environment, required=True) or "",
        base_url=table.take("base_url", str, ""),
    )
    table.finish()
    return account


def _counter(table: _Table) -> CounterEntry:
    metrica_id = table.take("metrica_id", int, 0, required=True)
    names = (("site", str), ("time_zone", str), ("mode", str), ("delivery", str), ("schedule", str), ("currency", str))
    settings = {name: table.take(name, kind) for name, kind in names}
    settings["hash_identifiers"] = table.take("hash_identifiers", bool)
    for name in ("wave_pause_seconds", "keep_files_days", "keep_people_days"):
        settings[name] = table.take(name, int)
    statuses = None
    if "statuses" in table._left:
        statuses = [_status(one) for one in table.tables("statuses")]
    attributes = [_attribute(one) for one in table.tables("attributes")] if "attributes" in table._left else None
    products = [_product(one) for one in table.tables("products")] if "products" in table._left else None
    counter = CounterEntry(
        metrica_id=metrica_id,
        account=table.take("account", str),
        name=table.take("name", str, str(metrica_id)),
        settings={name: value for name, value in settings.items() if value is not None},
        statuses=statuses,
        attributes=attributes,
        products=products,
    )
    table.finish()
    return counter


def _status(table: _Table) -> dict[str, Any]:
    status = {
        "crm_status": table.take("crm_status", str, "", required=True),
        "type": table.take("type", str, "", required=True),
        "name": table.take("name", str, ""),
        "metrica_id": table.take("metrica_id", str, ""),
        "goal_action_ids": list(table.text_list("goals") or ()),
    }
    table.finish()
    return status


def _attribute(table: _Table) -> dict[str, Any]:
    attribute = {
        "entity": table.take("entity", str, "", required=True),
        "name": table.take("name", str, "", required=True),
        "type": table.take("type", str, ""),
        "multivalued": table.take("multivalued", bool, False),
        "humanized": table.take("humanized", str, ""),
    }
    table.finish()
    return attribute


def _product(table: _Table) -> dict[str, Any]:
    product = {
        "name": table.take("name", str, "", required=True),
        "humanized": table.take("humanized", str, ""),
    }
    table.finish()
    return product

"""amoCRM and Kommo: their webhooks hold the deals as they were at that moment; contacts and names of stages are read
where the agency gives a long-lived token.

Documentation: amocrm.ru/developers, “Webhooks: format of what is sent”, `/api/v4/leads/{id}?with=contacts`,
`/api/v4/contacts`, `/api/v4/leads/pipelines`.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from apps.receivers.crm import calls
from apps.receivers.crm.calls import CrmRefused, NotThere

ACTIONS: Final = ("add", "update", "status", "responsible", "restore")
MOST_CONTACTS: Final = 10
_CLOUDS: Final = (".amocrm.ru", ".amocrm.com", ".kommo.com")


def leads_of(document: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """(what happened, deal) of all deals in the post that have a status."""
    leads = document.get("leads") if isinstance(document, Mapping) else None
    if not isinstance(leads, Mapping):
        return []
    found = []
    for action in ACTIONS:
        items = leads.get(action)
        items = list(items.values()) if isinstance(items, Mapping) else items if isinstance(items, list) else []
        found += [
            (action, item)
            for item in items
            if isinstance(item, Mapping) and item.get("id") and (item.get("status_id") or action != "responsible")
        ]
    return found


def documents(document: Any, *, url: str = "", token: str = "") -> list[dict[str, Any]]:
    """One of each deal; empty where the post is about something else. `url` and `token`: of the account; without them
    nothing is read and no contacts are known.

    Raises CrmSilent, CrmRefused. Not within a transaction.
    """
    leads = leads_of(document)
    if not leads:
        return []
    account = document.get("account") if isinstance(document.get("account"), Mapping) else {}
    _check_account(account, url)
    contacts: dict[str, list[Any]] = {}
    made = []
    for action, lead in leads:
        key = str(lead["id"])
        if url and token and key not in contacts:
            contacts[key] = _contacts(url, token, key)
        made.append(
            {
                "action": action,
                "lead": dict(lead),
                "status": {"code": f"{lead.get('pipeline_id') or ''}:{lead.get('status_id') or ''}".strip(":")},
                "contacts": contacts.get(key, []),
                "account": dict(account),
            }
        )
    return made


def stages(url: str, token: str) -> dict[str, str]:
    """All statuses of all pipelines: `pipeline:status` and name. One call."""
    answer = calls.get(_address(url, "leads/pipelines"), headers=_bearer(token)) or {}
    found: dict[str, str] = {}
    pipelines = _embedded(answer, "pipelines")
    for pipeline in pipelines:
        for status in _embedded(pipeline, "statuses"):
            name = str(status.get("name") or "")
            # The same stage may be called the same in each pipeline: then it is named with its pipeline.
            shared = len(pipelines) > 1
            found[f"{pipeline['id']}:{status['id']}"] = f"{pipeline.get('name')}: {name}" if shared else name
    return found


def _contacts(url: str, token: str, lead: str) -> list[dict[str, Any]]:
    try:
        read = calls.get(_address(url, f"leads/{lead}", {"with": "contacts"}), headers=_bearer(token)) or {}
    except NotThere:
        return []
    links = sorted(_embedded(read, "contacts"), key=lambda item: not item.get("is_main"))[:MOST_CONTACTS]
    if not links:
        return []
    keys = [str(item["id"]) for item in links]
    wanted = {f"filter[id][{at}]": key for at, key in enumerate(keys)}
    try:
        answer = calls.get(_address(url, "contacts", wanted), headers=_bearer(token)) or {}
    except NotThere:
        return []
    known = {str(item["id"]): item for item in _embedded(answer, "contacts")}
    return [_contact(known[key]) for key in keys if key in known]


def _contact(read: Mapping[str, Any]) -> dict[str, Any]:
    fields = [one for one in read.get("custom_fields_values") or [] if isinstance(one, Mapping)]

    def values(code: str) -> list[str]:
        return [
            str(value["value"])
            for one in fields
            if one.get("field_code") == code
            for value in one.get("values") or []
            if isinstance(value, Mapping) and value.get("value")
        ]

    return {
        "id": read["id"],
        "name": read.get("name") or "",
        "phones": values("PHONE"),
        "emails": values("EMAIL"),
        "custom_fields": fields,
    }


def _embedded(content: Any, name: str) -> list[Any]:
    inner = content.get("_embedded") if isinstance(content, Mapping) else None
    items = inner.get(name) if isinstance(inner, Mapping) else None
    return [item for item in items or [] if isinstance(item, Mapping) and item.get("id")]


def _address(url: str, path: str, query: Mapping[str, str] | None = None) -> str:
    tail = f"?{urlencode(query)}" if query else ""
    return f"{url.rstrip('/')}/api/v4/{path}{tail}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _check_account(account: Mapping[str, Any], url: str) -> None:
    """An id of one account means another deal in another."""
    posts = str(account.get("subdomain") or "").lower()
    reads = (urlsplit(url).hostname or "").lower()
    if posts and reads.endswith(_CLOUDS) and reads.partition(".")[0] != posts:
        raise CrmRefused("other_portal", posts)

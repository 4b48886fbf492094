"""Bitrix24: its outgoing webhook says that a deal was added or changed and names it; all else is read.

The deal is read as it is now. That may be newer than what the post tells of: then its own times say so, and the post
that follows finds nothing new (R3). Documentation: apidocs.bitrix24.ru, `onCrmDealUpdate`, `crm.deal.get`,
`crm.deal.contact.items.get`, `crm.contact.get`, `crm.status.list`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.cache import cache

from apps.receivers.crm import calls
from apps.receivers.crm.calls import CrmRefused, NotThere

EVENTS: Final = frozenset({"ONCRMDEALADD", "ONCRMDEALUPDATE"})
MOST_CONTACTS: Final = 10
STATUSES_KEPT: Final = 600
"""Seconds for which names of stages are remembered; one that is not among them is asked for at once."""


def deal_of(document: Any) -> str:
    """The id of the deal that the post is about; empty where it is about something else."""
    if not isinstance(document, Mapping) or str(document.get("event", "")).upper() not in EVENTS:
        return ""
    data = document.get("data")
    fields = data.get("FIELDS") if isinstance(data, Mapping) else None
    found = str(fields.get("ID", "")).strip() if isinstance(fields, Mapping) else ""
    return found if found.isascii() and found.isdecimal() and len(found) < 20 else ""


def read(document: Any, *, url: str) -> dict[str, Any]:
    """The deal of the post with its contacts and the name of its stage. `url`: of the portal's REST, with its secret.

    Raises CrmSilent, CrmRefused, NotThere. A handful of calls; not within a transaction.
    """
    deal_id = deal_of(document)
    _check_portal(document, url)
    deal = _call(url, "crm.deal.get", {"id": deal_id})
    if not isinstance(deal, Mapping):
        raise NotThere
    asked = (_if_there(url, "crm.contact.get", {"id": key}) for key in _contact_ids(url, deal_id))
    contacts = [contact for contact in asked if contact]
    company: Any = None
    if not contacts and str(deal.get("COMPANY_ID") or "0") != "0":
        company = _if_there(url, "crm.company.get", {"id": str(deal["COMPANY_ID"])})
    code = str(deal.get("STAGE_ID") or "")
    return {
        "event": document.get("event"),
        "ts": document.get("ts"),
        "deal": dict(deal),
        "status": {"code": code, "name": _stage_name(url, deal, code)},
        "contacts": contacts,
        "company": company,
    }


def _contact_ids(url: str, deal_id: str) -> list[str]:
    items = _if_there(url, "crm.deal.contact.items.get", {"id": deal_id})
    links = [item for item in items or [] if isinstance(item, Mapping) and item.get("CONTACT_ID")]
    links.sort(key=lambda item: (item.get("IS_PRIMARY") != "Y", int(str(item.get("SORT") or 0))))
    return [str(item["CONTACT_ID"]) for item in links[:MOST_CONTACTS]]


def _stage_name(url: str, deal: Mapping[str, Any], code: str) -> str:
    category = str(deal.get("CATEGORY_ID") or "0")
    entity = "DEAL_STAGE" if category == "0" else f"DEAL_STAGE_{category}"
    key = f"receivers:stages:{hashlib.sha256(url.encode()).hexdigest()[:32]}:{entity}"
    known: dict[str, str] | None = cache.get(key)
    if known is None or code not in known:
        items = _call(url, "crm.status.list", {"order": {"SORT": "ASC"}, "filter": {"ENTITY_ID": entity}})
        known = {str(item["STATUS_ID"]): str(item.get("NAME") or "") for item in items or []}
        cache.set(key, known, STATUSES_KEPT)
    return known.get(code, "")


def _call(url: str, method: str, parameters: Mapping[str, Any]) -> Any:
    answer = calls.post(_method(url, method), parameters)
    if not isinstance(answer, Mapping) or "result" not in answer:
        raise calls.CrmSilent("crm_answer", method)
    return answer["result"]


def _if_there(url: str, method: str, parameters: Mapping[str, Any]) -> Any:
    """None for what was deleted since. A deal goes on without it; without the right to read it, a person is asked."""
    try:
        return _call(url, method, parameters)
    except NotThere:
        return None


def _method(url: str, method: str) -> str:
    return f"{url.rstrip('/')}/{method}.json"


def _check_portal(document: Mapping[str, Any], url: str) -> None:
    """An id of one portal means another deal in another. Only of the cloud the name is sure."""
    auth = document.get("auth")
    posts = str(auth.get("domain", "")).lower() if isinstance(auth, Mapping) else ""
    reads = (urlsplit(url).hostname or "").lower()
    if posts and ".bitrix24." in reads and posts.partition(":")[0] != reads:
        raise CrmRefused("other_portal", posts)

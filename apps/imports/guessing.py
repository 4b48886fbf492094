"""Which column a header most likely names: as the counter's last file had it, else by the words that CRMs use."""

import re
from collections.abc import Collection, Mapping, Sequence

from apps.imports.columns import KNOWN, attribute_column, report_width

# Headers as exports write them; case and signs do not matter.
_NAMES: dict[str, str] = {
    "id": (
        "order id|order number|deal id|lead id|number|order|номер|номер заказа|номер сделки|заказ|id заказа|id сделки|"
        "ид заказа|ид сделки|id лида|№|№ заказа|код заказа"
    ),
    "create_date_time": (
        "created|created at|creation date|date|order date|date created|дата|создан|создано|дата создания|дата заказа|"
        "дата и время создания|дата сделки|когда создан|дата заявки"
    ),
    "order_status": (
        "status|stage|deal stage|state|статус|этап|стадия|статус заказа|этап сделки|стадия сделки|статус сделки"
    ),
    "status_date_time": (
        "status date|status changed|updated|updated at|modified|дата статуса|дата изменения|дата изменения статуса|"
        "изменен|обновлен|дата обновления"
    ),
    "client_uniq_id": (
        "client id in crm|customer id|contact id|client number|id клиента|код клиента|номер клиента|ид клиента|"
        "id контакта"
    ),
    "client_name": (
        "name|client|customer|client name|full name|contact|имя|фио|клиент|имя клиента|фио клиента|контакт|"
        "покупатель|заказчик"
    ),
    "client_ids": (
        "clientid|client id|yclientid|metrika client id|metrica client id|ym uid|_ym_uid|clientid метрики|"
        "client id метрики|clientid яндекс метрики"
    ),
    "emails": "email|e-mail|mail|почта|эл. почта|электронная почта|емейл|имейл",
    "phones": "phone|telephone|mobile|phone number|телефон|тел|мобильный|номер телефона|мобильный телефон|телефоны",
    "emails_md5": "email md5|md5 email|md5 почты",
    "phones_md5": "phone md5|md5 phone|md5 телефона",
    "revenue": (
        "amount|sum|total|price|budget|сумма|выручка|доход|бюджет|стоимость|итого|сумма заказа|сумма сделки|оплачено"
    ),
    "cost": "expenses|cost price|себестоимость|расход|расходы|затраты",
    "currency": "валюта|currency code",
    "goals": "goal|цели|цель",
    "products": "items|goods|товары|состав заказа|позиции",
}


def key(header: str) -> str:
    """A header without what differs between exports: case, signs, ё."""
    return re.sub(r"[^0-9a-zа-я№]+", " ", header.casefold().replace("ё", "е")).strip()


_BY_KEY = {key(name): column for column, names in _NAMES.items() for name in (column, *names.split("|"))}
_EXACT = {name for names in _NAMES.values() for name in names.split("|")} | set(KNOWN)


def known_headers() -> Collection[str]:
    """In lower case, as they stand in files."""
    return _EXACT


def guess(header: Sequence[str], remembered: Mapping[str, str]) -> dict[str, str]:
    """{header: column, or "" for one that is not used}, each column once. `remembered`: the same of an earlier file."""
    own = header[report_width(header) :]
    named = [text.strip() for text in own if text.strip()]
    found: dict[str, str] = {text: remembered[text] for text in named if text in remembered}
    taken = set(found.values())
    for certain in (True, False):  # Metrica's own names before what is merely likely
        for text in named:
            if text in found:
                continue
            column = attribute_column(text) or (text.casefold() if text.casefold() in KNOWN else "")
            column = column if certain else _BY_KEY.get(key(text), "")
            if column and column not in taken:
                found[text] = column
                taken.add(column)
    return {text: found.get(text, "") for text in named}

"""What type an unknown CRM status is likely to be, by the words in it, Russian and English. Only ever a suggestion."""

import re
from typing import Final

from apps.metrica.vocabulary import OrderType

# Beginnings of words, asked in this order: a refused payment is a refusal, a closed deal that was not won as well.
_BY_WORDS: Final[list[tuple[OrderType, tuple[str, ...]]]] = [
    (
        OrderType.SPAM,
        ("спам", "дубл", "тест", "мусор", "ошибочн", "spam", "duplicat", "test", "junk", "trash", "fake"),
    ),
    (
        OrderType.CANCELLED,
        (
            *("отказ", "отмен", "не реализован", "не оплач", "не оплат", "не купил", "неуспе", "не успе", "неудач"),
            *("проигр", "провал", "потерян", "возврат", "возвращ", "сорвал", "аннулир", "некачеств", "нецелев"),
            *(
                "cancel",
                "lost",
                "refus",
                "reject",
                "declin",
                "fail",
                "refund",
                "not paid",
                "unpaid",
                "not won",
                "dropped",
            ),
            *("disqualif", "unqualif", "churn"),
        ),
    ),
    (
        OrderType.OTHER,
        # Words of payment that speak of what is still to come.
        (
            *("ожида", "ждет", "жду", "счет", "выставл", "частичн", "предоплат", "аванс"),
            *("await", "pending pay", "invoice", "prepa", "deposit", "partial"),
        ),
    ),
    (
        OrderType.PAID,
        (
            *("оплач", "оплат", "выигр", "успешн", "успех", "продан", "куплен", "купил", "реализован", "выполнен"),
            *("завершен", "заверш", "получен", "доставлен", "paid", "payment received", "won", "success", "sold"),
            *("purchas", "complete", "deliver", "closed won"),
        ),
    ),
    (
        OrderType.IN_PROGRESS,
        (
            *("нов", "заявк", "лид", "в работ", "обраб", "неразобран", "первичн", "входящ", "создан", "открыт"),
            *("принят", "взят", "квалифи", "new", "lead", "in progress", "in work", "open", "incoming", "created"),
            *("processing", "request", "inquiry", "enquiry", "contacted", "qualif", "working"),
        ),
    ),
]


def _pattern(beginnings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(re.escape(beginning) for beginning in beginnings) + ")")


_PATTERNS: Final = [(order_type, _pattern(beginnings)) for order_type, beginnings in _BY_WORDS]


def suggested_type(crm_status: str) -> OrderType:
    """OTHER where no word is known: then a person looks at it anyway."""
    text = re.sub(r"[\W_]+", " ", crm_status.lower().replace("ё", "е")).strip()
    for order_type, pattern in _PATTERNS:
        if pattern.search(text):
            return order_type
    return OrderType.OTHER

"""The likely type of a status by its words; nothing is ever applied by itself."""

import pytest

from apps.goals.suggestions import suggested_type

WORDS = {
    "IN_PROGRESS": [
        *("Новый", "НОВАЯ ЗАЯВКА", "лид", "Новый лид №2", "В работе", "Взято в работу", "Неразобранное"),
        *("new", "New lead", "in_progress", "In progress", "Принят менеджером", "Первичный контакт", "open"),
    ],
    "PAID": [
        *("Оплачен", "оплачено", "Успешно реализовано", "Выигран", "Сделка выиграна", "Заказ доставлен", "Продано"),
        *("paid", "Closed won", "WON", "success", "completed", "Завершён"),
    ],
    "CANCELLED": [
        *("Отказ", "отменен", "Отменён клиентом", "Закрыто и не реализовано", "Проиграна", "Возврат", "Не оплачен"),
        *("cancelled", "canceled", "lost", "Closed lost", "rejected", "refunded", "Неуспешно", "not paid", "unpaid"),
    ],
    "SPAM": ["Спам", "спам!", "Дубль", "дубликат", "Тест", "spam", "Test order", "duplicate", "junk lead"],
    "OTHER": [
        *("Встреча назначена", "Запись в филиал №1", "КП отправлено", "meeting", "42", "", "Ожидает оплаты"),
        *("Счёт выставлен", "Предоплата получена", "Awaiting payment", "Invoice sent", "renewal", "latest"),
    ],
}


@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for kind, statuses in WORDS.items() for status in statuses]
)
def test_the_words_say_the_type(status, kind):
    assert suggested_type(status) == kind

"""What was kept of an erased client is told from what is somebody else's: marks count as a whole only."""

import pytest

from apps.orders.marks import Marks

MARKS = Marks.of(
    {
        "orders": ["1", "D-1"],
        "clients": ["7", "CRM-QUILL-7", "12345"],
        "names": ["Zebulon Quill", "Maria"],
        "emails": ["anna@marked.example"],
        "phones": ["79261357913"],
        "client_ids": ["1234567", "42"],
        "hashes": ["0cc175b9c0f1b6a831c399e269772661"],
    }
)


@pytest.mark.parametrize(
    "text",
    [
        *("anna@marked.example", "Write to ANNA@marked.example.", "mailto:anna@marked.example?subject=x"),
        *("79261357913", "+7 (926) 135-79-13", "8 926 135 79 13", "9261357913", "call 8(926)135-79-13, or 79031234567"),
        *("79031234567 79261357913", "+7\xa0926\xa0135\u201179\u201113"),
        *("Zebulon Quill", "call  ZEBULON\nQUILL!", "maria", "CRM-QUILL-7", "client CRM-QUILL-7, new", "id:12345"),
        *("1234567", "_ym_uid=1234567; path=/", "0CC175B9C0F1B6A831C399E269772661"),
    ],
)
def test_who_it_was_is_found_however_it_is_written(text: str) -> None:
    assert MARKS.within(text)


@pytest.mark.parametrize(
    "text",
    [
        *("joanna@marked.example", "anna@marked.example.org", "anna@marked.example-shop", "old.anna@marked.example"),
        *("792613579130", "4479261357913", "92613579", "91234567", "12345678", "11234567", "2026-11-27 12:34:56"),
        *("Maria Smith", "Zebulon Quillington", "Old-Zebulon", "CRM-QUILL-77", "CRM-QUILL-7-B", "A-12345"),
        *("12345.50", "0.12345", "7", "42", "17", "1", "D-1", "", "a0cc175b9c0f1b6a831c399e269772661"),
    ],
)
def test_somebody_elses_is_not(text: str) -> None:
    assert not MARKS.within(text)


def test_ids_count_in_their_own_field() -> None:
    assert MARKS.own({"id": "1"}) and MARKS.own({"id": 1}) and MARKS.own({"client_uniq_id": " 7 "})
    assert MARKS.own({"client_ids": "99; 42"}) and MARKS.own({"client_ids": [99, 42]})
    assert not MARKS.own({"id": "7", "client_uniq_id": "1", "client_ids": "142"})
    assert MARKS.is_id("7") and not MARKS.is_id("77")


def test_whoever_is_known_by_nothing_is_found_nowhere() -> None:
    nobody = Marks.of({})
    assert not nobody.within("anything") and not nobody.own({"id": "", "client_uniq_id": None})
    assert nobody.hidden_in("anything", by="-") == "anything"

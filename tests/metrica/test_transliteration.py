"""An id for Metrica out of a CRM's words (page: mapOrderStatuses)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.transliteration import likely_order_status_id
from apps.metrica.vocabulary import ID_PATTERN


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("Запись в филиал №1", "zapis_v_filial_1"),
        ("Новый лид", "novyy_lid"),
        ("  Оплачен!  ", "oplachen"),
        ("В работе: ждём щётку", "v_rabote_zhdem_schetku"),
        ("Отказ (дорого) / думает", "otkaz_dorogo_dumaet"),
        ("Café à Paris", "cafe_a_paris"),
        ("İstanbul ı", "istanbul_i"),
        ("Жаңа тапсырыс", "zhana_tapsyrys"),
        ("order #12", "order_12"),
    ],
)
def test_words_in_latin_letters(text: str, identifier: str) -> None:
    assert likely_order_status_id(text) == identifier


@pytest.mark.parametrize("text", ["PAID", "zapis1", "a-b:C_9", "x" * 255])
def test_what_fits_is_left_as_it_is(text: str) -> None:
    assert likely_order_status_id(text) == text


def test_decomposed_letters_are_the_same_letters() -> None:
    text = "Ёлка, йод"
    assert likely_order_status_id(unicodedata.normalize("NFD", text)) == likely_order_status_id(text) == "elka_yod"


def test_a_cut_leaves_no_underscore_behind() -> None:
    identifier = likely_order_status_id("я" * 127 + " филиал")
    assert identifier == "ya" * 127


def test_what_cannot_be_spelled_gets_a_name_of_its_own() -> None:
    names = {likely_order_status_id(text) for text in ("订单", "注文", "№!", "", "٣٤")}
    assert len(names) == 5
    assert all(name.startswith("status_") for name in names)


@given(st.text(st.characters(codec=None), max_size=400))
def test_every_text_gets_an_id_that_metrica_takes(text: str) -> None:
    identifier = likely_order_status_id(text)
    assert ID_PATTERN.match(identifier)
    assert likely_order_status_id(identifier) == identifier

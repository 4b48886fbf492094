"""Why an account is disconnected is told in the reader's language, whoever wrote it down and when."""

from typing import Any

import pytest
from django.utils import translation

from apps.counters.admin_pages.account import _check
from apps.counters.refusals import refusal, told
from apps.counters.services import disconnect_account
from apps.metrica.catalogue import CATALOGUE
from apps.metrica.errors import AuthorizationError
from tests.factories import make_account

pytestmark = pytest.mark.django_db

INVALID = CATALOGUE["invalid_token"]


def test_it_is_kept_as_a_code_and_told_on_reading() -> None:
    kept = refusal(INVALID.error(http_status=403, detail="Invalid oauth_token"))
    assert kept == "metrica:invalid_token:Invalid oauth_token"
    english = told(kept)
    assert english == f"Metrica refused the token: {INVALID.message} (Invalid oauth_token)"
    with translation.override("ru"):
        assert told(kept) != english
        assert "Invalid oauth_token" in told(kept)


@pytest.mark.parametrize("text", ["", "the client left", "Metrica refused the token: old words", "metrica"])
def test_what_a_person_wrote_and_what_was_kept_before_stands(text: str) -> None:
    assert told(text) == text


def test_a_code_that_nobody_knows_any_more_is_shown_as_it_is() -> None:
    assert told("metrica:long_gone:") == "Metrica refused the token: long_gone"


def test_an_account_that_a_person_checked_keeps_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_account()
    refused = INVALID.error(http_status=403)
    assert isinstance(refused, AuthorizationError)

    def read_test(_account: Any) -> int:
        raise refused

    monkeypatch.setattr("apps.counters.admin_pages.account.yandex.read_test", read_test)
    with pytest.raises(AuthorizationError):
        _check(None, account, {})  # type: ignore[arg-type]
    account.refresh_from_db()
    assert account.state_reason == "metrica:invalid_token:"
    assert account.why_disconnected == f"Metrica refused the token: {INVALID.message}"


def test_a_long_answer_fits() -> None:
    account = make_account()
    disconnect_account(account=account, reason=refusal(INVALID.error(http_status=403, detail="x" * 900)))
    account.refresh_from_db()
    assert len(account.state_reason) == 255
    assert account.why_disconnected.startswith("Metrica refused the token: ")

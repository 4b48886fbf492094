"""What no key of ENCRYPTION_KEYS opens is told to scripts as well."""

from typing import Any

from cryptography.fernet import Fernet

from tests.api.gateway.conftest import WHEN, Script, errors_of


def test_a_script_hears_which_key_is_missing(script: Script, settings: Any) -> None:
    settings.ENCRYPT_IDENTIFIERS = True
    row = f"D-1,{WHEN},,1700000000123456789,,,{{status}},,,,"
    assert script.simple(row.format(status="IN_PROGRESS")).status == 200
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    answer = script.simple(row.format(status="PAID"))
    assert answer.status == 503
    assert [code for _kind, _where, code in errors_of(answer)] == ["unreadable_secret"]

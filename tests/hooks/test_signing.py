"""Signatures of outgoing requests: over time and body, one for each secret."""

import hashlib
import hmac

from apps.hooks import signing


def test_the_signature_is_over_time_dot_and_body():
    right = hmac.new(b"whsec_a", b'1764165600.{"a":1}', hashlib.sha256).hexdigest()
    header = signing.sign(body=b'{"a":1}', secrets=["whsec_a"], at=1764165600)
    assert header == f"t=1764165600,v1={right}"


def test_while_a_secret_is_changed_there_is_one_signature_for_each():
    both = signing.sign(body=b"x", secrets=["new", "old"], at=7)
    assert both.split(",")[0] == "t=7"
    assert both.split(",")[1:] == [
        signing.sign(body=b"x", secrets=[secret], at=7).split(",")[1] for secret in ("new", "old")
    ]


def test_secrets_are_long_and_each_another():
    made = {signing.new_secret() for _each in range(50)}
    assert len(made) == 50
    assert all(secret.startswith("whsec_") and len(secret) == 49 for secret in made)

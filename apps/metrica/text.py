"""Texts for people: translated where Django is configured, plain English where it is not."""

import os
from collections.abc import Mapping
from typing import TypeAlias

from django.conf import settings
from django.utils.functional import Promise, lazy

Text: TypeAlias = str | Promise


def _translated(message: str) -> str:
    if not settings.configured and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return message
    from django.utils.translation import gettext

    return gettext(message)


def _filled(template: Text, parameters: Mapping[str, object]) -> str:
    return str(template) % parameters


_lazy_translated = lazy(_translated, str)
_lazy_filled = lazy(_filled, str)


def _(message: str) -> Text:
    """A text that is translated each time it is shown, into the language of who looks at it."""
    return _lazy_translated(message)


def filled(template: Text, **parameters: object) -> Text:
    """`template` with its `%(name)s` places filled, still translated only when it is shown."""
    return _lazy_filled(template, parameters)

"""Switching advanced matching on at Metrica, from the counter's page."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.counters import matching
from apps.counters.models import AccountState, Counter
from apps.counters.ui.acts import Act


def _switch_on(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    matching.switch_on(counter=counter)
    return _now("Advanced matching is on. From now on Metrica keeps hashes of visitors' e-mails and phones.")


def _can_be_switched_on(request: HttpRequest, counter: Counter) -> bool:
    connected = counter.account is not None and counter.account.state == AccountState.CONNECTED
    return connected and counter.advanced_matching is False


SWITCH_ON = Act(
    name="matching",
    title=_("Switch on advanced matching"),
    icon="join_inner",
    question=lambda request, counter: _(
        "This changes the counter's settings at Metrica: it then keeps hashes of the e-mails and phones that visitors "
        "write into forms, and finds the visits of orders by them. The site's privacy notice should say so."
    ),
    do=_switch_on,
    button=_("Switch on"),
    shown=_can_be_switched_on,
)

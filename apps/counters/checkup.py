"""What a counter needs to deliver, step by step: how each step stands and what comes next.

Each app adds the steps that it knows of, so the counter's page and `doctor` say the same. A step is looked at for many
counters at once, by a number of queries that does not grow with them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agencies.actor import Actor, Right
from apps.counters.expiry import may_upload, warning_of
from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.metrica.text import Text


class Level(StrEnum):
    DONE = "done"
    HINT = "hint"  # it delivers, but not as well as it could, or not for long
    NEEDED = "needed"  # without this step nothing reaches its goal


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of one counter. `text`: how it stands; `step`: what to do about it, and `url` where.

    `right`: what it takes to do it; `of_accounts`: only who sees the agency's accounts can.
    """

    code: str
    title: Text
    level: Level
    text: Text
    step: Text = ""
    url: str = ""
    right: Right = Right.OPERATE
    of_accounts: bool = False

    def is_for(self, actor: Actor) -> bool:
        return actor.can(self.right) and not (self.of_accounts and actor.counters is not None)


Check = Callable[[Sequence[Counter]], Mapping[int, Sequence[Finding]]]
"""One step or several, by the counters' primary keys. The counters come with their accounts."""

_checks: list[tuple[int, Check]] = []


def add_check(place: int, check: Check) -> None:
    """Have this step looked at, at its place among the others."""
    _checks.append((place, check))
    _checks.sort(key=lambda one: one[0])


def findings(counters: Sequence[Counter]) -> dict[int, list[Finding]]:
    """Of each counter all its steps, in the order in which they are done."""
    found: dict[int, list[Finding]] = {counter.pk: [] for counter in counters}
    for _place, check in _checks:
        for pk, steps in check(counters).items():
            found[pk].extend(steps)
    return found


def page_of(counter: Counter) -> str:
    return reverse("admin:counters_counter_change", args=[counter.pk])


def act_of(counter: Counter, name: str) -> str:
    """The address of one of the counter's acts that ask Metrica; without an account there is nobody to ask with."""
    if counter.account_id is None:
        return ""
    return reverse(f"admin:counters_counter_{name}", args=[counter.pk])


def _way_in(counters: Sequence[Counter]) -> Mapping[int, Sequence[Finding]]:
    return {counter.pk: [_account_of(counter), _zone_of(counter)] for counter in counters}


def _account_of(counter: Counter) -> Finding:
    title, account = _("Metrica account"), counter.account
    if account is None:
        text = _("No account is chosen, so nothing can leave.")
        step = _("Choose the Yandex login whose token opens this counter.")
        return Finding("account", title, Level.NEEDED, text, step, f"{page_of(counter)}#id_account", of_accounts=True)
    page: dict[str, Any] = {
        "url": reverse("admin:counters_metricaaccount_change", args=[account.pk]),
        "right": Right.ADMINISTER,
        "of_accounts": True,
    }
    if may_upload(account) is False:
        text = _("The rights of %(login)s do not include uploading.") % {"login": account.login}
        return Finding("account", title, Level.NEEDED, text, _("Connect it again and confirm that right."), **page)
    if warning := warning_of(account, timezone.now()):
        level = Level.NEEDED if warning.tone == "bad" else Level.HINT
        return Finding("account", title, level, warning.text, _("Connect the account again."), **page)
    if counter.permission == "view":
        text = _("%(login)s may only look at this counter, so it cannot upload.") % {"login": account.login}
        step = _("Let the counter's owner give this login the right to edit, then read the counter from Metrica again.")
        return Finding("account", title, Level.NEEDED, text, step, act_of(counter, "read"))
    return Finding("account", title, Level.DONE, _("%(login)s is connected.") % {"login": account.login})


def _zone_of(counter: Counter) -> Finding:
    title = _("Time zone")
    if counter.time_zone:
        return Finding("zone", title, Level.DONE, counter.time_zone)
    text = _("It is unknown, so no time can be sent.")
    return Finding("zone", title, Level.NEEDED, text, _("Read it from Metrica."), act_of(counter, "read"))


def _delivery(counters: Sequence[Counter]) -> Mapping[int, Sequence[Finding]]:
    return {counter.pk: [_upload_of(counter), _schedule_of(counter), _matching_of(counter)] for counter in counters}


def _upload_of(counter: Counter) -> Finding:
    title = _("First upload")
    if counter.last_passed_at is not None:
        return Finding("upload", title, Level.DONE, _("Metrica has taken an upload of this counter."))
    text = _("Metrica has not taken any upload yet.")
    if block_reason(counter):
        return Finding("upload", title, Level.NEEDED, text, _("First do what is still to be done before it."))
    step = _("Press “Upload now” on the counter, or let its schedule do it.")
    return Finding("upload", title, Level.NEEDED, text, step, act_of(counter, "upload"))


def _schedule_of(counter: Counter) -> Finding:
    title = _("Schedule")
    if counter.paused_at is not None:
        text = _("The counter is paused: %(reason)s") % {"reason": counter.pause_reason or "—"}
        resume = reverse("admin:counters_counter_resume", args=[counter.pk])
        return Finding("schedule", title, Level.NEEDED, text, _("Resume it."), resume)
    if counter.schedule == "manual":
        text = _("Uploads start only when somebody presses the button.")
        step = _("Let them start by themselves: as they come, or daily.")
        return Finding("schedule", title, Level.HINT, text, step, f"{page_of(counter)}#id_schedule")
    return Finding("schedule", title, Level.DONE, counter.schedule_words)


def _matching_of(counter: Counter) -> Finding:
    title = _("Advanced matching")
    if counter.advanced_matching:
        text = _("It is on: visits are also found by e-mail and phone.")
        return Finding("matching", title, Level.DONE, text)
    if counter.advanced_matching is None:
        text = _("Whether Metrica finds visits by e-mail and phone is not known yet.")
        return Finding("matching", title, Level.HINT, text, _("Read it from Metrica."), act_of(counter, "read"))
    text = _("It is off at Metrica: an order without ClientID is hardly found by e-mail or phone.")
    return Finding("matching", title, Level.HINT, text, _("Switch it on."), act_of(counter, "matching"))


add_check(10, _way_in)
add_check(40, _delivery)

"""When what a counter gets leaves for Metrica, as a sentence: read before a press that sets something on its way."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.panels import COUNTED_AT_MOST, freed_counts
from apps.counters.schedule import Schedule, parse
from apps.counters.services import block_reason
from apps.metrica.text import Text

COUNTERS_TOLD = 5

_NOTHING_UNTIL: dict[str, Text] = {
    "counter_paused": _("Nothing leaves for Metrica until the counter is resumed."),
    "account_disconnected": _("Nothing leaves for Metrica until the counter's account is connected."),
    "unknown_time_zone": _("Nothing leaves for Metrica until the counter's time zone is known."),
}


def sends_by_itself(counter: Counter) -> bool:
    """Whether what comes in leaves without anybody pressing a button. Needs `counter.account`."""
    return not block_reason(counter) and parse(counter.schedule).kind != "manual"


def leaves(
    counter: Counter,
    *,
    changes: int | None = None,
    or_more: bool = False,
    schedule: Schedule | None = None,
    mended: str = "",
    now: datetime | None = None,
) -> str:
    """When it leaves. `changes`: about how many status changes that are, `or_more` where the count stopped there; None
    where nobody can tell. `schedule`: in place of the counter's own, as if it were set now. `mended`: what holds all of
    the counter's (see `block_reason`) and will be over. Needs `counter.account`."""
    if reason := block_reason(_without(counter, mended)):
        return str(_NOTHING_UNTIL[reason])
    plan, now = schedule or parse(counter.schedule), now or timezone.now()
    if plan.kind == "manual":
        return _now("Nothing leaves for Metrica until somebody presses “Upload now”.")
    due = plan.next_after(now, counter.zone) if schedule is not None else counter.next_upload_at
    when = _now("at once") if due is None or due <= now else _clock(due, counter.zone, now)
    if changes is None:
        return _now("All that this brings or releases leaves for Metrica %(when)s.") % {"when": when}
    if changes == 0:
        return _now("Nothing of that leaves for Metrica by itself: it is known already, held or rejected.")
    count = formats.number_format(changes, use_l10n=True, force_grouping=True)
    if or_more:
        text = _now("%(count)s or more status changes will leave for Metrica %(when)s.")
        return text % {"count": count, "when": when}
    text = ngettext(
        "%(count)s status change will leave for Metrica %(when)s.",
        "About %(count)s status changes will leave for Metrica %(when)s.",
        changes,
    )
    return text % {"count": count, "when": when}


def leaves_once(counter: Counter, *, mended: str) -> str:
    """The same of all that the counter's own state holds, once that is over."""
    free = _without(counter, mended)
    count = sum(freed(free, None) for freed in freed_counts)
    return leaves(counter, changes=count or None, or_more=count >= COUNTED_AT_MOST, mended=mended)


def leave_together(changes: Mapping[int, int]) -> str:
    """The same of several counters, how many of each: {primary key: number of changes}. One query."""
    counters = Counter.objects.select_related("account").in_bulk(changes)
    told = {counter: leaves(counter, changes=changes[pk]) for pk, counter in counters.items()}
    if len(told) == 1:
        return next(iter(told.values()))
    lines = [f"{counter}: {text}" for counter, text in list(told.items())[:COUNTERS_TOLD]]
    if (more := len(told) - COUNTERS_TOLD) > 0:
        text = ngettext("And those of %(count)s more counter.", "And those of %(count)s more counters.", more)
        lines.append(text % {"count": more})
    return " ".join(lines)


def _without(counter: Counter, mended: str) -> Counter:
    """As it would be if that did not hold its changes; in memory alone."""
    if not mended:
        return counter
    free = copy(counter)
    if mended == "counter_paused":
        free.paused_at = None
    elif mended == "account_disconnected":
        free.account = MetricaAccount(state=AccountState.CONNECTED)
    else:
        free.time_zone = "UTC"
    return free


def _clock(due: datetime, zone: ZoneInfo | None, now: datetime) -> str:
    if zone is None:  # it is being asked for
        return _now("with the next upload")
    local = due.astimezone(zone)
    today = local.date() == now.astimezone(local.tzinfo).date()
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    time = f"{local:%H:%M}" if today else formats.date_format(local, f"{_now('j M')}, H:i")
    return _now("at %(time)s on the counter's clock") % {"time": time}

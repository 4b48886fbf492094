"""When what a counter gets leaves for Metrica, as a sentence: read before a press that sets something on its way."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.counters.models import Counter
from apps.counters.schedule import Schedule, parse
from apps.counters.services import block_reason
from apps.metrica.text import Text

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
    now: datetime | None = None,
) -> str:
    """When it leaves. `changes`: about how many status changes that are, `or_more` where the count stopped there; None
    where nobody can tell. `schedule`: in place of the counter's own, as if it were set now. Needs `counter.account`."""
    if reason := block_reason(counter):
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


def _clock(due: datetime, zone: ZoneInfo | None, now: datetime) -> str:
    local = due.astimezone(zone or ZoneInfo("UTC"))
    today = local.date() == now.astimezone(local.tzinfo).date()
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    time = f"{local:%H:%M}" if today else formats.date_format(local, f"{_now('j M')}, H:i")
    return _now("at %(time)s on the counter's clock") % {"time": time}

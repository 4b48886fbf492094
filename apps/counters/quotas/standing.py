"""How far the day of a login has come, and whether its calls will last (R10)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.utils import timezone

from apps.counters.models import MetricaAccount
from apps.counters.quotas import gates, limits
from apps.counters.quotas.kinds import OF_UPLOADS, Group, Kind
from apps.counters.quotas.sharing import Seeds, agencies_of_logins, caller_of, login_key
from apps.counters.quotas.stores import StoreUnavailable, store

SHORT_SHARE = 10
"""Short as soon as less than one part in so many is left, whatever the forecast."""

_SOONEST = 3 * 3600.0
"""A day's pace is read off no fewer seconds than these: a burst just after midnight says little."""

_ENOUGH_YESTERDAY = 50


@dataclass(frozen=True, slots=True)
class DayStanding:
    """Calls of a login in this day of GMT, of all who share it. `limit`: Metrica's; `used`; `left`: what this account's
    agency may still make; `forecast`: used by the day's end if it goes on like this; `short`: the calls may not last,
    so save them; `resets_at` (aware): 00:00 GMT; `shut_until` (aware): Metrica itself said no more until then."""

    limit: int
    used: int
    left: int
    forecast: int
    short: bool
    resets_at: datetime
    shut_until: datetime | None = None


def standing(account: MetricaAccount, *, now: datetime | None = None) -> DayStanding:
    return standings([account], now=now)[account.pk]


def standings(accounts: Iterable[MetricaAccount], *, now: datetime | None = None) -> dict[int, DayStanding]:
    """By each account's key: its login's day as it stands for uploads.

    One query (or one look into Redis) for all; another where the store does not know one of the logins yet, and another
    where the day of one is nearly used up.

    `now` (aware) in place of the store's clock. Where the store does not answer, nothing is known to be left.
    """
    callers = {account.pk: caller_of(account) for account in accounts}
    if not callers:
        return {}
    at = None if now is None else now.timestamp()
    keys = sorted({login_key(caller) for caller in callers.values()})
    try:
        states, at = store().read(keys, seeds=Seeds(*callers.values()), now=at)
    except StoreUnavailable:
        at = (now or timezone.now()).timestamp()
        nothing = DayStanding(limits.current().day, 0, 0, 0, True, limits.midnight_after(at))
        return dict.fromkeys(callers, nothing)

    @cache
    def sharers() -> dict[str, set[int]]:
        return agencies_of_logins(callers.values())

    return {
        pk: _standing(states[key], at, agency=caller.agency, sharers=lambda key=key: sharers()[key])  # type: ignore[misc]
        for pk, caller in callers.items()
        for key in [login_key(caller)]
    }


def _standing(state: gates.State, at: float, *, agency: int, sharers: gates.Sharers) -> DayStanding:
    most = limits.current().day
    day = limits.day_of(at)
    group = max(OF_UPLOADS, key=lambda group: gates.used(state, day, group))
    used = gates.used(state, day, group)
    ceiling = gates.ceiling(state, day, group, limit=most, agency=agency, sharers=sharers)
    shut = gates.shut_until(state, Kind.CDP_WRITE, at)
    lasting = shut is not None and shut - at > 3600
    left = 0 if lasting else max(0, ceiling - used)
    forecast = _forecast(state, group, used, at)
    return DayStanding(
        limit=most,
        used=used,
        left=left,
        forecast=forecast,
        short=forecast > most or left * SHORT_SHARE < most,
        resets_at=limits.midnight_after(at),
        shut_until=_aware(shut) if shut is not None else None,
    )


def _forecast(state: gates.State, group: Group, used: int, at: float) -> int:
    """Calls by the end of the day, at the pace so far.

    Where yesterday had enough calls to tell, the rest of today is to the part so far as yesterday's rest was to its
    part up to this hour; else an hour is taken to be like any other.
    """
    day = limits.day_of(at)
    passed = at - day * limits.DAY
    yesterday = gates.hours(state, day - 1)
    if sum(yesterday) >= _ENOUGH_YESTERDAY:
        hour, part = divmod(passed / 3600, 1)
        before = sum(yesterday[: int(hour)]) + yesterday[int(hour)] * part
        rest = sum(yesterday) - before
        # At least a tenth of yesterday's part so far: a night without calls must not make the morning endless.
        return round(used + rest * min(used / max(before, sum(yesterday) / 10), 2.0))
    return round(used + used / max(passed, _SOONEST) * (limits.DAY - passed))


def _aware(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, timezone.get_current_timezone())

"""How times, money and states look on every page."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.clocks import moment, time_tag
from apps.agencies.filter_pages import whole_list
from apps.agencies.links import ask_owner as whom_to_ask
from apps.agencies.links import page_of
from apps.metrica.vocabulary import OrderType, SystemGoal

register = template.Library()

SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "GBP": "£", "UAH": "₴", "TRY": "₺", "ILS": "₪", "GEL": "₾"}
NARROW = "\N{NO-BREAK SPACE}"
TONE_OF_TYPE = {
    OrderType.IN_PROGRESS: "info",
    OrderType.PAID: "good",
    OrderType.CANCELLED: "warn",
    OrderType.SPAM: "bad",
    OrderType.OTHER: "accent",
}
LOOK_OF_STATE = {
    # status changes
    "waiting": ("schedule", "info"),
    "sending": ("sync", "info"),
    "delivered": ("check_circle", "good"),
    "held": ("pan_tool", "warn"),
    "rejected": ("block", "bad"),
    "superseded": ("fast_forward", "quiet"),
    # upload jobs and uploads
    "queued": ("schedule", "info"),
    "running": ("sync", "info"),
    "succeeded": ("check_circle", "good"),
    "partly_failed": ("error", "warn"),
    "failed": ("cancel", "bad"),
    "cancelled": ("do_not_disturb_on", "quiet"),
    "prepared": ("draft", "info"),
    "draft": ("draft", "quiet"),
    "unknown": ("help", "warn"),
    # webhooks
    "abandoned": ("do_not_disturb_on", "quiet"),
    "passed": ("check_circle", "good"),
    "refused": ("block", "bad"),
    # calls
    "pending": ("hourglass_empty", "info"),
    "ok": ("check_circle", "good"),
    "permanent": ("block", "bad"),
    "transient": ("refresh", "warn"),
    # accounts
    "connected": ("link", "good"),
    "disconnected": ("link_off", "bad"),
    "paused": ("pause_circle", "warn"),
}


register.simple_tag(moment)
register.simple_tag(whole_list)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """`0.4 s`, `45 s`, `3 min`, `2 h 5 min`, `4 days`: two units at most."""
    if value is None:
        return "—"
    exact = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if 0 < exact < 9.95:
        return _("%(number)s s") % {"number": formats.number_format(max(exact, 0.1), decimal_pos=1, use_l10n=True)}
    seconds = int(exact)
    if seconds < 60:
        return _("%(number)s s") % {"number": max(seconds, 0)}
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return _("%(number)s min") % {"number": minutes}
    if days < 1:
        rest = minutes % 60
        text = _("%(number)s h") % {"number": hours}
        return f"{text} {_('%(number)s min') % {'number': rest}}" if rest else text
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}


@register.filter
def ago(value: datetime | None) -> str:
    """`3 min ago`, `in 2 h`; a dash for never."""
    if value is None:
        return "—"
    passed = timezone.now() - value
    if abs(passed) < timedelta(seconds=5):
        return _("just now")
    if passed < timedelta(0):
        return _("in %(time)s") % {"time": duration(-passed)}
    return _("%(time)s ago") % {"time": duration(passed)}


@register.simple_tag
def since(value: datetime | None, zone: ZoneInfo | None = None) -> str:
    """`3 min ago`, with the very time on hover, and that on the counter's clock (`zone`)."""
    return "—" if value is None else time_tag(value, ago(value), zone)


@register.filter
def money(value: Decimal | str | None, currency: str = "") -> str:
    """`5 000 ₽`, `12,50 $`, by the viewer's language; a dash for none. No more decimals than there are."""
    if value is None or value == "":
        return "—"
    amount = Decimal(value)
    whole = amount == amount.to_integral_value()
    places = 0 if whole else max(2, -int(amount.normalize().as_tuple().exponent))
    text = formats.number_format(amount, decimal_pos=places, use_l10n=True, force_grouping=True).replace(" ", NARROW)
    sign = SIGNS.get(currency, currency)
    return f"{text}{NARROW}{sign}" if sign else text


@register.filter
def number(value: int | None) -> str:
    return "—" if value is None else formats.number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def counted(value: int, limit: int) -> str:
    """A number whose counting stopped at `limit`: `12`, or `1,000 or more`."""
    if value < limit:
        return number(value)
    return ngettext("%(shown)s or more", "%(shown)s or more", value) % {"shown": number(value)}


@register.simple_tag
def badge(text: Any, tone: str = "quiet", icon: str = "", hint: Any = "") -> SafeString:
    """A coloured word. `tone`: good, info, warn, bad, accent, quiet."""
    drawn = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    title = format_html(' title="{}"', hint) if hint else ""
    return format_html('<span class="gp-badge gp-badge--{}"{}>{}{}</span>', tone, title, drawn, text)


@register.simple_tag
def state_badge(state: str, text: Any, hint: Any = "") -> SafeString:
    """The badge of a delivery state, a job's, an upload's, a call's or an account's."""
    icon, tone = LOOK_OF_STATE.get(state, ("", "quiet"))
    return badge(text, tone, icon, hint)


@register.simple_tag
def type_badge(order_type: str | None) -> SafeString:
    """The badge of an order type; an unmapped status has none."""
    if not order_type:
        return badge(_("Not mapped"), "warn", "help")
    known = OrderType(order_type)
    return badge(known.label, TONE_OF_TYPE[known])


@register.simple_tag(takes_context=True)
def link_to(context: Any, obj: Any, text: Any = "") -> str:
    """The object's name as a link to its page, where whoever looks may open it."""
    url, name = page_of(context["request"], obj), text or obj
    return format_html('<a class="gp-link" href="{}">{}</a>', url, name) if url else format_html("{}", name)


@register.simple_tag(takes_context=True)
def ask_owner(context: Any, agency_id: int | None = None) -> str:
    """Whom to ask for what only owners may do; without an agency, of the one in view. Empty for who may themselves."""
    actor = actor_of(context["request"])
    if actor.can(Right.ADMINISTER):
        return ""
    return whom_to_ask(context["request"], agency_id or actor.agency_id)


@register.filter
def goal_name(identifier: str) -> Any:
    """What Metrica calls one of its own goals; any other goal goes by its identifier."""
    try:
        return SystemGoal(identifier).label
    except ValueError:
        return identifier

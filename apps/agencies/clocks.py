"""How times look on every page: on the viewer's clock, with the very time, and that on the counter's, on hover."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


def moment(value: datetime | None, zone: ZoneInfo | None = None, seconds: bool = False, day_only: bool = False) -> str:
    """A time on the viewer's clock; on hover, on the counter's (`zone`) as well."""
    if value is None:
        return "—"
    return time_tag(value, time_text(value, seconds=seconds, day_only=day_only), zone)


def time_text(value: datetime, *, seconds: bool = False, day_only: bool = False) -> str:
    """A time on the viewer's clock, in words that can stand within a sentence."""
    local = timezone.localtime(value)
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    day = _("j M") if local.year == timezone.localtime().year else _("j M Y")
    return formats.date_format(local, day if day_only else f"{day}, H:i:s" if seconds else f"{day}, H:i")


def time_tag(value: datetime, text: str, zone: ZoneInfo | None = None) -> SafeString:
    """The text, with the very time on hover: on the viewer's clock, and on the counter's where it is known."""
    local = timezone.localtime(value)
    hover = [f"{local:%Y-%m-%d %H:%M:%S} {_zone_name(local)}"]
    if zone:  # a template says "" where there is no counter
        there = value.astimezone(zone)
        hover.append(_("on the counter's clock: %(time)s") % {"time": f"{there:%Y-%m-%d %H:%M:%S} {zone.key}"})
    return format_html(
        '<time datetime="{}" title="{}" class="gp-time">{}</time>', value.isoformat(), "\n".join(hover), text
    )


def _zone_name(local: datetime) -> str:
    return str(getattr(local.tzinfo, "key", local.tzname()))

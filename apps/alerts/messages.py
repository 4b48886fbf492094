"""The words of a message, in the channel's language and on its clock: for mail, for Telegram and for programs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.alerts.causes import CAUSES, title_of
from apps.alerts.causes.base import when
from apps.alerts.models import Alert, Channel, Stage
from apps.alerts.news import Item

SHOWN = 25
"""Alerts that a message tells one by one; the rest are a number with a link."""

TELEGRAM_LIMIT = 4096
_TELEGRAM_ROOM = 3500


@dataclass(frozen=True, slots=True)
class Line:
    """One alert, told."""

    stage: str
    heading: str
    urgent: bool
    title: str
    label: str
    sentence: str
    advice: str
    time: str
    url: str
    page: str


@dataclass(frozen=True, slots=True)
class Message:
    """What leaves. `text`, `html` and `telegram` (the HTML that Telegram takes) say the same; `payload` is for
    programs. `for_whom`: by e-mail address what goes there in place of this; None: nothing."""

    subject: str
    text: str
    html: str = ""
    telegram: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    for_whom: Mapping[str, "Message | None"] = field(default_factory=dict)


def absolute(path: str) -> str:
    """The address of a page for who is not here; empty while SITE_URL is not set."""
    return f"{settings.SITE_URL}{path}" if settings.SITE_URL else ""


def compose(channel: Channel, items: list[Item], *, now: datetime, sees_channel: bool = True) -> Message:
    """One message of all these. No query where the agency is at hand. `sees_channel`: whether the channel's page is
    open to who gets it."""
    with translation.override(channel.language), timezone.override(ZoneInfo(channel.time_zone)):
        lines = [_line(item) for item in items[:SHOWN]]
        more = len(items) - len(lines)
        subject = _one_line(f"[Goalpost] {_subject(channel, items)}")
        context = {
            "lines": lines,
            "more": _more(more),
            "all_url": absolute(reverse("admin:alerts_alert_changelist")),
            "footer": _footer(channel),
            "channel_url": _channel_url(channel) if sees_channel else "",
            "subject": subject,
        }
        return Message(
            subject=subject,
            text=_text(context),
            html=render_to_string("alerts/mail.html", context),
            telegram=_telegram(context, lines, more),
            payload={
                "type": "alerts",
                "agency": channel.agency.slug,
                "sent_at": now.isoformat(),
                "alerts": [_for_programs(item, line) for item, line in zip(items, lines, strict=False)],
                "not_shown": more,
            },
        )


def compose_test(channel: Channel, *, now: datetime) -> Message:
    """What the Test button sends."""
    with translation.override(channel.language), timezone.override(ZoneInfo(channel.time_zone)):
        subject = _one_line(f"[Goalpost] {_('Test of the channel “%(name)s”') % {'name': channel.name}}")
        sentence = _("This is a test: nothing is wrong. Alerts of the agency %(agency)s will come this way.") % {
            "agency": channel.agency.name
        }
        sent = _("Sent on %(time)s (%(zone)s).") % {"time": when(now), "zone": channel.time_zone}
        context = {"lines": [], "notice": f"{sentence} {sent}", "footer": _footer(channel), "subject": subject}
        context["channel_url"] = _channel_url(channel)
        return Message(
            subject=subject,
            text=_text(context),
            html=render_to_string("alerts/mail.html", context),
            telegram=f"<b>{escape(subject)}</b>\n\n{escape(context['notice'])}",
            payload={"type": "test", "agency": channel.agency.slug, "sent_at": now.isoformat(), "alerts": []},
        )


def sentence_of(alert: Alert) -> str:
    """What the matter is, in the language in force; of a cause that is no longer known, nothing."""
    cause = CAUSES.get(alert.cause)
    return cause.sentence(alert.facts) if cause else ""


def advice_of(alert: Alert) -> str:
    cause = CAUSES.get(alert.cause)
    return cause.advice(alert.facts) if cause else ""


def page_of(alert: Alert) -> str:
    """The path of the page that mends it."""
    cause = CAUSES.get(alert.cause)
    return cause.page(alert) if cause else reverse("admin:alerts_alert_change", args=[alert.pk])


def _line(item: Item) -> Line:
    alert, over = item.alert, item.stage == Stage.OVER
    page = page_of(alert)
    if over:
        assert alert.closed_at is not None
        time = _("From %(start)s until %(end)s") % {"start": when(alert.opened_at), "end": when(alert.closed_at)}
    else:
        time = _("Since %(time)s") % {"time": when(alert.opened_at)}
    return Line(
        stage=item.stage.value,
        heading=str(item.stage.label if over or not alert.is_urgent else alert.get_severity_display()),
        urgent=alert.is_urgent and not over,
        title=str(title_of(alert.cause)),
        label=alert.label,
        sentence="" if over else sentence_of(alert),
        advice="" if over else advice_of(alert),
        time=time,
        url=absolute(page),
        page=page,
    )


def _subject(channel: Channel, items: list[Item]) -> str:
    first = items[0]
    if len(items) == 1:
        text = f"{title_of(first.alert.cause)}: {first.alert.label}".rstrip(": ")
        if first.stage == Stage.OVER:
            return _("Resolved: %(what)s") % {"what": text}
        return _("Still so: %(what)s") % {"what": text} if first.stage == Stage.STILL else text
    counts = {stage: sum(item.stage == stage for item in items) for stage in Stage}
    texts = {
        Stage.OPENED: ngettext("%(n)s new alert", "%(n)s new alerts", counts[Stage.OPENED]),
        Stage.STILL: ngettext("%(n)s still open", "%(n)s still open", counts[Stage.STILL]),
        Stage.OVER: ngettext("%(n)s resolved", "%(n)s resolved", counts[Stage.OVER]),
    }
    parts = [texts[stage] % {"n": counts[stage]} for stage in Stage if counts[stage]]
    return f"{channel.agency.name}: {', '.join(parts)}"


def _one_line(subject: str) -> str:
    """As a mail's head takes it: names of counters come from elsewhere and may hold anything."""
    return " ".join(subject.split())[:300]


def _channel_url(channel: Channel) -> str:
    return absolute(reverse("admin:alerts_channel_change", args=[channel.pk]))


def _more(number: int) -> str:
    if number <= 0:
        return ""
    return ngettext("And %(n)s alert more.", "And %(n)s alerts more.", number) % {"n": number}


def _footer(channel: Channel) -> str:
    shown = {"name": channel.name, "agency": channel.agency.name, "zone": channel.time_zone}
    return _("Channel “%(name)s” of the agency %(agency)s. Times are those of %(zone)s.") % shown


def _text(context: dict[str, Any]) -> str:
    parts = [context["notice"]] if context.get("notice") else []
    parts.extend("\n".join(_rows(line)) for line in context["lines"])
    if context.get("more"):
        parts.append(" ".join(filter(None, [context["more"], context["all_url"]])))
    parts.append("\n".join(filter(None, ["--", context["footer"], context["channel_url"]])))
    return "\n\n".join(parts) + "\n"


def _rows(line: Line) -> Iterable[str]:
    yield f"[{line.heading}] {line.title}{': ' if line.label else ''}{line.label}"
    yield from filter(None, [line.sentence, line.advice, line.time])
    yield line.url or _("Open in Goalpost: %(page)s") % {"page": line.page}


def _telegram(context: dict[str, Any], lines: list[Line], more: int) -> str:
    """As many alerts as one message of Telegram has room for."""
    parts: list[str] = []
    for number, line in enumerate(lines):
        mark = "✅" if line.stage == Stage.OVER else "🔴" if line.urgent else "🟠"
        rows = [f"{mark} <b>{escape(line.heading)}: {escape(line.title)}</b>"]
        rows += [escape(text) for text in (line.label, line.sentence, line.advice, line.time) if text]
        rows.append(f'<a href="{escape(line.url)}">{escape(_("Open the page"))}</a>' if line.url else escape(line.page))
        part = "\n".join(rows)
        if sum(map(len, parts)) + len(part) > _TELEGRAM_ROOM:
            more += len(lines) - number
            break
        parts.append(part)
    if more:
        parts.append(escape(" ".join(filter(None, [_more(more), context["all_url"]]))))
    parts.append(f"<i>{escape(context['footer'])}</i>")
    return "\n\n".join(parts)[:TELEGRAM_LIMIT]


def _for_programs(item: Item, line: Line) -> dict[str, Any]:
    alert = item.alert
    return {
        "id": str(alert.pk),
        "stage": item.stage.value,
        "cause": alert.cause,
        "severity": alert.severity,
        "title": line.title,
        "about": alert.label,
        "counter": alert.counter.metrica_id if alert.counter else None,
        "account": alert.account.login if alert.account else None,
        "sentence": line.sentence,
        "next_step": line.advice,
        "url": line.url,
        "facts": alert.facts,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }

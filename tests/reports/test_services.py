"""Links and looks: what is refused and why, what the log is told, and that pictures and colours are harmless."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone

from apps.reports import colours, pictures, services, weeks
from apps.reports.models import AgencyLook, Recipient, ReportLink
from tests.factories import make_counter
from tests.reports.conftest import Client, entries

pytestmark = pytest.mark.django_db


def refused(deed: Any, **named: Any) -> dict[str, str]:
    """The codes by field."""
    with pytest.raises(ValidationError) as refusal:
        deed(**named)
    found = getattr(refusal.value, "error_dict", None) or {"": refusal.value.error_list}
    return {field: str(errors[0].code) for field, errors in found.items()}


# ---- links ----


def test_a_link_is_made_changed_prolonged_and_withdrawn_and_the_log_tells_it(client_of: Client):
    link = client_of.link(emails=["Anna@Shop.example", " anna@shop.example", "boris@shop.example"])
    assert [one.email for one in link.recipients.all()] == ["anna@shop.example", "boris@shop.example"]
    (made,) = entries("report.created")
    assert made.counter == client_of.counter.metrica_id
    assert made.after["recipients"] == ["anna@shop.example", "boris@shop.example"]
    assert link.secret_hash not in str(made.after)

    link = services.change_link(link=link, name="  For   Boris ", weekday=4, hour=18, emails=["boris@shop.example"])
    assert (link.name, link.weekday, link.hour) == ("For Boris", 4, 18)
    (changed,) = entries("report.changed")
    assert (changed.before["weekday"], changed.after["weekday"]) == (0, 4)
    services.change_link(link=link, emails=["boris@shop.example"])
    assert len(entries("report.changed")) == 1, "what is the same leaves no trace"

    ReportLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(days=1))
    link = services.prolong(link=link, days=90)
    assert timedelta(days=89) < link.expires_at - timezone.now() <= timedelta(days=90)
    services.renew_address(link=link)
    services.withdraw(link=link)
    assert [len(entries(f"report.{name}")) for name in ("prolonged", "address_renewed", "withdrawn")] == [1, 1, 1]
    for deed in (services.withdraw, services.renew_address):
        assert refused(deed, link=link) == {"": "withdrawn"}
    assert refused(services.prolong, link=link, days=30) == {"": "withdrawn"}
    link.refresh_from_db()
    assert link.letter_at is None


def test_what_makes_no_sense_is_refused_at_its_field(client_of: Client):
    for fields, where in (
        ({"name": " "}, {"name": "blank"}),
        ({"days": 0}, {"days": "days"}),
        ({"days": 367}, {"days": "days"}),
        ({"language": "xx"}, {"language": "unknown_language"}),
        ({"letter_language": ""}, {"letter_language": "unknown_language"}),
        ({"hour": 24}, {"hour": "max_value"}),
        ({"weekday": 7}, {"weekday": "invalid_choice"}),
        ({"emails": ["anna"]}, {"emails": "bad"}),
        ({"emails": [f"a{number}@shop.example" for number in range(21)]}, {"emails": "many"}),
    ):
        assert refused(client_of.link, **fields) == where
    assert not ReportLink.objects.exists()
    with pytest.raises(TypeError):
        client_of.link(opened=7)


def test_who_has_stopped_the_letters_is_not_written_to_again_by_mistake(client_of: Client):
    link = client_of.link(emails=["anna@shop.example"])
    anna = Recipient.objects.select_related("link__counter").get()
    assert services.stop_letters(recipient=anna)
    assert not services.stop_letters(recipient=anna)
    services.change_link(link=link, emails=["boris@shop.example"])
    assert Recipient.objects.filter(email="anna@shop.example").exists()
    assert refused(services.change_link, link=link, emails=["anna@shop.example"]) == {"emails": "stopped"}
    assert services.want_letters_again(recipient=anna)
    services.change_link(link=link, emails=["anna@shop.example"])
    assert [one.email for one in Recipient.objects.wanting()] == ["anna@shop.example"]
    (stopped,) = entries("report.letters_stopped")
    assert (stopped.actor_kind, stopped.actor_label) == ("nobody", "anna@shop.example")
    assert len(entries("report.letters_wanted_again")) == 1


def test_a_key_that_is_gone_leaves_the_address_working_and_a_new_one_can_be_made(client_of: Client, settings: Any):
    link = client_of.link()
    url = client_of.url(link)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert services.secret_of(link) == ""
    assert Browser().get(url).status_code == 200
    assert services.secret_of(services.renew_address(link=link))


def test_the_command_prints_an_address_that_opens(client_of: Client, capsys: Any, settings: Any):
    settings.SITE_URL = "https://goalpost.example"
    number = str(client_of.counter.metrica_id)
    call_command("share_report", "--agency", "north", "--counter", number, "--name", "Anna")
    address = capsys.readouterr().out.strip()
    assert address.startswith("https://goalpost.example/report/")
    assert Browser().get(address.removeprefix("https://goalpost.example")).status_code == 200
    for arguments in (("--agency", "south", "--counter", number), ("--agency", "north", "--counter", "1")):
        with pytest.raises(CommandError) as refusal:
            call_command("share_report", *arguments, "--name", "Anna")
        assert refusal.value.returncode == 2
    with pytest.raises(CommandError, match="--days"):
        call_command("share_report", "--agency", "north", "--counter", number, "--name", "Anna", "--days", "0")


# ---- weeks ----


@pytest.mark.parametrize(
    ("zone", "after", "due"),
    [
        ("Europe/Moscow", "2026-11-25T12:00+00:00", "2026-11-30T06:00+00:00"),
        ("Europe/Moscow", "2026-11-30T05:59+00:00", "2026-11-30T06:00+00:00"),
        ("Europe/Moscow", "2026-11-30T06:00+00:00", "2026-12-07T06:00+00:00"),
        ("America/New_York", "2026-10-28T12:00+00:00", "2026-11-02T14:00+00:00"),  # the clocks went back on Sunday
        ("Pacific/Auckland", "2026-11-29T19:00+00:00", "2026-11-29T20:00+00:00"),  # Monday there
        ("", "2026-11-29T19:00+00:00", "2026-11-30T09:00+00:00"),
    ],
)
def test_letters_are_due_on_the_counters_clock(zone: str, after: str, due: str):
    counter = make_counter(time_zone=zone)
    found = weeks.next_letter(counter, weekday=0, hour=9, after=datetime.fromisoformat(after))
    assert found == datetime.fromisoformat(due)
    assert weeks.told_by(found, counter).weekday() == 6, "the week before ends on Sunday"


def test_who_was_away_for_weeks_tells_one(client_of: Client):
    monday = datetime(2026, 11, 2, 6, tzinfo=UTC)
    assert weeks.last_of(monday, now=monday) == monday
    assert weeks.last_of(monday, now=monday + timedelta(days=20)) == monday + timedelta(days=14)


# ---- the look ----


def test_the_look_is_changed_and_the_log_tells_it(client_of: Client):
    look = services.look_of(client_of.counter.agency)
    assert (look.name, look.brand) == ("North Agency", colours.USUAL)
    changed = services.change_look(look=look, shown_name=" Bright  Co ", colour=" #00AA11 ", logo=png())
    assert (changed.name, changed.brand) == ("Bright Co", "#00aa11")
    services.change_look(look=look, shown_name="Bright Co", colour="#00aa11")
    (entry,) = entries("report_look.changed")
    assert (entry.before["logo"], len(entry.after["logo"])) == ("", 16)
    assert bytes(AgencyLook.objects.get().logo) == png()
    services.change_look(look=look, shown_name="Bright Co", colour="#00aa11", remove_logo=True)
    assert not bytes(AgencyLook.objects.get().logo)
    wrong = {"look": look, "shown_name": ""}
    for colour in ("red", "#12345", "#12345g", "#123456\n", "#123456;}body{display:none", ""):
        if colour.strip() == "#123456":
            continue
        assert "colour" in refused(services.change_look, colour=colour, **wrong)
    assert refused(services.change_look, colour="#123456", logo=b"GIF89a", **wrong) == {"logo": "bad_picture"}


def test_a_colour_that_is_none_never_reaches_a_page(client_of: Client):
    look = services.look_of(client_of.counter.agency)
    AgencyLook.objects.update(colour="red;}x{")
    look.refresh_from_db()
    assert look.brand == colours.USUAL


@pytest.mark.parametrize(
    "colour", ["#000000", "#ffffff", "#ffee00", "#777777", "#767676", "#00ff00", "#4338ca", "#ff0000"]
)
def test_text_is_readable_on_every_colour_and_the_colour_as_text(colour: str):
    assert colours.contrast(colours.on(colour), colour) >= colours.READABLE
    assert colours.contrast(colours.ink(colour), colours.WHITE) >= colours.READABLE
    assert colours.is_colour(colours.ink(colour))


# ---- pictures ----


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*, width: int = 3, height: int = 2, points: bytes | None = None, more: bytes = b"", **header: int) -> bytes:
    """A picture in RGB, a part more in it."""
    facts = (header.get("depth", 8), header.get("colour", 2), 0, 0, header.get("interlaced", 0))
    rows = (b"\0" + b"\x10\x20\x30" * width) * height if points is None else points
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *facts)), more, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def test_of_a_picture_only_what_draws_it_is_kept():
    told = chunk(b"tEXt", b"Author\0Ferdinand Quackenbush") + chunk(b"eXIf", b"GPS 55.75 37.61")
    assert pictures.cleaned(png(more=told)) == png()
    assert pictures.cleaned(png() + b"<script>after the end</script>") == png()
    assert pictures.as_data(b"") == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xff\xd8\xff\xe0 JPEG",
        png()[:-3],
        png()[:-20],
        png().replace(b"IDAT", b"JDAT"),
        png(width=801),
        png(height=301),
        png(width=0, points=b"\0\0"),
        png(colour=5),
        png(depth=3),
        png(points=b"\0" * 19),
        png(points=b"\0" * 2_000_000),
        png(more=chunk(b"ABCD", b"needed by nobody we know")),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        png()[:40] + b"\0" + png()[41:],
    ],
)
def test_what_is_no_small_picture_is_refused(content: bytes):
    with pytest.raises(ValidationError) as refusal:
        pictures.cleaned(content)
    assert refusal.value.code == "bad_picture"


def test_a_large_file_is_refused_before_it_is_looked_at():
    with pytest.raises(ValidationError) as refusal:
        pictures.cleaned(png() + b"\0" * pictures.MOST_BYTES)
    assert refusal.value.code == "too_large"

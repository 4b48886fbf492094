"""What Metrica's documents leave open, as named switches with a documented default."""

from django.utils.translation import gettext_lazy as _

from apps.sandbox.management_switches import MANAGEMENT_SWITCHES
from apps.sandbox.models import SandboxSwitch
from apps.sandbox.switch import Switch
from apps.sandbox.upload_switches import UPLOAD_SWITCHES

SWITCHES = {
    switch.name: switch
    for switch in (
        Switch(
            "unknown_status",
            _("A status that is neither one of the four default ones nor mapped nor a JavaScript goal of the counter"),
            {
                "accept": _("is taken as type OTHER, reaches no goal and is marked on the pages"),
                "refuse": _("makes the whole file refused"),
            },
        ),
        Switch(
            "unknown_column",
            _("A column that the format does not have"),
            {
                "refuse": _("makes the whole file refused"),
                "ignore": _("is left out"),
            },
        ),
        Switch(
            "unknown_goal",
            _("A goal in the column “goals” that the counter does not have"),
            {
                "ignore": _("is not counted, and the row gets a note"),
                "count": _("is counted as if the counter had it"),
            },
        ),
        Switch(
            "repeated_goal",
            _("A goal that an order reaches again in the same visit counts once; its income"),
            {
                "latest": _("follows the latest row, as an order's amount may be changed"),
                "first": _("stays as it was when the goal was first reached"),
            },
        ),
        Switch(
            "token_lifetime",
            _("A token that is issued now and its refresh token"),
            {
                "year": _("live a year, as at Yandex"),
                "ten_minutes": _("live ten minutes, so that renewal can be watched"),
                "minute": _("live a minute, so that expiry can be watched"),
            },
        ),
        *MANAGEMENT_SWITCHES,
        *UPLOAD_SWITCHES,
    )
}


def values() -> dict[str, str]:
    """Every switch as it stands now. One query."""
    moved = dict(SandboxSwitch.objects.values_list("name", "value"))
    return {
        name: moved[name] if moved.get(name) in switch.values else switch.default for name, switch in SWITCHES.items()
    }

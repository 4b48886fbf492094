"""Switches of goals, reports and quotas. Each says why its default is the default."""

from django.utils.translation import gettext_lazy as _

from apps.sandbox.switch import Switch

MANAGEMENT_SWITCHES = (
    # The contacts page promises the data within two hours; the slowest case is the one to be ready for.
    Switch(
        "report_delay",
        _("What was uploaded shows in reports"),
        {
            "two_hours": _("two hours later"),
            "none": _("at once"),
        },
    ),
    # Seen live: a goal counts only events after its creation. An upload is an event; the documents do not say whether
    # the order's own time is looked at too.
    Switch(
        "young_goal",
        _("In reports a goal counts what reached it"),
        {
            "upload": _("by uploads after the goal was made"),
            "order": _("by orders that were created after the goal was made"),
        },
    ),
    # The error table has 409 for an integrity violation; nothing is said about goals of the same identifier.
    Switch(
        "duplicate_goal",
        _("A second JavaScript goal with the same identifier"),
        {
            "refuse": _("is refused with 409 conflict"),
            "allow": _("is made, and both are reached"),
        },
    ),
    # The schema gives the name a length from 0.
    Switch(
        "empty_goal_name",
        _("A goal with an empty name"),
        {
            "allow": _("is made"),
            "refuse": _("is refused with 400 invalid_parameter"),
        },
    ),
    # 429 in the Russian documents, 420 in the English ones.
    Switch(
        "quota_status",
        _("A call over a quota is answered with status"),
        {
            "429": "429",
            "420": "420 Too Many Requests",
        },
    ),
    # Quotas are counted for reading, writing and reports apart; where uploads belong is not stated.
    Switch(
        "upload_quota",
        _("Uploads count in the daily quotas"),
        {
            "write": _("as writing calls"),
            "none": _("not at all"),
        },
    ),
)

"""What the admin looks like: title, colours and the side menu."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _item(title: Any, icon: str, view: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{view}")}


def _staff_item(title: Any, icon: str, view: str) -> dict[str, Any]:
    return {**_item(title, icon, view), "permission": lambda request: request.actor.platform}


def _whole_item(title: Any, icon: str, view: str) -> dict[str, Any]:
    """Of what concerns all of an agency: not for those who are limited to some of its counters."""
    return {**_item(title, icon, view), "permission": lambda request: request.actor.counters is None}


def _part_item(title: Any, icon: str, view: str) -> dict[str, Any]:
    """For those who are limited to some counters, in place of a page that concerns all of an agency."""
    return {**_item(title, icon, view), "permission": lambda request: request.actor.counters is not None}


# Written by the theme, which has no Russian of its own for them.
THEME_TEXTS = (
    *(_("Welcome back to"), _("Select record"), _("Select all rows"), _("Type to search")),
    *(_("Choose file to upload"), _("Select action"), _("Select action to run")),
)

_INDIGO = {
    "50": "oklch(96.2% .018 272.314)",
    "100": "oklch(93% .034 272.788)",
    "200": "oklch(87% .065 274.039)",
    "300": "oklch(78.5% .115 274.713)",
    "400": "oklch(67.3% .182 276.935)",
    "500": "oklch(58.5% .233 277.117)",
    "600": "oklch(51.1% .262 276.966)",
    "700": "oklch(45.7% .24 277.023)",
    "800": "oklch(39.8% .195 277.366)",
    "900": "oklch(35.9% .144 278.697)",
    "950": "oklch(25.7% .09 281.288)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Goalpost",
    "SITE_HEADER": "Goalpost",
    "SITE_SYMBOL": "sports_soccer",
    "COLORS": {"primary": _INDIGO},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("goalpost/favicon.svg")}],
    "STYLES": [lambda request: static("goalpost/goalpost.css")],
    "SCRIPTS": [
        lambda request: static("goalpost/goalpost.js"),
        lambda request: static("goalpost/keys.js"),
        lambda request: static("goalpost/reach.js"),
        lambda request: static("goalpost/charts.js"),
    ],
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ACCOUNT": {
        "navigation": [
            {"title": _("My settings"), "link": reverse_lazy("admin:profile")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ],
    },
    "DASHBOARD_CALLBACK": "apps.dashboard.home.context",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": _("Work"),
                "items": [
                    _item(_("Home"), "dashboard", "index"),
                    _item(_("Orders"), "receipt_long", "orders_order_changelist"),
                    _item(_("Holds"), "pan_tool", "orders_heldchange_changelist"),
                    _item(_("Rejected"), "block", "orders_rejectedchange_changelist"),
                    _item(_("Alerts"), "notifications", "alerts_alert_changelist"),
                    _item(_("Upload jobs"), "cloud_upload", "uploads_uploadjob_changelist"),
                    _item(_("Comparison"), "balance", "dashboard_comparison_changelist"),
                    _item(_("Client reports"), "share", "reports_reportlink_changelist"),
                    _item(_("Clients"), "group", "clients_client_changelist"),
                    _item(_("Imports"), "upload_file", "imports_importjob_changelist"),
                    _item(_("CRM posts"), "input", "receivers_post_changelist"),
                    _item(_("Metrica scripts"), "terminal", "api_receivedupload_changelist"),
                ],
            },
            {
                "title": _("Set-up"),
                "items": [
                    _item(_("Counters"), "speed", "counters_counter_changelist"),
                    _whole_item(_("Metrica accounts"), "key", "counters_metricaaccount_changelist"),
                    _item(_("Goals"), "flag", "goals_goal_changelist"),
                    _item(_("CRM receivers"), "move_to_inbox", "receivers_receiver_changelist"),
                ],
            },
            {
                "title": _("Agency"),
                "items": [
                    _whole_item(_("People"), "badge", "agencies_membership_changelist"),
                    _whole_item(_("API keys"), "vpn_key", "agencies_apikey_changelist"),
                    _whole_item(_("Webhooks"), "webhook", "hooks_endpoint_changelist"),
                    _part_item(_("Webhook messages"), "webhook", "hooks_delivery_changelist"),
                    _whole_item(_("Alert channels"), "campaign", "alerts_channel_changelist"),
                    _whole_item(_("Alert rules"), "tune", "alerts_alertrules_changelist"),
                    _whole_item(_("Look of reports"), "palette", "reports_agencylook_changelist"),
                    _item(_("Calls to Metrica"), "http", "counters_apicall_changelist"),
                    _item(_("Audit log"), "history", "audit_auditentry_changelist"),
                ],
            },
            {
                "title": _("Platform"),
                "items": [
                    _staff_item(_("Agencies"), "domain", "agencies_agency_changelist"),
                    _staff_item(_("Logins"), "manage_accounts", "agencies_user_changelist"),
                    _staff_item(_("Workers"), "memory", "uploads_heartbeat_changelist"),
                ],
            },
        ],
    },
}

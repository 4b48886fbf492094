"""What the admin looks like: title, colours and the side menu."""

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _item(title: Any, icon: str, view: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{view}")}


def _staff_item(title: Any, icon: str, view: str) -> dict[str, Any]:
    return {**_item(title, icon, view), "permission": lambda request: request.actor.platform}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Goalpost",
    "SITE_HEADER": "Goalpost",
    "SITE_SYMBOL": "sports_soccer",
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
                    _item(_("Upload jobs"), "cloud_upload", "uploads_uploadjob_changelist"),
                    _item(_("Clients"), "group", "clients_client_changelist"),
                ],
            },
            {
                "title": _("Set-up"),
                "items": [
                    _item(_("Counters"), "speed", "counters_counter_changelist"),
                    _item(_("Metrica accounts"), "key", "counters_metricaaccount_changelist"),
                    _item(_("Goals"), "flag", "goals_goal_changelist"),
                ],
            },
            {
                "title": _("Agency"),
                "items": [
                    _item(_("People"), "badge", "agencies_membership_changelist"),
                    _item(_("API keys"), "vpn_key", "agencies_apikey_changelist"),
                    _item(_("Calls to Metrica"), "http", "counters_apicall_changelist"),
                    _item(_("Audit log"), "history", "audit_auditentry_changelist"),
                ],
            },
            {
                "title": _("Platform"),
                "items": [
                    _staff_item(_("Agencies"), "domain", "agencies_agency_changelist"),
                    _staff_item(_("Logins"), "manage_accounts", "agencies_user_changelist"),
                ],
            },
        ],
    },
}

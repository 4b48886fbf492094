"""What the documentation shows of the status mapping."""

from typing import Any

STATUS_IN: dict[str, Any] = {"type": "OTHER", "name": "Booked at branch 1", "goals": ["zapis1", "vse_zapisi"]}
MAPPING_IN: list[dict[str, Any]] = [
    {"crm_status": "Новый лид", "type": "IN_PROGRESS"},
    {"crm_status": "Запись в филиал №1", **STATUS_IN},
]
STATUS: dict[str, Any] = {
    "crm_status": "Запись в филиал №1",
    "name": "Booked at branch 1",
    "metrica_id": "zapis_v_filial_1",
    "type": "OTHER",
    "goals": ["zapis1", "vse_zapisi"],
    "reaches": ["zapis1", "vse_zapisi"],
}
MAPPING: dict[str, Any] = {
    "results": [
        {
            "crm_status": "Новый лид",
            "name": "",
            "metrica_id": "novyj_lid",
            "type": "IN_PROGRESS",
            "goals": [],
            "reaches": ["cdp_order_in_progress"],
        },
        STATUS,
    ]
}
DRIFT: dict[str, Any] = {
    "in_step": False,
    "results": [
        {
            "metrica_id": "novyj_lid",
            "crm_status": "Новый лид",
            "kind": "differs",
            "blocks": True,
            "ours": {"type": "IN_PROGRESS", "name": "", "goal_action_ids": []},
            "theirs": {"type": "OTHER", "name": "New lead", "goal_action_ids": ["good_lead"]},
        }
    ],
}

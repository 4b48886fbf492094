"""Pages of orders, holds and rejections, and what orders add to the pages of counters and clients."""

from django.contrib import admin

from apps.clients.models import Client
from apps.clients.panels import client_data, client_panels
from apps.counters import checkup
from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.goals import panels as mapping_editor
from apps.orders import known
from apps.orders.admin_pages.acts import (
    ADD_STATUS,
    HOLD,
    IDENTIFY,
    MAP,
    MAP_REJECTED,
    REJECT,
    RELEASE,
    RELEASE_ORDER,
    RESEND,
    RETRY,
    SEND_CLIENT,
)
from apps.orders.admin_pages.changes import StatusChangeAdmin
from apps.orders.admin_pages.correcting import CORRECT, LEAVE, RETRY_ONE
from apps.orders.admin_pages.held_groups import CHOOSE_ACCOUNT, REJECT_STATUS, SET_ZONE
from apps.orders.admin_pages.holds import HeldChangeAdmin
from apps.orders.admin_pages.mapping import SIMULATE, freed_by, late_goals_note, unknown_statuses_note
from apps.orders.admin_pages.order import OrderAdmin
from apps.orders.admin_pages.panels import (
    data_of_client,
    identifiers_of_client,
    orders_of_client,
    waiting_of,
    work_tiles,
)
from apps.orders.admin_pages.people import ERASE, MERGE
from apps.orders.admin_pages.rejected import RejectedChangeAdmin
from apps.orders.checkup import orders_step
from apps.orders.models import HeldChange, Order, RejectedChange, StatusChange

offer(Order, ADD_STATUS, RESEND, RETRY, RELEASE_ORDER, HOLD)
offer(Client, SEND_CLIENT, MERGE, ERASE)
offer(HeldChange, MAP, IDENTIFY, RELEASE, REJECT, REJECT_STATUS)
offer(RejectedChange, CORRECT, MAP_REJECTED, RETRY_ONE, LEAVE)
counter_pages.counter_tiles.append(work_tiles)
counter_pages.waiting_counts.append(waiting_of)
counter_pages.freed_counts.append(freed_by)
counter_pages.counter_actions(SIMULATE, SET_ZONE, CHOOSE_ACCOUNT)
checkup.add_check(30, orders_step)
mapping_editor.draft_buttons.append(
    mapping_editor.DraftButton("admin:counters_counter_simulate", SIMULATE.title, SIMULATE.icon)
)
mapping_editor.mapping_notes.extend([unknown_statuses_note, late_goals_note])
client_panels.extend([orders_of_client, identifiers_of_client, data_of_client])
client_data.append(known.told)
admin.site.register(Order, OrderAdmin)
admin.site.register(StatusChange, StatusChangeAdmin)
admin.site.register(HeldChange, HeldChangeAdmin)
admin.site.register(RejectedChange, RejectedChangeAdmin)

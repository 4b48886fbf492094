"""Addresses of the sandbox, under `/sandbox/`: Metrica's own, the control addresses, the pages."""

from django.urls import path, re_path

from apps.sandbox.api import cdp, goals, grants, management, reports, schema
from apps.sandbox.api.endpoint import unknown_address
from apps.sandbox.control import crm
from apps.sandbox.control import views as control
from apps.sandbox.oauth import control as oauth_control
from apps.sandbox.oauth import endpoints as oauth
from apps.sandbox.oauth import pages as oauth_pages
from apps.sandbox.pages import customers, fault_panel, quota_panel, site, views

app_name = "sandbox"

urlpatterns = [
    path("cdp/api/v1/counter/<str:counter_id>/data/simple_orders", cdp.simple_orders),
    path("cdp/api/v1/counter/<str:counter_id>/data/contacts", cdp.contacts),
    path("cdp/api/v1/counter/<str:counter_id>/data/contacts/csv", cdp.contacts_csv),
    path("cdp/api/v1/counter/<str:counter_id>/data/contacts/json", cdp.contacts_json),
    path("cdp/api/v1/counter/<str:counter_id>/data/orders", cdp.orders),
    path("cdp/api/v1/counter/<str:counter_id>/data/orders/csv", cdp.orders_csv),
    path("cdp/api/v1/counter/<str:counter_id>/data/orders/json", cdp.orders_json),
    path("cdp/api/v1/counter/<str:counter_id>/schema/order_statuses", schema.order_statuses),
    path("cdp/api/v1/counter/<str:counter_id>/schema/attributes", schema.attributes),
    path("cdp/api/v1/counter/<str:counter_id>/schema/products", schema.create_products),
    path("cdp/api/v1/counter/<str:counter_id>/schema/types", schema.types),
    path("cdp/api/v1/counter/<str:counter_id>/schema/predefined_types", schema.predefined_types),
    path("cdp/api/v1/counter/<str:counter_id>/last_uploadings", cdp.last_uploadings),
    path("management/v1/counters", management.counters),
    path("management/v1/counter/<str:counter_id>", management.counter),
    path("management/v1/counter/<str:counter_id>/goals", goals.goals),
    path("management/v1/counter/<str:counter_id>/goal/<str:goal_id>", goals.goal),
    path("management/v1/counter/<str:counter_id>/grants", grants.grants),
    path("management/v1/counter/<str:counter_id>/grant", grants.grant),
    path("management/v1/counter/<str:counter_id>/my_grant", grants.my_grant),
    path("stat/v1/data", reports.data),
    re_path(r"^(?:cdp|management|stat)(?:/|$)", unknown_address),
    path("control/counters", control.counters),
    path("control/goals", control.goals),
    path("control/accesses", control.accesses),
    path("control/visits", control.visits),
    path("control/visits/month", control.month),
    path("control/faults", control.faults),
    path("control/switches", control.switches_view),
    path("control/limits", control.limits_view),
    path("control/reset", control.reset),
    path("control/orders", control.orders),
    path("control/uploadings", control.uploadings),
    path("control/reaches", control.reaches),
    path("control/requests", control.requests),
    path("authorize", oauth_pages.authorize, name="authorize"),
    path("verification_code", oauth_pages.verification_code, name="verification_code"),
    path("token", oauth.token, name="token"),
    path("revoke_token", oauth.revoke_token, name="revoke_token"),
    path("info", oauth.info, name="info"),
    path("apps/", oauth_pages.apps, name="apps"),
    path("tokens/<int:pk>/end", oauth_pages.end_token, name="end_token"),
    path("control/apps", oauth_control.apps),
    path("control/tokens", oauth_control.tokens),
    path("control/customers", crm.customers),
    path("control/events", crm.events),
    path("control/statuses", crm.statuses),
    path("control/attributes", crm.attributes),
    path("control/products", crm.products),
    path("", views.start, name="start"),
    path("requests/", quota_panel.requests, name="requests"),
    path("counters/<int:number>/", site.counter, name="counter"),
    path("counters/<int:number>/uploads/", views.uploads, name="uploads"),
    path("counters/<int:number>/orders/", views.orders, name="orders"),
    path("counters/<int:number>/customers/", customers.customers, name="customers"),
    path("counters/<int:number>/visits/", site.visits, name="visits"),
    path("uploads/<uuid:uuid>/", views.upload, name="upload"),
    path("uploads/<uuid:uuid>/file", views.upload_file, name="upload_file"),
    path("orders/<uuid:pk>/", views.order, name="order"),
    path("customers/<uuid:pk>/", customers.customer, name="customer"),
    path("visits/<int:pk>/", views.visit, name="visit"),
    path("goals/<int:pk>/", site.goal, name="goal"),
    path("goals/<int:pk>/delete", site.remove_goal, name="remove_goal"),
    path("limits/", quota_panel.move, name="limit"),
    path("faults/", fault_panel.faults, name="faults"),
    path("faults/<int:pk>/remove", fault_panel.remove, name="remove_fault"),
    path("switches/", fault_panel.switch, name="switch"),
]

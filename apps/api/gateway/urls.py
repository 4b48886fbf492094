"""Addresses of the gateway, as Metrica has them: the upload and schema addresses of CRM data."""

from django.urls import path, re_path

from apps.api.gateway import schema, uploads
from apps.api.gateway.endpoint import unknown_address

app_name = "gateway"

_COUNTER = "counter/<str:counter_id>"

urlpatterns = [
    path(f"{_COUNTER}/data/simple_orders", uploads.simple_orders, name="simple_orders"),
    path(f"{_COUNTER}/data/contacts", uploads.contacts, name="contacts"),
    path(f"{_COUNTER}/data/contacts/csv", uploads.contacts_csv, name="contacts_csv"),
    path(f"{_COUNTER}/data/contacts/json", uploads.contacts_json, name="contacts_json"),
    path(f"{_COUNTER}/data/orders", uploads.orders, name="orders"),
    path(f"{_COUNTER}/data/orders/csv", uploads.orders_csv, name="orders_csv"),
    path(f"{_COUNTER}/data/orders/json", uploads.orders_json, name="orders_json"),
    path(f"{_COUNTER}/schema/order_statuses", schema.order_statuses, name="order_statuses"),
    path(f"{_COUNTER}/schema/attributes", schema.attributes, name="attributes"),
    path(f"{_COUNTER}/schema/products", schema.create_products, name="products"),
    path(f"{_COUNTER}/schema/types", schema.types, name="types"),
    path(f"{_COUNTER}/schema/predefined_types", schema.predefined_types, name="predefined_types"),
    path(f"{_COUNTER}/last_uploadings", uploads.last_uploadings, name="last_uploadings"),
    re_path(r"", unknown_address, name="unknown_address"),
]

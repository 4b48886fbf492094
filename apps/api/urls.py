"""Addresses below /api/v1/. Order ids and CRM statuses may hold anything, slashes too, so they are paths."""

from django.urls import path, re_path

from apps.api.views import audit, clients, counters, declared, goals, holds, imports, meta, orders, statuses, uploads

app_name = "api"

_COUNTER = "counters/<int:metrica_id>/"

urlpatterns = [
    path("counters/", counters.CountersView.as_view(), name="counters"),
    path(_COUNTER, counters.CounterView.as_view(), name="counter"),
    path(f"{_COUNTER}attributes/", declared.AttributesView.as_view(), name="attributes"),
    path(f"{_COUNTER}products/", declared.ProductsView.as_view(), name="products"),
    path(f"{_COUNTER}goals/", goals.GoalsView.as_view(), name="goals"),
    path(f"{_COUNTER}statuses/", statuses.StatusesView.as_view(), name="statuses"),
    path(f"{_COUNTER}status-drift/", statuses.DriftView.as_view(), name="status-drift"),
    path(f"{_COUNTER}statuses/<path:crm_status>/", statuses.StatusView.as_view(), name="status"),
    path(f"{_COUNTER}orders/", orders.CounterOrdersView.as_view(), name="orders"),
    path(f"{_COUNTER}orders/<path:order_id>/statuses/", orders.EndsLikeStatusesView.as_view(), name="order-statuses"),
    path(f"{_COUNTER}orders/<path:order_id>/", orders.OrderView.as_view(), name="order"),
    path(f"{_COUNTER}clients/", clients.ClientsView.as_view(), name="clients"),
    path(f"{_COUNTER}clients/<path:client_id>/", clients.ClientView.as_view(), name="client"),
    path(f"{_COUNTER}uploads/", uploads.CounterUploadsView.as_view(), name="uploads"),
    path("uploads/<uuid:pk>/", uploads.UploadView.as_view(), name="upload"),
    path("uploads/<uuid:pk>/retry/", uploads.RetryView.as_view(), name="upload-retry"),
    path("uploads/<uuid:pk>/cancel/", uploads.CancelView.as_view(), name="upload-cancel"),
    path(f"{_COUNTER}imports/", imports.CounterImportsView.as_view(), name="imports"),
    path("imports/<uuid:pk>/", imports.ImportView.as_view(), name="import"),
    path("imports/<uuid:pk>/errors.csv", imports.ImportErrorsView.as_view(), name="import-errors"),
    path("imports/<uuid:pk>/cancel/", imports.CancelImportView.as_view(), name="import-cancel"),
    path("holds/", holds.HoldsView.as_view(), name="holds"),
    path("audit/", audit.AuditView.as_view(), name="audit"),
    path("schema/", meta.SchemaView.as_view(), name="schema"),
    path("docs/", meta.DocsView.as_view(), name="docs"),
    re_path(r"^(?P<path>.*)$", meta.NothingHereView.as_view(), name="nothing-here"),
]

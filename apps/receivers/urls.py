from django.urls import path

from apps.receivers import views

urlpatterns = [
    path("in/<str:public_id>/<str:receiver_secret>/", views.receive, name="receiver"),
    # Some CRMs take the last slash away.
    path("in/<str:public_id>/<str:receiver_secret>", views.receive, name="receiver-bare"),
]

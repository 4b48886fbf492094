from django.urls import path

from apps.reports import pages

urlpatterns = [
    path("report/<str:secret>/", pages.report, name="report"),
    path("report/letters/<str:token>/", pages.letters, name="report-letters"),
]

from django.urls import path

from apps.reports import pages

urlpatterns = [
    path("report/<str:link_secret>/", pages.report, name="report"),
    path("report/letters/<str:letter_token>/", pages.letters, name="report-letters"),
]

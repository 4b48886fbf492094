from django.urls import path

from apps.agencies import views

urlpatterns = [
    path("agency/", views.switch_agency, name="switch-agency"),
    path("i18n/setlang/", views.set_language, name="set_language"),
    path("invitation/<str:secret>/", views.invitation, name="invitation"),
    path("welcome/<uidb64>/<token>/", views.FirstPasswordView.as_view(), name="first-password"),
]

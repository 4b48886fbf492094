"""Settings of the sandbox alone: its tables and pages, no agencies, no admin, no queue. `make sandbox` names them."""

import os

os.environ["DEBUG"] = os.environ["SANDBOX"] = "on"
os.environ["ENV_FILE"] = os.devnull

from project.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "apps.sandbox",
]
MIDDLEWARE = [
    "project.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
ROOT_URLCONF = "project.sandbox.urls"
AUTH_USER_MODEL = "auth.User"  # no users here: nothing loads it
AUTHENTICATION_BACKENDS = []

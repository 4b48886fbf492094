"""The project's settings as in production, but for what needs a built copy of the static files, or HTTPS."""

from project.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["testserver"]
SECURE_SSL_REDIRECT = False
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # noqa: F405
METRICA_URL = "http://127.0.0.1:9"  # nobody is asked; accounts have made-up tokens anyway

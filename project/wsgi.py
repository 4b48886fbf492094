"""WSGI entry point: `gunicorn project.wsgi`."""

import os

from django.apps import apps
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

from project.warm_up import warm_up  # noqa: E402 - it needs the settings

warm_up()
if apps.is_installed("apps.agencies"):  # the sandbox alone knows no keys
    from apps.agencies.key_uses import keep_written

    keep_written()

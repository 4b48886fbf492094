"""WSGI entry point: `gunicorn project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

from apps.agencies.key_uses import keep_written  # noqa: E402 - they need the settings
from project.warm_up import warm_up  # noqa: E402

warm_up()
keep_written()

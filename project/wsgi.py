"""WSGI entry point: `gunicorn project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

from project.warm_up import warm_up  # noqa: E402 - it needs the settings

warm_up()

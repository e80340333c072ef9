"""Django under WSGI; `flashback.asgi` mounts it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
application = get_wsgi_application()

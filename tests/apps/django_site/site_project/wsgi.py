"""The application; Django itself serves the static files here, as it does for its developers."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
application = StaticFilesHandler(get_wsgi_application())

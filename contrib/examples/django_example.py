"""A Django site in one file: a page with a form that posts back to itself."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.template import engines
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", "for this example only"),
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)

PAGE = """<!doctype html>
<title>Django behind pycgid</title>
<h1>Hello from Django, {{ name }}!</h1>
<form method="post">{% csrf_token %}<input name="name"> <button>Greet</button></form>
<p>Process {{ pid }} answered {{ request.method }} {{ request.path }}.</p>
"""


def greet(request):
    context = {"name": request.POST.get("name", "world"), "pid": os.getpid()}
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render(context, request))


urlpatterns = [path("", greet)]
application = get_wsgi_application()

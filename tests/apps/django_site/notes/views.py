"""The pages: the ORM, forms with CSRF protection, sessions, files in both directions."""

import hashlib
import os

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from .models import Note


def index(request):
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("pk")})


def add(request):
    Note.objects.create(text=request.POST["text"])
    return redirect("/")


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(f"visit {request.session['visits']}")


def upload(request):
    file = request.FILES["file"]
    name = default_storage.save(os.path.basename(file.name), file)
    checksum = hashlib.sha256()
    with default_storage.open(name) as stored:
        for piece in stored.chunks():
            checksum.update(piece)
    return HttpResponse(f"{name} {file.size} {checksum.hexdigest()}")


def media(_, name):
    """A FileResponse leaves by wsgi.file_wrapper."""
    return FileResponse(open(os.path.join(settings.MEDIA_ROOT, name), "rb"))


def report(_):
    lines = (f"line {number}\n" for number in range(1000))
    return StreamingHttpResponse(lines, content_type="text/plain")


def broken(_):
    raise RuntimeError("this page fails on purpose")

"""Where the pages are."""

from django.contrib import admin
from django.urls import path
from notes import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.index),
    path("add", views.add),
    path("visits", views.visits),
    path("upload", views.upload),
    path("media/<str:name>", views.media),
    path("report", views.report),
    path("broken", views.broken),
]

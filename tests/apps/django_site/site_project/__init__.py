"""A small Django project: notes, written by visitors and by the administrator."""

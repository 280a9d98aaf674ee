"""The web application: `gunicorn wsgi:app`, and `flask …` finds it by itself."""

from app import create_app
from app.terminal import one_sentence

with one_sentence():
    app = create_app()

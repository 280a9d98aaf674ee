"""The web application: `gunicorn wsgi:app`, and `flask …` finds it by itself."""

from app import create_app
from app.terminal import one_sentence
from workers import logs, settings

with one_sentence():
    logs.setup(production=settings.current().app_env == "production")
    app = create_app()

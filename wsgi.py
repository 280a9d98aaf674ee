"""The web application: `gunicorn wsgi:app`, and `flask …` finds it by itself."""

from app import create_app
from app.terminal import loading
from workers import logs, settings

with loading():
    logs.setup(production=settings.current().app_env == "production")
    app = create_app()

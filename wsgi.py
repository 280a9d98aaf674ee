"""The web application: `gunicorn wsgi:app`, and `flask …` finds it by itself."""

from app import cli, create_app
from app.terminal import loading, runs_a_command
from workers import logs, settings

with loading():
    logs.setup(production=settings.current().app_env == "production")
    app = cli.application() if runs_a_command() else create_app()

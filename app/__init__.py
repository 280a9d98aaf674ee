"""THE FACE: the HTTP API. Translates between HTTP and the engine, and holds no rules of its own."""

from typing import TYPE_CHECKING

from workers.settings import Settings, use

if TYPE_CHECKING:
    from flask import Flask


def create_app(settings: Settings | None = None) -> "Flask":
    """The WSGI application; opens neither the database nor Redis before the first request."""
    from app.face import face  # what stands behind the routes, for which neither a command nor the sandbox should wait

    if settings:
        use(settings)
    return face()

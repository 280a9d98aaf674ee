"""The live stream of all tasks that the caller may see."""

from flask import Response

from app.api import documented, streams
from app.api.documented import problems
from app.auth import company_scope

api = documented.blueprint("events", "Events: what happens, as it happens", "/api/events")


@api.get("", responses={200: streams.DOCUMENTED, **problems(422)})
def all_events(query: streams.Since) -> Response:
    """Stream the changes of all your tasks as Server-Sent Events, beginning with those that live."""
    return streams.of_company(company_scope(), query.last_event_id)

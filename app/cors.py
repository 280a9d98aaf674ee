"""Other people's front ends live on other origins: what their pages may read of us, which is little.

The script /static/sira.js, and the status of a task by a token in the header. Never with cookies: `*` without
Access-Control-Allow-Credentials makes a browser withhold every answer that a cookie had a part in.
"""

from flask import Flask, Response, request

SCRIPT = "/static/sira.js"
STATUS = "tasks.task_status"
ANYONE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
READABLE = {**ANYONE, "Access-Control-Expose-Headers": "Retry-After"}
ASKED_BEFORE = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Authorization, Accept-Language",
    "Access-Control-Max-Age": "86400",
}


def register(app: Flask) -> None:
    """Before who calls is asked for: a preflight (OPTIONS) carries no token."""
    app.before_request(_preflight)
    app.after_request(_allow)


def _preflight() -> Response | None:
    return Response(status=204, headers=ASKED_BEFORE) if request.method == "OPTIONS" and _is_open() else None


def _is_open() -> bool:
    return request.endpoint == STATUS


def _allow(response: Response) -> Response:
    if request.path == SCRIPT:
        response.headers.extend(ANYONE)
    elif _is_open():
        response.headers.extend(READABLE)
    return response

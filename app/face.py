"""The application itself: what holds for every request, and in which order."""

from flask import Flask, g, request
from flask_openapi3 import Info, OpenAPI
from flask_openapi3.types import SecuritySchemesDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

from app import auth, cli, cors, errors, headers, pages, rate, unsubscribe
from app.api import blueprints
from app.desk import gate, session
from app.json import JsonRequest, OrJson, has_body
from workers import db, logs
from workers.errors import InvalidInput
from workers.settings import current

PUBLIC = frozenset({"/api/openapi.json", "/api/docs"})
UPLOADS = frozenset({"/api/excel/upload-async"})
READING = frozenset({"GET", "HEAD"})
FORM_BYTES = 64 * 2**10  # what may stand around an upload of the largest size
YEAR_S = 31_536_000
BEARER: SecuritySchemesDict = {
    "token": {"type": "http", "scheme": "bearer", "description": "`flask tokens create` prints one."}
}


class Face(OpenAPI):
    json_provider_class = OrJson
    request_class = JsonRequest

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        return YEAR_S if (filename or "").startswith("vendor/") else None  # a vendored file has its version in the path


def face() -> Flask:
    """The application with all its routes, by the settings in use."""
    app = Face(
        "app",
        info=Info(title="Sıra", version="1.0.0", description="Background jobs for companies that send paper."),
        security_schemes=BEARER,  # without any the document says null, which is invalid
        validation_error_model=errors.Problem,
        validation_error_callback=errors.refuse_invalid,
        doc_ui=False,
    )
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = current().max_upload_mb * 2**20
    logs.report_errors(current().sentry_dsn)
    db.somebody_waits()
    errors.register(app)
    cors.register(app)
    app.before_request(_identify)
    rate.register(app)
    app.before_request(_admit)
    headers.register(app)
    _routes(app)
    if current().public_url.startswith("https://"):
        # TLS ends at a proxy, which alone knows the caller's address
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    return app


def _routes(app: OpenAPI) -> None:
    for blueprint in blueprints():
        app.register_api(blueprint)
    pages.register(app)
    app.register_blueprint(unsubscribe.pages)
    cli.register(app)


def _is_api() -> bool:
    return request.path.startswith("/api/") and request.path not in PUBLIC


def _identify() -> None:
    """By the token; what is only read takes the desk's cookie as well, which proves nothing about who wrote a POST."""
    known = _is_api() or gate.is_page()
    g.caller = auth.identify() if known else None
    if known and g.caller is None and (request.method in READING or gate.is_page()):
        g.caller = session.identify()


def _admit() -> None:
    """What holds for every API request: token, content type, JSON; strangers can't make us read a body."""
    if not _is_api():
        return
    auth.caller()
    if request.path in UPLOADS:
        _admit_upload()
        return
    if has_body() and not request.is_json:
        raise UnsupportedMediaType("Send the body as application/json.")
    if request.content_length is None and len(request.get_data()) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge()  # werkzeug cuts a chunked body off at the limit without a word
    if has_body() and not isinstance(request.get_json(), dict):
        raise InvalidInput([{"field": "body", "message": "must be a JSON object"}])


def _admit_upload() -> None:
    """A form with a file is read by its route alone."""
    if has_body() and request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data.")
    request.max_content_length = (request.max_content_length or 0) + FORM_BYTES

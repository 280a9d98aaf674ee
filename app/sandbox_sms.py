"""The sandbox's SMS gateway, over HTTP. The same key is answered with its first answer, and sends nothing anew.

POST /sms/send {"key","messages":[{"ref","phone","text"}]} -> 200 {"accepted":[{"ref","id"}]}
GET /sms/status?key= -> 200 the same, each with "state":"delivered" and "at" (ISO 8601 UTC); 404 for an unknown key
GET /healthz -> 200
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.sandbox_log import MessageLog
from workers import db, logs
from workers.db import storable
from workers.errors import SiraError
from workers.models import SandboxMessage

MAX_BYTES = 10_000_000
MAX_MESSAGES = 1000
WAIT_S = 20
Answer = tuple[int, dict[str, Any]]

log = logs.get(__name__)


class Sms(BaseModel):
    """One message of a request."""

    model_config = ConfigDict(strict=True)

    ref: Annotated[str, Field(max_length=120)]
    phone: Annotated[str, Field(min_length=1, max_length=40)]
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class Request(BaseModel):
    """A request to send; `key` is the sender's, one for each request."""

    model_config = ConfigDict(strict=True)

    key: Annotated[str, Field(min_length=1, max_length=255)]
    messages: Annotated[list[Sms], Field(min_length=1, max_length=MAX_MESSAGES)]


def sms_server(address: tuple[str, int], messages: MessageLog) -> ThreadingHTTPServer:
    """Ready for `serve_forever`."""

    class Handler(_Handler):
        log = messages

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads, server.block_on_close = True, False
    return server


class _Handler(BaseHTTPRequestHandler):
    """One connection, over which many requests may come."""

    log: MessageLog
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer leaves in one piece
    timeout = 60

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BYTES:
            self.close_connection = True  # its body is left unread
            self._answer(413 if length.isdigit() else 411, {"code": "LENGTH"})
            return
        body = self.rfile.read(int(length))
        self._answer(*(self._sent(body) if self.path == "/sms/send" else (404, {"code": "UNKNOWN_PATH"})))

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        known = {"/healthz": lambda _: (200, {"status": "ok"}), "/sms/status": _status}
        answer = known.get(asked.path, lambda _: (404, {"code": "UNKNOWN_PATH"}))
        try:
            self._answer(*answer(parse_qs(asked.query).get("key", [""])[0]))
        except SiraError as error:
            self._answer(503, {"code": error.type})

    def _sent(self, body: bytes) -> Answer:
        if self.headers.get_content_type() != "application/json":  # a page in a browser can't post that unasked
            return 415, {"code": "CONTENT_TYPE"}
        try:
            request = Request.model_validate_json(body)
        except ValidationError as error:
            return 422, {"code": "INVALID", "errors": [f"{e['loc']}: {e['msg']}" for e in error.errors()[:5]]}
        try:
            return 200, {"accepted": self.log.write(lambda session: _accept(session, request)).result(WAIT_S)}
        except (SiraError, TimeoutError) as error:
            log.error("messages not recorded", error=type(error).__name__)
            return 503, {"code": "BUSY"}

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == 503:
            self.send_header("Retry-After", "2")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing: a line for every request is the caller's to log."""


def _accept(session: Session, request: Request) -> list[dict[str, str]]:
    if before := _rows(session, request.key):
        return [{"ref": row.ref or "", "id": str(row.id)} for row in before]
    same = {"channel": "sms", "key": storable(request.key), "attachments": [], "created_at": db.now()}
    rows = [
        {**same, "ref": storable(sms.ref), "recipient": storable(sms.phone), "body": storable(sms.text)}
        for sms in request.messages
    ]
    ids = session.scalars(insert(SandboxMessage).returning(SandboxMessage.id, sort_by_parameter_order=True), rows)
    return [{"ref": sms.ref, "id": str(id)} for sms, id in zip(request.messages, ids, strict=True)]


def _status(key: str) -> Answer:
    with db.reading() as session:
        rows = _rows(session, key)
    told = [{"ref": r.ref, "id": str(r.id), "state": "delivered", "at": r.created_at.isoformat()} for r in rows]
    return (200, {"accepted": told}) if rows else (404, {"code": "UNKNOWN_KEY"})


def _rows(session: Session, key: str) -> list[SandboxMessage]:
    wanted = (SandboxMessage.channel == "sms", SandboxMessage.key == storable(key))
    return [*session.scalars(select(SandboxMessage).where(*wanted).order_by(SandboxMessage.id))]

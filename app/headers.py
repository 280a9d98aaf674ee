"""Headers that every answer carries, so that a browser does nothing with it that was not meant."""

from flask import Flask, Response, request

from workers import settings

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
TWO_YEARS_S = 63_072_000


def register(app: Flask) -> None:
    page = dict(ALWAYS)
    if settings.current().public_url.startswith("https://"):
        page["Strict-Transport-Security"] = f"max-age={TWO_YEARS_S}; includeSubDomains"

    api = {**page, "Cache-Control": "no-store"}

    def add(response: Response) -> Response:
        chosen = api if request.path.startswith("/api/") else page
        own = set(response.headers.keys()) - {"Cache-Control"}  # a page may bring a policy of its own
        response.headers.extend({name: value for name, value in chosen.items() if name not in own})
        return response

    app.after_request(add)

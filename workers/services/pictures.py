"""The first page of a PDF as a picture, for people who look before they send."""

import io
from threading import Lock

from workers.errors import LimitReached

WIDTH_PX = 900
WAIT_S, RETRY_S = 5.0, 5
_turn = Lock()  # PDFium may be used by one thread at a time


def first_page(pdf: bytes) -> bytes:
    """The first page as PNG in shades of grey. LimitReached if others draw for longer than WAIT_S."""
    import pypdfium2

    if not _turn.acquire(timeout=WAIT_S):
        raise LimitReached(what="Too many previews at once", retry_after_s=RETRY_S)
    try:
        with pypdfium2.PdfDocument(pdf) as document:
            page = document[0]
            picture = page.render(scale=WIDTH_PX / page.get_width(), grayscale=True).to_pil()
    finally:
        _turn.release()
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=3)
    return out.getvalue()

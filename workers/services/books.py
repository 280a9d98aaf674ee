"""Books of letters joined into one PDF that is written front to back: memory holds one book and a number per object."""

import io
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from workers.errors import InvalidLetter

if TYPE_CHECKING:
    import pikepdf

HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
TREE = 1  # the object number of the page tree
Numbers = dict[tuple[int, int], int]


def join(books: Iterable[bytes], out: Any) -> None:
    """Write the pages of all books in the order given to `out`, which needs no more than `write`.

    Font programs that are the same are embedded once; language, title and author are those of the first book.
    """
    import pikepdf

    whole, first = _Joined(out), b""
    for book in books:
        first = first or book
        with pikepdf.open(io.BytesIO(book)) as opened:
            whole.add(opened)
    if not first:
        raise InvalidLetter(reason="a book needs at least one letter")
    with pikepdf.open(io.BytesIO(first)) as opened:
        whole.end(opened)


class _Joined:
    """The PDF in the making. Objects are copied, renumbered, while their book is open; `_offsets[n]`: where n lies."""

    def __init__(self, out: Any) -> None:
        self._out, self._at, self._hash = out, 0, sha256()
        self._offsets, self._pages = [0, 0], list[int]()
        self._fonts: dict[bytes, int] = {}
        self._write(HEADER)

    def add(self, book: "pikepdf.Pdf") -> None:
        numbers: Numbers = {}
        for page in book.pages:
            for font in page.Resources.Font.values():
                self._font(font, numbers)
            own = {name: value for name, value in page.obj.items() if name != "/Parent"}
            self._pages.append(self._put(b"<<%b /Parent %d 0 R>>" % (self._pairs(own, numbers), TREE)))

    def end(self, first: "pikepdf.Pdf") -> None:
        """The page tree, the catalog, what is known of the document, and where everything lies."""
        kids = b" ".join(b"%d 0 R" % page for page in self._pages)
        self._put(b"<</Type /Pages /Count %d /Kids [%b]>>" % (len(self._pages), kids), TREE)
        kept = {name: first.Root[name] for name in ("/Lang", "/ViewerPreferences")}
        root = self._put(b"<</Type /Catalog /Pages %d 0 R%b>>" % (TREE, self._pairs(kept, {})))
        info = self._put(self._direct(first.docinfo, {}))
        start, name = self._at, self._hash.hexdigest()[:32].encode()
        rows = b"".join(b"%010d 00000 n \n" % offset for offset in self._offsets[1:])
        self._write(b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(self._offsets), rows))
        trailer = b"trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /ID [<%b> <%b>]>>\nstartxref\n%d\n%%%%EOF\n"
        self._write(trailer % (len(self._offsets), root, info, name, name, start))

    def _font(self, font: Any, numbers: Numbers) -> None:
        """Copy a font, unless an earlier book had the same one."""
        if font.objgen not in numbers:
            streams = font.FontDescriptor.FontFile2.read_raw_bytes(), font.ToUnicode.read_raw_bytes()
            key = sha256(b"".join(streams)).digest()
            numbers[font.objgen] = self._fonts.get(key) or self._copy(font, numbers)
            self._fonts[key] = numbers[font.objgen]

    def _copy(self, found: Any, numbers: Numbers) -> int:
        """The number that an object of the open book has here."""
        import pikepdf

        if found.objgen not in numbers:
            numbers[found.objgen] = self._reserve()
            body = self._direct(found, numbers)
            if isinstance(found, pikepdf.Stream):
                body += b"\nstream\n%b\nendstream" % found.read_raw_bytes()
            self._put(body, numbers[found.objgen])
        return numbers[found.objgen]

    def _text(self, found: Any, numbers: Numbers) -> bytes:
        if isinstance(found, bool | int | Decimal):
            return f"{found:f}".encode() if isinstance(found, Decimal) else str(found).lower().encode()
        return b"%d 0 R" % self._copy(found, numbers) if found.is_indirect else self._direct(found, numbers)

    def _direct(self, found: Any, numbers: Numbers) -> bytes:
        import pikepdf

        if isinstance(found, pikepdf.Dictionary | pikepdf.Stream):
            return b"<<%b>>" % self._pairs(dict(found.items()), numbers)
        if isinstance(found, pikepdf.Array):
            return b"[%b]" % b" ".join(self._text(one, numbers) for one in found)
        return found.unparse()

    def _pairs(self, values: dict[str, Any], numbers: Numbers) -> bytes:
        pairs = sorted(values.items())  # pikepdf gives them in no order, and the same books must make the same bytes
        return b"".join(b" %b %b" % (name.encode(), self._text(value, numbers)) for name, value in pairs)

    def _reserve(self) -> int:
        self._offsets.append(0)
        return len(self._offsets) - 1

    def _put(self, body: bytes, number: int = 0) -> int:
        number = number or self._reserve()
        self._offsets[number] = self._at
        self._write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        return number

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._hash.update(data)
        self._at += len(data)

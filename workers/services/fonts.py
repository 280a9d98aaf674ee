"""The two faces that our pages are set in, embedded from font programs that are made once per process."""

import codecs
import functools
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from reportlab import rl_config
from reportlab.pdfbase import pdfdoc, pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont, makeToUnicodeCMap

from workers.services.right_to_left import letter_of

REGULAR, BOLD = "Sira DejaVuSans", "Sira DejaVuSans-Bold"  # names in reportlab's registry
MARK = "\ufffd"  # stands in for what the faces lack
NBSP = "\xa0"
ALPHABET = "".join(map(chr, range(0x20, 0x7F))) + "ÇĞİÖŞÜçğıöşüÂÎÛâîû€₺£–—‘’“”«»…•·°§®™№ÄÉÈÁÀÅØÑÔÊËäéèáàåøñôêëß" + MARK
# Code 32 has to be the space, so the 32 codes before it are "not defined".
_CODES = (0,) * 32 + tuple(map(ord, ALPHABET))
_PLACES = {code: n for n, code in enumerate(_CODES)}
_ENCODING = codecs.charmap_build("\ufffe" * 32 + ALPHABET)
FOLDER = Path(__file__).parents[1] / "assets" / "fonts"


class _Subsets(WeakKeyDictionary):
    """What each document uses of a face: from the start all of ALPHABET, so that most documents embed the same."""

    def __getitem__(self, document: Any) -> Any:
        if document not in self:
            state = self[document] = TTFont.State(asciiReadable=False)
            state.assignments = dict(_PLACES)
            state.subsets = [list(_CODES)]
            state.nextCode = 256  # characters outside the alphabet open a second subset
        return super().__getitem__(document)


class Face(TTFont):
    """A reportlab font whose making, which costs more than a page's drawing, is cached across documents."""

    def __init__(self, name: str) -> None:
        self.program_name = name.removeprefix("Sira ")
        super().__init__(name, str(FOLDER / f"{self.program_name}.ttf"), shapable=False)
        self.face.name = name.encode()  # reportlab keeps but the first font it meets of a face's name
        self.state = _Subsets()
        self.widths = {chr(code): width for code, width in self.face.charWidths.items()}
        for table in ("name", "OS/2"):  # 16 kB that PDF viewers don't read (ISO 32000-1, 9.9)
            del self.face.table[table]

    def splitString(self, text: str, doc: Any, encoding: str = "utf-8") -> list[tuple[int, bytes]]:
        text = text.replace(NBSP, " ")
        try:
            return [(0, codecs.charmap_encode(text, "strict", _ENCODING)[0])]
        except UnicodeEncodeError:
            return super().splitString(text, doc, encoding)

    def addObjects(self, doc: Any) -> None:
        """As TTFont's, but with streams from `_streams` in place of new ones."""
        state = self.state[doc]
        for n, subset in enumerate(state.subsets):
            internal, name = f"{state.internalName}+{n}", f"{_tag(tuple(subset))}+{self.program_name}"
            program, to_unicode, widths = _streams(self.fontName, name, tuple(subset))
            font = pdfdoc.PDFTrueTypeFont()
            font.Name, font.BaseFont = internal, name
            font.FirstChar, font.LastChar, font.Widths = 0, len(subset) - 1, widths
            font.ToUnicode = doc.Reference(to_unicode.stream(), f"toUnicodeCMap:{name}")
            font.FontDescriptor = self._descriptor(doc, name, program)
            doc.Reference(font, internal)
            doc.idToObject["BasicFonts"].dict[internal] = font
        del self.state[doc]

    def _descriptor(self, doc: Any, name: str, program: "_Deflated") -> Any:
        face = self.face
        entries = {
            "Type": "/FontDescriptor",
            "FontName": pdfdoc.PDFName(name),
            "FontFile2": doc.Reference(program.stream(), f"fontFile:{name}"),
            "Flags": face.flags & ~32 | 4,  # symbolic: the program's own cmap counts
            "FontBBox": pdfdoc.PDFArray(face.bbox),
            "ItalicAngle": face.italicAngle,
            "Ascent": face.ascent,
            "Descent": face.descent,
            "CapHeight": face.capHeight,
            "StemV": face.stemV,
            "MissingWidth": face.defaultWidth,
        }
        return doc.Reference(pdfdoc.PDFDictionary(entries), f"fontDescriptor:{name}")


@functools.lru_cache(maxsize=16)
def _tag(subset: tuple[int, ...]) -> str:
    """Six capitals that stay with this subset, as two subsets of a face in merged books must not be named the same."""
    return "".join(chr(ord("A") + byte % 26) for byte in sha256(repr(subset).encode()).digest()[:6])


class _Deflated(NamedTuple):
    content: bytes
    length: int

    @classmethod
    def of(cls, data: bytes) -> "_Deflated":
        return cls(zlib.compress(data), len(data))

    def stream(self) -> Any:
        entries = {"Filter": pdfdoc.PDFName("FlateDecode"), "Length1": self.length}
        return pdfdoc.PDFStream(pdfdoc.PDFDictionary(entries), self.content)


@functools.lru_cache(maxsize=16)
def _streams(face_name: str, name: str, subset: tuple[int, ...]) -> tuple[_Deflated, _Deflated, str]:
    """The font program, its map back to Unicode and its widths, ready to be embedded as `name`."""
    face = pdfmetrics.getFont(face_name).face
    letters = tuple(map(letter_of, subset))
    program, to_unicode = face.makeSubset(list(subset)), makeToUnicodeCMap(name, letters).encode()
    widths = " ".join(f"{face.getCharWidth(code):g}" for code in subset)
    return _Deflated.of(program), _Deflated.of(to_unicode), f"[{widths}]"


@functools.cache
def register() -> None:
    """Load both faces, once per process (about 50 ms); a preloader calls it so that its children needn't."""
    rl_config.useA85 = 0  # base 85 makes the pages a quarter larger and slower, for mail systems of the 1990s
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(Face(name))

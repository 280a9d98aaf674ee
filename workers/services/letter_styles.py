"""The inks, styles and columns that all parts of a mutabakat letter share."""

from workers.services.flow import LEFT
from workers.services.fonts import BOLD, REGULAR
from workers.services.typesetting import Ink, Style

NAVY: Ink = (0.11, 0.2, 0.34)
BLACK: Ink = (0.12, 0.13, 0.16)
GREY: Ink = (0.4, 0.42, 0.46)
PALE: Ink = (0.78, 0.8, 0.83)

SENDER = Style(BOLD, 12, 16, NAVY)
TITLE = Style(BOLD, 14, 20, NAVY)
RECEIVER = Style(BOLD, 10, 14.5, BLACK)
DETAIL = Style(REGULAR, 7.8, 11.5, GREY)
LABEL = Style(REGULAR, 7, 11, GREY)
VALUE = Style(REGULAR, 9, 13, BLACK)
BODY = Style(REGULAR, 9.4, 15.5, BLACK)
AMOUNT = Style(BOLD, 9.4, 13, BLACK)
IN_WORDS = Style(REGULAR, 7.4, 10.5, GREY)
NOTE = Style(REGULAR, 7.8, 12, BLACK)
SECTION = Style(BOLD, 8, 12, NAVY)
ANSWER = Style(REGULAR, 8.6, 19, BLACK)
SIGNATORY = Style(BOLD, 7, 10, BLACK)

COLUMNS = (LEFT, LEFT + 170, LEFT + 262)  # Cari Kodu, Para Birimi, Borç/Alacak; Tutar ends at the right margin

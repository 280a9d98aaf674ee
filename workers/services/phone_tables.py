"""phonenumbers with its tables of Turkey, which take 30 ms: loaded before any fork, or else at first use."""

import phonenumbers

__all__ = ["phonenumbers"]

phonenumbers.is_valid_number(phonenumbers.parse("+905551234567"))  # reads the tables

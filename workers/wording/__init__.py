"""What people are told, in their language. Sentences of the code are English and marked with `lazy`: their Turkish
stands in translations/, which the desk reads too. What jobs say in Turkish has its English in english.py.

sentences  what others write in English, marked      told    finds it again, in the reader's language
gateways   what their codes mean                     sheets  why one is not read
states     of items and letters
"""


def lazy(sentence: str) -> str:
    """Marks a sentence for the catalogue; it is translated where it is shown."""
    return sentence

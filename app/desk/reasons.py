"""Why a form is not taken, in the language of the reader."""

from dataclasses import dataclass

from flask_babel import gettext

from app.desk.told import told, worded
from app.errors import STATUSES
from workers.errors import InvalidInput, KeyReused, NotAllowed, NotFound, NotSignedIn, SiraError

SHOWN = 5


@dataclass(frozen=True)
class Refusal:
    """Why a form was not taken: its HTTP status, and problems `{"field", "message"}` (field "" is the form itself)."""

    status: int
    problems: list[dict[str, str]]

    def of(self, field: str) -> str | None:
        """What is wrong with this field or inside it, in the reader's language."""
        found = [worded(each["message"]) for each in self.problems if f"{each['field']}.".startswith(f"{field}.")]
        return "; ".join(found[:SHOWN]) or None

    def besides(self, *shown: str) -> list[str]:
        """What is wrong and stands at none of the fields that the form shows."""
        fields = dict.fromkeys(each["field"].split(".")[0] for each in self.problems)
        return [found for name in fields if name not in shown and (found := self.of(name))]

    @property
    def every(self) -> list[str]:
        """All that is wrong, for forms that show it in one place."""
        return list(dict.fromkeys(worded(each["message"]) for each in self.problems[:SHOWN]))


def refusal_of(error: SiraError) -> Refusal:
    """What to show beside a form whose fields are kept. What a form can't mend (a missing right) is raised again."""
    if isinstance(error, NotAllowed | NotSignedIn):
        raise error
    if isinstance(error, InvalidInput):
        return Refusal(422, error.problems)
    if isinstance(error, KeyReused):  # sent twice, and what it means has changed in between
        said = gettext("This form was sent already: look under Tasks. To do it once more, send it again from here.")
        return Refusal(409, [{"field": "", "message": said}])
    if isinstance(error, NotFound):
        said = gettext("A record or a file that is named here does not exist, or belongs to another company.")
        return Refusal(422, [{"field": "", "message": said}])
    status = next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), None)
    if status is None:
        raise error
    return Refusal(status, [{"field": "", "message": told(error)}])

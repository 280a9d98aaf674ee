"""What went wrong, in the language of whoever reads this page."""

from dataclasses import replace

from flask_babel import get_locale

from workers.engine.tasks import Task
from workers.errors import SiraError
from workers.wording import told as wording


def told(error: SiraError) -> str:
    """The error's message in the reader's language."""
    return worded(error.message)


def worded(message: str) -> str:
    """The message in the reader's language, where the catalogue has it."""
    return wording.worded(message, reader())


def of_task(task: Task, language: str | None = None) -> Task:
    """The task with its error in the reader's language (or in this one), and so all that is said of it."""
    if not task.error:
        return task
    message = wording.worded(task.error["message"], language or reader())
    return replace(task, error={**task.error, "message": message})


def reader() -> str:
    """The language of this request's reader; of the code itself where there is none."""
    return str(get_locale() or "en")

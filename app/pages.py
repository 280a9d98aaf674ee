"""Which pages the desk has, and what stands in front of all of them."""

from importlib import import_module

from flask import Flask

from app.desk import frame, gate, i18n, session, shown

FORM_BYTES = 16 * 2**20  # a hundred thousand numbers and messages that somebody pasted

BLUEPRINTS = (  # modules, each with a blueprint `pages` whose name begins with "desk_"
    "app.desk.login",
    "app.desk.home",
    "app.desk.notices",
    "app.desk.company",
    "app.desk.tasks",
    "app.desk.items",
    "app.desk.steering",
    "app.desk.forms",
    "app.desk.letters",
    "app.desk.accounts",
    "app.desk.sending",
    "app.desk.uploads",
    "app.desk.texts",
    "app.desk.mails",
    "app.desk.operators",
    "app.desk.planned",
    "app.desk.companies",
    "app.desk.persons",
    "app.desk.sandbox",
    "app.desk.rq",
)


def register(app: Flask) -> None:
    for part in (session, i18n, shown, frame, gate):
        part.register(app)
    app.config["MAX_FORM_MEMORY_SIZE"] = FORM_BYTES
    for module in BLUEPRINTS:
        app.register_blueprint(import_module(module).pages)

"""The JSON API: one file per resource."""

from flask_openapi3 import APIBlueprint


def blueprints() -> list[APIBlueprint]:
    from app.api import companies, docs, events, health, jobs, mutabakat, tasks

    return [module.api for module in (mutabakat, jobs, tasks, events, companies, health, docs)]

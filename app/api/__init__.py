"""The JSON API: one file per resource."""

from flask_openapi3 import APIBlueprint


def blueprints() -> list[APIBlueprint]:
    from app.api import (
        companies,
        docs,
        email,
        events,
        excel,
        health,
        jobs,
        metrics,
        mutabakat,
        queues,
        schedules,
        sms,
        tasks,
    )

    resources = (mutabakat, email, sms, excel, jobs, tasks, schedules, events, companies, queues, metrics, health, docs)
    return [module.api for module in resources]

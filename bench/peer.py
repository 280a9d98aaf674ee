"""The peer of our front door: a bare Flask route that does one `Queue.enqueue`, as the manual of RQ has it."""

from flask import Flask, Response, jsonify, request
from redis import Redis
from rq import Queue

from workers import embedded, settings

app = Flask(__name__)
queue = Queue("peer", connection=Redis.from_url(embedded.redis_url(settings.current())))


@app.post("/enqueue")
def enqueue() -> tuple[Response, int]:
    job = queue.enqueue("workers.jobs.pdf.generate_mutabakat_pdf", mutabakat_id=request.get_json()["mutabakat_id"])
    return jsonify(task_id=job.id), 202

"""THE WORKS: everything that runs without Flask.

engine/        the queue: enqueue, claim, run, watch, rescue (knows no letter, no SMS, no sheet)
jobs/          WHAT the service does: one short function per kind, in the file of its queue
services/      HOW it is done: letters, words, numbers, sheets/, sms_gateways/; plain Python
imports/ housekeeping/                  what lies beneath jobs/excel.py and jobs/maintenance.py
wording/       what people are told, in both languages

models.py      companies, users, accounts, mutabakat, files   (db.py silence.py migrations/ beneath it)
records.py messages.py tellings.py      what jobs and API need of them: read, sent, told
lettered.py    which letters the items of a bulk are about
statuses.py    a task as the outside sees it
files.py storage.py places.py           rows of files, their bytes, the folder and the bucket
settings.py errors.py logs.py pace.py processes.py embedded.py retry_after.py    one concern each
"""

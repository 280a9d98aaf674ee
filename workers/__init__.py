"""THE WORKS: everything that runs without Flask.

engine/    the queue: enqueue, claim, run, watch, rescue (knows no letter, no SMS, no sheet)
jobs/      WHAT the service does: one file per queue, one short function per kind
services/  HOW it is done: letters, words, numbers; plain Python
models.py  companies, users, accounts, mutabakat, files   (db.py and migrations/ beneath it)
storage.py settings.py errors.py logs.py                  one concern each
"""

"""THE QUEUE: knows no letter, no SMS, no sheet. What the rest of the house may use stands here.

registry declaring references  @job, the catalogue   queues waiting  enqueue: row, commit, push; waiting for work
tasks ends needs    find, search, what has ended     control verdicts steering  cancel, retry, decide, stand still
worker claim running progress  claim, run, settle    outcome  what comes of an execution
surroundings  put back after each job                rollback requeued  what has ended is not done again
fleet forks signals  forks and replaces children     keeper duties  leases, rescue, recorder
rescue    gives back dead workers' work              reconcile doctor  what SQL and Redis should agree on
ending    makes an end ready                         callbacks  calls who wants to know of it
noreturn  behind which a task is seen through        events   the stream and its history
ledger    the items of a bulk                        bulk helpers  how a job works through them
outgoing spoken  messages, sent once                 declared flights journal  to go out, goes out, had begun
leftovers  what of a bulk the dead leave behind
clock     what is due, with no double                schedules  rows of cron=, steered; occurrences due cron mirror
limits    how fast, how much, whose share            inspect dashboard commands foreign  RQ's tools, RQ's own jobs
seal job wire line tables lua/  beneath all of them
"""

from workers.engine.bulk import items
from workers.engine.noreturn import no_return
from workers.engine.outcome import Retry
from workers.engine.progress import report
from workers.engine.queues import enqueue
from workers.engine.references import Ref
from workers.engine.registry import job
from workers.engine.running import pause_point, this_task
from workers.engine.tasks import find
from workers.errors import SoftTimeLimitExceeded

__all__ = ["Ref", "Retry", "SoftTimeLimitExceeded"]
__all__ += ["enqueue", "find", "items", "job", "no_return", "pause_point", "report", "this_task"]

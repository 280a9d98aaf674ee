"""THE QUEUE: knows no letter, no SMS, no sheet. What the rest of the house may use stands here.

registry  @job, the catalogue            queues   enqueue: row, commit, push       tasks    find, search
control   cancel, retry                  ledger   the items of a bulk              bulk     how a job works through them
worker    claim, run, settle             fleet    forks and replaces children      keeper   leases, rescue, recorder
rescue    gives back dead workers' work  outcome  what comes of an execution       events   the stream and its history
ending    makes an end ready             callbacks  calls who wants to know of it
noreturn  behind which a task is seen through
outgoing  messages, sent once            declared flights journal  what was to go out, goes out, had begun
clock     what is due, with no double    schedules  rows of cron=, steered; occurrences due cron mirror beneath it
seal job wire line signals tables lua/   beneath all of them
"""

from workers.engine.bulk import items
from workers.engine.noreturn import no_return
from workers.engine.outcome import Retry
from workers.engine.progress import report
from workers.engine.queues import enqueue
from workers.engine.registry import Ref, job
from workers.engine.running import pause_point, this_task
from workers.engine.tasks import find
from workers.errors import SoftTimeLimitExceeded

__all__ = ["Ref", "Retry", "SoftTimeLimitExceeded"]
__all__ += ["enqueue", "find", "items", "job", "no_return", "pause_point", "report", "this_task"]

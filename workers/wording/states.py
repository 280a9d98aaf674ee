"""What people call the states of items and of letters, on the desk and in the sheets that are made for them."""

from workers.wording import lazy

ITEM_STATES = {
    "pending": lazy("waiting"),
    "sending": lazy("in work"),
    "done": lazy("done"),
    "failed": lazy("failed"),
    "skipped": lazy("skipped"),
    "unknown": lazy("unknown"),
}
LETTER_STATES = {
    "draft": lazy("Draft"),
    "sent": lazy("Sent"),
    "opened": lazy("Opened"),
    "agreed": lazy("Agreed"),
    "disagreed": lazy("Not agreed"),
    "expired": lazy("Expired"),
    "cancelled": lazy("Cancelled"),
}

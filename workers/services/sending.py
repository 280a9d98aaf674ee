"""What the outside says of a message, SMS and mail alike: a verdict, or an error that says when to come back."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """What became of one message. `unknown`: it may have been accepted, and must not be sent again by itself.

    `provider_id` is the gateway's own id of it; `reason` a sentence for people with the gateway's code, without
    anything personal.
    """

    state: Literal["done", "failed", "unknown"]
    provider_id: str | None = None
    reason: str | None = None

"""What a stack's mode changes: how careful, and how costly, its deployments are."""

from __future__ import annotations

import msgspec


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """`spot`: on capacity that AWS may take back. `log_days`: how long lines are kept.

    `min_healthy` and `max_percent` bound how many of a service's tasks run during a roll-out, in percent of those wanted.
    `drain_seconds`: how long a task that goes may finish its requests. `deletion_protection`: of load balancers and stores.
    """

    spot: bool
    log_days: int
    min_healthy: int
    max_percent: int
    deletion_protection: bool
    final_snapshot: bool
    multi_az: bool
    drain_seconds: int

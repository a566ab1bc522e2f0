"""What AWS says when it denies something → which action on what, by whose policy, and who can allow it.

Source: AWS IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import re

_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w-]+:\w+)")
_ABOUT = re.compile(r"on resource: (?P<about>\S+)")
_WHO = re.compile(r"(?:User: )?(?P<who>arn:[\w-]+:(?:iam|sts)::\S+)")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:\s*\S+")
_KINDS = {
    "service control policy": "a policy of the organisation (SCP)",
    "resource control policy": "a policy of the organisation (RCP)",
    "permissions boundary": "the permissions boundary",
    "session policy": "the policy of the session",
    "VPC endpoint policy": "the policy of a VPC endpoint",
    "resource-based policy": "the policy of the resource itself",
    "identity-based policy": "the policies of the user or role",
}
"""AWS's word for a policy, and ours."""
_WHOSE = {
    "service control policy": "the administrators of the AWS organisation can allow it",
    "resource control policy": "the administrators of the AWS organisation can allow it",
    "permissions boundary": "whoever set that boundary can widen it",
}
_ANYBODY = "whoever manages the account can allow it"


def denied(call: str, message: str) -> tuple[str, str]:
    """What is wrong, and what to do. `call` is ours (`ecs.run_task`), for where AWS does not name the action."""
    message = _ENCODED.sub("", message)
    action, about, who = _ACTION.search(message), _ABOUT.search(message), _WHO.search(message)
    if action is None:
        return f"AWS denies {call}: {message}", _ANYBODY
    kind = next((each for each in _KINDS if each in message), "")
    verb = "forbids it" if "explicit deny" in message else "does not allow it"
    if kind == "identity-based policy":
        verb = "forbid it" if "explicit deny" in message else "do not allow it"
    said = f"AWS denies {action['action']}" + (f" on {about['about'].rstrip('.')}" if about else "")
    said += f" to {who['who']}" if who else ""
    return f"{said}: {_KINDS[kind]} {verb}" if kind else said, _WHOSE.get(kind, _ANYBODY)

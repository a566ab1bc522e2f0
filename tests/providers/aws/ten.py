"""A project of ten services, seven of them behind the load balancer and one a one-off, by which calls are counted."""

from __future__ import annotations

WEB = "  web{n}: {{image: nginx, ports: ['{port}:80'], environment: {{API: 'http://api:8000', VALUE: '{value}'}}}}\n"
REST = """\
  api: {image: python, command: serve, expose: [8000], depends_on: {migrate: {condition: service_completed_successfully}}}
  worker: {image: python, command: work}
  migrate: {image: python, command: migrate, restart: "no"}
"""


def compose(webs: int = 7, value: int = 0) -> str:
    """`value` is in the first service's environment."""
    text = "".join(WEB.format(n=n, port=8000 + n, value=value if n == 0 else 0) for n in range(webs))
    return f"services:\n{text}{REST}"

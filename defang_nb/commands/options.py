"""The options and arguments that several commands take."""

from __future__ import annotations

from defang_nb.commands.words import Argument, Arity, Complete, Face, Option

STDIN = "-"
"""What stands for standard input where a file is named."""

FILES = Option(
    ("-f", "--file"),
    "Compose file, or - for stdin; again for more, later ones win",
    "files",
    "FILE",
    repeat=True,
    completes=Complete.FILE,
)
PROJECT = Option(("-p", "--project-name"), "the project's name, instead of the file's", "project", "NAME")
STACK = Option(
    ("-s", "--stack"),
    "where to deploy to (default: what `stack default` says, else local)",
    "stack",
    "NAME",
    completes=Complete.STACK,
)
PROFILE = Option(("--profile",), "a Compose profile to enable; may be repeated", "profiles", "NAME", repeat=True)
ENV_FILE = Option(
    ("--env-file",), "variables for the Compose text instead of .env", "env_files", "FILE", repeat=True, completes=Complete.FILE
)
ENGINE = Option(
    ("--engine",), "what runs services on this machine: docker or process", "engine", "NAME", offers=("docker", "process")
)
BUILDER = Option(("--builder",), "what builds images: engine or kaniko", "builder", "NAME", offers=("engine", "kaniko"))
DETACH = Option(("-d", "--detach"), "return as soon as the deployment runs by itself", "detach")
BUILD = Option(("--build",), "build images even where they exist already", "build")
DRY_RUN = Option(("--dry-run",), "show the plan and change nothing", "dry_run")
PLAN = Option(
    ("--plan",), "carry out this saved plan, or nothing if it is no longer true", "plan", "FILE", completes=Complete.FILE
)
OUT = Option(("--out",), "also save the plan in this file, for `up --plan`", "out", "FILE", completes=Complete.FILE)
OUTPUT = Option(("-o", "--output"), "also keep the result in this variable", "output", "NAME", faces=(Face.NOTEBOOK,))
YES = Option(("-y", "--yes"), "agree to what loses data (deleting protected resources)", "yes")
WAIT = Option(("--wait-timeout",), "give up after so many seconds", "wait_timeout", "SECONDS", kind=float)
JSON = Option(("--json",), "JSON on stdout, one object a line; everything else goes to stderr", "json", faces=(Face.CLI,))

SERVICES = Argument("SERVICE", "only these services, and what they depend on", Arity.MANY, Complete.SERVICE)
DEPLOYMENT = Argument(
    "DEPLOYMENT", "its id, or a unique beginning of it (default: the latest)", Arity.OPTIONAL, Complete.DEPLOYMENT
)

LISTS = ("services", "volumes", "networks", "models", "profiles", "images")
"""What `compose config` can list instead of the whole file; the first that is asked for."""

STACK_NAME = Argument("STACK", "its name", completes=Complete.STACK)
MAYBE_STACK = Argument("STACK", "its name (default: the default stack)", Arity.OPTIONAL, Complete.STACK)
MODES = ("affordable", "balanced", "high_availability")
MODE = Option(("-m", "--mode"), "how careful and how costly: docs/modes.md", "mode", "MODE", offers=MODES)
REGION = Option(("-r", "--region"), "AWS region", "region", "REGION")

TAIL = 10
"""Lines that `tail` shows before new ones."""
WRITTEN = (
    Option(("--since",), "not before this time", "since", "TIME"),
    Option(("--until",), "not after this time", "until", "TIME"),
    Option(("-n", "--tail"), "only the last so many lines", "tail", "LINES", kind=int),
    Option(("--filter",), "only lines with this text in them", "containing", "TEXT"),
    Option(
        ("--type",), "whose lines: run (services, the default), build, cd or all; the latter three on AWS", "kind", "TYPE",
        choices=("run", "build", "cd", "all"),
    ),
)  # fmt: skip
"""Which lines of logs are shown."""

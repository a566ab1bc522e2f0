"""Every command, option and argument, declared once: the parser, the help and the completion are made from this."""

from __future__ import annotations

from defang_nb.commands.words import Argument, Arity, Command, Complete, Face, Option

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

TREE: tuple[Command, ...] = (
    Command(
        ("up",),
        "bring the application up, or up to date",
        "Checks the project, builds what has to be built, and changes what differs from what runs, showing all of it live.\n"
        "Interrupting detaches: the deployment goes on, and can be attached to or cancelled.",
        (FILES, PROJECT, STACK, PROFILE, ENV_FILE, ENGINE, BUILDER, DETACH, BUILD, DRY_RUN, PLAN, OUTPUT, YES, WAIT, JSON),
        (SERVICES,),
        ("up", "up -f compose.yaml web", "up --dry-run", "up --detach"),
    ),
    Command(
        ("preview",),
        "show what `up` would do, and change nothing",
        "",
        (FILES, PROJECT, STACK, PROFILE, ENV_FILE, ENGINE, BUILDER, BUILD, OUT, OUTPUT, JSON),
        (SERVICES,),
        ("preview", "preview -f compose.yaml", "preview --out plan.json"),
    ),
    Command(
        ("refresh",),
        "show what is not as it was deployed, property by property, and change nothing of it",
        "What somebody changed or removed by hand is found by asking the provider. `up` brings it back to what the project\n"
        "says; --accept records it as it is now, for the next `up` to start from.",
        (FILES, PROJECT, STACK, Option(("--accept",), "record what is live as it is", "accept"), OUTPUT, JSON),
        (),
        ("refresh", "refresh -p shop --accept"),
    ),
    Command(
        ("down",),
        "take everything of the project down",
        "Stops its services and removes what was made for them. Data of managed stores stays unless --yes agrees to its loss.",
        (FILES, PROJECT, STACK, DETACH, DRY_RUN, OUTPUT, YES, WAIT, JSON),
        (),
        ("down", "down -p shop --yes"),
    ),
    Command(("ps",), "show what runs now", "", (FILES, PROJECT, STACK, JSON), (), ("ps", "ps -p shop")),
    Command(
        ("logs",),
        "show what services wrote",
        "Times are an age (10m, 2h) or ISO 8601 (2026-01-31T12:00:00).",
        (
            Option(("-f", "--follow"), "go on with new lines until interrupted", "follow"),
            Option(("--since",), "not before this time", "since", "TIME"),
            Option(("--until",), "not after this time", "until", "TIME"),
            Option(("-n", "--tail"), "only the last so many lines", "tail", "LINES", kind=int),
            PROJECT,
            STACK,
            JSON,
        ),
        (Argument("SERVICE", "only these services", Arity.MANY, Complete.SERVICE),),
        ("logs web", "logs web --follow", "logs --since 10m"),
    ),
    Command(
        ("exec",),
        "run a command where a service runs",
        "In its environment, its working directory and its files. What comes after the service is the command's own.\n"
        "From a terminal it has a terminal; its exit code becomes this program's.",
        (
            Option(
                ("-e", "--env"),
                "one more variable; KEY alone takes your own value; may be repeated",
                "env",
                "KEY=VALUE",
                repeat=True,
            ),
            Option(("-w", "--workdir"), "the folder to run it in", "workdir", "FOLDER"),
            Option(("-u", "--user"), "who to run it as (containers only)", "user", "USER"),
            Option(("--index",), "which replica (default: 1)", "index", "NUMBER", kind=int),
            Option(("-T", "--no-tty"), "never a terminal, always pipes", "no_tty", faces=(Face.CLI,)),
            PROJECT,
            STACK,
        ),
        (
            Argument("SERVICE", "the service", completes=Complete.SERVICE),
            Argument("COMMAND", "what to run, with its arguments", Arity.REST),
        ),
        ("exec web python manage.py migrate", "exec db psql", "exec web sh -c 'ls | wc -l'"),
    ),
    Command(
        ("restart",),
        "stop services and start them again as they were deployed",
        "Stores first, and then those that may need them; waits until all are well. Without names: all that run. Nothing that\n"
        "is recorded changes; configuration values are read anew.",
        (PROJECT, STACK, JSON),
        (Argument("SERVICE", "only these services", Arity.MANY, Complete.SERVICE),),
        ("restart", "restart web"),
    ),
    Command(
        ("scale",),
        "run so many replicas of services",
        "Deploys what was deployed last again with these numbers; the next `up` decides anew by what the project says.",
        (PROJECT, STACK, DETACH, OUTPUT, JSON),
        (Argument("SERVICE=NUMBER", "the service, and how many of it", Arity.SOME, Complete.SERVICE),),
        ("scale web=3", "scale web=3 worker=2"),
    ),
    Command(
        ("dashboard",),
        "show all stacks and projects: what runs and goes on, what it uses, what was deployed",
        "In a notebook it stays up to date, with buttons; elsewhere it is shown once. Deployments that go on though whoever\n"
        "started them is gone are among them: `attach` shows one, `cancel` ends it.",
        (PROJECT, Option(("-s", "--stack"), "only this stack", "stack", "NAME", completes=Complete.STACK), JSON),
        (),
        ("dashboard", "dashboard -s local -p shop"),
    ),
    Command(
        ("stats",),
        "show the CPU and the memory that services use, live",
        "Until interrupted, where it can be drawn anew or is read by a program (--json), else once. 100 % is one core.",
        (
            Option(("--no-stream",), "once, and no more", "no_stream"),
            Option(("-n", "--samples"), "so many times, about one a second", "samples", "NUMBER", kind=int),
            PROJECT,
            STACK,
            JSON,
        ),
        (Argument("SERVICE", "only these services", Arity.MANY, Complete.SERVICE),),
        ("stats", "stats web --no-stream", "stats --samples 60"),
    ),
    Command(
        ("config", "set"),
        "set configuration values (secrets) that services ask for by name",
        "The value comes from exactly one source. It is never shown, and reaches only the services that name it.",
        (
            Option(("--file",), "the content of a file", "file", "FILE", completes=Complete.FILE),
            Option(("--random",), "32 random characters", "random"),
            Option(
                ("--from-variable",),
                "the value of this notebook variable",
                "variable",
                "NAME",
                completes=Complete.VARIABLE,
                faces=(Face.NOTEBOOK,),
            ),
            PROJECT,
            STACK,
        ),
        (Argument("NAME[=VALUE]", "a name, or NAME=VALUE pairs; `NAME -` reads stdin", Arity.SOME, Complete.CONFIG),),
        ("config set SECRET_KEY --random", "config set API_TOKEN --file token.txt", "config set DEBUG=1"),
    ),
    Command(("config", "ls"), "list the names of the values that are set", "", (PROJECT, STACK, JSON), (), ("config ls",)),
    Command(
        ("config", "rm"),
        "remove configuration values",
        "",
        (PROJECT, STACK),
        (Argument("NAME", "the value's name", Arity.SOME, Complete.CONFIG),),
        ("config rm API_TOKEN",),
    ),
    Command(
        ("deployments",),
        "list the latest deployments, or tell all about one",
        "With a deployment's id (or a unique beginning of it, or `latest`): who asked for what, its plan, steps and problems.",
        (
            PROJECT,
            STACK,
            Option(("-n", "--limit"), "at most so many (default: 20)", "limit", "NUMBER", kind=int),
            Option(("--kind",), "only this kind", "kind", "KIND", choices=("up", "down", "preview", "refresh")),
            Option(
                ("--outcome",),
                "only those that ended so, or run",
                "outcome",
                "OUTCOME",
                choices=("succeeded", "failed", "cancelled", "running"),
            ),
            JSON,
        ),
        (Argument("DEPLOYMENT", "all about this one", Arity.OPTIONAL, Complete.DEPLOYMENT),),
        ("deployments", "deployments -p shop --outcome failed", "deployments 7f3k2"),
    ),
    Command(
        ("attach",),
        "show a deployment: its whole history, then live",
        "",
        (PROJECT, STACK, OUTPUT, JSON),
        (DEPLOYMENT,),
        ("attach", "attach 7f3k2"),
    ),
    Command(
        ("cancel",),
        "end a running deployment",
        "What was done so far stays and is recorded; `up` goes on from there.",
        (PROJECT, STACK, JSON),
        (DEPLOYMENT,),
        ("cancel", "cancel 7f3k2"),
    ),
    Command(
        ("rollback",),
        "deploy an earlier deployment's project and images again",
        "Without an id: the latest that went well and deployed something else. Images are the same; one that is gone is built\n"
        "again from the context that was kept for it. Configuration values are today's.",
        (PROJECT, STACK, DETACH, DRY_RUN, OUTPUT, YES, WAIT, JSON),
        (
            Argument(
                "DEPLOYMENT", "its id, or a unique beginning of it (default: see above)", Arity.OPTIONAL, Complete.DEPLOYMENT
            ),
        ),
        ("rollback", "rollback 7f3k2", "rollback 7f3k2 --dry-run"),
    ),
    Command(
        ("stack", "new"),
        "make a stack: a place to deploy to, kept as the file .defang/NAME",
        "Its name is small letters and digits. With --change, a stack that is there: what is not named stays as it is.",
        (
            Option(
                ("--provider",),
                "local or aws (default: aws if anything of AWS is said)",
                "provider",
                "NAME",
                offers=("local", "aws"),
            ),
            REGION,
            Option(("--profile",), "profile of the AWS configuration", "profile", "NAME"),
            MODE,
            Option(("--default",), "also make it the default stack", "default"),
            Option(("--change",), "change a stack that is there", "change"),
            JSON,
        ),
        (STACK_NAME,),
        ("stack new prod --provider aws --region eu-central-1 --mode balanced", "stack new prod --mode affordable --change"),
    ),
    Command(("stack", "ls"), "list the stacks", "", (JSON,), (), ("stack ls",)),
    Command(
        ("stack", "show"),
        "show what a stack says, and what its mode changes",
        "Settings that may be secret are named without their values.",
        (JSON,),
        (MAYBE_STACK,),
        ("stack show prod",),
    ),
    Command(
        ("stack", "default"),
        "say which stack is meant where none is named, or make it another one",
        "DEFANG_STACK in the environment goes before it.",
        (JSON,),
        (MAYBE_STACK,),
        ("stack default", "stack default prod"),
    ),
    Command(
        ("stack", "rm"),
        "remove a stack's file",
        "Refused while anything is deployed there.",
        (Option(("--force",), "don't look whether anything is deployed there", "force"),),
        (STACK_NAME,),
        ("stack rm prod",),
    ),
    Command(
        ("estimate",),
        "show what the application would cost in a month on AWS",
        "From list prices that come with this version; their date and region are shown. Needs no account and asks nobody.",
        (FILES, PROJECT, STACK, PROFILE, ENV_FILE, MODE, REGION, JSON),
        (SERVICES,),
        ("estimate", "estimate --mode high_availability --region us-west-2"),
    ),
    Command(
        ("whoami",),
        "show who a stack deploys as: account, region, identity; on one's own machine, user and machine",
        "",
        (STACK, JSON),
        (),
        ("whoami", "whoami -s prod"),
    ),
    Command(
        ("stack", "repair"),
        "make what is recorded of a project readable again, after its store was damaged",
        "Keeps what can be read, puts the rest aside, and looks for resources where they are. The next `up` changes them.",
        (PROJECT, STACK, JSON),
        (),
        ("stack repair -p shop",),
    ),
    Command(
        ("stack", "doctor"),
        "list what runs or is kept on a stack though no record knows of it, and remove it if asked",
        "Such orphans are left when a record was lost. Only what this tool has made is listed; `up` adopts those that its\n"
        "project asks for.",
        (
            PROJECT,
            STACK,
            Option(("--remove-orphans",), "delete them, the data in them too (needs --yes)", "remove_orphans"),
            YES,
            JSON,
        ),
        (),
        ("stack doctor", "stack doctor -p shop --remove-orphans --yes"),
    ),
    Command(
        ("cd", "install"),
        "prepare a stack's account: network, cluster, roles, bucket",
        "`up` does it by itself the first time. Run again, it goes on with what was interrupted, and renews what is old.",
        (STACK, JSON),
        (),
        ("cd install -s prod",),
    ),
    Command(
        ("cd", "status"),
        "tell how a stack's account is prepared",
        "Changes nothing.",
        (STACK, JSON),
        (),
        ("cd status -s prod",),
    ),
    Command(
        ("cd", "teardown"),
        "take the preparation of a stack's account away",
        "Refused while anything is deployed there, by any stack. The bucket stays, with the record of what was deployed.",
        (STACK, YES),
        (),
        ("cd teardown -s prod --yes",),
    ),
    Command(
        ("compose", "config"),
        "check the Compose files and print what they mean",
        "Everything is resolved: variables, override files, `extends`, `include`, profiles, defaults. What is printed is\n"
        "a valid Compose file again (a `$` is written `$$`). Warnings go to the error output.",
        (
            FILES,
            PROJECT,
            PROFILE,
            ENV_FILE,
            Option(("--no-interpolate",), "leave variables as they stand", "no_interpolate"),
            Option(("--all-resources",), "also networks, volumes and the like that no service uses", "all_resources"),
            Option(
                ("--as-compose",),
                "read as docker compose does: variables of the environment are seen, and unset ones are blank",
                "as_compose",
            ),
            Option(("--format",), "yaml or json (default: yaml)", "format", "FORMAT", choices=("yaml", "json")),
            Option(("-o", "--output"), "write it to this file", "file", "FILE", completes=Complete.FILE),
            Option(("-q", "--quiet"), "only check; print nothing", "quiet"),
            *(Option((f"--{each}",), f"only list the {each}, one a line", f"list_{each}") for each in LISTS),
        ),
        (SERVICES,),
        ("compose config", "compose config --format json web", "compose config -f compose.yaml -f compose.prod.yaml"),
    ),
    Command(
        ("show",),
        "show the files that were made for the apps of `%%app` cells",
        "With --write, they are also written into a folder as an ordinary project, which no notebook is needed for.",
        (Option(("--write",), "write them into this folder", "write", "FOLDER", completes=Complete.FILE), PROJECT),
        (Argument("APP", "only these apps", Arity.MANY, Complete.SERVICE),),
        ("show", "show dashboard", "show --write my-app"),
        (Face.NOTEBOOK,),
    ),
    Command(("doctor",), "look at what this machine offers, and say what is missing and why it matters", "", (JSON,), ()),
    Command(("version",), "show the version", "", (JSON,), ()),
)


def tree(face: Face) -> tuple[Command, ...]:
    """The commands that this face has."""
    return tuple(command for command in TREE if face in command.faces)

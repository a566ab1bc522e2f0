"""What `%%app` takes. It is no command of the tree, since it needs a cell."""

from __future__ import annotations

from defang_nb.commands.words import Argument, Command, Complete, Face, Option
from defang_nb.scaffold.frameworks import FRAMEWORKS

APP = Command(
    ("app",),
    "make this cell's code a service of the current project",
    "Finds out what the code needs (packages, files beside it, settings), and writes the Dockerfile and the Compose entry.\n"
    "`%defang show` shows them all, `%defang up` takes the project live. Running the cell again replaces the app.",
    (
        Option(
            ("--framework",),
            "what serves it (default: the one that the code imports)",
            "framework",
            "NAME",
            choices=tuple(FRAMEWORKS),
            faces=(Face.CELL,),
        ),
        Option(
            ("-r", "--requirements"),
            "packages, with commas between, or a file of them; may be repeated",
            "requirements",
            "WHAT",
            repeat=True,
            completes=Complete.FILE,
            faces=(Face.CELL,),
        ),
        Option(
            ("--with",),
            "stores to go with it, with commas between: postgres, redis",
            "stores",
            "NAMES",
            repeat=True,
            faces=(Face.CELL,),
        ),
        Option(("--port",), "where it listens (default: the framework's own)", "port", "N", kind=int, faces=(Face.CELL,)),
        Option(
            ("--include",),
            "files or folders to take along, besides those that the code names; may be repeated",
            "include",
            "GLOB",
            repeat=True,
            completes=Complete.FILE,
            faces=(Face.CELL,),
        ),
        Option(
            ("--notebook",),
            "serve this notebook instead of the cell's code",
            "notebook",
            "FILE",
            completes=Complete.FILE,
            faces=(Face.CELL,),
        ),
    ),
    (Argument("NAME", "the service's name"),),
    ("app dashboard --framework streamlit", "app api --with postgres,redis", "app report --notebook report.ipynb"),
    (Face.CELL,),
)

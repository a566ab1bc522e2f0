"""What is known of each framework: what serves it, where it listens, and what its code has to hold.

Sources: each framework's own page on deployment (Streamlit `streamlit run`, Gradio environment variables, FastAPI and uvicorn,
Flask and Dash on gunicorn, `panel serve`, Voilà's command line).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """`root` is the module that an app imports, and `packages` the distributions that it takes to serve it.

    `command` holds `{port}`, and `{object}` for the app's variable, where the server is told it. `makers` are the calls that
    make that variable; `example` shows one. `starts` are the methods by which code starts a server of its own, which must then
    not stand at the top of the code, since the server imports it. `calls` is a call that the code has to hold.
    """

    name: str
    root: str
    packages: tuple[str, ...]
    port: int
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    health: str = ""
    makers: tuple[str, ...] = ()
    example: str = ""
    starts: tuple[str, ...] = ()
    calls: str = ""
    notebook: bool = False
    adapter: str = ""
    """The text of `serve.py`, where the server needs another object than the code has; may hold `{object}`."""
    itself: tuple[str, ...] = ()
    """The command for code that starts its server by itself."""

    def served_by(self, *, starts_itself: bool) -> tuple[tuple[str, ...], str]:
        """The command, and the text of `serve.py` where one is needed ("" where not)."""
        return (self.itself, "") if self.itself and starts_itself else (self.command, self.adapter)


_STREAMLIT = Framework(
    name="streamlit",
    root="streamlit",
    packages=("streamlit",),
    port=8501,
    command=("streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port={port}"),
    environment=(("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false"), ("STREAMLIT_SERVER_HEADLESS", "true")),
    health="/_stcore/health",
)
_GRADIO = Framework(
    name="gradio",
    root="gradio",
    packages=("gradio",),
    port=7860,
    command=("python", "serve.py"),
    itself=("python", "app.py"),
    environment=(
        ("GRADIO_SERVER_NAME", "0.0.0.0"),  # noqa: S104 - inside its container
        ("GRADIO_SERVER_PORT", "{port}"),
        ("GRADIO_ANALYTICS_ENABLED", "False"),
    ),
    makers=("Blocks", "Interface", "ChatInterface", "TabbedInterface"),
    example='demo = gr.Interface(fn=greet, inputs="text", outputs="text")',
    adapter="from app import {object}\n\n{object}.launch()\n",
)
_FASTAPI = Framework(
    name="fastapi",
    root="fastapi",
    packages=("fastapi", "uvicorn"),
    port=8000,
    command=("uvicorn", "app:{object}", "--host=0.0.0.0", "--port={port}"),
    makers=("FastAPI",),
    example="app = FastAPI()",
    starts=("run",),
)
_FLASK = Framework(
    name="flask",
    root="flask",
    packages=("flask", "gunicorn"),
    port=5000,
    command=("gunicorn", "--bind=0.0.0.0:{port}", "--threads=4", "app:{object}"),
    makers=("Flask",),
    example="app = Flask(__name__)",
    starts=("run",),
)
_DASH = Framework(
    name="dash",
    root="dash",
    packages=("dash", "gunicorn"),
    port=8050,
    command=("gunicorn", "--bind=0.0.0.0:{port}", "--threads=4", "serve:server"),
    makers=("Dash",),
    example="app = Dash()",
    starts=("run", "run_server"),
    adapter="from app import {object}\n\nserver = {object}.server\n",
)
_PANEL = Framework(
    name="panel",
    root="panel",
    packages=("panel",),
    port=5006,
    command=(
        "panel",
        "serve",
        "app.py",
        "--address=0.0.0.0",
        "--port={port}",
        "--allow-websocket-origin=*",
        "--index=app",
    ),
    calls="servable",
    example="pn.Column(...).servable()",
)
_VOILA = Framework(
    name="voila",
    root="voila",
    packages=("voila", "ipykernel"),
    port=8866,
    command=("voila", "app.ipynb", "--no-browser", "--Voila.ip=0.0.0.0", "--port={port}"),
    notebook=True,
)

FRAMEWORKS: Mapping[str, Framework] = {
    each.name: each for each in (_STREAMLIT, _GRADIO, _FASTAPI, _FLASK, _PANEL, _VOILA, _DASH)
}

"""One page that says who answers: enough to see an app built, started and reached."""

import os
import platform

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    return {"message": f"Hello, {os.environ.get('NAME', 'world')}!", "python": platform.python_version()}

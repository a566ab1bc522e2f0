"""`make bench`, the browser's part: how soon a line is on the screen, how many services a view bears, what a file grows by.

A real JupyterLab in Chromium. The clock is one, so a line that says when it was written tells how long it took.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from leftovers import wait_until_gone
from playwright.sync_api import Page, sync_playwright
from table import heading, row, tell

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.conftest import BROWSER_FLAGS, BROWSERS
from tests.e2e.jupyter import Lab, running_lab

STAMPS, EVERY = 150, 0.21
"""Lines that say when they were written, and the seconds between them."""

COMPOSE = {"name": "stamps", "services": {"web": {"build": "./stamps", "command": ["sleep", "infinity"]}}}
DOCKERFILE = "FROM python:3-slim\nCOPY . .\nRUN python stamps.py\n"
STAMPER = f"""
import time
for _ in range({STAMPS}):
    print(f"stamp {{time.time():.3f}}", flush=True)
    time.sleep({EVERY})
for each in range(5000):
    print(f"{{each}} INFO one of many lines, of which a saved notebook keeps a few")
"""
WATCH = r"""
window.late = new Map();
new MutationObserver(() => {
  const now = Date.now() / 1000;
  for (const [whole, stamp] of document.body.textContent.matchAll(/stamp (\d+\.\d{3})/g))
    if (!window.late.has(stamp)) window.late.set(stamp, now - stamp);
}).observe(document.body, {childList: true, subtree: true, characterData: true});
"""
SERVICES, SHOWN_FOR = 200, 10
CROWD = f"""
import threading, time
from IPython.display import display
from defang_nb.model.events import Event, Requested, ServiceChanged, ServiceInfo, ServiceState
from defang_nb.model.view import DeploymentView, reduce
from defang_nb.notebook.live import WIDGET_PAUSE
from defang_nb.notebook.painter import Painter
from defang_nb.notebook.panel import Panel

number = 0
view = DeploymentView(id="crowd")

def told(payload):
    global number, view
    number += 1
    view = reduce(view, Event(deployment="crowd", sequence=number, time=time.time(), payload=payload))

infos = tuple(ServiceInfo(name=f"service-{{n:03}}", what="image: python:3.12-slim") for n in range({SERVICES}))
told(Requested(kind="up", project="crowd", stack="local", provider="local", services=infos))
panel = Panel(str, cancel=lambda: None, detach=lambda: None)
paint = lambda: panel.paint(view, time.time())
painter = Painter(paint, paint, pause=WIDGET_PAUSE)
begun = time.time()
paint()
display(panel.widget)
print(f"begun {{begun:.3f}}")

def go_on():
    states = list(ServiceState)
    for turn in range({SHOWN_FOR * 4}):
        for n in range(turn % 10, {SERVICES}, 10):
            told(ServiceChanged(service=f"service-{{n:03}}", state=states[(turn + n) % len(states)], detail=f"turn {{turn}}"))
        painter.poke()
        time.sleep(0.25)
    told(ServiceChanged(service="service-000", state=states[0], detail="the last turn"))
    time.sleep(1)
    painter.end()

painter.start()
threading.Thread(target=go_on).start()
"""
FRAMES = """
window.frames_seen = []; window.turns = new Set(); window.first = 0;
const look = () => { window.frames_seen.push(performance.now()); requestAnimationFrame(look); };
requestAnimationFrame(look);
new MutationObserver(() => {
  const text = document.body.textContent;
  if (!window.first && text.includes("service-199")) requestAnimationFrame(() => { window.first = Date.now() / 1000; });
  const turns = [...text.matchAll(/turn (\\d+)/g)].map(each => Number(each[1]));
  if (turns.length) window.turns.add(Math.max(...turns));
}).observe(document.body, {childList: true, subtree: true, characterData: true});
"""


def main(folder: Path) -> None:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        tell("the browser: not measured, there is no", "Chromium")
        return
    own = os.environ | {"DEFANG_NB_HOME": str(folder / "home"), "DEFANG_CD_IDLE": "2", "DEFANG_ENGINE": "process"}
    own |= {"JUPYTER_PREFER_ENV_PATH": "1"}
    with running_lab(own, folder) as lab, sync_playwright() as playwright:
        context = lab.folder / "stamps"
        context.mkdir()
        (context / "Dockerfile").write_text(DOCKERFILE)
        (context / "stamps.py").write_text(STAMPER)
        (lab.folder / "compose.yaml").write_text(json.dumps(COMPOSE))
        browser = playwright.chromium.launch(executable_path=program, args=list(BROWSER_FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        stamps(page, lab)
        crowd(page, lab)
        browser.close()
    down = [sys.executable, "-m", "defang_nb", "down", "-p", "stamps", "--yes"]
    subprocess.run(down, env=own, capture_output=True, check=True)
    wait_until_gone(folder / "home")


def stamps(page: Page, lab: Lab) -> None:
    """A build that says when: how old each line is once it stands on the page; and the file, with the logs of a long build."""
    size = opened(page, lab, "stamps.ipynb", "%load_ext defang_nb", "dep = %defang up")
    page.evaluate(WATCH)
    run_all(page)
    page.locator(".jp-OutputArea", has_text="✔ live").first.wait_for(timeout=120_000)
    late = sorted(page.evaluate("[...window.late.values()]"))
    row("a build's line, from written to on the screen, p99", 1000 * late[len(late) * 99 // 100], 300, "ms")
    row("   the same, median", 1000 * late[len(late) // 2], None, "ms")
    tell("   lines that were seen, of those written", str(len(late)), str(STAMPS))
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    page.wait_for_function("!document.querySelector('.lm-TabBar-tab.jp-mod-dirty')")
    row("a saved notebook grows by", ((lab.folder / "stamps.ipynb").stat().st_size - size) / 1000, 100, "KB")


def crowd(page: Page, lab: Lab) -> None:
    """A view of many services, a tenth of which change four times a second."""
    opened(page, lab, "crowd.ipynb", "%load_ext defang_nb\nimport ipywidgets", CROWD)
    page.evaluate(FRAMES)
    run_all(page)
    page.locator(".jp-OutputArea", has_text="the last turn").first.wait_for()
    begun = float(page.locator(".jp-OutputArea", has_text="begun").first.inner_text().split("begun ")[1].split()[0])
    first, turns = page.evaluate("[window.first, window.turns.size]")
    row(f"{SERVICES} services, until they stand on the screen", 1000 * (first - begun), 500, "ms")
    tell("   updates a second, of 4", f"{turns / SHOWN_FOR:.1f}", "4")
    seen = page.evaluate("window.frames_seen")
    after = [each for each in seen if each > seen[-1] - 1000 * SHOWN_FOR]
    seconds = [
        sum(after[0] + 1000 * each <= at < after[0] + 1000 * (each + 1) for at in after) for each in range(SHOWN_FOR - 1)
    ]
    tell("   frames in the worst second, at least 30", str(min(seconds)), "30", f"{30 / max(1, min(seconds)):.2f}")


def opened(page: Page, lab: Lab, name: str, *cells: str) -> int:
    """Open a new notebook; its size."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    notebook.metadata = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    path = lab.folder / name
    nbformat.write(notebook, path)
    page.goto(lab.address(name))
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    return path.stat().st_size


def run_all(page: Page) -> None:
    page.get_by_role("menubar").get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()


if __name__ == "__main__":
    heading()
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", ignore_cleanup_errors=True) as own:
        main(Path(own))

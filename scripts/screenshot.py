"""`make screenshots`: take the shop live, and keep a picture of its deployment's view as `docs/deployment.png`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from leftovers import wait_until_gone
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "deployment.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = '<!doctype html><meta charset="utf-8"><body style="margin:12px; font-family: system-ui, sans-serif">{view}</body>'


def main() -> int:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.stderr.write("no Chromium on PATH: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="defang-nb-screenshot-", ignore_cleanup_errors=True) as home:
        os.environ |= {"DEFANG_NB_HOME": home, "DEFANG_CD_IDLE": "2", "DEFANG_ENGINE": "process"}
        html = deployed()
        wait_until_gone(Path(home))
    photograph(PAGE.format(view=html), browser)
    return 0


def deployed() -> str:
    """The view of a real deployment, as it is at its end."""
    import defang_nb
    from defang_nb.render.html import render_html

    for key in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        defang_nb.config_set(key, random=True, project="shop")
    view = defang_nb.up(ROOT / "notebooks" / "apps" / "shop" / "compose.yaml").view
    defang_nb.down("shop", yes=True)
    return render_html(view, now=time.time())


def photograph(html: str, browser: str) -> None:
    PICTURE.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = running.new_page(viewport={"width": 1100, "height": 400}, device_scale_factor=1.5)
        page.set_content(html)
        page.screenshot(path=PICTURE, full_page=True)
        running.close()


if __name__ == "__main__":
    sys.exit(main())

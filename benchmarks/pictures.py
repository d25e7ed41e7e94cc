"""The pictures of the page in the docs: python -m benchmarks.pictures [--model ptbxl-base].

Needs Playwright and a Chromium. A model's name or folder is served on a port of its own; the page opens its example, shows
what the answer rests on, and compares the example with another simulated ECG.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from benchmarks.ending import end_with_a_sentence
from ecgenough.errors import EcgenoughError
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.simulation.simulator import Case, simulate

PORT = 8918
ADDRESS = f"http://127.0.0.1:{PORT}/"
PATIENCE = 120  # seconds
DESK, PHONE = {"width": 1180, "height": 1300}, {"width": 390, "height": 844}


def main() -> None:
    asked = _arguments()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise EcgenoughError("no Chromium is installed, which takes the pictures: apt-get install chromium")
    command = [sys.executable, "-m", "ecgenough", "serve", asked.model, "--port", str(PORT)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _await_ready()
        with sync_playwright() as playwright, TemporaryDirectory(prefix="ecgenough-pictures-") as folder:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(ADDRESS)
            take(page, asked.out, Path(folder))
            browser.close()
    finally:
        server.terminate()
        server.wait()


def take(page: Any, out: Path, folder: Path) -> None:
    """Write page.png, page-two.png and page-phone.png to `out`."""
    page.click("#example")
    page.locator("#papers svg").wait_for()
    page.check("#explain")
    page.locator("#papers path.for").first.wait_for(state="attached")
    page.mouse.move(0, 0)
    page.screenshot(path=out / "page.png", full_page=True)
    page.set_viewport_size(PHONE)
    page.locator("#scale").evaluate("place => place.scrollIntoView()")
    page.screenshot(path=out / "page-phone.png")
    page.set_viewport_size(DESK)
    page.uncheck("#explain")
    write_wfdb(folder, "earlier", simulate([Case(frozenset(), age=60)], seed=4).ecg(0))
    page.set_input_files("#files", [folder / "earlier.hea", folder / "earlier.dat"])
    page.locator("#recording option").nth(1).wait_for(state="attached")
    page.select_option("#other", index=1)
    page.check("#together")
    page.select_option("#layout", "beats")
    page.screenshot(path=out / "page-two.png", full_page=True)


def _await_ready() -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urlopen(f"{ADDRESS}readyz"):
                return
        except URLError:
            time.sleep(0.2)
    raise EcgenoughError(f"the service did not answer on port {PORT} within {PATIENCE} s; is the port free?")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--model", default="ptbxl-base", help="a name from `ecgenough models`, or a folder")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs", help="the pictures' folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)

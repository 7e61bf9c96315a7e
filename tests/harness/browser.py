"""A real browser, without a window: Chromium, installed from Debian's packages where we are root and it is missing."""
import html
import os
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL_SECONDS = 600
PAGE_SECONDS = 90


def find():
    """The browser's program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def find_or_install():
    found = find()
    if found or os.geteuid() or not shutil.which("apt-get"):
        return found
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", *words], env=environment, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    return find()


class Browser:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def open(self, url, *options):
        """Opens a page, lets its scripts come to rest, and returns its document as it then is."""
        done = subprocess.run(
            [
                self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", f"--user-data-dir={self.folder}", "--virtual-time-budget=10000", *options, "--dump-dom", url,
            ],
            capture_output=True, text=True, timeout=PAGE_SECONDS, check=False,
        )
        assert "<html" in done.stdout, done.stderr[-3000:]
        return done.stdout

    def text(self, document, element):
        """What stands in the element with this id."""
        found = re.search(rf'id="{element}"[^>]*>(.*?)<', document, re.DOTALL)
        assert found, document
        return html.unescape(found[1])


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = find_or_install()
    if program is None:
        pytest.skip("no Chromium: it is installed only by root, with apt-get")
    return Browser(program, tmp_path_factory.mktemp("browser"))

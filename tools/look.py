"""Look at every page of the built site in headless chromium: light and dark, wide and on a phone.

Fails on anything that a reader would see as broken; screenshots are left in _build/screenshots.
"""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from shutil import which
from typing import Any, Literal

from check_site import TOP, pages_in_toc, table_of_contents
from playwright.sync_api import Browser, Page, Request, Route, TimeoutError, sync_playwright

from tsrnn.command import run_one

SITE = TOP / "_build" / "html"
SCREENSHOTS = TOP / "_build" / "screenshots"
# Without these, chromium itself calls home, and as root it needs --no-sandbox.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
WIDTHS = {"wide": 1280, "phone": 390}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

MATHS_READY = "async () => { if (window.MathJax) await MathJax.startup.promise }"
# One line for each thing on the page that a reader would see as broken.
BROKEN = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return [
    ...all("img").filter(i => !i.complete || !i.naturalWidth).map(i => `image not shown: ${i.src}`),
    ...all(".math").filter(e => !e.querySelector("mjx-container"))
      .map(e => `equation not shown: ${e.textContent}`),
    ...all("mjx-merror").map(e => `error in an equation: ${e.textContent}`),
    ...(wide > 0 ? [`the page scrolls sideways by ${wide} pixels`] : []),
  ];
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Says nothing of a page that was closed while it loaded, either."""

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and nothing else of this machine, to itself; gives the address."""
    server = Server(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def listen(page: Page, host: str) -> list[str]:
    """A list that fills with the errors of a page and its requests to other hosts, which are stopped."""
    failures: list[str] = []

    def route(route: Route, request: Request) -> None:
        if request.url.startswith((host, "data:", "blob:")):
            route.continue_()
        else:
            failures.append(f"request to {request.url}")
            route.abort()

    page.route("**/*", route)
    page.on("console", lambda m: failures.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: failures.append(f"error: {error}"))
    page.on("response", lambda r: failures.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    return failures


def open_figures(browser: Browser, name: str, figures: str, **settings: Any) -> tuple[Page, list[str]]:
    """A page of the site from its file, once the list `figures` of its script has some in it.

    Returns the page and its failures, so far and to come; nothing may leave the disk.
    """
    page = browser.new_page(**settings)
    failures = listen(page, "file://")
    page.goto((SITE / f"{name}.html").as_uri(), wait_until="load")
    page.wait_for_function(f"{figures}.length")
    return page, failures


def expect(what: str, is_so: bool) -> list[str]:
    """A failure, unless it is so."""
    return [] if is_so else [what]


def look(browser: Browser, host: str, name: str) -> tuple[list[str], int]:
    """Open a page, take its picture in each theme and width; what is broken on it, and its equations.

    It is loaded once, for that takes longest: the page's script follows when the reader's theme changes.
    """
    page = browser.new_page(color_scheme=THEMES[0])
    failures = listen(page, host)
    page.goto(f"{host}/{name}.html", wait_until="load")
    page.evaluate(MATHS_READY)
    equations, figures = page.locator("mjx-container").count(), page.locator("figure img").count()
    if name.startswith("notebooks/") and not (equations and figures):
        failures.append(f"a chapter with {equations} equations and {figures} figures")
    for theme, (width, pixels) in product(THEMES, WIDTHS.items()):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": pixels, "height": 900})
        try:  # the script is told of it a moment later
            page.locator(f"html[data-theme={theme}]").wait_for(state="attached", timeout=10_000)
        except TimeoutError:
            failures.append(f"the page is not {theme}")
        failures += [f"{theme}, {width}: {failure}" for failure in page.evaluate(BROKEN)]
        picture = SCREENSHOTS / f"{Path(name).name}_{theme}_{width}.jpg"  # a PNG takes thrice as long
        page.screenshot(path=picture, full_page=True, quality=85, type="jpeg")
    page.close()
    return [f"{name}: {failure}" for failure in failures], equations


def search(browser: Browser, host: str) -> list[str]:
    """The search finds a word that the first page has."""
    page = browser.new_page()
    failures = listen(page, host)
    page.goto(f"{host}/search.html?q=parity")
    page.locator("#search-results li").first.wait_for(timeout=10_000)
    page.close()
    return [f"search: {failure}" for failure in failures]


def look_at(names: Sequence[str], host: str, also: bool) -> tuple[list[str], int]:
    """`look` at several pages, in a browser of their own, and `search` also."""
    failures, equations = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=FLAGS)
        for name in names:
            broken, shown = look(browser, host, name)
            failures += broken
            equations += shown
        failures += search(browser, host) if also else []
        browser.close()
    return failures, equations


def main() -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    names, cores = pages_in_toc(table_of_contents()), os.cpu_count() or 1
    with serving(SITE) as host, ThreadPoolExecutor(cores) as pool:
        parts = [(names[i::cores], host, i == 0) for i in range(cores)]
        looked = list(pool.map(look_at, *zip(*parts, strict=True)))
    failures = [failure for broken, _ in looked for failure in broken]
    looks = len(names) * len(THEMES) * len(WIDTHS)
    print(f"{looks} looks at {len(names)} pages, {sum(n for _, n in looked)} equations")
    print(f"pictures in {SCREENSHOTS.relative_to(TOP)}")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    run_one(main, __doc__)

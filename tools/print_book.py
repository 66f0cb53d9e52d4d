"""Print the book, built as a single page, to _build/book.pdf in headless chromium (`make pdf`)."""

import sys
from shutil import copyfile, which

from check_site import TOP, table_of_contents
from look import BROKEN, FLAGS, MATHS_READY, listen, serving
from playwright.sync_api import sync_playwright

from tsrnn.command import run_one

ONE_PAGE = TOP / "_build" / "singlehtml"
PDF = TOP / "_build" / "book.pdf"
# On paper nothing can be opened: answers and the scorecard's rows are shown, all pictures are fetched.
UNFOLD = """() => {
  document.querySelectorAll("details.claim").forEach(e => e.open = true);
  document.querySelectorAll(".toggle-hidden").forEach(e => e.classList.remove("toggle-hidden"));
  document.querySelectorAll("img[loading=lazy]").forEach(e => e.loading = "eager");
}"""
FOOTER = """<div style="font: 8pt sans-serif; color: #777; width: 100%; text-align: center">
<span class="pageNumber"></span></div>"""


def main() -> None:
    # Sphinx puts the page where its first document is, with addresses as from the top
    copyfile(ONE_PAGE / f"{table_of_contents()['root']}.html", ONE_PAGE / "index.html")
    with serving(ONE_PAGE) as host, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=FLAGS)
        page = browser.new_page(color_scheme="light", viewport={"width": 1000, "height": 1400})
        failures = listen(page, host)
        # The theme asks for what the search needs, of which there is none in a single page
        page.route("**/searchindex.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page.goto(f"{host}/index.html", wait_until="load")
        page.evaluate(MATHS_READY)
        page.evaluate(UNFOLD)
        page.wait_for_function("[...document.images].every(i => i.complete)")
        failures += page.evaluate(BROKEN)
        equations, figures = page.locator("mjx-container").count(), page.locator("figure img").count()
        page.emulate_media(media="print", color_scheme="light")
        page.pdf(
            path=PDF,
            format="A4",
            margin={"top": "18mm", "bottom": "18mm", "left": "20mm", "right": "20mm"},
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()
    print(f"{PDF.relative_to(TOP)}: {equations} equations, {figures} figures, {PDF.stat().st_size >> 10} KiB")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    run_one(main, __doc__)

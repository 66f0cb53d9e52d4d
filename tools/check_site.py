"""Check the built site: the pages of _toc.yml and no others, links, alt texts, words in figures, nothing from
other hosts.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import typer
import yaml

from tsrnn import InputError
from tsrnn.command import run_one

TOP = Path(__file__).parents[1]
# Pages that Sphinx and jupyter-book add: a redirect to the first page, and the search.
EXTRA = {"index.html", "search.html"}
# What a browser fetches by itself, and the attributes that say from where; not links that a reader clicks.
FETCHED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
# The backgrounds of light and dark pages, and the least contrast of large letters (WCAG: 3 to 1)
BACKGROUNDS = ("#ffffff", "#121212")
CONTRAST = 3.0
ELSEWHERE = re.compile(r"(https?:)?//", re.IGNORECASE)
ELSEWHERE_IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')\s]*""", re.IGNORECASE)


class Page(HTMLParser):
    """The tags and the anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        self.anchors |= {values[name] for name in ("id", "name") if name in values}

    def every(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.tags if name == tag]


def table_of_contents() -> dict[str, Any]:
    """What _toc.yml holds."""
    return dict(yaml.safe_load((TOP / "_toc.yml").read_text(encoding="utf8")))


def pages_in_toc(entry: dict[str, Any]) -> list[str]:
    """The files of a table of contents, first to last."""
    own = [entry[key] for key in ("root", "file") if key in entry]
    below = [e for key in ("parts", "chapters", "sections") for e in entry.get(key, [])]
    return own + [name for e in below for name in pages_in_toc(e)]


def check_pages(pages: dict[Path, Page], site: Path) -> list[str]:
    """One page for each file in the table of contents, and no other."""
    names = pages_in_toc(table_of_contents())
    expected = {str(Path(name).with_suffix("")) + ".html" for name in names} | EXTRA
    found = {path.relative_to(site).as_posix() for path in pages}
    print(f"{len(expected - EXTRA)} pages in _toc.yml, {len(found - EXTRA)} in the site")
    missing = [f"{name}: in _toc.yml, not in the site" for name in sorted(expected - found)]
    return missing + [f"{name}: in the site, not in _toc.yml" for name in sorted(found - expected)]


def check_links(pages: dict[Path, Page], site: Path) -> list[str]:
    """Every link within the site leads to a file, and to an anchor that is there."""
    failures, count = [], 0
    for path, page in pages.items():
        for link in (values["href"] for values in page.every("a") if "href" in values):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            anchor = unquote(parts.fragment)
            if not (target.is_file() and target.is_relative_to(site)):
                failures.append(f"{path.relative_to(site)}: broken link {link}")
            elif anchor and anchor not in pages[target].anchors:
                failures.append(f"{path.relative_to(site)}: no such anchor: {link}")
    print(f"{count} links within the site")
    return failures


def check_images(pages: dict[Path, Page], site: Path) -> list[str]:
    """Every image says in words what it shows."""
    images = [(path, values) for path, page in pages.items() for values in page.every("img")]
    print(f"{len(images)} images")
    return [
        f"{path.relative_to(site)}: no alt text: {values.get('src', '')[:80]}"
        for path, values in images
        if values.get("alt", "").strip()
        in ("", values.get("src", ""))  # Sphinx puts the address where none is
    ]


def luminance(colour: str) -> float:
    """Of a colour #rrggbb, from 0 (black) to 1, as WCAG defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return sum(weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Of two colours, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def check_figures(pages: dict[Path, Page], site: Path) -> list[str]:
    """The words in a figure, which has no background of its own, can be read on light and on dark pages."""
    failures, count = [], 0
    for path, page in pages.items():
        for source in {values.get("src", "") for values in page.every("img")}:
            figure = (path.parent / unquote(source)).resolve()
            if figure.suffix != ".svg" or not figure.is_file():
                continue
            for text in ElementTree.parse(figure).iter("{http://www.w3.org/2000/svg}text"):
                count += 1
                found = re.search(r"fill:\s*(#[0-9a-fA-F]{6})", text.get("style", ""))
                colour = found[1] if found else text.get("fill", "#000000")
                if min(contrast(colour, background) for background in BACKGROUNDS) < CONTRAST:
                    what = "".join(text.itertext()).strip()
                    failures.append(f"{path.relative_to(site)}: {colour} is hard to read in a figure: {what}")
    print(f"{count} words and numbers in figures")
    return failures


def check_sources(pages: dict[Path, Page], site: Path) -> list[str]:
    """Nothing that the browser fetches by itself comes from elsewhere."""
    failures, count = [], 0
    for path, page in pages.items():
        for tag, values in page.tags:
            sources = [values[name] for name in FETCHED.get(tag, ()) if name in values]
            count += len(sources)
            failures += [f"{path.relative_to(site)}: <{tag}> from {s}" for s in sources if ELSEWHERE.match(s)]
    styles = sorted(site.rglob("*.css"))
    for path in [*pages, *styles]:
        found = ELSEWHERE_IN_CSS.findall(path.read_text(encoding="utf8"))
        failures += [f"{path.relative_to(site)}: style with {style}" for style in found]
    print(f"{count} scripts, styles, images and frames in the pages, {len(styles)} style sheets")
    return failures


def main(
    site: Annotated[Path, typer.Argument(help="Folder of the built pages.")] = TOP / "_build" / "html",
) -> None:
    if not site.is_dir():
        raise InputError(f"there is no folder {site}: build the site first (make book), or give another")
    site = site.resolve()
    paths = [p for p in sorted(site.rglob("*.html")) if "_static" not in p.relative_to(site).parts]
    pages = {path: Page(path) for path in paths}
    failures = [
        failure
        for check in (check_pages, check_links, check_images, check_figures, check_sources)
        for failure in check(pages, site)
    ]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    run_one(main, __doc__)

"""Renew what the README shows of the networks: two figures of the built site, a table. After `make book`."""

import re
import shutil
import sys

from check_site import TOP, Page

from tsrnn import zoo
from tsrnn.book import paper
from tsrnn.command import run_one

CHAPTER = TOP / "_build" / "html" / "notebooks" / "02_curricula.html"
README = TOP / "README.md"
TABLE = re.compile(r"(?<=<!-- networks -->\n).*?(?=<!-- /networks -->)", re.DOTALL)
FIGURES = {"fig-speed": "speed.svg", "fig-forgetting": "forgetting.svg"}


def main() -> None:
    if not CHAPTER.exists():
        sys.exit(f"error: no {CHAPTER.relative_to(TOP)}: run `make book` first")
    current = ""
    for tag, values in Page(CHAPTER).tags:
        current = values.get("id", current) if tag == "figure" else current
        if tag == "img" and current in FIGURES:
            target = TOP / "book" / "_static" / FIGURES[current]
            shutil.copyfile(CHAPTER.parent / values["src"], target)
            print(target.relative_to(TOP))
            current = ""
    table = paper.conditions(zoo.index()).to_markdown(index=False, disable_numparse=True)
    README.write_text(TABLE.sub(f"\n{table}\n\n", README.read_text()))
    print(README.relative_to(TOP))


if __name__ == "__main__":
    run_one(main, __doc__)

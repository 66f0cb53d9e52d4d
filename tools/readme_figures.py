"""Copy the figures that the README shows from the built site to book/_static. After `make book`."""

import shutil
import sys

from check_site import TOP, Page

CHAPTER = TOP / "_build" / "html" / "notebooks" / "02_curricula.html"
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


if __name__ == "__main__":
    main()

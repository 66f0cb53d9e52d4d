"""Run the chapters that the book's cache does not hold yet, as many at a time as there are cores.

Sphinx, which runs what is missing one after the other, then finds them there. What fails here fails there
once more, and there it is told.
"""

from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

TOP = Path(__file__).parents[1]


def main() -> None:
    longest = yaml.safe_load((TOP / "_config.yml").read_text(encoding="utf8"))["execute"]["timeout"]
    cache = get_cache(TOP / "_build" / ".jupyter_cache")
    chapters = [str(path) for path in sorted((TOP / "notebooks").glob("*.ipynb"))]
    for chapter in chapters:
        cache.add_nb_to_project(chapter)
    load_executor("local-parallel", cache).run_and_cache(filter_uris=chapters, timeout=longest)


if __name__ == "__main__":
    main()

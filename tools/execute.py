"""Run the pages that the book's cache does not hold yet, as many at a time as there are cores.

Sphinx, which runs what is missing one after the other, then finds them there. What fails here fails there
once more, and there it is told.
"""

from functools import partial
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor
from kernels import workers

from tsrnn.command import run_one

TOP = Path(__file__).parents[1]
CACHE = TOP / "_build" / ".jupyter_cache"
PAGES = {"notebooks/*.ipynb": "nbformat", "book/*.md": "myst_nb_md"}  # and what reads them for the cache


def execute(page: str, longest: int) -> None:
    load_executor("local-serial", get_cache(CACHE)).run_and_cache(filter_uris=[page], timeout=longest)


def main() -> None:
    longest = yaml.safe_load((TOP / "_config.yml").read_text(encoding="utf8"))["execute"]["timeout"]
    cache, pages = get_cache(CACHE), []
    for pattern, reader in PAGES.items():
        # From the last chapter on: the later ones take longer, and so no core waits for another at the end.
        for path in sorted(TOP.glob(pattern), reverse=True):
            if path.suffix == ".ipynb" or "{code-cell}" in path.read_text(encoding="utf8"):
                cache.add_nb_to_project(str(path), read_data={"name": reader, "type": "plugin"})
                pages.append(str(path))
    # A pool of ours, for jupyter-cache's hands out several pages at once
    with workers() as pool:
        list(pool.map(partial(execute, longest=longest), pages))


if __name__ == "__main__":
    run_one(main, __doc__)

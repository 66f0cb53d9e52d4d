"""Check the figures that a reader moves in headless chromium, from file://: wiring, ε, N through training.

The wiring diagrams must answer as parity does, and a flipped cell must give the mistakes that the page tells
of, and no others. What the sliders say must be what the networks' tables hold.
"""

import re
import sys
from shutil import which
from typing import Any

import pandas as pd
import torch
from check_site import TOP
from look import FLAGS, SITE, expect, open_figures
from playwright.sync_api import Browser, Page, sync_playwright

from tsrnn import tasks, zoo
from tsrnn.book.effects import standard
from tsrnn.book.live import KINDS
from tsrnn.command import run_one
from tsrnn.names import NAMES

MOST_BYTES = 1_000_000
CELLS = 8
BITS = 200
# Feed bits to one machine by itself, with a cell flipped after so many of them: whether N's answers are 1
ANSWERS = """([key, bits, flip]) => {
  const machine = explore.MACHINES[key], first = bits.slice(0, 8);
  let cells = machine.held(first);
  return bits.slice(8).map((bit, t) => {
    cells = machine.step(cells, bit);
    if (flip && flip[1] === t) cells = cells.map((value, k) => k === flip[0] ? 1 - value : value);
    return machine.answers(cells);
  });
}"""


def open_page(browser: Browser, name: str, **settings: Any) -> tuple[Page, list[str]]:
    return open_figures(browser, name, "window.explore?.figures", **settings)


# ---------------------------------------------------------------- the wiring


def parity(bits: list[int], n: int) -> int:
    return sum(bits[-n:]) % 2


def predicted(key: str, cell: int, at: int, steps: int) -> set[int]:
    """The steps with a wrong answer for N, of a flip of this cell (0 is the newest) after step `at`."""
    if key == "line":  # for as long as the bit counts
        return set(range(at, at + CELLS - cell))
    if key == "ladder":  # once, when the mistake has climbed to the top
        return {at + CELLS - 1 - cell}
    # for ever: from now on if it is the sum itself, else from when the bit leaves
    return set(range(at if cell == CELLS else at + CELLS - cell, steps))


def machines(page: Page, bits: list[int]) -> list[str]:
    """All answers are parity; every flip of every cell gives its mistakes."""
    failures = []
    stream = bits[CELLS:]
    right = [parity(bits[: CELLS + t + 1], CELLS) for t in range(len(stream))]
    for key, cells in {"line": CELLS, "sum": CELLS + 1, "ladder": CELLS}.items():
        answers = page.evaluate(ANSWERS, [key, bits, None])
        for t, found in enumerate(answers):
            heads = range(1, CELLS + 1) if key == "ladder" else [CELLS]
            due = [parity(bits[: CELLS + t + 1], n) for n in heads]
            failures += expect(f"{key}: answers {found} at step {t}, not {due}", found == due)
        for cell in range(cells):
            found = page.evaluate(ANSWERS, [key, bits, [cell, 50]])
            wrong = {t for t, given in enumerate(found) if given[-1] != right[t]}
            due_wrong = predicted(key, cell, 50, len(stream))
            failures += expect(
                f"{key}, cell {cell} flipped: wrong at {sorted(wrong)[:20]}", wrong == due_wrong
            )
        print(f"{key}: {len(stream)} answers as parity; mistakes as predicted for each of {cells} cells")
    return failures


def rungs(page: Page, bits: list[int]) -> list[str]:
    """On the ladder, each head above the rung that is flipped is wrong once, one step after the other."""
    clean = page.evaluate(ANSWERS, ["ladder", bits, None])
    altered = page.evaluate(ANSWERS, ["ladder", bits, [2, 50]])
    wrong = [
        (t, rung)
        for t, pair in enumerate(zip(clean, altered, strict=True))
        for rung, (a, b) in enumerate(zip(*pair, strict=True))
        if a != b
    ]
    return expect(f"the mistake climbs as {wrong}", wrong == [(50 + k, 2 + k) for k in range(CELLS - 2)])


def wiring(browser: Browser) -> list[str]:
    """What a reader does, by keyboard, without motion."""
    page, failures = open_page(browser, "book/mechanism", reduced_motion="reduce")
    bits = tasks.draw_fair(BITS + CELLS, 1, torch.Generator().manual_seed(4))[:, 0].int().tolist()
    failures += machines(page, bits) + rungs(page, bits)

    play, step = page.locator("[data-do=play]"), page.locator("[data-do=step]")
    counts, status = page.locator(".wiring-count"), page.locator(".wiring-status")
    failures += expect("runs although motion is not wanted", play.inner_text() == "Run")
    failures += expect("wrong before a flip", set(counts.all_inner_texts()) == {"All answers right."})
    page.locator("[data-do=flip]").press("Enter")
    failures += expect("no flip is told", status.inner_text().startswith("Flipped"))
    for _ in range(CELLS):
        step.press("Enter")
    says = counts.all_inner_texts()
    due = [
        "6 wrong for N = 8, then right again.",
        "9 wrong for N = 8 so far.",
        "1 wrong for N = 8, then right again.",
    ]
    failures += expect(f"after a flip in each: {says}", says == due)
    told = "Delay line: 6 wrong for N = 8, then right again. Running sum: 9 wrong for N = 8 so far. Ladder"
    failures += expect(f"told: {status.inner_text()}", status.inner_text().startswith(told))
    shown = page.locator(".wiring-log .wiring-wrong")
    failures += expect(f"{shown.count()} wrong answers in the charts", shown.count() == 16)
    page.locator("[data-do=repair]").press("Enter")
    failures += expect("not put right", set(counts.all_inner_texts()) == {"All answers right."})

    cells = page.locator(".wiring-stage").last.locator("button")
    cells.nth(2).focus()
    for key in ("ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    failures += expect(
        f"keys: {status.inner_text()}", status.inner_text().endswith("the sum of the last 5 bits.")
    )
    failures += expect("no mark", (cells.nth(4).get_attribute("aria-label") or "").endswith("wrong; flip"))
    page.keyboard.press("Enter")
    failures += expect("a second flip does not undo", counts.last.inner_text() == "All answers right.")
    for key in "0110":
        page.keyboard.press(key)
    newest = page.locator(".wiring-stage").first.locator("button").all_inner_texts()[:4]
    failures += expect(f"the keys 0110 give {newest}", newest == list("0110"))
    page.close()

    page, found = open_page(browser, "book/mechanism")
    before = page.locator(".wiring-stage").first.inner_text()
    page.locator(".wiring-machines").scroll_into_view_if_needed()
    page.wait_for_timeout(6000)
    found += expect("stands still", page.locator(".wiring-stage").first.inner_text() != before)
    page.close()

    page, more = open_page(browser, "book/mechanism", viewport={"width": 390, "height": 900})
    visible = page.locator(".wiring-stage:visible")
    more += expect("more than one diagram on a phone", visible.count() == 1)
    page.locator("[data-key=ladder]").click()
    more += expect("no ladder on a phone", "N = 3" in visible.inner_text())
    page.close()
    return failures + found + more


# ---------------------------------------------------------------- sliders


def of_networks(table: str) -> pd.DataFrame:
    base = zoo.default_base_path()
    return zoo.gather(standard(base, "parity"), base, table)


def epsilon(page: Page) -> list[str]:
    """At every ε of W and τ, and every N: the mean of the robustness table, in words; then by keyboard."""
    failures, compared = [], 0
    damage = of_networks("robustness")
    figure = page.locator('[data-figure="epsilon"]')
    for button in figure.locator("[data-n]").all():
        button.click()
        n = int(button.get_attribute("data-n") or 0)
        for what in ("W", "tau"):
            rows = damage[(damage["damage"] == what) & (damage["N"] == n)]
            slider = figure.locator(f"input[data-what={what}]")
            slider.press("Home")
            for e in sorted(rows["epsilon"].unique()):
                said = slider.get_attribute("aria-valuetext") or ""
                failures += expect(f"ε = {e:.2g}: {said}", said.startswith(f"ε = {float(f'{e:.2g}'):g}:"))
                for name, kind in KINDS.items():
                    here = rows[(rows["epsilon"] == e) & (rows["curriculum"] == kind)]
                    means = here.groupby("number")["relative_accuracy"].mean()
                    words = re.search(rf"{NAMES[kind]}, (−?\d+)\s%.*?(\d+) networks?", said)
                    fine = words is not None and int(words[2]) == len(means)
                    value = int(words[1].replace("−", "-")) if words else 0
                    fine = fine and abs(value - 100 * means.mean()) <= 0.51
                    failures += expect(
                        f"{what}, N = {n}, ε = {e:.2g}, {name}: {means.mean():.3f}, {said}", fine
                    )
                    compared += 1
                slider.press("ArrowRight")
    print(f"ε: {compared} values as in robustness.parquet")
    return failures + expect("no value to compare", compared > 0)


def training(page: Page) -> list[str]:
    """At every N: the means of the tables, in words; the eigenvalues are drawn; then it plays."""
    failures, compared = [], 0
    promotions = of_networks("promotions")
    figure = page.locator('[data-figure="training"]')
    slider = figure.locator("input")
    slider.press("Home")
    for N in range(int(slider.get_attribute("min") or 0), int(slider.get_attribute("max") or 0) + 1):
        for name, kind in KINDS.items():
            for measure in ("tau", "tau_net"):
                rows = promotions[(promotions["curriculum"] == kind) & (promotions["measure"] == measure)]
                n = rows[rows["N_max"] <= N]["N_max"].max()
                here = rows[rows["N_max"] == n]
                here = here[here["value"] > 1] if measure == "tau_net" else here
                mean = here.groupby("number")["value"].mean().mean()
                chart = figure.locator(f".curves-chart[data-kind={name}][data-what={measure}]")
                said = chart.locator("p").inner_text()
                words = re.search(r"at N\s=\s(\d+)\s+mean ([\d.]+)", said)
                fine = words is not None and int(words[1]) == n and abs(float(words[2]) - mean) < 0.0051
                failures += expect(f"{name}, {measure} at N = {N}: {mean:.3f}, not {said!r}", fine)
                compared += 1
        slider.press("ArrowRight")
    dots = figure.locator(".chart-value").count()
    failures += expect(f"{dots} eigenvalues are drawn", dots == 2 * 500)
    slider.press("Home")
    button = figure.locator("button")
    button.press("Enter")
    page.wait_for_timeout(1500)
    failures += expect("it does not play", int(slider.input_value()) > 3 and button.inner_text() == "Pause")
    button.press("Enter")
    print(f"N: {compared} means as in promotions.parquet")
    return failures + expect("no mean to compare", compared > 0)


def main() -> None:
    size = (SITE / "_static" / "live" / "explore.js").stat().st_size
    failures = expect(f"explore.js has {size} bytes, more than {MOST_BYTES}", size <= MOST_BYTES)
    print(f"explore.js: {size / 1e6:.2f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=FLAGS)
        failures += wiring(browser)
        page, found = open_page(browser, "book/live", reduced_motion="reduce")
        found += epsilon(page) + training(page)
        page.close()
        browser.close()
    failures += found
    if failures:
        sys.exit("\n".join(failures))
    print(f"The figures of {SITE.relative_to(TOP)} that a reader moves say what the tables hold")


if __name__ == "__main__":
    run_one(main, __doc__)

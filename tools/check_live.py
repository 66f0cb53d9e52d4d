"""Check the live figure in headless chromium, from file://: it answers as tsrnn does, and its controls work.

The same bits go to the page and to the package, and every head must answer the same. Accuracy after damage
must be that of `robustness.parquet`, which `tsrnn analyse` measured: within five standard errors of the
difference, which come from the spread over random draws (of directions, or of bits) and from the bits.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pandas as pd
import torch
from check_site import TOP
from look import FLAGS, SITE, expect, open_figures
from playwright.sync_api import Browser, Page, sync_playwright

from tsrnn import tasks, zoo
from tsrnn.command import run_one
from tsrnn.model import RecurrentNetwork, initial_state

STEPS, WARM_UP, DRAWS = 1000, 100, 3
MOST_BYTES = 1_500_000
SIGMAS = 5
RUN = "([kind, bits, r]) => new live.Network(TSRNN_LIVE.networks[kind]).run(bits, Float32Array.from(r))"
# Without every 25th unit: how many answers are wrong, of how many, and how often the head of the next N is
# wrong one step after
CLIMB = """bits => {
  const network = new live.Network(TSRNN_LIVE.networks.multi), {ns} = network;
  network.damage({removed: network.slowestFirst.filter((_, rank) => rank % 25 === 12)});
  const wrong = network.run(bits).map((answers, t) => answers.map((odd, head) =>
    odd !== (live.parity(bits.slice(0, t + 1), ns[head]) === 1))).slice(ns.at(-1));
  const pairs = wrong.slice(1).flatMap((row, t) => row.slice(1).map((now, head) => [wrong[t][head], now]));
  const climbed = pairs.filter(([before, now]) => before && now);
  return [pairs.filter(([before]) => before).length, pairs.length, climbed.length];
}"""
# Whether each answer of the head for N is 1, of a network with some damage
DAMAGED = """([kind, damage, slowest, bits]) => {
  const network = new live.Network(TSRNN_LIVE.networks[kind]), most = network.ns.indexOf(TSRNN_LIVE.N);
  network.damage({...damage, removed: network.slowestFirst.slice(0, slowest)});
  return network.run(bits).map(answers => answers[most]);
}"""
SPEED = """kind => {
  const network = new live.Network(TSRNN_LIVE.networks[kind]);
  const bits = Array.from({length: 1500}, (_, t) => t % 3 & 1);
  network.run(bits.slice(0, 300));
  const start = performance.now();
  network.run(bits);
  return 1000 * bits.length / (performance.now() - start);
}"""
SCORES = re.compile(r"(multi-head|single-head) (\d+)[,.]")
COUNTS = re.compile(r"(multi-head|single-head) (\d+) of (\d+) \(and (\d+) elsewhere\)")


def open_page(browser: Browser, name: str, **settings: Any) -> tuple[Page, list[str]]:
    return open_figures(browser, name, "window.live?.figures", **settings)


def shown(page: Page) -> dict[str, tuple[Path, RecurrentNetwork]]:
    """The checkpoints that the page runs, by their kind."""
    base = zoo.default_base_path()
    named = page.evaluate("Object.entries(TSRNN_LIVE.networks).map(([kind, {from}]) => [kind, from])")
    return {kind: (base / path, zoo.load_checkpoint(base / path)) for kind, path in named}


# ---------------------------------------------------------------- the same network


def same_answers(page: Page, kind: str, model: RecurrentNetwork) -> list[str]:
    """Every answer of every head to 500 bits."""
    generator = torch.Generator().manual_seed(1)
    bits = tasks.draw_fair(500, 1, generator)
    initial = initial_state(1, model.b.shape[1], generator)
    found = torch.tensor(page.evaluate(RUN, [kind, bits[:, 0].int().tolist(), initial[0].tolist()]))
    ours = torch.stack([model.answers(bits[None], initial[None], n)[0, :, 0] for n in model.heads], 1)
    differ = int((found != ours.bool()).sum())
    print(f"{kind}: {ours.numel() - differ} of {ours.numel()} answers as tsrnn gives them")
    return [f"{kind}: {differ} answers of {ours.numel()} are not those of tsrnn"] if differ else []


def conditions(measured: pd.DataFrame) -> Iterator[tuple[str, dict[str, float], int, pd.Series]]:
    """What is compared: its name, the damage, how many slowest units go, the recorded accuracies."""
    yield "20 slowest removed", {}, 20, measured[measured["damage"] == "all slowest"]["accuracy"]
    for what, close in (("W", (0.2, 0.5)), ("tau", (0.04, 0.12))):
        rows = measured[(measured["damage"] == what) & measured["epsilon"].between(*close)]
        for epsilon, some in rows.groupby("epsilon"):
            yield f"{what} by ε = {epsilon:.3f}", {what: float(str(epsilon))}, 0, some["accuracy"]


def same_accuracy(page: Page, kind: str, folder: Path, n: int) -> list[str]:
    """The accuracy after damage, over a few draws, beside the recorded one."""
    failures = []
    measured = pd.read_parquet(folder / "robustness.parquet").query("N == @n")
    generator = torch.Generator().manual_seed(2)
    for name, damage, slowest, recorded in conditions(measured):
        shares = []
        for draw in range(DRAWS):
            bits = tasks.draw_fair(WARM_UP + STEPS, 1, generator)
            stream = bits[:, 0].int().tolist()
            found = page.evaluate(DAMAGED, [kind, damage | {"draw": draw + 1}, slowest, stream])
            right = bits[WARM_UP - n + 1 :, 0].unfold(0, n, 1).sum(1).long() % 2
            shares.append(float((torch.tensor(found[WARM_UP:]) == right.bool()).double().mean()))
        here, there, spread = sum(shares) / DRAWS, float(recorded.mean()), float(recorded.std())
        binomial = max(there * (1 - there), 1 / STEPS) / (DRAWS * STEPS)
        tolerance = SIGMAS * math.sqrt(spread**2 * (1 / DRAWS + 1 / len(recorded)) + binomial)
        print(f"{kind}, {name}: {here:.3f}, recorded {there:.3f} (± {tolerance:.3f})")
        if abs(here - there) > tolerance:
            failures.append(f"{kind}, {name}: accuracy {here:.3f} in the page, {there:.3f} recorded")
    return failures


# ---------------------------------------------------------------- what a reader does


def status(page: Page) -> str:
    return page.locator(".live-status").inner_text()


def scores(page: Page) -> dict[str, int]:
    """How many of the last hundred answers were right, as the page says."""
    return {kind: int(right) for kind, right in SCORES.findall(status(page))}


def lamps(page: Page) -> list[str]:
    """Every lamp says what follows from the bits that the page shows."""
    bits = [int(text) for text in page.locator(".live-strip button").all_inner_texts()]
    failures = []
    for lamp in page.locator(".live-lamps li .unseen").all_text_contents():
        words = re.match(r"N = (\d+): answers (odd|even), (right|wrong)", lamp)
        if not words or (sum(bits[-int(words[1]) :]) % 2 == (words[2] == "odd")) != (words[3] == "right"):
            failures.append(f"lamp: {lamp!r} for {bits}")
    return failures


def controls(browser: Browser) -> list[str]:
    """By keyboard, and without motion, in which all that follows a press is there at once."""
    page, failures = open_page(browser, "book/live", reduced_motion="reduce")
    play, main = page.locator("[data-do=play]"), page.locator(".live-main")
    failures += expect("runs although motion is not wanted", play.inner_text() == "Run")
    failures += lamps(page)

    main.press("Enter")
    failures += expect(f"no removal: {status(page)}", status(page).startswith("Without the 20 slowest units"))
    failures += expect("the button is not pressed", main.get_attribute("aria-pressed") == "true")
    failures += lamps(page)
    page.locator("[data-do=restore]").press("Enter")
    failures += expect(f"not restored: {status(page)}", status(page).startswith("Whole again"))

    whole = scores(page)
    failures += expect(f"no scores: {status(page)}", set(whole) == {"multi-head", "single-head"})
    for key in "0110":
        play.press(key)
    last = page.locator(".live-strip button").all_inner_texts()[-4:]
    failures += expect(f"the keys 0110 give {last}", last == list("0110"))
    before = page.locator(".live-strip button").all_inner_texts()
    play.press("Enter")
    page.wait_for_timeout(1200)
    after = page.locator(".live-strip button").all_inner_texts()
    failures += expect("Run does not run", play.inner_text() == "Pause" and after != before)
    play.press("Enter")

    for name, says in {"W": "With W perturbed", "tau": "With τ perturbed", "noise": "With noise"}.items():
        page.locator(f"[name={name}]").press("End")
        failures += expect(f"{name}: {status(page)}", status(page).startswith(says))
        finite = page.evaluate("live.figures[0].panels.every(panel => panel.r.every(Number.isFinite))")
        failures += expect(f"{name}: activity that is not finite", finite)
        page.evaluate("for (let i = 0; i < 500; i++) live.figures[0].advance()")
        page.locator("[data-do=restore]").click()
        now = scores(page)
        back = all(now.get(kind, 0) > right - 25 for kind, right in whole.items())  # of a hundred answers
        failures += expect(f"not as before the damage, {whole}: {status(page)}", back)
    page.locator("[name=allOne]").press("Space")
    failures += expect(f"all τ = 1: {status(page)}", status(page).startswith("With all τ = 1"))
    page.locator("[data-do=restore]").click()

    strip = page.locator(".live-strip button")
    strip.last.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    failures += expect(f"no flip: {status(page)}", status(page).startswith("Flipped"))
    failures += brush(page)
    page.close()
    return failures


def brush(page: Page) -> list[str]:
    """Drag along τ from the top to half of its height."""
    box = page.locator(".live-tau").first.bounding_box()
    if box is None:
        return ["no strip of τ"]
    page.mouse.move(box["x"] + 5, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    gone = re.match(r"Without (\d+) units", status(page))
    return expect(f"dragging along τ: {status(page)}", gone is not None and 200 < int(gone[1]) < 300)


def mechanisms(browser: Browser) -> list[str]:
    """What the text lets readers find: flips in their window, a ladder in one kind, a delay line in one."""
    page, failures = open_page(browser, "book/live", reduced_motion="reduce")
    trials = 10
    for name, press in {
        "flip": page.locator(".live-strip button").nth(20),
        "sum": page.locator("[data-what=sum]"),
        "bit": page.locator("[data-what=bit]"),
    }.items():
        totals: dict[str, list[int]] = {"multi-head": [0, 0, 0], "single-head": [0, 0, 0]}
        for _ in range(trials):
            press.click()
            for kind, *counts in COUNTS.findall(status(page)):
                totals[kind] = [sum(pair) for pair in zip(totals[kind], map(int, counts), strict=True)]
        shares = {kind: hits / max(1, expected) for kind, (hits, expected, _) in totals.items()}
        print(
            f"{name}: " + ", ".join(f"{kind} {h} of {e}, {o} elsewhere" for kind, (h, e, o) in totals.items())
        )
        multi, single = shares["multi-head"], shares["single-head"]
        fine = {
            "flip": min(multi, single) > 0.8,
            "sum": multi > 0.8 > 0.5 > single,
            "bit": single > 0.6 > 0.3 > multi,
        }
        failures += expect(f"{name}: {json.dumps(totals)}", fine[name])
    bits = tasks.draw_fair(STEPS, 1, torch.Generator().manual_seed(3))[:, 0].int().tolist()
    wrong, asked, climbed = page.evaluate(CLIMB, bits)
    print(f"mistakes without every 25th unit: {wrong} of {asked}, of which {climbed} climb")
    failures += expect("mistakes do not climb", climbed / max(1, wrong) > 0.5 > 3 * wrong / asked)
    page.close()
    return failures


def start_page(browser: Browser) -> list[str]:
    """It runs by itself and says nothing while it does; its button works; new colours with the theme."""
    page, failures = open_page(browser, "book/intro", color_scheme="light")
    bits, said = page.locator(".live-strip").inner_text(), status(page)
    page.wait_for_timeout(2500)
    failures += expect("the start page stands still", page.locator(".live-strip").inner_text() != bits)
    failures += expect("it talks while it runs", status(page) == said)
    page.locator(".live-main").click()
    page.wait_for_function(
        "document.querySelector('.live-status').textContent.startsWith('Without')", timeout=20_000
    )
    failures += expect("the hands-on part is shown", page.locator(".live-hands").is_hidden())
    pixel = "document.querySelector('.live-map').getContext('2d').getImageData(0, 0, 1, 1).data.join()"
    light = page.evaluate(pixel)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(300)
    failures += expect("the map keeps its colours in the dark", page.evaluate(pixel) != light)
    page.close()
    return failures


def main() -> None:
    size = (SITE / "_static" / "live" / "networks.js").stat().st_size
    failures = expect(f"networks.js has {size} bytes, more than {MOST_BYTES}", size <= MOST_BYTES)
    print(f"networks.js: {size / 1e6:.2f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=FLAGS)
        page, found = open_page(browser, "book/live", reduced_motion="reduce")
        for kind, (path, model) in shown(page).items():
            found += same_answers(page, kind, model)
            found += same_accuracy(page, kind, path.parent, max(model.heads))
            print(f"{kind}: {page.evaluate(SPEED, kind):.0f} steps a second")
        page.close()
        failures += found + controls(browser) + mechanisms(browser) + start_page(browser)
        browser.close()
    if failures:
        sys.exit("\n".join(failures))
    print(f"The live figure of {SITE.relative_to(TOP)} answers as tsrnn does")


if __name__ == "__main__":
    run_one(main, __doc__)

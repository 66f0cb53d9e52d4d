"""Time and memory of the timescale analysis and of an ablation, against the way the published code works.

Run with `make bench` on an otherwise idle machine; it takes about three minutes. One network of the zoo,
500 units, 10 trials of 10⁵ steps, all units fitted. The published way keeps a list of all states, takes a
Fourier transform per unit of the whole series, and calls `curve_fit` with its defaults; the steps
themselves are those of tests/naive.py.
"""

import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.optimize import curve_fit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from naive import NaiveRNN
from own_process import in_its_own_process, peak_memory

from tsrnn import tasks, zoo
from tsrnn.analysis.fits import SHAPES, criteria
from tsrnn.analysis.interventions import Stream, ablation, fastest_and_slowest
from tsrnn.analysis.simulate import Protocol
from tsrnn.analysis.timescales import timescales
from tsrnn.model import LeakyRNN, initial_state

PROTOCOL = Protocol()
LAGS = np.arange(31.0)


def network() -> LeakyRNN:
    return zoo.load_model("cumulative", "parity", 1, 2, 10)


def curve_fits(rho: np.ndarray, published_start: bool) -> float:
    """τ_net by two calls of `curve_fit` and AIC; without a start it takes the middle of the bounds."""
    found = {}
    for shape in SHAPES.values():
        start = None if published_start else shape.start
        values, _ = curve_fit(shape.function, LAGS, rho, start, bounds=(0, shape.upper), maxfev=2000)
        rss = ((shape.function(LAGS, *values) - rho) ** 2).sum()
        found[criteria(rss, len(LAGS), len(values))["aic"]] = values[shape.taus].max()
    return found[min(found)]


@torch.no_grad()
def published_way(connection: Connection) -> None:
    """Sends seconds per stage, GiB, and τ_net from the published start and from ours."""
    net, seconds = NaiveRNN(network()), {}
    generator = torch.Generator().manual_seed(PROTOCOL.seed)
    bits = tasks.draw_biased(PROTOCOL.burn_in + PROTOCOL.steps, PROTOCOL.trials, generator)
    r = initial_state(PROTOCOL.trials, 500, generator)

    began = time.perf_counter()
    states, W = [], net.without_diagonal()
    for x in net.input(bits[..., None]):
        r = net.step(x, r, W)
        states.append(r.numpy())
    activity = np.array(states)[PROTOCOL.burn_in :]
    seconds["simulation"] = time.perf_counter() - began

    began = time.perf_counter()
    T, rhos = len(activity), []
    for unit in range(activity.shape[2]):
        x = activity[:, :, unit].T
        x = x - x.mean(1)[:, None]
        power = np.abs(np.fft.fft(np.concatenate([x, np.zeros_like(x)], 1))) ** 2
        covariance = np.real(np.fft.ifft(power))[:, : T - 1] / np.arange(T, 1, -1)
        mean = covariance.mean(0)
        rhos.append(mean[:31] / mean[0])
    seconds["autocorrelation"] = time.perf_counter() - began

    began = time.perf_counter()
    default = [curve_fits(rho, published_start=True) for rho in rhos]
    seconds["fits"] = time.perf_counter() - began
    connection.send(
        (seconds, peak_memory(), default, [curve_fits(rho, published_start=False) for rho in rhos])
    )


def our_way(connection: Connection) -> None:
    """Sends seconds, GiB and τ_net."""
    model = network()
    began = time.perf_counter()
    table = timescales(model, PROTOCOL)
    connection.send((time.perf_counter() - began, peak_memory(), table["tau_net"][:500].tolist()))


def disagree(ours: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Units whose τ_net differs by more than 1e-3; two below 0.1 steps cannot be told from 0, nor apart."""
    return np.flatnonzero((np.abs(ours / other - 1) > 1e-3) & ((ours > 0.1) | (other > 0.1)))


@torch.no_grad()
def ablation_seconds() -> tuple[float, float]:
    """40 units, 10 repetitions: ours, and one pass of 1100 steps each (40 of the 400 timed)."""
    model, stream = network(), Stream()
    ablation(model, "parity", 10, {"warm": [0]})
    began = time.perf_counter()
    ablation(model, "parity", 10, fastest_and_slowest(model), stream=stream)
    ours = time.perf_counter() - began
    net, steps = NaiveRNN(model), stream.warm_up + stream.steps
    bits, r = torch.rand(steps, 1).round(), torch.rand(1, 500)
    began = time.perf_counter()
    for _ in range(40):
        W = net.without_diagonal()
        for x in net.input(bits[..., None]):
            r = net.step(x, r, W)
            net.heads[8](r)
    return ours, 10 * (time.perf_counter() - began)


def main() -> None:
    ours, memory, tau_net = in_its_own_process(our_way)
    seconds, published_memory, default, same_start = in_its_own_process(published_way)
    total, tau_net = sum(seconds.values()), np.array(tau_net)
    ablated, naive_ablated = ablation_seconds()
    table = pd.DataFrame(
        [
            ("timescales: time (s)", total, ours, total / ours),
            ("timescales: peak memory (GiB)", published_memory, memory, published_memory / memory),
            ("ablation of 40 units (s)", naive_ablated, ablated, naive_ablated / ablated),
        ],
        columns=["", "published way", "ours", "ratio"],
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, 500 units, 10 × 10⁵ steps")
    print(table.to_markdown(index=False, floatfmt=".2f"))
    print("published way: " + ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))
    for other, name in ((same_start, "our start"), (default, "the published start")):
        units = disagree(tau_net, np.array(other))
        print(f"τ_net as by curve_fit from {name}: {1 - len(units) / 500:.1%} of units; not {units.tolist()}")


if __name__ == "__main__":
    main()

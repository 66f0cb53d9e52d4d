"""Time of one training update at the paper's size, against a naive loop, torch.nn.RNN and the bound.

Run with `make bench` on an otherwise idle machine. One step is all of it: data, forward, backward, clip,
optimiser, for a multi-head network that trains N = 2 ... N. All contenders get the same sequence lengths,
drawn as in training; times are means over them.
"""

import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from naive import NaiveRNN, parity_batch
from own_process import in_its_own_process, peak_memory

from tsrnn import tasks
from tsrnn.config import TrainConfig
from tsrnn.runs import begin
from tsrnn.training import assemble, draw_batch, train_step

H, B = 500, 256
draw_length = tasks.draw_length


def seconds(action: Callable[[int], object], lengths: list[int]) -> float:
    """Mean time of action(T) over sequence lengths T, after two to warm up."""
    for T in lengths[:2]:
        action(T)
    began = time.perf_counter()
    for T in lengths:
        action(T)
    return (time.perf_counter() - began) / len(lengths)


def fix_length(T: int) -> None:
    """Make `draw_batch` draw sequences of T steps."""
    tasks.draw_length = lambda n_max, generator: T


def naive_step(net: NaiveRNN, optimiser: torch.optim.SGD, n: int, T: int) -> None:
    """One update as the published code makes it."""
    optimiser.zero_grad()
    s, labels = parity_batch(T, B, range(2, n + 1))
    logits = net.logits(net(s, 0.1 * torch.rand(B, H)))
    loss = sum(nn.functional.cross_entropy(x, y) for x, y in zip(logits, labels, strict=False))
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    optimiser.step()


def measure(n: int, batches: int) -> dict[str, float]:
    """Seconds per update of each contender."""
    generator = torch.Generator().manual_seed(0)
    lengths = [draw_length(n, generator) for _ in range(batches)]
    run = begin(TrainConfig(init_heads=n - 1))
    model, optimiser = assemble([run], "cpu")

    def ours(T: int) -> None:
        fix_length(T)
        train_step(model, optimiser, draw_batch([run]), 2.0)

    def data(T: int) -> None:
        fix_length(T)
        draw_batch([run])

    x, M, out = torch.randn(B, H), torch.randn(H, H), torch.empty(B, H)

    def bound(T: int) -> None:
        for _ in range(3 * T):
            torch.mm(x, M, out=out)

    rnn = nn.RNN(1, H, nonlinearity="relu")
    net = NaiveRNN(model)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.1, nesterov=True)
    return {
        "N": n,
        "T": sum(lengths) / len(lengths),
        "ours": seconds(ours, lengths),
        "data": seconds(data, lengths),
        "bound": seconds(bound, lengths),
        "nn.RNN": seconds(lambda T: rnn(torch.randn(T, B, 1))[1].sum().backward(), lengths),
        "naive": seconds(lambda T: naive_step(net, sgd, n, T), lengths),
    }


def longest_sequences(connection: Connection) -> None:
    """Sends the GiB that a process takes to train N = 100 on the longest sequences there are."""
    fix_length(401)
    run = begin(TrainConfig(init_heads=99))
    model, optimiser = assemble([run], "cpu")
    for _ in range(3):
        train_step(model, optimiser, draw_batch([run]), 2.0)
    connection.send(peak_memory())


def main() -> None:
    memory = in_its_own_process(longest_sequences)
    t = pd.DataFrame([measure(10, 80), measure(30, 20), measure(100, 10)])
    table = pd.DataFrame(
        {
            "N": t["N"],
            "mean steps T": t["T"],
            "ours (ms)": 1e3 * t["ours"],
            "ms per time step": 1e3 * t["ours"] / t["T"],
            "data (%)": 100 * t["data"] / t["ours"],
            "x bound": t["ours"] / t["bound"],
            "nn.RNN / ours": t["nn.RNN"] / t["ours"],
            "naive / ours": t["naive"] / t["ours"],
        }
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, H = {H}, B = {B}")
    print(table.astype({"N": int}).to_markdown(index=False, floatfmt=".2f"))
    print(f"peak memory at N = 100, T = 401: {memory:.2f} GiB")


if __name__ == "__main__":
    main()

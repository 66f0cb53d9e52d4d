"""Time of one training update at the paper's size, on one thread: ours, peers and the bound.

Run with `make bench`. One step is all of it: data, forward, backward, clip, optimiser, for a multi-head
network that trains N = 2 ... N. All contenders get the same sequence lengths, drawn as in training. Times are
of the processor, the smallest of three rounds, so that other work on the machine counts little. The bound is
three matrix products a time step and nothing else, by the fastest way that torch has for them.
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

from tsrnn import recurrence, tasks
from tsrnn.batches import draw_batch
from tsrnn.config import PRECISIONS, TrainConfig
from tsrnn.runs import begin
from tsrnn.training import assemble, train_step

H, B = 500, 256
draw_length = tasks.draw_length


def seconds(action: Callable[[int], object], lengths: list[int], rounds: int = 3) -> float:
    """Mean processor time of action(T) over sequence lengths T, the best of so many rounds."""
    action(lengths[0])
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for T in lengths:
            action(T)
        found.append((time.process_time() - began) / len(lengths))
    return min(found)


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


def measure(n: int, batches: int) -> list[dict[str, float | str]]:
    """A row for each precision: seconds per update of ours and of each peer, at N = n."""
    generator = torch.Generator().manual_seed(0)
    lengths = [draw_length(n, generator) for _ in range(batches)]
    run = begin(TrainConfig(init_heads=n - 1))
    rnn, net = nn.RNN(1, H, nonlinearity="relu"), NaiveRNN(assemble([run], "cpu")[0])
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.1, nesterov=True)
    peers = {
        "nn.RNN": seconds(lambda T: rnn(torch.randn(T, B, 1))[1].sum().backward(), lengths),
        "naive": seconds(lambda T: naive_step(net, sgd, n, T), lengths[:10], rounds=1)
        * sum(lengths) / len(lengths) / (sum(lengths[:10]) / len(lengths[:10])),
    }  # fmt: skip
    rows = []
    for name, dtype in PRECISIONS.items():
        model, optimiser = assemble([run], "cpu")

        def ours(T: int, dtype=dtype, model=model, optimiser=optimiser) -> None:
            fix_length(T)
            train_step(model, optimiser, draw_batch([run]), 2.0, dtype)

        def data(T: int) -> None:
            fix_length(T)
            draw_batch([run])

        x, M, out = (torch.randn(*shape).to(dtype) for shape in ((B, H), (H, H), (B, H)))

        def bound(T: int, x=x, M=M, out=out) -> None:
            with recurrence.fastest_products(x):
                for _ in range(3 * T):
                    torch.mm(x, M, out=out)

        about = {"precision": name, "N": n, "T": sum(lengths) / len(lengths)}
        found = {"ours": seconds(ours, lengths), "data": seconds(data, lengths)}
        rows.append(about | found | {"bound": seconds(bound, lengths)} | peers)
    return rows


def longest_sequences(connection: Connection) -> None:
    """Sends the GiB that a process takes to train N = 100 on the longest sequences there are."""
    fix_length(401)
    run = begin(TrainConfig(init_heads=99))
    model, optimiser = assemble([run], "cpu")
    for _ in range(3):
        train_step(model, optimiser, draw_batch([run]), 2.0)
    connection.send(peak_memory())


def main() -> None:
    torch.set_num_threads(1)
    memory = in_its_own_process(longest_sequences)
    t = pd.DataFrame([row for n, batches in ((10, 40), (30, 12), (100, 5)) for row in measure(n, batches)])
    table = pd.DataFrame(
        {
            "precision": t["precision"],
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
    ways = "oneDNN" if recurrence.onednn_is_exact() else "torch's default"
    print(f"torch {torch.__version__}, 1 thread, H = {H}, B = {B}; float32 products by {ways}")
    print(table.astype({"N": int}).to_markdown(index=False, floatfmt=".2f"))
    print(f"peak memory at N = 100, T = 401, float32: {memory:.2f} GiB")


if __name__ == "__main__":
    main()

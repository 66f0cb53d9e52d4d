"""How well a trained network does: accuracy for every N that it has a head for, on fresh sequences."""

from collections.abc import Sequence

import pandas as pd
import torch

from tsrnn import InputError, tasks
from tsrnn.model import LeakyRNN, initial_state


@torch.no_grad()
def accuracy(
    model: LeakyRNN,
    task: str,
    ns: Sequence[int] | None = None,
    batches: int = 50,
    batch_size: int = 256,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy per N on fresh sequences of the training distribution, all heads on the same ones.

    Args:
        model: K networks with the same heads.
        task: a key of `tasks.TASKS`.
        ns: which N to ask for; default all in `model.heads`.
        batches, batch_size: how many sequences, 50 × 256 as in training.
        seed: of the sequences and initial states.

    Returns:
        Columns network (index in the ensemble), N, accuracy (0 to 1), sequences.

    Raises:
        InputError: unknown task, an N without a head, fewer than one batch.
    """
    ns = list(model.heads) if ns is None else list(ns)
    missing = [n for n in ns if n not in model.heads]
    if missing or not ns:
        raise InputError(f"no head for N = {missing or ns}: this network has heads for {list(model.heads)}")
    if batches < 1 or batch_size < 1:
        raise InputError(f"batches = {batches}, batch size = {batch_size}: both must be 1 or more")
    chosen, generator = tasks.get_task(task), torch.Generator().manual_seed(seed)
    K, H, device = *model.b.shape, model.b.device
    correct = torch.zeros(K, len(ns), dtype=torch.float64)
    for _ in range(batches):
        bits = chosen.draw(tasks.draw_length(max(ns), generator), batch_size, generator)
        initial = initial_state(batch_size, H, generator).expand(K, -1, -1)
        last = model(bits.expand(K, -1, -1).to(model.b), initial.to(model.b))
        answers = model.logits(last)[:, [model.heads[n] for n in ns]].argmax(-1)
        correct += (answers == tasks.labels(chosen, bits, ns).to(device)).sum(-1).cpu()
    total = batches * batch_size
    return pd.DataFrame(
        [
            {"network": k, "N": n, "accuracy": float(correct[k, i]) / total, "sequences": total}
            for k in range(K)
            for i, n in enumerate(ns)
        ]
    )

"""What a network holds of the past, and what it makes its answers of. The paper's reviewers asked.

Two questions to one network, both on fair bits, for which chance is one half. (Else a bit long gone could be
guessed from how many ones there are now.)

- `decoding`: which past bits, and which answers, can a linear readout find in the state? What is found is
  there; whether the network uses it is another matter, and what is not found may be there in another form.
- `shifts`: which later answers change if the state is moved as if one bit, or one answer, had been another?
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tsrnn import tasks
from tsrnn.evaluation import BATCH, last_states, units
from tsrnn.inputs import LARGEST_N, LARGEST_SEED, integer
from tsrnn.kinds import check_columns, check_kinds
from tsrnn.model import Network, RecurrentNetwork, check_heads, check_one


@check_kinds
def decoding(
    model: Network, task: str, n: int, beyond: int = 3, batches: int = 20, seed: int = 0
) -> pd.DataFrame:
    """How often a linear readout of the last state is right about past bits, and about answers.

    Least-squares readouts (ridge with penalty 1 on standardised activity, which at 20 batches is like noise
    of 1.4 % of each unit's SD), fitted to `batches` × 256 sequences, as long as in training for
    N = n + beyond, and tested on half as many others.

    One half is chance, but a readout of nothing but two bits can be right about whether they are equal in up
    to three cases of four.

    Args:
        model: one network, trained or not, ours or a reader's own; its own readouts are not used, and of an
            LSTM h is read, not c.
        task: a key of `tasks.TASKS`.
        n: ask for lags and answers up to this, and up to `beyond` more.
        batches, seed: of the sequences.

    Returns:
        Columns what, index, accuracy (0 to 1), sequences. `what` is "bit" (x(t − k), index k = 0, 1, ...),
        "answer" (of the task for m, index m = 2, 3, ...) or "whole" (the answer for all bits since the
        start; index 0).

    Raises:
        InputError: unknown task, n < 2, fewer than one batch, more than one network.
    """
    # here, not above: a second at the start of every command
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_one(model)
    n, beyond = integer("n", n, 2, LARGEST_N), integer("beyond", beyond, 0, LARGEST_N)
    batches, seed = integer("batches", batches, 1, 10**5), integer("seed", seed, 0, LARGEST_SEED)
    fair, generator = tasks.get_task(task, fair=True), torch.Generator().manual_seed(seed)
    states, right = [], []
    for _ in range(batches + (batches + 1) // 2):
        bits, last = last_states(model, fair, n + beyond, BATCH, generator)
        asked = things(fair, bits, range(n + beyond + 1), range(2, n + beyond + 1))
        asked["whole", 0] = tasks.labels(fair, bits, [len(bits)])[0]
        states.append(units(model, last)[0].cpu().double().numpy())
        right.append(torch.stack(list(asked.values()), 1).numpy())
    x, y, train = np.concatenate(states), np.concatenate(right), batches * BATCH
    readout = make_pipeline(StandardScaler(), RidgeClassifier()).fit(x[:train], y[:train])
    accuracy = (readout.predict(x[train:]) == y[train:]).mean(0)
    table = pd.DataFrame(list(asked), columns=["what", "index"])
    return table.assign(accuracy=accuracy, sequences=len(x) - train)


@check_kinds
@torch.no_grad()
def shifts(
    model: RecurrentNetwork, task: str, n: int, sequences: int = 1024, seed: int = 0, most: int = LARGEST_N
) -> pd.DataFrame:
    """Which answers for n change if the state is moved as if one thing about the past had been otherwise.

    The move is the difference between the mean states of the sequences in which a bit (or an answer) is 1 and
    of those in which it is 0, added or subtracted, whichever makes it the other. Then the same bits go on.
    The state of an LSTM is h and c.

    - A delay line of bits, of which the answer is made at the end, minds a bit k steps back: in parity for as
      long as it counts, steps 1 ... n − 1 − k, in DMS at step n − 1 − k. It does not mind answers.
    - A ladder of answers, each made of the one for m − 1 a step before, minds the answer for m, at step
      n − m. It does not mind bits (but x(t), its lowest rung, and x(t − 1), of which the next is made).
    - A running sum, to which the bit that comes is added and from which the one that leaves is subtracted,
      minds the answer for n, for ever.

    Any move does some harm. So each shift of a bit has two controls of the same length: a random direction,
    and the difference between the state and that of another sequence.

    Args:
        model: one network with a head for n.
        task: a key of `tasks.TASKS`.
        n: whose answers.
        sequences: to take the means from; the first quarter of them is moved and followed.
        seed: of the bits and initial states.
        most: so many k, and so many m, at the most, evenly spread and the ends among them.

    Returns:
        Columns what ("bit", its controls "random" and "states", or "answer"), index (k = 1 ... n − 1,
        m = 2 ... n), step (0 ... n, after the move), changed (share of answers), expected (in a delay line
        for bits, in a ladder for answers; for controls where it is for the bit). `changed` is NaN of a bit or
        answer that was the same in all sequences.

    Raises:
        InputError: unknown task, no head for n, n < 2, fewer than 4 sequences, more than one network.
    """
    check_one(model)
    [n] = check_heads(model, [integer("n", n, 2, LARGEST_N)])  # of 1 there is nothing before
    sequences, seed = integer("sequences", sequences, 4, 10**7), integer("seed", seed, 0, LARGEST_SEED)
    most = integer("most", most, 2, LARGEST_N)
    fair, generator = tasks.get_task(task, fair=True), torch.Generator().manual_seed(seed)
    bits, last = last_states(model, fair, n, sequences, generator)
    few = sequences // 4
    followed, others = last[:, :few], last[:, few : 2 * few]
    after = tasks.draw_fair(n, few, generator)
    undisturbed = answers(model, n, after, followed)
    step, tables = np.arange(n + 1), []
    for (what, index), value in things(fair, bits, spread(1, n - 1, most), spread(2, n, most)).items():
        value = value.to(last.device)[:, None]
        ones = value.sum()
        varies = bool(0 < ones < sequences)  # else there is no difference to move by
        difference = (last * value).sum(1) / ones - (last * (1 - value)).sum(1) / (sequences - ones)
        moves = {what: (1 - 2 * value[:few]) * difference[:, None]}
        if what == "bit":
            length = difference.norm()
            random = torch.randn(difference.shape, generator=generator).to(last.device)
            moves["random"] = (random * length / random.norm())[:, None]
            moves["states"] = torch.nn.functional.normalize(others - followed, dim=-1) * length
        if what == "answer":
            expected = step == n - index
        elif task == "parity":
            expected = (step >= 1) & (step <= n - 1 - index)
        else:
            expected = step == n - 1 - index
        for name, move in moves.items():
            changed = (answers(model, n, after, followed + move) != undisturbed).double().mean(1).numpy()
            about = {"what": name, "index": index, "step": step, "expected": expected & (step > 0)}
            tables.append(pd.DataFrame(about).assign(changed=changed if varies else np.nan))
    return pd.concat(tables, ignore_index=True)


@check_kinds
def mechanism(table: pd.DataFrame) -> dict[str, float]:
    """What a network makes its answers of, in a few shares of later answers that changed (0 to 1).

    Args:
        table: as `shifts` returns it, of one network.

    Returns:
        `ladder`, `delay_line`: where a ladder of answers, or a delay line of bits, would change, mean over m
        or k; `ladder_elsewhere`, `delay_line_elsewhere`: at all other steps; `running_sum`: at all steps
        after a shift of the answer for n itself; `delay_line_random`, `delay_line_states`: where a delay line
        would, by the two controls. NaN where there is no such step.
    """
    check_columns("table", table, ("what", "index", "step", "changed", "expected"))
    later = table[table["step"] > 0]
    each = later.groupby(["what", "expected", "index"])["changed"].mean()
    shares = each.groupby(["what", "expected"]).mean()
    itself = later[(later["what"] == "answer") & (later["index"] == later["step"].max())]
    return {
        "ladder": shares.get(("answer", True), np.nan),
        "ladder_elsewhere": shares.get(("answer", False), np.nan),
        "delay_line": shares.get(("bit", True), np.nan),
        "delay_line_elsewhere": shares.get(("bit", False), np.nan),
        "running_sum": itself["changed"].mean(),
        "delay_line_random": shares.get(("random", True), np.nan),
        "delay_line_states": shares.get(("states", True), np.nan),
    }


def spread(first: int, last: int, most: int) -> list[int]:
    """Whole numbers from first to last, `most` at the most."""
    count = max(0, last - first + 1)
    return sorted({round(float(x)) for x in np.linspace(first, last, min(count, most))})


def things(
    task: tasks.Task, bits: Tensor, lags: Sequence[int], ns: Sequence[int]
) -> dict[tuple[str, int], Tensor]:
    """What can be asked about the past of bits (T, B): ("bit", lag) and ("answer", n) -> 0 or 1, (B,)."""
    asked = {("bit", lag): bits[-1 - lag].long() for lag in lags}
    answers = tasks.labels(task, bits, ns) if len(ns) else ()
    return asked | {("answer", n): answer for n, answer in zip(ns, answers, strict=True)}


def answers(model: RecurrentNetwork, n: int, bits: Tensor, initial: Tensor) -> Tensor:
    """What one network answers for n in a state (1, B, S), then after each of bits (T, B): (T + 1, B)."""
    now = model.logits(initial, model.head(n))[:, 0].argmax(-1)
    return torch.cat([now, model.answers(bits[None].to(model.b), initial, n)[0]]).cpu()

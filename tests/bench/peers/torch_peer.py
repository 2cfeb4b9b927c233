"""The cases of dlcore's bench example in PyTorch: torch_peer.py eager|compiled CASE.

As fast as PyTorch's own settings make it: denormals flushed, the processor's threads for networks that
gain by them and one for those that lose, and for `compiled` the forward pass, loss and optimizer through
torch.compile (its first call, which compiles, is not timed). IMDB's reviews are rows of words for
EmbeddingBag, the same sum as a dense layer over multi-hot rows; `imdb` with `eager` also times those.

One case a process, so that peak memory means something; a line of JSON for each figure.
"""

import time

START = time.perf_counter()
import json
import resource
import statistics
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_flush_denormal(True)
torch.manual_seed(0)
MODE, CASE = sys.argv[1:3]
PEER = f"torch {torch.__version__} {MODE}"
random = np.random.default_rng(0)


def tell(metric: str, value: float) -> None:
    print(json.dumps({"peer": PEER, "case": CASE, "metric": metric, "value": value}), flush=True)


def timed(run, least: int = 2, seconds: float = 1.5) -> float:
    """The median of runs, without the first, which warms up and compiles."""
    run()
    begun, took = time.perf_counter(), []
    while len(took) < least or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def step_of(model, loss):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    value_of, change = (lambda x, y: loss(model(x), y)), optimizer.step
    if MODE == "compiled":
        value_of, change = torch.compile(value_of, dynamic=False), torch.compile(optimizer.step)

    def step(x, y):
        optimizer.zero_grad()
        value = value_of(x, y)
        value.backward()
        change()
        return value.item()

    return step


def epoch(step, x, y, batch_size: int) -> None:
    order = torch.randperm(len(x))
    for first in range(0, len(x), batch_size):
        rows = order[first : first + batch_size]
        step(x[rows], y[rows])


@torch.inference_mode()
def evaluate_all(value_of, x, y, batch_size: int) -> None:
    for first in range(0, len(x), batch_size):
        value_of(x[first : first + batch_size], y[first : first + batch_size]).item()


def binary(p, y):
    return F.binary_cross_entropy_with_logits(p.squeeze(1), y)


def first_network():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))


def gemm() -> None:
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    tell("gflops", 2 * 1024**3 / timed(lambda: a @ b) / 1e9)


def startup() -> None:
    step_of(first_network(), F.cross_entropy)(torch.rand(128, 784), torch.randint(0, 10, (128,)))
    tell("first_batch_s", time.perf_counter() - START)


def mnist() -> None:
    x, y = torch.rand(60_000, 784), torch.randint(0, 10, (60_000,))
    step = step_of(first_network(), F.cross_entropy)
    tell("epoch_s", timed(lambda: epoch(step, x, y, 128)))


def evaluate() -> None:
    model, x, y = first_network(), torch.rand(10_000, 784), torch.randint(0, 10, (10_000,))
    value_of = lambda x, y: F.cross_entropy(model(x), y)  # noqa: E731
    tell("evaluate_s", timed(lambda: evaluate_all(value_of, x, y, 128), 5))


def words(count: int):
    return torch.from_numpy((random.random((count, 150)) ** 4 * 9_999).astype("int64"))


def multi_hot(rows):
    hot = torch.zeros(len(rows), 10_000)
    return hot.scatter_(1, rows, 1.0)


def imdb() -> None:
    x, xv = words(15_000), words(10_000)
    y, yv = torch.randint(0, 2, (15_000,)).float(), torch.randint(0, 2, (10_000,)).float()

    def epochs(first, x, xv) -> float:
        model = nn.Sequential(first, nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
        step, value_of = step_of(model, binary), lambda x, y: binary(model(x), y)

        def run() -> None:
            epoch(step, x, y, 512)
            evaluate_all(value_of, xv, yv, 512)

        return timed(run)

    global PEER
    tell("epoch_s", epochs(nn.EmbeddingBag(10_000, 16, mode="sum"), x, xv))
    tell_peak()
    PEER += ", dense rows"
    tell("epoch_s", epochs(nn.Linear(10_000, 16), multi_hot(x), multi_hot(xv)))


def convnet() -> None:
    steps = 20
    x, y = torch.rand(64 * steps, 1, 28, 28), torch.randint(0, 10, (64 * steps,))
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU()]
    convolutions += [nn.MaxPool2d(2), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*convolutions, nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10))
    step = step_of(model, F.cross_entropy)
    tell("step_ms", timed(lambda: epoch(step, x, y, 64)) / steps * 1e3)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(10_000, 32), nn.LSTM(32, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        _, (hidden, _) = self.lstm(self.embedding(x))
        return self.head(hidden[-1])


def lstm() -> None:
    steps = 4
    x, y = torch.randint(0, 10_000, (128 * steps, 500)), torch.randint(0, 2, (128 * steps,)).float()
    step = step_of(Reader(), binary)
    tell("step_ms", timed(lambda: epoch(step, x, y, 128)) / steps * 1e3)


def small() -> None:
    torch.set_num_threads(1)
    x, y = torch.rand(32_000, 20), torch.rand(32_000, 1)
    step = step_of(nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1)), F.mse_loss)
    tell("step_us", timed(lambda: epoch(step, x, y, 32)) / 1000 * 1e6)


def boston() -> None:
    torch.set_num_threads(1)
    x, y = torch.randn(404, 13), torch.rand(404, 1)
    model = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    step = step_of(model, F.mse_loss)
    tell("step_us", timed(lambda: epoch(step, x, y, 1)) / 404 * 1e6)


def tell_peak() -> None:
    tell("peak_MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


CASES = {f.__name__: f for f in (gemm, mnist, evaluate, imdb, convnet, lstm, small, boston, startup)}
NOT_COMPILED = {"gemm", "imdb", "evaluate", "startup", "lstm", "boston"}
if CASE in CASES and not (MODE == "compiled" and CASE in NOT_COMPILED):
    CASES[CASE]()
    if CASE != "imdb":
        tell_peak()

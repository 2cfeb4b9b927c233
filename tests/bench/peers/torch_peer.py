"""The cases of dlcore's bench example in PyTorch, eager, denormals flushed: torch_peer.py CASE.

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
CASE = sys.argv[1]
PEER = f"torch {torch.__version__}"
random = np.random.default_rng(0)


def tell(metric: str, value: float) -> None:
    print(json.dumps({"peer": PEER, "case": CASE, "metric": metric, "value": value}), flush=True)


def step_of(model, loss):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def epoch(step, x, y, batch_size: int) -> float:
    began, order = time.perf_counter(), torch.randperm(len(x))
    for first in range(0, len(x), batch_size):
        rows = order[first : first + batch_size]
        step(x[rows], y[rows])
    return time.perf_counter() - began


@torch.inference_mode()
def evaluated(model, loss, x, y, batch_size: int) -> float:
    began = time.perf_counter()
    for first in range(0, len(x), batch_size):
        loss(model(x[first : first + batch_size]), y[first : first + batch_size]).item()
    return time.perf_counter() - began


def epoch_seconds(step, x, y, batch_size: int, epochs: int) -> float:
    return statistics.median([epoch(step, x, y, batch_size) for _ in range(epochs)][1:])


def binary(p, y):
    return F.binary_cross_entropy(p.squeeze(1), y)


def first_network():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))


def startup() -> None:
    step_of(first_network(), F.cross_entropy)(torch.rand(128, 784), torch.randint(0, 10, (128,)))
    tell("first_batch_s", time.perf_counter() - START)


def mnist() -> None:
    x, y = torch.rand(60_000, 784), torch.randint(0, 10, (60_000,))
    tell("epoch_s", epoch_seconds(step_of(first_network(), F.cross_entropy), x, y, 128, 4))


def evaluate() -> None:
    model, x, y = first_network(), torch.rand(10_000, 784), torch.randint(0, 10, (10_000,))
    seconds = [evaluated(model, F.cross_entropy, x, y, 128) for _ in range(6)]
    tell("evaluate_s", statistics.median(seconds[1:]))


def reviews(count: int):
    rows = np.zeros((count, 10_000), "float32")
    words = (random.random((count, 150)) ** 4 * 9_999).astype(int)
    rows[np.repeat(np.arange(count), 150), words.ravel()] = 1
    return torch.from_numpy(rows), torch.randint(0, 2, (count,)).float()


def imdb() -> None:
    (x, y), (xv, yv) = reviews(15_000), reviews(10_000)
    hidden = [nn.Linear(10_000, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU()]
    model = nn.Sequential(*hidden, nn.Linear(16, 1), nn.Sigmoid())
    step = step_of(model, binary)
    seconds = [epoch(step, x, y, 512) + evaluated(model, binary, xv, yv, 512) for _ in range(5)]
    tell("epoch_s", statistics.median(seconds[1:]))


def convnet() -> None:
    x, y = torch.rand(64 * 50, 1, 28, 28), torch.randint(0, 10, (64 * 50,))
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU()]
    convolutions += [nn.MaxPool2d(2), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*convolutions, nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10))
    tell("step_ms", epoch_seconds(step_of(model, F.cross_entropy), x, y, 64, 5) / 50 * 1e3)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(10_000, 32), nn.LSTM(32, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        _, (hidden, _) = self.lstm(self.embedding(x))
        return torch.sigmoid(self.head(hidden[-1]))


def lstm() -> None:
    x, y = torch.randint(0, 10_000, (128 * 10, 500)), torch.randint(0, 2, (128 * 10,)).float()
    tell("step_ms", epoch_seconds(step_of(Reader(), binary), x, y, 128, 3) / 10 * 1e3)


def small() -> None:
    x, y = torch.rand(32_000, 20), torch.rand(32_000, 1)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
    tell("step_us", epoch_seconds(step_of(model, F.mse_loss), x, y, 32, 4) / 1000 * 1e6)


def boston() -> None:
    x, y = torch.randn(404, 13), torch.rand(404, 1)
    model = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    tell("step_us", epoch_seconds(step_of(model, F.mse_loss), x, y, 1, 5) / 404 * 1e6)


{f.__name__: f for f in (startup, mnist, evaluate, imdb, convnet, lstm, small, boston)}[CASE]()
tell("peak_MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

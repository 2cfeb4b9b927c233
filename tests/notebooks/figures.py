"""The figures that the chapters must reach: what the book reports, and the band that five seeds justify.

`seeds.json` beside this file holds what the seeds gave; `replay.py --seeds` writes it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number in a cell's output, written as # in the pattern; the first match counts."""

    says: str
    cell: str
    pattern: str
    low: float
    high: float
    reported: float | None = None


# Cells that train and show it: exactly one chart each.
CHARTS: dict[str, list[str]] = {
    "02-1-first-network": ["mnist-fit"],
    "03-2-library": ["tour-workflow"],
    "03-4-imdb": ["imdb-fit"],
    "03-5-reuters": ["reuters-fit"],
    "04-1-kinds-of-learning": ["kinds-autoencoder"],
}

# Two figures of a chapter, of which the second must be at least so many times the first.
RISES: dict[str, tuple[str, str, float]] = {
    "03-4-imdb": ("IMDB 16-16-1: lowest validation loss", "validation loss after 20 epochs", 4 / 3),
}

FIGURES: dict[str, list[Figure]] = {
    "01-history": [
        Figure("logistic regression, new points", "history-logistic", "right: #", 0.84, 0.90),
        Figure("support vectors with a radial kernel, new points", "history-svm-rbf", "right #", 0.92, 0.96),
        Figure("a small network, new points", "history-network", "right: #", 0.90, 0.97),
    ],
    "02-1-first-network": [
        Figure("MNIST 512-10, 5 epochs: test accuracy", "mnist-evaluate", "accuracy: #", 0.970, 0.985, 0.9777),
    ],
    "02-5-from-scratch": [
        Figure("MNIST from scratch, 5 epochs: test accuracy", "scratch-evaluate", "accuracy #", 0.950, 0.970),
    ],
    "03-4-imdb": [
        Figure("IMDB 16-16-1: lowest validation loss", "imdb-peak", "loss: lowest #", 0.270, 0.285, 0.2735),
        Figure("at epoch", "imdb-peak", "loss: lowest [0-9.]+ at epoch #", 3, 6, 4),
        Figure("validation loss after 20 epochs", "imdb-peak", "loss: .*, # after epoch 20", 0.48, 0.72, 0.6796),
        Figure("highest validation accuracy", "imdb-peak", "accuracy: highest #", 0.885, 0.894, 0.8908),
        Figure("refit for 4 epochs: test accuracy", "imdb-refit-evaluate", "accuracy: #", 0.870, 0.890, 0.88496),
        Figure("its test loss", "imdb-refit-evaluate", "loss: #", 0.278, 0.31, 0.2918),
    ],
    "03-5-reuters": [
        Figure("Reuters 64-64-46: lowest validation loss", "reuters-peak", "lowest #", 0.80, 0.92, 0.8835),
        Figure("at epoch", "reuters-peak", "at epoch #", 7, 14, 9),
        Figure("refit for 8 epochs: test accuracy", "reuters-refit", "accuracy: #", 0.77, 0.80, 0.7769),
        Figure("its test loss", "reuters-refit", "loss: #", 0.93, 1.02, 0.9876),
        Figure("shuffled labels", "reuters-baseline", "chance #", 0.16, 0.22, 0.1848),
        Figure("bottleneck of 4 units: best validation accuracy", "reuters-bottleneck", "accuracy #", 0.60, 0.76, 0.711),
    ],
    "03-6-boston": [
        Figure("Boston 64-64-1, 4 folds of 100 epochs: mean absolute error", "boston-kfold", "mean #", 2.2, 2.8, 2.384),
        Figure("80 epochs, batch 16: test error", "boston-final", "mae #", 2.3, 3.0, 2.553),
    ],
    "04-4-overfitting": [
        Figure("16 units: lowest validation loss", "overfitting-capacity", "16 units +lowest #", 0.270, 0.288, 0.2827),
        Figure("16 units: after 20 epochs", "overfitting-capacity", "16 units .*, # after", 0.48, 0.80, 0.7694),
        Figure("4 units: lowest validation loss", "overfitting-capacity", "4 units +lowest #", 0.268, 0.44, 0.2772),
        Figure("4 units: after 20 epochs", "overfitting-capacity", "\n4 units .*, # after", 0.28, 0.50, 0.4744),
        Figure("512 units: lowest validation loss", "overfitting-large", "lowest #", 0.262, 0.312, 0.2742),
        Figure("512 units: after 20 epochs", "overfitting-large", ", # after", 0.62, 0.90, 0.8896),
        Figure("L2: lowest validation loss", "overfitting-l2", "l2 +lowest #", 0.315, 0.345, 0.3306),
        Figure("L2: after 20 epochs", "overfitting-l2", "l2 .*, # after", 0.39, 0.53, 0.4200),
        Figure("Dropout: lowest validation loss", "overfitting-dropout", "dropout +lowest #", 0.265, 0.325, 0.2772),
        Figure("Dropout: after 20 epochs", "overfitting-dropout", "dropout .*, # after", 0.42, 0.62, 0.5358),
    ],
    "04-5-workflow": [
        Figure("Fashion-MNIST: a small network", "workflow-small", "accuracy #", 0.80, 0.87),
        Figure("the final network: test accuracy", "workflow-test", "accuracy: #", 0.86, 0.90),
    ],
}

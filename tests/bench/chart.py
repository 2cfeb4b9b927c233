"""What the live chart of `fit` costs: the same training with and without it.

usage: chart.py [--runs N] [--epochs N]

The MNIST network of the first chapter trains in turn with `verbose(1)` (a chart that is redrawn up to
ten times a second, sent to a client that reads it) and `verbose(0)`. Needs the data (DLCORE_DATA).
"""

import argparse
import statistics

from kernels import REPO, Kernel

SETUP = """let mnist = datasets::mnist::load()?;
let x = mnist.train_images.reshape([60_000, 28 * 28]).cast(DType::F32) / 255.0;
let y = to_categorical(&mnist.train_labels, 10);
let fresh = Sequential::new().add(Dense::new(512).activation("relu").input_shape([28 * 28])).add(Dense::new(10).activation("softmax"));"""
TRAIN = """let mut network = fresh.clone();
network.compile(RMSprop::new(), "categorical_crossentropy", ["accuracy"])?;
let began = std::time::Instant::now();
network.fit(&x, &y, Fit::epochs(EPOCHS).batch_size(128).verbose(VERBOSE))?;
println!("seconds={}", began.elapsed().as_secs_f64());"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()

    kernel = Kernel("rust-dl", REPO / "notebooks")
    kernel.run(SETUP)

    def train(verbose: int) -> tuple[float, int]:
        cell = kernel.run(TRAIN.replace("EPOCHS", str(arguments.epochs)).replace("VERBOSE", str(verbose)))
        return float(cell.text.rpartition("seconds=")[2]), cell.frames

    train(1)
    pairs = [(train(1), train(0)) for _ in range(arguments.runs)]
    kernel.close()
    with_chart, without = ([pair[side][0] for pair in pairs] for side in (0, 1))
    rate = statistics.median(frames / seconds for (seconds, frames), _ in pairs)
    ratios = [shown / plain for shown, plain in zip(with_chart, without)]
    print(f"{arguments.epochs} epochs: with the chart {statistics.median(with_chart):.3f} s ({rate:.1f} frames a second), "
          f"without {statistics.median(without):.3f} s, {len(pairs)} pairs; "
          f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
          f"of the best of each {min(with_chart) / min(without):.3f}")


if __name__ == "__main__":
    main()

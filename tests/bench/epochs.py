"""Seconds an epoch takes, for the networks of both chapters on the real data.

usage: epochs.py [--epochs N] [--keras]

--keras trains the same networks with Keras on TensorFlow in the same run, in an environment below
target/keras that is made once. Needs the data sets (DLCORE_DATA, or the cache directory); Keras
reads them from DLCORE_DATA.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from kernels import REPO, TARGET, Kernel

PACKAGES = ["keras==3.*", "tensorflow-cpu==2.*", "numpy"]
DATA = {
    "mnist": """
let mnist = datasets::mnist::load()?;
let x = mnist.train_images.reshape([60_000, 28 * 28]).cast(DType::F32) / 255.0;
let y = to_categorical(&mnist.train_labels, 10);
let mut network = Sequential::new()
    .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
    .add(Dense::new(10).activation("softmax"));
network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;
""",
    "imdb": """
let imdb = datasets::imdb::load(10_000)?;
let reviews = multi_hot(&imdb.train_data, 10_000);
let labels = imdb.train_labels.cast(DType::F32);
let (x_val, x) = (reviews.slice(..10_000), reviews.slice(10_000..));
let (y_val, y) = (labels.slice(..10_000), labels.slice(10_000..));
let mut network = Sequential::new()
    .add(Dense::new(16).activation("relu").input_shape([10_000]))
    .add(Dense::new(16).activation("relu"))
    .add(Dense::new(1).activation("sigmoid"));
network.compile("rmsprop", "binary_crossentropy", ["accuracy"])?;
""",
}
SETTINGS = {
    "mnist": "Fit::epochs(1).batch_size(128).verbose(0)",
    "imdb": "Fit::epochs(1).batch_size(512).validation_data(&x_val, &y_val).verbose(0)",
}
TIMED = """
for _ in 0..{epochs} {{
    let began = std::time::Instant::now();
    network.fit(&x, &y, {settings})?;
    println!("{{}}", began.elapsed().as_secs_f64());
}}
"""


def ours(case: str, epochs: int) -> list[float]:
    kernel = Kernel("rust-dl", REPO / "notebooks")
    kernel.run(DATA[case])
    text = kernel.run(TIMED.format(epochs=epochs, settings=SETTINGS[case])).text
    kernel.close()
    return [float(line) for line in text.split()]


def keras(case: str, epochs: int) -> list[float]:
    python = TARGET / "keras" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", TARGET / "keras"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    script = pathlib.Path(__file__).with_name("keras_epochs.py")
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([python, script, case, str(epochs)], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(case: str, name: str, times: list[float]) -> None:
    print(f"{case}: {name} {min(times):.2f} s an epoch at best, median {statistics.median(times):.2f} s, first {times[0]:.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--keras", action="store_true")
    arguments = parser.parse_args()
    for case in DATA:
        mine = ours(case, arguments.epochs)
        report(case, "rust-dl", mine)
        if arguments.keras:
            theirs = keras(case, arguments.epochs)
            report(case, "Keras on TensorFlow", theirs)
            print(f"{case}: an epoch takes {statistics.median(mine) / statistics.median(theirs):.2f} of Keras's time (medians), "
                  f"{min(mine) / min(theirs):.2f} (best)")


if __name__ == "__main__":
    main()

"""Opens in Keras 3 the models that dlcore writes: every layer, models of our own, models that Keras wrote before.

    python3 -m venv venv && venv/bin/pip install keras jax numpy h5py
    KERAS_BACKEND=jax venv/bin/python tests/parity/check_written.py

Each is to predict the same to 1e-5, from the whole file and from its weights alone, to be compiled where it was, and, in
that case, to train; one with weighted metrics is to measure what Keras's own model measured. Run with Keras 3.15.1 on JAX 0.10.2 and h5py 3.16.0.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

# Of inputs that are given in a list of one.
warnings.filterwarnings("ignore")
REPOSITORY = pathlib.Path(__file__).parents[2]


def array(tensor):
    return np.array(tensor["values"], dtype="float32").reshape(tensor["shape"])


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def predictions(model, xs):
    return [np.asarray(o) for o in as_list(model(xs if len(xs) > 1 else xs[0], training=False))]


def check(folder, case):
    xs, expected = [array(x) for x in case["inputs"]], [array(y) for y in case["outputs"]]
    model = keras.saving.load_model(folder / f"{case['name']}.keras")

    def compare(what):
        actual = predictions(model, xs)
        assert len(actual) == len(expected), what
        for one, other in zip(actual, expected):
            scale = max(1.0, np.abs(other).max())
            assert one.shape == other.shape and np.abs(one - other).max() <= 1e-5 * scale, (
                f"{what} is off by {np.abs(one - other).max()}")

    compare("the model")
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.load_weights(folder / f"{case['name']}.weights.h5")
    compare("the model with its weights from a file of their own")
    assert bool(getattr(model, "compiled", False)) == (case["steps"] is not None), "compiled"
    if case["name"] == "weighted":
        recorded = json.loads((REPOSITORY / "tests/parity/fixtures/keras_files/weighted.json").read_text())
        x, y, weights = (array(recorded[key]) for key in ("x", "y", "sample_weight"))
        found = model.evaluate(x, y, batch_size=len(x), sample_weight=weights, return_dict=True, verbose=0)
        assert found.keys() == recorded["metrics"].keys(), f"it measures {sorted(found)}"
        assert all(abs(found[name] - value) <= 1e-5 for name, value in recorded["metrics"].items()), f"it measures {found}"
    if case["name"] == "own_scaled":
        scale, since = (float(v.value) for v in (model.optimizer.dynamic_scale, model.optimizer.step_counter))
        assert (scale, since) == (65536, 1), f"the scale is {scale}, after {since} steps"
    if case["steps"] is not None:
        kept = [np.asarray(v) for v in model.optimizer.variables]
        assert int(model.optimizer.iterations.value) == case["steps"], "the optimizer's steps"
        assert not kept[2:] or case["steps"] == 0 or any(np.abs(v).max() > 0 for v in kept[2:]), "what the optimizer keeps"
        targets = dict(zip(model.output_names, expected)) if len(expected) > 1 else expected[0]
        loss = float(as_list(model.train_on_batch(xs if len(xs) > 1 else xs[0], targets))[0])
        assert np.isfinite(loss), "a step of training"


def main():
    failed = []
    with tempfile.TemporaryDirectory() as name:
        name = os.environ.get("DLCORE_WRITTEN", name)
        folder = pathlib.Path(name)
        subprocess.run(
            ["cargo", "test", "-q", "-p", "dlcore", "--lib", "models::save::keras::tests::writes_for_keras"],
            cwd=REPOSITORY, env={**os.environ, "DLCORE_WRITTEN": name}, check=True, stdout=subprocess.DEVNULL,
        )
        cases = json.loads((folder / "written.json").read_text())
        for case in cases:
            try:
                check(folder, case)
            except Exception as error:
                failed.append(case["name"])
                print(f"{case['name']}: {type(error).__name__}: {str(error)[:600]}")
    print(f"{len(cases) - len(failed)} of {len(cases)} models that dlcore wrote open in Keras {keras.__version__} and predict the same")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

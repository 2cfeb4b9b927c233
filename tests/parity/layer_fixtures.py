"""Records what Keras 3's layers compute, for dlcore/src/layers/parity.rs to compare with.

A family of layers is a script beside this one that ends in

    write("layers_core.json", [case(keras.layers.Dense(3), (4,)), …])

For each layer: its settings in dlcore's words, weights, inputs, outputs, the gradient of
`sum(output · cotangent)` with respect to inputs and weights, and weights and state after each of five
steps of plain gradient descent on the mean squared error plus the layer's penalties on weights and outputs; a
weight's constraint is applied after each step.

    python3 -m venv venv && venv/bin/pip install keras jax numpy
    KERAS_BACKEND=jax venv/bin/python tests/parity/layers_core.py

Numbers are decimal with nine significant digits, which f32 survives. Made with Keras 3.15.1 on JAX 0.10.2.
"""

import json
import os
import pathlib
import re

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

STEPS, BATCH, RATE = 5, 3, 0.1


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def ours(value):
    """A setting as dlcore writes it: initializers and activations by name, regularizers by strength, constraints by
    name and settings."""
    if not isinstance(value, dict) or "class_name" not in value:
        return list(value) if isinstance(value, tuple) else value
    kind, config = value["class_name"], value.get("config") or {}
    if value.get("module", "").endswith("layers") or "build_config" in value:
        return {"kind": kind, "config": settings(config)}
    if kind in ("L1", "L2", "L1L2"):
        return {"l1": float(config.get("l1", 0.0)), "l2": float(config.get("l2", 0.0))}
    if kind in ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"):
        return {snake(kind): settings(config)}
    if kind == "Constant":
        return {"constant": float(config["value"])}
    return snake(kind)


def settings(config):
    return {key: ours(value) for key, value in config.items() if key not in ("dtype", "seed")}


def tensor(array):
    array = np.asarray(array)
    if array.dtype == bool:
        array = array.astype("float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def random_input(rng, shape, classes):
    full = (BATCH, *shape)
    if classes is not None:
        return rng.integers(0, classes, size=full).astype("float32")
    return rng.uniform(-1.5, 1.5, size=full).astype("float32")


def case(layer, *shapes, name=None, training=False, classes=None, mask=None, tolerance=1e-5, seed=7, steps=STEPS, inputs=None,
         initial_state=False):
    """One layer on inputs of these shapes (without the batch axis).

    `classes`: inputs are class numbers below it. `mask`: an array [batch, timesteps], 1 where a timestep
    counts, given with the first input. `inputs`: a function of rng that returns them instead.
    `initial_state`: the inputs after the first are a recurrent layer's initial states.
    """
    rng = np.random.default_rng(seed)
    make = inputs or (lambda rng: [random_input(rng, shape, classes) for shape in shapes])
    xs = make(rng)
    several = len(xs) > 1

    def run(trainable, state, xs):
        kwargs = {}
        parameters = layer._call_signature.parameters if hasattr(layer, "_call_signature") else {}
        if "training" in parameters:
            kwargs["training"] = training
        if mask is not None:
            kwargs["mask"] = jnp.asarray(mask, dtype=bool)
        if initial_state:
            kwargs["initial_state"] = list(xs[1:])
        first = xs if several and not initial_state else xs[0]
        # Not stateless_call, which leaves out the penalties on outputs.
        mapping = [*zip(layer.trainable_variables, trainable), *zip(layer.non_trainable_variables, state)]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            outputs = layer(first, **kwargs)
            penalties = layer.losses
        return as_list(outputs), [scope.get_current_value(v) for v in layer.non_trainable_variables], penalties

    layer.build([x.shape for x in xs] if several and not initial_state else xs[0].shape) if not layer.built else None
    for variable in layer.trainable_variables:
        variable.assign(rng.uniform(-0.8, 0.8, size=variable.shape))
    state_of = lambda: [v for v in layer.non_trainable_variables if "seed_generator" not in v.path]
    for variable in state_of():
        variable.assign(rng.uniform(0.2, 1.2, size=variable.shape))
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    trainable = [v.value for v in layer.trainable_variables]
    state = [v.value for v in layer.non_trainable_variables]
    kept = [i for i, v in enumerate(layer.non_trainable_variables) if "seed_generator" not in v.path]
    outputs, *_ = run(trainable, state, xs)
    cotangents = [rng.uniform(-1, 1, size=o.shape).astype("float32") for o in outputs]

    def projected(trainable, xs):
        return sum(jnp.sum(o * c) for o, c in zip(run(trainable, state, xs)[0], cotangents))

    by_weight = jax.grad(projected, 0)(trainable, xs)
    differentiable = classes is None
    by_input = jax.grad(projected, 1)(trainable, xs) if differentiable else []
    recorded = {
        "name": name or layer.name, "kind": type(layer).__name__, "config": settings(layer.get_config()),
        "training": training, "tolerance": tolerance, "integers": classes is not None,
        "mask": None if mask is None else tensor(mask),
        "inputs": [tensor(x) for x in xs], "weights": [tensor(w) for w in trainable],
        "state": [tensor(state[i]) for i in kept], "outputs": [tensor(o) for o in outputs],
        "cotangents": [tensor(c) for c in cotangents], "input_gradients": [tensor(g) for g in by_input],
        "weight_gradients": [tensor(g) for g in by_weight], "steps": [],
    }
    targets = [rng.uniform(-1, 1, size=o.shape).astype("float32") for o in outputs]
    recorded["targets"] = [tensor(t) for t in targets]

    def loss(trainable, state, xs):
        outputs, state, penalties = run(trainable, state, xs)
        return sum(jnp.mean((o - t) ** 2) for o, t in zip(outputs, targets)) + sum(penalties), state

    for _ in range(steps if trainable else 0):
        xs = make(rng)
        (value, state), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, state, xs)
        trainable = [w - RATE * g for w, g in zip(trainable, gradients)]
        constraints = [getattr(v, "constraint", None) for v in layer.trainable_variables]
        trainable = [constrain(w) if constrain else w for w, constrain in zip(trainable, constraints)]
        recorded["steps"].append({
            "inputs": [tensor(x) for x in xs], "loss": float(value), "weights": [tensor(w) for w in trainable],
            "state": [tensor(state[i]) for i in kept],
        })
    return recorded


def write(file, cases):
    path = pathlib.Path(__file__).with_name("fixtures") / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":")) + "\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")

"""What Keras 3 makes of dropout in recurrent layers, for masks that are given: one for all gates without
recurrent dropout, else one for each gate, of the input and of the state. Writes fixtures/recurrent_dropout.json.

    KERAS_BACKEND=jax python tests/parity/recurrent_dropout.py
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

BATCH, STEPS, FEATURES, UNITS = 2, 4, 3, 2
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
random = np.random.default_rng(8)


def array(*shape, low=-1.0):
    return random.uniform(low, 1.0, shape).astype("float32")


def written(value):
    return {"shape": list(value.shape), "values": [float(f"{number:.8g}") for number in np.ravel(value)]}


def case(kind, recurrent_dropout, **settings):
    layer = getattr(keras.layers, kind)(
        UNITS, dropout=0.5, recurrent_dropout=recurrent_dropout, return_sequences=True, **settings
    )
    layer.build((BATCH, STEPS, FEATURES))
    layer.set_weights([array(*weight.shape) for weight in layer.get_weights()])
    count = GATES[kind] if recurrent_dropout else 1
    inputs = [2.0 * array(BATCH, FEATURES, low=0.0) for _ in range(count)]
    states = [2.0 * array(BATCH, UNITS, low=0.0) for _ in range(count)] if recurrent_dropout else []
    # Keras asks for a list where the masks differ, for the one tensor where there is only one.
    given = lambda masks: masks if layer.cell.__dict__.get("dropout_mask_count") else masks[0]
    layer.cell.get_dropout_mask = lambda _: given(inputs)
    if states:
        layer.cell.get_recurrent_dropout_mask = lambda _: given(states)
    x = array(BATCH, STEPS, FEATURES)
    return {
        "kind": kind,
        "settings": settings,
        "weights": [written(weight) for weight in layer.get_weights()],
        "x": written(x),
        "input_masks": [written(mask) for mask in inputs],
        "state_masks": [written(mask) for mask in states],
        "output": written(np.asarray(layer(x, training=True))),
    }


kinds = [("SimpleRNN", {}), ("LSTM", {}), ("GRU", {"reset_after": True}), ("GRU", {"reset_after": False})]
cases = [case(kind, rate, **settings) for kind, settings in kinds for rate in (0.5, 0.0)]
fixtures = Path(__file__).parent / "fixtures" / "recurrent_dropout.json"
fixtures.write_text(json.dumps({"keras": keras.__version__, "cases": cases}) + "\n")

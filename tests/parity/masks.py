"""Records which masks Keras 3's layers pass on, for dlcore/src/layers/parity.rs to compare with.

    KERAS_BACKEND=jax venv/bin/python tests/parity/masks.py

A case is a layer's kind and settings in dlcore's words, the shapes of its inputs with the batch axis, a mask for each
of them (or null), and the mask of the first output (or null).
"""

import json
import pathlib

import numpy as np
from layer_fixtures import settings, tensor

from keras import layers

BATCH, STEPS = 3, 4
MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
OTHER = np.array([[0, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 1]], dtype=bool)
SEQUENCES = {"return_sequences": True}


def case(layer, *shapes, masks=(MASK,), inputs=None):
    shapes = [(BATCH, *shape) for shape in (shapes or [(STEPS, 6)])]
    xs = inputs or [np.ones(shape, dtype="float32") for shape in shapes]
    several = len(xs) > 1
    layer(xs if several else xs[0])
    given = list(masks) if several else masks[0]
    passed = layer.compute_mask(xs if several else xs[0], given) if layer.supports_masking else None
    passed = passed[0] if isinstance(passed, (list, tuple)) else passed
    return {
        "kind": type(layer).__name__, "config": settings(layer.get_config()), "inputs": [tensor(x) for x in xs],
        "masks": [None if mask is None else tensor(mask) for mask in masks],
        "passed": None if passed is None else tensor(np.asarray(passed, dtype=bool)),
    }


BOTH = {"masks": (MASK, OTHER)}
ONE = {"masks": (MASK, None)}
TWO = [(STEPS, 6), (STEPS, 6)]
WORDS = np.array([[1, 0, 2, 0], [3, 3, 0, 0], [0, 0, 0, 1]], dtype="float32")
PADDED = np.repeat(WORDS[..., None], 2, axis=-1)

cases = [
    *(case(layer) for layer in (
        layers.Dense(2), layers.Activation("relu"), layers.ActivityRegularization(0.1), layers.Dropout(0.5), layers.ReLU(),
        layers.LeakyReLU(), layers.ELU(), layers.PReLU(), layers.Softmax(), layers.BatchNormalization(),
        layers.LayerNormalization(), layers.GroupNormalization(groups=2), layers.SpatialDropout1D(0.5),
        layers.GaussianNoise(0.5), layers.GaussianDropout(0.5), layers.AlphaDropout(0.5), layers.Rescaling(2.0),
        layers.Flatten(), layers.Reshape((6, 4)), layers.Permute((2, 1)), layers.Conv1D(2, 3), layers.Conv1DTranspose(2, 3),
        layers.DepthwiseConv1D(3), layers.SeparableConv1D(2, 3), layers.MaxPooling1D(2), layers.AveragePooling1D(2),
        layers.GlobalMaxPooling1D(), layers.GlobalAveragePooling1D(), layers.UpSampling1D(2), layers.ZeroPadding1D(1),
        layers.Cropping1D(1), layers.SimpleRNN(2), layers.SimpleRNN(2, **SEQUENCES), layers.LSTM(2),
        layers.LSTM(2, return_state=True, **SEQUENCES), layers.GRU(2, **SEQUENCES), layers.Bidirectional(layers.GRU(2)),
        layers.Bidirectional(layers.GRU(2, **SEQUENCES)), layers.TimeDistributed(layers.Dense(2)),
    )),
    *(case(kind(), *TWO, **masks) for kind in (layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum,
                                               layers.Subtract)
      for masks in (BOTH, ONE)),
    *(case(layers.Concatenate(axis=axis), *TWO, **masks) for axis in (-1, 1) for masks in (BOTH, ONE)),
    case(layers.Dot(axes=-1), *TWO, **BOTH),
    case(layers.Embedding(5, 2, mask_zero=True), masks=(None,), inputs=[WORDS]),
    case(layers.Embedding(5, 2), masks=(None,), inputs=[WORDS]),
    case(layers.Masking(0.0), masks=(None,), inputs=[PADDED]),
    case(layers.TimeDistributed(layers.Masking(0.0)), (STEPS, 2, 3)),
    case(layers.RepeatVector(2), (6,), masks=(None,)),
]
path = pathlib.Path(__file__).with_name("fixtures") / "masks.json"
path.write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")
print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")

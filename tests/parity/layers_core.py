"""The fixtures of Dense and Dropout; see layer_fixtures.py."""

from layer_fixtures import case, write

from keras import layers, regularizers

write("layers_core.json", [
    case(layers.Dense(3), (4,), name="dense"),
    case(layers.Dense(3, activation="relu", use_bias=False), (2, 4), name="dense on sequences"),
    case(layers.Dense(3, activation="softmax", kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                      bias_regularizer="l2"), (4,), name="dense regularized"),
    case(layers.Dropout(0.4), (4,), name="dropout at inference"),
])

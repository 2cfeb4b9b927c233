"""The fixtures of layers that are adapted to data; see layer_fixtures.py. What they learn is in adapted.py."""

from layer_fixtures import case, write

from keras import layers

write("layers_preprocessing.json", [
    case(layers.Normalization(), (3,), name="normalization"),
    case(layers.Normalization(axis=1), (4, 2), name="normalization of axis 1"),
    case(layers.Normalization(axis=None), (2, 3), name="normalization of all"),
    case(layers.Normalization(invert=True), (2, 3), name="normalization, the other way"),
    case(layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 1.0, 0.25]), (3,), name="normalization by given numbers"),
    case(layers.Normalization(axis=None, mean=1.0, variance=4.0), (3,), name="normalization by one number"),
])

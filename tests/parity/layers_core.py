"""The fixtures of Dense and Dropout; see layer_fixtures.py."""

from layer_fixtures import case, write

from keras import constraints, layers, regularizers

write("layers_core.json", [
    case(layers.Dense(3), (4,), name="dense"),
    case(layers.Dense(3, activation="relu", use_bias=False), (2, 4), name="dense on sequences"),
    case(layers.Dense(3, activation="softmax", kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                      bias_regularizer="l2"), (4,), name="dense regularized"),
    case(layers.Dense(4, activation="glu"), (3,), name="dense glu"),
    case(layers.Dense(3, activation="tanh", activity_regularizer=regularizers.L1L2(0.1, 0.2), kernel_regularizer="l2"),
         (2, 4), name="dense with a penalty on its output"),
    case(layers.ActivityRegularization(l1=0.1, l2=0.05), (3, 2), name="activity regularization"),
    case(layers.Dense(3, kernel_constraint=constraints.MaxNorm(0.5), bias_constraint="non_neg"), (4,),
         name="dense with max norm and non-negative bias"),
    case(layers.Dense(3, kernel_constraint=constraints.UnitNorm(axis=[0, 1])), (4,), name="dense with unit norm"),
    case(layers.Dense(3, kernel_constraint=constraints.MinMaxNorm(0.3, 0.6, rate=0.7, axis=1)), (4,),
         name="dense with bounds of its norm"),
    case(layers.Dropout(0.4), (4,), name="dropout at inference"),
])

"""The fixtures of the recurrent layers and what belongs to sequences; see layer_fixtures.py."""

import functools

from layer_fixtures import case, write

from keras import constraints, layers, regularizers

# Samples of three lengths, padded behind, before and in between.
MASK = [[1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]]

case = functools.partial(case, tolerance=1e-4)
short = functools.partial(case, steps=2)


def cells(name, make, states):
    """The cases that every recurrent layer has."""
    state = [(2,)] * states
    return [
        case(make(2), (4, 3), name=name),
        short(make(2, return_sequences=True, use_bias=False), (4, 3), name=f"{name} sequences"),
        short(make(2, go_backwards=True), (4, 3), name=f"{name} backwards"),
        short(make(2, go_backwards=True, return_sequences=True), (4, 3), mask=MASK,
              name=f"{name} backwards, sequences, mask"),
        case(make(2), (4, 3), mask=MASK, name=f"{name} mask"),
        short(make(2, return_sequences=True, return_state=True, zero_output_for_mask=True), (4, 3), mask=MASK,
              name=f"{name} mask, zeros and states"),
        short(make(2, return_state=True), (4, 3), *state, initial_state=True, mask=MASK,
              name=f"{name} initial and final state"),
        short(make(2, return_state=True, return_sequences=True), (4, 3), *state, initial_state=True,
              name=f"{name} initial and final state, sequences"),
        short(make(2, dropout=0.3, recurrent_dropout=0.4, kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                   recurrent_regularizer="l2", bias_regularizer="l1"), (4, 3),
              name=f"{name} regularized, dropout at inference"),
        short(make(3, activation="relu"), (3, 2), name=f"{name} relu"),
        short(make(2, activation="softsign", return_sequences=True), (4, 3), mask=MASK, name=f"{name} softsign"),
        short(make(2, activation="gelu", go_backwards=True, return_state=True), (3, 3), *state, initial_state=True,
              name=f"{name} gelu, backwards, states"),
        short(make(2, return_state=True, activity_regularizer=regularizers.L1L2(0.1, 0.2), recurrent_constraint="unit_norm",
                   kernel_constraint=constraints.MaxNorm(0.5), bias_constraint="non_neg"), (3, 3),
              name=f"{name} penalty on the output, constraints"),
    ]


def gru(reset_after):
    return functools.partial(layers.GRU, reset_after=reset_after)


hard = {"recurrent_activation": "hard_sigmoid", "activation": "linear"}
sequences = {"return_sequences": True}

write("layers_recurrent.json", [
    *cells("simple", layers.SimpleRNN, 1),
    *cells("lstm", layers.LSTM, 2),
    short(layers.LSTM(2, **hard, unit_forget_bias=False), (3, 2), name="lstm hard sigmoid"),
    short(layers.LSTM(3, recurrent_activation="softmax", activation="elu"), (3, 2), name="lstm softmax gates"),
])
write("layers_gru.json", [
    *cells("gru", gru(True), 1),
    *cells("gru reset before", gru(False), 1),
    short(layers.GRU(2, **hard), (3, 2), name="gru hard sigmoid"),
    short(layers.GRU(2, recurrent_activation="softsign", activation="mish"), (3, 2), name="gru softsign gates"),
    short(layers.GRU(2, reset_after=False, **hard), (3, 2), name="gru reset before, hard sigmoid"),
])
write("layers_sequences.json", [
    *(short(layers.Bidirectional(layers.LSTM(2, **(sequences if mode == "mul" else {})), merge_mode=mode), (4, 3),
            name=f"bidirectional {mode}") for mode in ("concat", "sum", "mul", "ave", None)),
    short(layers.Bidirectional(layers.GRU(2, **sequences)), (4, 3), mask=MASK, name="bidirectional mask"),
    short(layers.Bidirectional(layers.GRU(2, reset_after=False), merge_mode="sum"), (4, 3), mask=MASK,
          name="bidirectional mask, last"),
    short(layers.Bidirectional(layers.LSTM(2, return_state=True, kernel_regularizer="l2")), (4, 3),
          *[(2,)] * 4, initial_state=True, name="bidirectional states"),
    short(layers.Bidirectional(layers.SimpleRNN(2, return_state=True, **sequences), merge_mode=None), (4, 3),
          name="bidirectional states, not merged"),
    short(layers.Bidirectional(layers.LSTM(2), backward_layer=layers.GRU(3, go_backwards=True, use_bias=False)), (4, 3),
          name="bidirectional of two kinds"),
    short(layers.Bidirectional(layers.LSTM(2, activity_regularizer="l2", **sequences), activity_regularizer="l1"), (3, 2),
          name="bidirectional penalties on outputs"),
    case(layers.TimeDistributed(layers.BatchNormalization(momentum=0.6)), (3, 4), training=True,
         name="time distributed batch normalization"),
    case(layers.TimeDistributed(layers.BatchNormalization(momentum=0.6)), (4, 2), training=True, mask=MASK,
         name="time distributed batch normalization, mask"),
    case(layers.TimeDistributed(layers.BatchNormalization()), (3, 4),
         name="time distributed batch normalization at inference"),
    case(layers.TimeDistributed(layers.Dense(2, activation="tanh", kernel_regularizer="l2")), (4, 3),
         name="time distributed"),
    short(layers.TimeDistributed(layers.Dense(2)), (4, 3), mask=MASK, name="time distributed mask"),
    case(layers.Embedding(6, 3), (4,), classes=6, name="embedding"),
    short(layers.Embedding(6, 2, embeddings_constraint="unit_norm", activity_regularizer="l2"), (3,), classes=6,
          name="embedding of unit norm"),
    short(layers.Embedding(6, 2, mask_zero=True, embeddings_regularizer="l2"), (2, 3), classes=6,
          name="embedding regularized"),
    case(layers.Masking(0.0), (4, 3), name="masking",
         inputs=lambda rng: [rng.integers(0, 2, size=(3, 4, 3)).astype("float32")]),
])

"""Records what Keras 3 makes of texts and sequences, for dlcore/src/preprocessing to compare with.

    python3 -m venv venv && venv/bin/pip install keras jax numpy
    KERAS_BACKEND=jax venv/bin/python tests/parity/preprocessing_text.py

writes fixtures/preprocessing_text.json. The text functions are those of Keras 3's legacy modules
(keras.src.legacy.preprocessing.text), the rest is keras.utils. Made with Keras 3.15.1.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras.src.legacy.preprocessing import text

HERE = pathlib.Path(__file__).parent / "fixtures"

rng = np.random.default_rng(3)
LONG = " ".join(f"w{n}" for n in rng.zipf(1.3, 10_000).clip(max=5_000))
TEXTS = [
    "The quick brown fox, the \"lazy\" dog; don't stop: it's THE end!",
    "Ünïcödé: naïve café — œuvre, ÆSIR, STRASSE straße ß ẞ, Ǆ",
    "İstanbul Iğdır ΣΊΣΥΦΟΣ ΟΔΟΣ ὈΔΥΣΣΕΎΣ",
    "«guillemets» “curly quotes” ‘single’ 'straight' `back` \"\"\"three\"\"\"",
    "日本語 の テキスト 🎉🎉 e\u0301 and é, zero\u200bwidth",
    "tab\tand\nline\r\nreturn, no\u00a0break and   many   blanks",
    "",
    " \t\n ",
    "word",
    "!?.,;:",
    "the the the THE The, <oov> and oov",
    LONG,
]
UNSEEN = ["the unseen fox", "", "w1 w2 nobody_knows, the dog", "ẞ ß ss"]
WORDS = [["The", "Fox,", "the"], [], ["fox,", "UNSEEN"]]


def matrix(values):
    rows, columns = np.nonzero(values)
    entries = [[int(r), int(c), float(values[r, c])] for r, c in zip(rows, columns)]
    return {"shape": list(values.shape), "entries": entries}


def tokenizer(settings, texts, modes):
    t = text.Tokenizer(**settings)
    t.fit_on_texts(texts[: len(texts) // 2])
    t.fit_on_texts(texts[len(texts) // 2 :])
    sequences = t.texts_to_sequences(texts)
    return {
        "settings": settings,
        "texts": "words" if texts is WORDS else "texts",
        "word_index": sorted(t.word_index.items(), key=lambda item: item[1]),
        "word_counts": list(t.word_counts.items()),
        "sequences": sequences,
        "unseen": t.texts_to_sequences(UNSEEN),
        "back": t.sequences_to_texts(sequences[:-1] + [[0, 1, 2, 3, 10**6]]),
        "matrices": {mode: matrix(t.texts_to_matrix(texts[:11] + UNSEEN, mode)) for mode in modes},
        "json": t.to_json(),
    }


MODES = ["binary", "count", "tfidf", "freq"]
tokenizers = [
    tokenizer({}, TEXTS, []),
    tokenizer({"num_words": 60}, TEXTS, MODES),
    tokenizer({"num_words": 30, "oov_token": "<oov>"}, TEXTS, MODES),
    tokenizer({"oov_token": "the"}, TEXTS[:6], MODES),
    tokenizer({"filters": "", "lower": False}, TEXTS[:11], []),
    tokenizer({"filters": "aeiou", "split": "th"}, TEXTS[:11], []),
    tokenizer({"char_level": True, "num_words": 20, "oov_token": "?"}, TEXTS[:11], MODES),
    tokenizer({"num_words": 4}, WORDS, ["count"]),
]

split = []
for settings in ({}, {"lower": False}, {"filters": ".,!", "split": " "}, {"filters": "-", "split": ", "}):
    split.append({"settings": settings, "words": [text.text_to_word_sequence(t, **settings) for t in TEXTS[:11]]})
hashing = [
    {"n": n, "numbers": [text.hashing_trick(t, n, hash_function="md5") for t in TEXTS[:11]]}
    for n in (2, 3, 1000, 2**31 - 1)
]

ROWS = [[1], [2, 3, 4], [], [5, 6, 7, 8, 9, 10], [11, 12]]
pads = []
for settings in (
    {}, {"maxlen": 3}, {"maxlen": 3, "padding": "post"}, {"maxlen": 3, "truncating": "post"},
    {"maxlen": 8, "padding": "post", "truncating": "post", "value": -1.0}, {"maxlen": 1},
    {"maxlen": 4, "dtype": "float32", "value": 0.5}, {"maxlen": 4, "value": 2.75}, {"maxlen": 4, "dtype": "int64", "value": -7},
):
    padded = keras.utils.pad_sequences(ROWS, **settings)
    pads.append({"settings": settings, "dtype": str(padded.dtype), "values": padded.tolist()})
NESTED = [[[1.5, 2.0]], [], [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]]
nested = keras.utils.pad_sequences(NESTED, maxlen=2, dtype="float32", padding="post", value=9.0)

x = rng.normal(size=(3, 4, 5)).astype("float32")
x[1, 2] = 0
normalized = [
    {"axis": axis, "order": order, "values": np.ravel(keras.ops.nn.normalize(x, axis=axis, order=order)).tolist()}
    for axis, order in ((-1, 2), (1, 2), (0, 2), (-1, 1), (2, 3))
]
labels = [[0, 2, 1], [[1], [3]], [[0, 1], [2, 2]]]
categorical = [
    {"labels": l, "classes": n, "values": keras.utils.to_categorical(l, n).tolist()} for l in labels for n in (None, 4)
]

fixtures = {
    "texts": TEXTS, "unseen": UNSEEN, "words": WORDS, "tokenizers": tokenizers, "split": split, "hashing": hashing,
    "rows": ROWS, "pads": pads, "nested": {"rows": NESTED, "values": nested.tolist()},
    "normalize": {"shape": list(x.shape), "x": np.ravel(x).tolist(), "cases": normalized}, "categorical": categorical,
}
(HERE / "preprocessing_text.json").write_text(json.dumps(fixtures, separators=(",", ":"), ensure_ascii=False) + "\n")

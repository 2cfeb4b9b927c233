"""Records what Keras 3 makes of pictures and series, for dlcore/src/preprocessing to compare with.

    python3 -m venv venv && venv/bin/pip install keras tensorflow-cpu numpy scipy pillow
    KERAS_BACKEND=tensorflow venv/bin/python tests/parity/preprocessing_images.py

writes a folder of small pictures, fixtures/pictures/{cats,dogs}, and fixtures/preprocessing_images.json.
Random changes are drawn by NumPy from seeds: Keras's own generator, step by step. Made with Keras 3.15.1,
TensorFlow 2.21, SciPy 1.17.1 and Pillow 13.0.
"""

import json
import os
import pathlib
import shutil
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras.src.legacy.preprocessing import image
from keras.src.legacy.preprocessing.sequence import TimeseriesGenerator
from PIL import Image

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent / "fixtures"
PICTURES = HERE / "pictures"
rng = np.random.default_rng(9)


def numbers(values):
    return [float(f"{v:.7g}") for v in np.ravel(values)]


def array(values):
    values = np.asarray(values)
    return {"shape": list(values.shape), "values": numbers(values)}


def pattern(height, width, channels):
    """A smooth picture with an edge, in which directions and channels can be told apart."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [120 + 80 * np.sin(x / 3 + c) + 40 * np.cos(y / (2 + c)) + 30 * (x > y) for c in range(channels)]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype("uint8")


shutil.rmtree(PICTURES, ignore_errors=True)
(PICTURES / "cats" / "more").mkdir(parents=True)
(PICTURES / "dogs").mkdir()
Image.fromarray(pattern(12, 16, 3)).save(PICTURES / "cats" / "b.png")
Image.fromarray(pattern(9, 7, 4)).save(PICTURES / "cats" / "a.PNG")
Image.fromarray(pattern(10, 10, 1)[..., 0]).save(PICTURES / "cats" / "more" / "grey.png")
Image.fromarray(pattern(14, 11, 3)).quantize(16).save(PICTURES / "dogs" / "palette.png")
Image.fromarray(pattern(13, 13, 2), "LA").save(PICTURES / "dogs" / "grey_alpha.png")
Image.fromarray(pattern(32, 48, 3)).save(PICTURES / "dogs" / "photo.jpg", quality=95, subsampling=0)
Image.fromarray(pattern(24, 24, 1)[..., 0]).save(PICTURES / "dogs" / "grey.jpeg", quality=95)
(PICTURES / "dogs" / "notes.txt").write_text("no picture\n")
FILES = sorted(str(path.relative_to(PICTURES)) for path in PICTURES.rglob("*.*") if path.suffix != ".txt")

loaded = []
for name in FILES:
    for mode in ("rgb", "rgba", "grayscale"):
        img = keras.utils.load_img(PICTURES / name, color_mode=mode)
        loaded.append({"file": name, "color_mode": mode, **array(keras.utils.img_to_array(img))})
resized = []
for name in ("cats/b.png", "cats/a.PNG"):
    for method in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"):
        for size, keep in (((5, 9), False), ((20, 13), False), ((8, 4), True)):
            img = keras.utils.load_img(PICTURES / name, color_mode="rgba" if name == "cats/a.PNG" else "rgb",
                                       target_size=size, interpolation=method, keep_aspect_ratio=keep)
            resized.append({"file": name, "size": size, "interpolation": method, "keep": keep,
                            **array(keras.utils.img_to_array(img))})

x = (pattern(9, 13, 3) + rng.uniform(0, 20, (9, 13, 3))).astype("float32")
affine = []
for fill_mode in ("nearest", "constant", "reflect", "wrap"):
    for how in (
        {}, {"theta": 33.0}, {"theta": -170.5}, {"tx": 2.3, "ty": -4.7}, {"tx": 30.2, "ty": -41.9}, {"shear": 25.0},
        {"zx": 0.6, "zy": 1.4}, {"theta": 12.0, "tx": 1.1, "ty": 2.2, "shear": -8.0, "zx": 1.2, "zy": 0.9},
    ):
        changed = image.apply_affine_transform(
            x, row_axis=0, col_axis=1, channel_axis=2, fill_mode=fill_mode, cval=-5.0, **how)
        affine.append({"how": how, "fill_mode": fill_mode, "values": numbers(changed)})
order0 = image.apply_affine_transform(x, theta=20.0, row_axis=0, col_axis=1, channel_axis=2, order=0)

CHANGES = [
    {"flip_horizontal": True}, {"flip_vertical": True, "theta": 10.0}, {"brightness": 0.4}, {"brightness": 1.7},
    {"channel_shift_intensity": 25.0}, {"channel_shift_intensity": -60.0, "brightness": 1.1, "flip_horizontal": True},
]
changes = [{"how": how, "values": numbers(image.ImageDataGenerator().apply_transform(x, how))} for how in CHANGES]
outside = x * 2 - 100
changes_outside = numbers(image.ImageDataGenerator().apply_transform(outside, {"brightness": 0.8}))

BATCH = np.stack([x, x[::-1] * 0.8, x[:, ::-1] * 0.5, x * 0.3 + 9, 255 - x]).astype("float32")
SCALES = [
    {"rescale": 1 / 255}, {"samplewise_center": True}, {"samplewise_std_normalization": True},
    {"featurewise_center": True}, {"featurewise_std_normalization": True, "rescale": 0.5},
]
scales = []
for settings in SCALES:
    generator = image.ImageDataGenerator(**settings)
    generator.fit(BATCH)
    scales.append({"settings": settings, "values": numbers(generator.standardize(BATCH[1].copy()))})

AUGMENT = {
    "rotation_range": 40.0, "width_shift_range": 0.2, "height_shift_range": 0.3, "shear_range": 15.0, "zoom_range": 0.2,
    "horizontal_flip": True, "vertical_flip": True, "channel_shift_range": 20.0, "brightness_range": [0.7, 1.2],
    "rescale": 1 / 255, "fill_mode": "reflect",
}
LABELS = np.arange(5) * 10.0


def batches(iterator, count):
    return [{"x": array(bx), "y": array(by)} for bx, by in (next(iterator) for _ in range(count))]


flows = []
for generator_settings, settings, count in (
    (AUGMENT, {"batch_size": 2, "seed": 5}, 4),
    ({"rotation_range": 90.0, "width_shift_range": 3.5, "zoom_range": [0.5, 0.8], "fill_mode": "constant", "cval": 7.0},
     {"batch_size": 4, "seed": 1, "shuffle": False}, 2),
    ({"validation_split": 0.4}, {"batch_size": 8, "seed": 2, "subset": "validation", "ignore_class_split": True}, 1),
    ({"validation_split": 0.4}, {"batch_size": 8, "seed": 2, "subset": "training", "ignore_class_split": True}, 1),
):
    iterator = image.ImageDataGenerator(**generator_settings).flow(BATCH, LABELS, **settings)
    settings.pop("ignore_class_split", None)
    flows.append({"generator": generator_settings, "settings": settings, "batches": batches(iterator, count)})

directories = []
for generator_settings, settings, count in (
    ({"rescale": 1 / 255, "rotation_range": 30.0}, {"target_size": (6, 8), "batch_size": 3, "seed": 4, "class_mode": "binary"}, 3),
    ({}, {"target_size": (5, 5), "batch_size": 7, "shuffle": False, "color_mode": "grayscale", "interpolation": "bilinear"}, 1),
    ({"validation_split": 0.5}, {"target_size": (4, 4), "batch_size": 7, "shuffle": False, "class_mode": "sparse",
                                 "subset": "training", "classes": ["dogs", "cats"]}, 1),
):
    iterator = image.ImageDataGenerator(**generator_settings).flow_from_directory(str(PICTURES), **settings)
    directories.append({
        "generator": generator_settings, "settings": settings, "filenames": iterator.filenames,
        "classes": iterator.classes.tolist(), "batches": batches(iterator, count),
    })

datasets = []
for settings in (
    {"shuffle": False, "image_size": (6, 9), "batch_size": 4},
    {"shuffle": False, "image_size": (20, 15), "batch_size": 7, "label_mode": "categorical", "interpolation": "nearest"},
    {"shuffle": False, "image_size": (5, 5), "batch_size": 7, "label_mode": "binary", "color_mode": "grayscale"},
    {"seed": 3, "validation_split": 0.3, "subset": "training", "image_size": (4, 4)},
    {"seed": 3, "validation_split": 0.3, "subset": "validation", "image_size": (4, 4)},
):
    dataset = keras.utils.image_dataset_from_directory(str(PICTURES), verbose=False, **settings)
    datasets.append({
        "settings": settings, "class_names": dataset.class_names,
        "files": [str(pathlib.Path(p).relative_to(PICTURES)) for p in dataset.file_paths],
        "batches": [] if "seed" in settings else [{"x": array(bx), "y": array(by)} for bx, by in dataset],
    })

SERIES = np.arange(60, dtype="float32").reshape(30, 2)
TARGETS = np.arange(30, dtype="float32") * 100
windows = []
for settings in (
    {"sequence_length": 4}, {"sequence_length": 3, "sampling_rate": 2, "sequence_stride": 3, "batch_size": 4},
    {"sequence_length": 5, "start_index": 7, "end_index": 22, "batch_size": 3},
):
    for targets in (TARGETS, TARGETS[4:], None):
        dataset = keras.utils.timeseries_dataset_from_array(SERIES, targets, **settings)
        if targets is None:
            got = [{"x": array(bx)} for bx in dataset]
        elif settings.get("start_index") and len(targets) < 30:
            continue
        else:
            got = [{"x": array(bx), "y": array(by)} for bx, by in dataset]
        windows.append({"settings": settings, "targets": None if targets is None else 30 - len(targets), "batches": got})
generators = []
for settings in (
    {"length": 4}, {"length": 5, "sampling_rate": 2, "stride": 3, "batch_size": 4, "reverse": True},
    {"length": 3, "start_index": 6, "end_index": 20, "batch_size": 6},
):
    g = TimeseriesGenerator(SERIES, TARGETS, **settings)
    generators.append({"settings": settings, "batches": [{"x": array(g[i][0]), "y": array(g[i][1])} for i in range(len(g))]})
shuffled = TimeseriesGenerator(SERIES, TARGETS, 3, stride=2, batch_size=4, shuffle=True)

fixtures = {
    "loaded": loaded, "resized": resized, "x": array(x), "affine": affine, "order0": numbers(order0), "changes": changes,
    "outside": {"x": numbers(outside), "values": changes_outside}, "batch": array(BATCH), "scales": scales, "flows": flows,
    "directories": directories, "datasets": datasets, "series": array(SERIES), "windows": windows, "generators": generators,
    "shuffled": {"batches": len(shuffled), "shape": list(shuffled[0][0].shape)},
}
(HERE / "preprocessing_images.json").write_text(json.dumps(fixtures, separators=(",", ":")) + "\n")

//! Pictures against Keras (`tests/parity/preprocessing_images.py`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::Tensor;
use crate::fixtures::{list, numbers, tensor, text};

static KERAS: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/preprocessing_images.json"
    );
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
});

pub(super) fn pictures() -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/pictures"
    ))
    .to_owned()
}

/// Fails if values differ by more than `by`.
#[track_caller]
fn near(what: &str, actual: &Tensor, expected: &Value, by: f64) {
    let (actual, expected) = (actual.to_vec_of::<f64>(), numbers(expected));
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (place, (a, e)) in actual.iter().zip(&expected).enumerate() {
        assert!((a - e).abs() <= by, "{what}[{place}]: {a}, Keras has {e}");
    }
}

fn size(json: &Value) -> [usize; 2] {
    let size = numbers(json);
    [size[0] as usize, size[1] as usize]
}

#[test]
fn pictures_are_read_as_pillow_reads_them() {
    for case in list(&KERAS["loaded"]) {
        let (name, mode) = (text(case, "file"), text(case, "color_mode"));
        let img = load_img(pictures().join(name), LoadImg::new().color_mode(mode)).unwrap();
        let shape: Vec<f64> = img.shape().iter().map(|&axis| axis as f64).collect();
        assert_eq!(shape, numbers(&case["shape"]), "{name} {mode}");
        // What is stored without loss is exact; JPEG leaves a decoder some room.
        let by = if name.ends_with("png") || name.ends_with("PNG") {
            0.0
        } else {
            3.0
        };
        near(
            &format!("{name} {mode}"),
            &img_to_array(&img),
            &case["values"],
            by,
        );
    }
}

#[test]
fn pictures_are_resized_as_pillow_resizes_them() {
    for case in list(&KERAS["resized"]) {
        let (name, method) = (text(case, "file"), text(case, "interpolation"));
        let settings = LoadImg::new()
            .color_mode(if name == "cats/a.PNG" { "rgba" } else { "rgb" })
            .target_size(size(&case["size"]))
            .interpolation(method)
            .keep_aspect_ratio(case["keep"] == true);
        let img = load_img(pictures().join(name), &settings).unwrap();
        // Pillow 13 shrinks the height first where it finds that cheaper, and then rounds otherwise, by one.
        let by = if method == "nearest" { 0.0 } else { 1.0 };
        let what = format!("{name} {settings:?}");
        if img.shape()[2] == 3 {
            near(&what, &img, &case["values"], by);
            continue;
        }
        // Of a pixel that is hardly seen, the colour is rounded more.
        let (ours, expected) = (img.to_vec_of::<f64>(), numbers(&case["values"]));
        for (ours, expected) in ours.chunks(4).zip(expected.chunks(4)) {
            let alpha = ours[3] / 255.0;
            let colors = ours.iter().zip(expected).take(3);
            let colors = colors.map(|(ours, expected)| (ours - expected).abs() * alpha);
            let worst = colors.fold((ours[3] - expected[3]).abs(), f64::max);
            assert!(
                worst <= 3.0 * by,
                "{what}: {ours:?}, Keras has {expected:?}"
            );
        }
    }
}

fn transform(json: &Value) -> ImageTransform {
    let mut how = ImageTransform::default();
    for (name, value) in json.as_object().unwrap() {
        let number = value.as_f64();
        match name.as_str() {
            "theta" => how.theta = number.unwrap(),
            "tx" => how.tx = number.unwrap(),
            "ty" => how.ty = number.unwrap(),
            "shear" => how.shear = number.unwrap(),
            "zx" => how.zx = number.unwrap(),
            "zy" => how.zy = number.unwrap(),
            "flip_horizontal" => how.flip_horizontal = value == true,
            "flip_vertical" => how.flip_vertical = value == true,
            "brightness" => how.brightness = number,
            "channel_shift_intensity" => how.channel_shift_intensity = number,
            other => panic!("unknown parameter {other}"),
        }
    }
    how
}

#[test]
fn geometry_is_scipys() {
    let x = tensor(&KERAS["x"]);
    for case in list(&KERAS["affine"]) {
        let how = transform(&case["how"]);
        let mode = text(case, "fill_mode");
        let ours = apply_affine_transform(&x, &how, mode, -5.0).unwrap();
        near(
            &format!("{mode} {}", case["how"]),
            &ours,
            &case["values"],
            2e-3,
        );
        // One channel and an unusual number of them take other paths.
        for channels in [1, 2] {
            let part = x.slice((.., .., ..channels));
            let ours = apply_affine_transform(&part, &how, mode, -5.0).unwrap();
            let all = apply_affine_transform(&x, &how, mode, -5.0).unwrap();
            assert_eq!(ours, all.slice((.., .., ..channels)), "{mode} {channels}");
        }
    }
    let turned = ImageTransform {
        theta: 20.0,
        ..ImageTransform::default()
    };
    let generator = ImageDataGenerator::new().interpolation_order(0);
    let ours = generator.apply_transform(&x, &turned).unwrap();
    near("order 0", &ours, &KERAS["order0"], 1e-3);
}

#[test]
fn values_are_changed_as_keras_changes_them() {
    let x = tensor(&KERAS["x"]);
    let generator = ImageDataGenerator::new();
    for case in list(&KERAS["changes"]) {
        let ours = generator
            .apply_transform(&x, &transform(&case["how"]))
            .unwrap();
        near(&case["how"].to_string(), &ours, &case["values"], 2e-3);
    }
    let values = numbers(&KERAS["outside"]["x"])
        .iter()
        .map(|&v| v as f32)
        .collect();
    let outside = Tensor::from_shape_vec(x.shape(), values).unwrap();
    let darker = ImageTransform {
        brightness: Some(0.8),
        ..ImageTransform::default()
    };
    let ours = generator.apply_transform(&outside, &darker).unwrap();
    // Through bytes: a rounding that falls the other way is one of 255 steps.
    near("outside", &ours, &KERAS["outside"]["values"], 3.0);
    let batch = tensor(&KERAS["batch"]);
    for case in list(&KERAS["scales"]) {
        let mut generator = generator_of(&case["settings"]);
        generator.fit(&batch).unwrap();
        let ours = generator.standardize(&batch.slice(1)).unwrap();
        near(&case["settings"].to_string(), &ours, &case["values"], 1e-3);
    }
}

fn pair(json: &Value) -> [f64; 2] {
    let pair = numbers(json);
    [pair[0], pair[1]]
}

fn generator_of(settings: &Value) -> ImageDataGenerator {
    let mut generator = ImageDataGenerator::new();
    for (name, value) in settings.as_object().unwrap() {
        let (number, flag) = (value.as_f64(), value == true);
        generator = match name.as_str() {
            "rotation_range" => generator.rotation_range(number.unwrap()),
            "width_shift_range" => generator.width_shift_range(number.unwrap()),
            "height_shift_range" => generator.height_shift_range(number.unwrap()),
            "shear_range" => generator.shear_range(number.unwrap()),
            "zoom_range" if value.is_array() => generator.zoom_range(pair(value)),
            "zoom_range" => generator.zoom_range(number.unwrap()),
            "channel_shift_range" => generator.channel_shift_range(number.unwrap()),
            "brightness_range" => generator.brightness_range(pair(value)),
            "horizontal_flip" => generator.horizontal_flip(flag),
            "vertical_flip" => generator.vertical_flip(flag),
            "rescale" => generator.rescale(number.unwrap()),
            "fill_mode" => generator.fill_mode(value.as_str().unwrap()),
            "cval" => generator.cval(number.unwrap()),
            "validation_split" => generator.validation_split(number.unwrap()),
            "samplewise_center" => generator.samplewise_center(flag),
            "samplewise_std_normalization" => generator.samplewise_std_normalization(flag),
            "featurewise_center" => generator.featurewise_center(flag),
            "featurewise_std_normalization" => generator.featurewise_std_normalization(flag),
            other => panic!("unknown setting {other}"),
        };
    }
    generator
}

#[track_caller]
fn check_batches(what: &str, iterator: ImageIterator, expected: &[Value], by: f64) {
    let batches: Vec<(Tensor, Tensor)> = iterator
        .take(expected.len())
        .map(|batch| batch.unwrap())
        .collect();
    for ((x, y), case) in batches.iter().zip(expected) {
        near(&format!("{what}: x"), x, &case["x"]["values"], by);
        near(&format!("{what}: y"), y, &case["y"]["values"], 0.0);
        let shape: Vec<f64> = y.shape().iter().map(|&axis| axis as f64).collect();
        assert_eq!(shape, numbers(&case["y"]["shape"]), "{what}");
    }
}

#[test]
fn with_a_seed_batches_are_kerass_number_by_number() {
    let (x, y) = (tensor(&KERAS["batch"]), Tensor::arange(0.0, 50.0, 10.0));
    for case in list(&KERAS["flows"]) {
        let mut flow = Flow::new();
        for (name, value) in case["settings"].as_object().unwrap() {
            let number = value.as_u64().map(|number| number as usize);
            flow = match name.as_str() {
                "batch_size" => flow.batch_size(number.unwrap()),
                "seed" => flow.seed(number.unwrap() as u32),
                "shuffle" => flow.shuffle(value == true),
                "subset" => flow.subset(value.as_str().unwrap()),
                other => panic!("unknown setting {other}"),
            };
        }
        let generator = generator_of(&case["generator"]);
        let iterator = generator.flow(&x, &y, &flow).unwrap();
        // Brightness goes through bytes, whose rounding may fall the other way.
        let by = if case["generator"]["brightness_range"].is_array() {
            2.0 / 255.0
        } else {
            2e-3
        };
        check_batches(
            &case["generator"].to_string(),
            iterator,
            list(&case["batches"]),
            by,
        );
    }
}

#[test]
fn folders_are_read_as_keras_reads_them() {
    for case in list(&KERAS["directories"]) {
        let settings = &case["settings"];
        let mut flow = FlowFromDirectory::new();
        for (name, value) in settings.as_object().unwrap() {
            let (number, text) = (value.as_u64().map(|n| n as usize), value.as_str());
            flow = match name.as_str() {
                "target_size" => flow.target_size(size(value)),
                "batch_size" => flow.batch_size(number.unwrap()),
                "seed" => flow.seed(number.unwrap() as u32),
                "shuffle" => flow.shuffle(value == true),
                "subset" => flow.subset(text.unwrap()),
                "class_mode" => flow.class_mode(text.unwrap()),
                "color_mode" => flow.color_mode(text.unwrap()),
                "interpolation" => flow.interpolation(text.unwrap()),
                "classes" => flow.classes(["dogs", "cats"]),
                other => panic!("unknown setting {other}"),
            };
        }
        let iterator = generator_of(&case["generator"])
            .flow_from_directory(pictures(), &flow)
            .unwrap();
        let names = iterator.filepaths().iter();
        let names: Vec<&str> = names
            .map(|path| path.strip_prefix(pictures()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(serde_json::json!(names), case["filenames"]);
        assert_eq!(serde_json::json!(iterator.classes()), case["classes"]);
        let by = if case["generator"]["rescale"].is_number() {
            4.0 / 255.0
        } else {
            4.0
        };
        check_batches(&settings.to_string(), iterator, list(&case["batches"]), by);
    }
}

#[test]
fn folders_as_data_sets_are_kerass() {
    for case in list(&KERAS["datasets"]) {
        let mut folder = ImageFolder::new();
        for (name, value) in case["settings"].as_object().unwrap() {
            let (number, text) = (value.as_u64().map(|n| n as usize), value.as_str());
            folder = match name.as_str() {
                "image_size" => folder.image_size(size(value)),
                "batch_size" => folder.batch_size(number.unwrap()),
                "seed" => folder.seed(number.unwrap() as u32),
                "shuffle" => folder.shuffle(value == true),
                "validation_split" => folder.validation_split(value.as_f64().unwrap()),
                "subset" => folder.subset(text.unwrap()),
                "label_mode" => folder.label_mode(text.unwrap()),
                "color_mode" => folder.color_mode(text.unwrap()),
                "interpolation" => folder.interpolation(text.unwrap()),
                other => panic!("unknown setting {other}"),
            };
        }
        let dataset = image_dataset_from_directory(pictures(), &folder).unwrap();
        let names = dataset.file_paths().iter();
        let names: Vec<&str> = names
            .map(|path| path.strip_prefix(pictures()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(serde_json::json!(names), case["files"]);
        assert_eq!(
            serde_json::json!(dataset.class_names()),
            case["class_names"]
        );
        let expected = list(&case["batches"]);
        if expected.is_empty() {
            continue;
        }
        assert_eq!(dataset.steps(), expected.len());
        let mut done = 0;
        for (batch, case) in (&dataset).into_iter().zip(expected) {
            let (x, y) = batch.unwrap();
            let expected = numbers(&case["x"]["values"]);
            let size = x.len() / x.shape()[0];
            for (index, expected) in expected.chunks(size).enumerate() {
                let name = &names[done + index];
                // TensorFlow makes grey of a PNG's colours by other weights than of a JPEG's.
                let colorful = ["cats/a.PNG", "cats/b.png", "dogs/palette.png"].contains(&&**name);
                if colorful && x.shape()[3] == 1 {
                    continue;
                }
                // TensorFlow decodes JPEG by its fastest transform, which is up to 10 levels off.
                let by = if name.ends_with("pg") || name.ends_with("eg") {
                    12.0
                } else {
                    1e-3
                };
                let x = x.slice(index as isize);
                near(name, &x, &serde_json::json!(expected), by);
            }
            done += x.shape()[0];
            near("y", &y, &case["y"]["values"], 0.0);
            let shape: Vec<f64> = y.shape().iter().map(|&axis| axis as f64).collect();
            assert_eq!(shape, numbers(&case["y"]["shape"]));
        }
        assert_eq!((&dataset).into_iter().count(), dataset.steps());
        assert!(dataset.repeat().nth(2 * dataset.steps()).unwrap().is_ok());
    }
}

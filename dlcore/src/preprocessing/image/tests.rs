//! Pictures that were written, and files, folders and settings that cannot be used.

use std::fs;
use std::path::{Path, PathBuf};

use super::keras_tests::pictures;
use super::*;
use crate::Tensor;
use crate::datasets::RandomState;

/// A fresh directory that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dlcore-image-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_picture_that_was_written_is_read_alike() {
    let folder = Folder::new("written");
    for channels in [1, 3, 4] {
        let x = Tensor::randint([5, 7, channels], 0, 256).cast(crate::DType::U8);
        let path = folder.0.join("x.png");
        save_img(&path, &x, true).unwrap();
        let mode = ["", "grayscale", "", "rgb", "rgba"][channels];
        assert_eq!(load_img(&path, LoadImg::new().color_mode(mode)).unwrap(), x);
    }
    // Scaled from the least to the largest, as Keras does.
    let x = Tensor::from([[-1.0, 0.0], [0.5, 1.0]]);
    save_img(folder.0.join("y.PNG"), &x, true).unwrap();
    let img = load_img(
        folder.0.join("y.PNG"),
        LoadImg::new().color_mode("grayscale"),
    )
    .unwrap();
    assert_eq!(img.to_vec(), [0.0, 127.0, 191.0, 255.0]);
    let error = save_img(folder.0.join("z.jpg"), &x, true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("let the name end in .png"), "{error}");
    let error = save_img(folder.0.join("no/z.png"), &x, true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no/z.png: cannot be written"), "{error}");
    let error = save_img(folder.0.join("z.png"), &Tensor::zeros([2, 2, 2]), true).unwrap_err();
    assert!(error.to_string().contains("1, 3 or 4 channels"), "{error}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2);
}

#[test]
fn what_is_no_picture_is_an_error_that_names_the_file() {
    let folder = Folder::new("none");
    let path = folder.0.join("x.png");
    let error = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        load_img(&path, LoadImg::new()).unwrap_err().to_string()
    };
    assert!(error(b"").contains("x.png: expected a picture, found an empty file"));
    assert!(error(b"GIF89a...").contains("found GIF; save it as PNG"));
    assert!(error(b"hello").contains("begins with [68, 65, 6c, 6c]"));
    for name in ["cats/b.png", "dogs/photo.jpg", "dogs/grey.jpeg"] {
        let whole = fs::read(pictures().join(name)).unwrap();
        for cut in 0..whole.len() - 1 {
            // Without its last chunk, which holds nothing, a PNG picture is whole.
            if name.ends_with("png") && cut + 12 >= whole.len() {
                continue;
            }
            let error = error(&whole[..cut]);
            assert!(error.contains("x.png: "), "{name} cut at {cut}: {error}");
        }
    }
    let missing = load_img(folder.0.join("no.png"), [3, 3])
        .unwrap_err()
        .to_string();
    assert!(missing.contains("no.png: cannot be read"), "{missing}");
    let whole = pictures().join("cats/b.png");
    for (settings, expected) in [
        (
            LoadImg::new().color_mode("grey"),
            "unknown color_mode \"grey\"",
        ),
        (
            LoadImg::new().interpolation("cubic").target_size([2, 2]),
            "did you mean \"bicubic\"?",
        ),
        (LoadImg::new().target_size([0, 3]), "got 0 and 3"),
    ] {
        let error = load_img(&whole, settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_thousand_damaged_pictures_of_each_kind_are_errors_or_pictures() {
    for name in [
        "cats/b.png",
        "dogs/palette.png",
        "dogs/photo.jpg",
        "dogs/grey.jpeg",
    ] {
        let whole = fs::read(pictures().join(name)).unwrap();
        let mut random = RandomState::new(7);
        for _ in 0..1000 {
            let mut damaged = whole.clone();
            for _ in 0..=random.interval(4) {
                let at = random.interval(whole.len() as u32 - 1) as usize;
                damaged[at] = random.interval(255) as u8;
            }
            if random.interval(3) == 0 {
                damaged.truncate(random.interval(whole.len() as u32) as usize);
            }
            if let Ok(picture) = decode::decode(&damaged) {
                let size = picture.height * picture.width * picture.channels;
                assert_eq!(picture.pixels.len(), size, "{name}");
            }
        }
    }
}

#[test]
fn folders_that_cannot_be_used_say_why() {
    let folder = Folder::new("folders");
    let generator = ImageDataGenerator::new();
    let error = |path: &Path| {
        let first = generator
            .flow_from_directory(path, [4, 4])
            .unwrap_err()
            .to_string();
        let second = image_dataset_from_directory(path, [4, 4])
            .unwrap_err()
            .to_string();
        assert_eq!(first, second);
        first
    };
    assert!(error(&folder.0).contains("expected a folder for each class, found no folder"));
    assert!(error(&folder.0.join("no")).contains("no: cannot be read"));
    fs::create_dir(folder.0.join("a")).unwrap();
    fs::write(folder.0.join("a/x.gif"), b"GIF89a").unwrap();
    let message = error(&folder.0);
    assert!(
        message.contains("found none; 1 of other kinds"),
        "{message}"
    );
    fs::write(folder.0.join("a/x.png"), b"\x89PNG, but not really").unwrap();
    let mut iterator = generator.flow_from_directory(&folder.0, [4, 4]).unwrap();
    let damaged = iterator.next().unwrap().unwrap_err().to_string();
    assert!(
        damaged.contains("a/x.png: the PNG picture is damaged"),
        "{damaged}"
    );
    let settings = FlowFromDirectory::new().classes(["a", "b"]);
    let error = generator
        .flow_from_directory(&folder.0, &settings)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected a folder for the class \"b\", found a"),
        "{error}"
    );
    let refused = |settings: ImageFolder| {
        image_dataset_from_directory(&folder.0, settings)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(ImageFolder::new().label_mode("binary")).contains("is for 2 classes, found 1: a")
    );
    assert!(refused(ImageFolder::new().subset("training")).contains("go together"));
    let split = ImageFolder::new().validation_split(0.2).subset("training");
    assert!(refused(split).contains("needs a seed"));
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let x = Tensor::zeros([2, 4, 4, 3]);
    let refused =
        |generator: ImageDataGenerator| generator.flow(&x, None, 2).unwrap_err().to_string();
    let new = ImageDataGenerator::new;
    assert!(refused(new().fill_mode("edge")).contains("unknown fill_mode \"edge\""));
    assert!(refused(new().rotation_range(f64::NAN)).contains("got NaN"));
    assert!(refused(new().interpolation_order(3)).contains("0 or 1, got 3"));
    assert!(refused(new().validation_split(1.0)).contains("got 1"));
    assert!(refused(new().featurewise_center(true)).contains("call fit(&pictures) first"));
    let error =
        |x: &Tensor, y: &Tensor, flow: Flow| new().flow(x, y, flow).unwrap_err().to_string();
    let y = Tensor::zeros([3]);
    assert!(error(&x, &y, Flow::new()).contains("labels for 2 pictures, got shape [3]"));
    assert!(
        error(&y, &y, Flow::new()).contains("[samples, height, width, channels], got shape [3]")
    );
    assert!(error(&x, &Tensor::zeros([2]), Flow::new().batch_size(0)).contains("batch_size 0"));
    assert!(error(&x, &Tensor::zeros([2]), Flow::new().subset("test")).contains("unknown subset"));
    let shrinks = new().preprocessing_function(|x| x.slice(0));
    let failed = shrinks
        .flow(&x, None, 2)
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(failed.contains("as it was given, got [4, 3]"), "{failed}");
    let mut fitted = new().featurewise_center(true);
    fitted.fit(&Tensor::ones([2, 4, 4, 1])).unwrap();
    let failed = fitted
        .flow(&x, None, 2)
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(failed.contains("1 channels, got 3"), "{failed}");
}

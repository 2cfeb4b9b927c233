//! Training on pictures from a folder. One test: the stream of random numbers is one for the process.

use std::fs;
use std::path::Path;

use dlcore::prelude::*;

const PICTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/parity/fixtures/pictures"
);

fn network() -> Result<Sequential> {
    let mut network = Sequential::new()
        .add(
            Conv2D::new(4, 3)
                .activation("relu")
                .input_shape([12, 12, 3]),
        )
        .add(Flatten::new())
        .add(Dense::new(1).activation("sigmoid"));
    network.compile("rmsprop", "binary_crossentropy", ["accuracy"])?;
    Ok(network)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn a_network_trains_on_a_folder_repeatably_and_survives_a_damaged_picture() -> Result<()> {
    let datagen = ImageDataGenerator::new()
        .rescale(1.0 / 255.0)
        .rotation_range(40.0)
        .width_shift_range(0.2)
        .zoom_range(0.2)
        .horizontal_flip(true);
    let flow = FlowFromDirectory::new()
        .target_size([12, 12])
        .batch_size(3)
        .class_mode("binary");
    let train = || {
        set_seed(11);
        let mut network = network()?;
        let batches = datagen.flow_from_directory(PICTURES, &flow)?;
        let validation = image_dataset_from_directory(
            PICTURES,
            ImageFolder::new().image_size([12, 12]).batch_size(4),
        )?;
        let steps = batches.steps();
        let settings = Fit::epochs(3).steps_per_epoch(steps).verbose(0);
        let settings = settings.validation_batches(validation.repeat(), validation.steps());
        let history = network.fit_batches(batches, settings)?;
        Ok::<_, Error>((history.get("loss"), network.get_weights()))
    };
    let (first, second) = (train()?, train()?);
    assert_eq!(first, second);
    assert!(first.0.iter().all(|loss| loss.is_finite()) && first.0.len() == 3);

    let folder = std::env::temp_dir().join(format!("dlcore-pictures-{}", std::process::id()));
    copy(Path::new(PICTURES), &folder);
    fs::write(folder.join("dogs/z.jpg"), b"\xff\xd8 cut off").unwrap();
    let mut network = network()?;
    let unshuffled = FlowFromDirectory::from([12, 12])
        .batch_size(3)
        .class_mode("binary")
        .shuffle(false);
    let mut batches = datagen.flow_from_directory(&folder, unshuffled)?;
    let before = network.get_weights();
    let error = network.fit_batches(&mut batches, Fit::epochs(1).steps_per_epoch(3).verbose(0));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("dogs/z.jpg: the JPEG picture is damaged"),
        "{error}"
    );
    assert!(error.contains("fit_batches: batch 3 of epoch 1"), "{error}");
    let after = network.get_weights();
    assert_ne!(before, after, "what was learned before stays");
    assert!(
        after
            .iter()
            .all(|weights| weights.to_vec().iter().all(|w| w.is_finite()))
    );
    // A first batch that is damaged is an error, too, and decides nothing about the model.
    fs::write(folder.join("cats/a.PNG"), b"\x89PNG").unwrap();
    batches.reset();
    let error = network.fit_batches(batches, Fit::epochs(1).steps_per_epoch(1).verbose(0));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("a.PNG: the PNG picture is damaged")
    );
    fs::remove_dir_all(folder).unwrap();
    Ok(())
}

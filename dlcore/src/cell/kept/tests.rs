//! Snapshots that are whole, and folders in which something went wrong.

use std::fs;
use std::path::PathBuf;

use super::content::Content;
use super::folder::{Folder, entries};
use super::*;
use crate::Tensor;
use crate::layers::Dense;
use crate::models::Sequential;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("dlcore-kept-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn variable(name: &str) -> Key {
    Key::Variable(name.to_owned())
}

fn filled(place: &Place) -> Sequential {
    let model = Sequential::new().add(Dense::new(2).input_shape([3]));
    let mut folder = Folder::new(place.0.clone(), vec![]);
    let content = |value: &dyn std::any::Any| Content::of(value).expect("it can be kept");
    folder.put(variable("model"), &content(&model), 3, Some(7));
    folder.put(
        variable("tensor"),
        &content(&Tensor::from([1_i64, 2])),
        4,
        None,
    );
    folder.put(variable("rate"), &content(&(0.1 + 0.2)), 5, None);
    folder.put(Key::Unnamed(9), &content(&model), 6, Some(1));
    folder.finish(None);
    model
}

#[test]
fn what_is_read_is_what_was_written() {
    let place = Place::new("whole");
    let model = filled(&place);
    let read = entries(&place.0);
    assert_eq!(read.len(), 4);
    for entry in &read {
        match entry.read(&place.0).expect("it is whole") {
            Content::Model(read, _) => assert_eq!(read.get_weights(), model.get_weights()),
            Content::Tensor(read) => assert_eq!(read.to_vec_of::<i64>(), [1, 2]),
            Content::Plain(kind, text) => {
                assert_eq!((kind, text.parse()), ("f64", Ok(0.1 + 0.2)));
            }
            Content::History(_) | Content::Bytes(_) => panic!("there is none"),
        }
    }
    assert_eq!((read[0].cell, read[0].epoch), (3, Some(7)));
}

#[test]
fn half_written_and_damaged_snapshots_are_passed_over() {
    let place = Place::new("damaged");
    filled(&place);
    // A process that was killed while it wrote leaves files that no list names, or half a list beside it.
    fs::write(place.0.join("99.dl"), b"PK\x03\x04 half").unwrap();
    fs::write(place.0.join("kept.part"), b"[{\"name\":").unwrap();
    assert_eq!(entries(&place.0).len(), 4);
    let model = fs::read(place.0.join("1.dl")).unwrap();
    fs::write(place.0.join("1.dl"), &model[..model.len() / 2]).unwrap();
    let whole = entries(&place.0)
        .iter()
        .filter(|entry| entry.read(&place.0).is_some())
        .count();
    assert_eq!(whole, 3);
    // What comes next clears up.
    let mut folder = Folder::new(place.0.clone(), entries(&place.0));
    folder.finish(Some(&BTreeSet::from([
        variable("tensor"),
        variable("rate"),
    ])));
    let mut left: Vec<_> = fs::read_dir(&place.0)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["2.dl", "kept.json"]);
    fs::write(place.0.join("kept.json"), b"{").unwrap();
    assert!(entries(&place.0).is_empty());
}

#[test]
fn of_many_models_in_one_cell_the_newest_are_kept() {
    let place = Place::new("many");
    let model = Sequential::new().add(Dense::new(2).input_shape([3]));
    let mut folder = Folder::new(place.0.clone(), vec![]);
    for number in 1..9 {
        folder.put(
            Key::Unnamed(number),
            &Content::of(&model).unwrap(),
            1,
            Some(1),
        );
    }
    folder.finish(None);
    let keys: Vec<Key> = entries(&place.0)
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    assert_eq!(keys, [6, 7, 8].map(Key::Unnamed));
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 4);
}

#[test]
fn a_model_that_cannot_be_written_keeps_its_own_older_snapshot_and_no_others() {
    let place = Place::new("sick");
    let model = Sequential::new().add(Dense::new(2).input_shape([3]));
    let mut folder = Folder::new(place.0.clone(), vec![]);
    folder.put(variable("m"), &Content::of(&model).unwrap(), 1, None);
    let sick = [Tensor::full([3, 2], f64::NAN), Tensor::zeros([2])];
    model.set_weights(&sick).unwrap();
    folder.put(variable("m"), &Content::of(&model).unwrap(), 2, None);
    folder.finish(None);
    assert_eq!(entries(&place.0)[0].cell, 1);
    let another = model.clone();
    folder.put(variable("m"), &Content::of(&another).unwrap(), 3, None);
    folder.finish(None);
    assert!(entries(&place.0).is_empty());
}

#[test]
fn a_model_that_cannot_be_read_keeps_none_of_the_others_from_being_written() {
    #[derive(Clone)]
    struct Unreadable;
    impl crate::layers::Layer for Unreadable {
        fn name(&self) -> &str {
            "unreadable"
        }
        fn build(&mut self, _: &[usize]) -> crate::Result<()> {
            Ok(())
        }
        fn is_built(&self) -> bool {
            true
        }
        fn output_shape(&self, shape: &[usize]) -> crate::Result<Vec<usize>> {
            Ok(shape.to_vec())
        }
        fn forward(&self, x: &Tensor, _: bool) -> Tensor {
            x.clone()
        }
        fn config(&self) -> Option<Value> {
            panic!("cuda:0: it stopped working earlier")
        }
    }
    let place = Place::new("unreadable");
    let mut folder = Folder::new(place.0.clone(), vec![]);
    let model = Sequential::new().add(Unreadable);
    let change = |value: &dyn std::any::Any| Change {
        content: Content::of(value).expect("it can be kept"),
        cell: 1,
        epoch: None,
    };
    let changes = [
        (variable("broken"), change(&model)),
        (variable("rate"), change(&0.5)),
        (variable("tensor"), change(&Tensor::ones([2]))),
    ];
    put_all(&mut folder, changes.into(), None);
    let kept: Vec<Key> = entries(&place.0).into_iter().map(|e| e.key).collect();
    assert_eq!(kept, [variable("rate"), variable("tensor")]);
}

#[test]
fn a_folder_that_cannot_be_written_fails_in_silence() {
    let place = Place::new("file");
    fs::write(&place.0, b"a file where the folder should be").unwrap();
    filled(&place);
    assert!(entries(&place.0).is_empty());
    fs::remove_file(&place.0).unwrap();
}

#[test]
fn a_change_is_seen_and_what_is_the_same_is_not_written_again() {
    let mark = |value: &dyn std::any::Any| Content::of(value).unwrap().mark();
    let mut tensor = Tensor::from([1.0, 2.0]);
    let before = mark(&tensor);
    assert!(before == mark(&tensor.clone()));
    tensor += 1.0;
    assert!(before != mark(&tensor));
    let model = Sequential::new().add(Dense::new(2).input_shape([3]));
    let before = mark(&model);
    assert!(
        before == mark(&model.clone()),
        "a clone has the same content"
    );
    model.set_weights(&model.get_weights()).unwrap();
    assert!(before != mark(&model));
    assert!(mark(&1) != mark(&1.0));
    assert!(mark(&vec![1]) == mark(&vec![1]) && mark(&vec![1]) != mark(&vec![2]));
    assert!(Content::of(&vec![Some(1)]).is_none());
    assert!(Content::of(&Tensor::zeros([1 << 21])).is_none(), "8 MB");
}

#[test]
fn a_model_without_a_variable_gets_a_name_that_is_free() {
    let taken = BTreeMap::from([("network".to_owned(), Mark::Version(vec![1]))]);
    assert_eq!(free_name(Some("fresh"), "sequential", &taken), "fresh");
    assert_eq!(
        free_name(Some("network"), "sequential", &taken),
        "sequential"
    );
    assert_eq!(free_name(None, "../x", &taken), "model");
    assert_eq!(free_name(None, "network", &taken), "network_2");
}

/// Prints figures for ARCHITECTURE.md: `cargo test --release -p dlcore --lib cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn what_snapshots_cost() {
    use crate::models::Fit;
    let x = Tensor::uniform([6000, 784], 0.0, 1.0);
    let y = Tensor::from((0..6000).map(|i| i % 10).collect::<Vec<i64>>()).one_hot(10);
    let mut network = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([784]))
        .add(Dense::new(10).activation("softmax"));
    network
        .compile("rmsprop", "categorical_crossentropy", ["accuracy"])
        .unwrap();
    let mut fit = |epochs| {
        let settings = Fit::epochs(epochs).batch_size(128).verbose(0);
        let history = network.fit(&x, &y, settings).unwrap();
        1e3 * history.seconds() / epochs as f64
    };
    fit(2);
    let place = Place::new("cost");
    let path = place.0.display().to_string();
    for round in 0..5 {
        *lock() = None;
        let without = fit(10);
        cell_begins(Some(&path), round);
        let with = fit(10);
        println!("epoch of 6,000 samples: without {without:.1} ms, with {with:.1} ms");
    }
    cell_begins(Some(&path), 9);
    let mut store = Store::default();
    store.put("network", network, false);
    for (index, what) in ["changed", "unchanged"].into_iter().enumerate() {
        let started = Instant::now();
        cell_ended(&store);
        let handed = started.elapsed();
        cell_begins(Some(&path), 10 + index as u64);
        let written = started.elapsed();
        println!("after a cell, {what}: handed over in {handed:?}, written after {written:?}");
    }
    let mut guard = lock();
    *guard = None;
    SHARED.1.notify_all();
}

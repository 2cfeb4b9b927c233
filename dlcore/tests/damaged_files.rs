//! A thousand damaged files for each reader: changed, cut off, lengthened, with the same seed each time.
//!
//! None may panic or take more memory than is stated for the readers (`dlcore::files`): a hundred times the file's
//! size and 64 MiB. What is refused is refused by an error that names the file and, in words of the format, the place.
//! What is not refused must be unchanged where the format has checksums; elsewhere no reader can tell a changed
//! number from another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dlcore::prelude::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process: one reader at a time.
static ONE: Mutex<()> = Mutex::new(());

const FILES: u64 = 1_000;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/keras_files/"
    );
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// Sebastiano Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The file with some damage.
fn damaged(whole: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number ^ 2017);
    let mut bytes = whole.to_vec();
    // Headers are at the beginning; half of the damage is done there.
    let reach = match random.next() % 2 {
        0 => whole.len(),
        _ => whole.len().min(256),
    };
    match random.next() % 6 {
        0 => bytes.truncate(random.below(whole.len())),
        1 => {
            for _ in 0..=random.below(8) {
                let at = random.below(reach);
                bytes[at] = random.next() as u8;
            }
        }
        2 => bytes[random.below(reach)] ^= 1 << random.below(8),
        3 => {
            // A length or an address that is as large as it can be.
            let at = random.below(reach);
            let end = (at + [1, 2, 4, 8][random.below(4)]).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        4 => {
            let (from, to) = (random.below(whole.len()), random.below(whole.len()));
            let length = random.below(64).min(whole.len() - from.max(to));
            bytes.copy_within(from..from + length, to);
        }
        _ => {
            let at = random.below(reach);
            let more: Vec<u8> = (0..random.below(32)).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, more);
        }
    }
    bytes
}

struct Reader<'a> {
    /// The name of the files.
    file: &'a str,
    whole: Vec<u8>,
    /// Words of which an error has one, to say where.
    places: &'a [&'a str],
    /// Whether a change cannot go unnoticed.
    checked: bool,
}

impl Reader<'_> {
    fn run(&self, read: impl Fn(&Path) -> Result<Vec<Tensor>>) {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("dlcore-damaged-{}-{}", std::process::id(), self.file);
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path: PathBuf = folder.join(self.file);
        std::fs::write(&path, &self.whole).unwrap();
        let expected = read(&path).unwrap();
        let (mut refused, mut most) = (0, 0);
        for number in 0..FILES {
            let bytes = damaged(&self.whole, number);
            std::fs::write(&path, &bytes).unwrap();
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let result = catch_unwind(AssertUnwindSafe(|| read(&path)));
            let taken = MEMORY.peak_usage().saturating_sub(before);
            most = most.max(taken);
            assert!(
                taken <= 100 * bytes.len() + (64 << 20),
                "{} {number} took {taken} bytes",
                self.file
            );
            let Ok(result) = result else {
                panic!("{} {number} made the reader panic", self.file);
            };
            match result {
                Ok(read) if self.checked => {
                    assert!(
                        read == expected,
                        "{} {number} was changed unnoticed",
                        self.file
                    );
                }
                Ok(_) => {}
                Err(error) => {
                    let error = error.to_string();
                    refused += 1;
                    let placed = self.places.iter().any(|place| error.contains(place));
                    assert!(
                        error.contains(self.file) && placed,
                        "{} {number}: {error}",
                        self.file
                    );
                }
            }
        }
        std::fs::remove_dir_all(&folder).unwrap();
        println!(
            "{}: {refused} of {FILES} refused, at most {} kB taken for {} kB",
            self.file,
            most >> 10,
            self.whole.len() >> 10
        );
        assert!(
            refused > FILES / 10,
            "{}: only {refused} refused",
            self.file
        );
    }
}

/// The content of a file that a writer of ours makes.
fn written(name: &str, write: impl Fn(&Path) -> Result<()>) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("dlcore-whole-{}-{name}", std::process::id()));
    write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

fn array() -> Tensor {
    Tensor::arange(0.0, 60.0, 1.0).reshape([3, 4, 5]) / 7.0
}

// A member whose name was damaged is told by the name that it has now.
const ARCHIVE: &[&str] = &[
    ".npy",
    "x:",
    ": its entry in the archive is damaged",
    "zip file; its directory",
    "its member",
];

#[test]
fn npy() {
    let whole = written("a.npy", |path| array().save_npy(path));
    let reader = Reader {
        file: "a.npy",
        whole,
        places: &["byte "],
        checked: false,
    };
    reader.run(|path| Ok(vec![Tensor::load_npy(path)?]));
}

#[test]
fn npz() {
    let whole = written("a.npz", |path| files::save_npz(path, [("x", &array())]));
    let reader = Reader {
        file: "a.npz",
        whole,
        places: ARCHIVE,
        checked: true,
    };
    reader.run(|path| {
        let arrays = files::load_npz(path)?;
        // A name has no checksum: one that was changed is another array's.
        Ok(arrays.into_iter().map(|(_, array)| array).collect())
    });
}

#[test]
fn one_array_of_npz() {
    let both = [("x", &array()), ("y", &array())];
    let whole = written("b.npz", |path| files::save_npz(path, both));
    let reader = Reader {
        file: "b.npz",
        whole,
        places: &[ARCHIVE, &["unknown array"]].concat(),
        checked: true,
    };
    reader.run(|path| Ok(vec![files::load_npz_array(path, "x")?]));
}

#[test]
fn safetensors() {
    let both = [("x", &array()), ("y", &array())];
    let whole = written("a.safetensors", |path| files::save_safetensors(path, both));
    let reader = Reader {
        file: "a.safetensors",
        whole,
        places: &["byte ", "x:", "y:"],
        checked: false,
    };
    reader.run(|path| {
        Ok(files::load_safetensors(path)?
            .into_iter()
            .map(|(_, x)| x)
            .collect())
    });
}

#[test]
fn csv() {
    let mut text = String::from("length,width,kind\n");
    for row in 0..50 {
        text += &format!("{},{}.5,\"kind, {}\"\n", row, row * 3, row % 3);
    }
    let reader = Reader {
        file: "a.csv",
        whole: text.into_bytes(),
        places: &["line "],
        checked: false,
    };
    reader.run(|path| {
        let table = files::read_csv(path)?;
        Ok(vec![table.fill_missing(0.0).all_numbers().unwrap()])
    });
}

#[test]
fn idx() {
    let whole = written("a.idx", |path| files::save_idx(path, &array()));
    let reader = Reader {
        file: "a.idx",
        whole,
        places: &["byte "],
        checked: false,
    };
    reader.run(|path| Ok(vec![files::load_idx(path)?]));
}

#[test]
fn idx_packed_by_gzip() {
    use std::io::Write as _;
    let plain = written("b.idx", |path| files::save_idx(path, &array()));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&plain).unwrap();
    let reader = Reader {
        file: "b.idx.gz",
        whole: packer.finish().unwrap(),
        places: &["byte ", "gzip"],
        checked: true,
    };
    reader.run(|path| Ok(vec![files::load_idx(path)?]));
}

#[test]
fn pictures() {
    for name in ["cats/b.png", "dogs/palette.png", "dogs/photo.jpg"] {
        let reader = Reader {
            file: name.rsplit('/').next().unwrap(),
            whole: fixture(&format!("../pictures/{name}")),
            places: &[
                "the PNG picture",
                "the JPEG picture",
                "begins with [",
                "an empty file",
                "found ",
            ],
            checked: false,
        };
        reader.run(|path| Ok(vec![load_img(path, LoadImg::new())?]));
    }
}

const HDF5: &[&str] = &[
    "byte ",
    "weight",
    "address of",
    "model_config",
    "training_config",
    "no HDF5 file",
    "cut off",
    "circles",
    "layer",
    " (",
    "input",
    "Keras",
];

#[test]
fn hdf5_models() {
    for name in ["convolutional.h5", "keras2_pretrained.h5"] {
        let reader = Reader {
            file: name,
            whole: fixture(name),
            places: HDF5,
            checked: false,
        };
        reader.run(|path| Ok(Model::load(path)?.get_weights()));
    }
}

#[test]
fn hdf5_weights() {
    let source = std::env::temp_dir().join(format!("dlcore-source-{}.keras", std::process::id()));
    std::fs::write(&source, fixture("convolutional.keras")).unwrap();
    let model = Model::load(&source).unwrap();
    std::fs::remove_file(&source).unwrap();
    // Ours has checksums over all but the numbers, that of h5py has none.
    for (name, whole) in [
        ("a.weights.h5", fixture("convolutional.weights.h5")),
        (
            "b.weights.h5",
            written("b.weights.h5", |path| model.save_weights(path)),
        ),
    ] {
        let reader = Reader {
            file: name,
            whole,
            places: HDF5,
            checked: false,
        };
        reader.run(|path| into(&model, path, |path| model.load_weights(path)));
    }
}

/// What a model's weights are after a file was read into it; one that is refused must change none of them.
fn into(model: &Model, path: &Path, read: impl Fn(&Path) -> Result<()>) -> Result<Vec<Tensor>> {
    let before = model.get_weights();
    let outcome = read(path);
    let after = model.get_weights();
    match outcome {
        Ok(()) => Ok(after),
        Err(error) => {
            assert!(before == after, "{error}, but weights were changed");
            Err(error)
        }
    }
}

#[test]
fn keras_archives() {
    for name in [
        "convolutional.keras",
        "two_inputs.keras",
        "optimizer_adam.keras",
        "weighted.keras",
    ] {
        let reader = Reader {
            file: name,
            whole: fixture(name),
            places: &[
                "config.json",
                "metadata.json",
                "model.weights.h5",
                "zip file",
                "its member",
            ],
            checked: true,
        };
        reader.run(|path| Ok(Model::load(path)?.get_weights()));
    }
}

const OWN: &[&str] = &["model.json", "safetensors", "its directory is damaged"];

/// A model that has been trained: with what its optimizer keeps.
fn trained() -> Sequential {
    let mut model = Sequential::new()
        .add(Dense::new(6).activation("tanh").input_shape([3]))
        .add(Dense::new(2));
    model.compile("adam", "mse", ["mae"]).unwrap();
    let (x, y) = (Tensor::ones([4, 3]), Tensor::zeros([4, 2]));
    model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    model
}

/// A model of stateful layers, which have states to carry to the next batch.
fn stateful() -> Sequential {
    let model = Sequential::new()
        .add(
            GRU::new(3)
                .stateful(true)
                .return_sequences(true)
                .input_shape([4, 2]),
        )
        .add(LSTM::new(2).stateful(true))
        .add(Dense::new(1));
    model.predict(&sequence()).unwrap();
    model
}

fn sequence() -> Tensor {
    Tensor::arange(0.0, 16.0, 1.0).reshape([2, 4, 2]) / 16.0
}

#[test]
fn models_of_our_own() {
    let reader = Reader {
        file: "a.dl",
        whole: written("a.dl", |path| trained().save(path)),
        places: OWN,
        checked: true,
    };
    reader.run(|path| Ok(Model::load(path)?.get_weights()));
}

#[test]
fn models_with_states() {
    let reader = Reader {
        file: "states.dl",
        whole: written("states.dl", |path| stateful().save(path)),
        places: OWN,
        checked: true,
    };
    reader.run(|path| {
        let model = Model::load(path)?;
        let mut all = model.get_weights();
        // What is predicted first depends on what was carried.
        all.push(model.predict(&sequence())?);
        Ok(all)
    });
}

#[test]
fn weights_with_states_go_into_a_model_whole_or_not_at_all() {
    let source = stateful();
    let whole = written("states.safetensors", |path| source.save_weights(path));
    let (model, by_name) = (stateful(), stateful());
    model.reset_states();
    let states = |model: &Model| {
        // A prediction would carry on; of a clone it carries nothing here.
        model.clone().predict(&sequence())
    };
    let reader = Reader {
        file: "states.safetensors",
        whole,
        places: &["byte ", "layers.", "weight", "layer", "state", "expected"],
        checked: false,
    };
    reader.run(|path| {
        into(&model, path, |path| {
            let before = states(&model)?;
            let outcome = model.load_weights(path);
            assert!(outcome.is_ok() || states(&model)? == before, "{outcome:?}");
            outcome
        })
    });
    reader.run(|path| {
        into(&by_name, path, |path| {
            let loaded = by_name.load_weights_with(path, LoadWeights::in_order());
            loaded.map(|_| ())
        })
    });
}

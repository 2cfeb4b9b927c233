//! Pictures of a folder as batches, as they are: Keras's `image_dataset_from_directory`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::{self, PICTURES};
use super::files::{channels, check_target};
use super::resize::{self, TENSORFLOW_METHODS};
use crate::device::cpu::collect_by_piece;
use crate::preprocessing::directory::{Chosen, Directory};
use crate::tensor::Shape;
use crate::{DType, Error, Result, Tensor, names, random};

const LABEL_MODES: [&str; 4] = ["int", "categorical", "binary", "none"];

/// The settings of [`image_dataset_from_directory`], with Keras's defaults. An array alone is
/// `image_size`.
///
/// ```
/// use dlcore::preprocessing::ImageFolder;
/// let settings = ImageFolder::new().image_size([180, 180]).validation_split(0.2).subset("training").seed(1);
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    label_mode: String,
    class_names: Vec<String>,
    color_mode: String,
    batch_size: usize,
    image_size: [usize; 2],
    chosen: Chosen,
    interpolation: String,
}

impl Default for ImageFolder {
    fn default() -> Self {
        ImageFolder::new()
    }
}

impl ImageFolder {
    /// Keras's defaults.
    pub fn new() -> ImageFolder {
        ImageFolder {
            label_mode: "int".to_owned(),
            class_names: Vec::new(),
            color_mode: "rgb".to_owned(),
            batch_size: 32,
            image_size: [256, 256],
            chosen: Chosen::new(),
            interpolation: "bilinear".to_owned(),
        }
    }

    /// What comes with the pictures: `"int"` class numbers `[samples]`, `I32`; `"categorical"` rows
    /// `[samples, classes]`; `"binary"` 0 or 1 as `[samples, 1]`, `F32`; `"none"` nothing,
    /// `[samples, 0]` (`"int"`).
    pub fn label_mode(mut self, label_mode: &str) -> ImageFolder {
        self.label_mode = label_mode.to_owned();
        self
    }

    /// The folders that are classes, in the order of their numbers (all, in alphabetical order).
    pub fn class_names<const N: usize>(mut self, class_names: [&str; N]) -> ImageFolder {
        self.class_names = class_names.map(str::to_owned).to_vec();
        self
    }

    /// `"rgb"`, `"rgba"` or `"grayscale"` (`"rgb"`). Grey is made of colours as in
    /// [`load_img`](super::load_img), where Keras follows TensorFlow, which weighs a PNG's colours otherwise.
    pub fn color_mode(mut self, color_mode: &str) -> ImageFolder {
        self.color_mode = color_mode.to_owned();
        self
    }

    /// Pictures to a batch (32); the last one may be smaller.
    pub fn batch_size(mut self, batch_size: usize) -> ImageFolder {
        self.batch_size = batch_size;
        self
    }

    /// Height and width to which pictures are brought (256, 256).
    pub fn image_size(mut self, image_size: [usize; 2]) -> ImageFolder {
        self.image_size = image_size;
        self
    }

    /// Whether each pass takes the pictures in another order (true).
    pub fn shuffle(mut self, shuffle: bool) -> ImageFolder {
        self.chosen.shuffle = shuffle;
        self
    }

    /// What the order is drawn from, and with it which pictures are for validation: the same ones as in
    /// Keras (from [`set_seed`](crate::set_seed)).
    pub fn seed(mut self, seed: u32) -> ImageFolder {
        self.chosen.seed = Some(seed);
        self
    }

    /// The share of pictures for validation; [`ImageFolder::subset`] says which part is meant (none).
    pub fn validation_split(mut self, share: f64) -> ImageFolder {
        self.chosen.validation_split = Some(share);
        self
    }

    /// `"training"` or `"validation"`.
    pub fn subset(mut self, subset: &str) -> ImageFolder {
        self.chosen.subset = Some(subset.to_owned());
        self
    }

    /// How pictures are brought to their size: `"bilinear"` or `"nearest"` (`"bilinear"`).
    pub fn interpolation(mut self, interpolation: &str) -> ImageFolder {
        self.interpolation = interpolation.to_owned();
        self
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: String| {
            let operation = "image_dataset_from_directory";
            Err(Error::Value(format!("{operation}: {message}")))
        };
        let known = |what: &str, name: &str, known: &[&str]| match known.contains(&name) {
            true => Ok(()),
            false => wrong(names::unknown(what, name, known)),
        };
        known("label_mode", &self.label_mode, &LABEL_MODES)?;
        known("interpolation", &self.interpolation, &TENSORFLOW_METHODS)?;
        channels(&self.color_mode, "image_dataset_from_directory")?;
        check_target(self.image_size, "image_dataset_from_directory")?;
        if self.batch_size == 0 {
            return wrong("expected a batch_size of at least 1, got 0".to_owned());
        }
        self.chosen.check("image_dataset_from_directory")
    }
}

impl From<[usize; 2]> for ImageFolder {
    fn from(image_size: [usize; 2]) -> ImageFolder {
        ImageFolder::new().image_size(image_size)
    }
}

impl From<&ImageFolder> for ImageFolder {
    fn from(settings: &ImageFolder) -> ImageFolder {
        settings.clone()
    }
}

/// The pictures of a folder, read batch by batch; `&dataset` is one pass over them, and
/// [`ImageDataset::repeat`] passes without end.
#[derive(Clone, Debug)]
pub struct ImageDataset {
    settings: Arc<ImageFolder>,
    class_names: Arc<Vec<String>>,
    paths: Arc<Vec<PathBuf>>,
    labels: Arc<Vec<usize>>,
}

/// The pictures in a folder that has a folder for each class, as
/// `keras.utils.image_dataset_from_directory`. Pictures are read when their batch comes.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let dataset = image_dataset_from_directory(
///     "cats_vs_dogs_small/train",
///     ImageFolder::new().image_size([180, 180]).batch_size(32),
/// )?;
/// for batch in &dataset {
///     let (images, labels) = batch?;
///     println!("{:?} {:?}", images.shape(), labels.shape());
/// }
/// # let mut model = Sequential::new();
/// model.fit_batches(dataset.repeat(), Fit::epochs(10).steps_per_epoch(dataset.steps()))?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// images `[batch, height, width, channels]`, `F32` from 0 to 255; labels as
/// [`ImageFolder::label_mode`] says
///
/// # Errors
/// [`Error::File`] if there are no such folders or no pictures in them; [`Error::Value`] for settings
/// that cannot be.
pub fn image_dataset_from_directory(
    directory: impl AsRef<Path>,
    settings: impl Into<ImageFolder>,
) -> Result<ImageDataset> {
    of_directory(directory.as_ref(), settings.into())
}

fn of_directory(directory: &Path, settings: ImageFolder) -> Result<ImageDataset> {
    settings.check()?;
    let Directory { class_names, files } =
        Directory::read(directory, &settings.class_names, &PICTURES)?;
    if settings.label_mode == "binary" && class_names.len() != 2 {
        return Err(Error::Value(format!(
            "image_dataset_from_directory: label_mode \"binary\" is for 2 classes, found {}: {}",
            class_names.len(),
            class_names.join(", ")
        )));
    }
    let files = settings.chosen.of(directory, files)?;
    let (paths, labels) = files.into_iter().unzip();
    Ok(ImageDataset {
        settings: Arc::new(settings),
        class_names: Arc::new(class_names),
        paths: Arc::new(paths),
        labels: Arc::new(labels),
    })
}

impl ImageDataset {
    /// The names of the classes, in the order of their numbers.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The files, in the order in which they were put.
    pub fn file_paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The class of each file.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// How many batches a pass has: `steps_per_epoch`.
    pub fn steps(&self) -> usize {
        self.paths.len().div_ceil(self.settings.batch_size)
    }

    /// Passes without end, each in an order of its own where the pictures are shuffled.
    pub fn repeat(&self) -> ImageBatches {
        ImageBatches {
            dataset: self.clone(),
            order: Vec::new(),
            batch: 0,
            endless: true,
        }
    }

    fn order(&self) -> Vec<usize> {
        match self.settings.chosen.shuffle {
            true => random::permutation(self.paths.len()),
            false => (0..self.paths.len()).collect(),
        }
    }

    fn load(&self, chosen: &[usize]) -> Result<(Tensor, Tensor)> {
        let settings = &self.settings;
        let channels = channels(&settings.color_mode, "image_dataset_from_directory")?;
        let [height, width] = settings.image_size;
        let shape = [chosen.len(), height, width, channels];
        let size = Shape::from(shape).room::<f32>("image_dataset_from_directory")?;
        let mut values = vec![0.0; size];
        let one = height * width * channels;
        let outcomes: Vec<Result<()>> = collect_by_piece(&mut values, one, &|place, to| {
            let picture = decode::read(&self.paths[chosen[place]])?.with_channels(channels);
            let nearest = settings.interpolation == "nearest";
            resize::tensorflow(&picture, settings.image_size, nearest, to);
            Ok(())
        });
        outcomes.into_iter().collect::<Result<()>>()?;
        let labels = chosen.iter().map(|&index| self.labels[index] as i64);
        let labels = Tensor::from(labels.collect::<Vec<i64>>());
        let labels = match settings.label_mode.as_str() {
            "categorical" => labels.try_one_hot(self.class_names.len())?,
            "binary" => labels.cast(DType::F32).try_reshape([chosen.len(), 1])?,
            "none" => Tensor::zeros([chosen.len(), 0]),
            _ => labels.cast(DType::I32),
        };
        Ok((Tensor::from_shape_vec(shape, values)?, labels))
    }
}

/// Batches of an [`ImageDataset`]: pictures and labels.
#[derive(Clone, Debug)]
pub struct ImageBatches {
    dataset: ImageDataset,
    order: Vec<usize>,
    /// The next batch's place in its pass.
    batch: usize,
    endless: bool,
}

impl Iterator for ImageBatches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch == self.dataset.steps() {
            if !self.endless {
                return None;
            }
            self.batch = 0;
        }
        if self.batch == 0 {
            self.order = self.dataset.order();
        }
        let start = self.batch * self.dataset.settings.batch_size;
        let end = (start + self.dataset.settings.batch_size).min(self.order.len());
        self.batch += 1;
        Some(self.dataset.load(&self.order[start..end]))
    }
}

impl IntoIterator for &ImageDataset {
    type Item = Result<(Tensor, Tensor)>;
    type IntoIter = ImageBatches;

    fn into_iter(self) -> ImageBatches {
        ImageBatches {
            endless: false,
            ..self.repeat()
        }
    }
}

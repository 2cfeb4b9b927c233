//! Batches of varied pictures, from a tensor or from files.

use std::path::{Path, PathBuf};

use super::affine::ImageTransform;
use super::augment::not_pictures;
use super::decode::PICTURES;
use super::files::{LoadImg, check_target, load_picture};
use super::generator::ImageDataGenerator;
use crate::datasets::RandomState;
use crate::preprocessing::directory::Directory;
use crate::{DType, Error, Result, Tensor, names, random};

const SUBSETS: [&str; 2] = ["training", "validation"];
const CLASS_MODES: [&str; 5] = ["categorical", "binary", "sparse", "input", "none"];

/// The settings of [`ImageDataGenerator::flow`], with Keras's defaults. A number alone is `batch_size`.
#[derive(Clone, Debug)]
pub struct Flow {
    batch_size: usize,
    shuffle: bool,
    seed: Option<u32>,
    subset: Option<String>,
}

impl Default for Flow {
    fn default() -> Self {
        Flow::new()
    }
}

/// The settings that both kinds of batches have.
macro_rules! flow_settings {
    ($settings:ident, |$self:ident| $flow:expr) => {
        impl $settings {
            /// Pictures to a batch (32); the last of a pass may be smaller.
            pub fn batch_size(mut $self, batch_size: usize) -> $settings {
                $flow.batch_size = batch_size;
                $self
            }

            /// Whether each pass takes the pictures in another order (true).
            pub fn shuffle(mut $self, shuffle: bool) -> $settings {
                $flow.shuffle = shuffle;
                $self
            }

            /// What order and changes are drawn from: with a seed, Keras's own numbers (from
            /// [`set_seed`](crate::set_seed)).
            pub fn seed(mut $self, seed: u32) -> $settings {
                $flow.seed = Some(seed);
                $self
            }

            /// `"training"` or `"validation"`, where the generator has a `validation_split` (all).
            pub fn subset(mut $self, subset: &str) -> $settings {
                $flow.subset = Some(subset.to_owned());
                $self
            }
        }
    };
}
flow_settings!(Flow, |self| self);
flow_settings!(FlowFromDirectory, |self| self.flow);

impl Flow {
    /// Keras's defaults.
    pub fn new() -> Flow {
        Flow {
            batch_size: 32,
            shuffle: true,
            seed: None,
            subset: None,
        }
    }

    /// Which of `count` samples are meant: as in Keras the first ones are for validation.
    fn part(&self, count: usize, split: f64) -> Result<std::ops::Range<usize>> {
        let cut = (split * count as f64) as usize;
        match self.subset.as_deref() {
            None => Ok(0..count),
            Some("validation") => Ok(0..cut),
            Some("training") => Ok(cut..count),
            Some(other) => Err(Error::Value(format!(
                "flow: {}",
                names::unknown("subset", other, &SUBSETS)
            ))),
        }
    }
}

impl From<usize> for Flow {
    fn from(batch_size: usize) -> Flow {
        Flow::new().batch_size(batch_size)
    }
}

impl From<&Flow> for Flow {
    fn from(settings: &Flow) -> Flow {
        settings.clone()
    }
}

/// The settings of [`ImageDataGenerator::flow_from_directory`], with Keras's defaults. An array alone is
/// `target_size`.
#[derive(Clone, Debug)]
pub struct FlowFromDirectory {
    flow: Flow,
    load: LoadImg,
    classes: Vec<String>,
    class_mode: String,
}

impl Default for FlowFromDirectory {
    fn default() -> Self {
        FlowFromDirectory::new()
    }
}

impl FlowFromDirectory {
    /// Keras's defaults.
    pub fn new() -> FlowFromDirectory {
        FlowFromDirectory {
            flow: Flow::new(),
            load: LoadImg::new().target_size([256, 256]),
            classes: Vec::new(),
            class_mode: "categorical".to_owned(),
        }
    }

    /// Height and width to which pictures are brought (256, 256).
    pub fn target_size(mut self, target_size: [usize; 2]) -> FlowFromDirectory {
        self.load = self.load.target_size(target_size);
        self
    }

    /// `"rgb"`, `"rgba"` or `"grayscale"` (`"rgb"`).
    pub fn color_mode(mut self, color_mode: &str) -> FlowFromDirectory {
        self.load = self.load.color_mode(color_mode);
        self
    }

    /// How pictures are brought to their size, as in [`LoadImg`] (`"nearest"`).
    pub fn interpolation(mut self, interpolation: &str) -> FlowFromDirectory {
        self.load = self.load.interpolation(interpolation);
        self
    }

    /// Whether pictures are cut to the target's proportions first (false).
    pub fn keep_aspect_ratio(mut self, keep: bool) -> FlowFromDirectory {
        self.load = self.load.keep_aspect_ratio(keep);
        self
    }

    /// The folders that are classes, in the order of their numbers (all, in alphabetical order).
    pub fn classes<const N: usize>(mut self, classes: [&str; N]) -> FlowFromDirectory {
        self.classes = classes.map(str::to_owned).to_vec();
        self
    }

    /// What comes with the pictures: `"categorical"` rows `[samples, classes]`; `"binary"` and
    /// `"sparse"` class numbers `[samples]`; `"input"` the pictures themselves; `"none"` nothing,
    /// `[samples, 0]` (`"categorical"`).
    pub fn class_mode(mut self, class_mode: &str) -> FlowFromDirectory {
        self.class_mode = class_mode.to_owned();
        self
    }
}

impl From<[usize; 2]> for FlowFromDirectory {
    fn from(target_size: [usize; 2]) -> FlowFromDirectory {
        FlowFromDirectory::new().target_size(target_size)
    }
}

impl From<&FlowFromDirectory> for FlowFromDirectory {
    fn from(settings: &FlowFromDirectory) -> FlowFromDirectory {
        settings.clone()
    }
}

/// Batches of varied pictures and what comes with them, without end; of each pass over the pictures
/// there are [`ImageIterator::steps`].
#[derive(Clone, Debug)]
pub struct ImageIterator {
    generator: ImageDataGenerator,
    pictures: Pictures,
    flow: Flow,
    samples: usize,
    class_names: Vec<String>,
    /// The class of each picture of a directory.
    classes: Vec<usize>,
    order: Vec<usize>,
    /// The next batch's place in its pass.
    batch: usize,
    seen: u32,
}

#[derive(Clone, Debug)]
enum Pictures {
    Tensors(Tensor, Option<Tensor>),
    Files {
        paths: Vec<PathBuf>,
        load: LoadImg,
        shape: [usize; 3],
        class_mode: String,
    },
}

impl ImageIterator {
    pub(super) fn of_tensors(
        generator: &ImageDataGenerator,
        x: &Tensor,
        y: Option<&Tensor>,
        flow: &Flow,
    ) -> Result<ImageIterator> {
        let &[count, _, _, _] = x.shape() else {
            return Err(not_pictures("flow", x));
        };
        if let Some(y) = y
            && y.shape().first() != Some(&count)
        {
            return Err(Error::Shape(format!(
                "ImageDataGenerator::flow: expected labels for {count} pictures, got shape {:?}",
                y.shape()
            )));
        }
        generator.checked("ImageDataGenerator::flow")?;
        let part = flow.part(count, generator.validation_split)?;
        let rows = |tensor: &Tensor| tensor.try_slice(part.start as isize..part.end as isize);
        let (x, y) = (rows(x)?, y.map(rows).transpose()?);
        ImageIterator::new(generator, Pictures::Tensors(x, y), flow.clone(), part.len())
    }

    pub(super) fn of_directory(
        generator: &ImageDataGenerator,
        directory: &Path,
        settings: FlowFromDirectory,
    ) -> Result<ImageIterator> {
        let FlowFromDirectory {
            flow,
            load,
            classes,
            class_mode,
        } = settings;
        if !CLASS_MODES.contains(&class_mode.as_str()) {
            return Err(Error::Value(format!(
                "flow_from_directory: {}",
                names::unknown("class_mode", &class_mode, &CLASS_MODES)
            )));
        }
        generator.checked("flow_from_directory")?;
        let size = load.target_size.unwrap_or_default();
        check_target(size, "flow_from_directory")?;
        let shape = [size[0], size[1], load.channels()?];
        let found = Directory::read(directory, &classes, &PICTURES)?;
        // The split is by class, so that each has its share.
        let (mut paths, mut numbers) = (Vec::new(), Vec::new());
        for class in 0..found.class_names.len() {
            let files: Vec<_> = found.files.iter().filter(|file| file.1 == class).collect();
            for file in &files[flow.part(files.len(), generator.validation_split)?] {
                paths.push(file.0.clone());
                numbers.push(class);
            }
        }
        let samples = paths.len();
        let pictures = Pictures::Files {
            paths,
            load,
            shape,
            class_mode,
        };
        let mut iterator = ImageIterator::new(generator, pictures, flow, samples)?;
        (iterator.class_names, iterator.classes) = (found.class_names, numbers);
        Ok(iterator)
    }

    fn new(
        generator: &ImageDataGenerator,
        pictures: Pictures,
        flow: Flow,
        samples: usize,
    ) -> Result<ImageIterator> {
        if flow.batch_size == 0 || samples == 0 {
            return Err(Error::Value(format!(
                "ImageDataGenerator: expected batches of at least 1 picture, and pictures for them, got \
                 batch_size {} and {samples} pictures",
                flow.batch_size
            )));
        }
        Ok(ImageIterator {
            generator: generator.clone(),
            pictures,
            flow,
            samples,
            class_names: Vec::new(),
            classes: Vec::new(),
            order: Vec::new(),
            batch: 0,
            seen: 0,
        })
    }

    /// How many batches a pass over the pictures has: `steps_per_epoch`.
    pub fn steps(&self) -> usize {
        self.samples.div_ceil(self.flow.batch_size)
    }

    /// How many pictures there are.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The names of the classes of a directory, in the order of their numbers.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The class of each picture of a directory.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The files of a directory, in the order of [`ImageIterator::classes`].
    pub fn filepaths(&self) -> &[PathBuf] {
        match &self.pictures {
            Pictures::Files { paths, .. } => paths,
            Pictures::Tensors(..) => &[],
        }
    }

    /// Begins a new pass with the next batch.
    pub fn reset(&mut self) {
        self.batch = 0;
    }

    /// The numbers of the next batch's pictures, and what their changes are drawn from.
    fn draw(&mut self) -> (Vec<usize>, RandomState) {
        let seed = match self.flow.seed {
            Some(seed) => seed.wrapping_add(self.seen),
            None => random::next_seed() as u32,
        };
        let mut random = RandomState::new(seed);
        self.seen = self.seen.wrapping_add(1);
        if self.batch == 0 {
            self.order = match self.flow.shuffle {
                true => random.shuffled(self.samples),
                false => (0..self.samples).collect(),
            };
        }
        let start = self.batch * self.flow.batch_size;
        let end = (start + self.flow.batch_size).min(self.samples);
        self.batch = if end < self.samples {
            self.batch + 1
        } else {
            0
        };
        (self.order[start..end].to_vec(), random)
    }

    fn next_batch(&mut self) -> Result<(Tensor, Tensor)> {
        let (chosen, mut random) = self.draw();
        let generator = &self.generator;
        let mut transforms = |shape: [usize; 3]| -> Vec<_> {
            let draw = |_: &usize| generator.draw(shape, &mut random);
            chosen.iter().map(draw).collect()
        };
        let images = match &self.pictures {
            Pictures::Tensors(x, _) => {
                let shape = [x.shape()[1], x.shape()[2], x.shape()[3]];
                of_rows(generator, &x.try_rows(&chosen)?, shape, &transforms(shape))?
            }
            Pictures::Files {
                paths, load, shape, ..
            } => {
                let read = |index: usize, to: &mut Vec<f32>| {
                    let picture = load_picture(&paths[chosen[index]], load)?;
                    to.extend(picture.pixels.into_iter().map(f32::from));
                    Ok(())
                };
                generator.batch(*shape, &transforms(*shape), read)?
            }
        };
        let labels = self.labels(&chosen, &images)?;
        Ok((images, labels))
    }

    /// What comes with the pictures of these numbers.
    fn labels(&self, chosen: &[usize], images: &Tensor) -> Result<Tensor> {
        let class_mode = match &self.pictures {
            Pictures::Tensors(_, Some(y)) => return y.try_rows(chosen),
            Pictures::Tensors(_, None) => "none",
            Pictures::Files { class_mode, .. } => class_mode,
        };
        let classes = || chosen.iter().map(|&index| self.classes[index] as f32);
        let classes = || Tensor::from(classes().collect::<Vec<f32>>());
        Ok(match class_mode {
            "none" => Tensor::zeros([chosen.len(), 0]),
            "input" => images.clone(),
            "categorical" => classes()
                .cast(DType::I64)
                .try_one_hot(self.class_names.len())?,
            _ => classes(),
        })
    }
}

/// The pictures of a tensor, changed; bytes become floats picture by picture, while they are at hand.
fn of_rows(
    generator: &ImageDataGenerator,
    rows: &Tensor,
    shape: [usize; 3],
    transforms: &[ImageTransform],
) -> Result<Tensor> {
    let size: usize = shape.iter().product();
    if rows.dtype() == DType::U8 {
        let values = rows.to_vec_of::<u8>();
        return generator.batch(shape, transforms, |index, to| {
            let picture = &values[index * size..][..size];
            to.extend(picture.iter().map(|&value| f32::from(value)));
            Ok(())
        });
    }
    let values = rows.to_vec();
    generator.batch(shape, transforms, |index, to| {
        to.extend_from_slice(&values[index * size..][..size]);
        Ok(())
    })
}

impl Iterator for ImageIterator {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_batch())
    }
}

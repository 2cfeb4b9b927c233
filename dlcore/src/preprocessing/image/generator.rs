//! Keras's `ImageDataGenerator`: pictures varied at random, batch after batch.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::augment::not_pictures;
use super::flow::{Flow, FlowFromDirectory, ImageIterator};
use super::standardize::Statistics;
use crate::{Result, Tensor};

/// Makes more pictures out of few: turned, shifted, sheared, zoomed and flipped at random, and brings
/// their values to a common scale. Settings and defaults are Keras's.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let train_datagen = ImageDataGenerator::new()
///     .rescale(1.0 / 255.0)
///     .rotation_range(40.0)
///     .width_shift_range(0.2)
///     .height_shift_range(0.2)
///     .shear_range(0.2)
///     .zoom_range(0.2)
///     .horizontal_flip(true);
/// let train_generator = train_datagen.flow_from_directory(
///     "cats_and_dogs_small/train",
///     FlowFromDirectory::new().target_size([150, 150]).batch_size(20).class_mode("binary"),
/// )?;
/// # let mut model = Sequential::new();
/// let steps = train_generator.steps();
/// model.fit_batches(train_generator, Fit::epochs(30).steps_per_epoch(steps))?;
/// # Ok::<(), Error>(())
/// ```
///
/// What is drawn repeats after [`set_seed`](crate::set_seed); with a seed of its own, an iterator draws
/// the numbers that Keras draws with it.
#[derive(Clone)]
pub struct ImageDataGenerator {
    pub(super) featurewise_center: bool,
    pub(super) samplewise_center: bool,
    pub(super) featurewise_std_normalization: bool,
    pub(super) samplewise_std_normalization: bool,
    pub(super) rotation_range: f64,
    pub(super) width_shift_range: f64,
    pub(super) height_shift_range: f64,
    pub(super) brightness_range: Option<[f64; 2]>,
    pub(super) shear_range: f64,
    pub(super) zoom_range: [f64; 2],
    pub(super) channel_shift_range: f64,
    pub(super) fill_mode: String,
    pub(super) cval: f64,
    pub(super) horizontal_flip: bool,
    pub(super) vertical_flip: bool,
    pub(super) rescale: Option<f64>,
    pub(super) preprocessing_function: Option<Function>,
    pub(super) validation_split: f64,
    pub(super) interpolation_order: usize,
    pub(super) statistics: Option<Arc<Statistics>>,
}

type Function = Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>;

/// A zoom: a number `z` for factors from `1 − z` to `1 + z`, or the least and the largest factor.
#[derive(Clone, Copy, Debug)]
pub struct ZoomRange([f64; 2]);

impl From<f64> for ZoomRange {
    fn from(range: f64) -> Self {
        ZoomRange([1.0 - range, 1.0 + range])
    }
}

impl From<[f64; 2]> for ZoomRange {
    fn from(range: [f64; 2]) -> Self {
        ZoomRange(range)
    }
}

impl Default for ImageDataGenerator {
    fn default() -> Self {
        ImageDataGenerator::new()
    }
}

impl ImageDataGenerator {
    /// Keras's defaults: nothing is varied.
    pub fn new() -> ImageDataGenerator {
        ImageDataGenerator {
            featurewise_center: false,
            samplewise_center: false,
            featurewise_std_normalization: false,
            samplewise_std_normalization: false,
            rotation_range: 0.0,
            width_shift_range: 0.0,
            height_shift_range: 0.0,
            brightness_range: None,
            shear_range: 0.0,
            zoom_range: [1.0, 1.0],
            channel_shift_range: 0.0,
            fill_mode: "nearest".to_owned(),
            cval: 0.0,
            horizontal_flip: false,
            vertical_flip: false,
            rescale: None,
            preprocessing_function: None,
            validation_split: 0.0,
            interpolation_order: 1,
            statistics: None,
        }
    }

    /// Subtracts the mean that each channel has in the pictures of [`ImageDataGenerator::fit`] (false).
    pub fn featurewise_center(mut self, center: bool) -> ImageDataGenerator {
        self.featurewise_center = center;
        self
    }

    /// Subtracts each picture's own mean (false).
    pub fn samplewise_center(mut self, center: bool) -> ImageDataGenerator {
        self.samplewise_center = center;
        self
    }

    /// Divides by the deviation that each channel has in the pictures of
    /// [`ImageDataGenerator::fit`]; means are subtracted, too (false).
    pub fn featurewise_std_normalization(mut self, normalize: bool) -> ImageDataGenerator {
        self.featurewise_std_normalization = normalize;
        self.featurewise_center |= normalize;
        self
    }

    /// Divides by each picture's own deviation; its mean is subtracted, too (false).
    pub fn samplewise_std_normalization(mut self, normalize: bool) -> ImageDataGenerator {
        self.samplewise_std_normalization = normalize;
        self.samplewise_center |= normalize;
        self
    }

    /// Turns by up to so many degrees, either way (0).
    pub fn rotation_range(mut self, degrees: f64) -> ImageDataGenerator {
        self.rotation_range = degrees;
        self
    }

    /// Shifts along the width, either way, by up to this share of it, from 1 on by so many pixels (0).
    pub fn width_shift_range(mut self, range: f64) -> ImageDataGenerator {
        self.width_shift_range = range;
        self
    }

    /// Shifts along the height, either way, by up to this share of it, from 1 on by so many pixels (0).
    pub fn height_shift_range(mut self, range: f64) -> ImageDataGenerator {
        self.height_shift_range = range;
        self
    }

    /// Multiplies the brightness by a factor between these two (none).
    pub fn brightness_range(mut self, range: [f64; 2]) -> ImageDataGenerator {
        self.brightness_range = Some(range);
        self
    }

    /// Shears by up to so many degrees, either way (0).
    pub fn shear_range(mut self, degrees: f64) -> ImageDataGenerator {
        self.shear_range = degrees;
        self
    }

    /// Zooms height and width, each by a factor from `1 − range` to `1 + range`, or between two given
    /// ones; what is below 1 enlarges (0).
    pub fn zoom_range(mut self, range: impl Into<ZoomRange>) -> ImageDataGenerator {
        self.zoom_range = range.into().0;
        self
    }

    /// Adds up to so much to all channels, either way, within the picture's range (0).
    pub fn channel_shift_range(mut self, range: f64) -> ImageDataGenerator {
        self.channel_shift_range = range;
        self
    }

    /// What stands where a changed picture has nothing: `"nearest"` its edge, `"reflect"` its mirror
    /// image, `"wrap"` its other side, `"constant"` [`cval`](ImageDataGenerator::cval) (`"nearest"`).
    pub fn fill_mode(mut self, fill_mode: &str) -> ImageDataGenerator {
        self.fill_mode = fill_mode.to_owned();
        self
    }

    /// The value that `fill_mode("constant")` takes (0).
    pub fn cval(mut self, cval: f64) -> ImageDataGenerator {
        self.cval = cval;
        self
    }

    /// Whether every other picture has its left and right exchanged (false).
    pub fn horizontal_flip(mut self, flip: bool) -> ImageDataGenerator {
        self.horizontal_flip = flip;
        self
    }

    /// Whether every other picture stands on its head (false).
    pub fn vertical_flip(mut self, flip: bool) -> ImageDataGenerator {
        self.vertical_flip = flip;
        self
    }

    /// Multiplies all values, after everything else that changes the picture (none).
    pub fn rescale(mut self, factor: f64) -> ImageDataGenerator {
        self.rescale = Some(factor);
        self
    }

    /// A function of one's own for each picture `[height, width, channels]`, which keeps its shape;
    /// it comes after the picture was changed and before its values are scaled.
    pub fn preprocessing_function(
        mut self,
        function: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    ) -> ImageDataGenerator {
        self.preprocessing_function = Some(Arc::new(function));
        self
    }

    /// The share of pictures that `subset("validation")` takes: the first ones (0).
    pub fn validation_split(mut self, share: f64) -> ImageDataGenerator {
        self.validation_split = share;
        self
    }

    /// How values between pixels come about: 1 from the four around, 0 from the nearest (1).
    pub fn interpolation_order(mut self, order: usize) -> ImageDataGenerator {
        self.interpolation_order = order;
        self
    }

    /// Learns the means and deviations that `featurewise_…` settings need, of pictures as they are,
    /// [`rescale`](ImageDataGenerator::rescale)d.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless `x` is `[samples, height, width, channels]`, with at least one sample.
    pub fn fit(&mut self, x: &Tensor) -> Result<()> {
        let &[_, _, _, channels] = x.shape() else {
            return Err(not_pictures("fit", x));
        };
        if x.len() == 0 {
            return Err(not_pictures("fit", x));
        }
        let mut values = x.to_vec();
        if let Some(factor) = self.rescale.filter(|&factor| factor != 0.0) {
            values.iter_mut().for_each(|v| *v *= factor as f32);
        }
        self.statistics = Some(Arc::new(Statistics::of(&values, channels)));
        Ok(())
    }

    /// Batches of varied pictures from a tensor, without end; `y` may be `None`.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let (x, y) = (Tensor::uniform([8, 28, 28, 1], 0.0, 255.0), Tensor::zeros([8]));
    /// let datagen = ImageDataGenerator::new().rotation_range(20.0);
    /// for batch in datagen.flow(&x, &y, Flow::new().batch_size(4))?.take(2) {
    ///     let (images, labels) = batch?;
    ///     assert_eq!((images.shape(), labels.shape()), (&[4, 28, 28, 1][..], &[4][..]));
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless `x` is `[samples, height, width, channels]` and `y` has as many samples;
    /// [`Error::Value`](crate::Error::Value) for settings that cannot be.
    pub fn flow<'a>(
        &self,
        x: &Tensor,
        y: impl Into<Option<&'a Tensor>>,
        settings: impl Into<Flow>,
    ) -> Result<ImageIterator> {
        ImageIterator::of_tensors(self, x, y.into(), &settings.into())
    }

    /// Batches of varied pictures from a folder that has a folder for each class, without end.
    ///
    /// Pictures are read when their batch comes; one that is damaged is that batch's error.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if there are no such folders or no pictures in them; [`Error::Value`](crate::Error::Value) for
    /// settings that cannot be.
    pub fn flow_from_directory(
        &self,
        directory: impl AsRef<Path>,
        settings: impl Into<FlowFromDirectory>,
    ) -> Result<ImageIterator> {
        ImageIterator::of_directory(self, directory.as_ref(), settings.into())
    }
}

impl fmt::Debug for ImageDataGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDataGenerator")
            .field("rotation_range", &self.rotation_range)
            .field("width_shift_range", &self.width_shift_range)
            .field("height_shift_range", &self.height_shift_range)
            .field("shear_range", &self.shear_range)
            .field("zoom_range", &self.zoom_range)
            .field("horizontal_flip", &self.horizontal_flip)
            .field("vertical_flip", &self.vertical_flip)
            .field("fill_mode", &self.fill_mode)
            .field("rescale", &self.rescale)
            .field("fitted", &self.statistics.is_some())
            .finish_non_exhaustive()
    }
}

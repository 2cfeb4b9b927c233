//! How pictures are varied: what is drawn, and what is done with it.

use super::affine::{self, Fill, ImageTransform};
use super::generator::ImageDataGenerator;
use super::standardize;
use crate::datasets::RandomState;
use crate::device::cpu::buffers::Scratch;
use crate::device::cpu::collect_by_piece;
use crate::tensor::Shape;
use crate::{Error, Result, Tensor, random};

impl ImageDataGenerator {
    /// Draws how a picture `[height, width, channels]` is to be changed.
    pub fn get_random_transform(&self, img_shape: [usize; 3]) -> ImageTransform {
        self.draw(img_shape, &mut RandomState::new(random::next_seed() as u32))
    }

    /// Draws in Keras's order, so that with its generator come its numbers.
    pub(super) fn draw(
        &self,
        [height, width, _]: [usize; 3],
        random: &mut RandomState,
    ) -> ImageTransform {
        let mut around = |range: f64| match range {
            0.0 => 0.0,
            range => random.uniform(-range, range),
        };
        let pixels = |share: f64, drawn: f64, length: usize| match share < 1.0 {
            true => drawn * length as f64,
            false => drawn,
        };
        let theta = around(self.rotation_range);
        let tx = pixels(
            self.height_shift_range,
            around(self.height_shift_range),
            height,
        );
        let ty = pixels(
            self.width_shift_range,
            around(self.width_shift_range),
            width,
        );
        let shear = around(self.shear_range);
        let [low, high] = self.zoom_range;
        let (zx, zy) = match self.zoom_range == [1.0, 1.0] {
            true => (1.0, 1.0),
            false => (random.uniform(low, high), random.uniform(low, high)),
        };
        // Drawn whether or not pictures are flipped, as Keras does.
        let flip_horizontal = (random.random() < 0.5) & self.horizontal_flip;
        let flip_vertical = (random.random() < 0.5) & self.vertical_flip;
        let shift = self.channel_shift_range;
        let channel_shift = (shift != 0.0).then(|| random.uniform(-shift, shift));
        let brightness = self.brightness_range;
        let brightness = brightness.map(|[low, high]| random.uniform(low, high));
        ImageTransform {
            theta,
            tx,
            ty,
            shear,
            zx,
            zy,
            flip_horizontal,
            flip_vertical,
            channel_shift_intensity: channel_shift,
            brightness,
        }
    }

    /// Changes a picture as told: geometry, channels, flips, brightness.
    ///
    /// # Shapes
    /// `[height, width, channels]` → the same, `F32`
    ///
    /// # Errors
    /// [`Error::Shape`] if it is no picture, [`Error::Value`] for settings that cannot be.
    pub fn apply_transform(&self, x: &Tensor, how: &ImageTransform) -> Result<Tensor> {
        let fill = self.checked("apply_transform")?;
        affine::check_finite(how)?;
        let shape = picture_shape("apply_transform", x)?;
        let mut values = vec![0.0; x.len()];
        self.change(&x.to_vec(), shape, how, fill, &mut values);
        Tensor::from_shape_vec(shape, values)
    }

    /// Changes a picture at random.
    ///
    /// # Errors
    /// As [`ImageDataGenerator::apply_transform`].
    pub fn random_transform(&self, x: &Tensor) -> Result<Tensor> {
        let how = self.get_random_transform(picture_shape("random_transform", x)?);
        self.apply_transform(x, &how)
    }

    /// Brings a picture's values to the common scale.
    ///
    /// # Errors
    /// As [`ImageDataGenerator::apply_transform`].
    pub fn standardize(&self, x: &Tensor) -> Result<Tensor> {
        self.checked("standardize")?;
        let shape = picture_shape("standardize", x)?;
        let mut values = x.to_vec();
        self.finish(shape, &mut values)?;
        Tensor::from_shape_vec(shape, values)
    }

    fn change(
        &self,
        from: &[f32],
        shape: [usize; 3],
        how: &ImageTransform,
        fill: Fill,
        to: &mut [f32],
    ) {
        if to.is_empty() {
            return;
        }
        affine::transform(from, shape, how, fill, self.interpolation_order, to);
        standardize::colors(how, shape[2], to);
    }

    /// The function of one's own, and the common scale.
    fn finish(&self, shape: [usize; 3], values: &mut [f32]) -> Result<()> {
        if let Some(function) = &self.preprocessing_function {
            let result = function(&Tensor::from_shape_vec(shape, values.to_vec())?);
            if result.shape() != shape {
                return Err(Error::Shape(format!(
                    "preprocessing_function: expected a picture of shape {shape:?}, as it was given, got {:?}",
                    result.shape()
                )));
            }
            values.copy_from_slice(&result.to_vec());
        }
        let channels = shape[2].max(1);
        if let Some(fitted) = self.statistics.as_ref().map(|all| all.mean.len())
            && fitted != channels
        {
            return Err(Error::Shape(format!(
                "ImageDataGenerator was fitted to pictures of {fitted} channels, got {channels}"
            )));
        }
        self.standardize_values(channels, values);
        Ok(())
    }

    /// Changes and standardizes the pictures of a batch, each as told, on all threads.
    ///
    /// `load` puts the values of picture `i` into a buffer, which is empty.
    pub(super) fn batch(
        &self,
        shape: [usize; 3],
        transforms: &[ImageTransform],
        load: impl Fn(usize, &mut Vec<f32>) -> Result<()> + Sync,
    ) -> Result<Tensor> {
        let fill = self.checked("ImageDataGenerator")?;
        let size: usize = shape.iter().product();
        let whole = Shape::from([&[transforms.len()], &shape[..]].concat());
        let mut values = vec![0.0; whole.room::<f32>("ImageDataGenerator")?];
        let outcomes: Vec<Result<()>> = collect_by_piece(&mut values, size, &|index, to| {
            let mut from = Scratch::new(size);
            from.0.clear();
            load(index, &mut from.0)?;
            self.change(&from.0, shape, &transforms[index], fill, to);
            self.finish(shape, to)
        });
        outcomes.into_iter().collect::<Result<()>>()?;
        Tensor::from_shape_vec(whole, values)
    }

    /// What fills empty places, if all settings can be.
    pub(super) fn checked(&self, operation: &str) -> Result<Fill> {
        let wrong = |message: String| Err(Error::Value(format!("{operation}: {message}")));
        let ranges = [
            self.rotation_range,
            self.width_shift_range,
            self.height_shift_range,
            self.shear_range,
            self.channel_shift_range,
        ];
        let pairs = [Some(self.zoom_range), self.brightness_range];
        let pairs = pairs.into_iter().flatten().flatten();
        if let Some(range) = ranges
            .into_iter()
            .chain(pairs)
            .find(|range| !range.is_finite())
        {
            return wrong(format!("expected ranges that are finite, got {range}"));
        }
        if self.interpolation_order > 1 {
            let order = self.interpolation_order;
            return wrong(format!("expected interpolation_order 0 or 1, got {order}"));
        }
        if !(0.0..1.0).contains(&self.validation_split) {
            let split = self.validation_split;
            return wrong(format!(
                "expected a validation_split from 0 to below 1, got {split}"
            ));
        }
        if self.featurewise_center && self.statistics.is_none() {
            return wrong(
                "featurewise settings need the mean and deviation of pictures: call fit(&pictures) first"
                    .to_owned(),
            );
        }
        Fill::named(&self.fill_mode, self.cval)
            .map_err(|error| Error::Value(format!("{operation}: {error}")))
    }
}

fn picture_shape(operation: &str, x: &Tensor) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(x.shape()).map_err(|_| {
        Error::Shape(format!(
            "{operation}: expected a picture [height, width, channels], got shape {:?}",
            x.shape()
        ))
    })
}

pub(super) fn not_pictures(operation: &str, x: &Tensor) -> Error {
    Error::Shape(format!(
        "ImageDataGenerator::{operation}: expected pictures [samples, height, width, channels], got shape {:?}",
        x.shape()
    ))
}

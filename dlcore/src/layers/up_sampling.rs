//! Larger sequences and images from smaller ones.

use serde_json::{Value, json};

use super::spatial::{Layout, data_format_setting};
use super::{Base, Layer, Pair, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor, names};

/// How the pixels between pixels are made, by its Keras name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// As the nearest one.
    #[default]
    Nearest,
    /// On straight lines between neighbours.
    Bilinear,
    /// On cubic curves through neighbours: Keys, 1981, with a = −½.
    Bicubic,
    /// By a windowed sinc that reaches over three neighbours on each side.
    Lanczos3,
    /// By a windowed sinc that reaches over five neighbours on each side.
    Lanczos5,
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
}

const NAMES: [&str; 5] = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"];

/// By name; one that is not known is reported when the layer is built.
impl From<&str> for Interpolation {
    fn from(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "nearest" => Interpolation::Nearest,
            "bilinear" => Interpolation::Bilinear,
            "bicubic" => Interpolation::Bicubic,
            "lanczos3" => Interpolation::Lanczos3,
            "lanczos5" => Interpolation::Lanczos5,
            _ => Interpolation::Unknown(name.to_string()),
        }
    }
}

impl Interpolation {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Interpolation::Nearest => "nearest",
            Interpolation::Bilinear => "bilinear",
            Interpolation::Bicubic => "bicubic",
            Interpolation::Lanczos3 => "lanczos3",
            Interpolation::Lanczos5 => "lanczos5",
            Interpolation::Unknown(name) => name,
        }
    }

    /// The weight of a pixel at a distance, before all weights of a place are made to sum to 1.
    fn weight(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Interpolation::Bicubic if x < 1.0 => ((1.5 * x - 2.5) * x) * x + 1.0,
            Interpolation::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Interpolation::Bicubic => 0.0,
            Interpolation::Lanczos3 => lanczos(3.0, x),
            Interpolation::Lanczos5 => lanczos(5.0, x),
            _ => (1.0 - x).max(0.0),
        }
    }

    /// The matrix `[times · length, length]` that turns `length` pixels into `times` as many.
    fn matrix(&self, length: usize, times: usize) -> Tensor {
        let mut weights = Vec::with_capacity(times * length * length);
        for to in 0..times * length {
            // Where the middle of a new pixel lies among the old ones.
            let at = (to as f64 + 0.5) / times as f64 - 0.5;
            let row = (0..length).map(|from| self.weight(at - from as f64));
            let sum: f64 = row.clone().sum();
            weights.extend(row.map(|weight| weight / sum));
        }
        Tensor::from_values(&[times * length, length], weights)
    }
}

fn lanczos(radius: f64, x: f64) -> f64 {
    use std::f64::consts::PI;
    match x {
        x if x > radius => 0.0,
        x if x <= 1e-3 => 1.0,
        x => radius * (PI * x).sin() * (PI * x / radius).sin() / (PI * PI * x * x),
    }
}

/// Each step `size` times in a row.
///
/// # Shapes
/// input `[batch, steps, channels]` → output `[batch, size · steps, channels]`
///
/// ```
/// use dlcore::layers::{Layer, UpSampling1D};
/// use dlcore::Tensor;
/// let x = Tensor::from([[[1.0], [2.0]]]);
/// assert_eq!(UpSampling1D::new(2).forward(&x, false).to_vec(), [1.0, 1.0, 2.0, 2.0]);
/// ```
///
/// Source: Keras 3, `layers/reshaping/up_sampling1d.py`.
#[derive(Clone, Debug)]
pub struct UpSampling1D {
    base: Base,
    size: usize,
    layout: Layout,
}

layer_settings!(UpSampling1D, "up_sampling1d");

impl UpSampling1D {
    /// A layer that makes sequences `size` times as long. Keras's default is 2.
    pub fn new(size: usize) -> UpSampling1D {
        UpSampling1D {
            base: Base::new("UpSampling1D", "up_sampling1d"),
            size,
            layout: Layout::new(1),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<UpSampling1D> {
        let layout = Layout::new(1);
        let layer = UpSampling1D {
            base: Base::from_config("UpSampling1D", "up_sampling1d", fields)?,
            size: layout.field(fields, "size")?.unwrap_or([1, 2])[1],
            layout,
        };
        check_size(&layer.base, [1, layer.size]).map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

fn check_size(base: &Base, size: [usize; 2]) -> Result<()> {
    match size.contains(&0) {
        true => Err(base.value_error("size must be at least 1, got 0")),
        false => Ok(()),
    }
}

impl Layer for UpSampling1D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        check_size(&self.base, [1, self.size])?;
        self.layout.split(&self.base, input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let ([_, steps], channels) = self.layout.split(&self.base, input_shape)?;
        match steps.checked_mul(self.size) {
            Some(steps) => Ok(vec![steps, channels]),
            None => Err(self.base.too_large(input_shape)),
        }
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let sample = x.shape().get(1..).unwrap_or_default();
        expect(self.layout.split(&self.base, sample));
        expect(ops::repeat(x, 1, self.size))
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"size": self.size})))
    }

    /// None: there are more timesteps now.
    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

/// Images made `size` times as high and wide.
///
/// # Shapes
/// input `[batch, height, width, channels]` → output
/// `[batch, size₀ · height, size₁ · width, channels]`
///
/// ```
/// use dlcore::layers::{Layer, UpSampling2D};
/// let mut layer = UpSampling2D::new(2).interpolation("bilinear");
/// layer.build(&[7, 7, 64])?;
/// assert_eq!(layer.output_shape(&[7, 7, 64])?, [14, 14, 64]);
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// Source: Keras 3, `layers/reshaping/up_sampling2d.py`; the interpolations are those of
/// `jax.image.resize` without antialiasing.
#[derive(Clone, Debug)]
pub struct UpSampling2D {
    base: Base,
    size: [usize; 2],
    interpolation: Interpolation,
    layout: Layout,
}

layer_settings!(UpSampling2D, "up_sampling2d");
data_format_setting!(UpSampling2D, layout.data_format);

impl UpSampling2D {
    /// A layer that makes images so many times as large along each axis. Keras's default is 2.
    pub fn new(size: impl Into<Pair>) -> UpSampling2D {
        UpSampling2D {
            base: Base::new("UpSampling2D", "up_sampling2d"),
            size: size.into().0,
            interpolation: Interpolation::Nearest,
            layout: Layout::new(2),
        }
    }

    /// How the new pixels are made, by name: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"`,
    /// `"lanczos5"` (`"nearest"`).
    pub fn interpolation(mut self, interpolation: impl Into<Interpolation>) -> UpSampling2D {
        self.interpolation = interpolation.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<UpSampling2D> {
        let layout = Layout::from_config(2, fields)?;
        let layer = UpSampling2D {
            base: Base::from_config("UpSampling2D", "up_sampling2d", fields)?,
            size: layout.field(fields, "size")?.unwrap_or([2, 2]),
            interpolation: match fields.get("interpolation") {
                Some(_) => fields.text("interpolation")?.into(),
                None => Interpolation::Nearest,
            },
            layout,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        check_size(&self.base, self.size)?;
        self.layout.check(&self.base)?;
        match &self.interpolation {
            Interpolation::Unknown(name) => {
                let text = names::unknown("interpolation", name, &NAMES);
                Err(self.base.value_error(text))
            }
            _ => Ok(()),
        }
    }

    /// `[batch, height, width, channels]` made larger: first along the height, each row a vector, then
    /// along the width.
    fn enlarged(&self, x: &Tensor) -> Result<Tensor> {
        let [down, across] = self.size;
        if self.interpolation == Interpolation::Nearest {
            return ops::repeat(&ops::repeat(x, 1, down)?, 2, across);
        }
        let &[batch, height, width, channels] = x.shape() else {
            unreachable!("a batch of images has four axes");
        };
        let x = x.as_float();
        let matrix = |length, times| self.interpolation.matrix(length, times).cast(x.dtype());
        let rows = x.try_reshape([batch, height, width * channels])?;
        let higher = matrix(height, down).try_matmul(&rows)?;
        let columns = higher.try_reshape([batch * height * down, width, channels])?;
        let wider = matrix(width, across).try_matmul(&columns)?;
        wider.try_reshape([batch, height * down, width * across, channels])
    }
}

impl Layer for UpSampling2D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        self.layout.split(&self.base, input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let ([height, width], channels) = self.layout.split(&self.base, input_shape)?;
        let extents = (
            height.checked_mul(self.size[0]),
            width.checked_mul(self.size[1]),
        );
        match extents {
            (Some(height), Some(width)) => Ok(self.layout.join([height, width], channels)),
            _ => Err(self.base.too_large(input_shape)),
        }
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let sample = x.shape().get(1..).unwrap_or_default();
        expect(self.layout.split(&self.base, sample));
        let larger = expect(self.enlarged(&self.layout.images(x)));
        self.layout.samples(&larger)
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "size": self.size,
            "data_format": self.layout.data_format.name(),
            "interpolation": self.interpolation.name(),
        })))
    }

    /// None: as in Keras, the rows of an image are no timesteps.
    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(UpSampling1D::new(3), &[2, 2], &[6, 2], 0).refuses(&[2], "[steps, channels]"),
        );
        for name in NAMES {
            let layer = UpSampling2D::new([2, 3]).interpolation(name);
            check_layer(
                Case::new(layer, &[3, 2, 2], &[6, 6, 2], 0)
                    .refuses(&[2, 2], "[height, width, channels]"),
            );
        }
        let first = UpSampling2D::new(2).data_format("channels_first");
        check_layer(Case::new(
            first.interpolation("bilinear"),
            &[2, 3, 2],
            &[2, 6, 4],
            0,
        ));
    }

    #[test]
    fn straight_lines_lie_between_the_middles_of_pixels() {
        let x = Tensor::from([0.0, 4.0]).reshape([1, 1, 2, 1]);
        let y = UpSampling2D::new([1, 2])
            .interpolation("bilinear")
            .forward(&x, false);
        assert_eq!(y.to_vec(), [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let mut layer = UpSampling2D::new(2).interpolation("bilinar").name("u");
        let text = layer.build(&[2, 2, 1]).unwrap_err().to_string();
        assert!(
            text.starts_with("u (UpSampling2D): unknown interpolation"),
            "{text}"
        );
        let text = UpSampling1D::new(0).build(&[2, 2]).unwrap_err().to_string();
        assert!(text.contains("size must be at least 1, got 0"), "{text}");
    }

    #[test]
    fn a_mask_ends_here() {
        let mask = Tensor::from([[true, false]]);
        let mask = UpSampling2D::new(2).output_mask(&[Tensor::ones([1, 2, 2, 1])], &[Some(mask)]);
        assert!(mask.is_none());
    }
}

//! Margins of zeros around sequences and images.

use serde_json::{Value, json};

use super::spatial::Layout;
use super::{Base, DataFormat, Layer, Pair, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// What is added to or taken from the four sides of an image, as an argument: `1` on all of them,
/// `[1, 2]` 1 above and below and 2 left and right, `[[0, 1], [2, 3]]` each by itself, in that order.
///
/// ```
/// use dlcore::layers::{Cropping2D, ZeroPadding2D};
/// let frame = ZeroPadding2D::new(3);
/// let bottom_and_right = Cropping2D::new([[0, 1], [0, 1]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margins(pub(super) [[usize; 2]; 2]);

impl From<usize> for Margins {
    fn from(all: usize) -> Self {
        Margins([[all, all], [all, all]])
    }
}

impl From<[usize; 2]> for Margins {
    fn from([height, width]: [usize; 2]) -> Self {
        Margins([[height, height], [width, width]])
    }
}

impl From<(usize, usize)> for Margins {
    fn from((height, width): (usize, usize)) -> Self {
        Margins::from([height, width])
    }
}

impl From<[[usize; 2]; 2]> for Margins {
    fn from(each: [[usize; 2]; 2]) -> Self {
        Margins(each)
    }
}

impl From<((usize, usize), (usize, usize))> for Margins {
    fn from(((top, bottom), (left, right)): ((usize, usize), (usize, usize))) -> Self {
        Margins([[top, bottom], [left, right]])
    }
}

impl Margins {
    /// Before and after all axes of a batch, the channels last.
    pub(super) fn of_batch(self) -> [[usize; 2]; 4] {
        let [height, width] = self.0;
        [[0, 0], height, width, [0, 0]]
    }

    /// A field that holds what any of the conversions takes.
    pub(super) fn field(fields: &Fields<'_>, key: &str) -> Parsed<Option<Margins>> {
        let nested = |value: &Value| value.as_array().is_some_and(|all| all.len() == 2);
        let list = fields.get(key).and_then(Value::as_array);
        if let Some([height, width]) = list.map(Vec::as_slice)
            && nested(height)
            && nested(width)
        {
            let both = json!({"height": height, "width": width});
            let both = Fields::of(&both, key)?;
            let side = |name| -> Parsed<[usize; 2]> {
                let sizes = both.sizes(name)?.unwrap_or_default();
                Ok([sizes[0], sizes[1]])
            };
            return Ok(Some(Margins([side("height")?, side("width")?])));
        }
        match fields.sizes(key)?.as_deref() {
            None => Ok(None),
            Some([all]) => Ok(Some(Margins::from(*all))),
            Some([height, width]) => Ok(Some(Margins::from([*height, *width]))),
            Some(other) => Err(format!(
                "{key}: expected one or two numbers, or two pairs, found {other:?}"
            )),
        }
    }

    /// For sequences: a pair, or a number for both.
    pub(super) fn field_of_sequences(fields: &Fields<'_>, key: &str) -> Parsed<Option<[usize; 2]>> {
        match fields.sizes(key)?.as_deref() {
            None => Ok(None),
            Some([both]) => Ok(Some([*both, *both])),
            Some([before, after]) => Ok(Some([*before, *after])),
            Some(other) => Err(format!(
                "{key}: expected one or two numbers, found {other:?}"
            )),
        }
    }
}

/// Steps of zeros before and after a sequence.
///
/// # Shapes
/// input `[batch, steps, channels]` → output `[batch, before + steps + after, channels]`
///
/// ```
/// use dlcore::layers::{Layer, ZeroPadding1D};
/// use dlcore::Tensor;
/// let y = ZeroPadding1D::new([2, 1]).forward(&Tensor::ones([1, 2, 1]), false);
/// assert_eq!(y.to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0]);
/// ```
///
/// Source: Keras 3, `layers/reshaping/zero_padding1d.py`.
#[derive(Clone, Debug)]
pub struct ZeroPadding1D {
    base: Base,
    padding: [usize; 2],
    layout: Layout,
}

layer_settings!(ZeroPadding1D, "zero_padding1d");

impl ZeroPadding1D {
    /// So many steps before and after: `1` on both sides, which is Keras's default, or `[2, 0]`.
    pub fn new(padding: impl Into<Pair>) -> ZeroPadding1D {
        ZeroPadding1D {
            base: Base::new("ZeroPadding1D", "zero_padding1d"),
            padding: padding.into().0,
            layout: Layout::new(1),
        }
    }

    /// Where the channels stand, by name: `"channels_last"`, `"channels_first"` (`"channels_last"`).
    pub fn data_format(mut self, data_format: impl Into<DataFormat>) -> ZeroPadding1D {
        self.layout.data_format = data_format.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<ZeroPadding1D> {
        let layer = ZeroPadding1D {
            base: Base::from_config("ZeroPadding1D", "zero_padding1d", fields)?,
            padding: Margins::field_of_sequences(fields, "padding")?.unwrap_or([1, 1]),
            layout: Layout::from_config(1, fields)?,
        };
        let checked = layer.layout.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

impl Layer for ZeroPadding1D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.layout.check(&self.base)?;
        self.layout.split(&self.base, input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let ([_, steps], channels) = self.layout.split(&self.base, input_shape)?;
        let [before, after] = self.padding;
        Ok(self.layout.join([1, before + steps + after], channels))
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let sample = x.shape().get(1..).unwrap_or_default();
        expect(self.layout.split(&self.base, sample));
        let margins = Margins([[0, 0], self.padding]).of_batch();
        self.layout
            .samples(&expect(ops::pad(&self.layout.images(x), &margins)))
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "padding": self.padding,
            "data_format": self.layout.data_format.name(),
        })))
    }

    /// None: there are more timesteps now.
    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

/// A frame of zeros around images.
///
/// # Shapes
/// input `[batch, height, width, channels]` → output
/// `[batch, top + height + bottom, left + width + right, channels]`
///
/// ```
/// use dlcore::layers::{Layer, ZeroPadding2D};
/// let mut layer = ZeroPadding2D::new([[0, 1], [0, 1]]);
/// layer.build(&[224, 224, 3])?;
/// assert_eq!(layer.output_shape(&[224, 224, 3])?, [225, 225, 3]);
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// Source: Keras 3, `layers/reshaping/zero_padding2d.py`.
#[derive(Clone, Debug)]
pub struct ZeroPadding2D {
    base: Base,
    padding: Margins,
    layout: Layout,
}

layer_settings!(ZeroPadding2D, "zero_padding2d");

impl ZeroPadding2D {
    /// So much on each side: `1`, which is Keras's default, `[1, 2]` for height and width, or
    /// `[[top, bottom], [left, right]]`.
    pub fn new(padding: impl Into<Margins>) -> ZeroPadding2D {
        ZeroPadding2D {
            base: Base::new("ZeroPadding2D", "zero_padding2d"),
            padding: padding.into(),
            layout: Layout::new(2),
        }
    }

    /// Where the channels stand, by name: `"channels_last"`, `"channels_first"` (`"channels_last"`).
    pub fn data_format(mut self, data_format: impl Into<DataFormat>) -> ZeroPadding2D {
        self.layout.data_format = data_format.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<ZeroPadding2D> {
        let layer = ZeroPadding2D {
            base: Base::from_config("ZeroPadding2D", "zero_padding2d", fields)?,
            padding: Margins::field(fields, "padding")?.unwrap_or(Margins::from(1)),
            layout: Layout::from_config(2, fields)?,
        };
        let checked = layer.layout.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

impl Layer for ZeroPadding2D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.layout.check(&self.base)?;
        self.layout.split(&self.base, input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let ([height, width], channels) = self.layout.split(&self.base, input_shape)?;
        let [[top, bottom], [left, right]] = self.padding.0;
        let extent = [top + height + bottom, left + width + right];
        Ok(self.layout.join(extent, channels))
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let sample = x.shape().get(1..).unwrap_or_default();
        expect(self.layout.split(&self.base, sample));
        let padded = ops::pad(&self.layout.images(x), &self.padding.of_batch());
        self.layout.samples(&expect(padded))
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "padding": self.padding.0,
            "data_format": self.layout.data_format.name(),
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
            Case::new(ZeroPadding1D::new(1), &[2, 2], &[4, 2], 0)
                .refuses(&[2], "[steps, channels]"),
        );
        let first = ZeroPadding1D::new([0, 2]).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3], &[2, 5], 0));
        check_layer(
            Case::new(ZeroPadding2D::new(1), &[2, 3, 2], &[4, 5, 2], 0)
                .refuses(&[2, 2], "[height, width, channels]"),
        );
        let first = ZeroPadding2D::new(((1, 0), (0, 2))).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3, 1], &[2, 4, 3], 0));
    }

    #[test]
    fn margins_are_read_in_all_their_forms() {
        let read = |value: Value| {
            let config = json!({"padding": value});
            Margins::field(&Fields::of(&config, "test").unwrap(), "padding")
        };
        assert_eq!(read(json!(3)), Ok(Some(Margins::from(3))));
        assert_eq!(read(json!([1, 2])), Ok(Some(Margins::from((1, 2)))));
        assert_eq!(
            read(json!([[0, 1], [2, 3]])),
            Ok(Some(Margins::from(((0, 1), (2, 3)))))
        );
        for wrong in [
            json!([1, 2, 3]),
            json!([[1, 2], [3, -4]]),
            json!([[1], [2]]),
        ] {
            assert!(read(wrong).is_err());
        }
    }

    #[test]
    fn an_unknown_data_format_is_refused_with_the_layers_name() {
        let mut layer = ZeroPadding2D::new(1).data_format("first").name("z");
        let text = layer.build(&[2, 2, 1]).unwrap_err().to_string();
        assert!(
            text.starts_with("z (ZeroPadding2D): unknown data_format \"first\""),
            "{text}"
        );
    }

    #[test]
    fn a_mask_ends_here() {
        let mask = Tensor::from([[true, false]]);
        let mask = ZeroPadding2D::new(1).output_mask(&[Tensor::ones([1, 2, 2, 1])], &[Some(mask)]);
        assert!(mask.is_none());
    }
}

//! What is added to, or taken from, the sides of sequences and images.

use serde_json::{Value, json};

use super::Pair;
use crate::config::{Fields, Parsed};

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
    /// Of a layer for images.
    pub(super) fn of_images(margins: impl Into<Margins>) -> Margins {
        margins.into()
    }

    /// Of a layer for sequences, which are images of height 1.
    pub(super) fn of_sequences(pair: impl Into<Pair>) -> Margins {
        Margins([[0, 0], pair.into().0])
    }

    /// Before and after all axes of a batch, the channels last.
    pub(super) fn of_batch(self) -> [[usize; 2]; 4] {
        let [height, width] = self.0;
        [[0, 0], height, width, [0, 0]]
    }

    /// As it stands among the settings of a layer with so many spatial axes.
    pub(super) fn listed(self, rank: usize) -> Value {
        match rank {
            1 => json!(self.0[1]),
            _ => json!(self.0),
        }
    }

    /// A field that holds what any of the conversions takes.
    pub(super) fn field(fields: &Fields<'_>, key: &str, rank: usize) -> Parsed<Option<Margins>> {
        let nested = |value: &Value| value.as_array().is_some_and(|all| all.len() == 2);
        let list = fields.get(key).and_then(Value::as_array);
        if let Some([height, width]) = list.map(Vec::as_slice)
            && rank == 2
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
        match (rank, fields.sizes(key)?.as_deref()) {
            (_, None) => Ok(None),
            (1, Some([both])) => Ok(Some(Margins::of_sequences(*both))),
            (1, Some([before, after])) => Ok(Some(Margins::of_sequences([*before, *after]))),
            (1, Some(other)) => Err(format!(
                "{key}: expected one or two numbers, found {other:?}"
            )),
            (_, Some([all])) => Ok(Some(Margins::from(*all))),
            (_, Some([height, width])) => Ok(Some(Margins::from([*height, *width]))),
            (_, Some(other)) => Err(format!(
                "{key}: expected one or two numbers, or two pairs, found {other:?}"
            )),
        }
    }
}

/// Defines a layer that moves the edges of its input: by which margins, given and by default, what is
/// then left of height and width, and by which operation.
macro_rules! margin_layer {
    (
        $(#[$doc:meta])*
        $layer:ident, $prefix:literal, $rank:literal, $about:literal
        $margins:ident: $given:ty = $default:literal, $make:path, $extent:path, $op:path
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            $margins: Margins,
            layout: Layout,
        }

        layer_settings!($layer, $prefix);

        impl $layer {
            #[doc = $about]
            pub fn new($margins: impl Into<$given>) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    $margins: $make($margins),
                    layout: Layout::new($rank),
                }
            }

            /// The layer that [`Layer::config`] described.
            pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let margins = Margins::field(fields, stringify!($margins), $rank)?;
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    $margins: margins.unwrap_or($make($default)),
                    layout: Layout::from_config($rank, fields)?,
                };
                let checked = layer.layout.check(&layer.base);
                checked.map_err(|error| error.to_string())?;
                Ok(layer)
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.layout.check(&self.base)?;
                self.output_shape(input_shape)?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (extent, channels) = self.layout.split(&self.base, input_shape)?;
                let extent = $extent(&self.base, extent, self.$margins)?;
                Ok(self.layout.join(extent, channels))
            }

            fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
                expect(self.output_shape(self.base.sample(x)));
                let moved = $op(&self.layout.images(x), &self.$margins.of_batch());
                self.layout.samples(&expect(moved))
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({
                    stringify!($margins): self.$margins.listed($rank),
                    "data_format": self.layout.data_format.name(),
                })))
            }

            /// None: as in Keras, what counted as a timestep before does so no more.
            fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
                None
            }
        }
    };
}
pub(super) use margin_layer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_read_in_all_their_forms() {
        let read = |value: Value| {
            let config = json!({"padding": value});
            Margins::field(&Fields::of(&config, "test").unwrap(), "padding", 2)
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
}

//! How layers look at images and sequences: windows, padding, the order of axes.

mod layout;
mod sliding;

pub(super) use layout::Layout;
pub(super) use sliding::{Sliding, check_channels, sliding_settings};

use super::Base;
use crate::config::{Fields, Parsed};
use crate::{Result, names};

/// Two numbers as an argument: height and width, or before and after; `3` means `[3, 3]`.
///
/// ```
/// use dlcore::layers::Conv2D;
/// let square = Conv2D::new(32, 3);
/// let wide = Conv2D::new(32, [1, 7]).strides((1, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub(super) [usize; 2]);

impl Pair {
    /// Of a layer for images.
    pub(super) fn of_images(pair: impl Into<Pair>) -> [usize; 2] {
        pair.into().0
    }

    /// Of a layer for sequences, which are images of height 1.
    pub(super) fn of_sequences(length: usize) -> [usize; 2] {
        [1, length]
    }
}

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Pair([both, both])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Pair(pair)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((height, width): (usize, usize)) -> Self {
        Pair([height, width])
    }
}

/// What a window finds beyond the edges, by its Keras name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: it stays within the input.
    Valid,
    /// So much padding that with strides of 1 the output is as large as the input; an odd one more is
    /// below and to the right, as in TensorFlow.
    Same,
    /// Padding before the first step only, so that no output sees a later input (sequences).
    Causal,
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
}

const PADDINGS: [&str; 3] = ["valid", "same", "causal"];

/// By name; one that is not known is reported when the layer is built.
impl From<&str> for Padding {
    fn from(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "valid" => Padding::Valid,
            "same" => Padding::Same,
            "causal" => Padding::Causal,
            _ => Padding::Unknown(name.to_string()),
        }
    }
}

impl Padding {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Padding::Valid => "valid",
            Padding::Same => "same",
            Padding::Causal => "causal",
            Padding::Unknown(name) => name,
        }
    }
}

/// Where the channels stand among the axes, by its Keras name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataFormat {
    /// `[batch, height, width, channels]`; what computation is fastest with.
    #[default]
    ChannelsLast,
    /// `[batch, channels, height, width]`
    ChannelsFirst,
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
}

const FORMATS: [&str; 2] = ["channels_last", "channels_first"];

/// By name; one that is not known is reported when the layer is built.
impl From<&str> for DataFormat {
    fn from(name: &str) -> Self {
        match name {
            "channels_last" => DataFormat::ChannelsLast,
            "channels_first" => DataFormat::ChannelsFirst,
            _ => DataFormat::Unknown(name.to_string()),
        }
    }
}

impl DataFormat {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            DataFormat::ChannelsLast => "channels_last",
            DataFormat::ChannelsFirst => "channels_first",
            DataFormat::Unknown(name) => name,
        }
    }

    /// The setting of a saved layer; a field that is missing is `"channels_last"`.
    pub(super) fn from_field(fields: &Fields<'_>) -> Parsed<DataFormat> {
        match fields.get("data_format") {
            Some(_) => Ok(fields.text("data_format")?.into()),
            None => Ok(DataFormat::ChannelsLast),
        }
    }

    /// An error for a name that is not known.
    pub(super) fn check(&self, base: &Base) -> Result<()> {
        match self {
            DataFormat::Unknown(name) => {
                Err(base.value_error(names::unknown("data_format", name, &FORMATS)))
            }
            _ => Ok(()),
        }
    }
}

/// Defines the setting of a layer whose data format lies in this field.
macro_rules! data_format_setting {
    ($layer:ident, $($field:ident).+) => {
        impl $layer {
            /// Where the channels stand, by name: `"channels_last"`, `"channels_first"`
            /// (`"channels_last"`).
            pub fn data_format(
                mut self,
                data_format: impl Into<$crate::layers::DataFormat>,
            ) -> $layer {
                self.$($field).+ = data_format.into();
                self
            }
        }
    };
}
pub(super) use data_format_setting;

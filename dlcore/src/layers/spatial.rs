//! How layers look at images and sequences: windows, padding, the order of axes.

use serde_json::{Map, Value, json};

use super::Base;
use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::{Error, Result, Tensor, names};

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
}

/// Samples with channels along one or two spatial axes: steps, or height and width.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    rank: usize,
    pub(super) data_format: DataFormat,
}

impl Layout {
    pub(super) fn new(rank: usize) -> Layout {
        Layout {
            rank,
            data_format: DataFormat::ChannelsLast,
        }
    }

    pub(super) fn from_config(rank: usize, fields: &Fields<'_>) -> Parsed<Layout> {
        let mut layout = Self::new(rank);
        if fields.get("data_format").is_some() {
            layout.data_format = fields.text("data_format")?.into();
        }
        Ok(layout)
    }

    pub(super) fn check(&self, base: &Base) -> Result<()> {
        match &self.data_format {
            DataFormat::Unknown(name) => {
                Err(base.value_error(names::unknown("data_format", name, &FORMATS)))
            }
            _ => Ok(()),
        }
    }

    fn first(&self) -> bool {
        self.data_format == DataFormat::ChannelsFirst
    }

    /// The axes of a sample by name.
    fn axes(&self) -> &'static str {
        match (self.rank, self.first()) {
            (1, false) => "[steps, channels]",
            (1, true) => "[channels, steps]",
            (_, false) => "[height, width, channels]",
            (_, true) => "[channels, height, width]",
        }
    }

    /// Height, width and channels of a sample.
    pub(super) fn split(&self, base: &Base, shape: &[usize]) -> Result<([usize; 2], usize)> {
        let (space, channels) = match (self.first(), shape) {
            (false, [space @ .., channels]) => (space, *channels),
            (true, [channels, space @ ..]) => (space, *channels),
            _ => (&[][..], 0),
        };
        let extent = match (self.rank, space) {
            (1, [steps]) => [1, *steps],
            (2, [height, width]) => [*height, *width],
            _ => {
                let hint = match (shape.len() == self.rank, self.first()) {
                    (true, false) => "; x.expand_dims(-1) adds an axis of one channel",
                    (true, true) => "; x.expand_dims(1) adds an axis of one channel",
                    _ => "",
                };
                return Err(base.shape_error(format!(
                    "expected samples of shape {}, got {shape:?} (without the batch axis){hint}",
                    self.axes()
                )));
            }
        };
        if channels == 0 || extent.contains(&0) {
            return Err(base.shape_error(format!(
                "expected samples with at least one element, got shape {shape:?}"
            )));
        }
        Ok((extent, channels))
    }

    /// The shape of a sample of this height, width and number of channels.
    pub(super) fn join(&self, [height, width]: [usize; 2], channels: usize) -> Vec<usize> {
        match (self.rank, self.first()) {
            (1, false) => vec![width, channels],
            (1, true) => vec![channels, width],
            (_, false) => vec![height, width, channels],
            (_, true) => vec![channels, height, width],
        }
    }

    /// A batch as `[batch, height, width, channels]`.
    pub(super) fn images(&self, x: &Tensor) -> Tensor {
        let x = match (self.rank, self.first()) {
            (_, false) => x.clone(),
            (1, true) => x.permute(&[0, 2, 1]),
            (_, true) => x.permute(&[0, 2, 3, 1]),
        };
        match (self.rank, x.shape()) {
            (1, &[batch, steps, channels]) => x.reshape([batch, 1, steps, channels]),
            _ => x,
        }
    }

    /// What [`Layout::images`] did, undone.
    pub(super) fn samples(&self, y: &Tensor) -> Tensor {
        let y = match (self.rank, y.shape()) {
            (1, &[batch, 1, steps, channels]) => y.reshape([batch, steps, channels]),
            _ => y.clone(),
        };
        match (self.rank, self.first()) {
            (_, false) => y,
            (1, true) => y.permute(&[0, 2, 1]),
            (_, true) => y.permute(&[0, 3, 1, 2]),
        }
    }

    /// The entries of a list as the settings of the spatial axes.
    pub(super) fn listed(&self, [height, width]: [usize; 2]) -> Value {
        match self.rank {
            1 => json!([width]),
            _ => json!([height, width]),
        }
    }

    /// What [`Layout::listed`] wrote under `key`.
    pub(super) fn field(&self, fields: &Fields<'_>, key: &str) -> Parsed<Option<[usize; 2]>> {
        let Some(sizes) = fields.sizes(key)? else {
            return Ok(None);
        };
        match (self.rank, &sizes[..]) {
            (1, [length]) => Ok(Some([1, *length])),
            (2, [both]) => Ok(Some([*both, *both])),
            (2, [height, width]) => Ok(Some([*height, *width])),
            _ => Err(format!(
                "{key}: expected {} whole numbers, found {sizes:?}",
                self.rank
            )),
        }
    }
}

/// The settings of a window that slides over samples.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    /// What the window's size is called: `kernel_size`, `pool_size`.
    what: &'static str,
    pub(super) size: [usize; 2],
    pub(super) strides: [usize; 2],
    pub(super) dilation_rate: [usize; 2],
    pub(super) padding: Padding,
    pub(super) layout: Layout,
}

impl Sliding {
    /// A window with strides as given, else Keras's defaults.
    pub(super) fn new(
        what: &'static str,
        rank: usize,
        size: [usize; 2],
        strides: [usize; 2],
    ) -> Sliding {
        Sliding {
            what,
            size,
            strides,
            dilation_rate: [1, 1],
            padding: Padding::Valid,
            layout: Layout::new(rank),
        }
    }

    /// What [`Sliding::write`] wrote; strides that are missing are `strides(size)`.
    pub(super) fn from_config(
        what: &'static str,
        rank: usize,
        fields: &Fields<'_>,
        strides: fn([usize; 2]) -> [usize; 2],
    ) -> Parsed<Sliding> {
        let layout = Layout::from_config(rank, fields)?;
        let size = layout.field(fields, what)?;
        let size = size.ok_or_else(|| format!("{what}: expected whole numbers, found nothing"))?;
        let padding = match fields.get("padding") {
            Some(_) => fields.text("padding")?.into(),
            None => Padding::Valid,
        };
        Ok(Sliding {
            what,
            size,
            strides: layout.field(fields, "strides")?.unwrap_or(strides(size)),
            dilation_rate: layout.field(fields, "dilation_rate")?.unwrap_or([1, 1]),
            padding,
            layout,
        })
    }

    pub(super) fn write(&self, config: &mut Map<String, Value>) {
        let layout = &self.layout;
        config.insert(self.what.into(), layout.listed(self.size));
        config.insert("strides".into(), layout.listed(self.strides));
        config.insert("padding".into(), json!(self.padding.name()));
        config.insert("data_format".into(), json!(layout.data_format.name()));
        if self.what == "kernel_size" {
            config.insert("dilation_rate".into(), layout.listed(self.dilation_rate));
        }
    }

    /// An error that names the setting that makes no sense; `causal` says whether that padding does.
    pub(super) fn check(&self, base: &Base, causal: bool) -> Result<()> {
        let settings = [
            (self.what, self.size),
            ("strides", self.strides),
            ("dilation_rate", self.dilation_rate),
        ];
        for (what, pair) in settings {
            if pair.contains(&0) {
                return Err(base.value_error(format!(
                    "{what} must be at least 1, got {}",
                    self.layout.listed(pair)
                )));
            }
        }
        let known = if causal { 3 } else { 2 };
        if let Some(name) = match &self.padding {
            Padding::Unknown(name) => Some(name.as_str()),
            Padding::Causal if !causal => Some("causal"),
            _ => None,
        } {
            let text = names::unknown("padding", name, &PADDINGS[..known]);
            return Err(base.value_error(text));
        }
        self.layout.check(base)
    }

    /// An error where steps are skipped by strides and by dilation at once, which Keras refuses.
    pub(super) fn check_skips(&self, base: &Base) -> Result<()> {
        let above_one = |pair: [usize; 2]| pair.iter().any(|&n| n > 1);
        if !(above_one(self.strides) && above_one(self.dilation_rate)) {
            return Ok(());
        }
        Err(base.value_error(format!(
            "strides above 1 do not go together with a dilation_rate above 1, got strides {} and \
             dilation_rate {}",
            self.layout.listed(self.strides),
            self.layout.listed(self.dilation_rate)
        )))
    }

    /// What the window reaches over along an axis.
    pub(super) fn reach(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation_rate[axis] + 1
    }

    /// The window with so much padding before.
    pub(super) fn window(&self, before: [usize; 2]) -> Window {
        Window {
            size: self.size,
            strides: self.strides,
            dilation: self.dilation_rate,
            before,
        }
    }

    /// The window over a sample of this height and width, and its positions along each axis.
    pub(super) fn positions(
        &self,
        base: &Base,
        extent: [usize; 2],
    ) -> Result<(Window, [usize; 2])> {
        let (mut before, mut positions) = ([0, 0], [0, 0]);
        for axis in 0..2 {
            let (length, stride, reach) = (extent[axis], self.strides[axis], self.reach(axis));
            positions[axis] = match self.padding {
                Padding::Valid if reach > length => return Err(self.too_small(base, extent)),
                Padding::Valid => (length - reach) / stride + 1,
                _ => length.div_ceil(stride),
            };
            before[axis] = match self.padding {
                Padding::Same => {
                    ((positions[axis] - 1) * stride + reach).saturating_sub(length) / 2
                }
                Padding::Causal => reach - 1,
                _ => 0,
            };
        }
        Ok((self.window(before), positions))
    }

    fn too_small(&self, base: &Base, extent: [usize; 2]) -> Error {
        let reach = self.layout.listed([self.reach(0), self.reach(1)]);
        let dilated = match self.dilation_rate {
            [1, 1] => String::new(),
            rate => format!(", dilated by {}", self.layout.listed(rate)),
        };
        base.shape_error(format!(
            "expected samples of at least {reach}, which a {} of {}{dilated} reaches over, got {}; a \
             smaller {0}, or padding(\"same\"), fits",
            self.what,
            self.layout.listed(self.size),
            self.layout.listed(extent)
        ))
    }
}

/// Defines the settings of a layer with a window in `self.sliding`.
macro_rules! sliding_settings {
    ($layer:ident, $extent:ty, $pair:path, $strides:literal, $paddings:literal) => {
        impl $layer {
            #[doc = concat!("How far the window moves from one position to the next (", $strides, ").")]
            pub fn strides(mut self, strides: $extent) -> $layer {
                self.sliding.strides = $pair(strides);
                self
            }

            #[doc = concat!("What lies beyond the edges, by name: ", $paddings, " (`\"valid\"`).")]
            pub fn padding(mut self, padding: impl Into<$crate::layers::Padding>) -> $layer {
                self.sliding.padding = padding.into();
                self
            }

            /// Where the channels stand, by name: `"channels_last"`, `"channels_first"`
            /// (`"channels_last"`).
            pub fn data_format(
                mut self,
                data_format: impl Into<$crate::layers::DataFormat>,
            ) -> $layer {
                self.sliding.layout.data_format = data_format.into();
                self
            }
        }
    };
}
pub(super) use sliding_settings;

//! The order of a sample's axes.

use serde_json::{Value, json};

use super::super::Base;
use super::DataFormat;
use crate::config::{Fields, Parsed};
use crate::{Result, Tensor};

/// Samples with channels along one or two spatial axes: steps, or height and width.
#[derive(Clone, Debug)]
pub(in crate::layers) struct Layout {
    rank: usize,
    pub(in crate::layers) data_format: DataFormat,
}

impl Layout {
    pub(in crate::layers) fn new(rank: usize) -> Layout {
        Layout {
            rank,
            data_format: DataFormat::ChannelsLast,
        }
    }

    pub(in crate::layers) fn from_config(rank: usize, fields: &Fields<'_>) -> Parsed<Layout> {
        Ok(Layout {
            rank,
            data_format: DataFormat::from_field(fields)?,
        })
    }

    pub(in crate::layers) fn check(&self, base: &Base) -> Result<()> {
        self.data_format.check(base)
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
    pub(in crate::layers) fn split(
        &self,
        base: &Base,
        shape: &[usize],
    ) -> Result<([usize; 2], usize)> {
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
    pub(in crate::layers) fn join(
        &self,
        [height, width]: [usize; 2],
        channels: usize,
    ) -> Vec<usize> {
        match (self.rank, self.first()) {
            (1, false) => vec![width, channels],
            (1, true) => vec![channels, width],
            (_, false) => vec![height, width, channels],
            (_, true) => vec![channels, height, width],
        }
    }

    /// A batch as `[batch, height, width, channels]`.
    pub(in crate::layers) fn images(&self, x: &Tensor) -> Tensor {
        let x = match (self.rank, self.first()) {
            (_, false) => x.clone(),
            (1, true) => x.permute([0, 2, 1]),
            (_, true) => x.permute([0, 2, 3, 1]),
        };
        match (self.rank, x.shape()) {
            (1, &[batch, steps, channels]) => x.reshape([batch, 1, steps, channels]),
            _ => x,
        }
    }

    /// What [`Layout::images`] did, undone.
    pub(in crate::layers) fn samples(&self, y: &Tensor) -> Tensor {
        let y = match (self.rank, y.shape()) {
            (1, &[batch, 1, steps, channels]) => y.reshape([batch, steps, channels]),
            _ => y.clone(),
        };
        match (self.rank, self.first()) {
            (_, false) => y,
            (1, true) => y.permute([0, 2, 1]),
            (_, true) => y.permute([0, 3, 1, 2]),
        }
    }

    /// The entries of a list as the settings of the spatial axes.
    pub(in crate::layers) fn listed(&self, [height, width]: [usize; 2]) -> Value {
        match self.rank {
            1 => json!([width]),
            _ => json!([height, width]),
        }
    }

    /// What [`Layout::listed`] wrote under `key`.
    pub(in crate::layers) fn field(
        &self,
        fields: &Fields<'_>,
        key: &str,
    ) -> Parsed<Option<[usize; 2]>> {
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

//! Windows that slide over samples.

use serde_json::{Map, Value, json};

use super::super::Base;
use super::{Layout, PADDINGS, Padding};
use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::{Error, Result, names};

/// The settings of a window that slides over samples.
#[derive(Clone, Debug)]
pub(in crate::layers) struct Sliding {
    /// What the window's size is called: `kernel_size`, `pool_size`.
    what: &'static str,
    pub(in crate::layers) size: [usize; 2],
    pub(in crate::layers) strides: [usize; 2],
    pub(in crate::layers) dilation_rate: [usize; 2],
    pub(in crate::layers) padding: Padding,
    pub(in crate::layers) layout: Layout,
}

impl Sliding {
    /// A window with strides as given, else Keras's defaults.
    pub(in crate::layers) fn new(
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
    pub(in crate::layers) fn from_config(
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

    pub(in crate::layers) fn write(&self, config: &mut Map<String, Value>) {
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
    pub(in crate::layers) fn check(&self, base: &Base, causal: bool) -> Result<()> {
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
    pub(in crate::layers) fn check_skips(&self, base: &Base) -> Result<()> {
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
    pub(in crate::layers) fn reach(&self, axis: usize) -> usize {
        // What would not fit into memory is found out where room is asked for.
        let steps = self.size[axis].saturating_sub(1);
        steps
            .saturating_mul(self.dilation_rate[axis])
            .saturating_add(1)
    }

    /// The window with so much padding before.
    pub(in crate::layers) fn window(&self, before: [usize; 2]) -> Window {
        Window {
            size: self.size,
            strides: self.strides,
            dilation: self.dilation_rate,
            before,
        }
    }

    /// The window over a sample of this height and width, and its positions along each axis.
    pub(in crate::layers) fn positions(
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
                    let last = positions[axis].saturating_sub(1) * stride;
                    last.saturating_add(reach).saturating_sub(length) / 2
                }
                Padding::Causal => reach - 1,
                _ => 0,
            };
        }
        Ok((self.window(before), positions))
    }

    /// The window over a sample, its positions, and the sample's channels, which must be as many as the
    /// layer was built for, if it is.
    pub(in crate::layers) fn over(
        &self,
        base: &Base,
        shape: &[usize],
        built: Option<usize>,
    ) -> Result<(Window, [usize; 2], usize)> {
        let (extent, channels) = self.layout.split(base, shape)?;
        check_channels(base, built, channels, shape)?;
        let (window, positions) = self.positions(base, extent)?;
        Ok((window, positions, channels))
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

/// An error, once the layer is built, for samples with other channels than it was built for.
pub(in crate::layers) fn check_channels(
    base: &Base,
    built: Option<usize>,
    got: usize,
    shape: &[usize],
) -> Result<()> {
    match built {
        Some(built) if built != got => Err(base.shape_error(format!(
            "expected {built} channels, as when it was built, got {got} in samples of shape {shape:?}"
        ))),
        _ => Ok(()),
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
        }

        $crate::layers::spatial::data_format_setting!($layer, sliding.layout.data_format);
    };
}
pub(in crate::layers) use sliding_settings;

//! Pictures from files and into files.

use std::path::Path;

use super::decode::{self, Picture};
use super::resize;
use crate::{Error, Result, Tensor, names};

const COLOR_MODES: [&str; 3] = ["rgb", "rgba", "grayscale"];

/// The settings of [`load_img`], with Keras's defaults. An array alone is `target_size`.
///
/// ```
/// use dlcore::preprocessing::LoadImg;
/// let settings = LoadImg::new().color_mode("grayscale").target_size([150, 150]);
/// ```
#[derive(Clone, Debug)]
pub struct LoadImg {
    pub(super) color_mode: String,
    pub(super) target_size: Option<[usize; 2]>,
    pub(super) interpolation: String,
    pub(super) keep_aspect_ratio: bool,
}

impl Default for LoadImg {
    fn default() -> Self {
        LoadImg::new()
    }
}

impl LoadImg {
    /// Keras's defaults.
    pub fn new() -> LoadImg {
        LoadImg {
            color_mode: "rgb".to_owned(),
            target_size: None,
            interpolation: "nearest".to_owned(),
            keep_aspect_ratio: false,
        }
    }

    /// `"rgb"`, `"rgba"` or `"grayscale"` (`"rgb"`).
    pub fn color_mode(mut self, color_mode: &str) -> LoadImg {
        self.color_mode = color_mode.to_owned();
        self
    }

    /// Height and width to which the picture is brought (its own).
    pub fn target_size(mut self, target_size: [usize; 2]) -> LoadImg {
        self.target_size = Some(target_size);
        self
    }

    /// How: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`
    /// (`"nearest"`), as Pillow computes them.
    pub fn interpolation(mut self, interpolation: &str) -> LoadImg {
        self.interpolation = interpolation.to_owned();
        self
    }

    /// Whether the picture is cut to the target's proportions first, so that nothing is distorted
    /// (false).
    pub fn keep_aspect_ratio(mut self, keep: bool) -> LoadImg {
        self.keep_aspect_ratio = keep;
        self
    }

    /// How many channels there are.
    pub(super) fn channels(&self) -> Result<usize> {
        channels(&self.color_mode, "load_img")
    }
}

pub(super) fn channels(color_mode: &str, operation: &str) -> Result<usize> {
    match color_mode {
        "rgb" => Ok(3),
        "rgba" => Ok(4),
        "grayscale" => Ok(1),
        other => Err(Error::Value(format!(
            "{operation}: {}",
            names::unknown("color_mode", other, &COLOR_MODES)
        ))),
    }
}

impl From<[usize; 2]> for LoadImg {
    fn from(target_size: [usize; 2]) -> LoadImg {
        LoadImg::new().target_size(target_size)
    }
}

impl From<&LoadImg> for LoadImg {
    fn from(settings: &LoadImg) -> LoadImg {
        settings.clone()
    }
}

/// The picture in a PNG or JPEG file, as `keras.utils.load_img`: as it lies in the file, so that a photograph for
/// which a camera noted that it is to be turned is not turned. Of sixteen bits the upper eight are taken.
///
/// # Shapes
/// → `[height, width, channels]`, `U8`; channels are 3, unless `color_mode` says otherwise
///
/// ```no_run
/// use dlcore::prelude::*;
/// let img = load_img("cats/cat.1700.jpg", [150, 150])?;
/// let x = img_to_array(&img).reshape([1, 150, 150, 3]) / 255.0;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if the file is missing, damaged, too large or of another kind; [`Error::Value`] for
/// a setting that is not known.
pub fn load_img(path: impl AsRef<Path>, settings: impl Into<LoadImg>) -> Result<Tensor> {
    load(path.as_ref(), &settings.into())
}

fn load(path: &Path, settings: &LoadImg) -> Result<Tensor> {
    let picture = load_picture(path, settings)?;
    let shape = [picture.height, picture.width, picture.channels];
    Tensor::from_shape_vec_u8(shape, picture.pixels)
}

pub(super) fn load_picture(path: &Path, settings: &LoadImg) -> Result<Picture> {
    let channels = settings.channels()?;
    let picture = decode::read(path)?.with_channels(channels);
    let Some([height, width]) = settings.target_size else {
        return Ok(picture);
    };
    check_target([height, width], "load_img")?;
    if [picture.height, picture.width] == [height, width] {
        return Ok(picture);
    }
    let (mut rows, mut columns) = (0..picture.height, 0..picture.width);
    if settings.keep_aspect_ratio {
        let middle = |length: usize, kept: usize| {
            let kept = kept.clamp(1, length);
            let start = (length - kept) / 2;
            start..start + kept
        };
        rows = middle(picture.height, picture.width * height / width);
        columns = middle(picture.width, picture.height * width / height);
    }
    resize::pillow(
        &picture,
        rows,
        columns,
        [height, width],
        &settings.interpolation,
    )
}

/// An error unless a picture can have this size.
pub(super) fn check_target([height, width]: [usize; 2], operation: &str) -> Result<()> {
    const LARGEST: usize = 1 << 14;
    match (height, width) {
        (1..=LARGEST, 1..=LARGEST) => Ok(()),
        _ => Err(Error::Value(format!(
            "{operation}: expected a height and width from 1 to {LARGEST}, got {height} and {width}"
        ))),
    }
}

/// A picture as numbers to compute with, as `keras.utils.img_to_array`.
///
/// # Shapes
/// `[height, width, channels]` or `[height, width]` → `[height, width, channels]`, `F32`
///
/// # Panics
/// If the shape is another one.
#[track_caller]
pub fn img_to_array(img: &Tensor) -> Tensor {
    match img.shape() {
        [_, _, _] => img.cast(crate::DType::F32),
        &[height, width] => img.cast(crate::DType::F32).reshape([height, width, 1]),
        other => panic!("img_to_array: expected [height, width, channels], got shape {other:?}"),
    }
}

/// Numbers as a picture, as `keras.utils.array_to_img`: with `scale` from the least, which becomes 0,
/// to the largest, which becomes 255; otherwise from 0 to 255 as they are.
///
/// # Shapes
/// `[height, width, channels]` → the same, `U8`
///
/// # Errors
/// [`Error::Shape`] if it is no picture, of 1, 3 or 4 channels.
pub fn array_to_img(x: &Tensor, scale: bool) -> Result<Tensor> {
    let [_, _, 1 | 3 | 4] = *x.shape() else {
        return Err(Error::Shape(format!(
            "array_to_img: expected [height, width, channels] with 1, 3 or 4 channels, got shape {:?}",
            x.shape()
        )));
    };
    let mut values = x.to_vec();
    if scale {
        scale_to_bytes(&mut values);
    }
    Tensor::from_shape_vec_u8(x.shape(), values.iter().map(|&v| byte(v)).collect())
}

/// From 0 to 255, as Keras scales.
pub(super) fn scale_to_bytes(values: &mut [f32]) {
    let (least, _) = extremes(values);
    values.iter_mut().for_each(|v| *v -= least);
    let (_, largest) = extremes(values);
    let divisor = if largest == 0.0 { 1.0 } else { largest };
    values.iter_mut().for_each(|v| *v = *v / divisor * 255.0);
}

/// The smallest and the largest value.
pub(super) fn extremes(values: &[f32]) -> (f32, f32) {
    let start = (f32::INFINITY, f32::NEG_INFINITY);
    let wider = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
    values.iter().fold(start, wider)
}

/// Towards zero, and around where a byte ends, as NumPy's `astype`.
pub(super) fn byte(value: f32) -> u8 {
    value as i64 as u8
}

/// Writes a picture as PNG, as `keras.utils.save_img`; `scale` as in [`array_to_img`], bytes as they
/// are. The file is complete or, if writing fails, not there.
///
/// # Errors
/// [`Error::Shape`] if `x` is no picture; [`Error::File`] if the name does not end in `.png` or the file
/// cannot be written.
pub fn save_img(path: impl AsRef<Path>, x: &Tensor, scale: bool) -> Result<()> {
    save(path.as_ref(), x, scale)
}

fn save(path: &Path, x: &Tensor, scale: bool) -> Result<()> {
    let failed = |message: String| Error::File {
        path: path.to_owned(),
        message,
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    if !ending.is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return Err(failed(
            "pictures are written as PNG: let the name end in .png".to_owned(),
        ));
    }
    let img = array_to_img(&img_of(x)?, scale && x.dtype() != crate::DType::U8)?;
    let bytes = encode(&img).map_err(|error| failed(error.to_string()))?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(format!("cannot be written: {error}"))
    })
}

/// A picture, which may come without its axis of channels.
fn img_of(x: &Tensor) -> Result<Tensor> {
    match *x.shape() {
        [height, width] => x.try_reshape([height, width, 1]),
        _ => Ok(x.clone()),
    }
}

fn encode(img: &Tensor) -> Result<Vec<u8>, png::EncodingError> {
    let [height, width, channels] = *img.shape() else {
        unreachable!("array_to_img gives pictures")
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&img.to_vec_of::<u8>())?;
    writer.finish()?;
    Ok(bytes)
}

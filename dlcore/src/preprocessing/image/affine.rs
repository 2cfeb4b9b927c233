//! Pictures turned, shifted, sheared and zoomed, as Keras computes it with SciPy.
//!
//! After `apply_affine_transform` of Keras's legacy image module, over `scipy.ndimage.affine_transform`
//! with splines of order 0 or 1.

use crate::{Error, Result, Tensor, names};

/// How a picture is changed: what `get_random_transform` draws and `apply_transform` does.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTransform {
    /// Rotation, in degrees.
    pub theta: f64,
    /// Shift along the height, in pixels.
    pub tx: f64,
    /// Shift along the width, in pixels.
    pub ty: f64,
    /// Shear, in degrees.
    pub shear: f64,
    /// Zoom along the height: what is below 1 enlarges.
    pub zx: f64,
    /// Zoom along the width.
    pub zy: f64,
    /// Whether left and right change places.
    pub flip_horizontal: bool,
    /// Whether above and below change places.
    pub flip_vertical: bool,
    /// What is added to all channels, within the picture's range.
    pub channel_shift_intensity: Option<f64>,
    /// The factor of the brightness.
    pub brightness: Option<f64>,
}

impl Default for ImageTransform {
    /// Nothing is changed.
    fn default() -> Self {
        ImageTransform {
            theta: 0.0,
            tx: 0.0,
            ty: 0.0,
            shear: 0.0,
            zx: 1.0,
            zy: 1.0,
            flip_horizontal: false,
            flip_vertical: false,
            channel_shift_intensity: None,
            brightness: None,
        }
    }
}

const FILL_MODES: [&str; 4] = ["constant", "nearest", "reflect", "wrap"];

/// What stands where a picture has nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fill {
    Constant(f32),
    Nearest,
    Reflect,
    Wrap,
}

impl Fill {
    pub fn named(name: &str, value: f64) -> Result<Fill> {
        match name {
            "constant" => Ok(Fill::Constant(value as f32)),
            "nearest" => Ok(Fill::Nearest),
            "reflect" => Ok(Fill::Reflect),
            "wrap" => Ok(Fill::Wrap),
            other => Err(Error::Value(names::unknown(
                "fill_mode",
                other,
                &FILL_MODES,
            ))),
        }
    }

    /// A place within an axis of this length, up to a pixel beyond it, or nowhere.
    #[inline(always)]
    fn place(self, at: f64, length: f64) -> Option<f64> {
        let last = length - 1.0;
        if at >= 0.0 && at <= last {
            return Some(at);
        }
        match self {
            Fill::Constant(_) => None,
            Fill::Nearest => Some(at.clamp(0.0, last)),
            Fill::Reflect if at < 0.0 => {
                let at = at + 2.0 * length * (-at / (2.0 * length)).trunc();
                Some(if at < -length {
                    at + 2.0 * length
                } else {
                    -at - 1.0
                })
            }
            Fill::Reflect => {
                let at = at - 2.0 * length * (at / (2.0 * length)).trunc();
                Some(if at >= length {
                    2.0 * length - at - 1.0
                } else {
                    at
                })
            }
            Fill::Wrap if last <= 0.0 => Some(0.0),
            // As in SciPy, the first and the last pixel fall together.
            Fill::Wrap if at < 0.0 => Some(at + last * ((-at / last).trunc() + 1.0)),
            Fill::Wrap => Some(at - last * (at / last).trunc()),
        }
    }
}

/// Where each pixel comes from: `matrix · (row, column) + offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

type Matrix = [[f64; 3]; 3];

fn product(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

impl ImageTransform {
    /// Where pixels come from, unless each stays where it is.
    pub(super) fn affine(&self, height: usize, width: usize) -> Option<Affine> {
        let mut factors: Vec<Matrix> = Vec::new();
        if self.theta != 0.0 {
            let (sine, cosine) = self.theta.to_radians().sin_cos();
            factors.push([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]);
        }
        if self.tx != 0.0 || self.ty != 0.0 {
            factors.push([[1.0, 0.0, self.tx], [0.0, 1.0, self.ty], [0.0, 0.0, 1.0]]);
        }
        if self.shear != 0.0 {
            let (sine, cosine) = self.shear.to_radians().sin_cos();
            factors.push([[1.0, -sine, 0.0], [0.0, cosine, 0.0], [0.0, 0.0, 1.0]]);
        }
        if self.zx != 1.0 || self.zy != 1.0 {
            factors.push([[self.zx, 0.0, 0.0], [0.0, self.zy, 0.0], [0.0, 0.0, 1.0]]);
        }
        let matrix = factors.into_iter().reduce(product)?;
        let (x, y) = (height as f64 / 2.0 - 0.5, width as f64 / 2.0 - 0.5);
        let there = [[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]];
        let back = [[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]];
        let [[a, b, c], [d, e, f], _] = product(product(there, matrix), back);
        // Keras exchanges the axes here: the matrix thinks of x before y, a picture of rows first.
        Some(Affine {
            matrix: [[e, d], [b, a]],
            offset: [f, c],
        })
    }
}

/// What `transform` makes of a picture's geometry, flips included.
pub(super) fn transform(
    from: &[f32],
    [height, width, channels]: [usize; 3],
    transform: &ImageTransform,
    fill: Fill,
    order: usize,
    to: &mut [f32],
) {
    let affine = transform.affine(height, width);
    for (row, to) in to.chunks_mut(width * channels).enumerate() {
        let row = if transform.flip_vertical {
            height - 1 - row
        } else {
            row
        };
        match affine {
            None => to.copy_from_slice(&from[row * width * channels..][..width * channels]),
            Some(affine) => {
                let size = [height, width];
                // The usual numbers of channels are known when the loops are compiled.
                match channels {
                    1 => pixels::<1>(from, size, 1, affine, row, fill, order, to),
                    3 => pixels::<3>(from, size, 3, affine, row, fill, order, to),
                    n => pixels::<0>(from, size, n, affine, row, fill, order, to),
                }
            }
        }
        if transform.flip_horizontal {
            reverse(to, channels);
        }
    }
}

/// The pixels of a row in the other direction.
fn reverse(row: &mut [f32], channels: usize) {
    row.reverse();
    row.chunks_mut(channels).for_each(<[f32]>::reverse);
}

/// One row. `C` channels, or `channels` where `C` is 0.
#[expect(clippy::too_many_arguments, reason = "the inner loop of one function")]
fn pixels<const C: usize>(
    from: &[f32],
    [height, width]: [usize; 2],
    channels: usize,
    affine: Affine,
    row: usize,
    fill: Fill,
    order: usize,
    to: &mut [f32],
) {
    let channels = if C == 0 { channels } else { C };
    let Affine { matrix, offset } = affine;
    let start = [
        offset[0] + matrix[0][0] * row as f64,
        offset[1] + matrix[1][0] * row as f64,
    ];
    let (lengths, last) = ([height as f64, width as f64], [height - 1, width - 1]);
    for (column, to) in to.chunks_exact_mut(channels).enumerate() {
        let at = |axis: usize| start[axis] + matrix[axis][1] * column as f64;
        let places = (fill.place(at(0), lengths[0]), fill.place(at(1), lengths[1]));
        let (Some(y), Some(x)) = places else {
            let Fill::Constant(value) = fill else {
                unreachable!("every other kind has a place")
            };
            to.fill(value);
            continue;
        };
        if order == 0 {
            // As casts do, below 0 is 0.
            let (y, x) = (
                ((y + 0.5) as usize).min(last[0]),
                ((x + 0.5) as usize).min(last[1]),
            );
            to.copy_from_slice(&from[(y * width + x) * channels..][..channels]);
            continue;
        }
        let ([top, bottom], below) = neighbours(y, last[0]);
        let ([left, right], beside) = neighbours(x, last[1]);
        let pixel = |y: usize, x: usize| &from[(y * width + x) * channels..][..channels];
        let (a, b) = (pixel(top, left), pixel(top, right));
        let (c, d) = (pixel(bottom, left), pixel(bottom, right));
        let weights = [
            (1.0 - below) * (1.0 - beside),
            (1.0 - below) * beside,
            below * (1.0 - beside),
            below * beside,
        ];
        for channel in 0..channels {
            to[channel] = a[channel] * weights[0]
                + b[channel] * weights[1]
                + c[channel] * weights[2]
                + d[channel] * weights[3];
        }
    }
}

/// The two pixels around a place, and the share of the second.
#[inline(always)]
fn neighbours(at: f64, last: usize) -> ([usize; 2], f32) {
    // Casts cut towards zero. `floor` would be a call for each pixel.
    let floor = at as isize - isize::from(at < 0.0);
    let near = |place: isize| (place.max(0) as usize).min(last);
    ([near(floor), near(floor + 1)], (at - floor as f64) as f32)
}

/// A picture turned, shifted, sheared and zoomed about its middle, as Keras's
/// `apply_affine_transform`; what else `how` says is not done.
///
/// `fill_mode` says what stands where the picture has nothing: `"nearest"` its edge, `"reflect"` its
/// mirror image, `"wrap"` its other side, `"constant"` the value `cval`.
///
/// # Shapes
/// `[height, width, channels]` → the same, `F32`
///
/// # Errors
/// [`Error::Shape`] if it is no picture, [`Error::Value`] for a mode that is not known or numbers that
/// are none.
pub fn apply_affine_transform(
    x: &Tensor,
    how: &ImageTransform,
    fill_mode: &str,
    cval: f64,
) -> Result<Tensor> {
    let [height, width, channels] = *x.shape() else {
        return Err(Error::Shape(format!(
            "apply_affine_transform: expected [height, width, channels], got shape {:?}",
            x.shape()
        )));
    };
    let fill = Fill::named(fill_mode, cval)
        .map_err(|error| Error::Value(format!("apply_affine_transform: {error}")))?;
    check_finite(how)?;
    if x.len() == 0 {
        return Ok(x.cast(crate::DType::F32));
    }
    let how = ImageTransform {
        flip_horizontal: false,
        flip_vertical: false,
        ..how.clone()
    };
    let mut values = vec![0.0; x.len()];
    transform(
        &x.to_vec(),
        [height, width, channels],
        &how,
        fill,
        1,
        &mut values,
    );
    Tensor::from_shape_vec([height, width, channels], values)
}

pub(super) fn check_finite(how: &ImageTransform) -> Result<()> {
    let numbers = [how.theta, how.tx, how.ty, how.shear, how.zx, how.zy];
    match numbers.iter().all(|number| number.is_finite()) {
        true => Ok(()),
        false => Err(Error::Value(format!(
            "apply_affine_transform: expected finite numbers, got {how:?}"
        ))),
    }
}

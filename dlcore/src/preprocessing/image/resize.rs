//! Pictures at another size, as Pillow and TensorFlow compute them.

use std::f64::consts::PI;
use std::ops::Range;

use super::decode::Picture;
use crate::{Error, Result, names};

/// Pillow's names of its methods.
const METHODS: [&str; 6] = [
    "nearest", "bilinear", "bicubic", "hamming", "box", "lanczos",
];

/// A filter: how far it reaches, and its value at a distance.
type Filter = (f64, fn(f64) -> f64);

/// The part of `picture` in `rows` and `columns` at another size, as Pillow's `Image.resize`: the width
/// first, then the height. Where Pillow takes them the other way, it rounds otherwise, by one.
///
/// # Errors
/// [`Error::Value`] for a method that is not known.
pub(super) fn pillow(
    picture: &Picture,
    rows: Range<usize>,
    columns: Range<usize>,
    [height, width]: [usize; 2],
    method: &str,
) -> Result<Picture> {
    let filter: Filter = match method {
        "nearest" => return Ok(nearest(picture, rows, columns, [height, width])),
        "bilinear" => (1.0, |x| (1.0 - x.abs()).max(0.0)),
        "bicubic" => (2.0, bicubic),
        "hamming" => (1.0, hamming),
        "box" => (0.5, |x| f64::from(x > -0.5 && x <= 0.5)),
        "lanczos" => (3.0, |x| {
            if (-3.0..3.0).contains(&x) {
                sinc(x) * sinc(x / 3.0)
            } else {
                0.0
            }
        }),
        other => {
            return Err(Error::Value(format!(
                "load_img: {}",
                names::unknown("interpolation", other, &METHODS)
            )));
        }
    };
    let mut picture = picture.clone();
    // Colours count by how much of them is seen.
    let premultiplied = picture.channels == 4;
    if premultiplied {
        picture.pixels.chunks_mut(4).for_each(premultiply);
    }
    if width != picture.width || columns != (0..picture.width) {
        let weights = weights(picture.width, &columns, width, filter);
        picture = horizontal(&picture, &weights);
    }
    if height != picture.height || rows != (0..picture.height) {
        let weights = weights(picture.height, &rows, height, filter);
        picture = vertical(&picture, &weights);
    }
    if premultiplied {
        picture.pixels.chunks_mut(4).for_each(unmultiply);
    }
    Ok(picture)
}

fn nearest(
    picture: &Picture,
    rows: Range<usize>,
    columns: Range<usize>,
    [height, width]: [usize; 2],
) -> Picture {
    // Pillow adds step after step, and so do we: rounding decides which pixel is the nearest.
    let places = |range: &Range<usize>, length: usize, size: usize| -> Vec<usize> {
        let step = range.len() as f64 / length as f64;
        let mut at = range.start as f64 + step * 0.5;
        let mut place = || {
            let here = (at as usize).min(size - 1);
            at += step;
            here
        };
        (0..length).map(|_| place()).collect()
    };
    let columns = places(&columns, width, picture.width);
    let channels = picture.channels;
    let mut pixels = Vec::with_capacity(height * width * channels);
    for row in places(&rows, height, picture.height) {
        let row = &picture.pixels[row * picture.width * channels..];
        for &column in &columns {
            pixels.extend_from_slice(&row[column * channels..][..channels]);
        }
    }
    Picture {
        height,
        width,
        channels,
        pixels,
    }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn hamming(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        1.0
    } else if x >= 1.0 {
        0.0
    } else {
        (x * PI).sin() / (x * PI) * (0.54 + 0.46 * (x * PI).cos())
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * PI).sin() / (x * PI)
    }
}

/// Bits behind the point of a weight.
const BITS: u32 = 32 - 8 - 2;

/// For each place of the output: where its part of the input begins, and what each element there counts.
fn weights(
    size: usize,
    part: &Range<usize>,
    length: usize,
    (reach, filter): Filter,
) -> Vec<(usize, Vec<i32>)> {
    let scale = part.len() as f64 / length as f64;
    let stretch = scale.max(1.0);
    let reach = reach * stretch;
    let place = |index: usize| {
        let center = part.start as f64 + (index as f64 + 0.5) * scale;
        let first = (center - reach + 0.5).max(0.0) as usize;
        let end = ((center + reach + 0.5) as usize).min(size);
        let weight = |at: usize| filter((at as f64 - center + 0.5) * (1.0 / stretch));
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| {
            let weight = if sum == 0.0 { weight } else { weight / sum };
            (weight * f64::from(1 << BITS) + 0.5_f64.copysign(weight)) as i32
        };
        (first, weights.into_iter().map(fixed).collect())
    };
    (0..length).map(place).collect()
}

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

fn horizontal(picture: &Picture, weights: &[(usize, Vec<i32>)]) -> Picture {
    let channels = picture.channels;
    let mut pixels = Vec::with_capacity(picture.height * weights.len() * channels);
    for row in picture.pixels.chunks(picture.width * channels) {
        for (first, weights) in weights {
            for channel in 0..channels {
                let values = row[first * channels + channel..].iter().step_by(channels);
                let terms = values
                    .zip(weights)
                    .map(|(&value, weight)| i32::from(value) * weight);
                pixels.push(rounded(terms.sum::<i32>() + (1 << (BITS - 1))));
            }
        }
    }
    Picture {
        width: weights.len(),
        pixels,
        ..*picture
    }
}

fn vertical(picture: &Picture, weights: &[(usize, Vec<i32>)]) -> Picture {
    let stride = picture.width * picture.channels;
    let mut pixels = Vec::with_capacity(weights.len() * stride);
    let mut sums = vec![0_i32; stride];
    for (first, weights) in weights {
        sums.fill(1 << (BITS - 1));
        let rows = picture.pixels[first * stride..].chunks(stride);
        for (row, weight) in rows.zip(weights) {
            let sums = sums.iter_mut().zip(row);
            sums.for_each(|(sum, &value)| *sum += i32::from(value) * weight);
        }
        pixels.extend(sums.iter().map(|&sum| rounded(sum)));
    }
    Picture {
        height: weights.len(),
        pixels,
        ..*picture
    }
}

fn premultiply(pixel: &mut [u8]) {
    let alpha = u32::from(pixel[3]);
    for color in &mut pixel[..3] {
        let product = u32::from(*color) * alpha + 128;
        *color = (((product >> 8) + product) >> 8) as u8;
    }
}

fn unmultiply(pixel: &mut [u8]) {
    let alpha = u32::from(pixel[3]);
    if alpha != 0 && alpha != 255 {
        for color in &mut pixel[..3] {
            *color = (255 * u32::from(*color) / alpha).min(255) as u8;
        }
    }
}

/// TensorFlow's names of the methods that are here.
pub(super) const TENSORFLOW_METHODS: [&str; 2] = ["bilinear", "nearest"];

/// A picture at another size as floats, as `tf.image.resize` without antialiasing.
pub(super) fn tensorflow(
    picture: &Picture,
    [height, width]: [usize; 2],
    nearest: bool,
    to: &mut [f32],
) {
    let channels = picture.channels;
    let scale = |from: usize, to: usize| from as f32 / to as f32;
    let (down, right) = (scale(picture.height, height), scale(picture.width, width));
    // The two neighbours and the share of the second.
    let places = |scale: f32, size: usize, length: usize| -> Vec<(usize, usize, f32)> {
        let place = |index: usize| {
            let at = (index as f32 + 0.5) * scale;
            if nearest {
                let here = (at.floor() as usize).min(size - 1);
                return (here, here, 0.0);
            }
            let at = at - 0.5;
            let lower = at.floor().max(0.0) as usize;
            let upper = (at.ceil().max(0.0) as usize).min(size - 1);
            (lower.min(size - 1), upper, at - at.floor())
        };
        (0..length).map(place).collect()
    };
    let columns = places(right, picture.width, width);
    let rows = places(down, picture.height, height);
    for ((top, bottom, below), to) in rows.into_iter().zip(to.chunks_mut(width * channels)) {
        let row = |index: usize| &picture.pixels[index * picture.width * channels..];
        let (top, bottom) = (row(top), row(bottom));
        for (&(left, right, beside), to) in columns.iter().zip(to.chunks_mut(channels)) {
            for (channel, to) in to.iter_mut().enumerate() {
                let between = |row: &[u8]| {
                    let (left, right) = (
                        row[left * channels + channel],
                        row[right * channels + channel],
                    );
                    f32::from(left) + (f32::from(right) - f32::from(left)) * beside
                };
                let (top, bottom) = (between(top), between(bottom));
                *to = top + (bottom - top) * below;
            }
        }
    }
}

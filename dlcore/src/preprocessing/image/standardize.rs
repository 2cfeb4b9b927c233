//! What is done to a picture's values: brightness, shifted channels, a common scale.

use super::affine::ImageTransform;
use super::files::{byte, extremes, scale_to_bytes};
use super::generator::ImageDataGenerator;

/// Means and deviations of the channels of all pictures that a generator was fitted to.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    pub mean: Vec<f32>,
    /// With Keras's 1e-6 added.
    pub std: Vec<f32>,
}

impl Statistics {
    /// Of the values of pictures with so many channels.
    pub fn of(values: &[f32], channels: usize) -> Statistics {
        let count = (values.len() / channels).max(1) as f64;
        let mut mean = vec![0.0_f64; channels];
        for pixel in values.chunks_exact(channels) {
            mean.iter_mut()
                .zip(pixel)
                .for_each(|(sum, &v)| *sum += f64::from(v));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut variance = vec![0.0_f64; channels];
        for pixel in values.chunks_exact(channels) {
            for ((sum, &v), mean) in variance.iter_mut().zip(pixel).zip(&mean) {
                *sum += (f64::from(v) - mean).powi(2);
            }
        }
        let std = variance
            .iter()
            .map(|sum| ((sum / count).sqrt() + 1e-6) as f32);
        Statistics {
            std: std.collect(),
            mean: mean.iter().map(|&mean| mean as f32).collect(),
        }
    }
}

/// What [`ImageTransform`] says of values, after its geometry: channels, then brightness.
pub(super) fn colors(how: &ImageTransform, channels: usize, values: &mut [f32]) {
    if let Some(intensity) = how.channel_shift_intensity {
        let (least, largest) = extremes(values);
        let shift = intensity as f32;
        values
            .iter_mut()
            .for_each(|v| *v = (*v + shift).clamp(least, largest.max(least)));
    }
    if let Some(factor) = how.brightness {
        brightness(factor, channels, values);
    }
}

/// Keras's `apply_brightness_shift`, which goes through Pillow's bytes.
fn brightness(factor: f64, channels: usize, values: &mut [f32]) {
    let (least, largest) = extremes(values);
    let scaled = least < 0.0 || largest > 255.0;
    if scaled {
        scale_to_bytes(values);
    }
    let factor = factor as f32;
    let brighter = |v: f32| f32::from((f32::from(byte(v)) * factor).clamp(0.0, 255.0) as u8);
    match channels {
        // Alpha stays.
        4 => values.chunks_mut(4).for_each(|pixel| {
            pixel[..3].iter_mut().for_each(|v| *v = brighter(*v));
            pixel[3] = f32::from(byte(pixel[3]));
        }),
        _ => values.iter_mut().for_each(|v| *v = brighter(*v)),
    }
    if scaled {
        let range = largest - least;
        values
            .iter_mut()
            .for_each(|v| *v = *v / 255.0 * range + least);
    }
}

impl ImageDataGenerator {
    /// Scale, then the picture's own mean and deviation, then those of all pictures.
    pub(super) fn standardize_values(&self, channels: usize, values: &mut [f32]) {
        if let Some(factor) = self.rescale.filter(|&factor| factor != 0.0) {
            let factor = factor as f32;
            values.iter_mut().for_each(|v| *v *= factor);
        }
        if self.samplewise_center {
            let mean = mean(values) as f32;
            values.iter_mut().for_each(|v| *v -= mean);
        }
        if self.samplewise_std_normalization {
            let mean = mean(values);
            let variance = sum(values, |v| (v - mean) * (v - mean)) / values.len().max(1) as f64;
            let std = (variance.sqrt() + 1e-6) as f32;
            values.iter_mut().for_each(|v| *v /= std);
        }
        let Some(all) = &self.statistics else {
            return;
        };
        if self.featurewise_center {
            for pixel in values.chunks_exact_mut(channels) {
                pixel
                    .iter_mut()
                    .zip(&all.mean)
                    .for_each(|(v, mean)| *v -= mean);
            }
        }
        if self.featurewise_std_normalization {
            for pixel in values.chunks_exact_mut(channels) {
                pixel
                    .iter_mut()
                    .zip(&all.std)
                    .for_each(|(v, std)| *v /= std);
            }
        }
    }
}

fn mean(values: &[f32]) -> f64 {
    sum(values, |v| v) / values.len().max(1) as f64
}

/// The sum of what `term` makes of the values, in eight sums side by side, which do not wait for each
/// other.
fn sum(values: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let (groups, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for group in groups {
        for (sum, &value) in sums.iter_mut().zip(group) {
            *sum += term(f64::from(value));
        }
    }
    let rest: f64 = rest.iter().map(|&value| term(f64::from(value))).sum();
    sums.iter().sum::<f64>() + rest
}

//! Convolution of each channel by itself: so little arithmetic for each number read that a product of
//! matrices would only add copying.

use super::buffers;
use super::simd::vectorised;
use super::window::{Slide, WORTH_THREADS, pieces, sum_of_runs};
use crate::tensor::Real;

/// Elements of the result that make a piece.
const PIECE: usize = 1 << 14;

/// A convolution of images `[batch, height, width, channels]` with a kernel
/// `[height, width, channels, multiplier]` that gives `[batch, positions…, channels · multiplier]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depthwise {
    pub(crate) slide: Slide,
    pub(crate) channels: usize,
    /// Results for each channel.
    pub(crate) multiplier: usize,
}

impl Depthwise {
    /// Channels of the result.
    pub(crate) fn outputs(&self) -> usize {
        self.channels * self.multiplier
    }

    fn threads(&self) -> bool {
        self.slide.rows() * self.outputs() * self.slide.window.places() >= WORTH_THREADS
    }

    /// Images a piece of work, where it is whole images.
    fn images(&self) -> usize {
        (PIECE / (self.slide.pixels() * self.channels).max(1)).max(1)
    }

    /// Images whose part of the kernel's gradient is summed at once.
    fn summed(&self) -> usize {
        self.slide.batch.div_ceil(16)
    }
}

/// Where rows of channels that are multiplied with each other begin: in the first of two arrays, and in the second.
type Taps = Vec<(usize, usize)>;

/// Channels that are summed in registers.
const BLOCK: usize = 32;

/// Adds to each channel the products of its numbers at all taps.
#[inline(always)]
fn add_products<T: Real>(
    sums: &mut [T],
    taps: impl Iterator<Item = (usize, usize)> + Clone,
    x: &[T],
    factors: &[T],
) {
    let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
    let first_of_rest = blocks.len() * BLOCK;
    for (block, sums) in blocks.iter_mut().enumerate() {
        let mut total = *sums;
        for (from, by) in taps.clone() {
            let x = &x[from + block * BLOCK..][..BLOCK];
            let factors = &factors[by + block * BLOCK..][..BLOCK];
            for ((sum, &x), &factor) in total.iter_mut().zip(x).zip(factors) {
                *sum += x * factor;
            }
        }
        *sums = total;
    }
    if rest.is_empty() {
        return;
    }
    for (from, by) in taps {
        let (x, factors) = (&x[from + first_of_rest..], &factors[by + first_of_rest..]);
        for ((sum, &x), &factor) in rest.iter_mut().zip(x).zip(factors) {
            *sum += x * factor;
        }
    }
}

/// The convolution of `x`, plus a bias for each channel of the result.
pub(crate) fn depthwise<T: Real>(
    d: &Depthwise,
    x: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
) -> Vec<T> {
    let (channels, many, outputs) = (d.channels, d.multiplier, d.outputs());
    let rows = (PIECE / outputs.max(1)).max(1);
    let mut result = buffers::zeros(d.slide.rows() * outputs);
    pieces(
        &mut result,
        rows * outputs,
        0,
        d.threads(),
        &|index, piece, _| {
            vectorised(
                #[inline(always)]
                || {
                    let mut taps = Taps::new();
                    for (row, sums) in piece.chunks_exact_mut(outputs).enumerate() {
                        if let Some(bias) = bias {
                            sums.copy_from_slice(bias);
                        }
                        if many == 1 {
                            taps.clear();
                            d.slide.places(
                                index * rows + row,
                                #[inline(always)]
                                |place, pixel| taps.push((pixel * channels, place * channels)),
                            );
                            add_products(sums, taps.iter().copied(), x, kernel);
                            continue;
                        }
                        d.slide.places(
                            index * rows + row,
                            #[inline(always)]
                            |place, pixel| {
                                let x = &x[pixel * channels..][..channels];
                                let kernel = &kernel[place * outputs..][..outputs];
                                let each =
                                    sums.chunks_exact_mut(many).zip(kernel.chunks_exact(many));
                                for ((sums, kernel), &x) in each.zip(x) {
                                    for (sum, &k) in sums.iter_mut().zip(kernel) {
                                        *sum += x * k;
                                    }
                                }
                            },
                        );
                    }
                },
            );
        },
    );
    result
}

/// The gradient of [`depthwise`] with respect to `x`, given that of the result.
pub(crate) fn depthwise_input<T: Real>(d: &Depthwise, g: &[T], kernel: &[T]) -> Vec<T> {
    let (channels, many, outputs) = (d.channels, d.multiplier, d.outputs());
    let image = d.slide.pixels() * channels;
    let (images, per_image) = (d.images(), d.slide.per_image());
    let mut result = buffers::zeros(d.slide.batch * image);
    pieces(
        &mut result,
        images * image,
        0,
        d.threads(),
        &|index, piece, _| {
            let start = index * images * per_image;
            vectorised(
                #[inline(always)]
                || {
                    if many == 1 {
                        let mut taps = Taps::new();
                        for (pixel, sums) in piece.chunks_exact_mut(channels).enumerate() {
                            taps.clear();
                            d.slide.positions_over(
                                pixel,
                                #[inline(always)]
                                |place, row| {
                                    taps.push(((start + row) * channels, place * channels))
                                },
                            );
                            add_products(sums, taps.iter().copied(), g, kernel);
                        }
                        return;
                    }
                    for row in 0..piece.len() / image * per_image {
                        let g = &g[(start + row) * outputs..][..outputs];
                        d.slide.places(
                            row,
                            #[inline(always)]
                            |place, pixel| {
                                let sums = &mut piece[pixel * channels..][..channels];
                                let kernel = &kernel[place * outputs..][..outputs];
                                let each = g.chunks_exact(many).zip(kernel.chunks_exact(many));
                                for (sum, (g, kernel)) in sums.iter_mut().zip(each) {
                                    for (&g, &k) in g.iter().zip(kernel) {
                                        *sum += g * k;
                                    }
                                }
                            },
                        );
                    }
                },
            );
        },
    );
    result
}

/// The gradient of [`depthwise`] with respect to the kernel, given that of the result.
pub(crate) fn depthwise_kernel<T: Real>(d: &Depthwise, x: &[T], g: &[T]) -> Vec<T> {
    let (channels, many, outputs) = (d.channels, d.multiplier, d.outputs());
    let length = d.slide.window.places() * outputs;
    let step = d.summed() * d.slide.per_image();
    let mut result = buffers::any(length);
    let rows = d.slide.rows();
    sum_of_runs(
        &mut result,
        (rows, step),
        0,
        d.threads(),
        &|start, end, sums, _| {
            vectorised(
                #[inline(always)]
                || {
                    if many == 1 {
                        let across = d.slide.positions[1].max(1);
                        for line in start / across..end / across {
                            d.slide.stretches(
                                line,
                                #[inline(always)]
                                |place, stretch| {
                                    let sums = &mut sums[place * channels..][..channels];
                                    let taps = (0..stretch.length).map(
                                        #[inline(always)]
                                        |index| {
                                            let pixel = stretch.pixel + index * stretch.stride;
                                            (pixel * channels, (stretch.row + index) * channels)
                                        },
                                    );
                                    add_products(sums, taps, x, g);
                                },
                            );
                        }
                        return;
                    }
                    for row in start..end {
                        let g = &g[row * outputs..][..outputs];
                        d.slide.places(
                            row,
                            #[inline(always)]
                            |place, pixel| {
                                let x = &x[pixel * channels..][..channels];
                                let sums = &mut sums[place * outputs..][..outputs];
                                let each = sums.chunks_exact_mut(many).zip(g.chunks_exact(many));
                                for ((sums, g), &x) in each.zip(x) {
                                    for (sum, &g) in sums.iter_mut().zip(g) {
                                        *sum += x * g;
                                    }
                                }
                            },
                        );
                    }
                },
            );
        },
    );
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::window::testing::{close, slides, some, wide};

    /// What the kernels must equal: sums over all indices, term by term, in double precision.
    fn check<T: Real>(d: &Depthwise) {
        let (many, outputs, slide) = (d.multiplier, d.outputs(), &d.slide);
        let x: Vec<T> = some(slide.batch * slide.pixels() * d.channels, 3);
        let kernel: Vec<T> = some(slide.window.places() * outputs, 5);
        let g: Vec<T> = some(slide.rows() * outputs, 7);
        let bias: Vec<T> = some(outputs, 11);
        let (wide_x, wide_kernel, wide_g) = (wide(&x), wide(&kernel), wide(&g));
        let mut y: Vec<f64> = wide(&bias).repeat(slide.rows());
        let (mut by_x, mut by_kernel) = (vec![0.0; x.len()], vec![0.0; kernel.len()]);
        for to in 0..g.len() {
            let output = to % outputs;
            slide.places(to / outputs, |place, pixel| {
                let from = pixel * d.channels + output / many;
                let tap = place * outputs + output;
                y[to] += wide_x[from] * wide_kernel[tap];
                by_x[from] += wide_g[to] * wide_kernel[tap];
                by_kernel[tap] += wide_g[to] * wide_x[from];
            });
        }
        close(&depthwise(d, &x, &kernel, Some(&bias)), &y);
        close(&depthwise_input(d, &g, &kernel), &by_x);
        close(&depthwise_kernel(d, &x, &g), &by_kernel);
    }

    #[test]
    fn all_three_directions_are_the_sums_term_by_term() {
        for slide in slides() {
            for (channels, multiplier) in [(1, 1), (5, 1), (64, 1), (70, 1), (3, 2)] {
                let d = Depthwise {
                    slide,
                    channels,
                    multiplier,
                };
                check::<f32>(&d);
                check::<f64>(&d);
            }
        }
    }
}

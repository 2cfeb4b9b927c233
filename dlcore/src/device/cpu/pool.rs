//! Pooling: the largest, or the mean, of what a window covers, channel by channel.

use super::simd::vectorised;
use super::window::{Slide, WORTH_THREADS, pieces};
use crate::tensor::Real;

/// Elements of the result that make a piece.
const PIECE: usize = 1 << 14;

/// Pooling of images `[batch, height, width, channels]` to `[batch, positions…, channels]`. Padding
/// counts for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooling {
    pub(crate) slide: Slide,
    pub(crate) channels: usize,
}

impl Pooling {
    fn threads(&self) -> bool {
        self.slide.rows() * self.channels * self.slide.window.places() >= WORTH_THREADS
    }

    /// A result, filled by `row(row, result)` for each position.
    fn by_rows<T: Real>(&self, result: &mut [T], row: impl Fn(usize, &mut [T]) + Sync) {
        let channels = self.channels;
        let rows = (PIECE / channels.max(1)).max(1);
        pieces(
            result,
            rows * channels,
            0,
            self.threads(),
            &|index, piece, _| {
                vectorised(
                    #[inline(always)]
                    || {
                        for (number, to) in piece.chunks_exact_mut(channels).enumerate() {
                            row(index * rows + number, to);
                        }
                    },
                );
            },
        );
    }

    /// A gradient for the images: `row(row in all, row in these images, images, scratch)` adds what
    /// comes from a position.
    fn by_images<T: Real>(
        &self,
        result: &mut [T],
        row: impl Fn(usize, usize, &mut [T], &mut Vec<T>) + Sync,
    ) {
        let image = self.slide.pixels() * self.channels;
        let per_image = self.slide.per_image();
        // A piece is whole images: no two threads add to one place.
        let images = (PIECE / image.max(1)).max(1);
        pieces(
            result,
            images * image,
            self.channels,
            self.threads(),
            &|index, piece, scratch| {
                piece.fill(T::zero());
                let start = index * images * per_image;
                vectorised(
                    #[inline(always)]
                    || {
                        for number in 0..piece.len() / image * per_image {
                            row(start + number, number, piece, scratch);
                        }
                    },
                );
            },
        );
    }
}

/// The largest of each window; NaN where any is.
pub(crate) fn max_pool<T: Real>(p: &Pooling, x: &[T], result: &mut [T]) {
    p.by_rows(
        result,
        #[inline(always)]
        |row, largest: &mut [T]| {
            largest.fill(T::neg_infinity());
            p.slide.places(
                row,
                #[inline(always)]
                |_, pixel| {
                    let x = &x[pixel * p.channels..][..p.channels];
                    for (largest, &x) in largest.iter_mut().zip(x) {
                        // Not `<`: NaN is to win and to stay.
                        *largest = if *largest > x || largest.is_nan() {
                            *largest
                        } else {
                            x
                        };
                    }
                },
            );
        },
    )
}

/// The gradient of [`max_pool`], whose result was `y`, given that of `y`: all of it goes to the first
/// element of a window that is the largest.
pub(crate) fn max_pool_input<T: Real>(p: &Pooling, x: &[T], y: &[T], g: &[T], result: &mut [T]) {
    if p.slide.is_apart() {
        return max_pool_apart(p, x, y, g, result);
    }
    let channels = p.channels;
    p.by_images(
        result,
        #[inline(always)]
        |all, row, images: &mut [T], left| {
            let y = &y[all * channels..][..channels];
            // What has not found its element yet.
            if left.len() < channels {
                left.resize(channels, T::zero());
            }
            let left = &mut left[..channels];
            left.copy_from_slice(&g[all * channels..][..channels]);
            let first = (all - row) / p.slide.per_image() * p.slide.pixels();
            p.slide.places(
                row,
                #[inline(always)]
                |_, pixel| {
                    let x = &x[(first + pixel) * channels..][..channels];
                    let sums = &mut images[pixel * channels..][..channels];
                    for (((sum, left), &x), &y) in
                        sums.iter_mut().zip(left.iter_mut()).zip(x).zip(y)
                    {
                        let found = x == y;
                        *sum += if found { *left } else { T::zero() };
                        *left = if found { T::zero() } else { *left };
                    }
                },
            );
        },
    )
}

/// Channels that are looked at side by side, in vector registers.
const LANES: usize = 16;

/// [`max_pool_input`] for windows that do not touch: each pixel is written once, and nothing is added.
fn max_pool_apart<T: Real>(p: &Pooling, x: &[T], y: &[T], g: &[T], result: &mut [T]) {
    let image = p.slide.pixels() * p.channels;
    let images = (PIECE / image.max(1)).max(1);
    pieces(
        result,
        images * image,
        0,
        p.threads(),
        &|index, piece, _| {
            if !p.slide.is_covered() {
                piece.fill(T::zero());
            }
            for (number, to) in piece.chunks_exact_mut(image.max(1)).enumerate() {
                let number = index * images + number;
                let windows = number * p.slide.per_image() * p.channels;
                let windows = windows..windows + p.slide.per_image() * p.channels;
                let x = &x[number * image..][..image];
                vectorised(
                    #[inline(always)]
                    || image_apart(p, to, x, &y[windows.clone()], &g[windows.clone()]),
                );
            }
        },
    );
}

#[inline(always)]
fn image_apart<T: Real>(p: &Pooling, to: &mut [T], x: &[T], y: &[T], g: &[T]) {
    let channels = p.channels;
    let whole = channels / LANES * LANES;
    for window in 0..p.slide.per_image() {
        for channel in (0..whole).step_by(LANES) {
            lanes_apart::<T, LANES>(p, to, x, y, g, window, channel);
        }
        for channel in whole..channels {
            lanes_apart::<T, 1>(p, to, x, y, g, window, channel);
        }
    }
}

/// The gradient of `N` channels of a window.
#[inline(always)]
fn lanes_apart<T: Real, const N: usize>(
    p: &Pooling,
    to: &mut [T],
    x: &[T],
    y: &[T],
    g: &[T],
    window: usize,
    channel: usize,
) {
    let of = |values: &[T], pixel: usize| -> [T; N] {
        let place = pixel * p.channels + channel;
        values[place..place + N].try_into().expect("so many")
    };
    let (largest, mut left) = (of(y, window), of(g, window));
    let (width, [down, across]) = (p.slide.images[1], p.slide.window.size);
    let (row, column) = (window / p.slide.positions[1], window % p.slide.positions[1]);
    for line in row * down..(row + 1) * down {
        for pixel in line * width + column * across..line * width + (column + 1) * across {
            let x = of(x, pixel);
            let mut share = [T::zero(); N];
            for lane in 0..N {
                let found = x[lane] == largest[lane];
                share[lane] = if found { left[lane] } else { T::zero() };
                left[lane] = if found { T::zero() } else { left[lane] };
            }
            to[pixel * p.channels + channel..][..N].copy_from_slice(&share);
        }
    }
}

/// The mean of what each window covers, padding left out.
pub(crate) fn average_pool<T: Real>(p: &Pooling, x: &[T], result: &mut [T]) {
    p.by_rows(
        result,
        #[inline(always)]
        |row, sums: &mut [T]| {
            let mut count = 0;
            sums.fill(T::zero());
            p.slide.places(
                row,
                #[inline(always)]
                |_, pixel| {
                    count += 1;
                    let x = &x[pixel * p.channels..][..p.channels];
                    for (sum, &x) in sums.iter_mut().zip(x) {
                        *sum += x;
                    }
                },
            );
            let count = T::from_f64(f64::from(count.max(1)));
            for sum in sums {
                *sum /= count;
            }
        },
    )
}

/// The gradient of [`average_pool`], given that of its result.
pub(crate) fn average_pool_input<T: Real>(p: &Pooling, g: &[T], result: &mut [T]) {
    let channels = p.channels;
    p.by_images(
        result,
        #[inline(always)]
        |all, row, images: &mut [T], _| {
            let g = &g[all * channels..][..channels];
            let mut count = 0;
            p.slide.places(row, |_, _| count += 1);
            let share = T::one() / T::from_f64(f64::from(count.max(1)));
            p.slide.places(
                row,
                #[inline(always)]
                |_, pixel| {
                    let sums = &mut images[pixel * channels..][..channels];
                    for (sum, &g) in sums.iter_mut().zip(g) {
                        *sum += g * share;
                    }
                },
            );
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::Window;
    use crate::device::cpu::buffers::written;
    use crate::device::cpu::window::testing::{close, slides, some, wide};

    /// What the kernels must equal: each window gathered, then judged.
    fn check<T: Real>(p: &Pooling) {
        let (slide, channels) = (&p.slide, p.channels);
        // Few different values, so that windows have several largest.
        let x: Vec<T> = some::<T>(slide.batch * slide.pixels() * channels, 3)
            .into_iter()
            .map(|x| (x * T::from_f64(2.0)).round())
            .collect();
        let g: Vec<T> = some(slide.rows() * channels, 7);
        let (wide_x, wide_g) = (wide(&x), wide(&g));
        let (mut largest, mut mean) = (Vec::new(), Vec::new());
        let (mut by_largest, mut by_mean) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for (to, g) in wide_g.iter().enumerate() {
            let mut covered = Vec::new();
            slide.places(to / channels, |_, pixel| {
                covered.push(pixel * channels + to % channels);
            });
            let values = || covered.iter().map(|&at| wide_x[at]);
            largest.push(values().fold(f64::NEG_INFINITY, f64::max));
            mean.push(values().sum::<f64>() / covered.len() as f64);
            let first = covered.iter().find(|&&at| wide_x[at] == largest[to]);
            by_largest[*first.unwrap()] += g;
            for &at in &covered {
                by_mean[at] += g / covered.len() as f64;
            }
        }
        let y = written(g.len(), |to| max_pool(p, &x, to));
        close(&y, &largest);
        let back = written(x.len(), |to| max_pool_input(p, &x, &y, &g, to));
        close(&back, &by_largest);
        close(&written(g.len(), |to| average_pool(p, &x, to)), &mean);
        let back = written(x.len(), |to| average_pool_input(p, &g, to));
        close(&back, &by_mean);
    }

    #[test]
    fn largest_and_mean_are_those_of_what_the_window_covers() {
        // A window that lies wholly on padding has neither.
        let covers = |slide: &Slide| {
            (0..slide.rows()).all(|row| {
                let mut count = 0;
                slide.places(row, |_, _| count += 1);
                count > 0
            })
        };
        let apart = |images, positions| Slide {
            window: Window {
                size: [2, 3],
                strides: [2, 3],
                dilation: [1, 1],
                before: [0, 0],
            },
            batch: 3,
            images,
            positions,
        };
        let more = [apart([6, 9], [3, 3]), apart([7, 8], [3, 2])];
        assert!(more.iter().all(Slide::is_apart));
        for slide in slides().into_iter().filter(covers).chain(more) {
            for channels in [1, 5, 35] {
                check::<f32>(&Pooling { slide, channels });
                check::<f64>(&Pooling { slide, channels });
            }
        }
    }

    #[test]
    fn a_nan_is_the_largest() {
        let p = Pooling {
            slide: slides()[1],
            channels: 1,
        };
        let mut x: Vec<f32> = some(2 * 35, 1);
        x[0] = f32::NAN;
        let y = written(p.slide.rows(), |to| max_pool(&p, &x, to));
        assert!(y[0].is_nan() && !y[1].is_nan());
    }
}

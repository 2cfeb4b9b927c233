//! Convolution as products of matrices, without the matrix of all patches ever being there.
//!
//! A tile of rows (positions of the window) has its patches packed into a buffer that stays in the
//! cache, `[rows, places · channels]`, and is multiplied with the kernel. The gradients are the same
//! in other directions: patches times the result's gradient give the kernel's, the result's gradient
//! times the kernel gives patches, which are added to the images where they came from.

use ndarray::ArrayView2;

use super::matrix::multiply_into;
use super::relu_here;
use super::simd::vectorised;
use super::window::{Slide, WORTH_THREADS, pieces, sum_of_runs};
use crate::tensor::Real;

/// Elements of a tile's patches and result together: in single precision half of a core's own cache.
const TILE: usize = 1 << 16;
/// Rows of a tile at least, for the product to be worth its start.
const FEWEST_ROWS: usize = 32;
/// Rows whose part of the kernel's gradient is summed at once, at least.
const FEWEST_SUMMED: usize = 128;

/// A convolution of images `[batch, height, width, channels]` with a kernel
/// `[height, width, channels / groups, filters]` that gives `[batch, positions…, filters]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    pub(crate) slide: Slide,
    pub(crate) channels: usize,
    pub(crate) filters: usize,
    /// Parts of the channels, each convolved with its own part of the filters.
    pub(crate) groups: usize,
}

impl Convolution {
    /// Elements of a patch, within one group.
    fn depth(&self) -> usize {
        self.slide.window.places() * self.channels / self.groups
    }

    /// Rows of a tile.
    fn tile(&self) -> usize {
        let fit = TILE / (self.depth() + self.filters).max(1);
        let share = self.slide.rows().div_ceil(8);
        fit.min(share).max(FEWEST_ROWS).next_multiple_of(8)
    }

    fn threads(&self) -> bool {
        self.slide.rows() * self.depth() * self.filters >= WORTH_THREADS
    }

    /// The channels of a group as [`Slide::runs`] takes them.
    fn own(&self, group: usize) -> (usize, usize, usize) {
        let own = self.channels / self.groups;
        (group * own, own, self.channels)
    }

    /// The patches at `count` rows, `[count, depth]`, for one group.
    fn pack<T: Real>(&self, x: &[T], group: usize, first: usize, count: usize, to: &mut Vec<T>) {
        let depth = self.depth();
        to.resize(count * depth, T::zero());
        for (row, patch) in to.chunks_exact_mut(depth).enumerate() {
            self.slide.runs(
                first + row,
                self.own(group),
                #[inline(always)]
                |at, offset, length| {
                    let part = &mut patch[at..at + length];
                    match offset {
                        Some(offset) => copy(part, &x[offset..offset + length]),
                        None => part.fill(T::zero()),
                    }
                },
            );
        }
    }

    /// Adds patches to the images they lie on; rows are counted from the first of `images`.
    fn unpack<T: Real>(&self, patches: &[T], group: usize, first: usize, images: &mut [T]) {
        let depth = self.depth();
        vectorised(
            #[inline(always)]
            || {
                for (row, patch) in patches.chunks_exact(depth).enumerate() {
                    self.slide.runs(
                        first + row,
                        self.own(group),
                        #[inline(always)]
                        |at, offset, length| {
                            let Some(offset) = offset else { return };
                            let sums = &mut images[offset..offset + length];
                            for (sum, &value) in sums.iter_mut().zip(&patch[at..at + length]) {
                                *sum += value;
                            }
                        },
                    );
                }
            },
        );
    }

    /// The columns of one group of a matrix whose columns are filters.
    fn columns<'a, T>(&self, matrix: &'a [T], rows: usize, group: usize) -> ArrayView2<'a, T> {
        let own = self.filters / self.groups;
        let whole = view(matrix, rows, self.filters);
        whole.slice_move(ndarray::s![.., group * own..(group + 1) * own])
    }
}

fn view<T>(values: &[T], rows: usize, columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, columns), values).expect("as long as rows times columns")
}

/// Short runs are copied by a loop: a call of `memcpy` costs more than they do.
#[inline(always)]
fn copy<T: Real>(to: &mut [T], from: &[T]) {
    if to.len() > 8 {
        return to.copy_from_slice(from);
    }
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

fn fill_rows<T: Real>(rows: &mut [T], bias: &[T]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        row.copy_from_slice(bias);
    }
}

/// The convolution of `x`, plus a bias for each filter, negative results made 0 if `relu`: `[rows, filters]`.
pub(crate) fn conv<T: Real>(
    c: &Convolution,
    x: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
    relu: bool,
    result: &mut [T],
) {
    let (tile, filters, depth) = (c.tile(), c.filters, c.depth());
    pieces(
        result,
        tile * filters,
        tile * depth,
        c.threads(),
        &|index, piece, patches| {
            if let Some(bias) = bias {
                fill_rows(piece, bias);
            }
            let count = piece.len() / filters;
            let add = bias.is_some();
            for group in 0..c.groups {
                c.pack(x, group, index * tile, count, patches);
                let own = group * (filters / c.groups);
                let kernel = c.columns(kernel, depth, group);
                let patches = view(patches, count, depth);
                multiply_into((piece, filters, own), add, patches, kernel);
            }
            if relu {
                relu_here(piece);
            }
        },
    );
}

/// The images whose patches are `g`, `[rows, filters]`, times the kernel, overlapping patches added,
/// plus a bias for each channel: the gradient of [`conv`] with respect to `x`, and the transposed
/// convolution: `[batch, height, width, channels]`.
pub(crate) fn conv_transpose<T: Real>(
    c: &Convolution,
    g: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
    result: &mut [T],
) {
    let (tile, filters, depth) = (c.tile(), c.filters, c.depth());
    let image = c.slide.pixels() * c.channels;
    let per_image = c.slide.per_image();
    // A piece is whole images: no two threads add to one place.
    let images = (tile / per_image.max(1)).max(1);
    pieces(
        result,
        images * image,
        tile * depth,
        c.threads(),
        &|index, piece, patches| {
            match bias {
                Some(bias) => fill_rows(piece, bias),
                None => piece.fill(T::zero()),
            }
            let start = index * images * per_image;
            let rows = piece.len() / image * per_image;
            for first in (0..rows).step_by(tile) {
                let count = tile.min(rows - first);
                let g = &g[(start + first) * filters..][..count * filters];
                for group in 0..c.groups {
                    patches.resize(count * depth, T::zero());
                    let kernel = c.columns(kernel, depth, group);
                    let g = c.columns(g, count, group);
                    multiply_into((patches, depth, 0), false, g, kernel.reversed_axes());
                    c.unpack(patches, group, first, piece);
                }
            }
        },
    );
}

/// The gradient of [`conv`] with respect to the kernel, given that of the result, `[rows, filters]`.
pub(crate) fn conv_kernel<T: Real>(c: &Convolution, x: &[T], g: &[T], result: &mut [T]) {
    let (tile, filters, depth) = (c.tile(), c.filters, c.depth());
    let length = depth * filters;
    let rows = c.slide.rows();
    let runs = ((1 << 23) / length.max(1)).clamp(4, 16);
    let step = rows.div_ceil(runs).max(FEWEST_SUMMED);
    sum_of_runs(
        result,
        (rows, step),
        tile * depth,
        c.threads(),
        &|start, end, sum, patches| {
            for first in (start..end).step_by(tile) {
                let count = tile.min(end - first);
                let g = &g[first * filters..][..count * filters];
                for group in 0..c.groups {
                    c.pack(x, group, first, count, patches);
                    let own = group * (filters / c.groups);
                    let patches = view(patches, count, depth).reversed_axes();
                    let g = c.columns(g, count, group);
                    multiply_into((&mut *sum, filters, own), true, patches, g);
                }
            }
        },
    );
}

/// The sums of the columns of `[rows, columns]`: the gradient of a bias.
pub(crate) fn column_sums<T: Real>(values: &[T], result: &mut [T]) {
    let columns = result.len();
    let rows = values.len() / columns.max(1);
    let step = rows.div_ceil(64).max(FEWEST_SUMMED);
    let threads = values.len() >= WORTH_THREADS;
    sum_of_runs(result, (rows, step), 0, threads, &|start, end, sums, _| {
        vectorised(
            #[inline(always)]
            || {
                for row in values[start * columns..end * columns].chunks_exact(columns) {
                    for (sum, &value) in sums.iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::buffers::written;
    use crate::device::cpu::window::testing::{close, slides, some, wide};

    /// What the kernels must equal: sums over all indices, term by term, in double precision.
    fn check<T: Real>(c: &Convolution) {
        let (slide, filters) = (&c.slide, c.filters);
        let own = c.channels / c.groups;
        let x: Vec<T> = some(slide.batch * slide.pixels() * c.channels, 3);
        let kernel: Vec<T> = some(c.depth() * filters, 5);
        let g: Vec<T> = some(slide.rows() * filters, 7);
        let (bias, back): (Vec<T>, Vec<T>) = (some(filters, 11), some(c.channels, 13));
        let (wide_x, wide_kernel, wide_g) = (wide(&x), wide(&kernel), wide(&g));
        let mut y = wide(&bias).repeat(slide.rows());
        let mut by_x = wide(&back).repeat(slide.batch * slide.pixels());
        let mut by_kernel = vec![0.0; kernel.len()];
        for to in 0..g.len() {
            let filter = to % filters;
            let first = filter / (filters / c.groups) * own;
            slide.places(to / filters, |place, pixel| {
                for channel in 0..own {
                    let from = pixel * c.channels + first + channel;
                    let tap = (place * own + channel) * filters + filter;
                    y[to] += wide_x[from] * wide_kernel[tap];
                    by_x[from] += wide_g[to] * wide_kernel[tap];
                    by_kernel[tap] += wide_g[to] * wide_x[from];
                }
            });
        }
        let all =
            |bias: Option<&[T]>, relu| written(g.len(), |to| conv(c, &x, &kernel, bias, relu, to));
        close(&all(Some(&bias), false), &y);
        let positive: Vec<f64> = y.iter().map(|y| y.max(0.0)).collect();
        close(&all(Some(&bias), true), &positive);
        let back = written(x.len(), |to| {
            conv_transpose(c, &g, &kernel, Some(&back), to)
        });
        close(&back, &by_x);
        let back = written(kernel.len(), |to| conv_kernel(c, &x, &g, to));
        close(&back, &by_kernel);
        let without: Vec<f64> = y
            .iter()
            .zip(wide(&bias).iter().cycle())
            .map(|(y, b)| y - b)
            .collect();
        close(&all(None, false), &without);
    }

    #[test]
    fn all_three_directions_are_the_sums_term_by_term() {
        for slide in slides() {
            for (channels, filters, groups) in [(1, 3, 1), (4, 6, 2), (3, 2, 1), (3, 3, 3)] {
                let c = Convolution {
                    slide,
                    channels,
                    filters,
                    groups,
                };
                check::<f32>(&c);
                check::<f64>(&c);
            }
        }
    }

    #[test]
    fn column_sums_are_the_sums_of_columns() {
        for (rows, columns) in [(0, 3), (1, 1), (1000, 3), (20_000, 8)] {
            // Whole numbers, whose sums are exact in any order.
            let values: Vec<f64> = some(rows * columns, 1);
            let values: Vec<f64> = values.iter().map(|v| (v * 105.0).round()).collect();
            let column = |c: usize| values.iter().skip(c).step_by(columns).sum();
            let naive: Vec<f64> = (0..columns).map(column).collect();
            close(&written(columns, |to| column_sums(&values, to)), &naive);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let c = Convolution {
            slide: slides()[7],
            channels: 12,
            filters: 16,
            groups: 1,
        };
        let x: Vec<f32> = some(9 * 72 * 12, 1);
        let kernel: Vec<f32> = some(c.depth() * 16, 2);
        assert!(c.threads(), "too small to tell");
        let all = || {
            let y = written(9 * 72 * 16, |to| conv(&c, &x, &kernel, None, false, to));
            let by_x = written(x.len(), |to| conv_transpose(&c, &y, &kernel, None, to));
            let by_kernel = written(kernel.len(), |to| conv_kernel(&c, &x, &y, to));
            (y, by_x, by_kernel)
        };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(all)
        };
        assert!(with(1) == with(3));
    }
}

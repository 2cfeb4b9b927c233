//! Means and variances of a matrix's columns or rows, the normalization by them, and the sums that
//! its gradient is made of.
//!
//! A matrix `[rows, width]` is a slice in row-major order. Its columns are the channels of batch
//! normalization, its rows the samples of layer normalization.

use super::buffers::Scratch;
use super::parallel::{Cost, build, chunks, collect};
use super::simd::vectorised;
use super::window::pieces;
use crate::tensor::Real;

/// Elements a piece of work whose sums are added up to others'.
const PIECE: usize = 1 << 14;
/// Rows added up straight before their sum is added to the others': few, so that rounding errors
/// stay small.
const RUN: usize = 32;
/// Sums of a row run side by side, so that the compiler vectorises them.
const LANES: usize = 16;

/// For `width` columns of `rows` rows, `sums` of what `add(row, sums)` adds to them.
/// Partial sums are combined in the order of the rows, whatever the number of threads.
fn sum_rows<T: Real>(
    rows: usize,
    width: usize,
    sums: &mut [T],
    add: impl Fn(usize, &mut [T]) + Sync,
) {
    let (step, count) = ((PIECE / width.max(1)).max(1), sums.len());
    let piece = |index: usize, sums: &mut [T], run: &mut Vec<T>| {
        sums.fill(T::zero());
        run.resize(count, T::zero());
        let end = rows.min((index + 1) * step);
        vectorised(
            #[inline(always)]
            || {
                for start in (index * step..end).step_by(RUN) {
                    run.fill(T::zero());
                    for row in start..end.min(start + RUN) {
                        add(row, run);
                    }
                    add_to(sums, run);
                }
            },
        );
    };
    let parts = rows.div_ceil(step);
    let mut partial = Scratch::new(parts * count);
    pieces(&mut partial.0, count, count, parts > 1, &piece);
    sums.fill(T::zero());
    for part in partial.0.chunks_exact(count.max(1)) {
        add_to(sums, part);
    }
}

#[inline(always)]
fn add_to<T: Real>(sums: &mut [T], more: &[T]) {
    for (sum, &value) in sums.iter_mut().zip(more) {
        *sum += value;
    }
}

/// The mean and the variance of each column (the mean squared deviation, nothing added).
pub(crate) fn column_moments<T: Real>(x: &[T], mean: &mut [T], variance: &mut [T]) {
    let width = mean.len();
    let rows = x.len() / width.max(1);
    let count = T::from_f64(rows as f64);
    let divide = |sums: &mut [T]| sums.iter_mut().for_each(|sum| *sum /= count);
    sum_rows(
        rows,
        width,
        mean,
        #[inline(always)]
        |row, sums| add_to(sums, &x[row * width..][..width]),
    );
    divide(mean);
    let mean = &*mean;
    sum_rows(
        rows,
        width,
        variance,
        #[inline(always)]
        |row, sums| {
            let values = &x[row * width..][..width];
            for ((sum, &value), &mean) in sums.iter_mut().zip(values).zip(mean) {
                let difference = value - mean;
                *sum += difference * difference;
            }
        },
    );
    divide(variance);
}

/// For each column `Σ g`, then for each `Σ g · (x - mean) · inverse`.
pub(crate) fn column_gradient_sums<T: Real>(
    g: &[T],
    x: &[T],
    mean: &[T],
    inverse: &[T],
    sums: &mut [T],
) {
    let width = mean.len();
    sum_rows(
        x.len() / width.max(1),
        width,
        sums,
        #[inline(always)]
        |row, sums| {
            let (plain, product) = sums.split_at_mut(width);
            let (g, x) = (&g[row * width..][..width], &x[row * width..][..width]);
            add_to(plain, g);
            for (((sum, &g), &x), &mean) in product.iter_mut().zip(g).zip(x).zip(mean) {
                *sum += g * (x - mean);
            }
        },
    );
    for (product, &inverse) in sums[width..].iter_mut().zip(inverse) {
        *product *= inverse;
    }
}

/// `x · scale + shift`, with a scale and a shift for each column.
pub(crate) fn scale_columns<T: Real>(x: &[T], scale: &[T], shift: &[T], result: &mut [T]) {
    let width = scale.len().max(1);
    chunks(result, width, Cost::Cheap, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let rows = x[start..].chunks_exact(width);
                for (to, x) in piece.chunks_exact_mut(width).zip(rows) {
                    for (((to, &x), &scale), &shift) in to.iter_mut().zip(x).zip(scale).zip(shift) {
                        *to = x * scale + shift;
                    }
                }
            },
        );
    });
}

/// `g · a + x · b + c`, with an `a`, `b` and `c` for each column.
pub(crate) fn combine_columns<T: Real>(g: &[T], x: &[T], [a, b, c]: [&[T]; 3], result: &mut [T]) {
    let width = a.len().max(1);
    chunks(result, width, Cost::Cheap, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let rows = g[start..]
                    .chunks_exact(width)
                    .zip(x[start..].chunks_exact(width));
                for (to, (g, x)) in piece.chunks_exact_mut(width).zip(rows) {
                    let factors = a.iter().zip(b).zip(c);
                    for (((to, &g), &x), ((&a, &b), &c)) in to.iter_mut().zip(g).zip(x).zip(factors)
                    {
                        *to = g * a + x * b + c;
                    }
                }
            },
        );
    });
}

/// The sum of what `term` makes of the elements at each place of rows of one length.
#[inline(always)]
fn sum_row<T: Real, const N: usize>(rows: [&[T]; N], term: impl Fn([T; N]) -> T) -> T {
    let length = rows[0].len();
    let whole = length / LANES * LANES;
    let mut lanes = [T::zero(); LANES];
    for start in (0..whole).step_by(LANES) {
        // Arrays of fixed length: the compiler sees that no index is out of range.
        let parts: [&[T; LANES]; N] =
            rows.map(|row| row[start..][..LANES].try_into().expect("as many as lanes"));
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(parts.map(|part| part[lane]));
        }
    }
    let rest = (whole..length).map(|place| term(rows.map(|row| row[place])));
    let rest: T = rest.sum();
    rest + lanes.into_iter().sum::<T>()
}

/// For each row its mean, and `1 / √(variance + epsilon)`: `[rows, 2]`.
pub(crate) fn row_moments<T: Real>(x: &[T], width: usize, epsilon: T) -> Vec<[T; 2]> {
    let width = width.max(1);
    let count = T::from_f64(width as f64);
    let piece = |piece: &[T]| -> Vec<[T; 2]> {
        let moments = |row: &[T]| {
            let mean = sum_row([row], |[value]| value) / count;
            let variance = sum_row([row], |[value]| (value - mean) * (value - mean)) / count;
            [mean, T::one() / (variance + epsilon).sqrt()]
        };
        vectorised(
            #[inline(always)]
            || piece.chunks_exact(width).map(moments).collect(),
        )
    };
    let size = (PIECE / width).max(1) * width;
    match x.len() <= size {
        true => piece(x),
        false => {
            let rest = |index: usize| &x[index * size..x.len().min((index + 1) * size)];
            collect(x.len().div_ceil(size), &|index| piece(rest(index))).concat()
        }
    }
}

/// Rows normalized by [`row_moments`], times `scale` plus `shift`, which have an element for each
/// column.
pub(crate) fn scale_rows<T: Real>(x: &[T], moments: &[[T; 2]], scale: &[T], shift: &[T]) -> Vec<T> {
    let width = scale.len().max(1);
    build(x.len(), width, Cost::Cheap, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let rows = x[start..]
                    .chunks_exact(width)
                    .zip(&moments[start / width..]);
                for (to, (x, &[mean, inverse])) in piece.chunks_exact_mut(width).zip(rows) {
                    for (((to, &x), &scale), &shift) in to.iter_mut().zip(x).zip(scale).zip(shift) {
                        to.write((x - mean) * inverse * scale + shift);
                    }
                }
            },
        );
    })
}

/// For each column `Σ g` and `Σ g · x̂`, where `x̂` is `x` normalized by [`row_moments`].
pub(crate) fn row_gradient_sums<T: Real>(
    g: &[T],
    x: &[T],
    moments: &[[T; 2]],
    width: usize,
) -> (Vec<T>, Vec<T>) {
    let mut sums = vec![T::zero(); 2 * width];
    sum_rows(
        moments.len(),
        width,
        &mut sums,
        #[inline(always)]
        |row, sums| {
            let (plain, product) = sums.split_at_mut(width);
            let (g, x) = (&g[row * width..][..width], &x[row * width..][..width]);
            let [mean, inverse] = moments[row];
            add_to(plain, g);
            for ((sum, &g), &x) in product.iter_mut().zip(g).zip(x) {
                *sum += g * ((x - mean) * inverse);
            }
        },
    );
    let products = sums.split_off(width);
    (sums, products)
}

/// The gradient of [`scale_rows`] with respect to `x`, given its result's, `g`.
pub(crate) fn row_gradient<T: Real>(g: &[T], x: &[T], moments: &[[T; 2]], scale: &[T]) -> Vec<T> {
    let width = scale.len().max(1);
    let count = T::from_f64(width as f64);
    build(x.len(), width, Cost::Cheap, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let rows = g[start..]
                    .chunks_exact(width)
                    .zip(x[start..].chunks_exact(width));
                let rows = rows.zip(&moments[start / width..]);
                for (to, ((g, x), &[mean, inverse])) in piece.chunks_exact_mut(width).zip(rows) {
                    let plain = sum_row([g, scale], |[g, scale]| g * scale) / count;
                    let product = sum_row([g, scale, x], |[g, scale, x]| {
                        g * scale * ((x - mean) * inverse)
                    }) / count;
                    for (((to, &g), &x), &scale) in to.iter_mut().zip(g).zip(x).zip(scale) {
                        let normalized = (x - mean) * inverse;
                        to.write(inverse * (g * scale - plain - normalized * product));
                    }
                }
            },
        );
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize) -> Vec<f64> {
        (0..count)
            .map(|i| ((i * 37 + 11) % 101) as f64 / 10.0 - 3.0)
            .collect()
    }

    fn close(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-9, "{a} {e}");
        }
    }

    fn column_moments<T: Real>(x: &[T], width: usize) -> (Vec<T>, Vec<T>) {
        let (mut mean, mut variance) = (vec![T::zero(); width], vec![T::zero(); width]);
        super::column_moments(x, &mut mean, &mut variance);
        (mean, variance)
    }

    /// Mean and variance, as the textbook has them.
    fn naive(values: &[f64]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|v| (v - mean).powi(2));
        (mean, squares.sum::<f64>() / count)
    }

    #[test]
    fn moments_of_columns_are_those_of_the_formula() {
        // One row, several runs, several pieces.
        for (rows, width) in [(1, 3), (100, 5), (9_001, 7), (3, 20_000)] {
            let x = values(rows * width);
            let (mean, variance) = column_moments(&x, width);
            let naive: Vec<_> = (0..width)
                .map(|c| naive(&x.iter().copied().skip(c).step_by(width).collect::<Vec<_>>()))
                .collect();
            close(&mean, &naive.iter().map(|m| m.0).collect::<Vec<_>>());
            close(&variance, &naive.iter().map(|m| m.1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn moments_of_rows_are_those_of_the_formula() {
        for (rows, width) in [(3, 1), (2_000, 40), (2, 20_001)] {
            let x = values(rows * width);
            for (row, [mean, inverse]) in x.chunks(width).zip(row_moments(&x, width, 0.1)) {
                let naive = naive(row);
                close(&[mean, inverse], &[naive.0, 1.0 / (naive.1 + 0.1).sqrt()]);
            }
        }
    }

    #[test]
    fn a_large_mean_does_not_swallow_the_variance() {
        let x: Vec<f32> = (0..30_000).map(|i| 1000.0 + (i % 2) as f32).collect();
        let (mean, variance) = column_moments(&x, 3);
        for (mean, variance) in mean.iter().zip(&variance) {
            assert!((mean - 1000.5).abs() < 1e-3 && (variance - 0.25).abs() < 1e-4);
        }
    }

    #[test]
    fn sums_do_not_depend_on_the_number_of_threads() {
        let x: Vec<f32> = values(50_000).iter().map(|&v| v as f32).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| (column_moments(&x, 5), row_moments(&x, 5, 0.1)))
        };
        assert_eq!(run(1), run(3));
    }
}

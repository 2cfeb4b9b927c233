//! Matrix products, dense and with sparse rows.

use std::any::TypeId;

use gemm_common::Parallelism;
use ndarray::{ArrayView2, Axis, CowArray, Ix2};

use super::simd::{Level, vectorised};
use super::thin;
use super::{Cost, Cpu, buffers, build, chunks, each, each_piece};
use crate::device::Kernels;
use crate::tensor::{Real, SparseRows};

/// Multiplications below which a product is not cut into tiles for several threads.
const WORTH_THREADS: usize = 1 << 19;

impl<T: Real> Kernels<T> for Cpu {
    fn gemm(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>, bias: Option<&[T]>) -> Vec<T> {
        let ((m, k), n) = (left.dim(), right.ncols());
        if k == 0 || m * n == 0 {
            return filled_rows(m, n, bias);
        }
        let mut result: Vec<T> = match bias {
            Some(_) => filled_rows(m, n, bias),
            None => buffers::empty(m * n),
        };
        let target = Target {
            start: result.as_mut_ptr(),
            columns: n,
            add: bias.is_some(),
        };
        target.fill_all(left, right);
        // SAFETY: the tiles cover the whole of the buffer, and each was written.
        unsafe { result.set_len(m * n) };
        result
    }

    fn gemm_into(
        left: ArrayView2<'_, T>,
        right: ArrayView2<'_, T>,
        bias: Option<&[T]>,
        result: &mut [T],
    ) {
        let ((m, k), (l, n)) = (left.dim(), right.dim());
        assert!(
            k == l && result.len() == m * n && bias.is_none_or(|bias| bias.len() == n),
            "[{m}, {k}] · [{l}, {n}] into {} elements",
            result.len()
        );
        match bias {
            Some(bias) => chunks(result, n, Cost::Cheap, &|_, piece| {
                for row in piece.chunks_exact_mut(n) {
                    row.copy_from_slice(bias);
                }
            }),
            None if k == 0 => result.fill(T::zero()),
            None => {}
        }
        if k > 0 && m * n > 0 {
            let target = Target {
                start: result.as_mut_ptr(),
                columns: n,
                add: bias.is_some(),
            };
            target.fill_all(left, right);
        }
    }

    fn sparse_gemm(left: &SparseRows, right: ArrayView2<'_, T>, bias: Option<&[T]>) -> Vec<T> {
        let (m, n) = (left.shape()[0], right.ncols());
        let right = right.as_standard_layout();
        let weights = right.as_slice().expect("standard layout");
        let mut result = filled_rows(m, n, bias);
        chunks(&mut result, n, Cost::Costly, &|start, piece| {
            vectorised(
                #[inline(always)]
                || {
                    for (index, sums) in piece.chunks_exact_mut(n).enumerate() {
                        let row = left.row(start / n + index);
                        let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
                        let first_of_rest = blocks.len() * BLOCK;
                        for (block, sums) in blocks.iter_mut().enumerate() {
                            add_rows(sums, row, &weights[block * BLOCK..], n);
                        }
                        for (unit, sum) in rest.iter_mut().enumerate() {
                            let column = &weights[first_of_rest + unit..];
                            add_rows(std::array::from_mut(sum), row, column, n);
                        }
                    }
                },
            );
        });
        result
    }

    fn sparse_transposed_gemm(left: &SparseRows, right: ArrayView2<'_, T>) -> Vec<T> {
        let (m, k, n) = (left.shape()[0], left.shape()[1], right.ncols());
        let right = right.as_standard_layout();
        let gradients = right.as_slice().expect("standard layout");
        let mut result = filled_rows(k, n, None);
        // A piece owns a band of columns of `left`: it visits every row, in order, so that no two
        // threads write to one place and the order of additions is fixed.
        let bands = if left.stored() * n < WORTH_THREADS / 8 {
            1
        } else {
            4
        };
        let band = k.div_ceil(bands).max(1);
        each_piece(&mut result, band * n, &|index, piece| {
            let first = (index * band) as u32;
            vectorised(
                #[inline(always)]
                || {
                    for row in 0..m {
                        let (columns, values) = left.row(row);
                        let from = columns.partition_point(|&c| c < first);
                        let gradient = &gradients[row * n..][..n];
                        for (position, &column) in columns.iter().enumerate().skip(from) {
                            let place = (column - first) as usize;
                            if place >= band {
                                break;
                            }
                            let scale = values.map_or(T::one(), |v| T::cast_from(v[position]));
                            add_scaled(&mut piece[place * n..][..n], scale, gradient);
                        }
                    }
                },
            );
        });
        result
    }
}

/// `left · right`, in this thread, into the row-major `result` of so many columns, from its column
/// `first` on; added to what is there, if `add`.
pub(crate) fn product_into<T: Real>(
    result: &mut [T],
    (columns, first): (usize, usize),
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    add: bool,
) {
    let ((m, k), (l, n)) = (left.dim(), right.dim());
    assert!(
        k == l && k > 0 && first + n <= columns && m * columns <= result.len(),
        "[{m}, {k}] · [{l}, {n}] from column {first} of {columns}"
    );
    let start = result.as_mut_ptr();
    Target {
        start,
        columns,
        add,
    }
    .fill(0, first, left, right);
}

/// Rows and columns of the tiles an `[m, n]` product is cut into, by its shape only.
fn tile(m: usize, n: usize) -> (usize, usize) {
    if m >= n {
        (m.div_ceil(4).next_multiple_of(16), n)
    } else {
        (m, n.div_ceil(4).next_multiple_of(16))
    }
}

fn filled_rows<T: Real>(m: usize, n: usize, bias: Option<&[T]>) -> Vec<T> {
    let Some(bias) = bias else {
        return buffers::zeros(m * n);
    };
    build(m * n, n, Cost::Cheap, &|_, piece| {
        for row in piece.chunks_exact_mut(n) {
            row.write_copy_of_slice(bias);
        }
    })
}

/// Units of a dense layer summed side by side, in vector registers.
const BLOCK: usize = 16;

/// Adds, for each element of a sparse row, the `N` weights at its column's place, times it.
#[inline(always)]
fn add_rows<T: Real, const N: usize>(
    sums: &mut [T; N],
    (columns, values): (&[u32], Option<&[f32]>),
    weights: &[T],
    stride: usize,
) {
    let mut total = *sums;
    for (position, &column) in columns.iter().enumerate() {
        let scale = values.map_or(T::one(), |v| T::cast_from(v[position]));
        let weights = &weights[column as usize * stride..][..N];
        for (sum, &weight) in total.iter_mut().zip(weights) {
            *sum += scale * weight;
        }
    }
    *sums = total;
}

/// Adds `scale · row` to `sum`, in blocks of a fixed length, which the compiler vectorises also
/// where rows are as short as a small layer's units.
#[inline(always)]
fn add_scaled<T: Real>(sum: &mut [T], scale: T, row: &[T]) {
    let (blocks, rest) = sum.as_chunks_mut::<BLOCK>();
    let (row_blocks, row_rest) = row.as_chunks::<BLOCK>();
    for (sums, values) in blocks.iter_mut().zip(row_blocks) {
        let mut total = *sums;
        for (sum, value) in total.iter_mut().zip(*values) {
            *sum += scale * value;
        }
        *sums = total;
    }
    for (sum, &value) in rest.iter_mut().zip(row_rest) {
        *sum += scale * value;
    }
}

/// Writes `left · right` into columns from `first` on of the rows of `to`, which have `columns`; adds it to
/// what is there if `add`. On this thread alone: for kernels that cut their work themselves.
pub(super) fn multiply_into<T: Real>(
    (to, columns, first): (&mut [T], usize, usize),
    add: bool,
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
) {
    assert!(
        left.ncols() == right.nrows()
            && first + right.ncols() <= columns
            && left.nrows() * columns <= to.len(),
        "a product that fits its place"
    );
    let target = Target {
        start: to.as_mut_ptr(),
        columns,
        add,
    };
    target.fill(0, first, left, right);
}

/// The view itself, or a copy where it goes backwards through memory, which packing does not.
fn forwards<'a, T: Real>(view: ArrayView2<'a, T>) -> CowArray<'a, T, Ix2> {
    match view.strides() {
        [rows, columns] if *rows < 0 || *columns < 0 => view.to_owned().into(),
        _ => view.into(),
    }
}

/// Writes `left · right` to `place`, the first element of a tile of a matrix of so many columns.
///
/// The crates for `f32` and `f64` are called one by one. The one that picks among them brings complex numbers and
/// halves along, which nothing here multiplies.
///
/// # Safety
/// `left` has as many columns as `right` has rows, and no stride of either is negative. The tile, of the rows of `left`
/// and the columns of `right`, lies within the buffer behind `place`, and no other thread touches it.
unsafe fn packed_product<T: Real>(
    place: *mut T,
    columns: usize,
    add: bool,
    left: &CowArray<'_, T, Ix2>,
    right: &CowArray<'_, T, Ix2>,
) {
    let ((m, k), n) = (left.dim(), right.ncols());
    let stride = |view: &CowArray<'_, T, Ix2>, axis| view.stride_of(Axis(axis));
    // Micro-kernels write columns: `rightᵀ · leftᵀ` in columns is `left · right` in rows.
    #[cfg(target_arch = "x86_64")]
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        use super::packed;
        let operand = |view: &CowArray<'_, T, Ix2>, columns, rows| packed::Operand {
            start: view.as_ptr().cast(),
            columns: stride(view, columns),
            rows: stride(view, rows),
        };
        let product = packed::Product {
            size: (n, m, k),
            to: place.cast(),
            columns: columns as isize,
            add,
            left: operand(right, 0, 1),
            right: operand(left, 0, 1),
        };
        // SAFETY: the caller's promise; the views are valid for their shapes and strides.
        if unsafe { packed::multiply(&product) } {
            return;
        }
    }
    macro_rules! multiply {
        ($real:ty, $multiply:expr) => {
            $multiply(
                n,
                m,
                k,
                place.cast::<$real>(),
                columns as isize,
                1,
                add,
                right.as_ptr().cast::<$real>(),
                stride(right, 0),
                stride(right, 1),
                left.as_ptr().cast::<$real>(),
                stride(left, 0),
                stride(left, 1),
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            )
        };
    }
    // SAFETY: the caller's promise; the views are valid for their shapes and strides.
    unsafe {
        if TypeId::of::<T>() == TypeId::of::<f32>() {
            multiply!(f32, gemm_f32::gemm::f32::get_gemm_fn());
        } else {
            assert!(
                TypeId::of::<T>() == TypeId::of::<f64>(),
                "`Real` is f32 or f64"
            );
            multiply!(f64, gemm_f64::gemm::f64::get_gemm_fn());
        }
    }
}

/// A row-major result under construction, whose tiles are written by several threads.
struct Target<T> {
    start: *mut T,
    columns: usize,
    /// Whether products are added to what is there.
    add: bool,
}

// SAFETY: threads write to disjoint tiles, see `Kernels::gemm`.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T: Real> Target<T> {
    /// Writes `left · right` from the first row and column on, in tiles for several threads where that
    /// is worth it.
    fn fill_all(&self, left: ArrayView2<'_, T>, right: ArrayView2<'_, T>) {
        let ((m, k), n) = (left.dim(), right.ncols());
        if m * n * k < WORTH_THREADS {
            return self.fill(0, 0, left, right);
        }
        let (rows, columns) = tile(m, n);
        let across = n.div_ceil(columns);
        each(m.div_ceil(rows) * across, &|index| {
            let (top, first) = (index / across * rows, index % across * columns);
            let left = left.slice(ndarray::s![top..m.min(top + rows), ..]);
            let right = right.slice(ndarray::s![.., first..n.min(first + columns)]);
            self.fill(top, first, left, right);
        });
    }

    /// As [`Target::fill`], term by term, by the instructions that [`Level`] says.
    ///
    /// # Safety
    /// The tile lies within the buffer, and no other thread touches it.
    unsafe fn fill_plainly(
        &self,
        top: usize,
        first: usize,
        left: ArrayView2<'_, T>,
        right: ArrayView2<'_, T>,
    ) {
        let right = right.as_standard_layout();
        let rows = right.as_slice().expect("standard layout");
        let n = right.ncols();
        for (index, factors) in left.outer_iter().enumerate() {
            let start = (top + index) * self.columns + first;
            // SAFETY: a row of the tile, by the caller's promise.
            let sums = unsafe { std::slice::from_raw_parts_mut(self.start.add(start), n) };
            if !self.add {
                sums.fill(T::zero());
            }
            vectorised(
                #[inline(always)]
                || {
                    for (&factor, row) in factors.iter().zip(rows.chunks_exact(n)) {
                        add_scaled(sums, factor, row);
                    }
                },
            );
        }
    }

    /// Writes `left · right` at this row and column.
    fn fill(&self, top: usize, first: usize, left: ArrayView2<'_, T>, right: ArrayView2<'_, T>) {
        if thin::suits(&left, &right) {
            let place = thin::Place {
                // SAFETY: the tile begins within the buffer.
                start: unsafe { self.start.add(top * self.columns + first) },
                stride: self.columns,
                add: self.add,
            };
            // SAFETY: the tile lies within the buffer behind `start`, and no other thread touches it.
            return unsafe { thin::multiply(place, left, right) };
        }
        if Level::is_forced() {
            // SAFETY: the tile lies within the buffer behind `start`, and no other thread touches it.
            return unsafe { self.fill_plainly(top, first, left, right) };
        }
        let (left, right) = (forwards(left), forwards(right));
        vectorised(|| {
            // SAFETY: whoever calls has seen that the shapes fit, and `forwards` leaves no negative stride; the tile
            // lies within the m × n buffer behind `start`, and no other thread touches it.
            unsafe {
                let place = self.start.add(top * self.columns + first);
                packed_product(place, self.columns, self.add, &left, &right);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    fn counted<T: Real>(rows: usize, columns: usize, step: usize) -> Array2<T> {
        Array2::from_shape_fn((rows, columns), |(i, j)| {
            T::cast_from(((i * 7 + j * step) % 11) as f32 - 5.0)
        })
    }

    /// Small whole numbers, whose products are exact in either precision.
    fn views_in_any_direction<T: Real>() {
        let (a, b) = (counted::<T>(37, 50, 3), counted::<T>(50, 29, 5));
        for left in [s![.., ..], s![..;-1, ..], s![.., ..;-1], s![..;-2, ..;-1]] {
            for right in [s![.., ..], s![..;-1, ..], s![.., ..;-1], s![..;-1, ..;-3]] {
                let (a, b) = (a.slice(left), b.slice(right));
                let term = |i: usize, j: usize| (0..50).map(|k| a[[i, k]] * b[[k, j]]).sum::<T>();
                let naive = Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| term(i, j));
                let product = <Cpu as Kernels<T>>::gemm(a, b, None);
                assert_eq!(Some(&product[..]), naive.as_slice(), "{left:?} · {right:?}");
            }
        }
    }

    #[test]
    fn products_of_views_in_any_direction_are_the_naive_ones() {
        views_in_any_direction::<f32>();
        views_in_any_direction::<f64>();
    }
}

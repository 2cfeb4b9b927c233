//! Small products of matrices, as they are: nothing is packed.
//!
//! A general product first copies its operands into the order its innermost loop wants, which pays where each
//! element is used hundreds of times. A step of a network of some dozens of units multiplies matrices that
//! lie in the first cache anyway; there the copying, and deciding about it, takes longer than the product.
//! And for what it copies to it asks for memory at each call, which a step of a small network is not to do.
//!
//! On Zen 5, the general product with AVX-512 against this: `[1, 64] · [64, 64]` 229 against 75 ns,
//! `[64, 1] · [1, 64]` 244 against 161, `[32, 32]ᵀ · [32, 1]` 273 against 50; but `[32, 20] · [20, 32]` 244
//! against 331, and `[1, 64] · [64, 64]ᵀ` 127 against 388. With AVX2 those of several rows take 406 against
//! 333 ns.
//!
//! In single precision on processors with AVX2. The loops are written in its instructions: left to
//! itself the compiler shuffles such blocks from register to register.

use ndarray::{ArrayView2, Axis};

#[cfg(target_arch = "x86_64")]
use super::simd::Level;
use crate::tensor::Real;

/// Multiplications of a product that is small, and of one whose columns fill no registers.
const SMALL: usize = 1 << 15;
const TINY: usize = 1 << 13;
/// Columns of the result that are summed side by side.
const COLUMNS: usize = 16;
/// Rows up to which products with a transposed matrix are sums along its rows.
const FEW: usize = 4;

/// Where the result goes: its first element, and the distance from row to row.
#[derive(Clone, Copy)]
pub(super) struct Place<T> {
    pub(super) start: *mut T,
    pub(super) stride: usize,
    /// Whether the product is added to what is there.
    pub(super) add: bool,
}

/// Whether [`multiply`] can be used and is the faster way.
pub(super) fn suits<T: Real>(left: &ArrayView2<'_, T>, right: &ArrayView2<'_, T>) -> bool {
    let ((m, k), n) = (left.dim(), right.ncols());
    let most = if n >= COLUMNS || n == 1 { SMALL } else { TINY };
    let by_rows = right.stride_of(Axis(1)) == 1 || n == 1;
    m * n * k <= most && (by_rows || sums_along_rows(left, right)) && is_possible::<T>()
}

fn is_possible<T: Real>() -> bool {
    #[cfg(target_arch = "x86_64")]
    return T::DTYPE == crate::tensor::DType::F32 && Level::chosen() >= Level::Avx2;
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether the result is sums of products along rows of both operands' memory.
fn sums_along_rows<T>(left: &ArrayView2<'_, T>, right: &ArrayView2<'_, T>) -> bool {
    let few = left.nrows() <= FEW && right.stride_of(Axis(1)) != 1;
    (right.ncols() == 1 || few) && (left.stride_of(Axis(1)) == 1 && right.stride_of(Axis(0)) == 1)
}

/// `left · right` into `to`.
///
/// # Safety
/// [`suits`] holds; the place is valid for a result of this shape, and nothing else reads or writes it
/// meanwhile.
pub(super) unsafe fn multiply<T: Real>(
    to: Place<T>,
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        let along = sums_along_rows(&left, &right);
        // A column is a row turned, and rows are summed in vectors.
        let lies_as_row = left.stride_of(Axis(0)) == 1 && to.stride == 1;
        let (left, right) = match right.ncols() == 1 && !along && lies_as_row {
            true => (right.reversed_axes(), left.reversed_axes()),
            false => (left, right),
        };
        let run = avx2::Run {
            to: to.start.cast(),
            to_stride: to.stride,
            add: to.add,
            left: left.as_ptr().cast(),
            left_strides: (left.stride_of(Axis(0)), left.stride_of(Axis(1))),
            right: right.as_ptr().cast(),
            right_strides: (right.stride_of(Axis(0)), right.stride_of(Axis(1))),
            size: (left.nrows(), left.ncols(), right.ncols()),
        };
        super::vectorised(|| {
            // SAFETY: `T` is f32 and the processor has the instructions, since `suits` holds; pointers,
            // strides and size are those of the views, and the caller's promise.
            unsafe {
                match along {
                    true => run.along_rows(),
                    false => run.by_rows(),
                }
            }
        });
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (to.start, to.stride, to.add, left, right);
        unreachable!("suits is false");
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// Elements of a vector.
    const LANES: usize = 8;
    /// Rows that are summed side by side.
    const ROWS: usize = 4;

    pub(super) struct Run {
        pub(super) to: *mut f32,
        pub(super) to_stride: usize,
        pub(super) add: bool,
        pub(super) left: *const f32,
        /// From row to row and from column to column.
        pub(super) left_strides: (isize, isize),
        pub(super) right: *const f32,
        pub(super) right_strides: (isize, isize),
        /// Rows, summed elements and columns.
        pub(super) size: (usize, usize, usize),
    }

    impl Run {
        /// For a right operand that lies row by row.
        ///
        /// # Safety
        /// Pointers, strides and size fit, and the processor has AVX2 and FMA.
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn by_rows(&self) {
            let (m, _, n) = self.size;
            let mut row = 0;
            // SAFETY: each block lies within the rows and columns.
            unsafe {
                while row + ROWS <= m {
                    let column = self.vectors::<ROWS, 2>(row, 0, n);
                    let column = self.vectors::<ROWS, 1>(row, column, n);
                    self.rest(row..row + ROWS, column);
                    row += ROWS;
                }
                while row < m {
                    let column = self.vectors::<1, 8>(row, 0, n);
                    let column = self.vectors::<1, 2>(row, column, n);
                    let column = self.vectors::<1, 1>(row, column, n);
                    self.rest(row..row + 1, column);
                    row += 1;
                }
            }
        }

        /// `R` rows from a column on, `V` vectors at a time; returns the column it came to.
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        unsafe fn vectors<const R: usize, const V: usize>(
            &self,
            row: usize,
            mut column: usize,
            n: usize,
        ) -> usize {
            while column + V * LANES <= n {
                // SAFETY: within rows and columns.
                unsafe { self.block::<R, V>(row, column) };
                column += V * LANES;
            }
            column
        }

        #[target_feature(enable = "avx2,fma")]
        #[inline]
        unsafe fn block<const R: usize, const V: usize>(&self, row: usize, column: usize) {
            let mut sums = [[_mm256_setzero_ps(); V]; R];
            let (down, along) = self.left_strides;
            // SAFETY: rows `row .. row + R` and columns `column .. column + 8 · V` are within the operands
            // and the result, whose strides these are.
            unsafe {
                let mut left = self.left.offset(row as isize * down);
                let mut right = self.right.add(column);
                for _ in 0..self.size.1 {
                    let mut values = [_mm256_setzero_ps(); V];
                    for (place, value) in values.iter_mut().enumerate() {
                        *value = _mm256_loadu_ps(right.add(place * LANES));
                    }
                    for (place, sums) in sums.iter_mut().enumerate() {
                        let factor = _mm256_set1_ps(*left.offset(place as isize * down));
                        for (sum, &value) in sums.iter_mut().zip(&values) {
                            *sum = _mm256_fmadd_ps(factor, value, *sum);
                        }
                    }
                    left = left.wrapping_offset(along);
                    right = right.wrapping_offset(self.right_strides.0);
                }
                for (place, sums) in sums.iter().enumerate() {
                    let to = self.to.add((row + place) * self.to_stride + column);
                    for (place, &sum) in sums.iter().enumerate() {
                        let to = to.add(place * LANES);
                        let before = match self.add {
                            true => _mm256_loadu_ps(to),
                            false => _mm256_setzero_ps(),
                        };
                        _mm256_storeu_ps(to, _mm256_add_ps(sum, before));
                    }
                }
            }
        }

        /// The columns from `first` on, which fill no vector.
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        unsafe fn rest(&self, rows: std::ops::Range<usize>, first: usize) {
            for row in rows {
                for column in first..self.size.2 {
                    let mut sum = 0.0;
                    // SAFETY: within the operands and the result.
                    unsafe {
                        let left = self.left.offset(row as isize * self.left_strides.0);
                        let right = self.right.offset(column as isize * self.right_strides.1);
                        for k in 0..self.size.1 as isize {
                            let factor = *left.offset(k * self.left_strides.1);
                            sum = factor.mul_add(*right.offset(k * self.right_strides.0), sum);
                        }
                        self.put(row, column, sum);
                    }
                }
            }
        }

        /// For few rows that lie together, where columns of the right operand do too.
        ///
        /// # Safety
        /// As [`Run::by_rows`].
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn along_rows(&self) {
            let (m, k, n) = self.size;
            for row in 0..m {
                for column in 0..n {
                    // SAFETY: a row and a column of `k` elements one after another, and a place within
                    // the result.
                    unsafe {
                        let left = self.left.offset(row as isize * self.left_strides.0);
                        let right = self.right.offset(column as isize * self.right_strides.1);
                        self.put(row, column, dot(left, right, k));
                    }
                }
            }
        }

        #[inline(always)]
        unsafe fn put(&self, row: usize, column: usize, sum: f32) {
            // SAFETY: the caller's.
            unsafe {
                let to = self.to.add(row * self.to_stride + column);
                *to = if self.add { *to + sum } else { sum };
            }
        }
    }

    /// The sum of `length` products.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    unsafe fn dot(left: *const f32, right: *const f32, length: usize) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 2];
        let mut at = 0;
        // SAFETY: both have `length` elements.
        unsafe {
            while at + LANES <= length {
                let sum = &mut sums[at / LANES % 2];
                let (a, b) = (
                    _mm256_loadu_ps(left.add(at)),
                    _mm256_loadu_ps(right.add(at)),
                );
                *sum = _mm256_fmadd_ps(a, b, *sum);
                at += LANES;
            }
            let mut lanes = [0.0; LANES];
            _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(sums[0], sums[1]));
            let mut sum = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6]);
            sum += (lanes[1] + lanes[5]) + (lanes[3] + lanes[7]);
            while at < length {
                sum = (*left.add(at)).mul_add(*right.add(at), sum);
                at += 1;
            }
            sum
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::device::cpu::window::testing::{close, some, wide};

    fn matrix<T: Real>(rows: usize, columns: usize, seed: usize) -> Array2<T> {
        let values = some(rows * columns, seed);
        Array2::from_shape_vec((rows, columns), values).unwrap()
    }

    /// The product, into the middle of rows that are longer, by the way that suits; and term by term.
    fn check<T: Real>(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>) {
        let ((m, k), n) = (left.dim(), right.ncols());
        if !is_possible::<T>() {
            return;
        }
        assert!(suits(&left, &right), "{m}, {k}, {n}");
        for add in [false, true] {
            let mut result: Vec<T> = some(m * (n + 3), 9);
            let mut expected = wide(&result);
            for row in 0..m {
                for column in 0..n {
                    let terms = (0..k).map(|at| (left[(row, at)] * right[(at, column)]).to_f64());
                    let to = &mut expected[row * (n + 3) + 2 + column];
                    *to = terms.sum::<f64>() + if add { *to } else { 0.0 };
                }
            }
            let place = Place {
                start: result[2..].as_mut_ptr(),
                stride: n + 3,
                add,
            };
            // SAFETY: rows of n + 3 elements, of which n from the third on are written.
            unsafe { multiply(place, left, right) };
            close(&result, &expected);
            let mut alone: Vec<T> = some(m * n, 9);
            let before = alone.clone();
            let place = Place {
                start: alone.as_mut_ptr(),
                stride: n,
                add,
            };
            // SAFETY: rows of n elements, all of which are written.
            unsafe { multiply(place, left, right) };
            let mut expected = wide(&before);
            for (at, to) in expected.iter_mut().enumerate() {
                let (row, column) = (at / n, at % n);
                let terms = (0..k).map(|at| (left[(row, at)] * right[(at, column)]).to_f64());
                *to = terms.sum::<f64>() + if add { *to } else { 0.0 };
            }
            close(&alone, &expected);
        }
    }

    fn check_all<T: Real>() {
        for m in [1, 3, 4, 9] {
            for k in [1, 7, 40] {
                for n in [1, 2, 16, 37, 75] {
                    let (left, right) = (matrix::<T>(m, k, 3), matrix::<T>(k, n, 5));
                    check(left.view(), right.view());
                    let turned = matrix::<T>(k, m, 3);
                    check(turned.t(), right.view());
                    if m <= FEW {
                        check(left.view(), matrix::<T>(n, k, 5).t());
                    }
                }
            }
        }
    }

    #[test]
    fn products_are_the_sums_term_by_term() {
        check_all::<f32>();
    }
}

//! Products of single precision by the micro-kernels of `gemm`, with room for packing that stays.
//!
//! The crate's own driver asks for memory at each call, some three hundred times in a step of a convolutional
//! network. This is that driver for one thread, on processors with AVX2 or AVX-512: its blocks, its order and its
//! kernels, and so its numbers to the last bit. What the crate computes without packing is left to it.

use std::cell::RefCell;

use gemm_common::Ptr;
use gemm_common::cache::{CACHE_INFO, KernelParams, kernel_params};
use gemm_common::gemm::{
    CACHELINE_ALIGN, DEFAULT_LHS_PACKING_THRESHOLD_SINGLE_THREAD as WIDE_ENOUGH,
    DEFAULT_RHS_PACKING_THRESHOLD as HIGH_ENOUGH,
};
use gemm_common::microkernel::MicroKernelFn;
use gemm_common::pack_operands::{pack_lhs, pack_rhs};
use gemm_common::simd::{MixedSimd, Simd, V3, V4};
use gemm_f32::microkernel::{avx512f::f32 as wide, fma::f32 as narrow};

use super::buffers::Scratch;

/// Elements of the room that a thread keeps, 1 MB.
const KEPT: usize = 1 << 18;
/// Elements between the places where packed operands may begin.
const LINE: usize = CACHELINE_ALIGN / size_of::<f32>();

thread_local! {
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// An operand: its first element, and the distances from column to column and from row to row.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) start: *const f32,
    pub(super) columns: isize,
    pub(super) rows: isize,
}

impl Operand {
    fn at(self, row: usize, column: usize) -> Ptr<f32> {
        let offset = row as isize * self.rows + column as isize * self.columns;
        Ptr(self.start.wrapping_offset(offset).cast_mut())
    }
}

/// `to = left · right`, or added to what is there: `m` rows, which lie together, `n` columns, sums of `k` products.
pub(super) struct Product {
    pub(super) size: (usize, usize, usize),
    pub(super) to: *mut f32,
    /// From column to column of the result.
    pub(super) columns: isize,
    pub(super) add: bool,
    pub(super) left: Operand,
    pub(super) right: Operand,
}

/// Computes a product; false, and nothing is done, for one that the crate computes without packing, and where
/// the processor has no kernels that are used here.
///
/// # Safety
/// The operands are valid for the sizes, no distance is negative, and nothing else touches the result meanwhile.
pub(super) unsafe fn multiply(product: &Product) -> bool {
    let (m, n, k) = product.size;
    // The crate's ways for vectors, for few terms, and for small results summed along rows.
    let along = product.left.columns == 1 && product.right.rows == 1 && m * n <= 16 * 16;
    if m <= 1 || n <= 1 || k <= 2 || along {
        return false;
    }
    // SAFETY: the caller's promise; the processor has the kernels' instructions.
    unsafe {
        if let Some(simd) = <V4 as MixedSimd<f32, f32, f32, f32>>::try_new() {
            const N: usize = 16;
            let kernels = &wide::UKR;
            Driver::<_, N, { wide::MR_DIV_N * N }, _, _> {
                simd,
                kernels,
                product,
            }
            .run();
            return true;
        }
        if let Some(simd) = <V3 as MixedSimd<f32, f32, f32, f32>>::try_new() {
            const N: usize = 8;
            let kernels = &narrow::UKR;
            Driver::<_, N, { narrow::MR_DIV_N * N }, _, _> {
                simd,
                kernels,
                product,
            }
            .run();
            return true;
        }
    }
    false
}

/// A product by kernels for up to `MR` rows, which are `VECTORS` vectors of `N`, and `NR` columns.
struct Driver<'a, S, const N: usize, const MR: usize, const NR: usize, const VECTORS: usize> {
    simd: S,
    kernels: &'a [[MicroKernelFn<f32>; NR]; VECTORS],
    product: &'a Product,
}

/// Packed rows or columns: panels of as many as a kernel takes, one after the other.
#[derive(Clone, Copy)]
struct Panels {
    start: *mut f32,
    /// Elements of one.
    size: usize,
}

impl Panels {
    fn panel(self, index: usize) -> Ptr<f32> {
        Ptr(self.start.wrapping_add(index * self.size))
    }
}

/// Columns from `column` on, and terms from `depth` on, that are computed together.
#[derive(Clone, Copy)]
struct Slab {
    column: usize,
    columns: usize,
    depth: usize,
    terms: usize,
    /// Rows of a block.
    rows: usize,
    /// The packed left operand: all rows of it, if `packed`, else room for those of a block.
    left: Panels,
    packed: bool,
    /// None where it is read as it lies.
    right: Option<Panels>,
}

impl<S: Simd, const N: usize, const MR: usize, const NR: usize, const VECTORS: usize>
    Driver<'_, S, N, MR, NR, VECTORS>
{
    /// # Safety
    /// As [`multiply`], and the processor has the kernels' instructions.
    unsafe fn run(&self) {
        let Product {
            size: (m, n, k),
            left,
            right,
            ..
        } = *self.product;
        let KernelParams { kc, mc, nc } = match m <= 64 && n <= 64 {
            true => KernelParams {
                kc: k.min(512),
                mc: CACHE_INFO[1].cache_bytes / size_of::<f32>() / k.min(512) / MR * MR,
                nc: n.next_multiple_of(NR),
            },
            false => kernel_params(m, n, k, MR, NR, size_of::<f32>()),
        };
        let nc = if nc > 0 { nc } else { 128 * NR };
        let pack_right = m > MR * if right.rows == 1 { HIGH_ENOUGH } else { 2 };
        let packed = m <= 2 * mc && (m % N != 0 || left.rows != 1);
        let for_right = match pack_right {
            true => (nc.min(n.next_multiple_of(NR)) * kc).next_multiple_of(LINE),
            false => 0,
        };
        let at_once = if packed { m } else { m.min(mc) };
        let for_left = at_once.next_multiple_of(MR) * kc;
        with_room(for_right + for_left, &mut |room| {
            let in_columns = Panels {
                start: room,
                size: kc * NR,
            };
            for column in (0..n).step_by(nc) {
                for depth in (0..k).step_by(kc) {
                    let slab = Slab {
                        column,
                        columns: nc.min(n - column),
                        depth,
                        terms: kc.min(k - depth),
                        rows: mc,
                        left: Panels {
                            start: room.wrapping_add(for_right),
                            size: kc * MR,
                        },
                        packed,
                        right: pack_right.then_some(in_columns),
                    };
                    // SAFETY: what is packed is within the operands, and there is room for it.
                    unsafe {
                        if pack_right {
                            let (to, from) = (in_columns.panel(0), right.at(depth, column));
                            let (count, terms) = (slab.columns, slab.terms);
                            let (along, down, size) = (right.columns, right.rows, in_columns.size);
                            pack_rhs::<_, 1, NR, S>(
                                self.simd, count, terms, to, from, along, down, size,
                            );
                        }
                        if packed {
                            self.pack(slab, (0, m), slab.left.panel(0));
                        }
                        self.multiply(slab);
                    }
                }
            }
        });
    }

    /// Packs `count` rows from `first` on of the left operand.
    unsafe fn pack(&self, slab: Slab, (first, count): (usize, usize), to: Ptr<f32>) {
        let left = self.product.left;
        let (from, along, down) = (left.at(first, slab.depth), left.columns, left.rows);
        // SAFETY: the rows are within the operand, and there is room for them.
        unsafe {
            pack_lhs::<_, N, MR, S>(
                self.simd,
                count,
                slab.terms,
                to,
                from,
                along,
                down,
                slab.left.size,
            );
        }
    }

    /// All rows of a slab.
    unsafe fn multiply(&self, slab: Slab) {
        let Product {
            size: (m, ..),
            left,
            right,
            ..
        } = *self.product;
        let mut first = 0;
        while first < m {
            let mut rows = slab.rows.min(m - first);
            if rows > N && !slab.packed {
                rows = rows / N * N;
            }
            let wide = slab.columns > WIDE_ENOUGH * NR;
            let pack = !slab.packed && (rows % N != 0 || left.rows != 1 || wide);
            for (across, column) in (0..slab.columns).step_by(NR).enumerate() {
                for (down, row) in (0..rows).step_by(MR).enumerate() {
                    let count = MR.min(rows - row);
                    let (from, along) = match (slab.packed, pack) {
                        (true, _) => (slab.left.panel(first / MR + down), MR as isize),
                        (_, true) => (slab.left.panel(down), MR as isize),
                        _ => (left.at(first + row, slab.depth), left.columns),
                    };
                    let of_right = match slab.right {
                        Some(panels) => (panels.panel(across), NR as isize, 1),
                        None => {
                            let from = right.at(slab.depth, slab.column + column);
                            (from, right.rows, right.columns)
                        }
                    };
                    // SAFETY: rows, columns and terms are within operands and result, or packed.
                    unsafe {
                        if pack && column == 0 {
                            self.pack(slab, (first + row, count), from);
                        }
                        self.tile(slab, (first + row, count), column, (from, along), of_right);
                    }
                }
            }
            first += rows;
        }
    }

    /// `count` rows from `row` on, and as many columns as a kernel takes.
    unsafe fn tile(
        &self,
        slab: Slab,
        (row, count): (usize, usize),
        column: usize,
        (left, along): (Ptr<f32>, isize),
        (right, down, across): (Ptr<f32>, isize, isize),
    ) {
        let columns = NR.min(slab.columns - column);
        let kernel = self.kernels[count.div_ceil(N) - 1][columns - 1];
        let to = (slab.column + column) as isize * self.product.columns;
        let to = self.product.to.wrapping_offset(to).wrapping_add(row);
        let (to_next, add) = (self.product.columns, self.product.add || slab.depth > 0);
        let (no, last) = (false, std::ptr::null());
        // SAFETY: the caller's.
        unsafe {
            kernel(
                count,
                columns,
                slab.terms,
                to,
                left.0,
                right.0,
                to_next,
                1,
                along,
                down,
                across,
                1.0,
                1.0,
                u8::from(add),
                no,
                no,
                no,
                last,
            );
        }
    }
}

/// Calls `work` with room for so many elements, which begins with a line of the cache.
fn with_room(length: usize, work: &mut dyn FnMut(*mut f32)) {
    let length = length + LINE;
    let mut begin = |room: &mut [f32]| {
        let start = room.as_mut_ptr();
        work(start.wrapping_add(start.align_offset(CACHELINE_ALIGN)));
    };
    if length > KEPT {
        return begin(&mut Scratch::new(length).0);
    }
    ROOM.with_borrow_mut(|room| {
        if room.is_empty() {
            *room = vec![0.0; KEPT];
        }
        begin(room);
    });
}

#[cfg(test)]
mod tests {
    use gemm_common::Parallelism;

    use super::*;
    use crate::device::cpu::simd::Level;
    use crate::device::cpu::window::testing::some;

    /// The crate's own driver.
    unsafe fn by_the_crate(product: &Product) {
        let (m, n, k) = product.size;
        let (left, right) = (product.left, product.right);
        // SAFETY: the caller's promise.
        unsafe {
            gemm_f32::gemm::f32::get_gemm_fn()(
                m,
                n,
                k,
                product.to,
                product.columns,
                1,
                product.add,
                left.start,
                left.columns,
                left.rows,
                right.start,
                right.columns,
                right.rows,
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }

    /// An operand of so many rows and columns, of which those of one axis lie together.
    fn operand(values: &[f32], (rows, columns): (usize, usize), in_rows: bool) -> Operand {
        Operand {
            start: values.as_ptr(),
            columns: if in_rows { 1 } else { rows as isize },
            rows: if in_rows { columns as isize } else { 1 },
        }
    }

    #[test]
    fn products_are_those_of_the_crate_to_the_last_bit() {
        let mut packed = 0;
        for (m, n, k) in [
            (2, 2, 3),
            (64, 32, 9),
            (17, 5, 100),
            (64, 64, 576),
            (65, 47, 1030),
            (130, 200, 33),
            (10, 700, 40),
            (1500, 7, 20),
            (512, 300, 784),
        ] {
            let (a, b) = (some::<f32>(m * k, 3), some::<f32>(k * n, 5));
            for case in 0..8 {
                let (left_in_rows, right_in_rows, add) = (case & 1 > 0, case & 2 > 0, case & 4 > 0);
                let mut results = [some::<f32>((m + 2) * n, 7), some::<f32>((m + 2) * n, 7)];
                let [own, other] = results.each_mut().map(|to| Product {
                    size: (m, n, k),
                    to: to.as_mut_ptr(),
                    columns: (m + 2) as isize,
                    add,
                    left: operand(&a, (m, k), left_in_rows),
                    right: operand(&b, (k, n), right_in_rows),
                });
                // SAFETY: operands and results are as long as their sizes and distances say.
                unsafe {
                    if multiply(&own) {
                        packed += 1;
                        by_the_crate(&other);
                        assert!(results[0] == results[1], "{m}, {n}, {k}, {case}");
                    }
                }
            }
        }
        let known = Level::best() > Level::Scalar;
        assert!(packed > 60 || !known, "{packed}");
    }
}

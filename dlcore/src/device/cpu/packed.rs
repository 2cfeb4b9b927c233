//! Products of single precision by the micro-kernels of `gemm`, with room for packing that stays.
//!
//! The crate's own driver asks for memory at each call, some three hundred times in a step of a convolutional
//! network. This is that driver for one thread: its blocks, its order and its kernels, and so its numbers to
//! the last bit. What the crate computes without packing is left to it.

use std::cell::RefCell;

use gemm_common::Ptr;
use gemm_common::cache::{CACHE_INFO, KernelParams, kernel_params};
use gemm_common::gemm::{
    DEFAULT_LHS_PACKING_THRESHOLD_SINGLE_THREAD as WIDE_ENOUGH,
    DEFAULT_RHS_PACKING_THRESHOLD as HIGH_ENOUGH,
};
use gemm_common::microkernel::MicroKernelFn;
use gemm_common::pack_operands::{pack_lhs, pack_rhs};
#[cfg(target_arch = "aarch64")]
use gemm_common::simd::Scalar;
use gemm_common::simd::Simd;
#[cfg(target_arch = "x86_64")]
use gemm_common::simd::{MixedSimd, V3, V4};

use super::buffers::Scratch;

/// Elements of the room that a thread keeps, 1 MB.
const KEPT: usize = 1 << 18;
/// Elements of a cache line, at whose beginning packed operands begin.
const LINE: usize = gemm_common::gemm::CACHELINE_ALIGN / size_of::<f32>();

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
    // SAFETY: the caller's promise; a kernel is chosen where the processor has its instructions.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use gemm_f32::microkernel::{avx512f::f32 as wide, fma::f32 as narrow};
        if let Some(simd) = <V4 as MixedSimd<f32, f32, f32, f32>>::try_new() {
            const N: usize = 16;
            product.run::<_, N, { wide::MR_DIV_N * N }, _, _>(simd, &wide::UKR);
            return true;
        }
        if let Some(simd) = <V3 as MixedSimd<f32, f32, f32, f32>>::try_new() {
            const N: usize = 8;
            product.run::<_, N, { narrow::MR_DIV_N * N }, _, _>(simd, &narrow::UKR);
            return true;
        }
    }
    // SAFETY: as above; all such processors have NEON.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        use gemm_f32::microkernel::neon::f32 as neon;
        const N: usize = 4;
        product.run::<_, N, { neon::MR_DIV_N * N }, _, _>(Scalar, &neon::UKR);
        return true;
    }
    #[cfg(not(target_arch = "aarch64"))]
    false
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

/// Which rows of the left operand a kernel reads packed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// All, packed before the first kernel runs.
    Before,
    /// Those of a block, packed when its first columns are computed, or read as they lie.
    InTurn,
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
}

impl Product {
    /// By kernels for up to `MR` rows, in vectors of `N`, and `NR` columns.
    ///
    /// # Safety
    /// As [`multiply`], and the processor has the kernels' instructions.
    unsafe fn run<S, const N: usize, const MR: usize, const NR: usize, const VECTORS: usize>(
        &self,
        simd: S,
        kernels: &[[MicroKernelFn<f32>; NR]; VECTORS],
    ) where
        S: Simd,
    {
        let (m, n, k) = self.size;
        let KernelParams { kc, mc, nc } = match m <= 64 && n <= 64 {
            true => KernelParams {
                kc: k.min(512),
                mc: CACHE_INFO[1].cache_bytes / size_of::<f32>() / k.min(512) / MR * MR,
                nc: n.next_multiple_of(NR),
            },
            false => kernel_params(m, n, k, MR, NR, size_of::<f32>()),
        };
        let nc = if nc > 0 { nc } else { 128 * NR };
        let in_columns = cfg!(target_arch = "aarch64") || self.right.rows == 1;
        let pack_right = m > MR * if in_columns { HIGH_ENOUGH } else { 2 };
        let rows = match m <= 2 * mc && (m % N != 0 || self.left.rows != 1) {
            true => Rows::Before,
            false => Rows::InTurn,
        };
        let for_right = match pack_right {
            true => nc.min(n.next_multiple_of(NR)) * kc,
            false => 0,
        };
        let for_right = for_right.next_multiple_of(LINE);
        let at_once = if rows == Rows::Before { m } else { m.min(mc) };
        let for_left = at_once.next_multiple_of(MR) * kc;
        with_room(for_right + for_left, &mut |room| {
            let right = Panels {
                start: room,
                size: kc * NR,
            };
            let left = Panels {
                start: room.wrapping_add(for_right),
                size: kc * MR,
            };
            for column in (0..n).step_by(nc) {
                for depth in (0..k).step_by(kc) {
                    let slab = Slab {
                        column,
                        columns: nc.min(n - column),
                        depth,
                        terms: kc.min(k - depth),
                        rows: mc,
                    };
                    let (from, to) = (self.right.at(depth, column), right.panel(0));
                    let Operand {
                        columns,
                        rows: down,
                        ..
                    } = self.right;
                    // SAFETY: what is packed is within the operands, and there is room for it.
                    unsafe {
                        #[cfg(target_arch = "aarch64")]
                        if pack_right {
                            pack_rhs::<f32, N, NR, S>(
                                simd,
                                slab.columns,
                                slab.terms,
                                to,
                                from,
                                columns,
                                down,
                                right.size,
                            );
                        }
                        #[cfg(not(target_arch = "aarch64"))]
                        if pack_right {
                            pack_rhs::<f32, 1, NR, S>(
                                simd,
                                slab.columns,
                                slab.terms,
                                to,
                                from,
                                columns,
                                down,
                                right.size,
                            );
                        }
                        if rows == Rows::Before {
                            self.pack::<S, N, MR>(simd, (0, m), slab, left.panel(0), left.size);
                        }
                        let right = pack_right.then_some(right);
                        self.slab::<S, N, MR, NR, VECTORS>(
                            simd,
                            kernels,
                            slab,
                            (left, rows),
                            right,
                        );
                    }
                }
            }
        });
    }

    /// Packs `count` rows from `first` on of the left operand.
    unsafe fn pack<S: Simd, const N: usize, const MR: usize>(
        &self,
        simd: S,
        (first, count): (usize, usize),
        slab: Slab,
        to: Ptr<f32>,
        size: usize,
    ) {
        let (from, left) = (self.left.at(first, slab.depth), self.left);
        // SAFETY: the rows are within the operand, and there is room for them.
        unsafe {
            pack_lhs::<f32, N, MR, S>(
                simd,
                count,
                slab.terms,
                to,
                from,
                left.columns,
                left.rows,
                size,
            );
        }
    }

    /// All rows of a slab. A right operand that is not packed is read as it lies.
    unsafe fn slab<S, const N: usize, const MR: usize, const NR: usize, const VECTORS: usize>(
        &self,
        simd: S,
        kernels: &[[MicroKernelFn<f32>; NR]; VECTORS],
        slab: Slab,
        (left, packed): (Panels, Rows),
        right: Option<Panels>,
    ) where
        S: Simd,
    {
        let m = self.size.0;
        let add = self.add || slab.depth > 0;
        let mut first = 0;
        while first < m {
            let mut rows = slab.rows.min(m - first);
            if rows > N && packed == Rows::InTurn {
                rows = rows / N * N;
            }
            let pack = packed == Rows::InTurn
                && (rows % N != 0 || self.left.rows != 1 || slab.columns > WIDE_ENOUGH * NR);
            let as_it_lies = packed == Rows::InTurn && !pack;
            for (across, column) in (0..slab.columns).step_by(NR).enumerate() {
                let columns = NR.min(slab.columns - column);
                for (down, row) in (0..rows).step_by(MR).enumerate() {
                    let count = MR.min(rows - row);
                    let from_left = match packed {
                        Rows::Before => left.panel(first / MR + down),
                        Rows::InTurn if pack => left.panel(down),
                        Rows::InTurn => self.left.at(first + row, slab.depth),
                    };
                    let (from_right, along, to_next) = match right {
                        Some(right) => (right.panel(across), NR as isize, 1),
                        None => {
                            let from = self.right.at(slab.depth, slab.column + column);
                            (from, self.right.rows, self.right.columns)
                        }
                    };
                    let to = (slab.column + column) as isize * self.columns;
                    let to = self.to.wrapping_offset(to).wrapping_add(first + row);
                    // SAFETY: rows, columns and terms are within operands and result, or packed.
                    unsafe {
                        if pack && column == 0 {
                            let rows = (first + row, count);
                            self.pack::<S, N, MR>(simd, rows, slab, from_left, left.size);
                        }
                        kernels[count.div_ceil(N) - 1][columns - 1](
                            count,
                            columns,
                            slab.terms,
                            to,
                            from_left.0,
                            from_right.0,
                            self.columns,
                            1,
                            if as_it_lies {
                                self.left.columns
                            } else {
                                MR as isize
                            },
                            along,
                            to_next,
                            1.0,
                            1.0,
                            u8::from(add),
                            false,
                            false,
                            false,
                            std::ptr::null(),
                        );
                    }
                }
            }
            first += rows;
        }
    }
}

/// Calls `work` with room for so many elements, which begins with a line of the cache.
fn with_room(length: usize, work: &mut dyn FnMut(*mut f32)) {
    let length = length + LINE;
    let mut begin = |room: &mut [f32]| {
        let start = room.as_mut_ptr();
        work(start.wrapping_add(start.align_offset(LINE * size_of::<f32>())));
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
        let known = cfg!(target_arch = "aarch64") || Level::best() > Level::Scalar;
        assert!(packed > 60 || !known, "{packed}");
    }
}

//! Matrix products by cuBLAS.

use std::ffi::c_void;

use super::blas_library::{self as library, Functions, Handle, Status};
use super::matrix::{Operand, Product};
use super::memory::OUT_OF_MEMORY;

/// A handle of the library, for the thread that holds it.
pub(super) struct Blas {
    functions: Functions,
    handle: Handle,
    /// Whether it was told that it may round to TF32.
    tf32: bool,
}

// SAFETY: the handle may be used from any thread, one at a time, which its mutex sees to.
unsafe impl Send for Blas {}

/// Whether the library found no memory; that passes.
pub(super) fn is_full(error: Status) -> bool {
    error == Status::ALLOC_FAILED
}

/// Whether what the card runs went wrong, after which it does nothing more in this process.
pub(super) fn is_final(error: Status) -> bool {
    matches!(error, Status::EXECUTION_FAILED | Status::INTERNAL_ERROR)
}

impl Blas {
    pub(super) fn open() -> Result<Blas, String> {
        let functions = library::open()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the card's context is this thread's; the handle is written to, and lives as long as the call.
        let created = unsafe { (functions.create)(&raw mut handle) };
        match created.checked() {
            Ok(()) => Ok(Blas {
                functions,
                handle,
                tf32: false,
            }),
            Err(error) if is_full(error) => {
                Err(format!("cuBLAS cannot start: {OUT_OF_MEMORY}, {error}"))
            }
            Err(error) => Err(format!("cuBLAS cannot start: {error}")),
        }
    }

    /// Tells the library how [`set_tf32`](crate::device::set_tf32) stands, where it does not know.
    fn set_math_mode(&mut self) -> Result<(), Status> {
        let tf32 = crate::device::tf32();
        if tf32 != self.tf32 {
            let mode = match tf32 {
                true => library::TF32_TENSOR_OP_MATH,
                false => library::DEFAULT_MATH,
            };
            // SAFETY: the handle is one that the library gave.
            unsafe { (self.functions.set_math_mode)(self.handle, mode) }.checked()?;
            self.tf32 = tf32;
        }
        Ok(())
    }

    /// `out = left · right`, for each matrix of the batch. The library thinks in columns: there, the product of
    /// what lies in rows is `outᵀ = rightᵀ · leftᵀ`, with nothing to be moved.
    pub(super) fn gemm(&mut self, product: &Product<'_>) -> Result<(), Status> {
        self.set_math_mode()?;
        let Product {
            rows,
            inner,
            columns,
            batch,
            ..
        } = *product;
        let side = |operand: &Operand<'_>, across: usize, along: usize| {
            let (operation, leading) = match operand.transposed {
                false => (library::OP_N, along),
                true => (library::OP_T, across),
            };
            let stride = if operand.repeated { 0 } else { across * along };
            let address = operand.buffer.address() as *const c_void;
            (operation, leading as i32, stride as i64, address)
        };
        let (left_as, left_leading, left_stride, left) = side(&product.left, rows, inner);
        let (right_as, right_leading, right_stride, right) = side(&product.right, inner, columns);
        let (one, zero) = (1.0_f32, 0.0_f32);
        if !product.bfloat16 {
            // SAFETY: the buffers hold matrices of these sizes, which `batched` has seen to.
            let begun = unsafe {
                (self.functions.sgemm_strided_batched)(
                    self.handle,
                    right_as,
                    left_as,
                    columns as i32,
                    rows as i32,
                    inner as i32,
                    &raw const one,
                    right.cast(),
                    right_leading,
                    right_stride,
                    left.cast(),
                    left_leading,
                    left_stride,
                    &raw const zero,
                    product.out.address() as *mut f32,
                    columns as i32,
                    (rows * columns) as i64,
                    batch as i32,
                )
            };
            return begun.checked();
        }
        // SAFETY: as above; operands of bfloat16, the result, the scales and the sums of single precision.
        let begun = unsafe {
            (self.functions.gemm_strided_batched_ex)(
                self.handle,
                right_as,
                left_as,
                columns as i32,
                rows as i32,
                inner as i32,
                (&raw const one).cast(),
                right,
                library::R_16BF,
                right_leading,
                right_stride,
                left,
                library::R_16BF,
                left_leading,
                left_stride,
                (&raw const zero).cast(),
                product.out.address() as *mut c_void,
                library::R_32F,
                columns as i32,
                (rows * columns) as i64,
                batch as i32,
                library::COMPUTE_32F,
                library::GEMM_DEFAULT,
            )
        };
        begun.checked()
    }
}

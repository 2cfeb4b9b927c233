//! Matrix products by cuBLAS.

use std::ffi::c_void;

use cudarc::cublas::result::CublasError;
use cudarc::cublas::{result, sys};

use super::library::BLAS;
use super::matrix::{Operand, Product};
use super::memory::OUT_OF_MEMORY;

/// A handle of the library, for the thread that holds it.
pub(super) struct Blas {
    handle: sys::cublasHandle_t,
    /// Whether it was told that it may round to TF32.
    tf32: bool,
}

// SAFETY: the handle may be used from any thread, one at a time, which its mutex sees to.
unsafe impl Send for Blas {}

/// Whether the library found no memory; that passes.
pub(super) fn is_full(error: CublasError) -> bool {
    error.0 == sys::cublasStatus_t::CUBLAS_STATUS_ALLOC_FAILED
}

/// Whether what the card runs went wrong, after which it does nothing more in this process.
pub(super) fn is_final(error: CublasError) -> bool {
    use sys::cublasStatus_t::{CUBLAS_STATUS_EXECUTION_FAILED, CUBLAS_STATUS_INTERNAL_ERROR};
    matches!(
        error.0,
        CUBLAS_STATUS_EXECUTION_FAILED | CUBLAS_STATUS_INTERNAL_ERROR
    )
}

impl Blas {
    pub(super) fn open() -> Result<Blas, String> {
        BLAS.open(|library, _| {
            // cudarc asks the loader for it by name, and is given the one that is open.
            std::mem::forget(library);
            Ok(())
        })?;
        let handle = result::create_handle();
        let opened = |handle| Blas {
            handle,
            tf32: false,
        };
        handle.map(opened).map_err(|error| {
            let problem = match is_full(error) {
                true => format!("{OUT_OF_MEMORY}, {error:?}"),
                false => format!("{error:?}"),
            };
            format!("cuBLAS cannot start: {problem}")
        })
    }

    /// Tells the library how [`set_tf32`](crate::device::set_tf32) stands, where it does not know.
    fn set_math_mode(&mut self) -> Result<(), CublasError> {
        use sys::cublasMath_t::{CUBLAS_DEFAULT_MATH, CUBLAS_TF32_TENSOR_OP_MATH};
        let tf32 = crate::device::tf32();
        if tf32 != self.tf32 {
            let mode = match tf32 {
                true => CUBLAS_TF32_TENSOR_OP_MATH,
                false => CUBLAS_DEFAULT_MATH,
            };
            // SAFETY: the handle is one that the library gave.
            unsafe { sys::cublasSetMathMode(self.handle, mode) }.result()?;
            self.tf32 = tf32;
        }
        Ok(())
    }

    /// `out = left · right`, for each matrix of the batch. The library thinks in columns: there, the product of
    /// what lies in rows is `outᵀ = rightᵀ · leftᵀ`, with nothing to be moved.
    pub(super) fn gemm(&mut self, product: &Product<'_>) -> Result<(), CublasError> {
        self.set_math_mode()?;
        use sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
        let Product {
            rows,
            inner,
            columns,
            batch,
            ..
        } = *product;
        let side = |operand: &Operand<'_>, across: usize, along: usize| {
            let (operation, leading) = match operand.transposed {
                false => (CUBLAS_OP_N, along),
                true => (CUBLAS_OP_T, across),
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
            return unsafe {
                result::sgemm_strided_batched(
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
        }
        // SAFETY: as above; operands of bfloat16, the result, the scales and the sums of single precision.
        unsafe {
            result::gemm_strided_batched_ex(
                self.handle,
                right_as,
                left_as,
                columns as i32,
                rows as i32,
                inner as i32,
                (&raw const one).cast(),
                right,
                sys::cudaDataType::CUDA_R_16BF,
                right_leading,
                right_stride,
                left,
                sys::cudaDataType::CUDA_R_16BF,
                left_leading,
                left_stride,
                (&raw const zero).cast(),
                product.out.address() as *mut c_void,
                sys::cudaDataType::CUDA_R_32F,
                columns as i32,
                (rows * columns) as i64,
                batch as i32,
                sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DFALT,
            )
        }
    }
}

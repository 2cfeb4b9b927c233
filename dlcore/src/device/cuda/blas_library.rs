//! The functions of cuBLAS that are used, as `cublas_api.h` declares them.
//!
//! Names, types and numbers are those of the bindings that the crate cudarc has (0.19.10, `src/cublas/sys/mod.rs`), where
//! they are the same for the headers of CUDA 11.4 to 13.4. The libraries 11.11, 12.4 and 13.1 export all of them. Before CUDA
//! 11.0 the number that says how sums are held was another.

use std::ffi::{c_int, c_longlong, c_uint, c_void};
use std::fmt;

use libloading::Library;

use super::library::BLAS;

/// `cublasHandle_t`.
pub(super) type Handle = *mut c_void;
/// `cublasOperation_t`: what is multiplied is the matrix or its transpose.
pub(super) type Operation = c_uint;
pub(super) const OP_N: Operation = 0;
pub(super) const OP_T: Operation = 1;
/// `cublasMath_t`.
pub(super) type Math = c_uint;
pub(super) const DEFAULT_MATH: Math = 0;
pub(super) const TF32_TENSOR_OP_MATH: Math = 3;
/// `cudaDataType_t`.
pub(super) type DataType = c_uint;
pub(super) const R_32F: DataType = 0;
pub(super) const R_16BF: DataType = 14;
/// `CUBLAS_COMPUTE_32F` of `cublasComputeType_t`.
pub(super) const COMPUTE_32F: c_uint = 68;
/// `CUBLAS_GEMM_DFALT` of `cublasGemmAlgo_t`, whose numbers have a sign.
pub(super) const GEMM_DEFAULT: c_int = -1;

/// `cublasStatus_t`, how a call ended: a number, since newer libraries may have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Status(c_uint);

impl Status {
    const SUCCESS: Status = Status(0);
    pub(super) const ALLOC_FAILED: Status = Status(3);
    pub(super) const EXECUTION_FAILED: Status = Status(13);
    pub(super) const INTERNAL_ERROR: Status = Status(14);

    /// An error unless the call succeeded.
    pub(super) fn checked(self) -> Result<(), Status> {
        match self {
            Status::SUCCESS => Ok(()),
            failed => Err(failed),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "SUCCESS",
            1 => "NOT_INITIALIZED",
            3 => "ALLOC_FAILED",
            7 => "INVALID_VALUE",
            8 => "ARCH_MISMATCH",
            11 => "MAPPING_ERROR",
            13 => "EXECUTION_FAILED",
            14 => "INTERNAL_ERROR",
            15 => "NOT_SUPPORTED",
            16 => "LICENSE_ERROR",
            number => return write!(f, "cuBLAS status {number}"),
        };
        write!(f, "CUBLAS_STATUS_{name}")
    }
}

crate::c_library::functions! {
    /// The library's functions.
    pub(super) Functions {
        create = "cublasCreate_v2": unsafe extern "C" fn(*mut Handle) -> Status,
        set_math_mode = "cublasSetMathMode": unsafe extern "C" fn(Handle, Math) -> Status,
        // Each matrix with its leading dimension, and how far it is from one to the next.
        sgemm_strided_batched = "cublasSgemmStridedBatched": unsafe extern "C" fn(
            Handle, Operation, Operation, c_int, c_int, c_int,
            *const f32, *const f32, c_int, c_longlong, *const f32, c_int, c_longlong,
            *const f32, *mut f32, c_int, c_longlong, c_int,
        ) -> Status,
        // Each with its type, too; the last two are how sums are held, and the algorithm.
        gemm_strided_batched_ex = "cublasGemmStridedBatchedEx": unsafe extern "C" fn(
            Handle, Operation, Operation, c_int, c_int, c_int,
            *const c_void, *const c_void, DataType, c_int, c_longlong,
            *const c_void, DataType, c_int, c_longlong,
            *const c_void, *mut c_void, DataType, c_int, c_longlong, c_int, c_uint, c_int,
        ) -> Status,
    }
}

/// Looks for the library.
///
/// # Errors
/// What was looked for and where, or which function is missing.
pub(super) fn open() -> Result<Functions, String> {
    BLAS.open(|library, _| {
        // It stays open as long as the process.
        let library: &'static Library = Box::leak(Box::new(library));
        // SAFETY: the types are those of `cublas_api.h`.
        unsafe { Functions::of(library) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_said_by_its_name_and_else_by_its_number() {
        assert_eq!(
            Status::ALLOC_FAILED.to_string(),
            "CUBLAS_STATUS_ALLOC_FAILED"
        );
        assert_eq!(Status(99).to_string(), "cuBLAS status 99");
    }
}

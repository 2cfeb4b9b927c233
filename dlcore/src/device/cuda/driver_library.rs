//! The functions of the CUDA driver that are used, as `cuda.h` declares them.
//!
//! Many have another name in the library than in programs: `cuda.h` makes `cuMemAlloc_v2` of `cuMemAlloc`. Names, types
//! and numbers are those of the bindings that the crate cudarc has (0.19.10, `src/driver/sys/mod.rs`), where they are the
//! same for the headers of CUDA 11.4 to 13.4. The drivers 418.226, 450.248, 470.256, 535.261 and 550.163 (CUDA 10.1 to 12.4),
//! as Debian has them, export all of them, but for [`GetUuid`].

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};
use std::path::Path;
use std::sync::OnceLock;

use libloading::Library;

use super::library::DRIVER;

/// The number of a card.
pub(super) type CUdevice = c_int;
/// An address in a card's memory.
pub(super) type CUdeviceptr = u64;
/// What only the driver looks into.
pub(super) type CUcontext = *mut c_void;
pub(super) type CUmodule = *mut c_void;
pub(super) type CUfunction = *mut c_void;
/// Null is the one that every context has.
pub(super) type CUstream = *mut c_void;
pub(super) type CUevent = *mut c_void;

/// How a call ended: a number, since newer drivers have errors that no header had here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct CUresult(pub(super) c_uint);

impl CUresult {
    pub(super) const SUCCESS: CUresult = CUresult(0);
    pub(super) const OUT_OF_MEMORY: CUresult = CUresult(2);
    pub(super) const NOT_INITIALIZED: CUresult = CUresult(3);
    pub(super) const NOT_READY: CUresult = CUresult(600);
}

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `…_MINOR`.
pub(super) const COMPUTE_CAPABILITY_MAJOR: c_uint = 75;
pub(super) const COMPUTE_CAPABILITY_MINOR: c_uint = 76;
/// `CU_STREAM_NON_BLOCKING`: a stream that does not wait for the one that every context has, nor that for it.
pub(super) const STREAM_NON_BLOCKING: c_uint = 1;
/// `CU_EVENT_DISABLE_TIMING` and `CU_EVENT_WAIT_DEFAULT`.
pub(super) const EVENT_DISABLE_TIMING: c_uint = 2;
pub(super) const EVENT_WAIT_DEFAULT: c_uint = 0;

/// Of an error's number, its name or its meaning.
pub(super) type ErrorText = unsafe extern "C" fn(CUresult, *mut *const c_char) -> CUresult;

crate::c_library::functions! {
    /// The driver's functions.
    pub(super) Functions {
        init = "cuInit": unsafe extern "C" fn(c_uint) -> CUresult,
        driver_get_version = "cuDriverGetVersion": unsafe extern "C" fn(*mut c_int) -> CUresult,
        get_error_name = "cuGetErrorName": ErrorText,
        get_error_string = "cuGetErrorString": ErrorText,

        device_get_count = "cuDeviceGetCount": unsafe extern "C" fn(*mut c_int) -> CUresult,
        device_get = "cuDeviceGet": unsafe extern "C" fn(*mut CUdevice, c_int) -> CUresult,
        device_get_name = "cuDeviceGetName":
            unsafe extern "C" fn(*mut c_char, c_int, CUdevice) -> CUresult,
        device_total_mem = "cuDeviceTotalMem_v2":
            unsafe extern "C" fn(*mut usize, CUdevice) -> CUresult,
        device_get_attribute = "cuDeviceGetAttribute":
            unsafe extern "C" fn(*mut c_int, c_uint, CUdevice) -> CUresult,

        primary_ctx_retain = "cuDevicePrimaryCtxRetain":
            unsafe extern "C" fn(*mut CUcontext, CUdevice) -> CUresult,
        ctx_get_current = "cuCtxGetCurrent": unsafe extern "C" fn(*mut CUcontext) -> CUresult,
        ctx_set_current = "cuCtxSetCurrent": unsafe extern "C" fn(CUcontext) -> CUresult,
        ctx_synchronize = "cuCtxSynchronize": unsafe extern "C" fn() -> CUresult,

        mem_alloc = "cuMemAlloc_v2": unsafe extern "C" fn(*mut CUdeviceptr, usize) -> CUresult,
        mem_free = "cuMemFree_v2": unsafe extern "C" fn(CUdeviceptr) -> CUresult,
        mem_get_info = "cuMemGetInfo_v2": unsafe extern "C" fn(*mut usize, *mut usize) -> CUresult,
        mem_host_alloc = "cuMemHostAlloc":
            unsafe extern "C" fn(*mut *mut c_void, usize, c_uint) -> CUresult,
        mem_free_host = "cuMemFreeHost": unsafe extern "C" fn(*mut c_void) -> CUresult,

        memcpy_htod = "cuMemcpyHtoD_v2":
            unsafe extern "C" fn(CUdeviceptr, *const c_void, usize) -> CUresult,
        memcpy_dtoh = "cuMemcpyDtoH_v2":
            unsafe extern "C" fn(*mut c_void, CUdeviceptr, usize) -> CUresult,
        memcpy_htod_async = "cuMemcpyHtoDAsync_v2":
            unsafe extern "C" fn(CUdeviceptr, *const c_void, usize, CUstream) -> CUresult,
        memcpy_dtod_async = "cuMemcpyDtoDAsync_v2":
            unsafe extern "C" fn(CUdeviceptr, CUdeviceptr, usize, CUstream) -> CUresult,
        memset_d8_async = "cuMemsetD8Async":
            unsafe extern "C" fn(CUdeviceptr, c_uchar, usize, CUstream) -> CUresult,

        module_load_data = "cuModuleLoadData":
            unsafe extern "C" fn(*mut CUmodule, *const c_void) -> CUresult,
        module_get_function = "cuModuleGetFunction":
            unsafe extern "C" fn(*mut CUfunction, CUmodule, *const c_char) -> CUresult,
        // The blocks in three directions, the threads of one in three, bytes that they share.
        launch_kernel = "cuLaunchKernel": unsafe extern "C" fn(
            CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint,
            CUstream, *mut *mut c_void, *mut *mut c_void,
        ) -> CUresult,

        stream_create = "cuStreamCreate": unsafe extern "C" fn(*mut CUstream, c_uint) -> CUresult,
        stream_destroy = "cuStreamDestroy_v2": unsafe extern "C" fn(CUstream) -> CUresult,
        stream_query = "cuStreamQuery": unsafe extern "C" fn(CUstream) -> CUresult,
        stream_wait_event = "cuStreamWaitEvent":
            unsafe extern "C" fn(CUstream, CUevent, c_uint) -> CUresult,
        event_create = "cuEventCreate": unsafe extern "C" fn(*mut CUevent, c_uint) -> CUresult,
        event_destroy = "cuEventDestroy_v2": unsafe extern "C" fn(CUevent) -> CUresult,
        event_record = "cuEventRecord": unsafe extern "C" fn(CUevent, CUstream) -> CUresult,
        event_synchronize = "cuEventSynchronize": unsafe extern "C" fn(CUevent) -> CUresult,
    }
}

/// `CUuuid`, by which a card is known on all machines.
pub(super) type Uuid = [u8; 16];
pub(super) type GetUuid = unsafe extern "C" fn(*mut Uuid, CUdevice) -> CUresult;
/// Drivers before CUDA 11.4 have the second only, which says of a part of a card what it says of the whole.
const GET_UUID: [&str; 2] = ["cuDeviceGetUuid_v2", "cuDeviceGetUuid"];

struct Driver {
    functions: Functions,
    /// Where there is one.
    get_uuid: Option<GetUuid>,
}

/// The driver, which is looked for once: what is installed meanwhile counts in the next process.
fn driver() -> Result<&'static Driver, String> {
    static FOUND: OnceLock<Result<Driver, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| DRIVER.open(load));
    found.as_ref().map_err(Clone::clone)
}

fn load(library: Library, _: &Path) -> Result<Driver, String> {
    // It stays open as long as the process.
    let library: &'static Library = Box::leak(Box::new(library));
    let get_uuid = GET_UUID.iter().find_map(|name| {
        // SAFETY: both have this type.
        let function = unsafe { library.get::<GetUuid>(name.as_bytes()) };
        function.ok().map(|function| *function)
    });
    Ok(Driver {
        // SAFETY: the types are those of `cuda.h`.
        functions: unsafe { Functions::of(library) }?,
        get_uuid,
    })
}

/// The driver's functions.
///
/// # Errors
/// What was looked for and where, or which function is missing.
pub(super) fn functions() -> Result<&'static Functions, String> {
    driver().map(|driver| &driver.functions)
}

/// The one that says by what a card is known.
///
/// # Errors
/// As [`functions`], or that there is none.
pub(super) fn get_uuid() -> Result<GetUuid, String> {
    let found = driver()?.get_uuid;
    found.ok_or_else(|| {
        let missing = crate::c_library::missing(&GET_UUID.join(" and no "));
        format!(
            "{} cannot be asked what card it has: {missing}",
            DRIVER.what
        )
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::device::cuda::library::Sought;

    #[test]
    fn a_library_without_the_functions_is_not_taken_for_the_driver() {
        let c_library = Sought {
            names: &["libc.so.6"],
            ..DRIVER
        };
        let error = c_library.open(load).err().unwrap();
        assert!(
            error.contains(
                "the NVIDIA driver was found but cannot be used (libc.so.6: it has no cuInit"
            ),
            "{error}"
        );
    }
}

//! The few functions of the CUDA driver that are used, with errors in words.
//!
//! What `unsafe` there is concerns pointers into a card's memory, which only [`super::card`] makes.

use std::ffi::{CString, c_void};
use std::sync::OnceLock;

use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute, CUresult};
use cudarc::driver::{DriverError, result};

use super::library::DRIVER;
use super::memory::Source;

/// What happened last, for people: `CUDA_ERROR_NO_DEVICE, no CUDA-capable device is detected`.
pub(super) fn words(error: DriverError) -> String {
    let text = |found: Result<&std::ffi::CStr, DriverError>| {
        found.map_or_else(
            |_| String::new(),
            |text| text.to_string_lossy().into_owned(),
        )
    };
    let (name, meaning) = (text(error.error_name()), text(error.error_string()));
    match name.is_empty() {
        true => format!("{:?}", error.0),
        false => format!("{name}, {meaning}"),
    }
}

/// Whether there was no memory; that passes.
pub(super) fn is_full(error: DriverError) -> bool {
    error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY
}

/// Whether the driver does nothing more in this process after this error: the context is gone, or what runs in it
/// went wrong. Others concern one call.
pub(super) fn is_final(error: DriverError) -> bool {
    // By their numbers in the driver's documentation, since older headers do not name all of them.
    matches!(
        error.0 as u32,
        // The driver, the device or the context is not there (any more).
        3 | 4 | 46 | 100 | 101 | 201 | 709
        // Memory or a connection is damaged.
        | 214 | 220
        // A kernel went wrong.
        | 700 | 702 | 710 | 714..=719 | 721 | 722 | 999
    )
}

/// The driver, found and started. It is looked for once: what is installed meanwhile counts in the next process.
pub(super) fn start() -> Result<&'static Started, String> {
    static STARTED: OnceLock<Result<Started, String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        DRIVER.open(|library, _| {
            // cudarc asks the loader for it by name, and is given the one that is open.
            std::mem::forget(library);
            Ok(())
        })?;
        let failed =
            |doing: &str, error| format!("the NVIDIA driver cannot {doing}: {}", words(error));
        result::init().map_err(|error| failed("start", error))?;
        let mut version = 0;
        // SAFETY: the number is written to, and lives as long as the call.
        let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) };
        asked
            .result()
            .map_err(|error| failed("say its version", error))?;
        let cards =
            result::device::get_count().map_err(|error| failed("count its cards", error))?;
        Ok(Started {
            version: (version as u32 / 1000, version as u32 % 1000 / 10),
            cards: cards as usize,
            process: std::process::id(),
        })
    });
    started.as_ref().map_err(Clone::clone)
}

/// What is known once the driver runs.
pub(super) struct Started {
    /// The highest CUDA version it knows.
    pub(super) version: (u32, u32),
    pub(super) cards: usize,
    /// The process it was started in; in one forked from it nothing works.
    pub(super) process: u32,
}

/// What a card says of itself.
pub(super) struct About {
    pub(super) device: sys::CUdevice,
    pub(super) name: String,
    pub(super) memory: usize,
    pub(super) capability: (u32, u32),
}

pub(super) fn about(number: usize) -> Result<About, DriverError> {
    let device = result::device::get(number as i32)?;
    let attribute = |which| {
        // SAFETY: the device is one that the driver gave.
        unsafe { result::device::get_attribute(device, which) }.map(|value| value as u32)
    };
    Ok(About {
        device,
        name: result::device::get_name(device)?,
        // SAFETY: as above.
        memory: unsafe { result::device::total_mem(device) }?,
        capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
    })
}

/// A card's context: the process's memory and programs on it.
#[derive(Clone, Copy)]
pub(super) struct Context(sys::CUcontext);

// SAFETY: the driver's functions may be called with a context from any thread; what is current is set in each.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The context that all libraries of the process share.
    pub(super) fn of(device: sys::CUdevice) -> Result<Context, DriverError> {
        // SAFETY: the device is one that the driver gave. It is kept until the process ends.
        unsafe { result::primary_ctx::retain(device) }.map(Context)
    }

    /// Makes it the calling thread's.
    pub(super) fn enter(self) -> Result<(), DriverError> {
        if result::ctx::get_current()? != Some(self.0) {
            // SAFETY: the context lives until the process ends.
            unsafe { result::ctx::set_current(self.0) }?;
        }
        Ok(())
    }
}

impl Source for Context {
    type Error = DriverError;

    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DriverError> {
        self.enter()?;
        // SAFETY: nothing reads the memory before it is written.
        match unsafe { result::malloc_sync(bytes) } {
            Ok(address) => Ok(Some(address)),
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free(&self, address: u64) {
        // A driver that fails here has lost the memory anyway.
        if self.enter().is_ok() {
            // SAFETY: the address is one that `allocate` gave, and is given back once.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn room(&self) -> (usize, usize) {
        let entered = self.enter();
        entered
            .and_then(|()| result::mem_get_info())
            .unwrap_or((0, 0))
    }
}

/// Copies to a card. It returns when the numbers may change again.
///
/// # Safety
/// There is room for the numbers at the address.
pub(super) unsafe fn upload<T>(to: u64, from: &[T]) -> Result<(), DriverError> {
    // SAFETY: as the caller promises.
    unsafe { result::memcpy_htod_sync(to, from) }
}

/// Copies from a card, when what was begun before is done.
///
/// # Safety
/// There are so many numbers at the address.
pub(super) unsafe fn download<T>(to: &mut [T], from: u64) -> Result<(), DriverError> {
    // SAFETY: as the caller promises.
    unsafe { result::memcpy_dtoh_sync(to, from) }
}

/// Copies within a card.
///
/// # Safety
/// There are so many bytes at both addresses.
pub(super) unsafe fn copy(to: u64, from: u64, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: as the caller promises; on the one stream that everything runs on.
    unsafe { result::memcpy_dtod_async(to, from, bytes, std::ptr::null_mut()) }
}

/// Sets bytes to zero.
///
/// # Safety
/// There are so many bytes at the address.
pub(super) unsafe fn clear(at: u64, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: as the caller promises; on the one stream that everything runs on.
    unsafe { result::memset_d8_async(at, 0, bytes, std::ptr::null_mut()) }
}

/// A compiled program on a card.
pub(super) struct Module(sys::CUmodule);

// SAFETY: a module is only read once it is loaded.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// A kernel of a module.
#[derive(Clone, Copy)]
pub(super) struct Function(sys::CUfunction);

// SAFETY: a function is only read.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Module {
    pub(super) fn load(image: &[u8]) -> Result<Module, DriverError> {
        // A text must end in zero; for a binary it does no harm.
        let mut image = image.to_vec();
        image.push(0);
        // SAFETY: the driver copies what it needs of the image.
        unsafe { result::module::load_data(image.as_ptr().cast::<c_void>()) }.map(Module)
    }

    pub(super) fn function(&self, name: &str) -> Result<Function, DriverError> {
        let name = CString::new(name).expect("names have no zeros");
        // SAFETY: modules are never unloaded.
        unsafe { result::module::get_function(self.0, name) }.map(Function)
    }
}

/// Begins a kernel.
///
/// # Safety
/// The pointers are to arguments of the kernel's types, in its order; addresses among them are of memory that is as
/// large as the kernel takes it to be.
pub(super) unsafe fn launch(
    function: Function,
    blocks: u32,
    threads: u32,
    arguments: &mut [*mut c_void],
) -> Result<(), DriverError> {
    let (grid, block) = ((blocks, 1, 1), (threads, 1, 1));
    // SAFETY: as the caller promises.
    unsafe { result::launch_kernel(function.0, grid, block, 0, std::ptr::null_mut(), arguments) }
}

/// Waits until everything is done.
pub(super) fn synchronize() -> Result<(), DriverError> {
    result::ctx::synchronize()
}

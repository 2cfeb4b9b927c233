//! The few functions of the CUDA driver that are used, with errors in words.
//!
//! What `unsafe` there is concerns pointers into a card's memory, which only [`super::card`] makes.

use std::ffi::{CStr, CString, c_int, c_void};
use std::fmt;
use std::ptr;
use std::sync::OnceLock;

use super::driver_library::{
    self as library, CUcontext, CUdevice, CUfunction, CUmodule, CUresult, ErrorText, Functions,
    Uuid,
};
use super::memory::Source;

/// What a function of the driver's said that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DriverError(pub(super) CUresult);

/// Calls a function of the driver's.
pub(super) fn ask(call: impl FnOnce(&Functions) -> CUresult) -> Result<(), DriverError> {
    // It was found, or nobody would have a card to ask about.
    let functions = library::functions().map_err(|_| DriverError(CUresult::NOT_INITIALIZED))?;
    match call(functions) {
        CUresult::SUCCESS => Ok(()),
        failed => Err(DriverError(failed)),
    }
}

/// In the driver's words, for people: `CUDA_ERROR_NO_DEVICE, no CUDA-capable device is detected`.
impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.text(|functions| functions.get_error_name);
        let meaning = self.text(|functions| functions.get_error_string);
        match (name, meaning) {
            (Some(name), Some(meaning)) => write!(f, "{name}, {meaning}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(&one),
            // Of an error that is newer than the driver, or none of its own.
            (None, None) => write!(f, "CUDA error {}", self.0.0),
        }
    }
}

impl DriverError {
    fn text(self, which: impl FnOnce(&Functions) -> ErrorText) -> Option<String> {
        let mut text = ptr::null();
        // SAFETY: the pointer is written to, and lives as long as the call.
        ask(|driver| unsafe { which(driver)(self.0, &raw mut text) }).ok()?;
        if text.is_null() {
            return None;
        }
        // SAFETY: the driver gives a text that is always there.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_string_lossy().into_owned())
    }
}

/// Whether there was no memory; that passes.
pub(super) fn is_full(error: DriverError) -> bool {
    error.0 == CUresult::OUT_OF_MEMORY
}

/// Whether the driver does nothing more in this process after this error: the context is gone, or what runs in it
/// went wrong. Others concern one call.
pub(super) fn is_final(error: DriverError) -> bool {
    // By their numbers in the driver's documentation.
    matches!(
        error.0.0,
        // The driver, the device or the context is not there (any more).
        3 | 4 | 46 | 100 | 101 | 201 | 709
        // Memory or a connection is damaged.
        | 214 | 220
        // A kernel went wrong.
        | 700 | 702 | 710 | 714..=719 | 721 | 722 | 999
    )
}

/// The driver, found and started.
pub(super) fn start() -> Result<&'static Started, String> {
    static STARTED: OnceLock<Result<Started, String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        library::functions()?;
        let failed = |doing: &str, error| format!("the NVIDIA driver cannot {doing}: {error}");
        // SAFETY: it may be called at any time; zero is what it is given.
        ask(|driver| unsafe { (driver.init)(0) }).map_err(|error| failed("start", error))?;
        let (mut version, mut cards) = (0, 0);
        // SAFETY: the number is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.driver_get_version)(&raw mut version) })
            .map_err(|error| failed("say its version", error))?;
        // SAFETY: as above.
        ask(|driver| unsafe { (driver.device_get_count)(&raw mut cards) })
            .map_err(|error| failed("count its cards", error))?;
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
    pub(super) device: CUdevice,
    pub(super) name: String,
    pub(super) memory: usize,
    pub(super) capability: (u32, u32),
}

fn device(number: usize) -> Result<CUdevice, DriverError> {
    let mut device = 0;
    // SAFETY: the device is written to, and lives as long as the call.
    ask(|driver| unsafe { (driver.device_get)(&raw mut device, number as c_int) })?;
    Ok(device)
}

pub(super) fn about(number: usize) -> Result<About, DriverError> {
    let device = device(number)?;
    let attribute = |which| {
        let mut value = 0;
        // SAFETY: the device is one that the driver gave; the value is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.device_get_attribute)(&raw mut value, which, device) })?;
        Ok(value as u32)
    };
    let (mut name, mut memory) = ([0_u8; 128], 0);
    // SAFETY: as above; the driver is told how much room for the name there is.
    ask(|driver| unsafe {
        (driver.device_get_name)(name.as_mut_ptr().cast(), name.len() as c_int, device)
    })?;
    // SAFETY: as above.
    ask(|driver| unsafe { (driver.device_total_mem)(&raw mut memory, device) })?;
    let end = name.iter().position(|&byte| byte == 0);
    Ok(About {
        device,
        name: String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned(),
        memory,
        capability: (
            attribute(library::COMPUTE_CAPABILITY_MAJOR)?,
            attribute(library::COMPUTE_CAPABILITY_MINOR)?,
        ),
    })
}

/// By what a card is known among those of all machines.
pub(super) fn uuid(number: usize) -> Result<Uuid, String> {
    start()?;
    let get_uuid = library::get_uuid()?;
    let device = device(number).map_err(|error| error.to_string())?;
    let mut uuid = Uuid::default();
    // SAFETY: the device is one that the driver gave; the identity is written to, and lives as long as the call.
    match ask(|_| unsafe { get_uuid(&raw mut uuid, device) }) {
        Ok(()) => Ok(uuid),
        Err(error) => Err(error.to_string()),
    }
}

/// A card's context: the process's memory and programs on it.
#[derive(Clone, Copy)]
pub(super) struct Context(CUcontext);

// SAFETY: the driver's functions may be called with a context from any thread; what is current is set in each.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The context that all libraries of the process share.
    pub(super) fn of(device: CUdevice) -> Result<Context, DriverError> {
        let mut context = ptr::null_mut();
        // SAFETY: the device is one that the driver gave; the context is written to, and kept until the process ends.
        ask(|driver| unsafe { (driver.primary_ctx_retain)(&raw mut context, device) })?;
        Ok(Context(context))
    }

    /// Makes it the calling thread's.
    pub(super) fn enter(self) -> Result<(), DriverError> {
        let mut current = ptr::null_mut();
        // SAFETY: the context is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.ctx_get_current)(&raw mut current) })?;
        if current == self.0 {
            return Ok(());
        }
        // SAFETY: the context lives until the process ends.
        ask(|driver| unsafe { (driver.ctx_set_current)(self.0) })
    }
}

impl Source for Context {
    type Error = DriverError;

    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DriverError> {
        self.enter()?;
        let mut address = 0;
        // SAFETY: the address is written to, and lives as long as the call.
        match ask(|driver| unsafe { (driver.mem_alloc)(&raw mut address, bytes) }) {
            Ok(()) => Ok(Some(address)),
            Err(error) if is_full(error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free(&self, address: u64) {
        // A driver that fails here has lost the memory anyway.
        if self.enter().is_ok() {
            // SAFETY: the address is one that `allocate` gave, and is given back once.
            let _ = ask(|driver| unsafe { (driver.mem_free)(address) });
        }
    }

    fn room(&self) -> (usize, usize) {
        let (mut free, mut total) = (0, 0);
        let asked = self.enter().and_then(|()| {
            // SAFETY: the numbers are written to, and live as long as the call.
            ask(|driver| unsafe { (driver.mem_get_info)(&raw mut free, &raw mut total) })
        });
        match asked {
            Ok(()) => (free, total),
            Err(_) => (0, 0),
        }
    }
}

/// Copies to a card. It returns when the numbers may change again.
///
/// # Safety
/// There is room for the numbers at the address.
pub(super) unsafe fn upload<T>(to: u64, from: &[T]) -> Result<(), DriverError> {
    // SAFETY: as the caller promises.
    ask(|driver| unsafe { (driver.memcpy_htod)(to, from.as_ptr().cast(), size_of_val(from)) })
}

/// Copies from a card, when what was begun before is done.
///
/// # Safety
/// There are so many numbers at the address.
pub(super) unsafe fn download<T>(to: &mut [T], from: u64) -> Result<(), DriverError> {
    // SAFETY: as the caller promises.
    ask(|driver| unsafe { (driver.memcpy_dtoh)(to.as_mut_ptr().cast(), from, size_of_val(to)) })
}

/// Copies within a card.
///
/// # Safety
/// There are so many bytes at both addresses.
pub(super) unsafe fn copy(to: u64, from: u64, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: as the caller promises; on the one stream that everything runs on.
    ask(|driver| unsafe { (driver.memcpy_dtod_async)(to, from, bytes, ptr::null_mut()) })
}

/// Sets bytes to zero.
///
/// # Safety
/// There are so many bytes at the address.
pub(super) unsafe fn clear(at: u64, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: as the caller promises; on the one stream that everything runs on.
    ask(|driver| unsafe { (driver.memset_d8_async)(at, 0, bytes, ptr::null_mut()) })
}

/// A compiled program on a card.
pub(super) struct Module(CUmodule);

// SAFETY: a module is only read once it is loaded.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// A kernel of a module.
#[derive(Clone, Copy)]
pub(super) struct Function(CUfunction);

// SAFETY: a function is only read.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Module {
    pub(super) fn load(image: &[u8]) -> Result<Module, DriverError> {
        // A text must end in zero; for a binary it does no harm.
        let mut image = image.to_vec();
        image.push(0);
        let mut module = ptr::null_mut();
        // SAFETY: the module is written to; the driver copies what it needs of the image.
        ask(|driver| unsafe { (driver.module_load_data)(&raw mut module, image.as_ptr().cast()) })?;
        Ok(Module(module))
    }

    pub(super) fn function(&self, name: &str) -> Result<Function, DriverError> {
        let name = CString::new(name).expect("names have no zeros");
        let mut function = ptr::null_mut();
        // SAFETY: modules are never unloaded; the function is written to, and the name lives as long as the call.
        ask(|driver| unsafe {
            (driver.module_get_function)(&raw mut function, self.0, name.as_ptr())
        })?;
        Ok(Function(function))
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
    let (stream, arguments, extra) = (ptr::null_mut(), arguments.as_mut_ptr(), ptr::null_mut());
    // SAFETY: as the caller promises.
    ask(|driver| unsafe {
        let launch = driver.launch_kernel;
        launch(
            function.0, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, extra,
        )
    })
}

/// Waits until everything is done.
pub(super) fn synchronize() -> Result<(), DriverError> {
    // SAFETY: it takes nothing.
    ask(|driver| unsafe { (driver.ctx_synchronize)() })
}

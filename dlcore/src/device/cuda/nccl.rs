//! Sums over the cards of several processes by NCCL.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;

use super::array::DeviceArray;
use super::card::Card;
use super::driver;
use super::library::Sought;
use super::stream::Stream;
use crate::device::Device;
use crate::{Error, Result, Tensor};

const NCCL: Sought = Sought {
    what: "NVIDIA's library for sums over cards, NCCL,",
    names: &["libnccl.so.2", "libnccl.so"],
    package: Some("nccl"),
};

/// `ncclFloat32` and `ncclSum` of `nccl.h`, and the state of what is not done.
const FLOAT32: c_int = 7;
const SUM: c_int = 0;
const IN_PROGRESS: c_int = 7;

/// By which the ranks of a group find each other: `ncclUniqueId`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Id {
    pub(crate) bytes: [u8; 128],
}

impl Default for Id {
    fn default() -> Id {
        Id { bytes: [0; 128] }
    }
}

/// `ncclComm_t`.
type Comm = *mut c_void;

crate::c_library::functions! {
    /// The library's functions, as `nccl.h` has them.
    Functions {
        get_unique_id = "ncclGetUniqueId": unsafe extern "C" fn(*mut Id) -> c_int,
        comm_init_rank = "ncclCommInitRank": unsafe extern "C" fn(*mut Comm, c_int, Id, c_int) -> c_int,
        comm_abort = "ncclCommAbort": unsafe extern "C" fn(Comm) -> c_int,
        comm_get_async_error = "ncclCommGetAsyncError": unsafe extern "C" fn(Comm, *mut c_int) -> c_int,
        get_error_string = "ncclGetErrorString": unsafe extern "C" fn(c_int) -> *const c_char,
        all_reduce = "ncclAllReduce": unsafe extern "C" fn(
            *const c_void, *mut c_void, usize, c_int, c_int, Comm, *mut c_void,
        ) -> c_int,
        group_start = "ncclGroupStart": unsafe extern "C" fn() -> c_int,
        group_end = "ncclGroupEnd": unsafe extern "C" fn() -> c_int,
    }
}

fn functions() -> Result<&'static Functions, String> {
    static FOUND: OnceLock<Result<Functions, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        NCCL.open(|library, _| {
            // It stays open as long as the process.
            let library: &'static Library = Box::leak(Box::new(library));
            // SAFETY: the types are those of `nccl.h`, which have been the same since version 2.4.
            unsafe { Functions::of(library) }
        })
    });
    found.as_ref().map_err(Clone::clone)
}

impl Functions {
    fn checked(&self, doing: &str, code: c_int) -> Result<(), String> {
        if code == 0 || code == IN_PROGRESS {
            return Ok(());
        }
        // SAFETY: the library gives a text that is always there.
        let words = unsafe { (self.get_error_string)(code) };
        let words = match words.is_null() {
            true => "no reason given".into(),
            // SAFETY: as above.
            false => unsafe { CStr::from_ptr(words) }.to_string_lossy(),
        };
        Err(format!("NCCL cannot {doing}: {words} (error {code})"))
    }
}

/// Looks for the library.
///
/// # Errors
/// What was looked for and where.
pub(crate) fn find() -> Result<(), String> {
    functions().map(|_| ())
}

/// By what a card is known among those of all machines.
pub(crate) fn identity(number: usize) -> Result<String, String> {
    driver::uuid(number).map(|uuid| format!("{uuid:?}"))
}

/// An identity for a new group.
pub(crate) fn unique_id() -> Result<Id, String> {
    let library = functions()?;
    let mut id = Id::default();
    // SAFETY: the identity is written to, and lives as long as the call.
    let code = unsafe { (library.get_unique_id)(&raw mut id) };
    library.checked("begin a group", code).map(|()| id)
}

/// One card among those of several ranks.
pub(crate) struct Group {
    card: &'static Card,
    /// None when it was left.
    comm: Mutex<Option<Member>>,
}

struct Member(Comm);

// SAFETY: a communicator may be used from any thread, one at a time, which its mutex sees to.
unsafe impl Send for Member {}

impl Group {
    /// Returns when all ranks have joined.
    pub(crate) fn join(device: Device, id: Id, rank: usize, size: usize) -> Result<Group> {
        let Device::Cuda(number) = device else {
            return Err(Error::Device(format!("{device} is no card")));
        };
        let card = super::card(number)?;
        card.enter()?;
        let library = functions().map_err(Error::Device)?;
        let mut comm: Comm = ptr::null_mut();
        // SAFETY: the card's context is this thread's; the communicator is written to, and lives as long as the call.
        let code =
            unsafe { (library.comm_init_rank)(&raw mut comm, size as c_int, id, rank as c_int) };
        library
            .checked("join the cards of all ranks", code)
            .map_err(|error| Error::Device(format!("{device}: {error}")))?;
        Ok(Group {
            card,
            comm: Mutex::new(Some(Member(comm))),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Functions, Comm) -> Result<T, String>) -> Result<T> {
        self.card.enter()?;
        let comm = self.comm.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match &*comm {
            Some(Member(comm)) => functions().and_then(|library| work(library, *comm)),
            None => Err("its rank has left the others".to_string()),
        };
        done.map_err(|error| Error::Device(format!("{}: {error}", self.card.device())))
    }

    /// Begins to put the sum of all ranks' tensors in the place of each rank's, on the stream of the card.
    pub(crate) fn sum(&self, tensors: &mut [Tensor]) -> Result<()> {
        self.card.enter()?;
        let mut parts = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let Some(array) = tensor.on_card_mut() else {
                return Err(Error::Device(format!(
                    "a tensor to be summed is not on {}",
                    self.card.device()
                )));
            };
            DeviceArray::make_own(array)?;
            if !array.is_empty() {
                parts.push((array.buffer().address(), array.len()));
            }
        }
        let stream = ptr::null_mut();
        self.with(|library, comm| {
            // SAFETY: the buffers have so many numbers, are held by nobody else, and are there until the sum is done: who
            // began it waits for it.
            unsafe {
                library.checked("begin a sum", (library.group_start)())?;
                for (address, count) in parts {
                    let at = address as *mut c_void;
                    let code = (library.all_reduce)(at, at, count, FLOAT32, SUM, comm, stream);
                    library.checked("begin a sum", code)?;
                }
                library.checked("begin a sum", (library.group_end)())
            }
        })
    }

    /// Whether all that was begun is done; it does not wait.
    pub(crate) fn is_done(&self) -> Result<bool> {
        self.with(|library, comm| {
            let mut code = 0;
            // SAFETY: the number is written to, and lives as long as the call.
            let asked = unsafe { (library.comm_get_async_error)(comm, &raw mut code) };
            library.checked("say how far it is", asked)?;
            library.checked("sum", code)
        })?;
        let done = Stream::of_kernels().is_done();
        done.map_err(|error| self.card.failed("sum", error))
    }

    /// Leaves the others, and ends what was begun.
    pub(crate) fn abort(&self) {
        let mut comm = self.comm.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(Member(comm)), Ok(library)) = (comm.take(), functions())
            && self.card.enter().is_ok()
        {
            // SAFETY: the communicator is one that the library gave, and is given back once. Should that fail, it is gone.
            let _ = unsafe { (library.comm_abort)(comm) };
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.abort();
    }
}

//! The MPI library that is on the machine, found at run time.
//!
//! MPI's standard leaves open what a communicator or a type is to the machine. There are two kinds of it: OpenMPI's,
//! where they are addresses of the library's own variables, and MPICH's, where they are the numbers of `mpi.h`, which Intel
//! MPI, MVAPICH and Cray MPI share (<https://www.mpich.org/abi>).

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use libloading::Library;
use libloading::os::unix::{Library as Opened, RTLD_GLOBAL, RTLD_NOW};

use crate::distributed::launcher::variable;

/// A communicator, a type, an operation, a request: an address, or a number in the lower half.
pub(super) type Handle = usize;
/// `MPI_Status`, which nobody looks into: at most 24 bytes in both kinds.
type Status = [u64; 8];
/// `MPI_THREAD_SERIALIZED`: one thread at a time.
const SERIALIZED: c_int = 2;
/// Of messages that say that a rank has left.
const TAG: c_int = 29_500;
const OPEN_MPI: [&str; 2] = ["libmpi.so.40", "libmpi.so"];
const MPICH: [&str; 3] = ["libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12"];

type Call<T> = unsafe extern "C" fn(T) -> c_int;

crate::c_library::functions! {
    /// The library's functions, as the standard has them.
    Functions {
        initialized = "MPI_Initialized": Call<*mut c_int>,
        finalized = "MPI_Finalized": Call<*mut c_int>,
        init_thread = "MPI_Init_thread":
            unsafe extern "C" fn(*mut c_int, *mut c_void, c_int, *mut c_int) -> c_int,
        query_thread = "MPI_Query_thread": Call<*mut c_int>,
        finalize = "MPI_Finalize": unsafe extern "C" fn() -> c_int,
        set_errhandler = "MPI_Comm_set_errhandler": unsafe extern "C" fn(Handle, Handle) -> c_int,
        error_string = "MPI_Error_string":
            unsafe extern "C" fn(c_int, *mut c_char, *mut c_int) -> c_int,
        comm_rank = "MPI_Comm_rank": unsafe extern "C" fn(Handle, *mut c_int) -> c_int,
        comm_size = "MPI_Comm_size": unsafe extern "C" fn(Handle, *mut c_int) -> c_int,
        iallreduce = "MPI_Iallreduce": unsafe extern "C" fn(
            *const c_void, *mut c_void, c_int, Handle, Handle, Handle, *mut Handle,
        ) -> c_int,
        ibcast = "MPI_Ibcast":
            unsafe extern "C" fn(*mut c_void, c_int, Handle, c_int, Handle, *mut Handle) -> c_int,
        issend = "MPI_Issend": unsafe extern "C" fn(
            *const c_void, c_int, Handle, c_int, c_int, Handle, *mut Handle,
        ) -> c_int,
        recv = "MPI_Recv": unsafe extern "C" fn(
            *mut c_void, c_int, Handle, c_int, c_int, Handle, *mut Status,
        ) -> c_int,
        iprobe = "MPI_Iprobe":
            unsafe extern "C" fn(c_int, c_int, Handle, *mut c_int, *mut Status) -> c_int,
        test = "MPI_Test": unsafe extern "C" fn(*mut Handle, *mut c_int, *mut Status) -> c_int,
    }
}

/// The library, and what it calls the things that functions are given.
pub(super) struct Mpi {
    world: Handle,
    float: Handle,
    byte: Handle,
    sum: Handle,
    errors_return: Handle,
    in_place: *const c_void,
    any_source: c_int,
    functions: Functions,
}

// SAFETY: addresses in it are of the library's own variables; calls are made one at a time.
unsafe impl Send for Mpi {}
// SAFETY: as above.
unsafe impl Sync for Mpi {}

/// The library, which stays open as long as the process.
///
/// # Errors
/// What was looked for and where.
pub(super) fn library() -> Result<&'static Mpi, String> {
    static FOUND: OnceLock<Result<Mpi, String>> = OnceLock::new();
    FOUND.get_or_init(find).as_ref().map_err(Clone::clone)
}

fn find() -> Result<Mpi, String> {
    // The kind of the launcher comes first: another one would take each process for the only rank.
    let of_mpich = variable("PMI_RANK").is_some() && variable("OMPI_COMM_WORLD_RANK").is_none();
    let names: Vec<&str> = match of_mpich {
        true => MPICH.into_iter().chain(OPEN_MPI).collect(),
        false => OPEN_MPI.into_iter().chain(MPICH).collect(),
    };
    let mut problems = Vec::new();
    for &name in &names {
        // SAFETY: the library's own initialisers run. Its parts look for its functions among those of the process.
        match unsafe { Opened::open(Some(name), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                let library: &'static Library = Box::leak(Box::new(library.into()));
                // SAFETY: the types are those of the standard and of the two kinds of it.
                match unsafe { Mpi::of(library) } {
                    Ok(mpi) => return Ok(mpi),
                    Err(error) => problems.push(format!("{name}: {error}")),
                }
            }
            Err(error) => {
                let words = std::error::Error::source(&error).map(ToString::to_string);
                let words = words.unwrap_or_default();
                if !words.contains("cannot open shared object file") {
                    problems.push(format!("{name}: {words}"));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(format!(
            "MPI was found but cannot be used ({})",
            problems.join("; ")
        ));
    }
    Err(format!(
        "MPI was not found: looked for {} in the loader's path (LD_LIBRARY_PATH={:?})",
        names.join(", "),
        std::env::var("LD_LIBRARY_PATH").unwrap_or_default()
    ))
}

impl Mpi {
    unsafe fn of(library: &'static Library) -> Result<Mpi, String> {
        // SAFETY: nothing is read; the address of a variable is the handle.
        let variable = |name: &str| unsafe {
            let found = library.get::<*const c_void>(name.as_bytes());
            found
                .map(|symbol| symbol.into_raw().into_raw() as Handle)
                .map_err(|_| crate::c_library::missing(name))
        };
        let open = variable("ompi_mpi_comm_world").ok();
        // SAFETY: as the caller promises.
        unsafe {
            Ok(Mpi {
                world: open.unwrap_or(0x4400_0000),
                float: open.map_or(Ok(0x4c00_040a), |_| variable("ompi_mpi_float"))?,
                byte: open.map_or(Ok(0x4c00_010d), |_| variable("ompi_mpi_byte"))?,
                sum: open.map_or(Ok(0x5800_0003), |_| variable("ompi_mpi_op_sum"))?,
                errors_return: open
                    .map_or(Ok(0x5400_0001), |_| variable("ompi_mpi_errors_return"))?,
                in_place: ptr::without_provenance(if open.is_some() { 1 } else { usize::MAX }),
                any_source: if open.is_some() { -1 } else { -2 },
                functions: Functions::of(library)?,
            })
        }
    }

    fn checked(&self, doing: &str, code: c_int) -> Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        let (mut text, mut length) = ([0_u8; 4096], 0);
        // SAFETY: the standard bounds the text, by less in both kinds than there is room for.
        unsafe { (self.functions.error_string)(code, text.as_mut_ptr().cast(), &raw mut length) };
        let text = String::from_utf8_lossy(&text[..(length.max(0) as usize).min(4096)]);
        Err(format!("MPI cannot {doing}: {text}"))
    }

    fn asked(&self, call: Call<*mut c_int>) -> bool {
        let mut answer = 0;
        // SAFETY: the number is written to, and lives as long as the call, which may be made at any time.
        unsafe { call(&raw mut answer) == 0 && answer != 0 }
    }

    /// Starts MPI, and says which rank this is and how many there are.
    pub(super) fn start(&self) -> Result<(usize, usize), String> {
        if self.asked(self.functions.finalized) {
            return Err(
                "MPI has ended in this process, and cannot be started again: keep one connection for all trainings"
                    .to_string(),
            );
        }
        let (mut rank, mut size, mut threads) = (0, 0, 0);
        // SAFETY: numbers are written to, and live as long as the calls; MPI is not started yet where it is started.
        unsafe {
            if self.asked(self.functions.initialized) {
                let code = (self.functions.query_thread)(&raw mut threads);
                self.checked("say by how many threads it can be used", code)?;
            } else {
                let (none, all) = (ptr::null_mut(), ptr::null_mut());
                let code = (self.functions.init_thread)(none, all, SERIALIZED, &raw mut threads);
                self.checked("start", code)?;
            }
            (self.functions.set_errhandler)(self.world, self.errors_return);
            self.checked(
                "count",
                (self.functions.comm_rank)(self.world, &raw mut rank),
            )?;
            self.checked(
                "count",
                (self.functions.comm_size)(self.world, &raw mut size),
            )?;
        }
        if threads < SERIALIZED {
            return Err("this MPI can be used by one thread only".to_string());
        }
        Ok((rank as usize, size as usize))
    }

    /// Ends MPI: every rank does, and waits for the others.
    pub(super) fn end(&self) {
        // SAFETY: nothing that was begun is left.
        unsafe { (self.functions.finalize)() };
    }

    /// Begins a sum over all ranks in the place of each one's numbers.
    ///
    /// # Safety
    /// The numbers are there, and nobody touches them, until [`Mpi::is_done`].
    pub(super) unsafe fn begin_sum(&self, values: &mut [f32]) -> Result<Handle, String> {
        let (mut request, count) = (0, count(values)?);
        // SAFETY: as the caller promises.
        let code = unsafe {
            (self.functions.iallreduce)(
                self.in_place,
                values.as_mut_ptr().cast(),
                count,
                self.float,
                self.sum,
                self.world,
                &raw mut request,
            )
        };
        self.checked("sum", code).map(|()| request)
    }

    /// Begins to give each rank the numbers of the rank `from`.
    ///
    /// # Safety
    /// As [`Mpi::begin_sum`].
    pub(super) unsafe fn begin_broadcast(
        &self,
        from: usize,
        values: &mut [f32],
    ) -> Result<Handle, String> {
        let (mut request, count) = (0, count(values)?);
        // SAFETY: as the caller promises.
        let code = unsafe {
            (self.functions.ibcast)(
                values.as_mut_ptr().cast(),
                count,
                self.float,
                from as c_int,
                self.world,
                &raw mut request,
            )
        };
        self.checked("broadcast", code).map(|()| request)
    }

    /// Whether what was begun is done; it does not wait.
    pub(super) fn is_done(&self, request: &mut Handle) -> Result<bool, String> {
        let (mut done, mut status) = (0, Status::default());
        // SAFETY: the request is one that was begun; what is written to lives as long as the call.
        let code =
            unsafe { (self.functions.test)(&raw mut *request, &raw mut done, &raw mut status) };
        self.checked("go on", code).map(|()| done != 0)
    }

    /// Sends a message to a rank, and does not wait: it is done when that rank takes it.
    pub(super) fn send(&self, to: usize, message: &'static [u8]) -> Result<Handle, String> {
        let mut request = 0;
        // SAFETY: the message is there for ever.
        let code = unsafe {
            (self.functions.issend)(
                message.as_ptr().cast(),
                message.len() as c_int,
                self.byte,
                to as c_int,
                TAG,
                self.world,
                &raw mut request,
            )
        };
        self.checked("send", code).map(|()| request)
    }

    /// A message of another rank, if one is there.
    pub(super) fn message<const BYTES: usize>(&self) -> Result<Option<[u8; BYTES]>, String> {
        let (mut there, mut status) = (0, Status::default());
        let mut message = [0; BYTES];
        // SAFETY: what is written to lives as long as the calls; messages have this size.
        unsafe {
            let code = (self.functions.iprobe)(
                self.any_source,
                TAG,
                self.world,
                &raw mut there,
                &raw mut status,
            );
            self.checked("listen", code)?;
            if there == 0 {
                return Ok(None);
            }
            let code = (self.functions.recv)(
                message.as_mut_ptr().cast(),
                BYTES as c_int,
                self.byte,
                self.any_source,
                TAG,
                self.world,
                &raw mut status,
            );
            self.checked("listen", code)?;
        }
        Ok(Some(message))
    }
}

fn count(values: &[f32]) -> Result<c_int, String> {
    let count = c_int::try_from(values.len());
    count.map_err(|_| format!("MPI counts to {}, not to {}", c_int::MAX, values.len()))
}

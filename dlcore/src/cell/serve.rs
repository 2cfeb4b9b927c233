//! The loop of the cell process: frames come in from the kernel, cells are loaded and run.

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Entry, Store, failure, kept};
use crate::display::channel;

/// Runs cells until the kernel closes the channel. Called once by the kernel's cell process, which
/// loads this library and knows this one name.
#[unsafe(no_mangle)]
pub extern "C" fn dlcore_serve_cells() {
    failure::install_hook();
    let Some(socket) = channel::reader() else {
        eprintln!(
            "no socket to the kernel: {} does not name one",
            channel::FD_VARIABLE
        );
        return;
    };
    let (cells, queue) = mpsc::channel();
    channel::answers_will_come();
    std::thread::spawn(move || read_frames(socket, &cells));
    std::thread::spawn(show_unfinished_lines);
    channel::send(&json!({"t": "ready"}));
    while let Ok(frame) = queue.recv() {
        match frame["t"].as_str() {
            Some("restore") => restore(&frame),
            _ => run_cell(&frame),
        }
    }
}

/// Hands `run` frames to the main thread and acts on interrupts at once.
fn read_frames(mut socket: UnixStream, cells: &mpsc::Sender<Value>) {
    while let Ok(Some(frame)) = channel::read_frame(&mut socket) {
        match frame["t"].as_str() {
            Some("interrupt") => interrupt(frame["cell"].as_u64().unwrap_or_default()),
            Some("ack") => channel::acknowledge(frame["n"].as_u64().unwrap_or_default()),
            Some("input_reply") => crate::input::answer(frame),
            Some("run" | "restore") => {
                if cells.send(frame).is_err() {
                    return;
                }
            }
            _ => eprintln!("the kernel sent a frame of unknown kind: {frame}"),
        }
    }
    // The kernel is gone; nobody is left to see what a cell computes.
    std::process::exit(0);
}

/// The number of the last cell that is over. Its lock orders an interrupt against the end of the
/// cell it was meant for.
static OVER: Mutex<u64> = Mutex::new(0);

fn interrupt(cell: u64) {
    if cell > *OVER.lock().unwrap_or_else(PoisonError::into_inner) {
        crate::interrupt::request();
    }
}

thread_local! {
    static STORE: RefCell<Store> = RefCell::default();
}

fn run_cell(frame: &Value) {
    STORE.with_borrow_mut(|store| {
        for name in frame["forget"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            // A value's own `drop` may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| store.forget(name)));
        }
        kept::cell_begins(
            frame["keep"].as_str(),
            frame["number"].as_u64().unwrap_or_default(),
        );
        let library = frame["library"].as_str().unwrap_or_default();
        let entry = frame["entry"].as_str().unwrap_or_default();
        // Unwinding must not leave through the C function that all this runs in.
        running(true);
        let began = Instant::now();
        let mut loaded = began;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            load_and_run(library, entry, store, &mut loaded)
        }));
        let ended = Instant::now();
        running(false);
        if ran.is_err() {
            let message = "the variables of this session do not fit the cell; restart the kernel";
            channel::send(&json!({"t": "failure", "type": "KernelError", "message": message}));
        }
        if let Ok(Err(error)) = ran {
            channel::send(&json!({"t": "failure", "type": "Load", "message": reason(&error)}));
        }
        if failure::failed() {
            let names: Vec<String> =
                serde_json::from_value(frame["fits"].clone()).unwrap_or_default();
            let rescuing = AssertUnwindSafe(|| kept::rescue(&names, store));
            let _ = catch_unwind(rescuing);
        }
        let _ = std::io::stdout().flush();
        {
            let mut over = OVER.lock().unwrap_or_else(PoisonError::into_inner);
            *over = frame["cell"].as_u64().unwrap_or_default();
            crate::interrupt::clear();
        }
        channel::send(&json!({
            "t": "done",
            "variables": store.describe(),
            "load_us": micros(loaded - began),
            "run_us": micros(ended - loaded),
        }));
        kept::cell_ended(store);
    });
}

/// Takes over what an earlier process of this session has left.
fn restore(frame: &Value) {
    let names: Vec<String> = serde_json::from_value(frame["names"].clone()).unwrap_or_default();
    let folder = Path::new(frame["keep"].as_str().unwrap_or_default());
    STORE.with_borrow_mut(|store| {
        let restoring = AssertUnwindSafe(|| kept::restore(folder, &names, store));
        let told = catch_unwind(restoring).unwrap_or_default();
        channel::send(&json!({"t": "restored", "kept": told, "variables": store.describe()}));
    });
}

/// Whether a cell runs.
static RUNNING: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

fn running(now: bool) {
    *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    RUNNING.1.notify_one();
}

/// How long a progress bar that ends in no line break may wait to be seen.
const UNFINISHED: Duration = Duration::from_millis(100);

/// Shows what a running cell has printed without a line break, which standard output holds back.
fn show_unfinished_lines() {
    loop {
        let running = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = RUNNING.1.wait_while(running, |running| !*running);
        drop(wait);
        std::thread::sleep(UNFINISHED);
        let _ = std::io::stdout().flush();
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

/// Why a library could not be loaded, in the loader's own words.
fn reason(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// `loaded` is set to when loading was over.
fn load_and_run(
    library: &str,
    entry: &str,
    store: &mut Store,
    loaded: &mut Instant,
) -> Result<(), libloading::Error> {
    // SAFETY: the library was compiled a moment ago by the kernel against this very dlcore; its
    // initialisers are those of the Rust standard library.
    let library = unsafe { libloading::Library::new(library)? };
    // SAFETY: the kernel generated the symbol with the type `Entry`.
    let run = unsafe { *library.get::<Entry>(entry.as_bytes())? };
    // Threads, closures, vtables and type names of the cell outlive it: never unload.
    std::mem::forget(library);
    *loaded = Instant::now();
    run(store);
    Ok(())
}

//! One error type for everything that can fail for reasons outside the program.

use std::cell::Cell;
use std::path::PathBuf;

/// What `dlcore` functions return when the outside world, or what was passed in, does not fit.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was expected, what came, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes that do not fit an operation.
    #[error("{0}")]
    Shape(String),
    /// A value outside what is allowed: a label out of range, a rate above one, an unknown name.
    #[error("{0}")]
    Value(String),
    /// A model used before it was compiled or built, or built differently from what came.
    #[error("{0}")]
    Model(String),
    /// A device that is not there, or cannot do what was asked.
    #[error("{0}")]
    Device(String),
    /// A file that is missing, damaged or not what its name says.
    #[error("{path}: {message}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected, what came, what to do.
        message: String,
    },
    /// Data that could not be fetched or did not match its checksum.
    #[error("{0}")]
    Download(String),
    /// The operating system refused.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// What an error of this kind is called: short, and to be searched for.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Error::Shape(_) => "ShapeError",
            Error::Value(_) => "ValueError",
            Error::Model(_) => "ModelError",
            Error::Device(_) => "DeviceError",
            Error::File { .. } => "FileError",
            Error::Download(_) => "DownloadError",
            Error::Io { .. } => "IoError",
        }
    }
}

thread_local! {
    /// The name of the error that this thread panics with, until somebody asks for it.
    static RAISED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Panics with an error's message at the caller's place, as what has a `try_` twin does. The payload is
/// the text, as of any panic; the error's name is beside it, for the report of a cell.
#[cold]
#[track_caller]
pub(crate) fn raise(error: &Error) -> ! {
    RAISED.set(Some(error.name()));
    panic!("{error}")
}

/// The name of the error that this thread is about to panic with; for the panic hook.
pub(crate) fn raised() -> Option<&'static str> {
    RAISED.take()
}

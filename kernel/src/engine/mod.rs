//! The narrow interface between a notebook's session and what compiles and runs its cells.
//!
//! `session` knows this file and nothing below it. Evaluation drives rustc directly, in evcxr's
//! way of working; analysis (completion, documentation) is evcxr with its rust-analyzer and lives
//! in [`crate::analysis`], fed from a [`SessionView`].

use std::path::PathBuf;
use std::time::Duration;

/// Where things are for one engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The installation: `bin/`, `src/` (dlcore's source), `toolchains/` (dlcore, built per compiler).
    pub home: PathBuf,
    /// The directory the notebook was started in; cells run there.
    pub working_dir: PathBuf,
}

/// What a running cell sends out, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Bytes the cell wrote to standard output.
    Stdout(Vec<u8>),
    /// Bytes the cell wrote to standard error.
    Stderr(Vec<u8>),
    /// What the kernel itself has to say while a cell runs: it is shown however much was printed.
    Note(String),
    /// Something to show, or an update of what was shown under the same id.
    Display {
        /// Content by mime type; `image/png` is base64.
        data: serde_json::Map<String, serde_json::Value>,
        /// Jupyter's metadata for the content.
        metadata: serde_json::Map<String, serde_json::Value>,
        /// Names the output so that it can be replaced in place.
        display_id: Option<String>,
        /// Whether this replaces what stands under `display_id`.
        update: bool,
    },
    /// Clear the cell's output, at once or when the next output comes.
    Clear {
        /// Whether to wait for the next output.
        wait: bool,
    },
    /// A question to whoever sits at the keyboard. The cell waits for an [`Answer`].
    Input {
        /// Which question: the answer names it.
        number: u64,
        /// What to show.
        prompt: String,
        /// Whether what is typed must not be shown.
        password: bool,
    },
    /// The value of the cell's last expression.
    Result {
        /// Content by mime type.
        data: serde_json::Map<String, serde_json::Value>,
        /// Jupyter's metadata for the content.
        metadata: serde_json::Map<String, serde_json::Value>,
    },
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A line of text.
    Text(String),
    /// The input has ended: there will be no more.
    End,
    /// Nobody can be asked, and why.
    Refused(String),
}

/// A failure, as Jupyter's `error` message tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellError {
    /// Short and searchable: `E0382`, `panic`, `Error`, `Interrupted`, `ProcessDied`.
    pub ename: String,
    /// One line.
    pub evalue: String,
    /// What a person reads, coloured with ANSI escapes.
    pub traceback: Vec<String>,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// It did not compile, panicked, returned an error, was stopped, or lost its process.
    Failed(CellError),
}

/// Where a cell's time went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timing {
    /// Reading the cell.
    pub parse: Duration,
    /// Finding which variables it takes, of which types, and what becomes of them.
    pub types: Duration,
    /// Writing the crate.
    pub generate: Duration,
    /// rustc without its linker, all builds together.
    pub compile: Duration,
    /// The linker, all builds together.
    pub link: Duration,
    /// Loading the library that came out.
    pub load: Duration,
    /// Running it.
    pub run: Duration,
    /// From the cell's coming to its end; more than the sum, by what passing things on takes.
    pub total: Duration,
    /// How many times rustc ran.
    pub builds: u32,
}

impl Timing {
    /// The parts of the whole, in order, by name.
    pub fn parts(&self) -> [(&'static str, Duration); 7] {
        [
            ("parse", self.parse),
            ("types", self.types),
            ("generate", self.generate),
            ("compile", self.compile),
            ("link", self.link),
            ("load", self.load),
            ("run", self.run),
        ]
    }
}

/// One variable of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as it can be written in a cell.
    pub type_name: String,
    /// Whether it was bound with `mut`.
    pub mutable: bool,
}

/// What a session has defined so far: all that analysis needs to know.
#[derive(Debug, Clone, Default)]
pub struct SessionView {
    /// Source of every item (`fn`, `struct`, `use`, …), in order.
    pub items: Vec<String>,
    /// Every variable alive.
    pub variables: Vec<Variable>,
    /// Crates beside dlcore, as `:dep` takes them: `rand = "0.9"`.
    pub crates: Vec<String>,
}

mod commands;
mod content;
mod death;
mod delimiters;
mod deps;
mod diagnostics;
mod draft;
mod evaluator;
mod export;
mod generate;
mod habits;
mod hints;
mod idle;
mod interrupt;
mod meaning;
mod moves;
mod process;
mod progress;
pub mod reference;
mod report;
mod revival;
mod rustc;
mod settings;
mod signatures;
mod source;
mod spent;
mod taking_over;
mod tried;
mod types;
mod variables;
pub mod warm;

#[cfg(test)]
mod tests;

pub use commands::{listed as commands, split as split_commands};
pub use evaluator::Engine;
pub use export::{Program, program as export};

/// What became of the cache directory.
#[derive(Debug)]
pub enum Cleared {
    /// There was none.
    Nothing,
    /// It is gone.
    Removed(PathBuf),
    /// It stays: a session lives in it, another installation's perhaps.
    InUse(PathBuf),
}

/// Removes what sessions kept in the cache directory, unless one still lives.
pub fn clear_cache() -> anyhow::Result<Cleared> {
    let Some(cache) = dirs::cache_dir().map(|cache| cache.join("rust-dl")) else {
        return Ok(Cleared::Nothing);
    };
    if !cache.is_dir() {
        return Ok(Cleared::Nothing);
    }
    if !crate::private_dir::clear(&cache.join("sessions")) {
        return Ok(Cleared::InUse(cache));
    }
    std::fs::remove_dir_all(&cache)?;
    Ok(Cleared::Removed(cache))
}

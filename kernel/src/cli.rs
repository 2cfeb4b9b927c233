//! The command line: `rust-dl install | uninstall | run | warm | doctor`.

use crate::analysis::Analysis;
use crate::engine::{Engine, EngineConfig};
use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "rust-dl",
    version,
    about = "A Jupyter kernel for deep learning in Rust"
)]
struct Cli {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Serve one notebook (Jupyter calls this)
    Run {
        /// The file that says where to listen
        connection_file: PathBuf,
    },
    /// Run cells (the kernel calls this)
    #[command(hide = true)]
    Cell {
        /// dlcore as a dynamic library
        dlcore: PathBuf,
    },
    /// Answer questions about code (the kernel calls this)
    #[command(hide = true)]
    Analyse {
        /// The installation
        home: PathBuf,
        /// Where evcxr may write
        directory: PathBuf,
    },
}

/// Does what the command line asks.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Sub::Run { connection_file } => serve(&connection_file).map(|()| ExitCode::SUCCESS),
        Sub::Cell { dlcore } => crate::cell_process::run(&dlcore).map(|()| ExitCode::SUCCESS),
        Sub::Analyse { home, directory } => {
            return crate::analysis::worker_main(&home, &directory);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("rust-dl: {error:#}");
        ExitCode::FAILURE
    })
}

/// The installation that this program belongs to: `RUST_DL_HOME`, or what holds its `bin/`.
fn home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("RUST_DL_HOME").filter(|home| !home.is_empty()) {
        return Ok(home.into());
    }
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let home = program.parent().and_then(Path::parent);
    Ok(home
        .context("this program lies in no directory; set RUST_DL_HOME")?
        .to_owned())
}

fn serve(connection_file: &Path) -> Result<()> {
    let info = crate::protocol::read_connection_file(connection_file)?;
    let home = home()?;
    let config = EngineConfig {
        home: home.clone(),
        working_dir: std::env::current_dir().context("the working directory is gone")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the kernel's threads")?;
    let served = runtime.block_on(crate::session::serve(
        &info,
        move |progress: &mut dyn FnMut(&str)| Engine::start(config.clone(), progress),
        Analysis::new(home),
    ));
    runtime.shutdown_background();
    served
}

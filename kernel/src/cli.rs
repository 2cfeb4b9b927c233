//! The command line: `rust-dl install | uninstall | run | warm | doctor | export`.

mod doctor;
mod export;
mod files;
mod install;
mod places;

use crate::analysis::Analysis;
use crate::cell_process;
use crate::engine::{Engine, EngineConfig, warm};
use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use places::Places;

/// A Jupyter kernel for deep learning in Rust.
#[derive(Parser)]
#[command(name = "rust-dl", version)]
struct Cli {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Install the kernel for Jupyter and build dlcore for the present compiler
    Install {
        #[command(flatten)]
        scope: Scope,
        /// The repository to install from [default: where this program was built]
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
    },
    /// Remove the kernel, what was built for it and what its sessions cached; data sets and the
    /// history of cells stay
    Uninstall {
        #[command(flatten)]
        scope: Scope,
    },
    /// Serve one notebook (Jupyter calls this)
    Run {
        /// The file that says where to listen
        connection_file: PathBuf,
    },
    /// Build dlcore for the present compiler, if that is not done yet
    Warm,
    /// Look at everything the kernel needs and say what to do where something is missing
    Doctor,
    /// Write a notebook as a cargo project, whose `cargo run --release` does what the notebook did
    Export {
        /// The notebook
        notebook: PathBuf,
        /// Where to [default: a directory named after the notebook, beside it]
        directory: Option<PathBuf>,
    },
    /// Run cells (the kernel calls this)
    #[command(hide = true)]
    Cell {
        /// dlcore's dynamic library
        dlcore: PathBuf,
    },
    /// Print what there is to compute on (`doctor` calls this)
    #[command(hide = true)]
    Devices {
        /// dlcore's dynamic library
        dlcore: PathBuf,
    },
    /// Evaluate as evcxr does (the kernel calls this for `:engine evcxr`)
    #[command(hide = true)]
    Evcxr,
    /// Answer questions about code (the kernel calls this)
    #[command(hide = true)]
    Analyse {
        /// The installation
        home: PathBuf,
        /// Where evcxr may write
        directory: PathBuf,
    },
}

/// Where to install.
#[derive(Args)]
#[group(multiple = false)]
struct Scope {
    /// For this user, in ~/.local (the default)
    #[arg(long)]
    user: bool,
    /// Below DIR
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Into the active Python environment (sys.prefix)
    #[arg(long)]
    sys_prefix: bool,
}

impl Scope {
    fn places(&self) -> Result<Places> {
        if self.sys_prefix {
            Places::of_python()
        } else if let Some(prefix) = &self.prefix {
            Places::below(prefix)
        } else {
            Places::of_user()
        }
    }
}

/// Does what the command line asks.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Sub::Install { scope, source } => scope
            .places()
            .and_then(|places| install::install(&places, source.as_deref()))
            .map(|()| ExitCode::SUCCESS),
        Sub::Uninstall { scope } => scope
            .places()
            .and_then(|places| install::uninstall(&places))
            .map(|()| ExitCode::SUCCESS),
        Sub::Run { connection_file } => serve(&connection_file).map(|()| ExitCode::SUCCESS),
        Sub::Warm => warm_up().map(|()| ExitCode::SUCCESS),
        Sub::Doctor => places::home().map(|home| doctor::examine(&home)),
        Sub::Export {
            notebook,
            directory,
        } => places::home()
            .and_then(|home| export::export(&home, &notebook, directory))
            .map(|()| ExitCode::SUCCESS),
        Sub::Cell { dlcore } => cell_process::run(&dlcore).map(|()| ExitCode::SUCCESS),
        Sub::Devices { dlcore } => cell_process::print_devices(&dlcore).map(|()| ExitCode::SUCCESS),
        Sub::Evcxr => return crate::engine::reference::main(),
        Sub::Analyse { home, directory } => {
            return crate::analysis::worker_main(&home, &directory);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("rust-dl: {error:#}");
        ExitCode::FAILURE
    })
}

fn serve(connection_file: &Path) -> Result<()> {
    let info = crate::protocol::read_connection_file(connection_file)?;
    let home = places::home()?;
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

fn warm_up() -> Result<()> {
    let home = places::home()?;
    let toolchain = warm::warm(&home, &mut |line| eprintln!("{line}"))?;
    println!("dlcore is built for {}", toolchain.compiler_name());
    Ok(())
}

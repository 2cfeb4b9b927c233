//! `rust-dl`: a Jupyter kernel for deep learning in Rust.

mod analysis;
mod cell_process;
mod cli;
mod display;
mod engine;
mod protocol;
mod session;

fn main() -> std::process::ExitCode {
    cli::run()
}

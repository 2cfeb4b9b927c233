//! `rust-dl`: a Jupyter kernel for deep learning in Rust.

mod analysis;
mod cell_process;
mod cli;
mod compiler;
mod display;
mod engine;
mod linker;
mod private_dir;
mod protocol;
mod session;

fn main() -> std::process::ExitCode {
    if linker::is_wanted() {
        return linker::run();
    }
    if let Some(path) = compiler::wider_path() {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("PATH", path) };
    }
    cli::run()
}

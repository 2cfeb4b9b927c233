<<<<<<< HEAD
//! `rust-dl`: a Jupyter kernel for deep learning in Rust.

mod analysis;
mod cli;
mod display;
mod engine;
mod protocol;
mod session;

fn main() -> std::process::ExitCode {
    cli::run()
=======
mod cell_process;
mod engine;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "cell") {
        cell_process::run(std::path::Path::new(&args[2])).unwrap();
    }
>>>>>>> 8218894 (Evaluate cells with rustc against a prebuilt dlcore, and keep what they make)
}

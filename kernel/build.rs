//! Lets the libraries that the cell process loads find its `write`: see `src/cell_process/order.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol=write");
}

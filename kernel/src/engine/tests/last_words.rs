//! What the standard library says when memory runs out or a thread panics.

use super::*;

#[test]
fn nobody_is_told_to_set_a_variable_of_the_environment() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let ran = session.ok("std::thread::spawn(|| panic!(\"in a thread\")).join().is_err()");
    assert!(ran.stderr.contains("in a thread"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("RUST_BACKTRACE"), "{}", ran.stderr);
    let ran = session.run("let much = vec![1u8; 1 << 46]; much.len()");
    assert!(ran.error.unwrap().evalue.contains("out of memory"));
    assert!(!ran.stderr.contains("RUST_BACKTRACE"), "{}", ran.stderr);
}

//! What cells call outside of Rust.

use super::*;

#[test]
fn functions_of_the_c_library_are_those_of_today() {
    let Some(mut session) = Session::start() else {
        return;
    };
    // The first version of `realpath` makes no room for the path; `atexit` is in no shared library.
    let resolved = "use std::ffi::{CStr, c_char, c_int};
        unsafe extern \"C\" {
            fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char;
            fn atexit(last: extern \"C\" fn()) -> c_int;
        }
        extern \"C\" fn last() {}
        let path = unsafe { realpath(c\"/usr/..\".as_ptr(), std::ptr::null_mut()) };
        assert!(!path.is_null(), \"no path came back\");
        (unsafe { CStr::from_ptr(path) }.to_owned(), unsafe { atexit(last) })";
    let unknown = "unsafe extern \"C\" { fn no_such_function(); } unsafe { no_such_function() }";
    let error = session.fails(unknown);
    assert!(error.evalue.contains("no_such_function"), "{error:?}");
    assert_eq!(session.ok(resolved).result.as_deref(), Some("(\"/\", 0)"));
}

//! What cells call outside of Rust, and of the crates that dlcore is made of.

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

/// What rustc takes from crates within dlcore's library must be offered by it: growing a list of a type that one of
/// them has grown, too.
#[test]
fn a_cell_finds_what_crates_share() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let shared = std::env::var_os("RUST_DL_HOME").map(PathBuf::from).unwrap();
    let toolchain = warm::find(&shared).unwrap().unwrap();
    let shared = toolchain.dylib().with_file_name("libdlcore_shared.so");
    assert!(shared.is_file(), "what cells share was not built");
    for kind in [
        "f32", "f64", "i32", "i64", "u8", "u32", "u64", "usize", "char", "bool",
    ] {
        let code = format!(
            "let mut list: Vec<{kind}> = vec![]; for i in 0..3_u8 {{ list.push({}); }} list.len()",
            match kind {
                "char" => "i.into()".into(),
                "bool" => "i > 1".into(),
                _ => format!("i as {kind}"),
            }
        );
        assert_eq!(session.ok(&code).result.as_deref(), Some("3"), "{kind}");
    }
    let pairs = "let mut pairs: Vec<(f64, f64)> = vec![]; pairs.push((1.0, 2.0));
        let mut texts = vec![String::new()]; texts.push(\"a\".into()); (pairs.len(), texts.len())";
    assert_eq!(session.ok(pairs).result.as_deref(), Some("(1, 2)"));
    let json = "let x = Tensor::from([[0.0], [1.0]]);
        let mut model = Sequential::new().add(Dense::new(1)); model.compile(\"sgd\", \"mse\", ())?;
        let history = model.fit(&x, &x, Fit::epochs(1).verbose(0))?;
        let json = history.to_json(); println!(\"{:?}\", json[\"stop_reason\"]); json";
    session.ok(json);
}

/// dlcore's library offers ndarray's functions, those of what it builds on among them.
#[test]
fn a_cell_computes_with_ndarray() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("use dlcore::ndarray::{Array1, Array2, Axis, arr2, stack, s};
        let a: Array2<f32> = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).to_ndarray().into_dimensionality()?;");
    let shown = session.ok(
        "let b: Array2<f64> = arr2(&[[1.5, 0.0], [0.0, 2.0]]);
        let both = stack(Axis(0), &[a.view(), a.t()])?;
        format!(\"{} {} {:?} {:?}\", a.dot(&a), b.dot(&b), both.shape(), Array1::linspace(0.0, 1.0, 3))",
    );
    assert_eq!(
        shown.result.as_deref(),
        Some(
            "\"[[7, 10],\\n [15, 22]] [[2.25, 0],\\n [0, 4]] [2, 2, 2] [0.0, 0.5, 1.0], shape=[3], strides=[1], \
             layout=CFcf (0xf), const ndim=1\""
        )
    );
    let error = session.fails("a[[2, 0]]");
    assert!(error.evalue.contains("out of bounds"), "{error:?}");
    let error = session.fails("a.into_shape_with_order((3, 3))?");
    assert!(error.evalue.contains("incompatible"), "{error:?}");
}

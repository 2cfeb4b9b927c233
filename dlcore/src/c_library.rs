//! Functions of a C library that is found at run time.

/// A struct of functions, each with its name in the library and its type, and how it is filled.
macro_rules! functions {
    (
        $(#[$about:meta])*
        $seen:vis $table:ident { $($function:ident = $name:literal: $type:ty,)* }
    ) => {
        $(#[$about])*
        #[allow(clippy::type_complexity)]
        $seen struct $table {
            $($seen $function: $type,)*
        }

        impl $table {
            /// The functions of this library.
            ///
            /// # Safety
            /// They have these types.
            ///
            /// # Errors
            /// The first one that is not there.
            unsafe fn of(library: &'static libloading::Library) -> Result<$table, String> {
                // SAFETY: as the caller promises; the library stays open.
                unsafe {
                    Ok($table {
                        $($function: *library
                            .get($name.as_bytes())
                            .map_err(|_| $crate::c_library::missing($name))?,)*
                    })
                }
            }
        }
    };
}

pub(crate) use functions;

/// What is said of a library that lacks a function. The loader's own words are the same for all.
pub(crate) fn missing(function: &str) -> String {
    format!("it has no {function}, so it is too old, or not what it should be")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ffi::{CStr, c_char};

    use libloading::Library;

    type Length = unsafe extern "C" fn(*const c_char) -> usize;

    functions! {
        /// There are these.
        Two {
            length = "strlen": Length,
            bounded = "strnlen": unsafe extern "C" fn(*const c_char, usize) -> usize,
        }
    }

    functions! {
        /// The second is not there.
        #[derive(Debug)]
        #[allow(dead_code)]
        OneTooMany {
            length = "strlen": Length,
            nothing = "dlcore_has_no_such_function": Length,
        }
    }

    fn c_library() -> &'static Library {
        // SAFETY: the library is open in every process.
        Box::leak(Box::new(unsafe { Library::new("libc.so.6") }.unwrap()))
    }

    #[test]
    fn functions_are_called_by_their_names() {
        // SAFETY: the types are those of `string.h`.
        let two = unsafe { Two::of(c_library()) }.unwrap();
        let text: &CStr = c"four";
        // SAFETY: the text ends in zero.
        let lengths = unsafe { ((two.length)(text.as_ptr()), (two.bounded)(text.as_ptr(), 3)) };
        assert_eq!(lengths, (4, 3));
    }

    #[test]
    fn a_function_that_is_not_there_is_named() {
        // SAFETY: as above; nothing is called.
        let error = unsafe { OneTooMany::of(c_library()) }.unwrap_err();
        assert!(
            error.contains("it has no dlcore_has_no_such_function"),
            "{error}"
        );
    }
}

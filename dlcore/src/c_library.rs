//! Functions of a C library that is found at run time.

/// A struct of functions, each with its name in the library and its type, and how it is filled.
macro_rules! functions {
    ($(#[$about:meta])* $table:ident { $($function:ident = $name:literal: $type:ty,)* }) => {
        $(#[$about])*
        #[allow(clippy::type_complexity)]
        struct $table {
            $($function: $type,)*
        }

        impl $table {
            /// The functions of this library.
            ///
            /// # Safety
            /// They have these types.
            ///
            /// # Errors
            /// The loader's words for one that is not there.
            unsafe fn of(library: &'static libloading::Library) -> Result<$table, libloading::Error> {
                // SAFETY: as the caller promises; the library stays open.
                unsafe {
                    Ok($table {
                        $($function: *library.get($name.as_bytes())?,)*
                    })
                }
            }
        }
    };
}

pub(crate) use functions;

//! Kernels from their sources, by NVRTC, for the very card that is there.
//!
//! The result is the card's machine code (CUBIN), which a driver loads also where the compiler is newer than it;
//! the intermediate text (PTX) of a newer compiler it would refuse. It is kept on disk under a digest of the source,
//! the options, the architecture and the versions of compiler and driver.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;
use sha2::{Digest, Sha256};

use super::library::COMPILER;
use crate::datasets::cache_directory;
use crate::files::whole;

/// All kernels: one program.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("common.cuh", include_str!("kernels/common.cuh")),
    ("pointwise.cu", include_str!("kernels/pointwise.cu")),
    ("reduce.cu", include_str!("kernels/reduce.cu")),
    ("columns.cu", include_str!("kernels/columns.cu")),
    ("rows.cu", include_str!("kernels/rows.cu")),
    ("normalize.cu", include_str!("kernels/normalize.cu")),
    ("recurrent.cu", include_str!("kernels/recurrent.cu")),
    ("moving.cu", include_str!("kernels/moving.cu")),
    ("window.cu", include_str!("kernels/window.cu")),
    ("optimizers.cu", include_str!("kernels/optimizers.cu")),
    ("bfloat16.cu", include_str!("kernels/bfloat16.cu")),
];

/// The program's text; messages name the file and line.
pub(crate) fn source() -> String {
    let mut whole = String::new();
    for (name, text) in SOURCES {
        whole += &format!("#line 1 \"{name}\"\n{text}\n");
    }
    whole
}

/// What NVRTC is told beside the architecture. Products are not fused with sums: results then differ less from
/// the processor's, and kernels are bound by memory anyway.
const OPTIONS: &[&str] = &["--std=c++14", "--fmad=false"];

type Program = *mut c_void;

/// NVRTC, as far as it is used.
struct Nvrtc {
    library: Library,
    version: (u32, u32),
}

/// Those of its functions without which it is not what its name says, or too old.
const NEEDED: [&str; 4] = [
    "nvrtcVersion",
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcGetCUBIN",
];

impl Nvrtc {
    fn of(library: Library) -> Result<Nvrtc, String> {
        for function in NEEDED {
            // SAFETY: nothing is called; that it is there is all that is asked.
            let found = unsafe { library.get::<*const ()>(function.as_bytes()) };
            found.map_err(|_| crate::c_library::missing(function))?;
        }
        let (mut major, mut minor) = (0, 0);
        let asked = {
            // SAFETY: the type is the one that NVIDIA documents.
            let version = unsafe {
                library
                    .get::<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int>(b"nvrtcVersion")
            };
            let version = version.map_err(|error| error.to_string())?;
            // SAFETY: both numbers live as long as the call.
            unsafe { version(&raw mut major, &raw mut minor) }
        };
        match asked {
            0 => Ok(Nvrtc {
                library,
                version: (major as u32, minor as u32),
            }),
            code => Err(format!("nvrtcVersion says {code}")),
        }
    }

    /// Calls a function of the library that takes a program and perhaps something to write to.
    fn ask<T>(&self, name: &str, program: Program, to: *mut T) -> Result<(), String> {
        // SAFETY: the functions called so all have this type.
        let function = unsafe {
            self.library
                .get::<unsafe extern "C" fn(Program, *mut T) -> c_int>(name.as_bytes())
        };
        let function = function.map_err(|error| error.to_string())?;
        // SAFETY: the program is alive, and the callers give room for what is written.
        match unsafe { function(program, to) } {
            0 => Ok(()),
            code => Err(format!("{name} says {code}")),
        }
    }

    /// A text or binary of the program, by the functions that give its size and itself.
    fn bytes(&self, what: &str, program: Program) -> Result<Vec<u8>, String> {
        let mut size = 0_usize;
        self.ask(&format!("nvrtcGet{what}Size"), program, &raw mut size)?;
        let mut bytes = vec![0_u8; size];
        self.ask(&format!("nvrtcGet{what}"), program, bytes.as_mut_ptr())?;
        Ok(bytes)
    }

    fn create(&self, source: &CStr, name: &CStr) -> Result<Program, String> {
        type Create = unsafe extern "C" fn(
            *mut Program,
            *const c_char,
            *const c_char,
            c_int,
            *const *const c_char,
            *const *const c_char,
        ) -> c_int;
        // SAFETY: the type is the one that NVIDIA documents.
        let create = unsafe { self.library.get::<Create>(b"nvrtcCreateProgram") };
        let create = create.map_err(|error| error.to_string())?;
        let (mut program, none) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: the texts end in zero and live as long as the call.
        let code = unsafe {
            create(
                &raw mut program,
                source.as_ptr(),
                name.as_ptr(),
                0,
                none,
                none,
            )
        };
        match code {
            0 => Ok(program),
            code => Err(format!("nvrtcCreateProgram says {code}")),
        }
    }

    fn compile(&self, source: &str, options: &[String]) -> Result<Vec<u8>, String> {
        type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
        let text = |text: &str| CString::new(text).map_err(|error| error.to_string());
        let program = self.create(&text(source)?, c"dlcore.cu")?;
        let options: Vec<CString> = options
            .iter()
            .map(|option| text(option))
            .collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the type is the one that NVIDIA documents.
        let compile = unsafe { self.library.get::<Compile>(b"nvrtcCompileProgram") };
        let compile = compile.map_err(|error| error.to_string())?;
        // SAFETY: the program is alive, and so are the options.
        let code = unsafe { compile(program, pointers.len() as c_int, pointers.as_ptr()) };
        let result = match code {
            0 => self.bytes("CUBIN", program),
            code => Err(match self.bytes("ProgramLog", program) {
                Ok(log) => String::from_utf8_lossy(&log)
                    .trim_end_matches('\0')
                    .trim()
                    .to_string(),
                Err(_) => format!("nvrtcCompileProgram says {code}"),
            }),
        };
        let mut program = program;
        self.destroy(&mut program);
        result
    }

    fn destroy(&self, program: &mut Program) {
        // SAFETY: the type is the one that NVIDIA documents.
        let destroy = unsafe {
            self.library
                .get::<unsafe extern "C" fn(*mut Program) -> c_int>(b"nvrtcDestroyProgram")
        };
        if let Ok(destroy) = destroy {
            // SAFETY: the program is alive until here.
            unsafe { destroy(program) };
        }
    }
}

/// NVRTC, the newest that is not of a later generation than the driver; if there are only such, the first.
fn find(driver: (u32, u32)) -> Result<Nvrtc, String> {
    let fitting = COMPILER.open(|library, _| {
        let nvrtc = Nvrtc::of(library)?;
        match nvrtc.version.0 <= driver.0 {
            true => Ok(nvrtc),
            false => Err(format!(
                "it is of CUDA {}, the driver of {}",
                nvrtc.version.0, driver.0
            )),
        }
    });
    fitting.or_else(|problem| {
        COMPILER
            .open(|library, _| Nvrtc::of(library))
            .map_err(|_| problem)
    })
}

/// The kernels as machine code for cards of this compute capability; from disk, if they were compiled before.
///
/// # Errors
/// What is missing, or the compiler's own words.
pub(super) fn image(capability: (u32, u32), driver: (u32, u32)) -> Result<Vec<u8>, String> {
    let nvrtc = find(driver)?;
    let source = source();
    let options = options(capability);
    let kept = place(&source, &options, nvrtc.version, driver);
    if let Some(image) = kept.as_deref().and_then(read) {
        return Ok(image);
    }
    let image = nvrtc.compile(&source, &options).map_err(|log| {
        format!(
            "the kernels cannot be compiled by NVRTC {}.{}:\n{log}",
            nvrtc.version.0, nvrtc.version.1
        )
    })?;
    if let Some(path) = kept {
        // Without it the next process compiles again.
        let _ = keep(&path, &image);
    }
    Ok(image)
}

fn options(capability: (u32, u32)) -> Vec<String> {
    let architecture = format!("--gpu-architecture=sm_{}{}", capability.0, capability.1);
    let common = OPTIONS.iter().map(|option| option.to_string());
    common.chain([architecture]).collect()
}

/// Where the machine code is kept.
fn place(
    source: &str,
    options: &[String],
    compiler: (u32, u32),
    driver: (u32, u32),
) -> Option<PathBuf> {
    let mut digest = Sha256::new();
    digest.update(source);
    digest.update(options.join(" "));
    digest.update(format!("{compiler:?} {driver:?}"));
    let name: String = digest.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(
        cache_directory()?
            .join("kernels")
            .join(format!("{name}.cubin")),
    )
}

/// What is kept begins with the digest of the rest, so that a damaged file is compiled anew.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let (digest, image) = bytes.split_at_checked(32)?;
    (Sha256::digest(image)[..] == *digest).then(|| image.to_vec())
}

fn keep(path: &Path, image: &[u8]) -> crate::Result<()> {
    let bytes = [&Sha256::digest(image)[..], image].concat();
    if let Some(folder) = path.parent() {
        // If it cannot be made, the next line says so.
        let _ = std::fs::create_dir_all(folder);
    }
    whole::replace_by(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_kept_by_source_options_compiler_and_driver() {
        let of = |source: &str, capability, compiler, driver| {
            place(source, &options(capability), compiler, driver)
        };
        let one = of("a", (8, 0), (12, 4), (12, 2));
        assert_eq!(one, of("a", (8, 0), (12, 4), (12, 2)));
        for other in [
            of("b", (8, 0), (12, 4), (12, 2)),
            of("a", (9, 0), (12, 4), (12, 2)),
            of("a", (8, 0), (12, 5), (12, 2)),
            of("a", (8, 0), (12, 4), (13, 0)),
        ] {
            assert!(other != one || one.is_none());
        }
    }

    #[test]
    fn a_damaged_file_is_not_taken_for_machine_code() {
        let folder = std::env::temp_dir().join(format!("dlcore-kernels-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("one.cubin");
        keep(&path, b"machine code").unwrap();
        let whole = read(&path);
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
        let cut = read(&path);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(whole.as_deref(), Some(&b"machine code"[..]));
        assert_eq!(cut, None);
    }
}

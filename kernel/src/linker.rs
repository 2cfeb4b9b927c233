//! This program as the linker of cells: rustc calls it in place of `cc`.
//!
//! `cc` starts two more programs before lld runs. Here lld is called at once, and how long it took is
//! noted for the trace of the cell. What lld cannot link alone (a `#[link]` of the user's own, say) is
//! given to `cc` as it came.
//!
//! The C library is among what lld is given, though the cell process holds it already: a function whose
//! library is not seen at this point is bound, when the cell is loaded, to the oldest version of it that
//! there is.
//!
//! It links dlcore, too, by `cc`, and leaves out what no cell can call: rustc would have a dynamic library offer
//! every function of every crate in it, used or not, a fifth of its size.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The name under which this program is a linker.
pub const NAME: &str = "rust-dl-link";

/// Names lld to the linker.
const LLD: &str = "RUST_DL_LLD";
/// Names the directory of the C library to the linker.
const LIBRARIES: &str = "RUST_DL_LIBRARIES";
/// Names the file in which the linker notes its time, in microseconds.
const NOTE: &str = "RUST_DL_LINK_NOTE";

/// What links a cell without `cc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lld {
    /// The program.
    pub program: PathBuf,
    /// Where the C library is, as it is linked to.
    pub libraries: PathBuf,
}

/// Where `cc` has the C library.
pub fn libraries() -> Option<PathBuf> {
    let asked = Command::new("cc")
        .arg("-print-file-name=libc.so")
        .output()
        .ok()?;
    // What it does not find it gives back as it was asked.
    let library = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    library.parent()?.canonicalize().ok()
}

/// Whether this process was started as a linker.
pub fn is_wanted() -> bool {
    let called = std::env::args_os().next().map(PathBuf::from);
    called.is_some_and(|path| path.file_name().is_some_and(|name| name == NAME))
}

/// Makes a link to `program` in `dir` by which rustc can call it.
pub fn place(dir: &Path, program: &Path) -> Result<()> {
    std::os::unix::fs::symlink(program, dir.join(NAME))
        .with_context(|| format!("cannot make a link in {}", dir.display()))
}

/// Has rustc, which runs in the directory given to [`place`], link by this program.
pub fn arguments(command: &mut Command, lld: &Lld, note: &Path) {
    command
        .arg("-C")
        .arg(format!("linker=./{NAME}"))
        .env(LLD, &lld.program)
        .env(LIBRARIES, &lld.libraries)
        .env(NOTE, note);
}

/// Names to the linker the crates whose functions a library offers.
const OFFERED: &str = "RUST_DL_OFFERED";

/// What cells call: dlcore; ndarray, whose arrays tensors can be turned into, and what its functions are made of; and
/// what is compiled anew for each type but shared, since rustc lets a cell use any instance that a crate in the library
/// has: the standard library (`hashbrown` is its tables) and what dlcore's types are made of.
const OFFERED_BY_DLCORE: &str = "dlcore ndarray matrixmultiply num_complex num_integer num_traits rawpointer \
                                 alloc core std hashbrown smallvec serde_core serde_json";

/// Has cargo, which is to build dlcore as a dynamic library, link by this program, to be found in `dir`,
/// see [`place`]. What follows on the command line are arguments for rustc.
pub fn arguments_of_library(command: &mut Command, dir: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(dir.to_owned()).chain(std::env::split_paths(&path));
    // A name instead of a path, which would change each time and have all built anew.
    command
        .arg("-C")
        .arg(format!("linker={NAME}"))
        .env("PATH", std::env::join_paths(path)?)
        .env(OFFERED, OFFERED_BY_DLCORE);
    Ok(())
}

/// What the linker noted of its time, if it ran.
pub fn noted(note: &Path) -> Option<Duration> {
    let micros = std::fs::read_to_string(note).ok()?.trim().parse().ok()?;
    let _ = std::fs::remove_file(note);
    Some(Duration::from_micros(micros))
}

/// Links as `cc` would.
pub fn run() -> ExitCode {
    let began = Instant::now();
    let mut given: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(offered) = std::env::var_os(OFFERED)
        && let Err(error) = hide(&mut given, &offered.to_string_lossy())
    {
        eprintln!("the library offers more than it must: {error:#}");
    }
    let linked = by_lld(&given) || by_cc(&given);
    if let Some(note) = std::env::var_os(NOTE) {
        // Without it the trace counts linking as compiling; the cell is none the worse.
        let _ = std::fs::write(note, began.elapsed().as_micros().to_string());
    }
    match linked {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn by_lld(given: &[OsString]) -> bool {
    let (Some(lld), Some(libraries)) = (std::env::var_os(LLD), std::env::var_os(LIBRARIES)) else {
        return false;
    };
    let Some(arguments) = arguments_of_lld(given) else {
        return false;
    };
    // For the little there is to do, starting threads takes longer than they save.
    // What it says if it fails is of no use: then `cc` has its turn, and speaks for itself.
    let ran = Command::new(lld)
        .args(["-flavor", "gnu", "--threads=1"])
        .args(arguments)
        .arg("-L")
        .arg(libraries)
        .output();
    ran.is_ok_and(|ran| ran.status.success())
}

fn by_cc(given: &[OsString]) -> bool {
    let ran = Command::new("cc").args(given).status();
    if let Err(error) = &ran {
        eprintln!("cannot run cc, which links: {error}");
    }
    ran.is_ok_and(|status| status.success())
}

/// The linker's own arguments among those for `cc`; `None` where one is of an unknown kind.
fn arguments_of_lld(given: &[OsString]) -> Option<Vec<String>> {
    let mut arguments = vec![];
    let mut given = given.iter();
    while let Some(argument) = given.next() {
        let argument = argument.to_str()?;
        if let Some(list) = argument.strip_prefix("-Wl,") {
            arguments.extend(list.split(',').map(str::to_owned));
        } else if matches!(argument, "-o" | "-L" | "-l") {
            arguments.push(argument.to_owned());
            arguments.push(given.next()?.to_str()?.to_owned());
        } else if argument == "-Xlinker" {
            arguments.push(given.next()?.to_str()?.to_owned());
        } else if argument == "-shared"
            || argument.starts_with("-L")
            || argument.starts_with("-l") && argument != UNWINDER
            || !argument.starts_with('-')
        {
            arguments.push(argument.to_owned());
        } else if !is_for_cc_alone(argument) {
            return None;
        }
    }
    Some(arguments)
}

/// Has a library offer the functions of these crates only. lld then leaves out what is of no use, and keeps one of
/// functions that came out alike.
fn hide(given: &mut Vec<OsString>, offered: &str) -> Result<()> {
    const LIST: &str = "-Wl,--version-script=";
    let list = given.iter_mut().find_map(|argument| {
        let path = PathBuf::from(argument.to_str()?.strip_prefix(LIST)?);
        Some((argument, path))
    });
    let Some((argument, path)) = list else {
        return Ok(());
    };
    let short = path.with_extension("offered");
    std::fs::read_to_string(&path)
        .and_then(|text| std::fs::write(&short, offered_of(&text, offered)))
        .with_context(|| format!("cannot shorten {}", path.display()))?;
    *argument = format!("{LIST}{}", short.display()).into();
    if given.iter().any(|argument| argument == "-fuse-ld=lld") {
        given.extend(["-Wl,--gc-sections", "-Wl,--icf=all"].map(OsString::from));
        if reads_short_relocations() {
            given.push("-Wl,-z,pack-relative-relocs".into());
        }
    }
    Ok(())
}

/// Whether the loader here, which is to load the library, knows addresses to be moved that are listed by the word
/// and the bit: from version 2.36 of the C library on.
#[cfg(target_env = "gnu")]
fn reads_short_relocations() -> bool {
    // SAFETY: a text that is always there.
    let version = unsafe { std::ffi::CStr::from_ptr(nix::libc::gnu_get_libc_version()) };
    let mut numbers = version.to_str().unwrap_or_default().split('.');
    let mut next = || numbers.next()?.parse::<u32>().ok();
    matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) >= (2, 36))
}

#[cfg(not(target_env = "gnu"))]
fn reads_short_relocations() -> bool {
    false
}

/// A list of the functions that a library offers without those of other crates.
fn offered_of(list: &str, crates: &str) -> String {
    let is_offered = |line: &&str| {
        let function = line.trim().trim_end_matches(';');
        crate_of(function).is_none_or(|name| crates.split_whitespace().any(|own| own == name))
    };
    let lines = list.split_inclusive('\n');
    lines.filter(is_offered).collect()
}

/// The crate of a function, as its name in the library tells; `None` where it does not.
fn crate_of(function: &str) -> Option<&str> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit());
    if let Some(path) = function.strip_prefix("_ZN") {
        // `_ZN4zlib3run17h…E`, `_ZN37_$LT$zip..Zip$u20$as$u20$core..Drop$GT$4drop17h…E`
        let (length, path) = path.split_at(digits(path)?);
        let first = path.get(..length.parse().ok()?)?;
        let Some(of_type) = first.strip_prefix("_$LT$") else {
            return Some(first);
        };
        let before = &of_type[..of_type.find("..")?];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let start = before.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
        return Some(&before[start..]);
    }
    // `_RNvCs7ZxQ_4zlib3run`: the crate follows the first `C`, behind a number that tells versions apart.
    let path = function.strip_prefix("_R")?;
    let path = &path[path.find('C')? + 1..];
    let path = match path.strip_prefix('s') {
        Some(numbered) => &numbered[numbered.find('_')? + 1..],
        None => path,
    };
    let (length, name) = path.split_at(digits(path)?);
    name.trim_start_matches('_').get(..length.parse().ok()?)
}

/// Known where `cc` is only, and there wherever the standard library is; its functions have one version each.
const UNWINDER: &str = "-lgcc_s";

fn is_for_cc_alone(argument: &str) -> bool {
    argument == UNWINDER
        || ["-m64", "-nodefaultlibs", "-nostartfiles"].contains(&argument)
        || argument.starts_with("-fuse-ld=")
        || argument.starts_with("-B/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lld(given: &str) -> Option<String> {
        let given: Vec<OsString> = given.split(' ').map(OsString::from).collect();
        arguments_of_lld(&given).map(|arguments| arguments.join(" "))
    }

    #[test]
    fn what_is_meant_for_the_linker_is_kept() {
        let given = "-Wl,--version-script=/tmp/x/list -m64 /tmp/a.o -Wl,--as-needed -Wl,-Bdynamic /lib/libdlcore.so \
                     -Wl,-rpath,/some/where -lgcc_s -lc -L /tmp/raw -B/tool/gcc-ld -fuse-ld=lld -Wl,-z,relro,-z,now \
                     -o cell.so -shared -nodefaultlibs -lz";
        let expected = "--version-script=/tmp/x/list /tmp/a.o --as-needed -Bdynamic /lib/libdlcore.so -rpath /some/where \
                        -lc -L /tmp/raw -z relro -z now -o cell.so -shared -lz";
        assert_eq!(of_lld(given).as_deref(), Some(expected));
    }

    #[test]
    fn a_library_offers_what_it_is_told_to() {
        let list = "{
  global:
    _ZN100_$LT$core..ops..range..RangeTo$LT$isize$GT$$u20$as$u20$dlcore..tensor..slice..IntoSlice$GT$10into_slice17h1E;
    _ZN4ring3aead4open17h0a3eb0b5f3f5a1b2E;
    _ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17hd89dc81c2c69b925E;
    _ZN66_$LT$$RF$ring..digest..Digest$u20$as$u20$core..fmt..Debug$GT$3fmt17h0E;
    _RNvNtCs7ZxQ_4ring4aead4open;
    _RNvCsaY_6dlcore4open;
    dlcore_serve_cells;
  local:
    *;
};
";
        let expected: String = list
            .split_inclusive('\n')
            .filter(|line| !line.contains("ring"))
            .collect();
        assert_eq!(offered_of(list, "dlcore alloc core"), expected);
    }

    #[test]
    fn a_list_that_is_gone_changes_nothing() {
        let given = ["-Wl,--version-script=/no/such/list", "-fuse-ld=lld"].map(OsString::from);
        let mut changed = given.to_vec();
        assert!(hide(&mut changed, "dlcore").is_err());
        assert_eq!(changed, given);
    }

    #[test]
    fn the_c_library_is_found() {
        let found = libraries().expect("there is a C compiler wherever this was built");
        assert!(found.is_absolute() && found.join("libc.so").exists());
    }

    #[test]
    fn what_only_cc_understands_is_left_to_it() {
        assert_eq!(of_lld("-shared -fsanitize=address a.o"), None);
    }
}

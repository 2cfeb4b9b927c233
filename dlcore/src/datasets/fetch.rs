//! Fetch, verify, keep: the files of a data set, whatever lies between here and their address.
//!
//! A file is taken from where `DLCORE_DATA` says (a directory, or the address of a mirror), else from
//! the cache, else from its canonical address. Whatever comes is compared with a SHA-256; what is
//! fetched goes to a temporary file that is resumed if it was interrupted and renamed once it is
//! whole, so a file under its own name is always complete.

mod download;
mod progress;

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::{Error, Result, interrupt};

/// A file of a data set.
pub(crate) struct File {
    /// Its name in the cache and in a directory or mirror.
    pub name: &'static str,
    /// Where it is published.
    pub address: &'static str,
    /// The published checksum, in hexadecimal.
    pub sha256: &'static str,
}

/// The path of a verified copy of `file`.
///
/// # Errors
/// [`Error::Download`] if it can be had from nowhere, [`Error::File`] if what is there is not the file.
pub(crate) fn get(file: &File) -> Result<PathBuf> {
    Places::from_environment()?.get(file)
}

/// Where a copy of `file` lies and how large it is, if there is one; it is not verified.
pub(crate) fn find(file: &File) -> Option<(PathBuf, u64)> {
    Places::from_environment().ok()?.find(file)
}

fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where what can be had again is kept; none without a home directory.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    set("DLCORE_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|base| PathBuf::from(base).join("dlcore")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache").join("dlcore")))
}

/// Where files are looked for.
struct Places {
    /// `DLCORE_DATA`: a directory, or the address of a mirror.
    data: Option<OsString>,
    /// The cache directory.
    cache: PathBuf,
}

impl Places {
    fn from_environment() -> Result<Self> {
        let cache = cache_directory().ok_or_else(|| {
            let message =
                "there is no home directory to keep data sets in; name one: DLCORE_CACHE=DIR";
            Error::Download(message.to_owned())
        })?;
        Ok(Places {
            data: set("DLCORE_DATA"),
            cache,
        })
    }

    /// The mirror that `DLCORE_DATA` names, if it names one.
    fn mirror(&self) -> Option<&str> {
        let data = self.data.as_ref().and_then(|data| data.to_str());
        data.filter(|data| data.starts_with("http://") || data.starts_with("https://"))
    }

    fn find(&self, file: &File) -> Option<(PathBuf, u64)> {
        let directory = match (self.mirror(), &self.data) {
            (None, Some(directory)) => Path::new(directory),
            _ => &self.cache,
        };
        let path = directory.join(file.name);
        let bytes = path.metadata().ok().filter(|found| found.is_file())?.len();
        Some((path, bytes))
    }

    fn get(&self, file: &File) -> Result<PathBuf> {
        self.get_unless(file, &interrupt::requested)
    }

    /// [`Places::get`], given up as soon as `interrupted` says so.
    fn get_unless(&self, file: &File, interrupted: &dyn Fn() -> bool) -> Result<PathBuf> {
        match (self.mirror(), &self.data) {
            (Some(mirror), _) => {
                let address = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
                self.cached(file, &address, interrupted)
            }
            (None, Some(directory)) => given(file, Path::new(directory)),
            (None, None) => self.cached(file, file.address, interrupted),
        }
    }

    /// The cached copy, fetched first where there is none or it is damaged.
    fn cached(
        &self,
        file: &File,
        address: &str,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<PathBuf> {
        let path = self.cache.join(file.name);
        if path.is_file() && sha256(&path)? == file.sha256 {
            return Ok(path);
        }
        let damaged = path.is_file();
        download::download(file, address, &path, interrupted).map_err(|error| {
            let kept = if damaged { "; the copy in the cache is damaged" } else { "" };
            Error::Download(format!(
                "{}: {error}{kept}. Fetch {address} where there is a network and put it at {}, or name a \
                 directory that holds it: DLCORE_DATA=DIR",
                file.name,
                path.display()
            ))
        })?;
        Ok(path)
    }
}

/// The file in a directory that the user named; trusted by its SHA256SUMS where it has one.
fn given(file: &File, directory: &Path) -> Result<PathBuf> {
    let path = directory.join(file.name);
    let failed = |message: String| Error::File {
        path: path.clone(),
        message,
    };
    if !path.is_file() {
        return Err(failed(format!(
            "not there, though DLCORE_DATA names its directory; fetch it from {} or unset DLCORE_DATA",
            file.address
        )));
    }
    let (expected, source) = match listed(directory, file.name)? {
        Some(sum) => (sum, "SHA256SUMS beside it says"),
        None => (file.sha256.to_owned(), "is published"),
    };
    let found = sha256(&path)?;
    if found != expected {
        return Err(failed(format!(
            "expected SHA-256 {expected}, as {source}, found {found}; the file is damaged or another one: fetch \
             it again from {}",
            file.address
        )));
    }
    Ok(path)
}

/// The checksum that the directory's own SHA256SUMS lists for a file.
fn listed(directory: &Path, name: &str) -> Result<Option<String>> {
    let path = directory.join("SHA256SUMS");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::Io {
                context: format!("reading {}", path.display()),
                source,
            });
        }
    };
    // As sha256sum writes it: the sum, a blank, a blank or an asterisk, the name.
    let sums = text.lines().filter_map(|line| line.split_once(' '));
    let mut sums = sums.map(|(sum, name)| (sum, name.trim_start_matches([' ', '*'])));
    Ok(sums
        .find(|(_, listed)| *listed == name)
        .map(|(sum, _)| sum.to_lowercase()))
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String> {
    let failed = |source| Error::Io {
        context: format!("reading {}", path.display()),
        source,
    };
    let mut file = fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

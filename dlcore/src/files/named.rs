//! Several tensors in one file, each under a name.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;

use super::archive::{Archive, Target};
use super::{npy, whole};
use crate::config::Parsed;
use crate::models::save::tensors as safetensors;
use crate::{Error, Result, Tensor, names};

/// Tensors by name: what `.npz` and `.safetensors` files hold.
///
/// ```
/// use dlcore::prelude::*;
/// let arrays = NamedTensors::from([("x", &Tensor::ones([2, 3])), ("y", &Tensor::zeros([2]))]);
/// assert_eq!(arrays.get("x")?.shape(), [2, 3]);
/// assert_eq!(arrays.names(), ["x", "y"]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct NamedTensors(BTreeMap<String, Tensor>);

impl NamedTensors {
    /// No tensors yet.
    pub fn new() -> NamedTensors {
        NamedTensors::default()
    }

    /// These, and one more; one of the same name is replaced.
    pub fn with(mut self, name: &str, tensor: &Tensor) -> NamedTensors {
        self.0.insert(name.to_string(), tensor.clone());
        self
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name there is.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.0.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            Error::Value(names::unknown("tensor", name, &known))
        })
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl<const N: usize> From<[(&str, &Tensor); N]> for NamedTensors {
    fn from(tensors: [(&str, &Tensor); N]) -> NamedTensors {
        let owned = |(name, tensor): (&str, &Tensor)| (name.to_string(), tensor.clone());
        NamedTensors(tensors.into_iter().map(owned).collect())
    }
}

impl From<BTreeMap<String, Tensor>> for NamedTensors {
    fn from(tensors: BTreeMap<String, Tensor>) -> NamedTensors {
        NamedTensors(tensors)
    }
}

impl From<&NamedTensors> for NamedTensors {
    fn from(tensors: &NamedTensors) -> NamedTensors {
        tensors.clone()
    }
}

impl IntoIterator for NamedTensors {
    type Item = (String, Tensor);
    type IntoIter = std::collections::btree_map::IntoIter<String, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A line for each: `x  f32 [2, 3]`
impl fmt::Debug for NamedTensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.keys().map(|name| name.chars().count()).max();
        for (place, (name, tensor)) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            let width = width.unwrap_or(0);
            write!(f, "{name:width$}  {} {:?}", tensor.dtype(), tensor.shape())?;
        }
        Ok(())
    }
}

/// The arrays of a `.npz` file, as `numpy.savez` and `numpy.savez_compressed` write it.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let x_train = files::load_npz("mnist.npz")?.get("x_train")?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if the file is missing, damaged, no `.npz` file, holds what is no array of numbers
/// ([`load_npz_array`] reads the others), or claims to unpack to more than 64 MiB and a hundred times its size.
pub fn load_npz(path: impl AsRef<Path>) -> Result<NamedTensors> {
    let path = path.as_ref();
    let (file, size) = whole::open(path)?;
    read_npz(file, size).map_err(|message| whole::error(path, message))
}

/// One array of a `.npz` file: also where others in it are no numbers.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let y_train = files::load_npz_array("mnist.npz", "y_train")?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`load_npz`], but for what is wrong with other arrays; also for a name that is not there.
pub fn load_npz_array(path: impl AsRef<Path>, name: &str) -> Result<Tensor> {
    let path = path.as_ref();
    let (file, size) = whole::open(path)?;
    read_npz_array(file, size, name).map_err(|message| whole::error(path, message))
}

const ARCHIVE: &str = "a NumPy archive (.npz)";

fn read_npz(from: impl Read + Seek, size: u64) -> Parsed<NamedTensors> {
    let mut archive = Archive::open(from, size, ARCHIVE)?;
    let mut tensors = BTreeMap::new();
    for member in archive.names() {
        let name = array_name(&member);
        let tensor =
            read_member(&mut archive, &member).map_err(|error| match archive.names()[..] {
                [_] => error,
                _ => format!(
                    "{error} (files::load_npz_array reads one array and leaves the others alone)"
                ),
            })?;
        tensors.insert(name.to_string(), tensor);
    }
    Ok(NamedTensors(tensors))
}

fn read_npz_array(from: impl Read + Seek, size: u64, name: &str) -> Parsed<Tensor> {
    let mut archive = Archive::open(from, size, ARCHIVE)?;
    let members = archive.names();
    match members.iter().find(|member| array_name(member) == name) {
        Some(member) => read_member(&mut archive, member),
        None => {
            let known: Vec<&str> = members.iter().map(|member| array_name(member)).collect();
            Err(names::unknown("array", name, &known))
        }
    }
}

fn array_name(member: &str) -> &str {
    member.strip_suffix(".npy").unwrap_or(member)
}

fn read_member(archive: &mut Archive<'_>, member: &str) -> Parsed<Tensor> {
    let content = archive.read(member)?;
    npy::read(&content).map_err(|error| format!("{}: {error}", array_name(member)))
}

/// Writes tensors as a `.npz` file, which `numpy.load` reads. The file takes its place when it is complete.
///
/// ```
/// use dlcore::prelude::*;
/// # let folder = std::env::temp_dir().join(format!("dlcore-npz-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("data.npz");
/// let (x, y) = (Tensor::ones([2, 3]), Tensor::zeros([2]));
/// files::save_npz(&path, [("x", &x), ("y", &y)])?; // for instance "data.npz"
/// assert_eq!(files::load_npz(&path)?.get("x")?, x);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if the file cannot be written.
pub fn save_npz(path: impl AsRef<Path>, tensors: impl Into<NamedTensors>) -> Result<()> {
    write_npz(path.as_ref(), &tensors.into())
}

fn write_npz(path: &Path, tensors: &NamedTensors) -> Result<()> {
    let write = |file: &mut File| -> zip::result::ZipResult<()> {
        let mut archive = zip::ZipWriter::new(file as &mut dyn Target);
        for (name, tensor) in &tensors.0 {
            let content = npy::write(tensor);
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .large_file(content.len() >= u32::MAX as usize);
            archive.start_file(format!("{name}.npy"), options)?;
            archive.write_all(&content)?;
        }
        archive.finish()?.flush()?;
        Ok(())
    };
    whole::replace(path, |file| {
        write(file).map_err(|error| format!("cannot be written: {error}"))
    })
}

/// The tensors of a [safetensors](https://github.com/huggingface/safetensors) file. Halves become `F32`,
/// small integers `I32`, unsigned ones of four bytes or more `I64`.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let weights = files::load_safetensors("model.safetensors")?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if the file is missing, damaged, or no safetensors file.
pub fn load_safetensors(path: impl AsRef<Path>) -> Result<NamedTensors> {
    let path = path.as_ref();
    let tensors = safetensors::read(&whole::read(path)?);
    tensors
        .map(NamedTensors)
        .map_err(|message| whole::error(path, message))
}

/// Writes tensors as a safetensors file. The file takes its place when it is complete.
///
/// # Errors
/// [`Error::File`] if the file cannot be written.
pub fn save_safetensors(path: impl AsRef<Path>, tensors: impl Into<NamedTensors>) -> Result<()> {
    write_safetensors(path.as_ref(), &tensors.into())
}

fn write_safetensors(path: &Path, tensors: &NamedTensors) -> Result<()> {
    let bytes = safetensors::write(&tensors.0).map_err(|message| whole::error(path, message))?;
    whole::replace_by(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::files::scratch::Folder;

    #[test]
    fn what_is_loaded_is_what_was_saved() {
        let folder = Folder::new();
        let tensors = NamedTensors::new()
            .with("kernel", &Tensor::from([[1.5, -2.0], [0.0, 3.0]]))
            .with("labels", &Tensor::from([1, 2, 3]).cast(DType::I64))
            .with("mask", &Tensor::from([1, 0]).cast(DType::Bool));
        save_npz(folder.file("a.npz"), &tensors).unwrap();
        assert_eq!(load_npz(folder.file("a.npz")).unwrap(), tensors);
        save_safetensors(folder.file("a.safetensors"), &tensors).unwrap();
        assert_eq!(
            load_safetensors(folder.file("a.safetensors")).unwrap(),
            tensors
        );
        assert_eq!(folder.count(), 2, "nothing else is left");
        assert_eq!(
            format!("{tensors:?}"),
            "kernel  f32 [2, 2]\nlabels  i64 [3]\nmask    bool [2]"
        );
        let error = tensors.get("kernal").unwrap_err().to_string();
        assert!(error.contains("did you mean \"kernel\"?"), "{error}");
    }

    #[test]
    fn an_archive_of_something_else_is_refused_with_the_members_name() {
        let folder = Folder::new();
        let path = folder.file("evil.npz");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        writer
            .start_file("x.npy", SimpleFileOptions::default())
            .unwrap();
        let header = b"\x93NUMPY\x01\x00\x3e\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }      \n";
        writer.write_all(header).unwrap();
        writer
            .write_all(b"\x80\x03cos\nsystem\nX\x04\x00\x00\x00echo\x85R.")
            .unwrap();
        writer.finish().unwrap();
        let error = load_npz(&path).unwrap_err().to_string();
        assert!(
            error.contains("evil.npz: x: byte 10") && error.contains("nothing was run"),
            "{error}"
        );
    }

    #[test]
    fn one_array_is_read_beside_others_that_are_none() {
        let folder = Folder::new();
        let path = folder.file("mixed.npz");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        let x = Tensor::from([1.0, 2.0]);
        let names = b"\x93NUMPY\x01\x00\x3e\x00{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }     \nx\0\0\0";
        for (name, content) in [("x.npy", npy::write(&x)), ("names.npy", names.to_vec())] {
            writer
                .start_file(name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(&content).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(load_npz_array(&path, "x").unwrap(), x);
        let error = load_npz(&path).unwrap_err().to_string();
        assert!(
            error.contains("names: byte 10") && error.contains("load_npz_array"),
            "{error}"
        );
        let error = load_npz_array(&path, "y").unwrap_err().to_string();
        assert!(error.contains("unknown array \"y\""), "{error}");
    }
}

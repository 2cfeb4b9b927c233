//! NumPy's archives: a zip file of arrays, each a short header and its elements.
//!
//! Arrays are read by [`Npy`], and lists, which are pickled, by a reader that runs nothing. Sizes are checked before anything is
//! allocated, and every failure names the file and the array.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::pickle;
use crate::files::archive;
use crate::files::npy::Npy;
use crate::{Error, Result};

/// No array of a known data set comes near; a larger one is a damaged or hostile file.
const MAX_BYTES: u64 = 1 << 30;

/// One array of an archive.
#[derive(Debug, PartialEq)]
pub(crate) struct NpyArray {
    pub shape: Vec<usize>,
    pub data: NpyData,
}

/// Its elements, in row-major order.
#[derive(Debug, PartialEq)]
pub(crate) enum NpyData {
    U8(Vec<u8>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// Python's lists of whole numbers, from a pickle.
    Lists(Vec<Vec<u32>>),
}

impl NpyData {
    fn kind(&self) -> &'static str {
        match self {
            NpyData::U8(_) => "u8",
            NpyData::I64(_) => "i64",
            NpyData::F32(_) => "f32",
            NpyData::F64(_) => "f64",
            NpyData::Lists(_) => "lists of whole numbers",
        }
    }
}

/// An open archive.
pub(crate) struct Npz {
    path: PathBuf,
    archive: zip::ZipArchive<Box<dyn archive::Source>>,
}

impl Npz {
    /// Opens the archive at `path`.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing or no zip file.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |message: String| Error::File {
            path: path.to_owned(),
            message,
        };
        let file =
            File::open(path).map_err(|error| failed(format!("cannot be opened: {error}")))?;
        let archive = archive::opened(file).map_err(|error| {
            failed(format!(
                "expected a NumPy archive (.npz), which is a zip file: {error}; {AGAIN}"
            ))
        })?;
        Ok(Npz {
            path: path.to_owned(),
            archive,
        })
    }

    /// Reads bytes under the given shape; `None` stands for an axis of any length.
    pub fn bytes(&mut self, name: &str, shape: &[Option<usize>]) -> Result<(Vec<usize>, Vec<u8>)> {
        match self.array(name, shape)? {
            NpyArray {
                shape,
                data: NpyData::U8(values),
            } => Ok((shape, values)),
            NpyArray { data, .. } => Err(self.kind_error(name, "u8", &data)),
        }
    }

    /// Reads whole numbers; bytes are widened.
    pub fn integers(&mut self, name: &str) -> Result<Vec<i64>> {
        match self.array(name, &[None])?.data {
            NpyData::I64(values) => Ok(values),
            NpyData::U8(values) => Ok(values.into_iter().map(i64::from).collect()),
            data => Err(self.kind_error(name, "i64", &data)),
        }
    }

    /// Reads numbers in double precision under the given shape, as [`Npz::bytes`].
    pub fn doubles(
        &mut self,
        name: &str,
        shape: &[Option<usize>],
    ) -> Result<(Vec<usize>, Vec<f64>)> {
        match self.array(name, shape)? {
            NpyArray {
                shape,
                data: NpyData::F64(values),
            } => Ok((shape, values)),
            NpyArray { data, .. } => Err(self.kind_error(name, "f64", &data)),
        }
    }

    /// Reads lists of whole numbers.
    pub fn lists(&mut self, name: &str) -> Result<Vec<Vec<u32>>> {
        match self.array(name, &[None])?.data {
            NpyData::Lists(lists) => Ok(lists),
            data => Err(self.kind_error(name, "lists of whole numbers", &data)),
        }
    }

    fn array(&mut self, name: &str, shape: &[Option<usize>]) -> Result<NpyArray> {
        let bytes = self.member(name)?;
        let array = parse(&bytes).map_err(|message| self.error(name, message))?;
        let fits = array.shape.len() == shape.len()
            && array
                .shape
                .iter()
                .zip(shape)
                .all(|(&axis, wanted)| wanted.is_none_or(|wanted| wanted == axis));
        if !fits {
            let wanted: Vec<String> = shape
                .iter()
                .map(|axis| axis.map_or("any".to_owned(), |axis| axis.to_string()))
                .collect();
            let message = format!(
                "expected shape [{}], found {:?}",
                wanted.join(", "),
                array.shape
            );
            return Err(self.error(name, message));
        }
        Ok(array)
    }

    fn member(&mut self, name: &str) -> Result<Vec<u8>> {
        let path = self.path.clone();
        let failed = |message: String| Error::File {
            path: path.clone(),
            message: format!("{name}: {message}"),
        };
        let names = self.archive.file_names().flatten();
        let names: Vec<String> = names.map(|name| name.into_owned()).collect();
        let member = self.archive.by_name(&format!("{name}.npy"));
        let member = member.map_err(|error| match error {
            zip::result::ZipError::FileNotFound => failed(format!(
                "not in the archive, which holds {}",
                names.join(", ")
            )),
            error => failed(format!("{error}; {AGAIN}")),
        })?;
        if member.size() > MAX_BYTES {
            return Err(failed(format!(
                "claims {} bytes; no data set has an array of that size",
                member.size()
            )));
        }
        let mut bytes = Vec::new();
        // What the archive claims is not what it delivers: both are bounded. The end of the member
        // is where its checksum is compared.
        let read = member.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(format!("is damaged: {error}; {AGAIN}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(failed("is larger than it claims".to_owned()));
        }
        Ok(bytes)
    }

    fn kind_error(&self, name: &str, expected: &str, found: &NpyData) -> Error {
        self.error(name, format!("expected {expected}, found {}", found.kind()))
    }

    /// An error that names this file and one of its arrays.
    pub fn error(&self, name: &str, message: String) -> Error {
        Error::File {
            path: self.path.clone(),
            message: format!("{name}: {message}"),
        }
    }
}

const AGAIN: &str = "delete the file to have it fetched again";

/// Reads one `.npy` file.
fn parse(bytes: &[u8]) -> Result<NpyArray, String> {
    let Npy {
        kind,
        columns_first,
        shape,
        content,
    } = Npy::open(bytes)?;
    if columns_first && shape.len() > 1 {
        return Err("expected row-major order, found columns first (fortran_order)".to_owned());
    }
    let count = shape
        .iter()
        .try_fold(1_usize, |count, &axis| count.checked_mul(axis));
    let count = count.ok_or_else(|| format!("shape {shape:?} is beyond any memory"))?;
    let data = match kind {
        "|u1" | "<u1" | "u1" => NpyData::U8(elements::<1, _>(content, count, |[byte]| byte)?),
        "<i8" => NpyData::I64(elements(content, count, i64::from_le_bytes)?),
        "<i4" => NpyData::I64(elements(content, count, |bytes| {
            i32::from_le_bytes(bytes).into()
        })?),
        "<f4" => NpyData::F32(elements(content, count, f32::from_le_bytes)?),
        "<f8" => NpyData::F64(elements(content, count, f64::from_le_bytes)?),
        "|O" | "O" => {
            let start = bytes.len() - content.len();
            let lists = pickle::read_lists(content)
                .map_err(|error| format!("byte {}: {}", start + error.offset, error.message))?;
            if lists.len() != count {
                return Err(format!(
                    "expected {count} lists, as the header says, found {}",
                    lists.len()
                ));
            }
            NpyData::Lists(lists)
        }
        other => {
            return Err(format!(
                "expected u1, i4, i8, f4, f8 or O elements, found {other:?}"
            ));
        }
    };
    Ok(NpyArray { shape, data })
}

fn elements<const SIZE: usize, T>(
    content: &[u8],
    count: usize,
    convert: impl Fn([u8; SIZE]) -> T,
) -> Result<Vec<T>, String> {
    let (chunks, rest) = content.as_chunks::<SIZE>();
    if chunks.len() != count || !rest.is_empty() {
        let found = content.len();
        return Err(format!(
            "expected {count} elements of {SIZE} bytes, found {found} bytes"
        ));
    }
    Ok(chunks.iter().map(|&chunk| convert(chunk)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    /// A `.npy` file of the given type and shape.
    pub(crate) fn npy(kind: &str, shape: &str, content: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [
            b"\x93NUMPY\x01\x00",
            length.as_slice(),
            header.as_bytes(),
            content,
        ]
        .concat()
    }

    /// An archive of such files.
    pub(crate) fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in members {
            writer
                .start_file(
                    format!("{name}.npy"),
                    zip::write::SimpleFileOptions::default(),
                )
                .unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn open(name: &str, content: &[u8]) -> Result<Npz> {
        let folder = std::env::temp_dir().join(format!("dlcore-npz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        Npz::open(&path)
    }

    #[test]
    fn arrays_come_out_as_numpy_put_them_in() {
        let archive = npz(&[
            ("x", npy("|u1", "(2, 3)", &[1, 2, 3, 4, 5, 6])),
            (
                "y",
                npy(
                    "<i8",
                    "(2,)",
                    &[
                        1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
                    ],
                ),
            ),
            (
                "z",
                npy(
                    "|O",
                    "(3,)",
                    include_bytes!("pickle/fixtures/lists-4.pickle"),
                ),
            ),
        ]);
        let mut npz = open("whole.npz", &archive).unwrap();
        assert_eq!(
            npz.bytes("x", &[None, Some(3)]).unwrap(),
            (vec![2, 3], vec![1, 2, 3, 4, 5, 6])
        );
        assert_eq!(npz.integers("y").unwrap(), [1, -1]);
        assert_eq!(
            npz.lists("z").unwrap(),
            [vec![1, 2, 300], vec![], vec![70_000]]
        );
        let error = npz.bytes("x", &[None, Some(4)]).unwrap_err().to_string();
        assert!(
            error.ends_with("x: expected shape [any, 4], found [2, 3]"),
            "{error}"
        );
        let error = npz.integers("w").unwrap_err().to_string();
        assert!(
            error.contains("not in the archive, which holds x.npy, y.npy, z.npy"),
            "{error}"
        );
        let error = npz.lists("x").unwrap_err().to_string();
        assert!(
            error.contains("x: expected shape [any], found [2, 3]"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_archive_is_an_error_that_names_the_file() {
        let archive = npz(&[("x", npy("|u1", "(1000,)", &[7; 1000]))]);
        let error = open("cut.npz", &archive[..archive.len() / 2])
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("cut.npz") && error.contains("expected a NumPy archive"),
            "{error}"
        );
        // Every byte of the member's content, changed, is caught by its checksum or by the reader.
        for at in 40..archive.len() / 2 {
            let mut changed = archive.clone();
            changed[at] ^= 0x55;
            if let Ok(mut npz) = open("changed.npz", &changed)
                && let Ok((_, bytes)) = npz.bytes("x", &[Some(1000)])
            {
                assert_eq!(bytes, [7; 1000], "byte {at} changed the content unnoticed");
            }
        }
    }

    #[test]
    fn a_pickle_that_would_run_code_is_refused_with_its_place() {
        let evil = b"\x80\x03cos\nsystem\nX\x04\x00\x00\x00echo\x85R.";
        let archive = npz(&[("x", npy("|O", "(1,)", evil))]);
        let error = open("evil.npz", &archive)
            .unwrap()
            .lists("x")
            .unwrap_err()
            .to_string();
        let place = npy("|O", "(1,)", &[]).len() + 2;
        let expected =
            format!("x: byte {place}: expected lists of whole numbers, found the name os.system");
        assert!(
            error.contains("evil.npz") && error.contains(&expected),
            "{error}"
        );
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let cases = [
            (
                npy("|u1", "(4,)", &[1, 2, 3]),
                "expected 4 elements of 1 bytes, found 3 bytes",
            ),
            (
                npy("|u1", "(18446744073709551615, 2)", &[]),
                "beyond any memory",
            ),
            (npy("<c8", "(1,)", &[0; 8]), "found \"<c8\""),
            (b"\x93NUMPY\x01\x00\xff".to_vec(), "within its header"),
            (b"PK".to_vec(), "begins with"),
            (
                npy(
                    "|O",
                    "(2,)",
                    include_bytes!("pickle/fixtures/lists-3.pickle"),
                ),
                "expected 2 lists",
            ),
        ];
        for (bytes, expected) in cases {
            let error = parse(&bytes).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}

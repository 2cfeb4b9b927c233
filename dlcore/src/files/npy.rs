//! NumPy's arrays, each a short header and its elements.
//!
//! The format is NumPy's `lib/format.py`, versions 1 to 3. Arrays of objects are pickles, which could run
//! code: they are refused.

use std::path::Path;

use super::numbers::{self, Class, Kind};
use super::whole;
use crate::config::Parsed;
use crate::{DType, Result, Tensor};

const MAGIC: &[u8] = b"\x93NUMPY";
const MAX_HEADER: usize = 1 << 16;

impl Tensor {
    /// The array in a `.npy` file, as `numpy.save` writes it. Halves become `F32`, small integers `I32`,
    /// unsigned ones of four bytes or more `I64`.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("dlcore-npy-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("x.npy");
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// x.save_npy(&path)?; // for instance "x.npy"
    /// assert_eq!(Tensor::load_npy(&path)?, x);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if the file is missing, damaged, no `.npy` file, or holds what is
    /// no array of numbers.
    pub fn load_npy(path: impl AsRef<Path>) -> Result<Tensor> {
        load(path.as_ref())
    }

    /// Writes the tensor as a `.npy` file, which `numpy.load` reads. The file takes its place when it is
    /// complete.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if the file cannot be written.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        whole::replace_by(path.as_ref(), &write(self))
    }
}

fn load(path: &Path) -> Result<Tensor> {
    read(&whole::read(path)?).map_err(|message| whole::error(path, message))
}

/// What an array's header says, and its elements.
pub(crate) struct Npy<'a> {
    /// Its type in NumPy's words: `<f4`.
    pub(crate) kind: &'a str,
    /// Whether columns come before rows.
    pub(crate) columns_first: bool,
    pub(crate) shape: Vec<usize>,
    pub(crate) content: &'a [u8],
}

impl Npy<'_> {
    pub(crate) fn open(bytes: &[u8]) -> Parsed<Npy<'_>> {
        let (header, content) = split_header(bytes)?;
        let header = std::str::from_utf8(header)
            .map_err(|_| "byte 10: the header is not text".to_owned())?;
        let missing = |what: &str| format!("byte 10: the header names no {what}");
        let described = field(header, "descr");
        if described.is_some_and(|text| text.starts_with('[')) {
            return Err(
                "byte 10: expected an array of numbers, found records of several fields; save each field as an array \
                 of its own: array[\"name\"]"
                    .to_owned(),
            );
        }
        let kind = described.and_then(quoted);
        let order = field(header, "fortran_order");
        let shape = field(header, "shape").and_then(tuple);
        Ok(Npy {
            kind: kind.ok_or_else(|| missing("element type"))?,
            columns_first: order.ok_or_else(|| missing("order"))?.starts_with("True"),
            shape: shape.ok_or_else(|| missing("shape"))?,
            content,
        })
    }
}

/// The tensor in a `.npy` file.
pub(crate) fn read(bytes: &[u8]) -> Parsed<Tensor> {
    let npy = Npy::open(bytes)?;
    let kind = kind(npy.kind).map_err(|error| format!("byte 10: {error}"))?;
    let at = bytes.len() - npy.content.len();
    let read = |shape: &[usize]| {
        let tensor = numbers::tensor(shape, npy.content, kind);
        tensor.map_err(|error| format!("byte {at}: {error}"))
    };
    if !npy.columns_first {
        return read(&npy.shape);
    }
    let reversed: Vec<usize> = npy.shape.iter().rev().copied().collect();
    let axes: Vec<usize> = (0..reversed.len()).rev().collect();
    Ok(read(&reversed)?.permute(&axes))
}

/// A type in NumPy's words.
fn kind(text: &str) -> Parsed<Kind> {
    let (order, rest) = match text.split_at_checked(1) {
        Some((order @ ("<" | ">" | "|" | "="), rest)) => (order, rest),
        _ => ("<", text),
    };
    let class = match rest.split_at_checked(1).map(|(class, _)| class) {
        Some("b") => Class::Bool,
        Some("i") => Class::Signed,
        Some("u") => Class::Unsigned,
        Some("f") => Class::Float,
        Some("O") => {
            return Err(
                "holds Python objects as a pickle, which could run code; nothing was run. Save numbers instead: \
                 array.astype(\"float32\")"
                    .to_string(),
            );
        }
        Some("U" | "S" | "a") => {
            return Err(format!(
                "expected an array of numbers, found texts of type {text:?}; save such a column as text, one a line, or \
                 its class numbers"
            ));
        }
        _ => {
            return Err(format!(
                "expected an array of numbers, found elements of type {text:?}"
            ));
        }
    };
    match rest[1..].parse() {
        Ok(size @ (1 | 2 | 4 | 8)) => Ok(Kind::new(class, size, order == ">")),
        _ => Err(format!(
            "expected an array of numbers, found elements of type {text:?}"
        )),
    }
}

/// The bytes of a `.npy` file.
pub(crate) fn write(tensor: &Tensor) -> Vec<u8> {
    let kind = match tensor.dtype() {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
    };
    let axes: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    // Python's tuple of one has a comma.
    let comma = if axes.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        axes.join(", ")
    );
    // NumPy fills up to a multiple of 64, the line's end included.
    let length = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    while header.len() + 1 < length {
        header.push(' ');
    }
    header.push('\n');
    let mut file = MAGIC.to_vec();
    file.extend([1, 0]);
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(numbers::bytes(tensor));
    file
}

/// The header's text, and what follows it.
fn split_header(bytes: &[u8]) -> Parsed<(&[u8], &[u8])> {
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or("byte 0: expected a NumPy array, which begins with \\x93NUMPY")?;
    let cut = || format!("byte {}: the file ends within its header", bytes.len());
    let (&version, rest) = rest.split_first().ok_or_else(cut)?;
    let rest = rest.get(1..).ok_or_else(cut)?;
    let (length, rest) = match version {
        1 => rest.split_at_checked(2),
        2 | 3 => rest.split_at_checked(4),
        other => {
            return Err(format!(
                "byte 6: expected format version 1 to 3, found {other}"
            ));
        }
    }
    .ok_or_else(cut)?;
    let length = length
        .iter()
        .rev()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > MAX_HEADER {
        return Err(format!("byte 8: the header claims {length} bytes"));
    }
    rest.split_at_checked(length).ok_or_else(cut)
}

/// What follows a key of the header, which is a Python dictionary.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?
        .split_once('\'')
        .map(|(inner, _)| inner)
}

fn tuple(text: &str) -> Option<Vec<usize>> {
    /// NumPy has arrays of up to 64 axes.
    const MOST_AXES: usize = 64;
    let (inner, _) = text.strip_prefix('(')?.split_once(')')?;
    let axes = inner
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty());
    let axes: Option<Vec<usize>> = axes.map(|axis| axis.parse().ok()).collect();
    axes.filter(|axes| axes.len() <= MOST_AXES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back() {
        let x = Tensor::from([[0.0, 1.0, 2.5], [-3.0, 1e30, 7.0]]);
        for dtype in [
            DType::Bool,
            DType::U8,
            DType::I32,
            DType::I64,
            DType::F32,
            DType::F64,
        ] {
            let tensor = x.cast(dtype);
            let bytes = write(&tensor);
            assert_eq!((bytes.len() - numbers::bytes(&tensor).len()) % 64, 0);
            let back = read(&bytes).unwrap();
            assert_eq!((back.dtype(), &back), (dtype, &tensor));
        }
        let scalar = Tensor::from(2.5);
        assert_eq!(read(&write(&scalar)).unwrap().shape(), scalar.shape());
        assert_eq!(
            read(&write(&Tensor::zeros([3, 0]))).unwrap().shape(),
            [3, 0]
        );
        assert_eq!(read(&write(&x.transpose())).unwrap(), x.transpose());
    }

    fn file(kind: &str, order: &str, shape: &str, content: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), content].concat()
    }

    #[test]
    fn other_orders_are_read() {
        let x = file(
            ">i2",
            "True",
            "(2, 3)",
            &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 255, 255],
        );
        assert_eq!(read(&x).unwrap(), Tensor::from([[1, 2, 3], [4, 5, -1]]));
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_in_words() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err();
        assert!(error(b"PK").contains("begins with \\x93NUMPY"));
        assert!(error(b"\x93NUMPY\x01\x00\xff").contains("ends within its header"));
        let pickle = file("|O", "False", "(1,)", b"\x80\x03cos\nsystem\n");
        assert!(error(&pickle).contains("could run code; nothing was run"));
        assert!(error(&file("<c8", "False", "(1,)", &[0; 8])).contains("\"<c8\""));
        assert!(
            error(&file("<U3", "False", "(1,)", &[0; 12])).contains("found texts of type \"<U3\"")
        );
        let header = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }\n";
        let length = (header.len() as u16).to_le_bytes();
        let records = [MAGIC, &[1, 0], &length, header.as_bytes(), &[0; 4]].concat();
        assert!(error(&records).contains("records of several fields"));
        assert!(error(&file("<f4", "False", "(3,)", &[0; 8])).contains("does not fit 8 bytes"));
        assert!(
            error(&file("<f4", "False", "(4294967296, 4294967296, 2)", &[]))
                .contains("does not fit")
        );
    }
}

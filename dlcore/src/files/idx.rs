//! IDX, the format of MNIST's original files: a type, lengths, elements with the highest byte first.
//!
//! Source: <https://yann.lecun.com/exdb/mnist/>.

use std::io::Read as _;
use std::path::Path;

use super::numbers::{self, Kind};
use super::room::Room;
use super::whole;
use crate::config::Parsed;
use crate::{DType, Error, Result, Tensor};

/// The array in an IDX file, also one that is compressed with gzip (`train-images-idx3-ubyte.gz`).
///
/// ```
/// use dlcore::prelude::*;
/// # let folder = std::env::temp_dir().join(format!("dlcore-idx-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("images.idx");
/// let images = Tensor::ones([2, 28, 28]).cast(DType::U8);
/// files::save_idx(&path, &images)?; // for instance "images-idx3-ubyte"
/// assert_eq!(files::load_idx(&path)?, images);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if the file is missing, damaged, no IDX file, or claims to unpack to more than 64 MiB and
/// a hundred times its size.
pub fn load_idx(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    read(&whole::read(path)?).map_err(|message| whole::error(path, message))
}

/// Writes a tensor as an IDX file. The file takes its place when it is complete.
///
/// # Errors
/// [`Error::Value`] for a type that IDX does not have: `I64` and `Bool`; [`Error::File`] if the file cannot be
/// written.
pub fn save_idx(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    whole::replace_by(path.as_ref(), &write(tensor)?)
}

fn read(bytes: &[u8]) -> Parsed<Tensor> {
    if !bytes.starts_with(b"\x1f\x8b") {
        return array(bytes);
    }
    // The last four bytes of a gzip file tell the size of its content.
    let size = bytes
        .last_chunk::<4>()
        .map_or(0, |&size| u32::from_le_bytes(size));
    let at = bytes.len().saturating_sub(4);
    let room = Room::of(bytes.len() as u64).take(size.into());
    room.map_err(|error| format!("byte {at}: the gzip file {error}"))?;
    let mut content = Vec::new();
    let reader = flate2::read::GzDecoder::new(bytes);
    let read = reader.take(u64::from(size) + 1).read_to_end(&mut content);
    read.map_err(|error| format!("the gzip file is damaged: {error}"))?;
    match content.len() == size as usize {
        true => array(&content).map_err(|error| format!("unpacked, {error}")),
        false => Err(format!(
            "byte {at}: the gzip file claims {size} bytes of content, which is wrong; it is damaged, or was cut off"
        )),
    }
}

fn array(bytes: &[u8]) -> Parsed<Tensor> {
    let Some((&[0, 0, kind, rank], rest)) = bytes.split_first_chunk::<4>() else {
        return Err("byte 0: expected an IDX file, which begins with two zeros".to_string());
    };
    let kind = match kind {
        0x08 => Kind::integer(1, true, false),
        0x09 => Kind::integer(1, true, true),
        0x0b => Kind::integer(2, true, true),
        0x0c => Kind::integer(4, true, true),
        0x0d => Kind::float(4, true),
        0x0e => Kind::float(8, true),
        other => {
            return Err(format!(
                "byte 2: expected a type of 0x08, 0x09 or 0x0b to 0x0e, found {other:#04x}"
            ));
        }
    };
    let Some((lengths, content)) = rest.split_at_checked(4 * usize::from(rank)) else {
        return Err(format!(
            "byte {}: the file ends within the lengths of its {rank} axes",
            bytes.len()
        ));
    };
    let (lengths, _) = lengths.as_chunks::<4>();
    let shape: Vec<usize> = lengths
        .iter()
        .map(|&length| u32::from_be_bytes(length) as usize)
        .collect();
    let at = bytes.len() - content.len();
    numbers::tensor(&shape, content, kind).map_err(|error| format!("byte {at}: {error}"))
}

fn write(tensor: &Tensor) -> Result<Vec<u8>> {
    let (kind, size) = match tensor.dtype() {
        DType::U8 => (0x08, 1),
        DType::I32 => (0x0c, 4),
        DType::F32 => (0x0d, 4),
        DType::F64 => (0x0e, 8),
        other => {
            return Err(Error::Value(format!(
                "save_idx: IDX has no elements of type {other}; cast to U8, I32, F32 or F64"
            )));
        }
    };
    let lengths: Option<Vec<u32>> = tensor
        .shape()
        .iter()
        .map(|&axis| u32::try_from(axis).ok())
        .collect();
    let lengths = lengths
        .filter(|lengths| lengths.len() < 256)
        .ok_or_else(|| {
            Error::Value(format!(
                "save_idx: IDX has no arrays of shape {:?}",
                tensor.shape()
            ))
        })?;
    let mut bytes = vec![0, 0, kind, lengths.len() as u8];
    bytes.extend(lengths.iter().flat_map(|length| length.to_be_bytes()));
    let mut content = numbers::bytes(tensor);
    content.chunks_mut(size).for_each(<[u8]>::reverse);
    bytes.extend(content);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn every_type_comes_back_also_compressed() {
        let x = Tensor::from([[0.0, 1.0, 200.0], [3.0, 4.0, 5.0]]);
        for dtype in [DType::U8, DType::I32, DType::F32, DType::F64] {
            let tensor = x.cast(dtype);
            let bytes = write(&tensor).unwrap();
            assert_eq!(read(&bytes).unwrap(), tensor);
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&bytes).unwrap();
            let packed = gzip.finish().unwrap();
            let back = read(&packed).unwrap();
            assert_eq!((back.dtype(), back), (dtype, tensor));
            assert!(read(&packed[..packed.len() - 9]).is_err());
        }
        let error = write(&x.cast(DType::I64)).unwrap_err().to_string();
        assert!(error.contains("cast to U8"), "{error}");
    }

    #[test]
    fn a_header_that_lies_is_refused_with_its_place() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err();
        assert!(error(&[0, 0, 8, 1, 0, 0, 0, 5, 1, 2]).starts_with("byte 8: shape [5]"));
        assert!(error(&[0, 0, 7, 1, 0, 0, 0, 0]).starts_with("byte 2"));
        assert!(error(&[0, 0, 8, 3, 0, 0]).contains("3 axes"));
        assert!(error(&[0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255]).contains("byte 12"));
        assert!(error(b"\x89PNG").contains("two zeros"));
    }
}

//! IDX, the format of the MNIST family: a short header and bytes, packed by gzip.
//!
//! Two zeros, 8 for bytes, the number of axes, each axis as four bytes from the highest, the elements.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::{Error, Result};

/// No file of the family comes near.
const MAX_BYTES: u64 = 1 << 28;

/// The bytes of a packed IDX file with `axes` axes, and its shape.
///
/// # Errors
/// [`Error::File`] if the file is damaged or something else.
pub(super) fn read(path: &Path, axes: usize) -> Result<(Vec<usize>, Vec<u8>)> {
    let failed = |message: String| Error::File {
        path: path.to_owned(),
        message,
    };
    let file =
        fs::File::open(path).map_err(|error| failed(format!("cannot be opened: {error}")))?;
    let mut bytes = Vec::new();
    // The end is where gzip's checksum is compared.
    let read = GzDecoder::new(file)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes);
    read.map_err(|error| {
        let place = bytes.len();
        failed(format!(
            "expected a file packed by gzip: {error}, after {place} bytes"
        ))
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(format!(
            "unpacks to more than {MAX_BYTES} bytes; no data set does"
        )));
    }
    parse(&bytes, axes).map_err(failed)
}

fn parse(bytes: &[u8], axes: usize) -> Result<(Vec<usize>, Vec<u8>), String> {
    let magic = [0, 0, 8, axes as u8];
    let rest = bytes.strip_prefix(magic.as_slice()).ok_or_else(|| {
        let found = &bytes[..bytes.len().min(4)];
        format!("expected an IDX file, which begins with {magic:?}, found {found:?}")
    })?;
    let (header, content) = rest
        .split_at_checked(4 * axes)
        .ok_or("the file ends within its header")?;
    let (lengths, _) = header.as_chunks::<4>();
    let shape: Vec<usize> = lengths
        .iter()
        .map(|&length| u32::from_be_bytes(length) as usize)
        .collect();
    let size = shape
        .iter()
        .try_fold(1_usize, |size, &axis| size.checked_mul(axis));
    if size != Some(content.len()) {
        return Err(format!(
            "expected as many bytes as shape {shape:?} has elements, found {}",
            content.len()
        ));
    }
    Ok((shape, content.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const WHOLE: &[u8] = &[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    #[test]
    fn bytes_come_with_their_shape() {
        assert_eq!(parse(WHOLE, 2), Ok((vec![2, 3], vec![1, 2, 3, 4, 5, 6])));
        let error = parse(WHOLE, 1).unwrap_err();
        assert!(
            error.contains("[0, 0, 8, 1], found [0, 0, 8, 2]"),
            "{error}"
        );
        for cut in 0..WHOLE.len() {
            assert!(parse(&WHOLE[..cut], 2).is_err(), "cut at {cut}");
        }
        let huge = [&WHOLE[..4], &[0xff; 8]].concat();
        assert!(parse(&huge, 2).unwrap_err().contains("found 0"));
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(WHOLE).unwrap();
        let packed = packer.finish().unwrap();
        let path = std::env::temp_dir().join(format!("dlcore-idx-{}.gz", std::process::id()));
        let open = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            read(&path, 2)
        };
        assert_eq!(open(&packed).unwrap().0, [2, 3]);
        for cut in 0..packed.len() {
            let error = open(&packed[..cut]).unwrap_err().to_string();
            assert!(error.contains("dlcore-idx"), "{error}");
        }
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x55;
            // Header fields of gzip that nothing depends on may change; the content may not.
            if let Ok((_, content)) = open(&changed) {
                assert_eq!(content, WHOLE[12..], "byte {at}");
            }
        }
        fs::remove_file(path).unwrap();
    }
}

//! Archives that are damaged, and pickles that must be refused. What a whole one holds is compared with
//! Keras in `datasets/keras_tests.rs`.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::*;

fn archive() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/cifar10.tar.gz"
    );
    fs::read(path).unwrap()
}

/// The first part's pickle.
fn pickle() -> Vec<u8> {
    let archive = archive();
    let mut archive = tar::Archive::new(GzDecoder::new(archive.as_slice()));
    let mut first = archive.entries().unwrap().next().unwrap().unwrap();
    let mut bytes = Vec::new();
    first.read_to_end(&mut bytes).unwrap();
    bytes
}

fn refusal(pickle: &[u8]) -> String {
    batch::read(pickle).expect_err("this must be refused")
}

#[test]
fn every_cut_of_a_pickle_is_refused() {
    let whole = pickle();
    assert_eq!(batch::read(&whole).unwrap().1.len(), 4);
    for cut in 0..whole.len() {
        refusal(&whole[..cut]);
    }
}

#[test]
fn no_changed_byte_makes_the_reader_panic() {
    let whole = pickle();
    // All but the pixels, which may be anything.
    let pixels = whole
        .windows(5)
        .position(|bytes| bytes == b"T\0\x30\0\0")
        .unwrap();
    let places = (0..pixels + 9).chain(pixels + 5 + 4 * PIXELS..whole.len());
    for at in places {
        for value in 0..=255 {
            let mut changed = whole.clone();
            changed[at] = value;
            let _ = batch::read(&changed);
        }
    }
}

#[test]
fn a_pickle_that_would_run_code_is_refused_with_its_place() {
    let error = refusal(b"\x80\x02cos\nsystem\nU\x04echo\x85R.");
    assert!(
        error.starts_with("byte 2: ") && error.contains("os.system, which could run code"),
        "{error}"
    );
    for (pickle, expected) in [
        (&b"\x80\x02}."[..], "under the name \"data\""),
        (b"\x80\x02].", "expected a dictionary"),
        (
            b"\x80\x02}(U\x01aK\x01u}(U\x01bK\x01u.",
            "expected one dictionary",
        ),
        (b"\x80\x02]r\xff\xff\xff\x00.", "out of order"),
        (b"\x80\x02i", "nothing was run"),
        (
            b"\x80\x02B\xff\xff\xff\xff",
            "in the middle of an instruction",
        ),
    ] {
        let error = refusal(pickle);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let tuples = [b"\x80\x02)".as_slice(), &[0x85; 100]].concat();
    assert!(refusal(&tuples).contains("tuples"));
}

#[test]
fn an_archive_that_is_damaged_or_lacks_a_part_is_an_error_that_names_it() {
    let folder = std::env::temp_dir().join(format!("dlcore-cifar-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("set.tar.gz");
    let error = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let whole = archive();
    for cut in (0..whole.len() - 1).step_by(97) {
        let error = error(&whole[..cut]);
        assert!(error.contains("set.tar.gz: "), "{error}");
    }
    assert!(error(b"<html>not found</html>").contains("expected a tar archive"));
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&[0; 1024]).unwrap();
    let error = error(&packer.finish().unwrap());
    assert!(
        error.contains("cifar-10-batches-py/data_batch_1 is not in the archive"),
        "{error}"
    );
    fs::remove_dir_all(folder).unwrap();
}

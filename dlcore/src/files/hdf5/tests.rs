//! Reading what h5py writes (`tests/parity/keras_files.py`), and what this library writes.

use super::*;
use crate::DType;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/keras_files/"
    );
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// -1.5, -1.25, … of shape [2, 3, 4].
fn values() -> Tensor {
    Tensor::arange(-6.0, 18.0, 1.0).reshape([2, 3, 4]) / 4.0
}

#[test]
fn every_array_that_h5py_writes_is_read() {
    for name in ["arrays.h5", "arrays_v110.h5"] {
        let bytes = fixture(name);
        let file = File::open(&bytes).unwrap();
        let read = |path: &str| file.tensor(file.root().get(path).expect(path)).expect(path);
        let types = file.root().get("types").unwrap().members().unwrap();
        assert!(types.len() >= 6);
        for (kind, node) in types {
            let tensor = file.tensor(node).expect(kind);
            let expected = match kind.as_bytes()[kind.len() - 2] {
                b'f' => values(),
                b'i' => values().cast(DType::I64),
                _ => values().abs().cast(DType::I64),
            };
            assert_eq!(tensor, expected, "{name}: {kind}");
        }
        for path in ["packed", "chunked", "a/b/c/again"] {
            assert_eq!(read(path), values(), "{name}: {path}");
        }
        assert_eq!(read("bool").sum().item(), 17.0);
        assert_eq!((read("scalar").ndim(), read("scalar").item()), (0, 2.5));
        assert_eq!(read("empty").shape(), [0, 3]);
        assert_eq!(read("unwritten"), Tensor::zeros([2, 2]));
    }
}

#[test]
fn attributes_that_hold_text_are_read() {
    for name in ["arrays.h5", "arrays_v110.h5"] {
        let bytes = fixture(name);
        let file = File::open(&bytes).unwrap();
        let root = file.root();
        assert_eq!(root.text("text"), Some("größer"));
        assert_eq!(root.text("fixed"), Some("fixed"));
        let names = ["a", "bc", ""].map(str::to_string);
        assert_eq!(root.texts("names"), Some(&names[..]));
        assert_eq!(root.texts("number"), None);
        assert_eq!(root.get("a/b/c").unwrap().text("name"), Some("deep"));
        assert!(root.get("a/b/d").is_none() && root.get("scalar/x").is_none());
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut root = Entry::group();
    let types = [DType::U8, DType::I32, DType::I64, DType::F32, DType::F64];
    for (place, dtype) in types.into_iter().enumerate() {
        let tensor = values().abs().cast(dtype);
        root.at("layers/größe/vars")
            .insert(place.to_string(), Entry::Array(tensor));
    }
    root.at("empty")
        .insert("0".to_string(), Entry::Array(Tensor::zeros([0, 2])));
    root.at("")
        .insert("scalar".to_string(), Entry::Array(Tensor::from(3.5)));
    for number in 0..500 {
        let array = Tensor::full([2], f64::from(number));
        root.at("many")
            .insert(number.to_string(), Entry::Array(array));
    }
    let bytes = write(&root);
    let file = File::open(&bytes).unwrap();
    for (place, dtype) in types.into_iter().enumerate() {
        let node = file
            .root()
            .get(&format!("layers/größe/vars/{place}"))
            .unwrap();
        let tensor = file.tensor(node).unwrap();
        assert_eq!(
            (tensor.dtype(), tensor),
            (dtype, values().abs().cast(dtype))
        );
    }
    let many = file.root().get("many").unwrap();
    assert_eq!(many.members().unwrap().len(), 500);
    assert_eq!(
        file.tensor(many.get("499").unwrap()).unwrap().to_vec(),
        [499.0; 2]
    );
    let empty = file.root().get("empty/0").unwrap();
    assert_eq!(file.tensor(empty).unwrap().shape(), [0, 2]);
}

#[test]
fn every_changed_byte_of_a_written_header_is_noticed() {
    let mut root = Entry::group();
    root.at("a/b")
        .insert("0".to_string(), Entry::Array(values()));
    let bytes = write(&root);
    let data = crate::files::numbers::bytes(&values());
    let start = bytes.windows(data.len()).position(|w| w == data).unwrap();
    let read = |bytes: &[u8]| -> Parsed<Tensor> {
        let file = File::open(bytes)?;
        let node = file.root().get("a/b/0").ok_or("gone")?;
        file.tensor(node)
    };
    assert_eq!(read(&bytes).unwrap(), values());
    for at in (0..bytes.len()).filter(|at| !(start..start + data.len()).contains(at)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        match read(&changed) {
            Ok(tensor) => assert_eq!(tensor, values(), "byte {at}"),
            Err(error) => assert!(error.contains("byte") || error.contains("HDF5"), "{error}"),
        }
        if at > 0 {
            assert!(read(&bytes[..at]).is_err());
        }
    }
}

#[test]
fn links_in_a_circle_and_arrays_without_end_are_refused() {
    // A group that holds itself: the address of the array in it is that of the root.
    let mut root = Entry::group();
    root.at("").insert("x".to_string(), Entry::Array(values()));
    let mut bytes = write(&root);
    let root_at = u64::from_le_bytes(bytes[36..44].try_into().unwrap());
    let link = bytes.len() - 12;
    bytes[link..link + 8].copy_from_slice(&root_at.to_le_bytes());
    let start = root_at as usize;
    let sum = checksum::lookup3(&bytes[start..bytes.len() - 4]);
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    let error = File::open(&bytes).err().unwrap();
    assert!(
        error.contains("deep in one another") || error.contains("circles"),
        "{error}"
    );
    // An array that was never written, of more elements than there is memory: 0s would be made.
    let mut huge = fixture("arrays.h5");
    let shape: Vec<u8> = [2_u64, 2].iter().flat_map(|n| n.to_le_bytes()).collect();
    let large: Vec<u8> = [1_u64 << 20, 1 << 20]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let places: Vec<usize> = (0..huge.len() - 16)
        .filter(|&at| huge[at..at + 16] == shape[..])
        .collect();
    assert!(!places.is_empty());
    for at in places {
        huge[at..at + 16].copy_from_slice(&large);
    }
    let file = File::open(&huge).unwrap();
    let error = file
        .tensor(file.root().get("unwritten").unwrap())
        .unwrap_err();
    assert!(error.contains("made to fill the memory"), "{error}");
}

//! Numbers as bytes, of every size and order that files have.

use crate::Tensor;
use crate::config::Parsed;
use crate::tensor::{Array, Element, Storage, with_slice};

/// A type of numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) class: Class,
    /// The bytes of one.
    pub(crate) size: usize,
    /// Whether the highest byte comes first.
    pub(crate) big: bool,
}

/// What the bytes mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// The upper half of an `f32`.
    Brain,
}

impl Kind {
    pub(crate) fn new(class: Class, size: usize, big: bool) -> Kind {
        Kind { class, size, big }
    }

    pub(crate) fn float(size: usize, big: bool) -> Kind {
        Self::new(Class::Float, size, big)
    }

    pub(crate) fn integer(size: usize, big: bool, signed: bool) -> Kind {
        match signed {
            true => Self::new(Class::Signed, size, big),
            false => Self::new(Class::Unsigned, size, big),
        }
    }
}

/// A tensor of numbers that stand one after the other. Halves become `F32`, small integers `I32`, and
/// unsigned ones of four bytes or more `I64`.
pub(crate) fn tensor(shape: &[usize], bytes: &[u8], kind: Kind) -> Parsed<Tensor> {
    let axes = shape.iter().copied();
    let count = axes.clone().try_fold(1_usize, usize::checked_mul);
    if count.and_then(|count| count.checked_mul(kind.size)) != Some(bytes.len()) {
        return Err(format!(
            "shape {shape:?} of elements of {} bytes does not fit {} bytes",
            kind.size,
            bytes.len()
        ));
    }
    let big = kind.big;
    Ok(match (kind.class, kind.size) {
        (Class::Bool, 1) => of(shape, bytes, big, |[byte]| byte != 0),
        (Class::Unsigned, 1) => of(shape, bytes, big, |[byte]| byte),
        (Class::Unsigned, 2) => of(shape, bytes, big, |b| i32::from(u16::from_le_bytes(b))),
        (Class::Unsigned, 4) => of(shape, bytes, big, |b| i64::from(u32::from_le_bytes(b))),
        (Class::Unsigned, 8) => {
            let highest = if big { 0 } else { 7 };
            if bytes.chunks(8).any(|number| number[highest] >= 0x80) {
                return Err("holds whole numbers beyond 2⁶³, which no tensor has".to_string());
            }
            of(shape, bytes, big, i64::from_le_bytes)
        }
        (Class::Signed, 1) => of(shape, bytes, big, |[byte]| i32::from(byte as i8)),
        (Class::Signed, 2) => of(shape, bytes, big, |b| i32::from(i16::from_le_bytes(b))),
        (Class::Signed, 4) => of(shape, bytes, big, i32::from_le_bytes),
        (Class::Signed, 8) => of(shape, bytes, big, i64::from_le_bytes),
        (Class::Float, 2) => of(shape, bytes, big, |b| half(u16::from_le_bytes(b))),
        (Class::Float, 4) => of(shape, bytes, big, f32::from_le_bytes),
        (Class::Float, 8) => of(shape, bytes, big, f64::from_le_bytes),
        (Class::Brain, 2) => of(shape, bytes, big, |[low, high]| {
            f32::from_le_bytes([0, 0, low, high])
        }),
        (class, size) => return Err(format!("holds {class:?} numbers of {size} bytes")),
    })
}

fn of<T: Element, const N: usize>(
    shape: &[usize],
    bytes: &[u8],
    big: bool,
    convert: impl Fn([u8; N]) -> T,
) -> Tensor {
    let (chunks, _) = bytes.as_chunks::<N>();
    let value = |&chunk: &[u8; N]| {
        let mut chunk = chunk;
        if big {
            chunk.reverse();
        }
        convert(chunk)
    };
    Tensor::from_values(shape, chunks.iter().map(value).collect())
}

/// IEEE's half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(bits & 0x3ff);
    sign * match bits >> 10 & 0x1f {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2.0_f32.powi(i32::from(exponent) - 25),
    }
}

/// The elements of a tensor as bytes, in row-major order, the lowest byte first.
pub(crate) fn bytes(tensor: &Tensor) -> Vec<u8> {
    fn of<T: Element, const N: usize>(array: &Array<T>, convert: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        with_slice(array, |values| {
            values.iter().flat_map(|&value| convert(value)).collect()
        })
    }
    match tensor.to_dense().storage() {
        Storage::Bool(array) => of(array, |v| [u8::from(v)]),
        Storage::U8(array) => of(array, |v| [v]),
        Storage::I32(array) => of(array, i32::to_le_bytes),
        Storage::I64(array) => of(array, i64::to_le_bytes),
        Storage::F32(array) => of(array, f32::to_le_bytes),
        Storage::F64(array) => of(array, f64::to_le_bytes),
        Storage::Sparse(_) | Storage::Cuda(_) => unreachable!("made dense, and here, above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_ieee() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x03ff, 1023.0 * 2.0_f32.powi(-24)),
            (0x0400, 2.0_f32.powi(-14)),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn every_order_of_bytes_is_read() {
        let kind = Kind::integer(2, true, true);
        assert_eq!(
            tensor(&[2], &[0, 1, 255, 254], kind).unwrap().to_vec(),
            [1.0, -2.0]
        );
        let brain = Kind::new(Class::Brain, 2, false);
        assert_eq!(tensor(&[1], &[0x80, 0x3f], brain).unwrap().to_vec(), [1.0]);
        let wide = Kind::integer(8, false, false);
        let error = tensor(&[1], &[255; 8], wide).unwrap_err();
        assert!(error.contains("beyond 2⁶³"), "{error}");
        assert!(tensor(&[3], &[0; 8], wide).is_err());
    }
}

//! Types and shapes of arrays, and text.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Source;
use super::bytes::{Bytes, text};
use crate::config::Parsed;

/// The objects of a global heap by their numbers.
pub(super) type Heap<'a> = BTreeMap<u32, &'a [u8]>;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Type {
    Float {
        size: usize,
        big: bool,
    },
    Integer {
        size: usize,
        big: bool,
        signed: bool,
    },
    /// Text of a fixed number of bytes.
    Text {
        size: usize,
    },
    /// Text that lies elsewhere.
    FreeText,
    /// What no array of numbers has.
    Other {
        class: u8,
        size: usize,
    },
}

impl Type {
    pub(super) fn read(body: &mut Bytes<'_>) -> Parsed<Type> {
        let class = body.u8()? & 0x0f;
        let bits = body.number(3)?;
        let size = body.u32()? as usize;
        let big = bits & 1 != 0;
        Ok(match class {
            0 => Type::Integer {
                size,
                big,
                signed: bits & 8 != 0,
            },
            1 => {
                // The places of exponent and mantissa, which tell IEEE's numbers from others of their size.
                body.skip(4)?;
                let places = [body.u8()?, body.u8()?, body.u8()?, body.u8()?];
                let ieee = match size {
                    2 => [10, 5, 0, 10],
                    4 => [23, 8, 0, 23],
                    8 => [52, 11, 0, 52],
                    _ => [0; 4],
                };
                match places == ieee && bits & 0x40 == 0 {
                    true => Type::Float { size, big },
                    false => Type::Other { class, size },
                }
            }
            3 => Type::Text { size },
            // Python's booleans are an enumeration of 0 and 1.
            8 => Type::read(body)?,
            9 if bits & 0x0f == 1 => Type::FreeText,
            _ => Type::Other { class, size },
        })
    }

    /// The bytes of an element.
    pub(super) fn size(&self) -> usize {
        match *self {
            Type::Float { size, .. }
            | Type::Integer { size, .. }
            | Type::Text { size }
            | Type::Other { size, .. } => size,
            Type::FreeText => 16,
        }
    }
}

/// The lengths of an array's axes.
pub(super) struct Shape(pub(super) Vec<usize>);

impl Shape {
    pub(super) fn read(body: &mut Bytes<'_>) -> Parsed<Shape> {
        let version = body.u8()?;
        let rank = usize::from(body.u8()?);
        body.skip(1)?;
        let kind = match version {
            1 => {
                body.skip(5)?;
                1
            }
            2 => body.u8()?,
            other => return Err(body.unknown("a dataspace of version", other)),
        };
        if rank > 32 {
            return Err(body.error(format!("an array of {rank} axes")));
        }
        if kind == 2 {
            return Ok(Shape(vec![0]));
        }
        let axes: Parsed<Vec<usize>> = (0..rank).map(|_| body.size()).collect();
        Ok(Shape(axes?))
    }

    /// The number of elements.
    pub(super) fn count(&self) -> Option<usize> {
        let axes = self.0.iter();
        axes.copied().try_fold(1, usize::checked_mul)
    }
}

/// The texts of an attribute; none if it holds something else.
pub(super) fn strings(
    source: &Source<'_>,
    kind: &Type,
    shape: &Shape,
    mut body: Bytes<'_>,
) -> Parsed<Option<Vec<String>>> {
    let count = shape.count();
    let bytes = count.and_then(|count| count.checked_mul(kind.size()));
    let (Some(count), Some(bytes)) = (count, bytes) else {
        return Err(body.error(format!("shape {:?} is beyond any memory", shape.0)));
    };
    let mut data = body.part(bytes)?;
    let mut texts = Vec::new();
    match *kind {
        Type::Text { size } => {
            for _ in 0..if size == 0 { 0 } else { count } {
                texts.push(data.text(size)?);
            }
        }
        Type::FreeText => {
            for _ in 0..count {
                source.step()?;
                texts.push(free_text(source, &mut data)?);
            }
        }
        // Keras writes an empty list of names as an empty array of numbers.
        Type::Float { .. } if count == 0 => {}
        _ => return Ok(None),
    }
    Ok(Some(texts))
}

/// Text in a global heap: its length, the heap's address, its number there.
fn free_text(source: &Source<'_>, place: &mut Bytes<'_>) -> Parsed<String> {
    let length = place.u32()? as usize;
    let address = place.u64()?;
    let number = place.u32()?;
    if length == 0 {
        return Ok(String::new());
    }
    let mut heaps = source.heaps.borrow_mut();
    let heap = match heaps.entry(address) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(heap(source, address)?),
    };
    let Some(content) = heap.get(&number) else {
        return Err(place.error(format!(
            "a text has the number {number} in the heap at {address}, which is not there"
        )));
    };
    let content = &content[..length.min(content.len())];
    source.room.take(content.len() as u64)?;
    text(content).map_err(|error| place.error(error))
}

/// The objects of a global heap by their numbers.
fn heap<'a>(source: &Source<'a>, address: u64) -> Parsed<Heap<'a>> {
    let mut heap = source.at(address, "a text")?;
    heap.signature(b"GCOL")?;
    heap.skip(4)?;
    let size = heap.size()?.saturating_sub(16);
    let mut heap = heap.part(size)?;
    let mut objects = Heap::new();
    while heap.left() >= 16 {
        source.step()?;
        let number = u32::from(heap.u16()?);
        heap.skip(6)?;
        let size = heap.size()?;
        // Number 0 is what is free, up to the end.
        if number == 0 {
            break;
        }
        objects.insert(number, heap.take(size)?);
        heap.skip((size.wrapping_neg() % 8).min(heap.left()))?;
    }
    Ok(objects)
}

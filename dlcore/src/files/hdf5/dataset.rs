//! Arrays of numbers.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::Source;
use super::bytes::{Bytes, NOWHERE};
use super::headers::{DATASPACE, DATATYPE, FILTERS, LAYOUT, Message};
use super::types::{Shape, Type};
use crate::Tensor;
use crate::config::Parsed;
use crate::files::numbers::{self, Kind};

const HIGHEST: u8 = 16;

/// An array that is not read yet.
pub(super) struct Dataset<'a> {
    kind: Type,
    shape: Vec<usize>,
    layout: Layout<'a>,
    filters: Vec<Filter>,
    /// Where the file speaks of it.
    place: usize,
}

/// Where its elements are.
enum Layout<'a> {
    Here(&'a [u8]),
    There {
        address: u64,
        size: usize,
    },
    Chunks {
        tree: u64,
        chunk: Vec<usize>,
    },
    One {
        address: u64,
        size: usize,
        chunk: Vec<usize>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Filter {
    Deflate,
    Shuffle,
}

impl<'a> Dataset<'a> {
    /// The array that these messages describe; none if they describe a group.
    pub(super) fn of(messages: &[Message<'a>]) -> Parsed<Option<Dataset<'a>>> {
        let body = |kind: u16| {
            let message = messages.iter().find(|message| message.kind == kind);
            message.map(|message| message.body.clone())
        };
        let (Some(mut kind), Some(mut shape), Some(layout)) =
            (body(DATATYPE), body(DATASPACE), body(LAYOUT))
        else {
            return Ok(None);
        };
        let place = kind.place();
        let kind = Type::read(&mut kind)?;
        let shape = Shape::read(&mut shape)?.0;
        Ok(Some(Dataset {
            layout: Layout::read(layout, shape.len(), kind.size())?,
            filters: body(FILTERS).map_or(Ok(Vec::new()), filters)?,
            kind,
            shape,
            place,
        }))
    }

    pub(super) fn read(&self, source: &Source<'_>) -> Parsed<Tensor> {
        let failed = |error: String| format!("byte {}: {error}", self.place);
        let kind = self.number().map_err(failed)?;
        // A small element becomes a larger one.
        let count = source.room.take_array(&self.shape, 8).map_err(failed)?;
        let bytes = self.bytes(source, count * kind.size)?;
        numbers::tensor(&self.shape, &bytes, kind).map_err(failed)
    }

    fn number(&self) -> Parsed<Kind> {
        match self.kind {
            Type::Float { size, big } => Ok(Kind::float(size, big)),
            Type::Integer { size, big, signed } if [1, 2, 4, 8].contains(&size) => {
                Ok(Kind::integer(size, big, signed))
            }
            other => Err(format!("expected an array of numbers, found {other:?}")),
        }
    }

    /// The elements' bytes, of which there are to be so many.
    fn bytes(&self, source: &Source<'_>, length: usize) -> Parsed<Vec<u8>> {
        let wrong = |found: usize| {
            format!(
                "byte {}: an array of shape {:?} needs {length} bytes, found {found}",
                self.place, self.shape
            )
        };
        match &self.layout {
            Layout::Here(bytes) if bytes.len() == length => Ok(bytes.to_vec()),
            Layout::Here(bytes) => Err(wrong(bytes.len())),
            // Nothing was ever written: all elements are 0.
            Layout::There { address, .. } if *address == NOWHERE => Ok(vec![0; length]),
            Layout::There { size, .. } if *size != length => Err(wrong(*size)),
            Layout::There { address, size } => {
                Ok(source.at(*address, "an array")?.take(*size)?.to_vec())
            }
            Layout::Chunks { tree, .. } if *tree == NOWHERE => Ok(vec![0; length]),
            Layout::Chunks { tree, chunk } => {
                let mut all = vec![0; length];
                self.tree(source, *tree, HIGHEST, chunk, &mut all)?;
                Ok(all)
            }
            Layout::One {
                address,
                size,
                chunk,
            } => {
                let mut all = vec![0; length];
                if *address != NOWHERE {
                    let stored = source.at(*address, "a part of an array")?.take(*size)?;
                    let start = vec![0; chunk.len()];
                    self.place_chunk(source, stored, 0, chunk, &start, &mut all)?;
                }
                Ok(all)
            }
        }
    }

    /// The chunks below a node of a B-tree of version 1.
    fn tree(
        &self,
        source: &Source<'_>,
        address: u64,
        height: u8,
        chunk: &[usize],
        all: &mut [u8],
    ) -> Parsed<()> {
        source.step()?;
        let mut node = source.at(address, "the parts of an array")?;
        node.signature(b"TREE")?;
        let kind = node.u8()?;
        let level = node.u8()?;
        if kind != 1 || level >= height {
            return Err(node.error("expected a tree of an array's parts; the file is damaged"));
        }
        let count = node.u16()?;
        node.skip(16)?;
        for _ in 0..count {
            let size = node.u32()? as usize;
            let skipped = node.u32()?;
            let start: Parsed<Vec<usize>> = chunk.iter().map(|_| node.size()).collect();
            node.skip(8)?;
            let child = node.u64()?;
            match level {
                0 => {
                    source.step()?;
                    let stored = source.at(child, "a part of an array")?.take(size)?;
                    self.place_chunk(source, stored, skipped, chunk, &start?, all)?;
                }
                _ => self.tree(source, child, level, chunk, all)?,
            }
        }
        Ok(())
    }

    /// Unpacks one chunk and puts its rows where they belong; what lies over an edge is left out.
    fn place_chunk(
        &self,
        source: &Source<'_>,
        stored: &[u8],
        skipped: u32,
        chunk: &[usize],
        start: &[usize],
        all: &mut [u8],
    ) -> Parsed<()> {
        let element = self.kind.size();
        let failed = |error: String| format!("byte {}: {error}", self.place);
        let length = element * source.room.take_array(chunk, element).map_err(failed)?;
        let bytes = self.unpack(stored, skipped, length).map_err(failed)?;
        let axes = chunk.iter().zip(start).zip(&self.shape);
        let extent: Option<Vec<usize>> = axes
            .map(|((&chunk, &start), &axis)| Some(axis.checked_sub(start)?.min(chunk)))
            .collect();
        let Some(extent) = extent else {
            return Err(failed(format!("a part begins at {start:?}, outside of it")));
        };
        let Some((&row, outer)) = extent.split_last() else {
            all.copy_from_slice(&bytes);
            return Ok(());
        };
        let rows: usize = outer.iter().product();
        let row = if rows == 0 { 0 } else { row * element };
        for number in 0..rows {
            let (mut from, mut to) = (0, 0);
            let mut rest = number;
            let mut strides = (chunk[outer.len()], self.shape[outer.len()]);
            to += start[outer.len()];
            for axis in (0..outer.len()).rev() {
                let place = rest % outer[axis];
                rest /= outer[axis];
                from += place * strides.0;
                to += (start[axis] + place) * strides.1;
                strides = (strides.0 * chunk[axis], strides.1 * self.shape[axis]);
            }
            let (from, to) = (from * element, to * element);
            all[to..to + row].copy_from_slice(&bytes[from..from + row]);
        }
        Ok(())
    }

    fn unpack(&self, stored: &[u8], skipped: u32, length: usize) -> Parsed<Vec<u8>> {
        let mut bytes = stored.to_vec();
        for (place, filter) in self.filters.iter().enumerate().rev() {
            if skipped >> place & 1 != 0 {
                continue;
            }
            bytes = match filter {
                Filter::Shuffle => unshuffled(&bytes, self.kind.size()),
                Filter::Deflate => {
                    let mut unpacked = Vec::new();
                    let reader = ZlibDecoder::new(&bytes[..]);
                    let read = reader.take(length as u64 + 1).read_to_end(&mut unpacked);
                    read.map_err(|error| format!("a part of it is damaged: {error}"))?;
                    unpacked
                }
            };
        }
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(format!(
                "a part of it is damaged: expected {length} bytes, found {}{}",
                bytes.len(),
                if bytes.len() > length { " or more" } else { "" }
            )),
        }
    }
}

/// The first bytes of all elements come first, then the second ones …: put together again.
fn unshuffled(bytes: &[u8], size: usize) -> Vec<u8> {
    let count = bytes.len() / size.max(1);
    let mut whole = vec![0; bytes.len()];
    for place in 0..size {
        for element in 0..count {
            whole[element * size + place] = bytes[place * count + element];
        }
    }
    // What is left over by a length that is no multiple stays at the end.
    whole[count * size..].copy_from_slice(&bytes[count * size..]);
    whole
}

impl<'a> Layout<'a> {
    fn read(mut body: Bytes<'a>, rank: usize, element: usize) -> Parsed<Layout<'a>> {
        let version = body.u8()?;
        if !(3..=4).contains(&version) {
            return Err(body.unknown("an array layout of version", version));
        }
        match (body.u8()?, version) {
            (0, _) => {
                let size = usize::from(body.u16()?);
                Ok(Layout::Here(body.take(size)?))
            }
            (1, _) => Ok(Layout::There {
                address: body.u64()?,
                size: body.size()?,
            }),
            (2, 3) => {
                let axes = usize::from(body.u8()?);
                let tree = body.u64()?;
                let chunk = chunk(&mut body, axes, 4, rank, element)?;
                Ok(Layout::Chunks { tree, chunk })
            }
            (2, _) => Self::newer_chunks(body, rank, element),
            (other, _) => Err(body.unknown("an array layout of kind", other)),
        }
    }

    /// Version 4; only arrays of one chunk are known.
    fn newer_chunks(mut body: Bytes<'a>, rank: usize, element: usize) -> Parsed<Layout<'a>> {
        let flags = body.u8()?;
        let axes = usize::from(body.u8()?);
        let width = usize::from(body.u8()?);
        if !(1..=8).contains(&width) {
            return Err(body.error(format!("lengths of {width} bytes")));
        }
        let chunk = chunk(&mut body, axes, width, rank, element)?;
        let index = body.u8()?;
        if index != 1 {
            return Err(body.unknown("an index of an array's parts of kind", index));
        }
        let size = match flags & 2 {
            0 => element * chunk.iter().product::<usize>(),
            _ => {
                let size = body.size()?;
                body.skip(4)?;
                size
            }
        };
        Ok(Layout::One {
            address: body.u64()?,
            size,
            chunk,
        })
    }
}

/// The lengths of a chunk's axes, after which the element's size is listed.
fn chunk(
    body: &mut Bytes<'_>,
    axes: usize,
    width: usize,
    rank: usize,
    element: usize,
) -> Parsed<Vec<usize>> {
    let lengths: Parsed<Vec<u64>> = (0..axes).map(|_| body.number(width)).collect();
    let mut lengths = lengths?;
    let size = lengths.pop();
    let fits = lengths.len() == rank && size == Some(element as u64);
    let count = lengths.iter().try_fold(element, |n, &axis| {
        n.checked_mul(usize::try_from(axis).ok()?)
    });
    if !fits || count.is_none_or(|count| count == 0) {
        return Err(body.error(format!(
            "parts of {lengths:?} elements of {size:?} bytes do not fit an array of {rank} axes"
        )));
    }
    Ok(lengths.iter().map(|&axis| axis as usize).collect())
}

fn filters(mut body: Bytes<'_>) -> Parsed<Vec<Filter>> {
    let version = body.u8()?;
    if !(1..=2).contains(&version) {
        return Err(body.unknown("filters of version", version));
    }
    let count = body.u8()?;
    body.skip(if version == 1 { 6 } else { 0 })?;
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = body.u16()?;
        let name = match version == 1 || id >= 256 {
            true => usize::from(body.u16()?),
            false => 0,
        };
        body.skip(2)?;
        let values = usize::from(body.u16()?);
        body.skip(match version {
            1 => name.next_multiple_of(8),
            _ => name,
        })?;
        body.skip(
            4 * values
                + if version == 1 && values % 2 == 1 {
                    4
                } else {
                    0
                },
        )?;
        filters.push(match id {
            1 => Filter::Deflate,
            2 => Filter::Shuffle,
            other => return Err(body.unknown("a filter of number", other)),
        });
    }
    Ok(filters)
}

//! Object headers: the messages that say what an object is.

use std::collections::BTreeMap;

use super::Source;
use super::bytes::{Bytes, NOWHERE};
use super::types::{Shape, Type, strings};
use crate::config::Parsed;

pub(super) const DATASPACE: u16 = 0x01;
pub(super) const LINK_INFO: u16 = 0x02;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const LINK: u16 = 0x06;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const FILTERS: u16 = 0x0b;
const ATTRIBUTE: u16 = 0x0c;
const CONTINUATION: u16 = 0x10;
pub(super) const SYMBOL_TABLE: u16 = 0x11;
const ATTRIBUTE_INFO: u16 = 0x15;

/// One thing that is said of an object.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) body: Bytes<'a>,
}

/// The messages of the object whose header is at an address.
pub(super) fn messages<'a>(source: &Source<'a>, address: u64) -> Parsed<Vec<Message<'a>>> {
    let mut header = source.at(address, "an object")?;
    let start = header.place();
    let mut messages = Vec::new();
    let mut blocks: Vec<(u64, usize)> = Vec::new();
    if header.clone().take(4)? == b"OHDR" {
        let (size, ordered) = newer(&mut header)?;
        let block = header.part(size)?;
        header.checksum(start)?;
        newer_block(source, block, ordered, &mut messages, &mut blocks)?;
        while let Some((address, size)) = blocks.pop() {
            source.step()?;
            let mut block = source.at(address, "the rest of a header")?;
            let start = block.place();
            block.signature(b"OCHK")?;
            let content = size.checked_sub(8);
            let content =
                content.ok_or_else(|| block.error("the rest of a header is too short"))?;
            let part = block.part(content)?;
            block.checksum(start)?;
            newer_block(source, part, ordered, &mut messages, &mut blocks)?;
        }
        return Ok(messages);
    }
    let version = header.u8()?;
    if version != 1 {
        return Err(format!(
            "byte {start}: expected an object's header, found none; the file is damaged"
        ));
    }
    header.skip(7)?;
    let size = header.u32()? as usize;
    header.skip(4)?;
    older_block(source, header.part(size)?, &mut messages, &mut blocks)?;
    while let Some((address, size)) = blocks.pop() {
        source.step()?;
        let mut block = source.at(address, "the rest of a header")?;
        older_block(source, block.part(size)?, &mut messages, &mut blocks)?;
    }
    Ok(messages)
}

/// The size of the first block of a header of version 2, and whether messages have a creation order.
fn newer(header: &mut Bytes<'_>) -> Parsed<(usize, bool)> {
    header.signature(b"OHDR")?;
    let version = header.u8()?;
    if version != 2 {
        return Err(header.unknown("an object header of version", version));
    }
    let flags = header.u8()?;
    header.skip(if flags & 0x20 != 0 { 16 } else { 0 })?;
    header.skip(if flags & 0x10 != 0 { 4 } else { 0 })?;
    let size = header.number(1 << (flags & 3))?;
    let size = usize::try_from(size).map_err(|_| header.error("a header of impossible size"))?;
    Ok((size, flags & 0x04 != 0))
}

fn newer_block<'a>(
    source: &Source<'a>,
    mut block: Bytes<'a>,
    ordered: bool,
    messages: &mut Vec<Message<'a>>,
    blocks: &mut Vec<(u64, usize)>,
) -> Parsed<()> {
    let head = if ordered { 6 } else { 4 };
    // What is shorter than a message's head is a gap.
    while block.left() >= head {
        source.step()?;
        let kind = u16::from(block.u8()?);
        let size = usize::from(block.u16()?);
        let flags = block.u8()?;
        block.skip(if ordered { 2 } else { 0 })?;
        note(kind, flags, block.part(size)?, messages, blocks)?;
    }
    Ok(())
}

fn older_block<'a>(
    source: &Source<'a>,
    mut block: Bytes<'a>,
    messages: &mut Vec<Message<'a>>,
    blocks: &mut Vec<(u64, usize)>,
) -> Parsed<()> {
    while block.left() >= 8 {
        source.step()?;
        let kind = block.u16()?;
        let size = usize::from(block.u16()?);
        let flags = block.u8()?;
        block.skip(3)?;
        note(kind, flags, block.part(size)?, messages, blocks)?;
    }
    Ok(())
}

fn note<'a>(
    kind: u16,
    flags: u8,
    mut body: Bytes<'a>,
    messages: &mut Vec<Message<'a>>,
    blocks: &mut Vec<(u64, usize)>,
) -> Parsed<()> {
    const SHARED: u8 = 2;
    match kind {
        CONTINUATION => blocks.push((body.u64()?, body.size()?)),
        DATASPACE | DATATYPE | FILTERS | ATTRIBUTE if flags & SHARED != 0 => {
            return Err(body.unknown("a shared message of kind", kind));
        }
        _ => messages.push(Message { kind, body }),
    }
    Ok(())
}

/// The attributes that hold text; others are not looked at.
pub(super) fn attributes(
    source: &Source<'_>,
    messages: &[Message<'_>],
) -> Parsed<BTreeMap<String, Vec<String>>> {
    let mut attributes = BTreeMap::new();
    for message in messages {
        let mut body = message.body.clone();
        match message.kind {
            ATTRIBUTE => {
                if let Some((name, texts)) = attribute(source, body)? {
                    attributes.insert(name, texts);
                }
            }
            ATTRIBUTE_INFO => {
                body.skip(1)?;
                let flags = body.u8()?;
                body.skip(if flags & 1 != 0 { 2 } else { 0 })?;
                if body.u64()? != NOWHERE {
                    return Err(body.unknown("attributes in", "dense storage"));
                }
            }
            _ => {}
        }
    }
    Ok(attributes)
}

fn attribute(source: &Source<'_>, mut body: Bytes<'_>) -> Parsed<Option<(String, Vec<String>)>> {
    let version = body.u8()?;
    if !(1..=3).contains(&version) {
        return Err(body.unknown("an attribute of version", version));
    }
    let flags = body.u8()?;
    let sizes = [body.u16()?, body.u16()?, body.u16()?].map(usize::from);
    // Version 1 fills each part up to a multiple of 8.
    let [name, kind, shape] = match version {
        1 => sizes.map(|size| size.next_multiple_of(8)),
        _ => sizes,
    };
    body.skip(usize::from(version == 3))?;
    let name = body.text(name)?;
    let failed = |error: String| format!("attribute {name:?}: {error}");
    if version > 1 && flags & 3 != 0 {
        return Err(failed(body.unknown("a type that is", "shared")));
    }
    let kind = Type::read(&mut body.part(kind)?).map_err(failed)?;
    let shape = Shape::read(&mut body.part(shape)?).map_err(failed)?;
    let texts = strings(source, &kind, &shape, body).map_err(failed)?;
    Ok(texts.map(|texts| (name, texts)))
}

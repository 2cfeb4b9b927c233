//! The members of a group.

use super::Source;
use super::bytes::{Bytes, NOWHERE};
use super::headers::{LINK, LINK_INFO, Message, SYMBOL_TABLE};
use crate::config::Parsed;

/// Trees within trees: no group has so many members that it needs more.
const HIGHEST: u8 = 16;

/// Names and addresses of a group's members.
pub(super) fn links(source: &Source<'_>, messages: &[Message<'_>]) -> Parsed<Vec<(String, u64)>> {
    let mut links = Vec::new();
    for message in messages {
        let mut body = message.body.clone();
        match message.kind {
            SYMBOL_TABLE => {
                let (tree, heap) = (body.u64()?, body.u64()?);
                let names = names(source, heap)?;
                table(source, tree, HIGHEST, &names, &mut links)?;
            }
            LINK => links.extend(link(body)?),
            LINK_INFO => {
                body.skip(1)?;
                let flags = body.u8()?;
                body.skip(if flags & 1 != 0 { 8 } else { 0 })?;
                if body.u64()? != NOWHERE {
                    return Err(body.unknown("links in", "dense storage"));
                }
            }
            _ => {}
        }
    }
    Ok(links)
}

/// The local heap that holds a group's names.
fn names<'a>(source: &Source<'a>, address: u64) -> Parsed<Bytes<'a>> {
    let mut heap = source.at(address, "the names of a group")?;
    heap.signature(b"HEAP")?;
    heap.skip(4)?;
    let size = heap.size()?;
    heap.skip(8)?;
    let address = heap.u64()?;
    source.at(address, "the names of a group")?.part(size)
}

/// The entries below a node of a B-tree of version 1.
fn table(
    source: &Source<'_>,
    address: u64,
    height: u8,
    names: &Bytes<'_>,
    links: &mut Vec<(String, u64)>,
) -> Parsed<()> {
    source.step()?;
    let mut node = source.at(address, "the members of a group")?;
    if node.clone().take(4)? == b"SNOD" {
        return entries(source, node, names, links);
    }
    node.signature(b"TREE")?;
    let kind = node.u8()?;
    let level = node.u8()?;
    if kind != 0 || level >= height {
        return Err(node.error("expected a tree of names; the file is damaged"));
    }
    let count = node.u16()?;
    node.skip(24)?;
    for _ in 0..count {
        let child = node.u64()?;
        table(source, child, level, names, links)?;
        node.skip(8)?;
    }
    Ok(())
}

fn entries(
    source: &Source<'_>,
    mut node: Bytes<'_>,
    names: &Bytes<'_>,
    links: &mut Vec<(String, u64)>,
) -> Parsed<()> {
    node.skip(6)?;
    for _ in 0..node.u16()? {
        source.step()?;
        let name = node.size()?;
        let address = node.u64()?;
        let kind = node.u32()?;
        node.skip(20)?;
        // A symbolic link; what it names is a member elsewhere.
        if kind == 2 {
            continue;
        }
        let mut at = names.clone();
        at.skip(name)?;
        links.push((at.zero_ended()?, address));
    }
    Ok(())
}

/// A link message; none for what links to other files or by name.
fn link(mut body: Bytes<'_>) -> Parsed<Option<(String, u64)>> {
    let version = body.u8()?;
    if version != 1 {
        return Err(body.unknown("a link of version", version));
    }
    let flags = body.u8()?;
    let kind = match flags & 0x08 {
        0 => 0,
        _ => body.u8()?,
    };
    body.skip(if flags & 0x04 != 0 { 8 } else { 0 })?;
    body.skip(if flags & 0x10 != 0 { 1 } else { 0 })?;
    let length = body.number(1 << (flags & 3))?;
    let length = usize::try_from(length).map_err(|_| body.error("a name of impossible length"))?;
    let name = body.text(length)?;
    match kind {
        0 => Ok(Some((name, body.u64()?))),
        _ => Ok(None),
    }
}

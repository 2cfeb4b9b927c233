//! The part of HDF5 that Keras's files use.
//!
//! Read are superblocks of version 0 to 3, groups as symbol tables and as compact links, contiguous, compact
//! and chunked arrays of numbers (deflate and shuffle), and attributes that hold text. Written are
//! groups of contiguous arrays. The format is that of The HDF Group's *HDF5 File Format
//! Specification*, version 3.0. The crates that read all of it are larger than this library.
//!
//! A file is not trusted: every address and length is checked against the file's own size, objects are
//! counted against it (so that links in a circle end), what arrays take is bounded by a
//! [`Room`](super::room::Room), and each error says at which byte.

mod bytes;
mod checksum;
mod dataset;
mod groups;
mod headers;
#[cfg(test)]
mod tests;
mod types;
mod write;

pub(crate) use write::{Entry, write};

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use self::bytes::Bytes;
use self::dataset::Dataset;
use self::types::Heap;
use super::room::Room;
use crate::Tensor;
use crate::config::Parsed;

/// What an HDF5 file begins with.
pub(crate) const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Groups within groups within …: no file goes deeper.
const DEEPEST: usize = 64;

/// What is known while a file is read.
struct Source<'a> {
    /// The file from its base address on.
    bytes: &'a [u8],
    room: Room,
    /// How many messages, links and nodes of trees may still be read: each takes 8 bytes at least.
    steps: Cell<usize>,
    /// The heaps that texts lie in, by their addresses.
    heaps: RefCell<BTreeMap<u64, Heap<'a>>>,
}

impl<'a> Source<'a> {
    fn at(&self, address: u64, what: &str) -> Parsed<Bytes<'a>> {
        Bytes::at(self.bytes, address, what)
    }

    fn step(&self) -> Parsed<()> {
        match self.steps.get().checked_sub(1) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err("its links and trees lead in circles".to_string()),
        }
    }
}

/// A group or an array, with its attributes.
pub(crate) struct Node<'a> {
    attributes: BTreeMap<String, Vec<String>>,
    content: Content<'a>,
}

enum Content<'a> {
    Group(BTreeMap<String, Node<'a>>),
    Dataset(Dataset<'a>),
}

/// An open file.
pub(crate) struct File<'a> {
    source: Source<'a>,
    root: Node<'a>,
}

impl<'a> File<'a> {
    /// Reads the groups of a file; its arrays are read when they are asked for.
    pub(crate) fn open(bytes: &'a [u8]) -> Parsed<File<'a>> {
        let start = bytes::superblock(bytes)?;
        let source = Source {
            bytes: &bytes[start.base..],
            room: Room::of(bytes.len() as u64),
            steps: Cell::new(bytes.len() / 8 + 64),
            heaps: RefCell::default(),
        };
        let root = node(&source, start.root, 0)?;
        Ok(File { source, root })
    }

    /// The outermost group.
    pub(crate) fn root(&self) -> &Node<'a> {
        &self.root
    }

    /// The numbers of an array. Halves and small integers become `F32` and `I32`.
    pub(crate) fn tensor(&self, node: &Node<'_>) -> Parsed<Tensor> {
        match &node.content {
            Content::Dataset(dataset) => dataset.read(&self.source),
            Content::Group(_) => Err("expected an array, found a group".to_string()),
        }
    }
}

impl<'a> Node<'a> {
    /// The member of a group at a path: `layers/dense/vars`.
    pub(crate) fn get(&self, path: &str) -> Option<&Node<'a>> {
        let mut node = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            node = node.members()?.get(name)?;
        }
        Some(node)
    }

    /// The members of a group by name; none for an array.
    pub(crate) fn members(&self) -> Option<&BTreeMap<String, Node<'a>>> {
        match &self.content {
            Content::Group(members) => Some(members),
            Content::Dataset(_) => None,
        }
    }

    /// An attribute that holds one text or several.
    pub(crate) fn texts(&self, name: &str) -> Option<&[String]> {
        self.attributes.get(name).map(Vec::as_slice)
    }

    /// An attribute that holds one text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.texts(name) {
            Some([only]) => Some(only),
            _ => None,
        }
    }
}

fn node<'a>(source: &Source<'a>, address: u64, depth: usize) -> Parsed<Node<'a>> {
    if depth > DEEPEST {
        return Err(format!(
            "byte {address}: groups lie more than {DEEPEST} deep in one another"
        ));
    }
    let messages = headers::messages(source, address)?;
    let attributes = headers::attributes(source, &messages)?;
    let content = match Dataset::of(&messages)? {
        Some(dataset) => Content::Dataset(dataset),
        None => {
            let mut members = BTreeMap::new();
            for (name, address) in groups::links(source, &messages)? {
                members.insert(name, node(source, address, depth + 1)?);
            }
            Content::Group(members)
        }
    };
    Ok(Node {
        attributes,
        content,
    })
}

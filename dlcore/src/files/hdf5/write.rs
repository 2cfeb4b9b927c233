//! HDF5 files of groups and contiguous arrays: superblock version 2, object headers version 2.

use std::collections::BTreeMap;

use super::SIGNATURE;
use super::bytes::NOWHERE;
use super::checksum::lookup3;
use super::headers::{DATASPACE, DATATYPE, LAYOUT, LINK, LINK_INFO};
use crate::files::numbers;
use crate::{DType, Tensor};

const FILL_VALUE: u16 = 0x05;
const GROUP_INFO: u16 = 0x0a;

/// What is to be written.
pub(crate) enum Entry {
    Group(BTreeMap<String, Entry>),
    Array(Tensor),
}

impl Entry {
    /// A group without members.
    pub(crate) fn group() -> Entry {
        Entry::Group(BTreeMap::new())
    }

    /// The group at a path, made where it is missing.
    pub(crate) fn at(&mut self, path: &str) -> &mut BTreeMap<String, Entry> {
        let mut entry = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let members = entry.members();
            entry = members.entry(name.to_string()).or_insert_with(Entry::group);
        }
        entry.members()
    }

    /// The members of a group; an array makes room for one.
    fn members(&mut self) -> &mut BTreeMap<String, Entry> {
        if let Entry::Array(_) = self {
            *self = Entry::group();
        }
        match self {
            Entry::Group(members) => members,
            Entry::Array(_) => unreachable!("it was made a group above"),
        }
    }
}

/// The bytes of a file.
pub(crate) fn write(root: &Entry) -> Vec<u8> {
    const SUPERBLOCK: usize = 48;
    let mut file = vec![0; SUPERBLOCK];
    let root = object(&mut file, root);
    let mut start = SIGNATURE.to_vec();
    start.extend([2, 8, 8, 0]);
    for address in [0, NOWHERE, file.len() as u64, root] {
        start.extend(address.to_le_bytes());
    }
    start.extend(lookup3(&start).to_le_bytes());
    file[..SUPERBLOCK].copy_from_slice(&start);
    file
}

/// Writes an object, and before it all it is made of; its address.
fn object(file: &mut Vec<u8>, entry: &Entry) -> u64 {
    let mut messages = Vec::new();
    match entry {
        Entry::Group(members) => {
            let nowhere = NOWHERE.to_le_bytes();
            let info = [&[0, 0][..], &nowhere, &nowhere].concat();
            message(&mut messages, LINK_INFO, &info);
            message(&mut messages, GROUP_INFO, &[0, 0]);
            for (name, member) in members {
                let address = object(file, member);
                message(&mut messages, LINK, &link(name, address));
            }
        }
        Entry::Array(tensor) => {
            let data = numbers::bytes(tensor);
            let address = match data.is_empty() {
                true => NOWHERE,
                false => aligned(file),
            };
            message(&mut messages, DATASPACE, &dataspace(tensor.shape()));
            message(&mut messages, DATATYPE, &datatype(tensor.dtype()));
            // Room is made at once; nothing is filled.
            message(&mut messages, FILL_VALUE, &[3, 0x09]);
            let size = (data.len() as u64).to_le_bytes();
            let layout = [&[3, 1][..], &address.to_le_bytes(), &size].concat();
            message(&mut messages, LAYOUT, &layout);
            file.extend(data);
        }
    }
    let address = aligned(file);
    let start = file.len();
    // The size of the messages takes 4 bytes.
    file.extend(b"OHDR\x02\x02");
    file.extend((messages.len() as u32).to_le_bytes());
    file.extend(messages);
    let checksum = lookup3(&file[start..]);
    file.extend(checksum.to_le_bytes());
    address
}

/// The next address that is a multiple of 8.
fn aligned(file: &mut Vec<u8>) -> u64 {
    file.resize(file.len().next_multiple_of(8), 0);
    file.len() as u64
}

fn message(messages: &mut Vec<u8>, kind: u16, body: &[u8]) {
    messages.push(kind as u8);
    messages.extend((body.len() as u16).to_le_bytes());
    messages.push(0);
    messages.extend(body);
}

/// A hard link under a name in UTF-8.
fn link(name: &str, address: u64) -> Vec<u8> {
    let mut link = vec![1, 0x11, 1];
    link.extend((name.len() as u16).to_le_bytes());
    link.extend(name.as_bytes());
    link.extend(address.to_le_bytes());
    link
}

fn dataspace(shape: &[usize]) -> Vec<u8> {
    let mut space = vec![2, shape.len() as u8, 0, u8::from(!shape.is_empty())];
    space.extend(shape.iter().flat_map(|&axis| (axis as u64).to_le_bytes()));
    space
}

fn datatype(dtype: DType) -> Vec<u8> {
    let integer = |size: u8, signed: bool| {
        let bits = size * 8;
        vec![
            0x10,
            u8::from(signed) << 3,
            0,
            0,
            size,
            0,
            0,
            0,
            0,
            0,
            bits,
            0,
        ]
    };
    match dtype {
        DType::Bool | DType::U8 => integer(1, false),
        DType::I32 => integer(4, true),
        DType::I64 => integer(8, true),
        // Sign, size, precision; place and size of exponent and mantissa; bias.
        DType::F32 => {
            vec![
                0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0,
            ]
        }
        DType::F64 => {
            vec![
                0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0,
            ]
        }
    }
}

//! Bytes that are read one after the other, and the superblock, from which all is found.

use super::SIGNATURE;
use super::checksum::lookup3;
use crate::config::Parsed;

/// The address of what is not there.
pub(super) const NOWHERE: u64 = u64::MAX;

/// A place in the file, from which numbers are read.
#[derive(Clone)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Bytes<'a> {
    /// From an address on, which is called `what` in messages.
    pub(super) fn at(all: &'a [u8], address: u64, what: &str) -> Parsed<Bytes<'a>> {
        match usize::try_from(address) {
            Ok(at) if at < all.len() => Ok(Bytes {
                all,
                at,
                end: all.len(),
            }),
            _ => Err(format!(
                "the address of {what} is {address}, past the end of the file at {}; it is damaged, or it was cut off",
                all.len()
            )),
        }
    }

    /// An error that says where.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> String {
        format!("byte {}: {message}", self.at)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> Parsed<&'a [u8]> {
        if count > self.left() {
            return Err(self.error(format!(
                "expected {count} bytes, found {} before the end; it is damaged, or it was cut off",
                self.left()
            )));
        }
        let taken = &self.all[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// The next bytes, to be read by themselves.
    pub(super) fn part(&mut self, count: usize) -> Parsed<Bytes<'a>> {
        let at = self.at;
        self.take(count)?;
        Ok(Bytes {
            all: self.all,
            at,
            end: at + count,
        })
    }

    pub(super) fn skip(&mut self, count: usize) -> Parsed<()> {
        self.take(count).map(|_| ())
    }

    /// A number of up to 8 bytes, the lowest first.
    pub(super) fn number(&mut self, size: usize) -> Parsed<u64> {
        let bytes = self.take(size)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    pub(super) fn u8(&mut self) -> Parsed<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Parsed<u16> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Parsed<u64> {
        self.number(8)
    }

    /// A number that is to count what is in memory.
    pub(super) fn size(&mut self) -> Parsed<usize> {
        let size = self.u64()?;
        usize::try_from(size).map_err(|_| self.error(format!("a length of {size} bytes")))
    }

    pub(super) fn signature(&mut self, expected: &[u8]) -> Parsed<()> {
        let at = self.at;
        match self.take(expected.len())? == expected {
            true => Ok(()),
            false => Err(format!(
                "byte {at}: expected {:?}; the file is damaged",
                String::from_utf8_lossy(expected)
            )),
        }
    }

    /// An error for a version or kind that is not known.
    pub(super) fn unknown(&self, what: &str, found: impl std::fmt::Display) -> String {
        self.error(format!(
            "{what} {found}, which this reader does not know; open the file with Keras 3 and save it as .keras"
        ))
    }

    /// Text up to the first zero.
    pub(super) fn text(&mut self, count: usize) -> Parsed<String> {
        let at = self.at;
        text(self.take(count)?).map_err(|error| format!("byte {at}: {error}"))
    }

    /// Text that ends in a zero.
    pub(super) fn zero_ended(&mut self) -> Parsed<String> {
        let rest = &self.all[self.at..self.end];
        let Some(length) = rest.iter().position(|&byte| byte == 0) else {
            return Err(self.error("a name has no end"));
        };
        self.text(length)
    }

    /// Compares the checksum that comes next with that of everything since `start`.
    pub(super) fn checksum(&mut self, start: usize) -> Parsed<()> {
        let actual = lookup3(&self.all[start..self.at]);
        match self.u32()? == actual {
            true => Ok(()),
            false => Err(format!(
                "byte {start}: what begins here does not have its checksum; the file is damaged"
            )),
        }
    }
}

/// Text up to the first zero.
pub(super) fn text(bytes: &[u8]) -> Parsed<String> {
    let length = bytes.iter().position(|&byte| byte == 0);
    let bytes = &bytes[..length.unwrap_or(bytes.len())];
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err("expected text, found bytes that are no UTF-8".to_string()),
    }
}

/// Where the content begins.
pub(super) struct Start {
    /// What addresses are counted from.
    pub(super) base: usize,
    /// The header of the outermost group.
    pub(super) root: u64,
}

/// The superblock: at the beginning, or at 512, 1024, 2048 and so on.
pub(super) fn superblock(bytes: &[u8]) -> Parsed<Start> {
    let places = std::iter::successors(Some(0_usize), |&at| Some((at * 2).max(512)));
    let mut places = places.take_while(|&at| at < bytes.len());
    let Some(at) = places.find(|&at| bytes[at..].starts_with(SIGNATURE)) else {
        return Err("is no HDF5 file: it does not begin as one".to_string());
    };
    let mut block = Bytes::at(bytes, at as u64, "the superblock")?;
    block.skip(SIGNATURE.len())?;
    let version = block.u8()?;
    let sizes = match version {
        0 | 1 => {
            block.skip(4)?;
            let sizes = (block.u8()?, block.u8()?);
            block.skip(if version == 0 { 9 } else { 13 })?;
            sizes
        }
        2 | 3 => {
            let sizes = (block.u8()?, block.u8()?);
            block.skip(1)?;
            sizes
        }
        other => return Err(block.unknown("a superblock of version", other)),
    };
    if sizes != (8, 8) {
        return Err(block.error(format!(
            "expected addresses and lengths of 8 bytes, found {} and {}",
            sizes.0, sizes.1
        )));
    }
    let base = block.u64()?;
    block.skip(8)?;
    let end = block.u64()?;
    let root = match version {
        0 | 1 => {
            block.skip(16)?;
            block.u64()?
        }
        _ => {
            let root = block.u64()?;
            block.checksum(at)?;
            root
        }
    };
    let base = usize::try_from(base).ok().filter(|&base| base <= at);
    let base = base.ok_or_else(|| block.error("the base address is past the superblock"))?;
    if end > bytes.len() as u64 {
        return Err(format!(
            "was cut off: it is to have {end} bytes, and has {}",
            bytes.len()
        ));
    }
    Ok(Start { base, root })
}

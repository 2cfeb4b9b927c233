//! TensorFlow's event files: records with checksums, each a protocol buffer.
//!
//! A record is its length (u64), a checksum of that, the data, a checksum of the data, all
//! little-endian; checksums are CRC-32C, masked (`tensorflow/core/lib/io/record_writer.cc`). The data is
//! an `Event` (`tensorflow/core/util/event.proto`): `wall_time` 1, `step` 2, `file_version` 3, `summary`
//! 5; a summary holds values (field 1) with a `tag` (1) and a `simple_value` (2).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Files of one process that were begun within one second have different names.
static FILES: AtomicUsize = AtomicUsize::new(0);

/// A file of events that is written.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in the folder, which is made where it is missing.
    pub(super) fn create(folder: &Path) -> Result<EventFile> {
        let failed = |problem: std::io::Error| error(folder, &problem);
        fs::create_dir_all(folder).map_err(failed)?;
        let name = format!(
            "events.out.tfevents.{:010}.dlcore.{}.{}",
            now().as_secs(),
            std::process::id(),
            FILES.fetch_add(1, Ordering::Relaxed)
        );
        let path = folder.join(name);
        let file = File::create(&path).map_err(|problem| error(&path, &problem))?;
        let mut events = EventFile { path, file };
        let mut version = head(0);
        bytes(&mut version, 3, b"brain.Event:2");
        events.write(&record(&version))?;
        Ok(events)
    }

    /// Writes numbers of a step by their tags, all at once.
    pub(super) fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut scalar = Vec::new();
            bytes(&mut scalar, 1, tag.as_bytes());
            scalar.push(2 << 3 | 5);
            scalar.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &scalar);
        }
        let mut event = head(step);
        bytes(&mut event, 5, &summary);
        self.write(&record(&event))
    }

    fn write(&mut self, record: &[u8]) -> Result<()> {
        let written = self.file.write_all(record);
        written.map_err(|problem| error(&self.path, &problem))
    }
}

fn error(path: &Path, problem: &std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        message: format!("cannot be written: {problem}"),
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Time and step, with which each event begins.
fn head(step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(now().as_secs_f64().to_le_bytes());
    event.push(2 << 3);
    varint(&mut event, step);
    event
}

/// A field of bytes: a text, or a message within a message.
fn bytes(to: &mut Vec<u8>, field: u8, content: &[u8]) {
    to.push(field << 3 | 2);
    varint(to, content.len() as u64);
    to.extend(content);
}

/// A number in groups of seven bits, the lowest first.
fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// The checksum, turned and shifted so that data which holds checksums does not confuse it.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 with Castagnoli's polynomial, bit by bit: events are few and short.
fn crc32c(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let lowest = crc & 1;
            crc >>= 1;
            if lowest == 1 {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}

/// Steps, tags and values of a file; every checksum is verified.
#[cfg(test)]
pub(super) fn read(mut file: &[u8]) -> Vec<(u64, String, f32)> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut events = Vec::new();
    while !file.is_empty() {
        let (length, rest) = file.split_at(8);
        assert_eq!(number(&rest[..4]), masked(length));
        let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (data, rest) = rest[4..].split_at(length);
        assert_eq!(number(&rest[..4]), masked(data));
        file = &rest[4..];
        let mut step = 0;
        for (field, content) in fields(data) {
            match field {
                2 => step = u64::from_le_bytes(content.try_into().unwrap()),
                5 => events.extend(fields(&content).into_iter().map(|(_, scalar)| {
                    let parts = fields(&scalar);
                    let tag = String::from_utf8(parts[0].1.clone()).unwrap();
                    (
                        step,
                        tag,
                        f32::from_le_bytes(parts[1].1[..].try_into().unwrap()),
                    )
                })),
                _ => {}
            }
        }
    }
    events
}

/// Numbers and contents of a message's fields; a number's content is its eight bytes.
#[cfg(test)]
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn varint(from: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = from[0];
            *from = &from[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                let number = varint(&mut message);
                all.push(((key >> 3) as u8, number.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            kind => panic!("no field is of kind {kind}"),
        };
        let (content, rest) = message.split_at(length);
        all.push(((key >> 3) as u8, content.to_vec()));
        message = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and TensorFlow's crc32c_test.cc.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn long_numbers_take_several_bytes() {
        let mut bytes = vec![];
        varint(&mut bytes, 300);
        assert_eq!(bytes, [0xac, 0x02]);
    }
}

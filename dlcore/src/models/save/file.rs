//! The zip archive that a saved model is.

use std::io::{Read, Seek, SeekFrom, Write};

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::WEIGHTS;
use crate::config::Parsed;
use crate::files::archive::{Source, Target, damage, opened};

/// A zip archive of members that are not compressed.
pub(super) fn write_members(
    to: &mut dyn Target,
    members: &[(&str, impl AsRef<[u8]>)],
) -> Parsed<()> {
    let write = || -> zip::result::ZipResult<()> {
        let mut archive = zip::ZipWriter::new(to);
        for (name, content) in members {
            let content = content.as_ref();
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(content.len() >= u32::MAX as usize);
            archive.start_file(*name, options)?;
            archive.write_all(content)?;
        }
        archive.finish()?.flush()?;
        Ok(())
    };
    write().map_err(|error| format!("cannot be written: {error}"))
}

/// An archive that is read.
pub(super) struct Members<'a> {
    archive: zip::ZipArchive<Box<dyn Source + 'a>>,
    /// The size of the whole file: no member is larger.
    size: u64,
}

impl<'a> Members<'a> {
    pub(super) fn open(from: &'a mut (impl Read + Seek), size: u64) -> Parsed<Members<'a>> {
        let archive = opened(from).map_err(|error| {
            format!(
                "is no saved model: expected a zip file as save() writes it; {}",
                damage("its directory", &error)
            )
        })?;
        Ok(Members { archive, size })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(name).is_some()
    }

    /// A member's content, of at most `limit` bytes.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Parsed<Vec<u8>> {
        let limit = limit.min(self.size);
        let member = self.archive.by_name(name).map_err(|error| match error {
            zip::result::ZipError::FileNotFound => {
                format!("is a zip file, but no saved model: it has no {name}")
            }
            error => format!("{name}: {}", damage("its entry in the archive", &error)),
        })?;
        if member.compression() != CompressionMethod::Stored {
            return Err(format!(
                "{name} is compressed; save() writes members as they are"
            ));
        }
        if member.size() > limit {
            return Err(format!(
                "{name} claims {} bytes, more than the {limit} there can be",
                member.size()
            ));
        }
        let mut content = Vec::new();
        let read = member.take(limit + 1).read_to_end(&mut content);
        read.map_err(|error| format!("{name} is damaged: {error}"))?;
        if content.len() as u64 > limit {
            return Err(format!("{name} is larger than it claims"));
        }
        Ok(content)
    }
}

/// The bytes of the weights: a safetensors file, or that member of a saved model.
pub(super) fn weights(file: &mut (impl Read + Seek), size: u64) -> Parsed<Vec<u8>> {
    let io = |problem: std::io::Error| format!("cannot be read: {problem}");
    let mut head = Vec::new();
    file.take(4).read_to_end(&mut head).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    if head == b"PK\x03\x04" {
        return Members::open(file, size)?.read(WEIGHTS, size);
    }
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

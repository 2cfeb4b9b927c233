//! Files that are replaced as a whole, and zip archives that are read with care.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::WEIGHTS;
use crate::config::Parsed;
use crate::{Error, Result};

/// An error that names the file.
pub(super) fn error(path: &Path, message: String) -> Error {
    Error::File {
        path: path.to_owned(),
        message,
    }
}

/// Opens a file and tells its size.
pub(super) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |problem: std::io::Error| error(path, format!("cannot be opened: {problem}"));
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(error(path, "is no file".to_owned()));
    }
    Ok((file, about.len()))
}

/// Writes beside `path` and renames when all is written, so that a full disk or a crash leaves what
/// was there before.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Parsed<()>) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(error(path, "expected the name of a file".to_owned()));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(hidden);
    let io = |problem: std::io::Error| format!("cannot be written: {problem}");
    let written = (|| {
        let mut file = File::create(&beside).map_err(io)?;
        write(&mut file)?;
        file.sync_all().map_err(io)?;
        fs::rename(&beside, path).map_err(io)
    })();
    written.map_err(|message| {
        let _ = fs::remove_file(&beside);
        error(path, message)
    })
}

/// A zip archive of members that are not compressed.
pub(super) fn write_members(to: &mut (impl Write + Seek), members: &[(&str, &[u8])]) -> Parsed<()> {
    let write = || -> zip::result::ZipResult<()> {
        let mut archive = zip::ZipWriter::new(to);
        for (name, content) in members {
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
pub(super) struct Members<'a, R: Read + Seek> {
    archive: zip::ZipArchive<&'a mut R>,
    /// The size of the whole file: no member is larger.
    size: u64,
}

impl<'a, R: Read + Seek> Members<'a, R> {
    pub(super) fn open(from: &'a mut R, size: u64) -> Parsed<Members<'a, R>> {
        let archive = zip::ZipArchive::new(from).map_err(|error| {
            format!(
                "is no saved model, or it was cut off: expected a zip file as save() writes it ({error})"
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
            error => format!("{name}: {error}"),
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

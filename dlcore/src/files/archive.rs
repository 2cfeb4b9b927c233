//! Zip archives that are read with care.

use std::io::{Read, Seek, Write};

use super::room::Room;
use crate::config::Parsed;

/// What a zip file is read from; behind a pointer, so that the crate's code for it is compiled once.
pub(crate) trait Source: Read + Seek {}

impl<R: Read + Seek> Source for R {}

/// What a zip file is written to, likewise.
pub(crate) trait Target: Write + Seek {}

impl<W: Write + Seek> Target for W {}

/// The zip file that this holds, opened.
pub(crate) fn opened<'a>(
    from: impl Read + Seek + 'a,
) -> zip::result::ZipResult<zip::ZipArchive<Box<dyn Source + 'a>>> {
    zip::ZipArchive::new(Box::new(from))
}

/// An archive whose members are read into memory; nothing of it is ever unpacked into a folder.
pub(crate) struct Archive<'a> {
    zip: zip::ZipArchive<Box<dyn Source + 'a>>,
    room: Room,
}

impl<'a> Archive<'a> {
    /// Opens a zip file of `size` bytes, which is called `what` in messages.
    pub(crate) fn open(from: impl Read + Seek + 'a, size: u64, what: &str) -> Parsed<Archive<'a>> {
        let zip = opened(from).map_err(|error| {
            format!(
                "expected {what}, which is a zip file; {}",
                damage("its directory", &error)
            )
        })?;
        let archive = Archive {
            zip,
            room: Room::of(size),
        };
        match archive.names().into_iter().find(|name| climbs(name)) {
            None => Ok(archive),
            Some(name) => Err(format!(
                "its member {name:?} would lead out of its folder: no program that means well writes this; nothing \
                 was unpacked"
            )),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.zip.file_names().flatten();
        names.map(|name| name.into_owned()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// A member's content.
    pub(crate) fn read(&mut self, name: &str) -> Parsed<Vec<u8>> {
        let failed = |problem: String| format!("{name}: {problem}");
        let known = self.names();
        let member = self.zip.by_name(name).map_err(|error| match error {
            zip::result::ZipError::FileNotFound => failed(format!(
                "not in the archive, which holds {}",
                known.join(", ")
            )),
            error => failed(damage("its entry in the archive", &error)),
        })?;
        let size = member.size();
        self.room.take(size).map_err(failed)?;
        let mut content = Vec::new();
        // What the archive claims is not what it delivers: both are bounded. The end of the member
        // is where its checksum is compared.
        let read = member.take(size + 1).read_to_end(&mut content);
        read.map_err(|error| failed(format!("is damaged: {error}")))?;
        match content.len() as u64 == size {
            true => Ok(content),
            false => Err(failed(format!(
                "claims {size} bytes and holds {}; it is damaged",
                content.len()
            ))),
        }
    }
}

/// What is wrong with a part of a zip file, and what to do about it.
pub(crate) fn damage(part: &str, error: &zip::result::ZipError) -> String {
    use zip::result::ZipError;
    let what = match error {
        ZipError::InvalidArchive(what) => format!("{part} is damaged or cut off ({what})"),
        ZipError::UnsupportedArchive(what) => {
            return format!(
                "it is packed in a way that is not read ({what}); pack it with deflate, or not at all"
            );
        }
        other => format!("{part} is damaged or cut off ({other})"),
    };
    format!("{what}: fetch or save the file again")
}

/// Whether a member's name would lead out of the folder that it is unpacked into.
fn climbs(name: &str) -> bool {
    let mut parts = name.split(['/', '\\']);
    name.starts_with(['/', '\\']) || name.contains(':') || parts.any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn open(bytes: &[u8]) -> Parsed<Archive<'_>> {
        Archive::open(Cursor::new(bytes), bytes.len() as u64, "an archive")
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let bomb = zipped(&[("x", &vec![0; 100 << 20])]);
        assert!(bomb.len() < 200_000, "{}", bomb.len());
        let error = open(&bomb).unwrap().read("x").unwrap_err();
        assert!(error.contains("made to fill the memory"), "{error}");
        // Members that fit one by one do not all fit.
        let half = vec![0; 40 << 20];
        let two = zipped(&[("x", &half), ("y", &half)]);
        let mut archive = open(&two).unwrap();
        assert_eq!(archive.read("x").unwrap().len(), 40 << 20);
        assert!(archive.read("y").is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../x.npy", "a/../../x", "/etc/passwd", "..\\x", "C:\\x"] {
            let error = open(&zipped(&[(name, b"x")])).err().expect(name);
            assert!(error.contains("lead out of its folder"), "{error}");
        }
        assert!(open(&zipped(&[("a/b..c/x", b"x")])).is_ok());
    }
}

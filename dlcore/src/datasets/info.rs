//! What data sets there are, and which of them are at hand.

use std::fmt;
use std::path::PathBuf;

use super::fetch::{self, File};
use super::{boston_housing, cifar10, fashion_mnist, imdb, mnist, reuters};

/// The data sets, and where their files are; shows itself as a table.
#[derive(Clone)]
pub struct Info {
    sets: Vec<InfoRow>,
}

/// A data set in [`Info`].
#[derive(Clone, Debug)]
pub struct InfoRow {
    /// Its module's name: `mnist`, `imdb` …
    pub name: &'static str,
    /// Where its files are; none where one of them would have to be fetched.
    pub paths: Vec<PathBuf>,
    /// What the files take, in bytes; 0 where they would have to be fetched.
    pub bytes: u64,
}

/// Which data sets there are, and which are in the cache or in the directory that `DLCORE_DATA` names.
/// Looks at names only; what is damaged shows when it is loaded.
///
/// ```
/// let info = dlcore::datasets::info();
/// assert_eq!(info.rows().len(), 6);
/// println!("{info:?}");
/// ```
pub fn info() -> Info {
    let sets: [(&str, &[&File]); 6] = [
        ("mnist", &[&mnist::MNIST]),
        ("fashion_mnist", &fashion_mnist::FILES.each_ref()),
        ("cifar10", &[&cifar10::ARCHIVE]),
        ("imdb", &[&imdb::REVIEWS, &imdb::WORDS]),
        ("reuters", &[&reuters::NEWSWIRES, &reuters::WORDS]),
        ("boston_housing", &[&boston_housing::HOUSES]),
    ];
    let row = |(name, files): (&'static str, &[&File])| {
        let found: Option<Vec<(PathBuf, u64)>> =
            files.iter().map(|file| fetch::find(file)).collect();
        let found = found.unwrap_or_default();
        InfoRow {
            name,
            bytes: found.iter().map(|(_, bytes)| bytes).sum(),
            paths: found.into_iter().map(|(path, _)| path).collect(),
        }
    };
    Info {
        sets: sets.into_iter().map(row).collect(),
    }
}

impl Info {
    /// A row for each data set.
    pub fn rows(&self) -> &[InfoRow] {
        &self.sets
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, set) in self.sets.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match set.paths.first().and_then(|path| path.parent()) {
                Some(folder) => {
                    let megabytes = set.bytes as f64 / 1e6;
                    write!(
                        f,
                        "{:15}{megabytes:7.1} MB in {}",
                        set.name,
                        folder.display()
                    )?;
                }
                None => write!(f, "{:15}        not here yet; load() fetches it", set.name)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

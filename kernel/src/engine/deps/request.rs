//! What a `:dep` line asks for.

use std::path::Path;

use anyhow::{Result, anyhow, bail};

/// What cells have already, and where.
const PRESENT: &[(&str, &str)] = &[
    (
        "dlcore",
        "dlcore is always there, and its prelude is in scope",
    ),
    (
        "ndarray",
        "ndarray is the one that dlcore's tensors are made of, so that arrays of both fit together",
    ),
];

/// One `:dep` line, understood.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// A crate to add.
    Add(String, toml::Value),
    /// One that is there already; why there is nothing to do.
    Present(&'static str, &'static str),
}

/// Reads `:dep NAME`, `:dep NAME = "VERSION"` or `:dep NAME = { … }`, as Cargo.toml writes it.
pub fn parse(line: &str, working_dir: &Path) -> Result<Request> {
    let text = line.trim_start_matches(":dep").trim();
    if text.is_empty() {
        bail!(
            "expected a crate, for instance `:dep rand = \"0.9\"` or `:dep serde = {{ version = \"1\", features = [\"derive\"] }}`"
        );
    }
    let text = if text.contains('=') {
        text.to_owned()
    } else {
        format!("{text} = \"*\"")
    };
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| anyhow!("{} (expected what Cargo.toml takes under [dependencies], for instance `:dep rand = \"0.9\"`)", error.message()))?;
    let mut entries = table.into_iter();
    let (Some((name, mut value)), None) = (entries.next(), entries.next()) else {
        bail!("expected one crate in a line");
    };
    if let Some((name, why)) = PRESENT.iter().find(|(present, _)| *present == name) {
        return Ok(Request::Present(name, why));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        bail!("`{name}` is no name of a crate");
    }
    if let Some(path) = value.get_mut("path")
        && let Some(text) = path.as_str()
    {
        let whole = working_dir.join(text);
        if !whole.join("Cargo.toml").is_file() {
            bail!("there is no Cargo.toml in {}", whole.display());
        }
        *path = whole.display().to_string().into();
    }
    if name == "tokio" {
        with_runtime(&mut value);
    }
    Ok(Request::Add(name, value))
}

/// What a cell awaits runs on tokio's threaded runtime, which is a feature.
fn with_runtime(value: &mut toml::Value) {
    if let Some(version) = value.as_str() {
        let table = toml::Table::from_iter([("version".to_owned(), version.into())]);
        *value = toml::Value::Table(table);
    }
    if let Some(table) = value.as_table_mut() {
        let features = table
            .entry("features")
            .or_insert_with(|| toml::Value::Array(vec![]));
        if let Some(features) = features.as_array_mut() {
            features.push("rt-multi-thread".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> String {
        match parse(line, Path::new("/nowhere")) {
            Ok(Request::Add(name, value)) => format!("{name} = {value}"),
            Ok(Request::Present(name, _)) => format!("{name} is present"),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lines_are_read_as_cargo_reads_them() {
        assert_eq!(request(":dep rand"), "rand = \"*\"");
        assert_eq!(request(":dep rand = \"0.9\""), "rand = \"0.9\"");
        assert_eq!(
            request(":dep serde = { version = \"1\", features = [\"derive\"] }"),
            "serde = { features = [\"derive\"], version = \"1\" }"
        );
        assert_eq!(
            request(":dep tokio = \"1\""),
            "tokio = { features = [\"rt-multi-thread\"], version = \"1\" }"
        );
        assert_eq!(request(":dep ndarray = \"0.16\""), "ndarray is present");
        for wrong in [
            ":dep",
            ":dep = 1",
            ":dep a b",
            ":dep a = [",
            ":dep \"../x\" = \"1\"",
        ] {
            assert!(
                request(wrong).starts_with("error: "),
                "{wrong}: {}",
                request(wrong)
            );
        }
        let missing = request(":dep mine = { path = \"lib\" }");
        assert_eq!(missing, "error: there is no Cargo.toml in /nowhere/lib");
    }
}

//! Keras's own files: `.keras`, and `.h5` as Keras 2 and 3 write it.
//!
//! A `.keras` file is a zip archive of `config.json` (the model and what `compile` chose), `metadata.json`
//! and `model.weights.h5`, in which each weight lies at the path of its layer:
//! `layers/dense_1/vars/0`, where layers of a class are counted in the order of the model. In a whole `.h5` file
//! the same settings are attributes, and weights lie under the names of layers and weights.
//!
//! What settings mean is translated to the words of this library, which are nearly the same, and back. What it
//! does not know is refused by the name of the layer, rather than left out.
//!
//! Source: Keras 3, `saving/saving_lib.py`, `legacy/saving/legacy_h5_format.py` and
//! `models/functional.py`.

mod calls;
mod compile;
mod compile_write;
mod names;
mod optimizer;
mod partial;
mod read;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod weights;
mod write;

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use self::read::{Keras, Reader};
use self::store::Store;
use super::LONGEST_DESCRIPTION;
use crate::Tensor;
use crate::config::{Fields, Parsed};
use crate::files::archive::{Archive, opened};
use crate::files::hdf5::{File, SIGNATURE};
use crate::models::Model;

pub(super) use self::partial::{Found, find, find_in_archive};
pub(super) use self::weights::{load_weights, save_weights};
pub(super) use self::write::members;

const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
const WEIGHTS: &str = "model.weights.h5";

/// Whose format a file has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Own,
    /// `.keras`
    Keras,
    /// `.h5`
    Hdf5,
}

impl Format {
    /// The format that a file of this name is to have.
    pub(super) fn by_name(path: &Path) -> Format {
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("keras") => Format::Keras,
            Some("h5" | "hdf5") => Format::Hdf5,
            _ => Format::Own,
        }
    }

    /// The format that a file has, whatever its name; where it has none that is known, that of its name.
    pub(super) fn of(file: &mut (impl Read + Seek), path: &Path) -> Parsed<Format> {
        let io = |problem: std::io::Error| format!("cannot be read: {problem}");
        let mut head = Vec::new();
        file.take(8).read_to_end(&mut head).map_err(io)?;
        let start = SeekFrom::Start(0);
        file.seek(start).map_err(io)?;
        if head == SIGNATURE {
            return Ok(Format::Hdf5);
        }
        if !head.starts_with(b"PK") {
            return Ok(Self::by_name(path));
        }
        let archive = opened(&mut *file);
        let format = archive.map(|archive| match archive.index_for_name(CONFIG) {
            Some(_) => Format::Keras,
            None => Format::Own,
        });
        file.seek(start).map_err(io)?;
        Ok(format.unwrap_or(Self::by_name(path)))
    }
}

/// A model, and what of it the file could not give.
pub(super) type Loaded = (Model, Option<String>);

/// The model in a `.keras` file of `size` bytes.
pub(super) fn read_archive(from: impl Read + Seek, size: u64) -> Parsed<Loaded> {
    let mut archive = Archive::open(from, size, "a model as Keras 3 saves it (.keras)")?;
    let mut json = |name: &str| parse(name, &archive.read(name)?);
    let config = json(CONFIG)?;
    let metadata = json(METADATA).unwrap_or(Value::Null);
    let version = metadata.get("keras_version").and_then(Value::as_str);
    let keras = Keras::of(version.unwrap_or("3"))?;
    if !archive.has(WEIGHTS) {
        return Err(format!(
            "has no {WEIGHTS}; only models whose weights are saved in this format are read"
        ));
    }
    let weights = archive.read(WEIGHTS)?;
    let named = |error: String| format!("{WEIGHTS}: {error}");
    let file = File::open(&weights).map_err(named)?;
    let store = Store::paths(&file);
    let model = Reader::new(keras, store).model(&config)?;
    let compile = config.get("compile_config").unwrap_or(&Value::Null);
    compile::read(model, compile, "optimizer", keras, &store)
}

/// The model in a whole `.h5` file.
pub(super) fn read_hdf5(bytes: &[u8]) -> Parsed<Loaded> {
    let file = File::open(bytes)?;
    let root = file.root();
    let Some(config) = root.text("model_config") else {
        return Err(match root.get("layers").or(root.get("model_weights")) {
            _ if root.texts("layer_names").is_some() => WEIGHTS_ALONE.to_string(),
            Some(_) => WEIGHTS_ALONE.to_string(),
            None => {
                "is an HDF5 file, but holds no model of Keras's: it has no model_config".to_string()
            }
        });
    };
    let config = parse("model_config", config.as_bytes())?;
    let weights = root.get("model_weights").ok_or("has no model_weights")?;
    let version = root.text("keras_version").or(weights.text("keras_version"));
    let keras = Keras::of(version.unwrap_or("1"))?;
    let store = Store::names(&file, weights);
    let model = Reader::new(keras, store).model(&config)?;
    let compile = match root.text("training_config") {
        Some(text) => parse("training_config", text.as_bytes())?,
        None => Value::Null,
    };
    compile::read(model, &compile, "optimizer_config", keras, &store)
}

/// The weights of a `.keras` file of `size` bytes, in the model's order.
pub(super) fn weights_of_archive(
    model: &Model,
    from: impl Read + Seek,
    size: u64,
) -> Parsed<Vec<Tensor>> {
    let mut archive = Archive::open(from, size, "a model as Keras 3 saves it (.keras)")?;
    let bytes = archive.read(WEIGHTS)?;
    load_weights(model, &bytes).map_err(|error| format!("{WEIGHTS}: {error}"))
}

const WEIGHTS_ALONE: &str = "holds weights alone; make the model in the program and put them into it with \
     model.load_weights(path)";

fn parse(name: &str, bytes: &[u8]) -> Parsed<Value> {
    if bytes.len() as u64 > LONGEST_DESCRIPTION {
        return Err(format!("{name} is longer than any description of a model"));
    }
    serde_json::from_slice(bytes).map_err(|error| format!("{name} is damaged: {error}"))
}

/// The class of a serialized object, and its settings.
fn class<'a>(object: &'a Value, what: &'a str) -> Parsed<(&'a str, &'a Value)> {
    let fields = Fields::of(object, what)?;
    let name = fields.text("class_name")?;
    // Registered names say where they come from: "Custom>RMSprop".
    let name = name.rsplit('>').next().unwrap_or(name);
    Ok((name, fields.get("config").unwrap_or(&Value::Null)))
}

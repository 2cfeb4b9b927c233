//! Weights of a file put into the layers of a model, by their places or by their names.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::describe::{self, weight_name};
use super::keras::{self, Format};
use super::tensors::{self, Tensors};
use super::{LONGEST_DESCRIPTION, MODEL, file};
use crate::config::Parsed;
use crate::files::whole;
use crate::models::layer_ref::LayerRef;
use crate::models::model::Model;
use crate::{Error, Result, Tensor};

/// Which weights of a file go into which layers, for [`Model::load_weights_with`].
///
/// ```
/// use dlcore::models::LoadWeights;
/// let transfer = LoadWeights::by_name().skip_mismatch(true);
/// ```
#[derive(Clone, Debug)]
pub struct LoadWeights {
    by_name: bool,
    skip_mismatch: bool,
}

impl LoadWeights {
    /// The first layer's to the first, the second's to the second, as [`Model::load_weights`] does.
    pub fn in_order() -> LoadWeights {
        LoadWeights {
            by_name: false,
            skip_mismatch: false,
        }
    }

    /// To the layers that are named as in the file; layers that the file does not name keep their weights.
    pub fn by_name() -> LoadWeights {
        LoadWeights {
            by_name: true,
            ..LoadWeights::in_order()
        }
    }

    /// Whether a layer whose weights are of other shapes, or more or fewer, keeps its own (false: it is an
    /// error, and nothing is changed).
    pub fn skip_mismatch(mut self, skip: bool) -> LoadWeights {
        self.skip_mismatch = skip;
        self
    }
}

/// The layers of a file: their weights, and their names where the file has them.
struct Stored {
    tensors: Tensors,
    names: Option<Vec<String>>,
}

impl Stored {
    /// The weights of the layer at this place.
    fn layer(&self, place: usize) -> Parsed<Vec<Tensor>> {
        let names = (0..).map(|index| weight_name(place, index));
        let weights = names.map_while(|name| Some((self.tensors.get(&name)?.clone(), name)));
        weights
            .map(|(weight, name)| match tensors::is_finite(&weight) {
                true => Ok(weight),
                false => Err(format!("weight {name} holds NaN or infinity")),
            })
            .collect()
    }

    /// The place of a layer in the file.
    fn place(&self, layer: &LayerRef, own: usize, how: &LoadWeights) -> Parsed<Option<usize>> {
        if !how.by_name {
            return Ok(Some(own));
        }
        let Some(names) = &self.names else {
            return Err(
                "holds weights without the names of their layers, as earlier versions wrote them; load them in order"
                    .to_owned(),
            );
        };
        Ok(names.iter().position(|name| *name == layer.name()))
    }

    /// What there is for the layers of a model.
    fn find(&self, model: &Model, how: &LoadWeights) -> Parsed<keras::Found> {
        let mut found = Vec::new();
        for (own, layer) in describe::table(model).into_iter().enumerate() {
            if layer.leaf().is_none() {
                continue;
            }
            if let Some(place) = self.place(&layer, own, how)? {
                let weights = self.layer(place)?;
                found.push((layer, weights));
            }
        }
        Ok(found)
    }
}

/// Reads a file, and puts its weights in place.
pub(super) fn load(model: &Model, path: &Path, how: &LoadWeights) -> Result<Vec<String>> {
    model.check_built("load_weights")?;
    let (mut opened, size) = whole::open(path)?;
    let failed = |message: String| whole::error(path, message);
    let found = match Format::of(&mut opened, path).map_err(failed)? {
        Format::Own => stored(&mut opened, size).and_then(|stored| stored.find(model, how)),
        Format::Keras => keras::find_in_archive(model, opened, size, how.by_name),
        Format::Hdf5 => keras::find(model, &whole::read(path)?, how.by_name),
    };
    found
        .and_then(|found| put(model, found, how))
        .map_err(failed)
}

/// The weights of a file, with the names of their layers: of a model, or of weights alone.
fn stored(from: &mut (impl Read + Seek), size: u64) -> Parsed<Stored> {
    let bytes = file::weights(from, size)?;
    let rewind = from.seek(SeekFrom::Start(0));
    rewind.map_err(|problem| format!("cannot be read: {problem}"))?;
    let names = match file::Members::open(from, size) {
        Ok(mut members) => {
            let description = members.read(MODEL, LONGEST_DESCRIPTION)?;
            let description: Option<Value> = serde_json::from_slice(&description).ok();
            description.and_then(|description| names(&description))
        }
        Err(_) => tensors::names(&bytes),
    };
    let tensors = tensors::read(&bytes)?;
    Ok(Stored { tensors, names })
}

/// The names of all layers as they stand in the file of a model.
fn names(description: &Value) -> Option<Vec<String>> {
    let layers = description.get("layers")?.as_array()?.iter();
    let name = |layer: &Value| Some(layer.get("config")?.get("name")?.as_str()?.to_string());
    layers.map(name).collect()
}

/// Puts weights in place, all that are to be or none; returns the names of the layers that got some.
fn put(model: &Model, found: keras::Found, how: &LoadWeights) -> Parsed<Vec<String>> {
    let mut fitting: Vec<(LayerRef, Vec<Tensor>)> = Vec::new();
    for (layer, weights) in found {
        let shapes = |weights: &[Tensor]| -> Vec<Vec<usize>> {
            weights.iter().map(|w| w.shape().to_vec()).collect()
        };
        let (expected, found) = (shapes(&layer.get_weights()), shapes(&weights));
        if expected == found {
            if !found.is_empty() {
                fitting.push((layer, weights));
            }
        } else if !how.skip_mismatch {
            return Err(format!(
                "has weights of shapes {found:?} for {}, whose own have shapes {expected:?}; leave such layers as they \
                 are with skip_mismatch(true)",
                layer.describe()
            ));
        }
    }
    if fitting.is_empty() {
        return Err(format!(
            "holds no weights for any layer of {}",
            model.name()
        ));
    }
    let put = |(layer, weights): (LayerRef, Vec<Tensor>)| -> Result<String> {
        layer.set_weights(&weights)?;
        Ok(layer.name())
    };
    let names: Result<Vec<String>> = fitting.into_iter().map(put).collect();
    names.map_err(|error: Error| error.to_string())
}

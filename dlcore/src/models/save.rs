//! Models in files.
//!
//! A saved model is a zip file of up to three members, none of them compressed:
//!
//! - `model.json`: the model's name, its layers with their settings, each once, how they are connected,
//!   what `compile` chose, the history of the last `fit`. `"format": "dlcore model", "version": 2`, or 3
//!   where a graph adds to the loss; version 1 had stacks of layers with one loss only, and is read too.
//! - `weights.safetensors`: the weights, `layers.0.0` for the first of the first layer that is listed,
//!   in the [safetensors](https://github.com/huggingface/safetensors) format that other libraries read.
//! - `optimizer.safetensors`: what the optimizer keeps beside each weight, `velocities.0` for the
//!   first weight of the model that is trained.
//!
//! A name that ends in `.keras`, or for weights alone in `.h5`, asks for Keras's own format: [`keras`].
//!
//! A file of weights alone is the second of these by itself; its metadata has the layers' names. What is read
//! is not trusted: sizes are bounded by the file's own, nothing is run or unpacked, and every number must be one.

mod compiled;
mod describe;
mod file;
mod keras;
pub(crate) mod tensors;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde_json::Value;

use self::keras::Format;
pub use self::weights::LoadWeights;
use super::guard::guarded;
use super::layer_ref::LayerRef;
use super::{Model, Sequential, placement};
use crate::config::Parsed;
use crate::files::whole;
use crate::sorted;
use crate::{Error, Result, Tensor};

const MODEL: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";

/// No description of a model is longer.
const LONGEST_DESCRIPTION: u64 = 16 << 20;

impl Model {
    /// Saves the model: layers, weights, what `compile` chose, the optimizer's state and the last
    /// history, so that [`Model::load`] and `fit` go on where this model is. The file takes its
    /// place when it is complete; an older one of the same name is replaced then.
    ///
    /// A name that ends in `.keras` writes what Keras 3 opens: the model predicts there what it predicts here, and
    /// is compiled as it is here.
    ///
    /// A loss, metric or optimizer of your own is not saved, only its name; the model is then
    /// compiled anew after it was loaded.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("dlcore-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("network.dl");
    /// let network = Sequential::new().add(Dense::new(1).input_shape([2]));
    /// network.save(&path)?; // for instance "network.dl"
    /// let same = Sequential::load(&path)?;
    /// assert_eq!(same.get_weights(), network.get_weights());
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`] for a model without layers, with a layer of your own, or with weights that are
    /// NaN or infinite; for a `.keras` file also for what Keras 3 does not have; [`Error::File`] if the file
    /// cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        guarded("save", || save(self, path.as_ref()))
    }

    /// A model that [`Model::save`] wrote, of whatever kind; [`Sequential::load`] for one that layers
    /// are to be added to.
    ///
    /// Models that Keras wrote are read too: `.keras`, and whole models in `.h5` by Keras 2 and 3. They go on
    /// training where they were, but for those of Keras 2, whose optimizer begins anew. An axis of any length
    /// (`None`) gets a length with which the model can be built; it takes others all the same.
    ///
    /// Where it was compiled with a function of your own, or with something that there is not here, a line on
    /// standard error says that it has to be compiled again.
    ///
    /// ```no_run
    /// use dlcore::prelude::*;
    /// let model = Model::load("trained_in_python.keras")?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] if the file is missing, damaged, or no model; with the name of the layer, for a kind or a
    /// setting of Keras's that there is not here.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        load(path.as_ref())
    }

    /// Saves the weights alone, of any model that is built, as a safetensors file; under a name that ends in
    /// `.weights.h5`, as Keras 3's.
    ///
    /// # Errors
    /// [`Error::Model`] for a model that is not built, or whose weights are NaN or infinite;
    /// [`Error::File`] if the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        guarded("save_weights", || save_weights(self, path.as_ref()))
    }

    /// Puts weights in place that [`Model::save_weights`] or [`Model::save`] wrote, or Keras: `.weights.h5`, `.h5`,
    /// `.keras`. Layers are told apart by their order there, not by their names.
    ///
    /// # Errors
    /// [`Error::File`] if the file is missing, damaged, or its weights are not of this model's
    /// shapes; [`Error::Model`] if the model is not built. Nothing is changed then.
    pub fn load_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        load_weights(self, path.as_ref())
    }

    /// [`Model::load_weights`] for a file of another model, of which some layers are the same: by their names,
    /// or but for those whose shapes differ. Returns the names of the layers whose weights were put in place.
    ///
    /// Keras's files are taken too, with the names of layers that stand in them: a `.keras` file and what Keras
    /// itself wrote as `.h5` or `.weights.h5` have them. The groups of an `.h5` of Keras 2 are those of the outermost
    /// model's layers, so a model within it is taken as a whole.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("dlcore-doc-by-name-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("base.safetensors");
    /// let base = Sequential::new()
    ///     .add(Dense::new(4).name("features").input_shape([3]))
    ///     .add(Dense::new(10).name("head"));
    /// base.save_weights(&path)?;
    /// let mut model = Sequential::new()
    ///     .add(Dense::new(4).name("features").input_shape([3]))
    ///     .add(Dense::new(2).name("head"));
    /// let loaded = model.load_weights_with(&path, LoadWeights::by_name().skip_mismatch(true))?;
    /// assert_eq!(loaded, ["features"]);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::load_weights`]; [`Error::File`] also where the file has nothing for any of the layers.
    pub fn load_weights_with(
        &self,
        path: impl AsRef<Path>,
        how: LoadWeights,
    ) -> Result<Vec<String>> {
        weights::load(self, path.as_ref(), &how)
    }
}

impl Sequential {
    /// A `Sequential` that [`Model::save`] or Keras wrote; [`Model::load`] takes models of all kinds.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::File`] if the model is no `Sequential`.
    pub fn load(path: impl AsRef<Path>) -> Result<Sequential> {
        let path = path.as_ref();
        let model = load(path)?;
        match model.is_sequential() {
            true => Ok(Sequential::from_model(model)),
            false => Err(whole::error(
                path,
                "holds a model that is no Sequential; load it with Model::load".to_owned(),
            )),
        }
    }
}

fn save(model: &Model, path: &Path) -> Result<()> {
    model.check_layers("save")?;
    let failed = |message: String| Error::Model(format!("save: {message}"));
    describe::check_depth(model).map_err(failed)?;
    match Format::by_name(path) {
        Format::Own => {
            let parts = Parts::of(model).map_err(failed)?;
            whole::replace(path, |file| parts.write(file))
        }
        Format::Keras => {
            let members = keras::members(&placement::readable(model)).map_err(failed)?;
            whole::replace(path, |file| file::write_members(file, &members))
        }
        Format::Hdf5 => check_name(path),
    }
}

/// An error for a name that asks for a format in which whole models are not written.
pub(crate) fn check_name(path: &Path) -> Result<()> {
    match Format::by_name(path) {
        Format::Own | Format::Keras => Ok(()),
        Format::Hdf5 => Err(Error::Model(format!(
            "save: {}: whole models are written for Keras as .keras, which Keras 3 opens; save_weights writes \
             .weights.h5",
            path.display()
        ))),
    }
}

fn load(path: &Path) -> Result<Model> {
    let (mut file, size) = whole::open(path)?;
    let failed = |message: String| whole::error(path, message);
    let (model, note) = match Format::of(&mut file, path).map_err(failed)? {
        Format::Own => read(&mut file, size).map(|model| (model, None)),
        Format::Keras => keras::read_archive(file, size),
        Format::Hdf5 => keras::read_hdf5(&whole::read(path)?),
    }
    .map_err(failed)?;
    for reason in model.not_compiled.iter().chain(&note) {
        eprintln!("{}: {reason}", path.display());
    }
    Ok(model)
}

fn save_weights(model: &Model, path: &Path) -> Result<()> {
    model.check_built("save_weights")?;
    let bytes = match Format::by_name(path) {
        Format::Hdf5 => keras::save_weights(model),
        Format::Own | Format::Keras => weights(model),
    };
    let bytes = bytes.map_err(|message| Error::Model(format!("save_weights: {message}")))?;
    whole::replace_by(path, &bytes)
}

fn load_weights(model: &Model, path: &Path) -> Result<()> {
    model.check_built("load_weights")?;
    let failed = |message: String| whole::error(path, message);
    let (mut file, size) = whole::open(path)?;
    let (weights, carried) = match Format::of(&mut file, path).map_err(failed)? {
        Format::Own => {
            let own = own_weights(model, &mut file, size).map_err(failed)?;
            (Ok(own.weights), own.carried)
        }
        Format::Keras => (keras::weights_of_archive(model, file, size), Vec::new()),
        Format::Hdf5 => (keras::load_weights(model, &whole::read(path)?), Vec::new()),
    };
    let weights = weights.map_err(failed)?;
    // States are tried on copies of their layers, so that a file that does not fit changes nothing.
    let fitting: Vec<(LayerRef, Vec<Tensor>)> = carried
        .into_iter()
        .filter(|(_, states)| !states.is_empty())
        .collect();
    for (layer, states) in &fitting {
        if let Some(mut copy) = layer.leaf().map(|leaf| leaf.clone()) {
            let taken = copy.carry(&mut states.clone().into_iter());
            taken.map_err(|error| failed(error.to_string()))?;
        }
    }
    model.set_weights(&weights).map_err(|error| {
        let error = error.to_string();
        failed(error.replace("set_weights", "load_weights"))
    })?;
    for (layer, states) in fitting {
        if let Some(mut leaf) = layer.leaf_mut() {
            let taken = leaf.carry(&mut states.into_iter());
            taken.map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(())
}

/// What a file of this library's holds for a model.
struct OwnWeights {
    /// In the model's order.
    weights: Vec<Tensor>,
    /// What stateful layers carry from batch to batch.
    carried: Vec<(LayerRef, Vec<Tensor>)>,
}

/// The weights in a file of this library's, in the model's order.
fn own_weights(model: &Model, file: &mut (impl Read + Seek), size: u64) -> Parsed<OwnWeights> {
    let bytes = file::weights(file, size)?;
    let mut tensors = tensors::read(&bytes)?;
    let table = describe::table(model);
    let counts: Vec<usize> = table.iter().map(describe::weight_count).collect();
    let weights = describe::take_layers(&mut tensors, &counts)?;
    let by_key: BTreeMap<usize, Vec<Tensor>> =
        sorted::gathered(table.iter().map(LayerRef::key).zip(weights));
    let of = |leaf: LayerRef| by_key.get(&leaf.key()).cloned().unwrap_or_default();
    let weights = model.leaves().into_iter().flat_map(of).collect();
    let mut carried = Vec::new();
    for (index, layer) in table.into_iter().enumerate() {
        carried.push((layer, describe::take_carried(&mut tensors, index)?));
    }
    Ok(OwnWeights { weights, carried })
}

/// The members of a model's file.
pub(crate) struct Parts {
    pub(super) description: Value,
    weights: Vec<u8>,
    optimizer: Option<Vec<u8>>,
}

impl Parts {
    /// What is to be written of a model.
    ///
    /// # Errors
    /// A layer that cannot be saved, weights that are no numbers.
    pub(crate) fn of(model: &Model) -> Parsed<Parts> {
        let model = &*placement::readable(model);
        Ok(Parts {
            description: describe::model(model)?,
            weights: weights(model)?,
            optimizer: compiled::optimizer_state(model)?,
        })
    }

    /// Writes the zip file.
    pub(crate) fn write(&self, to: &mut (impl Write + Seek)) -> Parsed<()> {
        let description = format!("{:#}\n", self.description);
        let mut members = vec![
            (MODEL, description.as_bytes()),
            (WEIGHTS, self.weights.as_slice()),
        ];
        members.extend(self.optimizer.iter().map(|state| (OPTIMIZER, &state[..])));
        file::write_members(to, &members)
    }
}

/// The model in a zip file of `size` bytes.
pub(crate) fn read(from: &mut (impl Read + Seek), size: u64) -> Parsed<Model> {
    let mut members = file::Members::open(from, size)?;
    let description = members.read(MODEL, LONGEST_DESCRIPTION)?;
    let description: Value = serde_json::from_slice(&description)
        .map_err(|error| format!("{MODEL} is damaged: {error}"))?;
    let weights = tensors::read(&members.read(WEIGHTS, size)?)?;
    let state = match members.has(OPTIMIZER) {
        true => tensors::read(&members.read(OPTIMIZER, size)?)?,
        false => tensors::Tensors::new(),
    };
    describe::restore(&description, weights, state)
}

fn weights(model: &Model) -> Parsed<Vec<u8>> {
    let mut tensors = tensors::Tensors::new();
    let table = describe::table(model);
    for (index, layer) in table.iter().enumerate() {
        if layer.leaf().is_none() {
            continue;
        }
        for (place, weight) in layer.get_weights().into_iter().enumerate() {
            if !tensors::is_finite(&weight) {
                return Err(format!(
                    "weight {place} of {} holds NaN or infinity, so nothing was saved",
                    layer.describe()
                ));
            }
            tensors.insert(describe::weight_name(index, place), weight);
        }
        let carried = layer.leaf().map(|leaf| leaf.carried()).unwrap_or_default();
        // States that are no numbers are of no use to the next batch, which begins with zeros then.
        if carried.iter().all(tensors::is_finite) {
            for (place, state) in carried.into_iter().enumerate() {
                tensors.insert(describe::carried_name(index, place), state);
            }
        }
    }
    let names: Vec<String> = table.iter().map(LayerRef::name).collect();
    tensors::write_named(&tensors, &names)
}

//! Where weights lie in Keras's files.

use serde_json::Value;

use super::class;
use crate::Tensor;
use crate::config::Parsed;
use crate::files::hdf5::{File, Node};
use crate::models::save::tensors::is_finite;

/// The weights of a whole file.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    file: &'a File<'a>,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    /// At the paths of layers.
    Paths,
    /// In groups named after layers.
    Names(&'a Node<'a>),
}

/// Where the weights of one layer or model lie.
#[derive(Clone)]
pub(super) enum Place<'a> {
    /// Below this path.
    Path(String),
    /// In the groups of the file.
    Groups,
    /// In one group, among those of other layers of a model that is a layer.
    Within(Vec<Named<'a>>),
}

/// An array under the name of its weight: `dense_1/kernel:0`.
#[derive(Clone)]
pub(super) struct Named<'a> {
    name: String,
    node: &'a Node<'a>,
}

impl<'a> Store<'a> {
    /// A store of Keras 3.
    pub(super) fn paths(file: &'a File<'a>) -> Store<'a> {
        Store {
            file,
            kind: Kind::Paths,
        }
    }

    /// The store of a whole `.h5` file, or of weights as Keras 2 saves them.
    pub(super) fn names(file: &'a File<'a>, groups: &'a Node<'a>) -> Store<'a> {
        Store {
            file,
            kind: Kind::Names(groups),
        }
    }

    /// Where the outermost model's weights lie.
    pub(super) fn root(&self) -> Place<'a> {
        match self.kind {
            Kind::Paths => Place::Path(String::new()),
            Kind::Names(_) => Place::Groups,
        }
    }

    /// Where a layer's weights lie, of a model whose own lie at `place`: `path` says which layer it is by
    /// its class, `name` by its name.
    pub(super) fn of_layer(&self, place: &Place<'a>, path: &str, name: &str) -> Parsed<Place<'a>> {
        match place {
            Place::Path(model) => Ok(Place::Path(format!("{model}/layers/{path}"))),
            Place::Groups => self.group(name).map(Place::Within),
            Place::Within(all) => Ok(Place::Within(all.clone())),
        }
    }

    /// The arrays in a layer's group.
    pub(super) fn group(&self, name: &str) -> Parsed<Vec<Named<'a>>> {
        let Kind::Names(groups) = self.kind else {
            return Ok(Vec::new());
        };
        // A name may have slashes, which lead into groups within groups.
        let Some(group) = groups.get(name) else {
            return Ok(Vec::new());
        };
        let named = |weight: String| match group.get(&weight) {
            Some(node) => Ok(Named { name: weight, node }),
            None => Err(format!("names a weight {weight:?}, which is not there")),
        };
        listed(group, "weight_names")
            .into_iter()
            .map(named)
            .collect()
    }

    /// The names of the layers that have groups, in the model's order.
    pub(super) fn layer_names(&self) -> Vec<String> {
        match self.kind {
            Kind::Paths => Vec::new(),
            Kind::Names(groups) => listed(groups, "layer_names"),
        }
    }

    /// The weights of a layer of this kind, then its state. `others` are the names of all layers among which
    /// it lies.
    pub(super) fn weights(
        &self,
        place: &Place<'a>,
        kind: &str,
        config: &Value,
        name: &str,
        others: &[String],
    ) -> Parsed<Vec<Tensor>> {
        match place {
            Place::Path(path) => {
                let parts = parts(kind, config)?;
                let read = |part: &Part| self.numbered(&format!("{path}{}/vars", part.path));
                let weights: Parsed<Vec<Vec<Tensor>>> = parts.iter().map(read).collect();
                Ok(weights?.concat())
            }
            Place::Groups => Ok(Vec::new()),
            Place::Within(all) => {
                let own = all.iter().filter(|weight| {
                    let owner = weight
                        .name
                        .split('/')
                        .find(|part| others.iter().any(|o| o == part));
                    others.is_empty() || owner == Some(name)
                });
                own.map(|weight| self.read(weight)).collect()
            }
        }
    }

    /// The arrays `0`, `1`, … of a group.
    pub(super) fn numbered(&self, path: &str) -> Parsed<Vec<Tensor>> {
        let group = self.file.root().get(path);
        let count = group
            .and_then(Node::members)
            .map_or(0, |members| members.len());
        let numbers = 0..count;
        let arrays = numbers.map(|number| {
            let path = format!("{path}/{number}");
            let node = self.file.root().get(&path);
            let node = node.ok_or_else(|| format!("has no weight {path}"))?;
            self.tensor(&path, node)
        });
        arrays.collect()
    }

    pub(super) fn read(&self, weight: &Named<'_>) -> Parsed<Tensor> {
        self.tensor(&weight.name, weight.node)
    }

    /// What the optimizer keeps, in its order.
    pub(super) fn optimizer(&self) -> Parsed<Vec<Tensor>> {
        match self.kind {
            Kind::Paths => self.numbered("optimizer/vars"),
            Kind::Names(_) => {
                let Some(group) = self.file.root().get("optimizer_weights") else {
                    return Ok(Vec::new());
                };
                let read = |name: String| match group.get(&name) {
                    Some(node) => self.tensor(&name, node),
                    None => Err(format!("names a weight {name:?}, which is not there")),
                };
                listed(group, "weight_names")
                    .into_iter()
                    .map(read)
                    .collect()
            }
        }
    }

    fn tensor(&self, path: &str, node: &Node<'_>) -> Parsed<Tensor> {
        let named = |error: String| format!("weight {path}: {error}");
        let tensor = self.file.tensor(node).map_err(named)?;
        match is_finite(&tensor) {
            true => Ok(tensor),
            false => Err(format!("weight {path} holds NaN or infinity")),
        }
    }
}

/// A list of names, which Keras cuts in pieces where it is long.
fn listed(node: &Node<'_>, key: &str) -> Vec<String> {
    if let Some(names) = node.texts(key) {
        return names.to_vec();
    }
    let pieces = (0..).map_while(|piece| node.texts(&format!("{key}{piece}")));
    pieces.flat_map(<[String]>::to_vec).collect()
}

/// A part of a layer that has weights.
pub(super) struct Part {
    /// Below the layer's own path.
    pub(super) path: String,
    /// How many there are, at most.
    pub(super) weights: usize,
}

/// The parts of a layer that have weights, by its settings in Keras's words or ours.
pub(super) fn parts(kind: &str, config: &Value) -> Parsed<Vec<Part>> {
    let inner = |key: &str| -> Parsed<Vec<Part>> {
        let layer = &config[key];
        match layer.get("kind").and_then(Value::as_str) {
            Some(kind) => parts(kind, &layer["config"]),
            None => {
                let (kind, config) = class(layer, key)?;
                parts(kind, config)
            }
        }
    };
    let below = |name: &str, mut parts: Vec<Part>| -> Vec<Part> {
        for part in &mut parts {
            part.path = format!("/{name}{}", part.path);
        }
        parts
    };
    let one = |path: &str, weights: usize| Part {
        path: path.to_string(),
        weights,
    };
    Ok(match kind {
        "GRU" | "LSTM" | "SimpleRNN" => {
            let biased = config["use_bias"] != Value::Bool(false);
            vec![one("/cell", 2 + usize::from(biased))]
        }
        "TimeDistributed" => below("layer", inner("layer")?),
        "Bidirectional" => {
            let mut both = below("forward_layer", inner("layer")?);
            let backward = match config.get("backward_layer") {
                Some(Value::Object(_)) => inner("backward_layer")?,
                _ => inner("layer")?,
            };
            both.extend(below("backward_layer", backward));
            both
        }
        _ => vec![one("", usize::MAX)],
    })
}

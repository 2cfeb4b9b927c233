//! What can be kept of a variable, and in which form.

use super::lists::{Bytes, Print};
use std::any::{Any, type_name};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use crate::Tensor;
use crate::cell::Store;
use crate::config::Parsed;
use crate::models::save::{self, Parts, tensors};
use crate::models::{History, Model, Sequential};
use crate::tensor::{Storage, dense};

/// A model with its optimizer's state is kept up to this size.
const LARGEST_MODEL: usize = 256 << 20;
/// A tensor is kept up to this size; training data can be made again.
const LARGEST_TENSOR: usize = 4 << 20;
/// So many characters of text.
const LONGEST_TEXT: usize = 1 << 16;

/// A value that can be kept.
pub(super) enum Content {
    /// With the number of the model that it is a copy of.
    Model(Box<Model>, u64),
    History(Box<History>),
    Tensor(Tensor),
    /// A number, a boolean, a text: its type and its text.
    Plain(&'static str, String),
    /// What is written down as it stands.
    Bytes(Bytes),
}

/// By what one sees that a value has not changed.
pub(super) enum Mark {
    Version(Vec<u64>),
    History(Box<History>),
    /// Holding it makes whoever writes to the variable copy it, so the same buffer has the same elements.
    Tensor(Tensor),
    Plain(&'static str, String),
    Print(Print),
}

impl Mark {
    /// The bytes that count against the limit, of what was written down.
    pub(super) fn written_bytes(&self) -> Option<usize> {
        match self {
            Mark::Print(print) => Some(print.length),
            _ => None,
        }
    }
}

impl PartialEq for Mark {
    fn eq(&self, other: &Mark) -> bool {
        match (self, other) {
            (Mark::Version(left), Mark::Version(right)) => left == right,
            (Mark::History(left), Mark::History(right)) => left == right,
            (Mark::Tensor(left), Mark::Tensor(right)) => same_elements(left, right),
            (Mark::Plain(left, a), Mark::Plain(right, b)) => left == right && a == b,
            (Mark::Print(left), Mark::Print(right)) => left == right,
            _ => false,
        }
    }
}

/// Whether two tensors look at one buffer in one way.
fn same_elements(left: &Tensor, right: &Tensor) -> bool {
    fn place(storage: &Storage) -> (usize, &[usize], &[isize]) {
        dense!(storage, array => (array.as_ptr() as usize, array.shape(), array.strides()))
    }
    left.dtype() == right.dtype() && place(left.storage()) == place(right.storage())
}

/// Runs `$body` with `$type` as each type whose values are kept as their text.
macro_rules! each_plain {
    ($type:ident => $body:expr) => {
        each_plain!(@ $type, $body, bool char String
            u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64)
    };
    (@ $type:ident, $body:expr, $($plain:ident)*) => {
        $({ type $type = $plain; $body })*
    };
}

impl Content {
    /// What is to be kept of a variable's value, if anything.
    pub(super) fn of(value: &dyn Any) -> Option<Content> {
        if let Some(model) = model_in(value) {
            return of_model(model.clone(), model.identity.number());
        }
        if let Some(history) = value.downcast_ref::<History>() {
            return Some(Content::History(Box::new(history.clone())));
        }
        if let Some(tensor) = value.downcast_ref::<Tensor>() {
            let small = tensor.nbytes() <= LARGEST_TENSOR && !tensor.is_sparse();
            return small.then(|| Content::Tensor(tensor.detach()));
        }
        Self::of_plain(value).or_else(|| Bytes::of(value, LARGEST_TENSOR).map(Content::Bytes))
    }

    /// A number, a boolean or a text.
    pub(super) fn of_plain(value: &dyn Any) -> Option<Content> {
        each_plain!(T => if let Some(plain) = value.downcast_ref::<T>() {
            let text = plain.to_string();
            return (text.len() <= LONGEST_TEXT).then(|| Content::Plain(type_name::<T>(), text));
        });
        None
    }

    /// A model in the middle of a `fit` that has recorded `history` so far.
    pub(super) fn of_training(model: &Model, history: &History) -> Option<Content> {
        of_model(model.with_history(history), model.identity.number())
    }

    pub(super) fn mark(&self) -> Mark {
        match self {
            Content::Model(model, _) => Mark::Version(model.version()),
            Content::History(history) => Mark::History(history.clone()),
            Content::Tensor(tensor) => Mark::Tensor(tensor.clone()),
            Content::Plain(kind, text) => Mark::Plain(kind, text.clone()),
            Content::Bytes(bytes) => Mark::Print(bytes.print()),
        }
    }

    /// The bytes that count against the limit for all tensors together.
    pub(super) fn limited_bytes(&self) -> usize {
        match self {
            Content::Tensor(tensor) => tensor.nbytes(),
            Content::Bytes(written) => written.bytes.len(),
            _ => 0,
        }
    }

    /// By what [`Content::read`] knows it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Content::Model(..) => "model",
            Content::History(_) => "history",
            Content::Tensor(_) => "tensor",
            Content::Plain(kind, _) => kind,
            Content::Bytes(written) => written.kind,
        }
    }

    /// Which model it is.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Content::Model(_, number) => Some(*number),
            _ => None,
        }
    }

    /// What the user has to do before it is as it was.
    pub(super) fn note(&self) -> Option<&str> {
        match self {
            Content::Model(model, _) => model.not_compiled(),
            _ => None,
        }
    }

    /// The text that says it all, for values that need no file.
    pub(super) fn plain(&self) -> Option<&str> {
        match self {
            Content::Plain(_, text) => Some(text),
            _ => None,
        }
    }

    /// Writes a file.
    pub(super) fn write(&self, path: &Path) -> Parsed<()> {
        let mut file = File::create(path).map_err(|error| error.to_string())?;
        let bytes = match self {
            Content::Model(model, _) => return Parts::of(model)?.write(&mut file),
            Content::History(history) => history.config().to_string().into_bytes(),
            Content::Tensor(tensor) => {
                tensors::write(&tensors::Tensors::from([("value".into(), tensor.clone())]))?
            }
            Content::Plain(_, text) => text.clone().into_bytes(),
            Content::Bytes(written) => written.bytes.clone(),
        };
        file.write_all(&bytes).map_err(|error| error.to_string())
    }

    /// What [`Content::write`] wrote of a value of this kind.
    pub(super) fn read(kind: &str, path: &Path) -> Parsed<Content> {
        let io = |error: std::io::Error| error.to_string();
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let mut file = BufReader::new(file);
        if kind == "model" {
            return Ok(Content::Model(Box::new(save::read(&mut file, size)?), 0));
        }
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(io)?;
        match kind {
            "history" => {
                let value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                Ok(Content::History(Box::new(History::from_config(&value)?)))
            }
            "tensor" => match tensors::read(&bytes)?.remove("value") {
                Some(tensor) => Ok(Content::Tensor(tensor)),
                None => Err("no tensor".to_owned()),
            },
            other => {
                let known = Bytes::read(other, bytes).map(Content::Bytes);
                known.ok_or_else(|| format!("no kind {other}"))
            }
        }
    }

    /// A value that was kept as its text.
    pub(super) fn from_plain(kind: &str, text: &str) -> Option<Content> {
        each_plain!(T => if kind == type_name::<T>() {
            return text.parse::<T>().is_ok().then(|| Content::Plain(type_name::<T>(), text.to_owned()));
        });
        None
    }

    /// Puts the value into the store.
    pub(super) fn put(self, name: &str, store: &mut Store) {
        match self {
            Content::Model(model, _) if model.is_sequential() => {
                store.put(name, Sequential::from_model(*model), false);
            }
            Content::Model(model, _) => store.put(name, *model, false),
            Content::History(history) => store.put(name, *history, false),
            Content::Tensor(tensor) => store.put(name, tensor, false),
            Content::Bytes(written) => written.put(name, store),
            Content::Plain(kind, text) => {
                each_plain!(T => if let (true, Ok(value)) = (kind == type_name::<T>(), text.parse::<T>()) {
                    store.put(name, value, kind != type_name::<String>());
                });
            }
        }
    }
}

/// The model that a variable is.
pub(crate) fn model_in(value: &dyn Any) -> Option<&Model> {
    let sequential = value.downcast_ref::<Sequential>().map(|model| &**model);
    sequential.or_else(|| value.downcast_ref())
}

fn of_model(model: Model, number: u64) -> Option<Content> {
    (model.bytes() <= LARGEST_MODEL).then(|| Content::Model(Box::new(model), number))
}

//! Symbolic tensors: what a functional model is described with.

use std::sync::Arc;

use super::layer_ref::LayerRef;
use crate::layers::Layer;
use crate::tensor::Shape;
use crate::{Result, dim, names};

/// The input of a functional model.
///
/// ```
/// use dlcore::prelude::*;
/// let input = Input::new([64]);
/// let hidden = Dense::new(32).activation("relu").on(&input);
/// let output = Dense::new(10).activation("softmax").on(&hidden);
/// let model = Model::new(&input, &output)?;
/// assert_eq!(model.count_params(), 64 * 32 + 32 + 32 * 10 + 10);
/// # Ok::<(), Error>(())
/// ```
pub struct Input;

impl Input {
    /// An input for samples of this shape, without the batch axis. Of an axis that is [`dim::ANY`] samples
    /// may have any length; another length of any other axis is refused:
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let frames = Input::new([dim::ANY, 8]);
    /// let output = Dense::new(1).on(&LSTM::new(4).on(&frames));
    /// let model = Model::new(&frames, &output)?;
    /// assert_eq!(model.predict(&Tensor::zeros([3, 20, 8]))?.shape(), [3, 1]);
    /// assert!(model.predict(&Tensor::zeros([3, 20, 9])).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    #[expect(
        clippy::new_ret_no_self,
        reason = "what Keras's Input returns is a symbolic tensor too, and these mix with others in arrays"
    )]
    pub fn new(shape: impl Into<Shape>) -> Symbol {
        Symbol::input(names::next("input_layer"), shape.into().into_vec())
    }

    /// [`Input::new`] with a name, by which `fit` can be given its data.
    pub fn named(name: &str, shape: impl Into<Shape>) -> Symbol {
        Symbol::input(name.to_string(), shape.into().into_vec())
    }
}

/// A tensor that will be there when the model runs: an [`Input`], or what a layer returns.
///
/// It knows its shape and where it comes from, and holds no numbers.
#[derive(Clone)]
pub struct Symbol {
    source: Arc<Source>,
    output: usize,
}

/// What symbols come from.
pub(super) struct Source {
    pub(super) origin: Origin,
    shapes: Vec<Vec<usize>>,
}

pub(super) enum Origin {
    Input(String),
    Call(LayerRef, Vec<Symbol>),
}

impl Symbol {
    pub(super) fn input(name: String, shape: Vec<usize>) -> Symbol {
        let source = Source {
            origin: Origin::Input(name),
            shapes: vec![shape],
        };
        Symbol {
            source: Arc::new(source),
            output: 0,
        }
    }

    /// What `layer` returns for `inputs`, one symbol a shape.
    pub(super) fn of_call(
        layer: LayerRef,
        inputs: Vec<Symbol>,
        shapes: Vec<Vec<usize>>,
    ) -> Vec<Symbol> {
        let count = shapes.len();
        let source = Arc::new(Source {
            origin: Origin::Call(layer, inputs),
            shapes,
        });
        let of = |output| Symbol {
            source: Arc::clone(&source),
            output,
        };
        (0..count).map(of).collect()
    }

    /// The shape of one sample, without the batch axis; [`dim::ANY`] where the length is not known.
    pub fn shape(&self) -> &[usize] {
        &self.source.shapes[self.output]
    }

    /// The name of the input, or of the layer that it comes from.
    pub fn name(&self) -> String {
        match &self.source.origin {
            Origin::Input(name) => name.clone(),
            Origin::Call(layer, _) => layer.name(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// All that come from where this one comes from.
    pub(super) fn siblings(&self) -> Vec<Symbol> {
        let of = |output| Symbol {
            source: Arc::clone(&self.source),
            output,
        };
        (0..self.source.shapes.len()).map(of).collect()
    }

    /// Which of the layer's outputs it is.
    pub(super) fn output(&self) -> usize {
        self.output
    }

    /// Tells apart where symbols come from.
    pub(super) fn source_key(&self) -> usize {
        Arc::as_ptr(&self.source) as usize
    }

    /// Tells symbols apart.
    pub(super) fn key(&self) -> (usize, usize) {
        (self.source_key(), self.output)
    }
}

/// A long chain of symbols goes away one after the other, whatever the stack has room for.
impl Drop for Source {
    fn drop(&mut self) {
        let mut last: Vec<Symbol> = match &mut self.origin {
            Origin::Call(_, inputs) => std::mem::take(inputs),
            Origin::Input(_) => return,
        };
        while let Some(symbol) = last.pop() {
            if let Some(mut source) = Arc::into_inner(symbol.source)
                && let Origin::Call(_, inputs) = &mut source.origin
            {
                last.append(inputs);
            }
        }
    }
}

/// `input_layer [64]`
impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name(), dim::text(self.shape()))
    }
}

/// One symbol or several: `&a`, `[&a, &b]`, `[a, b]`, a vector.
#[derive(Clone, Debug)]
pub struct Symbols(Vec<Symbol>);

impl Symbols {
    pub(super) fn into_vec(self) -> Vec<Symbol> {
        self.0
    }
}

impl From<&Symbol> for Symbols {
    fn from(symbol: &Symbol) -> Symbols {
        Symbols(vec![symbol.clone()])
    }
}

impl<const N: usize> From<[Symbol; N]> for Symbols {
    fn from(symbols: [Symbol; N]) -> Symbols {
        Symbols(symbols.into())
    }
}

impl<const N: usize> From<[&Symbol; N]> for Symbols {
    fn from(symbols: [&Symbol; N]) -> Symbols {
        Symbols(symbols.into_iter().cloned().collect())
    }
}

impl From<&[Symbol]> for Symbols {
    fn from(symbols: &[Symbol]) -> Symbols {
        Symbols(symbols.to_vec())
    }
}

impl<const N: usize> From<&[Symbol; N]> for Symbols {
    fn from(symbols: &[Symbol; N]) -> Symbols {
        Symbols(symbols.to_vec())
    }
}

impl From<&Vec<Symbol>> for Symbols {
    fn from(symbols: &Vec<Symbol>) -> Symbols {
        Symbols(symbols.clone())
    }
}

impl From<Vec<Symbol>> for Symbols {
    fn from(symbols: Vec<Symbol>) -> Symbols {
        Symbols(symbols)
    }
}

impl From<Vec<&Symbol>> for Symbols {
    fn from(symbols: Vec<&Symbol>) -> Symbols {
        Symbols(symbols.into_iter().cloned().collect())
    }
}

/// Calling a layer in a functional model; every [`Layer`] can be called.
///
/// A layer that is to be called more than once, with the same weights, is called through a
/// [`LayerRef`].
pub trait LayerCall: Layer + Sized + 'static {
    /// What the layer returns for these inputs: `.on(&a)`, or `.on([&a, &b])` for one that merges.
    ///
    /// # Panics
    /// As [`LayerRef::on`].
    #[track_caller]
    fn on(self, inputs: impl Into<Symbols>) -> Symbol {
        LayerRef::new(self).on(inputs)
    }

    /// [`LayerCall::on`], returning the error instead of panicking.
    ///
    /// # Errors
    /// As [`LayerRef::try_on`].
    fn try_on(self, inputs: impl Into<Symbols>) -> Result<Symbol> {
        LayerRef::new(self).try_on(inputs)
    }

    /// [`LayerCall::on`] for a layer with several outputs.
    ///
    /// # Panics
    /// As [`LayerRef::on_many`].
    #[track_caller]
    fn on_many(self, inputs: impl Into<Symbols>) -> Vec<Symbol> {
        LayerRef::new(self).on_many(inputs)
    }
}

impl<T: Layer + 'static> LayerCall for T {}

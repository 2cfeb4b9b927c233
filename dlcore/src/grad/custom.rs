//! Operations of one's own, with a gradient of one's own.

use std::sync::Arc;

use super::ops::{Rule, Step};
use super::record;
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

type Forward = Arc<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;
type Backward = Arc<dyn Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync>;

/// An operation that differentiates as `backward` says, however `forward` computes.
///
/// `forward(inputs)` gives the output. `backward(inputs, output, gradient)`, where `gradient` is the
/// loss's gradient with respect to the output and has its shape, gives a gradient for each input, of
/// the input's shape. Neither is recorded by the tape that differentiates; `backward` is by tapes
/// around it, so that what it is made of differentiates again.
///
/// ```
/// use dlcore::{GradientTape, Tensor, grad::custom};
/// // Rounds forwards; backwards as if it had not ("straight through").
/// let round = |x: &Tensor| {
///     custom("my_round", &[x], |x| x[0].round(), |_, _, gradient| vec![gradient.clone()])
/// };
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::from([0.4, 1.7]));
/// let y = round(&x);
/// assert_eq!(y.to_vec(), [0.0, 2.0]);
/// assert_eq!(tape.gradient(&(y * 3.0).sum(), &[&x])[0].to_vec(), [3.0, 3.0]);
/// ```
///
/// # Panics
/// Where [`try_custom`] returns an error, and where the closures do.
#[track_caller]
pub fn custom(
    name: &str,
    inputs: &[&Tensor],
    forward: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
    backward: impl Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Tensor {
    expect(run(name, inputs, Arc::new(forward), Arc::new(backward)))
}

/// [`custom`], returning the error instead of panicking.
///
/// # Errors
/// [`Error::Value`] if `forward` gives integers or booleans, which have no gradient.
pub fn try_custom(
    name: &str,
    inputs: &[&Tensor],
    forward: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
    backward: impl Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    run(name, inputs, Arc::new(forward), Arc::new(backward))
}

fn run(name: &str, inputs: &[&Tensor], forward: Forward, backward: Backward) -> Result<Tensor> {
    let inputs: Vec<Tensor> = inputs.iter().map(|input| input.to_dense()).collect();
    let plain: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let output = forward(&plain).to_dense().detach();
    if !output.dtype().is_float() {
        return Err(Error::Value(format!(
            "{name}: forward gave a tensor of {}; expected f32 or f64, which gradients exist for",
            output.dtype()
        )));
    }
    let op = Custom {
        name: name.to_owned(),
        shape: output.shape().to_vec(),
        forward,
        backward,
    };
    Ok(record(
        op.into(),
        &inputs.iter().collect::<Vec<_>>(),
        output,
    ))
}

/// See [`custom`].
#[derive(Clone)]
pub(crate) struct Custom {
    name: String,
    shape: Vec<usize>,
    forward: Forward,
    backward: Backward,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custom({:?})", self.name)
    }
}

impl Rule for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(self.shape.clone())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        let inputs: Vec<Tensor> = inputs.iter().map(|input| input.detach()).collect();
        (self.forward)(&inputs)
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let shares = (self.backward)(step.inputs, step.output, gradient);
        shares
            .into_iter()
            .enumerate()
            .map(|(position, share)| match step.inputs.get(position) {
                Some(input) if input.dtype().is_float() => Some(share.cast(input.dtype())),
                _ => Some(share),
            })
            .collect()
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

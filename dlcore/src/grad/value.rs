//! Differentiation on one page: numbers that remember what they were computed from.
//!
//! This is what [`GradientTape`](super::GradientTape) does, without the tensors: small enough to read
//! in one sitting, and to draw. It follows Andrej Karpathy's micrograd.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::plot::ValueGraph;
use crate::plot::ValueNode;

/// A number that remembers how it was computed, and what the last result depends on it by.
///
/// ```
/// use dlcore::grad::Value;
/// let x = Value::new(3.0).label("x");
/// let w = Value::new(-2.0).label("w");
/// let loss = (&x * &w + 1.0).pow(2.0).label("loss");
/// loss.backward();
/// assert_eq!((loss.data(), w.grad()), (25.0, 2.0 * -5.0 * 3.0));
/// w.set_data(w.data() - 0.01 * w.grad()); // a step downhill
/// ```
///
/// Cloning gives the same number, not a copy of it. A cell that ends in `loss.graph()` shows what led
/// to `loss`.
#[derive(Clone)]
pub struct Value(Arc<Number>);

struct Number {
    state: Mutex<State>,
    /// What computed it; empty for a number given.
    operation: String,
    /// What it was computed from, each with the slope: by how much this number grows where that one
    /// grows by 1.
    inputs: Vec<(Value, f64)>,
}

struct State {
    data: f64,
    grad: f64,
    label: String,
}

/// Each operation: its value, and beside it the slope towards each input.
impl Value {
    /// `e` to this power.
    pub fn exp(&self) -> Value {
        let y = self.data().exp();
        Value::computed("exp", y, [(self, y)])
    }

    /// The natural logarithm.
    pub fn log(&self) -> Value {
        let x = self.data();
        Value::computed("log", x.ln(), [(self, 1.0 / x)])
    }

    /// The hyperbolic tangent.
    pub fn tanh(&self) -> Value {
        let y = self.data().tanh();
        Value::computed("tanh", y, [(self, 1.0 - y * y)])
    }

    /// The sigmoid, `1 / (1 + e⁻ˣ)`.
    pub fn sigmoid(&self) -> Value {
        let y = 1.0 / (1.0 + (-self.data()).exp());
        Value::computed("sigmoid", y, [(self, y * (1.0 - y))])
    }

    /// `max(x, 0)`.
    pub fn relu(&self) -> Value {
        let x = self.data();
        let slope = if x > 0.0 { 1.0 } else { 0.0 };
        Value::computed("relu", x.max(0.0), [(self, slope)])
    }

    /// This number to a fixed power.
    pub fn pow(&self, exponent: f64) -> Value {
        let x = self.data();
        let slope = match exponent {
            0.0 => 0.0,
            n => n * x.powf(n - 1.0),
        };
        Value::computed(&format!("^{exponent}"), x.powf(exponent), [(self, slope)])
    }

    fn add(&self, other: &Value) -> Value {
        let sum = self.data() + other.data();
        Value::computed("+", sum, [(self, 1.0), (other, 1.0)])
    }

    fn sub(&self, other: &Value) -> Value {
        let difference = self.data() - other.data();
        Value::computed("-", difference, [(self, 1.0), (other, -1.0)])
    }

    fn mul(&self, other: &Value) -> Value {
        let (a, b) = (self.data(), other.data());
        Value::computed("*", a * b, [(self, b), (other, a)])
    }

    fn div(&self, other: &Value) -> Value {
        let (a, b) = (self.data(), other.data());
        Value::computed("/", a / b, [(self, 1.0 / b), (other, -a / (b * b))])
    }
}

impl Value {
    /// A number to start from.
    pub fn new(data: f64) -> Value {
        Value::computed("", data, [])
    }

    fn computed<const N: usize>(operation: &str, data: f64, inputs: [(&Value, f64); N]) -> Value {
        let state = State {
            data,
            grad: 0.0,
            label: String::new(),
        };
        Value(Arc::new(Number {
            state: Mutex::new(state),
            operation: operation.to_owned(),
            inputs: inputs.map(|(input, slope)| (input.clone(), slope)).into(),
        }))
    }

    /// Goes back from this number through everything it was computed from, and gives each its
    /// gradient: by how much this number grows where that one grows by 1. Gradients add to those of
    /// earlier calls, as in PyTorch, until [`Value::zero_grad`].
    pub fn backward(&self) {
        let order = self.history();
        // What passes through a number in this call only; what it has from before stays with it.
        let mut grads = HashMap::from([(self.key(), 1.0)]);
        for value in order.iter().rev() {
            let grad = grads.get(&value.key()).copied().unwrap_or(0.0);
            value.state().grad += grad;
            for (input, slope) in &value.0.inputs {
                // The chain rule, summed over every way from the input to here.
                *grads.entry(input.key()).or_insert(0.0) += slope * grad;
            }
        }
    }

    /// Sets the gradient of this number and of everything it was computed from to 0.
    pub fn zero_grad(&self) {
        for value in self.history() {
            value.state().grad = 0.0;
        }
    }

    /// Everything this number was computed from and itself, inputs before what uses them.
    fn history(&self) -> Vec<Value> {
        let (mut order, mut seen) = (Vec::new(), HashSet::new());
        // A stack of our own: a sum of a million terms is a million calls deep.
        let mut stack = vec![(self.clone(), false)];
        while let Some((value, inputs_done)) = stack.pop() {
            if inputs_done {
                order.push(value);
            } else if seen.insert(value.key()) {
                stack.push((value.clone(), true));
                let inputs = value.0.inputs.iter().rev();
                stack.extend(inputs.map(|(input, _)| (input.clone(), false)));
            }
        }
        order
    }

    /// The number.
    pub fn data(&self) -> f64 {
        self.state().data
    }

    /// The gradient that [`Value::backward`] gave it; 0 before.
    pub fn grad(&self) -> f64 {
        self.state().grad
    }

    /// Another number in its place: what was computed with it before does not change.
    pub fn set_data(&self, data: f64) {
        self.state().data = data;
    }

    /// The same number under a name, for [`Value::graph`].
    pub fn label(self, label: &str) -> Value {
        self.state().label = label.to_owned();
        self
    }

    /// Its name, if it has one.
    pub fn name(&self) -> String {
        self.state().label.clone()
    }

    /// A drawing of what led to this number, with each number's value and gradient as they are now.
    pub fn graph(&self) -> ValueGraph {
        let history = self.history();
        let place: HashMap<_, _> = history.iter().map(Value::key).zip(0..).collect();
        let numbers = history.iter().map(|value| ValueNode {
            name: value.name(),
            data: value.data(),
            grad: value.grad(),
            operation: value.0.operation.clone(),
            inputs: value
                .0
                .inputs
                .iter()
                .map(|(input, _)| place[&input.key()])
                .collect(),
        });
        ValueGraph::new(numbers.collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> *const Number {
        Arc::as_ptr(&self.0)
    }
}

/// Numbers that nothing else holds go one by one: each dropping the next would be as deep as a chain
/// of operations is long.
impl Drop for Number {
    fn drop(&mut self) {
        let mut last: Vec<Value> = self.inputs.drain(..).map(|(input, _)| input).collect();
        while let Some(value) = last.pop() {
            if let Some(mut number) = Arc::into_inner(value.0) {
                last.extend(number.inputs.drain(..).map(|(input, _)| input));
            }
        }
    }
}

impl From<f64> for Value {
    fn from(data: f64) -> Value {
        Value::new(data)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        operators!($trait $method: Value, Value; Value, &Value; &Value, Value; &Value, &Value);
        operators!($trait $method number: Value; &Value);
    )*};
    ($trait:ident $method:ident: $($left:ty, $right:ty);*) => {$(
        impl std::ops::$trait<$right> for $left {
            type Output = Value;
            fn $method(self, other: $right) -> Value {
                Value::$method(&self, &other)
            }
        }
    )*};
    ($trait:ident $method:ident number: $($value:ty);*) => {$(
        impl std::ops::$trait<f64> for $value {
            type Output = Value;
            fn $method(self, other: f64) -> Value {
                Value::$method(&self, &Value::new(other))
            }
        }
        impl std::ops::$trait<$value> for f64 {
            type Output = Value;
            fn $method(self, other: $value) -> Value {
                Value::$method(&Value::new(self), &other)
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl std::ops::Neg for &Value {
    type Output = Value;
    fn neg(self) -> Value {
        Value::computed("neg", -self.data(), [(self, -1.0)])
    }
}

impl std::ops::Neg for Value {
    type Output = Value;
    fn neg(self) -> Value {
        -&self
    }
}

impl std::iter::Sum for Value {
    fn sum<I: Iterator<Item = Value>>(values: I) -> Value {
        values
            .reduce(|sum, value| sum + value)
            .unwrap_or_else(|| Value::new(0.0))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "Value(data={}, grad={})", state.data, state.grad)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

//! Data for models: a tensor, or one for each input or output.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Error, Result, Tensor, names};

/// What a model is given: a tensor, several in the order of its inputs or outputs, or by their names.
///
/// ```
/// use dlcore::models::Data;
/// use dlcore::Tensor;
/// let (text, question) = (Tensor::zeros([8, 100]), Tensor::zeros([8, 20]));
/// let one = Data::from(&text);
/// let several = Data::from([&text, &question]);
/// let named = Data::from([("question", &question), ("text", &text)]);
/// let no_labels = Data::from(());
/// ```
#[derive(Clone, Debug)]
pub struct Data(Parts);

#[derive(Clone, Debug)]
enum Parts {
    Ordered(Vec<Tensor>),
    Named(Vec<(String, Tensor)>),
    /// A generator could not make its batch.
    Failed(Arc<Error>),
}

impl Data {
    /// The tensors in the order of the `count` that are wanted, which are called `what` (an input, an output) in
    /// messages, and have these names.
    pub(super) fn resolve(
        &self,
        count: usize,
        wanted: &dyn Fn() -> Vec<String>,
        what: &str,
        operation: &str,
    ) -> Result<Cow<'_, [Tensor]>> {
        match &self.0 {
            Parts::Ordered(tensors) if tensors.len() == count => Ok(Cow::Borrowed(tensors)),
            Parts::Ordered(tensors) => Err(Error::Value(format!(
                "{operation}: the model has {}, got {} tensor{}",
                counted(&wanted(), what),
                tensors.len(),
                if tensors.len() == 1 { "" } else { "s" },
            ))),
            Parts::Named(tensors) => by_name(tensors, &wanted(), what, operation).map(Cow::Owned),
            Parts::Failed(error) => Err(failure(error, operation)),
        }
    }

    /// The tensors as they were given.
    pub(super) fn tensors(&self) -> Vec<Tensor> {
        match &self.0 {
            Parts::Ordered(tensors) => tensors.clone(),
            Parts::Named(tensors) => tensors.iter().map(|(_, tensor)| tensor.clone()).collect(),
            Parts::Failed(_) => Vec::new(),
        }
    }

    /// How many tensors there are.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Parts::Ordered(tensors) => tensors.len(),
            Parts::Named(tensors) => tensors.len(),
            Parts::Failed(_) => 0,
        }
    }
}

/// Why a generator could not make its batch; an error about a file still names it.
fn failure(error: &Error, operation: &str) -> Error {
    match error {
        Error::File { path, message } => Error::File {
            path: path.clone(),
            message: format!("{message} ({operation})"),
        },
        other => Error::Value(format!("{operation}: {other}")),
    }
}

/// `2 inputs ("text", "question")`
fn counted(wanted: &[String], what: &str) -> String {
    match wanted {
        [only] => format!("1 {what} ({only:?})"),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("{name:?}")).collect();
            format!("{} {what}s ({})", several.len(), names.join(", "))
        }
    }
}

fn by_name(
    tensors: &[(String, Tensor)],
    wanted: &[String],
    what: &str,
    operation: &str,
) -> Result<Vec<Tensor>> {
    let known: Vec<&str> = wanted.iter().map(String::as_str).collect();
    for (index, (name, _)) in tensors.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let text = names::unknown(what, name, &known);
            return Err(Error::Value(format!("{operation}: {text}")));
        }
        if tensors[..index].iter().any(|(other, _)| other == name) {
            return Err(Error::Value(format!(
                "{operation}: the {what} {name:?} is given twice"
            )));
        }
    }
    let find = |name: &String| {
        let found = tensors.iter().find(|(known, _)| known == name);
        found.map(|(_, tensor)| tensor.clone()).ok_or_else(|| {
            Error::Value(format!(
                "{operation}: nothing is given for the {what} {name:?}"
            ))
        })
    };
    wanted.iter().map(find).collect()
}

impl From<&Tensor> for Data {
    fn from(tensor: &Tensor) -> Data {
        Data(Parts::Ordered(vec![tensor.clone()]))
    }
}

/// Nothing: labels for a model whose losses are all its own.
impl From<()> for Data {
    fn from(_: ()) -> Data {
        Data(Parts::Ordered(Vec::new()))
    }
}

impl From<&Data> for Data {
    fn from(data: &Data) -> Data {
        data.clone()
    }
}

impl From<Vec<Tensor>> for Data {
    fn from(tensors: Vec<Tensor>) -> Data {
        Data(Parts::Ordered(tensors))
    }
}

impl From<&Vec<Tensor>> for Data {
    fn from(tensors: &Vec<Tensor>) -> Data {
        Data(Parts::Ordered(tensors.clone()))
    }
}

impl From<&[Tensor]> for Data {
    fn from(tensors: &[Tensor]) -> Data {
        Data(Parts::Ordered(tensors.to_vec()))
    }
}

impl<const N: usize> From<&[Tensor; N]> for Data {
    fn from(tensors: &[Tensor; N]) -> Data {
        Data(Parts::Ordered(tensors.to_vec()))
    }
}

impl<const N: usize> From<[&Tensor; N]> for Data {
    fn from(tensors: [&Tensor; N]) -> Data {
        Data(Parts::Ordered(tensors.into_iter().cloned().collect()))
    }
}

impl From<Vec<&Tensor>> for Data {
    fn from(tensors: Vec<&Tensor>) -> Data {
        Data(Parts::Ordered(tensors.into_iter().cloned().collect()))
    }
}

impl<const N: usize> From<[(&str, &Tensor); N]> for Data {
    fn from(tensors: [(&str, &Tensor); N]) -> Data {
        Data::from(tensors.to_vec())
    }
}

impl From<Vec<(&str, &Tensor)>> for Data {
    fn from(tensors: Vec<(&str, &Tensor)>) -> Data {
        let owned = |(name, tensor): (&str, &Tensor)| (name.to_string(), tensor.clone());
        Data(Parts::Named(tensors.into_iter().map(owned).collect()))
    }
}

/// One batch from a generator: what the model gets, what it is to answer, and how much each sample
/// counts where they do not count alike.
///
/// ```
/// use dlcore::models::Batch;
/// use dlcore::Tensor;
/// let plain = Batch::from((Tensor::zeros([32, 4]), Tensor::zeros([32, 1])));
/// let weighted = Batch::from((Tensor::zeros([32, 4]), Tensor::zeros([32, 1]), Tensor::ones([32])));
/// let two_inputs = Batch::new([&Tensor::zeros([32, 4]), &Tensor::zeros([32, 9])], &Tensor::zeros([32, 1]));
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) x: Data,
    pub(super) y: Data,
    pub(super) sample_weight: Option<Data>,
}

impl Batch {
    /// Inputs and what is to come out.
    pub fn new(x: impl Into<Data>, y: impl Into<Data>) -> Batch {
        Batch {
            x: x.into(),
            y: y.into(),
            sample_weight: None,
        }
    }

    /// How much each sample counts in the loss (1).
    pub fn sample_weight(mut self, weights: impl Into<Data>) -> Batch {
        self.sample_weight = Some(weights.into());
        self
    }
}

/// Inputs alone, to predict.
impl From<Tensor> for Batch {
    fn from(x: Tensor) -> Batch {
        Batch::new(&x, ())
    }
}

impl From<(Tensor, Tensor)> for Batch {
    fn from((x, y): (Tensor, Tensor)) -> Batch {
        Batch::new(&x, &y)
    }
}

/// From a generator that reads files or may fail for another reason: its error ends training.
impl From<Result<Batch>> for Batch {
    fn from(batch: Result<Batch>) -> Batch {
        batch.unwrap_or_else(|error| {
            let failed = Data(Parts::Failed(Arc::new(error)));
            Batch {
                x: failed.clone(),
                y: failed,
                sample_weight: None,
            }
        })
    }
}

impl From<Result<(Tensor, Tensor)>> for Batch {
    fn from(batch: Result<(Tensor, Tensor)>) -> Batch {
        Batch::from(batch.map(Batch::from))
    }
}

impl From<(Tensor, Tensor, Tensor)> for Batch {
    fn from((x, y, weights): (Tensor, Tensor, Tensor)) -> Batch {
        Batch::new(&x, &y).sample_weight(&weights)
    }
}

impl From<(Vec<Tensor>, Tensor)> for Batch {
    fn from((x, y): (Vec<Tensor>, Tensor)) -> Batch {
        Batch::new(x, &y)
    }
}

impl From<(Tensor, Vec<Tensor>)> for Batch {
    fn from((x, y): (Tensor, Vec<Tensor>)) -> Batch {
        Batch::new(&x, y)
    }
}

impl From<(Vec<Tensor>, Vec<Tensor>)> for Batch {
    fn from((x, y): (Vec<Tensor>, Vec<Tensor>)) -> Batch {
        Batch::new(x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_in_order_or_by_name() {
        let (a, b) = (Tensor::zeros([1]), Tensor::ones([2]));
        let wanted = ["a".to_string(), "b".to_string()];
        let resolve = |data: Data| {
            let tensors = data.resolve(2, &|| wanted.to_vec(), "input", "fit");
            tensors.map(Cow::into_owned)
        };
        assert_eq!(resolve([&a, &b].into()).unwrap()[1], b);
        assert_eq!(resolve([("b", &b), ("a", &a)].into()).unwrap()[1], b);
        let error = |data: Data| resolve(data).unwrap_err().to_string();
        assert_eq!(
            error((&a).into()),
            "fit: the model has 2 inputs (\"a\", \"b\"), got 1 tensor"
        );
        assert!(error([("a", &a), ("c", &b)].into()).contains("unknown input \"c\""));
        assert!(error([("a", &a), ("a", &b)].into()).contains("\"a\" is given twice"));
        assert!(error([("a", &a)].into()).contains("nothing is given for the input \"b\""));
    }
}

//! The same numbers as Keras 3's layers: outputs, gradients with respect to inputs and weights, and five
//! steps of training, from the same weights and batches.
//!
//! The fixtures are made by the scripts `tests/parity/layers_*.py`; `tests/parity/layer_fixtures.py` says
//! what they hold.

use serde_json::Value;

use super::{Call, KINDS, Layer, build_with, collect_activity, from_config, note_activity};
use crate::{DType, GradientTape, Tensor};

const RATE: f64 = 0.1;

fn fixtures() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/parity/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("layers_")
        })
        .collect();
    files.sort();
    let read = |path| {
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        json["cases"].as_array().unwrap().clone()
    };
    files.into_iter().flat_map(read).collect()
}

fn tensor(json: &Value) -> Tensor {
    let numbers = |key: &str| {
        let all = json[key].as_array().unwrap().iter();
        all.map(|v| v.as_f64().unwrap())
    };
    let shape: Vec<usize> = numbers("shape").map(|v| v as usize).collect();
    Tensor::from_shape_vec(shape, numbers("values").map(|v| v as f32).collect()).unwrap()
}

fn tensors(json: &Value) -> Vec<Tensor> {
    json.as_array().unwrap().iter().map(tensor).collect()
}

/// One layer of the fixtures, built with its weights.
struct Parity {
    case: Value,
    what: String,
    layer: Box<dyn Layer>,
    tolerance: f64,
}

impl Parity {
    fn new(case: Value) -> Parity {
        let kind = case["kind"].as_str().unwrap();
        let what = format!("{kind} ({})", case["name"].as_str().unwrap());
        let mut layer =
            from_config(kind, &case["config"]).unwrap_or_else(|e| panic!("{what}: {e}"));
        let shapes: Vec<Vec<usize>> = tensors(&case["inputs"])
            .iter()
            .map(|input| input.shape()[1..].to_vec())
            .collect();
        let mut weights = tensors(&case["weights"]);
        weights.extend(tensors(&case["state"]));
        build_with(&mut *layer, &shapes, weights).unwrap_or_else(|e| panic!("{what}: {e}"));
        Parity {
            tolerance: case["tolerance"].as_f64().unwrap(),
            what,
            layer,
            case,
        }
    }

    fn inputs(&self, json: &Value) -> Vec<Tensor> {
        let integers = self.case["integers"].as_bool().unwrap();
        let typed = |input: Tensor| {
            if integers {
                input.cast(DType::I64)
            } else {
                input
            }
        };
        tensors(json).into_iter().map(typed).collect()
    }

    fn call(&self) -> Call {
        let mask = &self.case["mask"];
        Call {
            training: self.case["training"].as_bool().unwrap(),
            masks: match mask {
                Value::Null => Vec::new(),
                mask => vec![Some(tensor(mask).cast(DType::Bool))],
            },
        }
    }

    /// The outputs, and the penalty on them.
    fn pass(&self, inputs: &[Tensor]) -> (Vec<Tensor>, Option<Tensor>) {
        collect_activity(|| {
            let outputs = self.layer.call(inputs, &self.call());
            note_activity(&*self.layer, &outputs);
            outputs
        })
    }

    fn check(&self, what: &str, actual: &Tensor, expected: &Tensor) {
        assert_eq!(actual.shape(), expected.shape(), "{}: {what}", self.what);
        let scale = expected.abs().max().item().max(1e-3);
        let worst = (actual - expected).abs().max().item();
        assert!(
            worst <= self.tolerance * scale,
            "{}: {what} is off by {worst}, of {scale}\n{actual:?}\nKeras has\n{expected:?}",
            self.what
        );
    }

    fn check_all(&self, what: &str, actual: &[Tensor], expected: &[Tensor]) {
        assert_eq!(actual.len(), expected.len(), "{}: {what}", self.what);
        for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            if expected.len() > 0 {
                self.check(&format!("{what} {i}"), actual, expected);
            }
        }
    }

    fn outputs_and_gradients(&mut self) {
        let tape = GradientTape::new();
        let plain = self.inputs(&self.case["inputs"]);
        let watched: Vec<Tensor> = match self.case["integers"].as_bool().unwrap() {
            true => plain,
            false => plain.iter().map(|input| tape.watch(input)).collect(),
        };
        let free = if self.case["integers"].as_bool().unwrap() {
            0
        } else {
            watched.len()
        };
        for weight in self.layer.weights_mut() {
            *weight = tape.watch(weight);
        }
        let (outputs, _) = self.pass(&watched);
        self.layer.discard();
        let detached: Vec<Tensor> = outputs.iter().map(Tensor::detach).collect();
        self.check_all("output", &detached, &tensors(&self.case["outputs"]));
        let cotangents = tensors(&self.case["cotangents"]);
        let products = outputs.iter().zip(&cotangents).map(|(o, c)| (o * c).sum());
        let projected = products.reduce(|sum, product| sum + product).unwrap();
        let mut sources: Vec<&Tensor> = watched[..free].iter().collect();
        sources.extend(self.layer.weights());
        let gradients = match sources.is_empty() {
            true => Vec::new(),
            false => tape.gradient(&projected, &sources),
        };
        let (by_input, by_weight) = gradients.split_at(free);
        self.check_all(
            "input gradient",
            by_input,
            &tensors(&self.case["input_gradients"]),
        );
        self.check_all(
            "weight gradient",
            by_weight,
            &tensors(&self.case["weight_gradients"]),
        );
        for weight in self.layer.weights_mut() {
            *weight = weight.detach();
        }
    }

    fn steps(&mut self) -> usize {
        let targets = tensors(&self.case["targets"]);
        let steps = self.case["steps"].as_array().unwrap().clone();
        for (number, step) in steps.iter().enumerate() {
            let tape = GradientTape::new();
            for weight in self.layer.weights_mut() {
                *weight = tape.watch(weight);
            }
            let (outputs, activity) = self.pass(&self.inputs(&step["inputs"]));
            let errors = outputs
                .iter()
                .zip(&targets)
                .map(|(o, t)| (o - t).square().mean());
            let data = errors.reduce(|sum, error| sum + error).unwrap();
            let penalties = activity.into_iter().chain(self.layer.penalty());
            let loss = penalties.fold(data, |sum, penalty| sum + penalty);
            let expected = Tensor::from(step["loss"].as_f64().unwrap() as f32);
            self.check(&format!("step {number}, loss"), &loss.detach(), &expected);
            let gradients = tape.gradient(&loss, &self.layer.weights());
            for (weight, gradient) in self.layer.weights_mut().into_iter().zip(gradients) {
                *weight = weight.detach() - gradient * RATE;
            }
            self.layer.constrain();
            self.layer.commit();
            let owned = |all: Vec<&Tensor>| -> Vec<Tensor> { all.into_iter().cloned().collect() };
            let (weights, state) = (owned(self.layer.weights()), owned(self.layer.state()));
            self.check_all(
                &format!("step {number}, weight"),
                &weights,
                &tensors(&step["weights"]),
            );
            self.check_all(
                &format!("step {number}, state"),
                &state,
                &tensors(&step["state"]),
            );
        }
        steps.len()
    }
}

#[test]
fn layers_compute_what_keras_computes() {
    let mut table = Vec::new();
    for case in fixtures() {
        let mut parity = Parity::new(case);
        parity.outputs_and_gradients();
        let steps = parity.steps();
        table.push(format!(
            "{:<60} to {:e}, {steps} steps",
            parity.what, parity.tolerance
        ));
    }
    println!("{}", table.join("\n"));
}

/// Masks that differ from Keras's on purpose.
const OTHER_MASKS: &[&str] = &[];

#[test]
fn layers_pass_on_the_masks_that_keras_passes_on() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/masks.json"
    );
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mask = |json: &Value| (!json.is_null()).then(|| tensor(json).cast(DType::Bool));
    let mut differ = Vec::new();
    for case in json["cases"].as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        let mut layer =
            from_config(kind, &case["config"]).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let inputs = tensors(&case["inputs"]);
        let samples = inputs.iter().map(|input| input.shape()[1..].to_vec());
        layer.build_many(&samples.collect::<Vec<_>>()).unwrap();
        let masks = case["masks"].as_array().unwrap().iter().map(mask);
        let passed = layer.output_mask(&inputs, &masks.collect::<Vec<_>>());
        if passed != mask(&case["passed"]) && !OTHER_MASKS.contains(&kind) {
            differ.push(format!(
                "{kind} passes on {passed:?}, in Keras {}",
                case["passed"]
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Layers that Keras has nothing to compare with.
const WITHOUT_A_CASE: &[&str] = &[];

#[test]
fn every_layer_is_compared() {
    let cases = fixtures();
    let compared = |kind: &&str| cases.iter().any(|case| case["kind"] == **kind);
    let missing: Vec<&&str> = KINDS.iter().filter(|kind| !compared(kind)).collect();
    assert_eq!(missing, WITHOUT_A_CASE.iter().collect::<Vec<_>>());
}

//! An optimizer's state belongs to the weights that it was built for.

use super::numbers;
use crate::layers::Dense;
use crate::models::*;
use crate::optimizers::{Adam, AdamW, Optimizer, RMSprop, SGD};
use crate::{Result, Tensor};

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

fn model(name: &str) -> Sequential {
    Sequential::new()
        .add(Dense::new(3).name(&format!("{name}_1")).input_shape([2]))
        .add(Dense::new(1).name(&format!("{name}_2")))
}

fn step(model: &mut Model, optimizer: &mut dyn Optimizer) -> Result<()> {
    let x = numbers([4, 2], 1);
    let (_, gradients) = model.gradients(|model| model.forward(&x, true).square().mean())?;
    model.apply_gradients(optimizer, &gradients)
}

#[test]
fn an_optimizer_that_was_used_for_other_weights_is_refused_and_changes_nothing() {
    let optimizers: [Box<dyn Optimizer>; 4] = [
        Box::new(Adam::new()),
        Box::new(AdamW::new()),
        Box::new(RMSprop::new()),
        Box::new(SGD::new().momentum(0.9)),
    ];
    for mut optimizer in optimizers {
        let (mut one, mut other) = (model("one"), model("other"));
        step(&mut one, &mut *optimizer).unwrap();
        step(&mut one, &mut *optimizer).unwrap();
        let before = other.get_weights();
        let text = refusal(step(&mut other, &mut *optimizer));
        assert!(
            text.contains("was built for the weights of one_1, one_2")
                && text.contains("other_1, other_2: make a new optimizer"),
            "{text}"
        );
        assert_eq!(other.get_weights(), before);
        let text = refusal(other.compile(optimizer.clone(), "mse", ()));
        assert!(text.starts_with("compile: "), "{text}");
        // The same weights may have it, and others once it has forgotten.
        one.compile(optimizer.clone(), "mse", ()).unwrap();
        optimizer.reset();
        step(&mut other, &mut *optimizer).unwrap();
    }
}

/// Otherwise what belongs to the first layer would be taken for the second's.
#[test]
fn a_layer_that_is_frozen_between_steps_needs_another_optimizer() {
    let (mut model, mut optimizer) = (model("frozen"), Adam::new());
    step(&mut model, &mut optimizer).unwrap();
    model.layer("frozen_1").unwrap().set_trainable(false);
    let text = refusal(step(&mut model, &mut optimizer));
    assert!(text.contains("change those of frozen_2"), "{text}");
    step(&mut model, &mut Adam::new()).unwrap();
    model.layer("frozen_1").unwrap().set_trainable(true);
    let text = refusal(step(&mut model.clone(), &mut optimizer));
    assert!(
        text.contains("other layers of the same names, frozen_1, frozen_2"),
        "{text}"
    );
    step(&mut model, &mut optimizer).unwrap();
}

#[test]
fn a_copy_and_a_model_from_a_file_go_on_with_their_state() {
    let (x, y) = (numbers([8, 2], 1), numbers([8, 1], 2));
    let mut first = model("copied");
    first.compile("adam", "mse", ()).unwrap();
    let settings = || Fit::epochs(2).shuffle(false).verbose(0);
    first.fit(&x, &y, settings()).unwrap();
    let mut copy = first.clone();
    let path = std::env::temp_dir().join(format!("dlcore-built-for-{}.dl", std::process::id()));
    first.save(&path).unwrap();
    let mut loaded = Sequential::load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for model in [&mut first, &mut copy, &mut loaded] {
        model.fit(&x, &y, settings()).unwrap();
    }
    assert_eq!(copy.get_weights(), first.get_weights());
    assert_eq!(loaded.get_weights(), first.get_weights());
}

/// What is compiled takes a copy: the optimizer that it was given stays free.
#[test]
fn one_setting_compiles_any_number_of_models() {
    let optimizer = Adam::new().learning_rate(0.01);
    let (x, y) = (Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    for name in ["many_a", "many_b"] {
        let mut model = model(name);
        model.compile(&optimizer, "mse", ()).unwrap();
        model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    }
}

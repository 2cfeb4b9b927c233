//! What the recurrent layers share: dropout, states that go from batch to batch, masks.

use serde_json::Value;

use super::*;
use crate::DType;
use crate::fixtures;
use crate::grad::check_gradients;
use crate::initializers::Initializer;
use crate::layers::{Call, GRU, LSTM, Layer, SimpleRNN};
use stepwise::{Drops, Stepwise};

fn built(mut layer: impl Layer, shape: &[usize]) -> impl Layer {
    layer.build(shape).unwrap();
    layer
}

fn close(actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.shape(), expected.shape());
    let worst = (actual - expected).abs().max().item();
    assert!(worst < 1e-6, "{actual:?}\n{expected:?}");
}

#[test]
fn a_stateful_layer_goes_on_where_the_batch_before_ended() {
    let x = Tensor::uniform([3, 8, 2], -1.0, 1.0);
    let (first, second) = (x.slice((.., ..5)), x.slice((.., 5..)));
    fn check<L: Layer + Clone>(stateful: L, whole: L, x: &Tensor, halves: [&Tensor; 2]) {
        let mut stateful = stateful;
        stateful.build(&[8, 2]).unwrap();
        let mut whole = whole;
        let weights = stateful.weights().into_iter().cloned().collect();
        whole.give_weights(weights);
        whole.build(&[8, 2]).unwrap();
        let expected = whole.forward(x, false);
        stateful.forward(halves[0], false);
        close(&stateful.forward(halves[1], false), &expected);
        stateful.reset_states();
        let anew = stateful.forward(halves[1], false);
        close(&anew, &whole.forward(halves[1], false));
        // While training, what a batch leaves counts once it is committed.
        stateful.reset_states();
        stateful.forward(halves[0], true);
        stateful.discard();
        close(&stateful.forward(halves[1], true), &anew);
        stateful.discard();
        stateful.forward(halves[0], true);
        stateful.commit();
        close(&stateful.forward(halves[1], true), &expected);
    }
    let halves = [&first, &second];
    check(LSTM::new(3).stateful(true), LSTM::new(3), &x, halves);
    check(GRU::new(3).stateful(true), GRU::new(3), &x, halves);
    check(
        SimpleRNN::new(3).stateful(true),
        SimpleRNN::new(3),
        &x,
        halves,
    );
}

#[test]
#[should_panic(expected = "stateful: expected a batch of 3, as the one before, got 2")]
fn a_stateful_layer_refuses_a_batch_of_another_size() {
    let layer = built(GRU::new(1).stateful(true), &[4, 2]);
    layer.forward(&Tensor::ones([3, 4, 2]), false);
    layer.forward(&Tensor::ones([2, 4, 2]), false);
}

#[test]
fn dropout_leaves_out_the_same_features_at_every_timestep_while_training_only() {
    let layer = SimpleRNN::new(1)
        .activation("linear")
        .return_sequences(true)
        .kernel_initializer("ones")
        .recurrent_initializer("zeros")
        .dropout(0.5);
    let layer = built(layer, &[6, 1]);
    let x = Tensor::ones([200, 6, 1]);
    assert_eq!(layer.forward(&x, false), x);
    let y = layer.forward(&x, true).reshape([200, 6]);
    let mut kept = 0;
    for sample in 0..200 {
        let row = y.get(sample).to_vec();
        assert!(row == [0.0; 6] || row == [2.0; 6], "{row:?}");
        kept += usize::from(row[0] == 2.0);
    }
    // Six standard deviations of 200 draws are 42.
    assert!((58..=142).contains(&kept), "{kept}");
    assert_ne!(layer.forward(&x, true).reshape([200, 6]), y);
}

#[test]
fn recurrent_dropout_leaves_out_the_same_units_at_every_timestep() {
    let layer = SimpleRNN::new(1)
        .activation("linear")
        .return_sequences(true)
        .kernel_initializer("ones")
        .recurrent_initializer("ones")
        .recurrent_dropout(0.5);
    let layer = built(layer, &[4, 1]);
    let x = Tensor::ones([100, 4, 1]);
    let plain = layer.forward(&x, false).get(0).to_vec();
    assert_eq!(plain, [1.0, 2.0, 3.0, 4.0]);
    let y = layer.forward(&x, true).reshape([100, 4]);
    let rows: Vec<Vec<f32>> = (0..100).map(|sample| y.get(sample).to_vec()).collect();
    let (dropped, kept) = ([1.0; 4], [1.0, 3.0, 7.0, 15.0]);
    assert!(
        rows.iter().all(|row| *row == dropped || *row == kept),
        "{rows:?}"
    );
    assert!(rows.iter().any(|row| *row == dropped) && rows.iter().any(|row| *row == kept));
}

#[test]
fn masked_timesteps_are_passed_over() {
    let layer = built(LSTM::new(3).return_sequences(true), &[4, 2]);
    let x = Tensor::uniform([1, 4, 2], -1.0, 1.0);
    let mask = Tensor::from([[true, false, true, false]]);
    let call = Call {
        training: false,
        masks: vec![Some(mask.clone())],
    };
    let y = layer.call(std::slice::from_ref(&x), &call).remove(0);
    let counting = Tensor::concat(&[&x.slice((.., 0..1)), &x.slice((.., 2..3))], 1);
    let expected = layer.forward(&counting, false);
    for (step, place) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        close(&y.slice((.., step)), &expected.slice((.., place)));
    }
    let masks = [Some(mask)];
    assert!(
        layer
            .output_mask(std::slice::from_ref(&x), &masks)
            .is_some()
    );
    let last = LSTM::new(3);
    assert!(last.output_mask(&[x], &masks).is_none());
}

#[test]
#[should_panic(expected = "(LSTM): expected a mask [batch, timesteps], [2, 4], got shape [2, 3]")]
fn a_mask_of_another_shape_is_refused() {
    let layer = built(LSTM::new(1), &[4, 2]);
    let call = Call {
        training: false,
        masks: vec![Some(Tensor::ones([2, 3]))],
    };
    layer.call(&[Tensor::ones([2, 4, 2])], &call);
}

#[test]
fn a_sequence_of_another_length_is_as_good() {
    let layer = built(
        GRU::new(2).kernel_initializer(Initializer::Constant(0.1)),
        &[4, 2],
    );
    assert_eq!(
        layer.forward(&Tensor::ones([3, 9, 2]), false).shape(),
        [3, 2]
    );
}

const FORMS: [Form; 4] = [
    Form::Simple,
    Form::Lstm,
    Form::Gru { reset_after: true },
    Form::Gru { reset_after: false },
];

/// A core of two units for three features, with weights and a bias.
fn core(form: Form) -> (Core, Base) {
    let (mut core, mut base) = (Core::new(2), Base::new("Test", "recurrent_test"));
    core.bias.initializer = "random_normal".into();
    let shapes = [vec![4, 3]];
    core.build(&mut base, form, &shapes, Tensor::clone).unwrap();
    (core, base)
}

#[test]
fn step_by_step_gives_what_the_fused_operation_gives() {
    let x = Tensor::uniform([3, 4, 3], -1.0, 1.0);
    let mask = Tensor::from([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]]).cast(DType::Bool);
    let drop = |width: usize| vec![Tensor::uniform([3, width], 0.0, 2.0)];
    for form in FORMS {
        for (number, mask) in [None, Some(mask.clone())].into_iter().enumerate() {
            let (mut core, base) = core(form);
            core.return_state = true;
            core.return_sequences = number == 1;
            core.go_backwards = number == 1;
            core.zero_output_for_mask = number == 1;
            let initial = vec![Tensor::uniform([3, 2], -1.0, 1.0); form.states()];
            let (input, recurrent) = (drop(3), drop(2));
            let drops = || Drops {
                input: input.clone(),
                recurrent: recurrent.clone(),
            };
            let cell = core.fused(form).unwrap();
            let expected = core.at_once(cell, &x, &initial, mask.clone(), drops());
            let stepwise = Stepwise::new(&core, &base, form, drops());
            let (output, states) = stepwise.run(&x, &initial, mask.as_ref());
            close(&output, &expected.0);
            for (state, expected) in states.iter().zip(&expected.1) {
                close(state, expected);
            }
            // What all gates leave out alike may as well be given for each.
            let each = |one: &[Tensor]| vec![one[0].clone(); form.gates()];
            let (input, recurrent) = (each(&input), each(&recurrent));
            let drops = Drops { input, recurrent };
            let (output, _) =
                Stepwise::new(&core, &base, form, drops).run(&x, &initial, mask.as_ref());
            close(&output, &expected.0);
            // And what each leaves out by itself.
            let own = |width| (0..form.gates()).flat_map(|_| drop(width)).collect();
            let (input, recurrent): (Vec<Tensor>, Vec<Tensor>) = (own(3), own(2));
            let drops = || Drops {
                input: input.clone(),
                recurrent: recurrent.clone(),
            };
            let expected = core.at_once(cell, &x, &initial, mask.clone(), drops());
            let stepwise = Stepwise::new(&core, &base, form, drops());
            let (output, _) = stepwise.run(&x, &initial, mask.as_ref());
            close(&output, &expected.0);
        }
    }
}

/// `tests/parity/recurrent_dropout.py` gives Keras's cells these masks.
#[test]
fn dropout_reaches_the_gates_as_in_keras() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/recurrent_dropout.json"
    );
    let fixtures: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let tensors = |json: &Value| fixtures::list(json).iter().map(fixtures::tensor).collect();
    for case in fixtures::list(&fixtures["cases"]) {
        let kind = fixtures::text(case, "kind");
        let form = match (kind, case["settings"]["reset_after"].as_bool()) {
            ("SimpleRNN", _) => Form::Simple,
            ("LSTM", _) => Form::Lstm,
            (_, reset_after) => Form::Gru {
                reset_after: reset_after.unwrap(),
            },
        };
        let (mut core, base) = core(form);
        core.return_sequences = true;
        let weights: Vec<Tensor> = tensors(&case["weights"]);
        let places = [&mut core.kernel, &mut core.recurrent, &mut core.bias];
        for (place, weight) in places.into_iter().zip(weights) {
            place.value = Some(weight);
        }
        let drops = || Drops {
            input: tensors(&case["input_masks"]),
            recurrent: tensors(&case["state_masks"]),
        };
        // As many are drawn as Keras has.
        let rate = |masks: &[Tensor]| if masks.is_empty() { 0.0 } else { 0.5 };
        core.dropout = rate(&drops().input);
        core.recurrent_dropout = rate(&drops().recurrent);
        let drawn = core.drops(form.gates(), 2, 3);
        assert_eq!(drawn.input.len(), drops().input.len(), "{kind}");
        assert_eq!(drawn.recurrent.len(), drops().recurrent.len(), "{kind}");
        // Each gate's own: over so many units two are not the same by chance.
        let wide = core.drops(form.gates(), 64, 64);
        for masks in [&wide.input, &wide.recurrent] {
            for (place, mask) in masks.iter().enumerate() {
                assert!(!masks[..place].contains(mask), "{kind}: mask {place}");
            }
        }
        let x = fixtures::tensor(&case["x"]);
        let fused = core.at_once(core.fused(form).unwrap(), &x, &[], None, drops());
        let stepwise = Stepwise::new(&core, &base, form, drops()).run(&x, &[], None);
        fixtures::tensor_close(kind, &fused.0, &case["output"]);
        fixtures::tensor_close(kind, &stepwise.0, &case["output"]);
    }
}

#[test]
fn a_gate_leaves_out_what_is_left_out_for_it() {
    let x = Tensor::uniform([2, 4, 3], -1.0, 1.0);
    for form in FORMS {
        for gate in 0..form.gates() {
            let (core, base) = core(form);
            let masks = |width: usize| -> Vec<Tensor> {
                let of = |other| Tensor::full([2, width], if other == gate { 0.0 } else { 1.0 });
                (0..form.gates()).map(of).collect()
            };
            let drops = Drops {
                input: masks(3),
                recurrent: masks(2),
            };
            let (dropped, _) = Stepwise::new(&core, &base, form, drops).run(&x, &[], None);
            // Without the columns of that gate.
            let mut without = core.clone();
            let columns = Tensor::arange(0.0, 2.0 * form.gates() as f64, 1.0).to_vec();
            let kept = columns
                .iter()
                .map(|&c| if c as usize / 2 == gate { 0.0 } else { 1.0 });
            let kept = Tensor::from(kept.collect::<Vec<f32>>());
            for weight in [&mut without.kernel, &mut without.recurrent] {
                weight.value = weight.value.take().map(|value| value * &kept);
            }
            let plain = Stepwise::new(&without, &base, form, Drops::default());
            close(&dropped, &plain.run(&x, &[], None).0);
        }
    }
}

#[test]
fn recurrent_dropout_step_by_step_differs_from_batch_to_batch() {
    let layer = LSTM::new(4)
        .activation("softsign")
        .recurrent_dropout(0.5)
        .return_sequences(true);
    let layer = built(layer, &[3, 2]);
    let x = Tensor::ones([5, 3, 2]);
    let (first, second) = (layer.forward(&x, true), layer.forward(&x, true));
    assert_ne!(first, second);
    // At the first step the state is 0, of which nothing can be left out.
    let step = |y: &Tensor| y.slice((.., 0));
    close(&step(&first), &step(&layer.forward(&x, false)));
    assert_ne!(first, layer.forward(&x, false));
}

#[test]
fn any_activation_will_do_and_its_gradient_is_right() {
    let own = Activation::custom("third", |x| x / 3.0);
    let layers: [Box<dyn Layer>; 4] = [
        Box::new(SimpleRNN::new(2).activation("softsign")),
        Box::new(
            LSTM::new(2)
                .activation("elu")
                .recurrent_activation("softmax"),
        ),
        Box::new(GRU::new(2).activation(own).recurrent_activation("sigmoid")),
        Box::new(
            GRU::new(2)
                .reset_after(false)
                .activation("gelu")
                .recurrent_activation("hard_sigmoid_2017")
                .return_sequences(true),
        ),
    ];
    for mut layer in layers {
        layer.build(&[3, 2]).unwrap();
        let mut sources = vec![Tensor::uniform([2, 3, 2], -1.0, 1.0)];
        sources.extend(layer.weights().into_iter().cloned());
        let layer = std::sync::Mutex::new(layer);
        let error = check_gradients(
            |tensors| {
                let mut layer = layer.lock().unwrap();
                for (weight, tensor) in layer.weights_mut().into_iter().zip(&tensors[1..]) {
                    *weight = tensor.clone();
                }
                layer.forward(&tensors[0], false)
            },
            &sources,
        );
        assert!(error.unwrap() < 1e-6);
    }
    assert_eq!(
        GRU::new(1)
            .activation(Activation::custom("own", Tensor::clone))
            .config(),
        None
    );
    let error = LSTM::new(1)
        .activation("glu")
        .build(&[3, 2])
        .unwrap_err()
        .to_string();
    assert!(error.contains("activation: glu returns half"), "{error}");
}

#[test]
fn carried_states_can_be_handed_over() {
    let layer = built(LSTM::new(2).stateful(true), &[3, 2]);
    assert!(layer.carried().is_empty());
    let x = Tensor::uniform([2, 3, 2], -1.0, 1.0);
    layer.forward(&x, false);
    let states = layer.carried();
    assert_eq!(states.len(), 2);
    let mut other = built(LSTM::new(2).stateful(true), &[3, 2]);
    other.carry(&mut states.clone().into_iter()).unwrap();
    assert_eq!(other.carried(), states);
    let error = other
        .carry(&mut [Tensor::ones([2, 3])].into_iter())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected 2 carried states [batch, 2], found [[2, 3]]")
    );
    let mut plain = built(LSTM::new(2), &[3, 2]);
    plain.carry(&mut states.into_iter()).unwrap();
    assert!(plain.carried().is_empty());
}

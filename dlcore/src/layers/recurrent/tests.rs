//! What the recurrent layers share: dropout, states that go from batch to batch, masks.

use super::*;
use crate::initializers::Initializer;
use crate::layers::{GRU, LSTM, Layer, SimpleRNN};

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

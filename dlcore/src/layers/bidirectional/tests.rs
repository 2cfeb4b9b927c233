//! Both directions: shapes, order of time, settings.

use super::*;
use crate::DType;
use crate::layers::conformance::{Case, check_layer};
use crate::layers::{Dense, GRU, LSTM, SimpleRNN};

#[test]
fn conforms() {
    check_layer(
        Case::new(Bidirectional::new(LSTM::new(2)), &[3, 2], &[4], 80)
            .mask()
            .refuses(&[3, 4], "expected 2 features, as when it was built"),
    );
    for mode in ["sum", "mul", "ave"] {
        let pattern = GRU::new(2).return_sequences(true).kernel_regularizer("l2");
        let layer = Bidirectional::new(pattern).merge_mode(mode);
        check_layer(Case::new(layer, &[3, 2], &[3, 2], 72).mask());
    }
    let two = Bidirectional::new(SimpleRNN::new(2).return_state(true).use_bias(false));
    let shapes: &[&[usize]] = &[&[2], &[2], &[2], &[2]];
    check_layer(
        Case::many(two.merge_mode("none"), &[&[3, 2], &[2], &[2]], shapes, 16).refuses_many(
            &[&[3, 2], &[2]],
            "as many initial states forwards as backwards",
        ),
    );
    let backward = GRU::new(1)
        .go_backwards(true)
        .reset_after(false)
        .use_bias(false);
    let uneven = Bidirectional::new(LSTM::new(2)).backward_layer(backward);
    check_layer(Case::new(uneven, &[3, 2], &[3], 40 + 9));
}

#[test]
fn outputs_of_both_directions_stand_at_their_timestep() {
    let pattern = SimpleRNN::new(1)
        .activation("linear")
        .return_sequences(true)
        .kernel_initializer("ones")
        .recurrent_initializer("ones");
    let mut layer = Bidirectional::new(pattern);
    layer.build(&[3, 1]).unwrap();
    let x = Tensor::from([[[1.0], [10.0], [100.0]]]);
    let sums = [1.0, 111.0, 11.0, 110.0, 111.0, 100.0];
    assert_eq!(layer.forward(&x, false).to_vec(), sums);
    let mask = Tensor::from([[1, 0, 1]]).cast(DType::Bool);
    let call = Call {
        training: false,
        masks: vec![Some(mask)],
    };
    let masked = layer.call(&[x], &call).remove(0);
    assert_eq!(masked.to_vec(), [1.0, 101.0, 0.0, 0.0, 101.0, 100.0]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
    let error = |layer: Bidirectional| {
        let mut layer = layer.name("both");
        layer.build(&[3, 2]).unwrap_err().to_string()
    };
    let text = error(Bidirectional::new(Dense::new(2).name("d")));
    assert!(
        text.starts_with(
            "both (Bidirectional): expected a recurrent layer, such as LSTM or GRU, got d (Dense)"
        ),
        "{text}"
    );
    let text = error(Bidirectional::new(LSTM::new(2)).merge_mode("cancat"));
    assert!(text.contains("did you mean \"concat\"?"), "{text}");
    let same = Bidirectional::new(LSTM::new(2)).backward_layer(LSTM::new(2));
    assert!(error(same).contains("got go_backwards(false) twice"));
    let other = LSTM::new(2).go_backwards(true).return_state(true);
    let text = error(Bidirectional::new(LSTM::new(2)).backward_layer(other));
    assert!(
        text.contains("agree in return_state, got false forwards and true backwards"),
        "{text}"
    );
    let wide = LSTM::new(3).go_backwards(true);
    let text = error(
        Bidirectional::new(LSTM::new(2))
            .backward_layer(wide)
            .merge_mode("sum"),
    );
    assert!(
        text.contains("merge mode \"sum\": expected outputs of one shape"),
        "{text}"
    );
    let own = crate::activations::Activation::custom("own", Tensor::clone);
    let text = error(Bidirectional::new(LSTM::new(2).name("l").activation(own)));
    assert!(
        text.contains("l (LSTM) has a function of your own"),
        "{text}"
    );
}

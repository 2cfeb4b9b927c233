use super::*;
use crate::layers::conformance::{Case, check_layer};
use crate::{DType, GradientTape};

#[test]
fn conforms() {
    check_layer(
        Case::new(BatchNormalization::new(), &[3], &[3], 12)
            .refuses(&[4], "expected 3 channels on axis -1, as when it was built")
            .refuses(&[], "at least one axis"),
    );
    check_layer(Case::new(
        BatchNormalization::new(),
        &[2, 2, 3],
        &[2, 2, 3],
        12,
    ));
    let first = BatchNormalization::new().axis(1).scale(false).epsilon(0.1);
    check_layer(
        Case::new(first, &[3, 2], &[3, 2], 9).refuses(&[2, 3], "expected 3 channels on axis 1"),
    );
    let bare = BatchNormalization::new().scale(false).center(false);
    check_layer(Case::new(bare, &[3], &[3], 6));
    let regularized = BatchNormalization::new()
        .momentum(0.5)
        .gamma_initializer(Initializer::constant(0.7))
        .gamma_regularizer("l2")
        .beta_regularizer("l1");
    check_layer(Case::new(regularized, &[4, 2], &[4, 2], 8).mask());
}

fn moving(layer: &BatchNormalization) -> (Vec<f32>, Vec<f32>) {
    (layer.state()[0].to_vec(), layer.state()[1].to_vec())
}

#[test]
fn training_changes_the_state_once_it_is_committed() {
    let mut layer = BatchNormalization::new().momentum(0.5);
    layer.build(&[1]).unwrap();
    let x = Tensor::from([[1.0], [3.0]]);
    layer.forward(&x, true);
    assert_eq!(moving(&layer), (vec![0.0], vec![1.0]));
    layer.commit();
    assert_eq!(moving(&layer), (vec![1.0], vec![1.0]));
    layer.commit();
    assert_eq!(moving(&layer), (vec![1.0], vec![1.0]));
    // Two batches, then one commit: as if it had been two.
    layer.forward(&(&x * 2.0), true);
    layer.forward(&x, true);
    layer.commit();
    assert_eq!(moving(&layer), (vec![2.25], vec![1.75]));
}

#[test]
fn what_is_discarded_or_another_copys_leaves_no_trace() {
    let mut layer = BatchNormalization::new();
    layer.build(&[1]).unwrap();
    let x = Tensor::from([[1.0], [3.0]]);
    layer.forward(&x, true);
    let mut copy = layer.clone();
    copy.commit();
    assert_eq!(moving(&copy), (vec![0.0], vec![1.0]));
    layer.discard();
    layer.commit();
    assert_eq!(moving(&layer), (vec![0.0], vec![1.0]));
}

#[test]
fn a_frozen_layer_is_in_inference_mode() {
    let mut layer = BatchNormalization::new();
    layer.build(&[2]).unwrap();
    layer.set_trainable(false);
    let x = Tensor::from([[1.0, 2.0], [3.0, 5.0]]);
    assert_eq!(layer.forward(&x, true), layer.forward(&x, false));
    layer.commit();
    assert_eq!(moving(&layer), (vec![0.0; 2], vec![1.0; 2]));
}

#[test]
fn the_gradient_flows_through_mean_and_variance() {
    // The sum of what is normalized is 0 whatever the input: so is its gradient.
    let mut layer = BatchNormalization::new();
    layer.build(&[2]).unwrap();
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]]));
    let gradient = tape
        .gradient(&layer.forward(&x, true).sum(), &[&x])
        .remove(0);
    assert!(gradient.abs().max().item() < 1e-6, "{gradient:?}");
}

#[test]
fn timesteps_that_do_not_count_have_no_part_in_the_statistics() {
    let mut layer = BatchNormalization::new().momentum(0.0);
    layer.build(&[2, 1]).unwrap();
    let call = Call {
        training: true,
        masks: vec![Some(Tensor::from([[1, 1], [1, 0]]).cast(DType::Bool))],
    };
    let x = Tensor::from([[[1.0], [2.0]], [[6.0], [1000.0]]]);
    layer.call(&[x], &call);
    layer.commit();
    let (mean, variance) = moving(&layer);
    assert!((mean[0] - 3.0).abs() < 1e-5 && (variance[0] - 14.0 / 3.0).abs() < 1e-5);
}

#[test]
#[should_panic(
    expected = "expected a mask of the input's shape without its last axis, [2, 3], got [2]"
)]
fn a_mask_of_another_shape_is_refused() {
    let mut layer = BatchNormalization::new();
    layer.build(&[3, 1]).unwrap();
    let call = Call {
        training: true,
        masks: vec![Some(Tensor::from([1, 1]).cast(DType::Bool))],
    };
    layer.call(&[Tensor::ones([2, 3, 1])], &call);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let error = |mut layer: BatchNormalization| layer.build(&[2]).unwrap_err().to_string();
    assert!(error(BatchNormalization::new().momentum(1.5)).contains("from 0 to 1, got 1.5"));
    assert!(error(BatchNormalization::new().epsilon(-1.0)).contains("epsilon must be"));
    assert!(error(BatchNormalization::new().axis(0)).contains("axis 0 is out of range"));
    assert!(error(BatchNormalization::new().gamma_regularizer("l3")).contains("gamma_regularizer"));
}

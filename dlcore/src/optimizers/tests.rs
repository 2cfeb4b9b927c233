use super::*;

#[test]
fn every_optimizer_is_among_the_names() {
    assert_eq!(NAMES, LISTED);
}

#[test]
fn optimizers_are_found_by_name_whatever_the_case() {
    for name in ["sgd", "RMSprop", "adam"] {
        assert_eq!(from_name(name).unwrap().name(), name.to_lowercase());
    }
    let error = OptimizerChoice::from("rmsporp")
        .resolve()
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("did you mean \"rmsprop\"?"), "{error}");
}

/// Gradients so small that it matters where epsilon stands; the numbers are Keras 3.15's.
#[test]
fn epsilon_stands_where_keras_has_it() {
    let rmsprop: Box<dyn Optimizer> = Box::new(RMSprop::new());
    let adam: Box<dyn Optimizer> = Box::new(Adam::new());
    for (mut optimizer, gradient, expected) in [
        (rmsprop, 1e-4, [-3.146_584e-4, -6.279_241e-4]),
        (adam, 1e-6, [-2.402_514_5e-4, -5.492_12e-4]),
    ] {
        let mut weight = Tensor::zeros([1]);
        for expected in expected {
            optimizer.step(&mut [&mut weight], &[Tensor::full([1], gradient)]);
            let actual = weight.item();
            assert!(
                (actual / expected - 1.0).abs() < 1e-5,
                "{}: {actual} {expected}",
                optimizer.name()
            );
        }
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let error = |choice: OptimizerChoice| choice.resolve().err().unwrap().to_string();
    assert!(
        error(SGD::new().learning_rate(-0.1).into())
            .contains("learning_rate must be a number above 0, got -0.1")
    );
    assert!(error(SGD::new().learning_rate(f64::NAN).into()).contains("NaN"));
    assert!(
        error(SGD::new().momentum(1.5).into())
            .contains("momentum must be at least 0 and below 1, got 1.5")
    );
    assert!(error(RMSprop::new().rho(1.0).into()).contains("rho"));
    assert!(error(Adam::new().beta_2(2.0).into()).contains("beta_2"));
}

/// Every optimizer with all its state in use, and settings that are not the defaults.
fn configured() -> Vec<Box<dyn Optimizer>> {
    vec![
        Box::new(SGD::new().momentum(0.9).nesterov(true).decay(1e-2)),
        Box::new(RMSprop::new().momentum(0.5).centered(true).clipvalue(0.3)),
        Box::new(Adam::new().amsgrad(true).weight_decay(0.01)),
        Box::new(AdamW::new().global_clipnorm(0.5)),
        Box::new(Adamax::new().learning_rate(ExponentialDecay::new(0.1, 3, 0.5))),
        Box::new(Nadam::new().beta_1(0.8).clipnorm(0.2)),
        Box::new(Adagrad::new().initial_accumulator_value(0.2)),
        Box::new(Adadelta::new().learning_rate(1.0)),
        Box::new(
            LossScaleOptimizer::new(Adam::new().amsgrad(true))
                .initial_scale(8.0)
                .dynamic_growth_steps(3),
        ),
    ]
}

fn gradient(step: usize) -> [Tensor; 2] {
    let number = |i: usize| ((i * 7 + step * 3) % 11) as f32 / 5.0 - 1.0;
    [
        Tensor::from((0..6).map(number).collect::<Vec<f32>>()).reshape([2, 3]),
        Tensor::from((6..9).map(number).collect::<Vec<f32>>()),
    ]
}

fn train(optimizer: &mut dyn Optimizer, weights: &mut [Tensor; 2], steps: std::ops::Range<usize>) {
    for step in steps {
        let [first, second] = weights;
        optimizer.step(&mut [first, second], &gradient(step));
    }
}

#[test]
fn training_goes_on_bit_for_bit_from_what_was_saved() {
    let all = configured();
    let names: Vec<&str> = all.iter().map(|optimizer| optimizer.name()).collect();
    let known = [NAMES, &["loss_scale_optimizer"]].concat();
    assert_eq!(names, known, "each optimizer has its case here");
    for mut optimizer in all {
        let mut weights = [Tensor::ones([2, 3]), Tensor::full([3], -0.5)];
        train(&mut *optimizer, &mut weights, 0..4);
        let state: State = optimizer
            .state()
            .unwrap()
            .into_iter()
            .map(|(name, slots)| (name.to_string(), slots.iter().map(|s| s.to_vec()).collect()))
            .collect();
        let config = optimizer.config().unwrap().to_string();
        let config = serde_json::from_str(&config).unwrap();
        let mut copy = from_config(optimizer.name(), &config, state).unwrap();
        let mut others = weights.clone();
        train(&mut *optimizer, &mut weights, 4..8);
        train(&mut *copy, &mut others, 4..8);
        assert_eq!(weights, others, "{}", optimizer.name());
        assert_eq!(optimizer.config(), copy.config());
    }
}

#[test]
fn reset_forgets_all_that_earlier_steps_left_behind() {
    for fresh in configured() {
        let mut used = fresh.clone();
        let mut weights = [Tensor::ones([2, 3]), Tensor::full([3], -0.5)];
        train(&mut *used, &mut weights.clone(), 0..3);
        used.reset();
        assert_eq!(used.config(), fresh.config(), "{}", fresh.name());
        let mut fresh = fresh;
        let mut others = weights.clone();
        train(&mut *used, &mut weights, 0..3);
        train(&mut *fresh, &mut others, 0..3);
        assert_eq!(weights, others, "{}", fresh.name());
    }
}

#[test]
fn what_an_earlier_version_saved_is_still_read() {
    let rmsprop =
        serde_json::json!({"learning_rate": 0.01, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7});
    let optimizer = from_config("rmsprop", &rmsprop, State::new()).unwrap();
    assert_eq!(optimizer.learning_rate(), 0.01);
}

#[test]
fn a_schedule_moves_the_rate_with_the_steps_and_a_number_takes_its_place() {
    let mut optimizer = SGD::new().learning_rate(InverseTimeDecay::new(1.0, 1, 1.0));
    let mut by_decay = SGD::new().learning_rate(1.0).decay(1.0);
    let mut weight = Tensor::zeros([1]);
    for rate in [1.0, 0.5, 1.0 / 3.0] {
        assert_eq!(Optimizer::learning_rate(&optimizer), rate);
        assert_eq!(Optimizer::learning_rate(&by_decay), rate);
        optimizer.step(&mut [&mut weight], &[Tensor::ones([1])]);
        by_decay.step(&mut [&mut weight], &[Tensor::ones([1])]);
    }
    let rate = Optimizer::learning_rate(&by_decay);
    by_decay.set_learning_rate(rate / 2.0);
    assert_eq!(Optimizer::learning_rate(&by_decay), rate / 2.0);
    assert_eq!(optimizer.schedule(), Some("InverseTimeDecay"));
    optimizer.set_learning_rate(0.25);
    assert_eq!(
        (optimizer.schedule(), Optimizer::learning_rate(&optimizer)),
        (None, 0.25)
    );
}

#[test]
fn clipping_decay_and_schedules_out_of_range_are_refused() {
    let error = |choice: OptimizerChoice| choice.resolve().err().unwrap().to_string();
    assert!(
        error(Adam::new().clipnorm(0.0).into())
            .contains("Adam: clipnorm must be a number above 0, got 0")
    );
    assert!(error(AdamW::new().weight_decay(-0.1).into()).contains("AdamW: weight_decay"));
    assert!(
        error(Adagrad::new().initial_accumulator_value(-1.0).into())
            .contains("initial_accumulator_value")
    );
    assert!(
        error(RMSprop::new().clipvalue(1.0).global_clipnorm(1.0).into()).contains("only one of")
    );
    let both = SGD::new()
        .decay(0.1)
        .learning_rate(CosineDecay::new(0.1, 10));
    assert!(error(both.into()).contains("but it is CosineDecay"));
    assert!(
        error(
            Nadam::new()
                .learning_rate(ExponentialDecay::new(0.1, 0, 0.9))
                .into()
        )
        .contains("decay_steps")
    );
}

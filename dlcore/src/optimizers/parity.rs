//! The same weights as Keras 3 after each of five steps, by every optimizer with every option; the
//! same rates by every schedule.

use super::*;
use crate::fixtures::{close, covered, fixture, list, numbers, tensor, text, training};

const SHARED: [&str; 6] = [
    "default",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
];

type Named = (String, Box<dyn Optimizer>);

/// Each optimizer of these kinds with each option that all have.
macro_rules! shared {
    ($($optimizer:ident),*) => {{
        let mut all: Vec<Named> = Vec::new();
        $(
            let faster = || $optimizer::new().learning_rate(0.05);
            let options = [
                $optimizer::new(),
                faster(),
                faster().weight_decay(0.1),
                faster().clipnorm(0.5),
                faster().clipvalue(0.2),
                faster().global_clipnorm(0.6),
            ];
            for (name, optimizer) in SHARED.iter().zip(options) {
                all.push((format!("{}/{name}", optimizer.name()), Box::new(optimizer)));
            }
        )*
        all
    }};
}

fn schedules() -> Vec<(&'static str, LearningRate)> {
    vec![
        (
            "ExponentialDecay",
            ExponentialDecay::new(0.1, 4, 0.7).into(),
        ),
        (
            "ExponentialDecay/staircase",
            ExponentialDecay::new(0.1, 2, 0.7).staircase(true).into(),
        ),
        (
            "InverseTimeDecay",
            InverseTimeDecay::new(0.1, 4, 0.7).into(),
        ),
        (
            "InverseTimeDecay/staircase",
            InverseTimeDecay::new(0.1, 2, 0.7).staircase(true).into(),
        ),
        (
            "PiecewiseConstantDecay",
            PiecewiseConstantDecay::new([1, 3], [0.1, 0.05, 0.01]).into(),
        ),
        ("PolynomialDecay", PolynomialDecay::new(0.1, 4).into()),
        (
            "PolynomialDecay/configured",
            PolynomialDecay::new(0.1, 3)
                .end_learning_rate(0.01)
                .power(2.0)
                .cycle(true)
                .into(),
        ),
        ("CosineDecay", CosineDecay::new(0.1, 4).into()),
        (
            "CosineDecay/warmup",
            CosineDecay::new(0.01, 3).alpha(0.1).warmup(0.1, 2).into(),
        ),
    ]
}

fn optimizers() -> Vec<Named> {
    fn named(name: &str, optimizer: impl Optimizer + 'static) -> Named {
        (name.to_string(), Box::new(optimizer))
    }
    let mut all = shared!(SGD, RMSprop, Adam, AdamW, Adamax, Nadam, Adagrad, Adadelta);
    let sgd = || SGD::new().learning_rate(0.05);
    let rmsprop = || RMSprop::new().learning_rate(0.05);
    let centered = || rmsprop().centered(true).epsilon(1e-3);
    let adam = || Adam::new().learning_rate(0.05);
    all.extend([
        named("sgd/momentum", sgd().momentum(0.9)),
        named("sgd/nesterov", sgd().momentum(0.9).nesterov(true)),
        named("sgd/decay", sgd().decay(0.3)),
        named("rmsprop/decay", rmsprop().decay(0.3)),
        named("rmsprop/configured", rmsprop().rho(0.8).epsilon(1e-3)),
        named("rmsprop/momentum", rmsprop().momentum(0.5)),
        named("rmsprop/centered", centered()),
        named("rmsprop/centered-momentum", centered().momentum(0.5)),
        named(
            "adam/configured",
            adam().beta_1(0.8).beta_2(0.9).epsilon(1e-3),
        ),
        named("adam/amsgrad", adam().amsgrad(true).beta_2(0.5)),
        named(
            "adamw/configured",
            AdamW::new()
                .learning_rate(0.05)
                .beta_1(0.8)
                .beta_2(0.9)
                .epsilon(1e-3)
                .amsgrad(true),
        ),
        named(
            "adamax/configured",
            Adamax::new()
                .learning_rate(0.05)
                .beta_1(0.8)
                .beta_2(0.9)
                .epsilon(1e-3),
        ),
        named(
            "nadam/configured",
            Nadam::new()
                .learning_rate(0.05)
                .beta_1(0.8)
                .beta_2(0.9)
                .epsilon(1e-3),
        ),
        named(
            "adagrad/configured",
            Adagrad::new()
                .learning_rate(0.05)
                .initial_accumulator_value(0.3)
                .epsilon(1e-3),
        ),
        named(
            "adadelta/configured",
            Adadelta::new().learning_rate(0.5).rho(0.8).epsilon(1e-2),
        ),
    ]);
    let scheduled = schedules().into_iter();
    all.extend(
        scheduled.map(|(name, rate)| named(&format!("sgd/{name}"), SGD::new().learning_rate(rate))),
    );
    all
}

#[test]
fn every_optimizer_and_option_has_its_case() {
    let all = optimizers();
    let cases = list(&training("optimizers")["cases"])
        .iter()
        .map(|case| text(case, "name"));
    covered(cases, all.iter().map(|(name, _)| name.as_str()));
    for (name, option) in NAMES
        .iter()
        .flat_map(|name| SHARED.map(|option| (name, option)))
    {
        let wanted = format!("{name}/{option}");
        assert!(all.iter().any(|(case, _)| *case == wanted), "{wanted}");
    }
}

#[test]
fn five_steps_of_every_optimizer_are_those_of_keras() {
    let fixtures = training("optimizers");
    let start: Vec<Tensor> = list(&fixtures["weights"]).iter().map(tensor).collect();
    for (name, mut optimizer) in optimizers() {
        let mut cases = list(&fixtures["cases"]).iter();
        let case = cases.find(|case| text(case, "name") == name).unwrap();
        let mut weights = start.clone();
        for (step, (gradients, after)) in list(&fixtures["gradients"])
            .iter()
            .zip(list(&case["after"]))
            .enumerate()
        {
            let gradients: Vec<Tensor> = list(gradients).iter().map(tensor).collect();
            optimizer.step(&mut weights.iter_mut().collect::<Vec<_>>(), &gradients);
            for (weight, expected) in weights.iter().zip(list(after)) {
                let what = format!("{name}, step {}", step + 1);
                close(&what, &weight.to_vec_of::<f64>(), &numbers(expected));
            }
        }
    }
}

#[test]
fn the_rates_of_every_schedule_are_those_of_keras() {
    let cases = list(training("schedules"));
    let all = schedules();
    covered(
        cases.iter().map(|case| text(case, "name")),
        all.iter().map(|(name, _)| *name),
    );
    for name in schedules::NAMES {
        let any = all.iter().any(|(_, rate)| rate.schedule() == Some(name));
        assert!(any, "{name}");
    }
    for (case, (name, rate)) in cases.iter().zip(&all) {
        let expected = numbers(&case["rates"]);
        let rates: Vec<f64> = (0..expected.len())
            .map(|step| rate.at(step as u64))
            .collect();
        close(name, &rates, &expected);
    }
}

fn scaled() -> Vec<(&'static str, LossScaleOptimizer)> {
    let own = |inner: Box<dyn Optimizer>| {
        LossScaleOptimizer::new(inner)
            .initial_scale(1000.0)
            .dynamic_growth_steps(2)
    };
    let rate = 0.05;
    let momentum = SGD::new().learning_rate(rate).momentum(0.9);
    let clipped = RMSprop::new().learning_rate(rate).clipnorm(0.5);
    vec![
        (
            "default",
            LossScaleOptimizer::new(Adam::new().learning_rate(rate)),
        ),
        ("sgd", own(momentum.into())),
        ("clipnorm", own(clipped.into())),
    ]
}

/// Weights and scale after each step are those of `tests/parity/loss_scale.py`, where one step's gradients are
/// infinite and one's no numbers.
#[test]
fn steps_by_a_scaled_loss_are_those_of_keras() {
    let fixtures = &fixture("loss_scale.json")["steps"];
    let start: Vec<Tensor> = list(&fixtures["weights"]).iter().map(tensor).collect();
    let cases = list(&fixtures["cases"]);
    let optimizers = scaled();
    assert_eq!(cases.len(), optimizers.len());
    for (case, (name, mut optimizer)) in cases.iter().zip(optimizers) {
        assert_eq!(text(case, "name"), name);
        let mut weights = start.clone();
        let mut scales = Vec::new();
        let steps = list(&fixtures["gradients"]).iter().enumerate();
        for ((step, gradients), after) in steps.zip(list(&case["after"])) {
            let added = match fixtures["added"][step].as_str() {
                Some(text) => text.parse().unwrap(),
                None => 0.0_f64,
            };
            let gradients = list(gradients).iter().map(tensor);
            let gradients = gradients.map(|g| optimizer.scale_loss(&g) + added);
            let gradients: Vec<Tensor> = gradients.collect();
            optimizer.step(&mut weights.iter_mut().collect::<Vec<_>>(), &gradients);
            scales.push(optimizer.dynamic_scale());
            for (weight, expected) in weights.iter().zip(list(after)) {
                let what = format!("{name}, step {}", step + 1);
                close(&what, &weight.to_vec_of::<f64>(), &numbers(expected));
            }
        }
        assert_eq!(scales, numbers(&case["scales"]), "{name}");
    }
}

//! Several ranks train the weights of one.

use std::net::TcpListener;
use std::sync::Arc;

use super::{numbers, settle};
use crate::callbacks::{Callback, Control, LambdaCallback, Logs, Trainable};
use crate::distributed::{DataParallel, Sockets};
use crate::layers::{BatchNormalization, Bidirectional, Dense, LSTM, Lambda, Layer};
use crate::models::*;
use crate::optimizers::{Adam, Optimizer, RMSprop, SGD};
use crate::{Result, Tensor};

/// 44 samples: in batches of 16 the last one has 12, which four ranks share evenly, and five do not.
fn data() -> (Tensor, Tensor) {
    let labels: Vec<i64> = (0..44).map(|i| i * 7 % 3).collect();
    (numbers([44, 6], 3), Tensor::from(labels).one_hot(3))
}

fn model(optimizer: Box<dyn Optimizer>) -> Sequential {
    let mut model = Sequential::new()
        .add(
            Dense::new(8)
                .activation("tanh")
                .kernel_regularizer("l2")
                .input_shape([6]),
        )
        .add(Dense::new(3).activation("softmax"));
    settle(&model);
    model
        .compile(optimizer, "categorical_crossentropy", ["accuracy"])
        .unwrap();
    model
}

fn fit(model: &mut Sequential, ranks: Option<&DataParallel>) -> Result<History> {
    let (x, y) = data();
    let mut settings = Fit::epochs(3).batch_size(16).shuffle(false).verbose(0);
    if let Some(ranks) = ranks {
        settings = settings.distribution(ranks);
    }
    model.fit(&x, &y, settings)
}

fn worst(left: &[Tensor], right: &[Tensor]) -> f64 {
    let each = left
        .iter()
        .zip(right)
        .map(|(l, r)| (l - r).abs().max().item());
    each.fold(0.0, f64::max)
}

/// Runs `each` as every rank of `size`, in a thread of its own, over sockets.
fn as_ranks<T: Send>(size: usize, each: impl Fn(DataParallel) -> T + Sync) -> Vec<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::scope(|scope| {
        let (each, address) = (&each, &address);
        let mut threads = vec![scope.spawn(move || {
            each(DataParallel::new(Arc::new(
                Sockets::accept(listener, size).unwrap(),
            )))
        })];
        for rank in 1..size {
            threads.push(
                scope.spawn(move || each(DataParallel::connect(rank, size, address).unwrap())),
            );
        }
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn two_and_four_ranks_give_the_weights_of_one_with_the_whole_batch() {
    type Make = fn() -> Box<dyn Optimizer>;
    let optimizers: [Make; 3] = [
        || Box::new(SGD::new().learning_rate(0.1).momentum(0.9)),
        || Box::new(RMSprop::new()),
        || Box::new(Adam::new()),
    ];
    for make in optimizers {
        let mut one = model(make());
        let expected = fit(&mut one, None).unwrap();
        for size in [2, 4, 5] {
            let ranks = DataParallel::ranks(size).unwrap();
            let mut here = model(make());
            let history = fit(&mut here, Some(&ranks)).unwrap();
            let off = worst(&here.get_weights(), &one.get_weights());
            assert!(off < 1e-6, "{size} ranks here: off by {off:e}");
            for name in ["loss", "accuracy"] {
                for (got, expected) in history.get(name).iter().zip(expected.get(name)) {
                    assert!(
                        (got - expected).abs() < 1e-5,
                        "{name}: {got}, not {expected}"
                    );
                }
            }
            let apart = as_ranks(size, |ranks| {
                let mut model = model(make());
                let history = fit(&mut model, Some(&ranks)).unwrap();
                (
                    model.get_weights(),
                    history.get("loss"),
                    history.get("accuracy"),
                )
            });
            for (weights, losses, accuracies) in &apart {
                assert_eq!(weights, &here.get_weights(), "{size} ranks apart");
                assert_eq!((losses, accuracies), (&apart[0].1, &apart[0].2));
                for (got, expected) in losses.iter().zip(expected.get("loss")) {
                    assert!((got - expected).abs() < 1e-5, "loss: {got}, not {expected}");
                }
            }
        }
    }
}

#[test]
fn ranks_begin_with_the_weights_of_the_first_and_take_its_order() {
    let results = as_ranks(3, |ranks| {
        let mut model = Sequential::new()
            .add(Dense::new(4).input_shape([6]))
            .add(BatchNormalization::new())
            .add(Dense::new(3).activation("softmax"));
        model
            .compile("adam", "categorical_crossentropy", ["accuracy"])
            .unwrap();
        let (x, y) = data();
        // Weights and orders are drawn from one stream by all threads: each has others.
        let settings = Fit::epochs(2)
            .batch_size(15)
            .verbose(0)
            .distribution(&ranks);
        model.fit(&x, &y, settings).unwrap();
        model.get_weights()
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn a_rank_that_ends_early_is_an_error_for_the_others_not_a_wait() {
    let results = as_ranks(2, |ranks| {
        let mut model = model(Box::new(SGD::new()));
        let (x, y) = data();
        let own = ranks.rank();
        let stop = LambdaCallback::new().on_epoch_end(move |_, _| match own {
            0 => Control::Continue,
            _ => Control::Stop("enough".to_owned()),
        });
        let settings = Fit::epochs(3).batch_size(16).verbose(0).callback(stop);
        let ended = model.fit(&x, &y, settings.distribution(&ranks));
        let again = fit(&mut model, Some(&ranks)).unwrap_err().to_string();
        // The connection outlives the training.
        (ended.map_err(|error| error.to_string()), again, ranks)
    });
    let error = results[0].0.as_ref().unwrap_err();
    assert!(
        error.contains("rank 1 has left: its training was stopped: enough"),
        "{error}"
    );
    assert_eq!(results[1].0.as_ref().unwrap().stop_reason(), "enough");
    for (_, again, _) in &results {
        assert!(again.contains("connect all ranks again"), "{again}");
    }
}

#[test]
fn a_rank_whose_fit_fails_before_training_is_an_error_for_the_others_with_its_reason() {
    type Fails = fn(&DataParallel) -> Result<History>;
    let fails: [(Fails, &str); 5] = [
        (
            |ranks| {
                let settings = Fit::epochs(1).verbose(0).distribution(ranks);
                model(Box::new(SGD::new())).fit(&numbers([44, 5], 3), &data().1, settings)
            },
            "[44, 5]",
        ),
        (
            |ranks| {
                let mut model = Sequential::new().add(Dense::new(3).input_shape([6]));
                fit(&mut model, Some(ranks))
            },
            "compile",
        ),
        (
            |ranks| {
                let (x, y) = data();
                let settings = Fit::epochs(1).batch_size(0).distribution(ranks);
                model(Box::new(SGD::new())).fit(&x, &y, settings)
            },
            "batch_size must be at least 1",
        ),
        (
            |ranks| {
                let none: Vec<(Tensor, Tensor)> = Vec::new();
                let settings = Fit::epochs(1).steps_per_epoch(3).distribution(ranks);
                model(Box::new(SGD::new())).fit_batches(none, settings)
            },
            "the generator has no batch",
        ),
        (
            |ranks| {
                let none: Vec<(Tensor, Tensor)> = Vec::new();
                let settings = Fit::epochs(1).distribution(ranks);
                model(Box::new(SGD::new())).fit_sequence(none, settings)
            },
            "the sequence has 0",
        ),
    ];
    for failing in [0, 2] {
        for (fails, words) in fails {
            let errors = as_ranks(3, |ranks| {
                let fitted = match ranks.rank() == failing {
                    true => fails(&ranks),
                    false => fit(&mut model(Box::new(SGD::new())), Some(&ranks)),
                };
                // The connection outlives the training, as in a notebook.
                (fitted.unwrap_err().to_string(), ranks)
            });
            for (error, ranks) in &errors {
                assert!(error.contains(words), "{error}");
                let told = error.contains(&format!("rank {failing} has left: "));
                assert_eq!(told, ranks.rank() != failing, "{error}");
            }
        }
    }
}

#[test]
fn a_rank_can_say_that_its_data_are_missing() {
    let errors = as_ranks(2, |ranks| {
        if ranks.rank() == 1 {
            ranks.leave("mnist was not found");
        }
        let error = fit(&mut model(Box::new(SGD::new())), Some(&ranks)).unwrap_err();
        (error.to_string(), ranks)
    });
    let error = &errors[0].0;
    assert!(
        error.contains("rank 1 has left: mnist was not found"),
        "{error}"
    );
}

#[test]
fn a_connection_serves_one_training_after_another() {
    let results = as_ranks(2, |ranks| {
        let mut model = model(Box::new(Adam::new()));
        fit(&mut model, Some(&ranks)).unwrap();
        fit(&mut model, Some(&ranks)).unwrap();
        model.get_weights()
    });
    assert_eq!(results[0], results[1]);
}

#[test]
fn ranks_with_other_epochs_or_another_optimizer_are_told_so() {
    let errors = as_ranks(2, |ranks| {
        let mut model = model(Box::new(SGD::new()));
        let (x, y) = data();
        let settings = Fit::epochs(1 + ranks.rank()).verbose(0);
        let fitted = model.fit(&x, &y, settings.distribution(&ranks));
        (fitted.unwrap_err().to_string(), ranks)
    });
    for (error, _) in errors {
        assert!(error.contains("all 2 must have the same epochs"), "{error}");
    }
    type Make = fn(usize) -> Sequential;
    let differ: [Make; 2] = [
        |rank| model(Box::new(SGD::new().learning_rate(0.1 + rank as f64))),
        |rank| {
            let mut model = model(Box::new(Adam::new()));
            if rank == 0 {
                fit(&mut model, None).unwrap();
            }
            model
        },
    ];
    for make in differ {
        let errors = as_ranks(2, |ranks| {
            let mut model = make(ranks.rank());
            let before = model.get_weights();
            let error = fit(&mut model, Some(&ranks)).unwrap_err().to_string();
            (error, before == model.get_weights(), ranks)
        });
        for (error, same, _) in errors {
            assert!(
                error.contains("the same optimizer in the same state"),
                "{error}"
            );
            assert!(same);
        }
    }
}

/// Adds a loss of its own, the sum of what comes.
#[derive(Clone)]
struct Adds;

impl Layer for Adds {
    fn name(&self) -> &str {
        "adds"
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        self.add_loss(&x.square().sum());
        x.clone()
    }
}

#[test]
fn what_shares_do_not_compute_as_the_whole_batch_is_refused() {
    let refused = |model: &mut Model, x: Tensor| {
        model.compile("sgd", "mse", ()).unwrap();
        let before = model.get_weights();
        let ranks = DataParallel::ranks(2).unwrap();
        let settings = Fit::epochs(1).verbose(0).distribution(&ranks);
        let error = model.fit(&x, &Tensor::ones([4, 1]), settings).unwrap_err();
        assert_eq!(model.get_weights(), before);
        let error = error.to_string();
        assert!(error.contains("leave out distribution"), "{error}");
        error
    };
    let input = Input::named("data", [2]);
    let output = Dense::new(1).on(&input);
    let mut inner = Model::new(&input, &output).unwrap();
    let squares = Lambda::new(Tensor::square).on(&output);
    inner.add_loss(&squares).unwrap();
    let mut model = Model::new(&input, &output).unwrap();
    model.add_loss(&squares).unwrap();
    let error = refused(&mut model, Tensor::ones([4, 2]));
    assert!(error.contains("a loss by add_loss"), "{error}");
    let mut outer = Sequential::new().add(&inner);
    let error = refused(&mut outer, Tensor::ones([4, 2]));
    assert!(error.contains("a loss by add_loss"), "{error}");
    let mut own = Sequential::new()
        .add(Dense::new(1).input_shape([2]))
        .add(Adds);
    let error = refused(&mut own, Tensor::ones([4, 2]));
    assert!(
        error.contains("a layer of the model adds a loss"),
        "{error}"
    );
    let mut stateful = Sequential::new()
        .add(Bidirectional::new(LSTM::new(1).stateful(true)))
        .add(Dense::new(1));
    stateful.build(&[3, 2]).unwrap();
    let error = refused(&mut stateful, Tensor::ones([4, 3, 2]));
    assert!(error.contains("is stateful"), "{error}");
}

#[test]
fn a_loss_that_is_not_finite_on_one_rank_changes_the_weights_of_none() {
    let results = as_ranks(2, |ranks| {
        let mut model = model(Box::new(SGD::new()));
        let before = model.get_weights();
        let (x, y) = data();
        let mut values = x.to_vec();
        values[0] = f32::NAN;
        let x = Tensor::from_shape_vec([44, 6], values).unwrap();
        let settings = Fit::epochs(1).batch_size(44).shuffle(false).verbose(0);
        let error = model.fit(&x, &y, settings.distribution(ranks)).unwrap_err();
        (error.to_string(), before == model.get_weights())
    });
    for (error, same) in results {
        assert!(error.contains("the loss became NaN"), "{error}");
        assert!(same);
    }
}

/// Makes the weights infinite after the last of three batches.
struct Spoils;

impl Callback for Spoils {
    fn batch_end(&mut self, batch: usize, _: &Logs, model: &mut dyn Trainable) -> Control {
        if batch == 2 {
            let weights = model.get_weights();
            let spoilt: Vec<Tensor> = weights.iter().map(|w| w * f32::INFINITY).collect();
            model.set_weights(&spoilt).unwrap();
        }
        Control::Continue
    }
}

#[test]
fn weights_that_are_not_finite_on_one_rank_end_the_training_of_all() {
    for spoilt in 0..2 {
        let results = as_ranks(2, |ranks| {
            let mut model = model(Box::new(SGD::new()));
            let before = model.get_weights();
            let (x, y) = data();
            let mut settings = Fit::epochs(2).batch_size(16).shuffle(false).verbose(0);
            if ranks.rank() == spoilt {
                settings = settings.callback(Spoils);
            }
            let ended = model.fit(&x, &y, settings.distribution(&ranks));
            let same = before == model.get_weights();
            // The connection outlives the training, and serves another one.
            let again = fit(&mut model, Some(&ranks)).map(|_| model.get_weights());
            (ended.unwrap_err().to_string(), same, again.unwrap(), ranks)
        });
        for (error, same, again, _) in &results {
            assert!(
                error.contains("the weights became infinite or NaN"),
                "{error}"
            );
            assert!(same);
            assert_eq!(again, &results[0].2);
        }
    }
}

#[test]
fn statistics_that_are_not_finite_in_one_share_end_all_ranks_alike() {
    for large in 0..2 {
        let results = as_ranks(2, |ranks| {
            let mut model = Sequential::new()
                .add(BatchNormalization::new().input_shape([6]))
                .add(Dense::new(3).activation("softmax"));
            settle(&model);
            model
                .compile("sgd", "categorical_crossentropy", ())
                .unwrap();
            let (x, y) = data();
            let mut values = x.to_vec();
            // The variance of this share is more than single precision holds.
            let share = values.len() / 2;
            let own = large * share..(large + 1) * share;
            values[own].iter_mut().for_each(|value| *value *= 1e25);
            let x = Tensor::from_shape_vec([44, 6], values).unwrap();
            let settings = Fit::epochs(2).batch_size(44).shuffle(false).verbose(0);
            let ended = model.fit(&x, &y, settings.distribution(&ranks));
            (ended.map(|_| ()).map_err(|error| error.to_string()), ranks)
        });
        assert_eq!(results[0].0, results[1].0);
    }
}

//! The operation against its naive twin: the same formulas, step by step, in tensor operations.

use super::*;
use crate::GradientTape;
use crate::device::cpu::Nonlinearity;

const CELLS: [Cell; 4] = [
    Cell::Simple {
        activation: Nonlinearity::Tanh,
    },
    Cell::Lstm {
        activation: Nonlinearity::Tanh,
        recurrent: Nonlinearity::Sigmoid,
    },
    Cell::Gru {
        activation: Nonlinearity::Tanh,
        recurrent: Nonlinearity::Sigmoid,
        reset_after: true,
    },
    Cell::Gru {
        activation: Nonlinearity::Tanh,
        recurrent: Nonlinearity::Sigmoid,
        reset_after: false,
    },
];

/// `activation` instead of tanh, `recurrent` instead of the sigmoid.
fn with(cell: Cell, activation: Nonlinearity, recurrent: Nonlinearity) -> Cell {
    match cell {
        Cell::Simple { .. } => Cell::Simple { activation },
        Cell::Lstm { .. } => Cell::Lstm {
            activation,
            recurrent,
        },
        Cell::Gru { reset_after, .. } => Cell::Gru {
            activation,
            recurrent,
            reset_after,
        },
    }
}

fn plain(cell: Cell) -> Recurrent {
    Recurrent {
        cell,
        bias: true,
        backwards: false,
        sequences: true,
        states: false,
        zero_masked: false,
        sides: Box::default(),
        memory: Memory::default(),
    }
}

/// Uneven numbers within ±`size`.
fn uneven(shape: &[usize], size: f64, seed: usize) -> Tensor {
    let length: usize = shape.iter().product();
    let value = |i: usize| size * (((i * 37 + seed * 61 + 11) % 101) as f64 - 50.5) / 50.5;
    Tensor::from_shape_vec_f64(shape, (0..length).map(value).collect()).unwrap()
}

fn operands(pass: &Recurrent, batch: usize, steps: usize, initial: bool) -> Vec<Tensor> {
    let (features, units) = (3, 2);
    let columns = pass.cell.gates() * units;
    let mut operands = vec![
        uneven(&[batch, steps, features], 1.5, 0),
        uneven(&[features, columns], 0.8, 1),
        uneven(&[units, columns], 0.9, 2),
    ];
    if pass.bias {
        operands.push(uneven(&pass.cell.bias_shape(units), 0.5, 3));
    }
    if initial {
        let state = |state| uneven(&[batch, units], 0.7, 4 + state);
        operands.extend((0..pass.cell.states()).map(state));
    }
    operands
}

fn mask(batch: usize, steps: usize) -> Tensor {
    let counts = (0..batch * steps).map(|i| i * 7 % 5 > 1);
    Tensor::from(counts.collect::<Vec<bool>>()).reshape([batch, steps])
}

fn apply_to(activation: Nonlinearity, x: &Tensor) -> Tensor {
    match activation {
        Nonlinearity::Linear => x.clone(),
        Nonlinearity::Relu => x.relu(),
        Nonlinearity::Sigmoid => x.sigmoid(),
        Nonlinearity::Tanh => x.tanh(),
        Nonlinearity::HardSigmoid => (x / 6.0 + 0.5).clip(0.0, 1.0),
        Nonlinearity::HardSigmoid2017 => (x * 0.2 + 0.5).clip(0.0, 1.0),
    }
}

/// States after one step.
fn naive_step(pass: &Recurrent, x: &Tensor, o: &[Tensor], states: &[Tensor]) -> Vec<Tensor> {
    let units = o[2].shape()[0];
    let part = |x: &Tensor, gate: usize| x.slice((.., gate * units..(gate + 1) * units));
    let zero = Tensor::zeros(pass.cell.bias_shape(units)).cast(DType::F64);
    let bias = if pass.bias { &o[3] } else { &zero };
    let h = &states[0];
    let dropped = |x: &Tensor, dropout: &Option<Tensor>, gate: usize| match dropout {
        Some(dropout) if dropout.ndim() == 3 => x * dropout.get(gate as isize),
        Some(dropout) => x * dropout,
        None => x.clone(),
    };
    let u = &o[2];
    let gates = 0..pass.cell.gates();
    let joined = |parts: Vec<Tensor>| Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1);
    let of_input = |gate| dropped(x, &pass.sides.input_dropout, gate).dot(&part(&o[1], gate));
    let seen = |gate| dropped(h, &pass.sides.dropout, gate);
    let of_input = joined(gates.clone().map(of_input).collect());
    let through = joined(gates.map(|gate| seen(gate).dot(&part(u, gate))).collect());
    match pass.cell {
        Cell::Simple { activation } => {
            vec![apply_to(activation, &(of_input + through + bias))]
        }
        Cell::Lstm {
            activation,
            recurrent,
        } => {
            let z = of_input + through + bias;
            let gate = |gate| apply_to(recurrent, &part(&z, gate));
            let candidate = apply_to(activation, &part(&z, 2));
            let c = gate(1) * &states[1] + gate(0) * candidate;
            vec![gate(3) * apply_to(activation, &c), c]
        }
        Cell::Gru {
            activation,
            recurrent,
            reset_after,
        } => {
            let (bias, inner_bias) = match reset_after {
                true => (bias.get(0), bias.get(1)),
                false => (bias.clone(), zero.clone()),
            };
            let (a, inner) = (of_input + bias, through + inner_bias);
            let gate = |gate| apply_to(recurrent, &(part(&a, gate) + part(&inner, gate)));
            let (update, reset) = (gate(0), gate(1));
            let recurrent = match reset_after {
                true => &reset * part(&inner, 2),
                false => (&reset * seen(2)).dot(&part(u, 2)),
            };
            let candidate = apply_to(activation, &(part(&a, 2) + recurrent));
            vec![&update * h + (1.0 - &update) * candidate]
        }
    }
}

/// What [`recurrent`] must equal.
fn naive(pass: &Recurrent, o: &[Tensor]) -> Tensor {
    let (batch, steps) = (o[0].shape()[0], o[0].shape()[1]);
    let units = o[2].shape()[0];
    let weights = 3 + usize::from(pass.bias);
    let mut states = o[weights..].to_vec();
    if states.is_empty() {
        states = vec![Tensor::zeros([batch, units]).cast(DType::F64); pass.cell.states()];
    }
    let mut outputs = Vec::new();
    for step in 0..steps {
        let time = if pass.backwards {
            steps - 1 - step
        } else {
            step
        };
        let x = o[0].slice((.., time, ..));
        let mut after = naive_step(pass, &x, o, &states);
        let mut output = after[0].clone();
        if let Some(mask) = &pass.sides.mask {
            let counts = mask.slice((.., time..time + 1)).cast(DType::F64);
            let stays = 1.0 - &counts;
            for (after, before) in after.iter_mut().zip(&states) {
                *after = &*after * &counts + before * &stays;
            }
            output = match pass.zero_masked {
                true => output * &counts,
                false => after[0].clone(),
            };
        }
        states = after;
        outputs.push(output);
    }
    let sequence = Tensor::stack(&outputs.iter().collect::<Vec<_>>(), 1);
    match (pass.sequences, pass.states) {
        (true, false) => sequence,
        (false, false) => states[0].clone(),
        (sequences, true) => {
            let flat = sequence.reshape([batch, steps * units]);
            let parts = sequences.then_some(&flat).into_iter().chain(&states);
            Tensor::concat(&parts.collect::<Vec<_>>(), 1)
        }
    }
}

/// Output and gradients by all operands.
fn measured(function: impl Fn(&[Tensor]) -> Tensor, operands: &[Tensor]) -> Vec<Tensor> {
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = operands.iter().map(|operand| tape.watch(operand)).collect();
    let output = function(&watched);
    let weights = uneven(output.shape(), 1.0, 9);
    let loss = (&output * weights).sum();
    let mut all = vec![output.detach()];
    all.extend(tape.gradient(&loss, &watched.iter().collect::<Vec<_>>()));
    all
}

#[track_caller]
fn equals_its_twin(pass: &Recurrent, operands: &[Tensor]) {
    let fused = measured(
        |o| {
            let fresh = Recurrent {
                memory: Memory::default(),
                ..pass.clone()
            };
            recurrent(fresh, &o.iter().collect::<Vec<_>>()).unwrap()
        },
        operands,
    );
    let composed = measured(|o| naive(pass, o), operands);
    for (index, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
        assert_eq!(fused.shape(), composed.shape(), "{pass:?}: result {index}");
        let scale = composed.abs().max().item().max(1.0);
        let worst = (fused - composed).abs().max().item();
        assert!(
            worst < 1e-12 * scale,
            "{pass:?}: result {index} is off by {worst}"
        );
    }
}

/// Every setting with every other.
pub(in super::super) fn every_way() -> Vec<(Recurrent, Vec<Tensor>)> {
    let mut all = Vec::new();
    for cell in CELLS {
        for (batch, steps) in [(1, 1), (3, 4)] {
            for bits in 0..96 {
                let bit = |bit: usize| bits >> bit & 1 == 1;
                // The last third: each gate drops something else.
                let dropped = |width: usize, size, seed| match bits < 64 {
                    true => bit(5).then(|| uneven(&[batch, width], size, seed)),
                    false => Some(uneven(&[cell.gates(), batch, width], size, seed)),
                };
                let pass = Recurrent {
                    backwards: bit(0),
                    sequences: bit(1),
                    states: bit(2),
                    zero_masked: bit(3) && bit(1) && bit(4),
                    bias: bit(4),
                    sides: Box::new(Sides {
                        mask: bit(3).then(|| mask(batch, steps)),
                        input_dropout: dropped(3, 1.3, 7),
                        dropout: dropped(2, 1.4, 8),
                    }),
                    ..plain(cell)
                };
                let operands = operands(&pass, batch, steps, bit(0) ^ bit(4));
                all.push((pass, operands));
            }
        }
    }
    all
}

/// Dropout of one kind, or of two kinds that do not go by the same gates.
pub(in super::super) fn uneven_drops() -> Vec<(Recurrent, Vec<Tensor>)> {
    let mut all = Vec::new();
    for cell in CELLS {
        let each = |width, seed| Some(uneven(&[cell.gates(), 3, width], 1.3, seed));
        let same = |width, seed| Some(uneven(&[3, width], 1.4, seed));
        for (input_dropout, dropout) in [
            (each(3, 7), None),
            (None, each(2, 8)),
            (each(3, 7), same(2, 8)),
            (same(3, 7), each(2, 8)),
        ] {
            let pass = Recurrent {
                sides: Box::new(Sides {
                    mask: Some(mask(3, 4)),
                    input_dropout,
                    dropout,
                }),
                ..plain(cell)
            };
            let operands = operands(&pass, 3, 4, true);
            all.push((pass, operands));
        }
    }
    all
}

/// Every function in every place.
pub(in super::super) fn every_activation() -> Vec<(Recurrent, Vec<Tensor>)> {
    let mut all = Vec::new();
    for cell in CELLS {
        for name in Nonlinearity::NAMES {
            let function = Nonlinearity::named(name).unwrap();
            for cell in [
                with(cell, function, Nonlinearity::Sigmoid),
                with(cell, Nonlinearity::Tanh, function),
            ] {
                let pass = plain(cell);
                let operands = operands(&pass, 2, 3, true);
                all.push((pass, operands));
            }
        }
    }
    all
}

#[test]
fn every_way_through_a_sequence_equals_its_twin() {
    for (pass, operands) in every_way().iter().chain(&uneven_drops()) {
        equals_its_twin(pass, operands);
    }
}

#[test]
fn chunks_and_blocks_join_without_a_seam() {
    // Three chunks, the last not full; several blocks, the last not full.
    for cell in CELLS {
        let pass = Recurrent {
            sides: Box::new(Sides {
                mask: Some(mask(70, 37)),
                input_dropout: Some(uneven(&[70, 3], 1.3, 7)),
                dropout: Some(uneven(&[70, 2], 1.4, 8)),
            }),
            ..plain(cell)
        };
        equals_its_twin(&pass, &operands(&pass, 70, 37, true));
        let each = Recurrent {
            sides: Box::new(Sides {
                mask: None,
                input_dropout: Some(uneven(&[cell.gates(), 70, 3], 1.3, 7)),
                dropout: Some(uneven(&[cell.gates(), 70, 2], 1.4, 8)),
            }),
            ..plain(cell)
        };
        equals_its_twin(&each, &operands(&each, 70, 37, true));
        let last = Recurrent {
            sequences: false,
            backwards: true,
            ..plain(cell)
        };
        equals_its_twin(&last, &operands(&last, 9, 131, false));
    }
}

#[test]
fn every_activation_equals_its_twin() {
    for (pass, operands) in every_activation() {
        equals_its_twin(&pass, &operands);
    }
}

#[test]
fn without_a_tape_nothing_is_kept_and_the_output_is_the_same() {
    for cell in CELLS {
        for sequences in [true, false] {
            let pass = Recurrent {
                sequences,
                states: true,
                ..plain(cell)
            };
            let plain = operands(&pass, 40, 50, true);
            let single: Vec<Tensor> = plain.iter().map(|o| o.cast(DType::F32)).collect();
            let all: Vec<&Tensor> = single.iter().collect();
            let free = recurrent(pass.clone(), &all).unwrap();
            assert!(pass.memory.kept::<Vec<Kept<f32>>>().is_none());
            let tape = GradientTape::new();
            let x = tape.watch(&single[0]);
            let mut watched = all.clone();
            watched[0] = &x;
            let taped = recurrent(pass.clone(), &watched).unwrap();
            assert!(pass.memory.kept::<Vec<Kept<f32>>>().is_some());
            assert_eq!(taped.detach(), free);
        }
    }
}

#[test]
fn a_persistent_tape_gives_its_gradient_twice() {
    let pass = plain(CELLS[1]);
    let tape = GradientTape::persistent();
    let watched: Vec<Tensor> = operands(&pass, 2, 3, true)
        .iter()
        .map(|operand| tape.watch(operand))
        .collect();
    let all: Vec<&Tensor> = watched.iter().collect();
    let loss = recurrent(pass, &all).unwrap().square().sum();
    assert!(tape.gradient(&loss, &all) == tape.gradient(&loss, &all));
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let pass = plain(CELLS[1]);
    let mut wrong = operands(&pass, 2, 3, true);
    wrong.pop();
    let error = recurrent(pass, &wrong.iter().collect::<Vec<_>>()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("lstm: operands [[2, 3, 3], [3, 8]"),
        "{text}"
    );
    assert!(text.contains("[features, 4 · units]"), "{text}");
}

/// For the check of every operation against finite differences.
pub(in super::super) fn cases() -> Vec<(Recurrent, Vec<Tensor>)> {
    let case = |cell| {
        let pass = Recurrent {
            sides: Box::new(Sides {
                mask: Some(mask(2, 4)),
                ..Sides::default()
            }),
            states: true,
            ..plain(cell)
        };
        let operands = operands(&pass, 2, 4, true);
        (pass, operands)
    };
    CELLS.into_iter().map(case).collect()
}

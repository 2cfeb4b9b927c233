//! The whole chart: well formed, described, complete, whatever the curves are.

use std::time::Duration;

use super::*;

/// The shape of the book's IMDB run: validation is best early, training goes on falling.
pub(super) fn overfitting(epochs: usize) -> Run {
    let mut run = Run::new(epochs, 0, 30, vec!["loss".into(), "accuracy".into()]);
    for epoch in 0..epochs {
        let t = epoch as f64 * 20.0 / epochs as f64;
        let loss = 0.51 * (-0.32 * t).exp() + 0.004;
        let wobble = 0.012 * (epoch as f64 * 2.1).sin();
        let val_loss = 0.27 + 0.11 * (-1.1 * t).exp() + 0.0215 * (t - 3.0).max(0.0) + wobble.abs();
        let accuracy = 0.999 - 0.22 * (-0.42 * t).exp();
        let val_accuracy =
            0.889 - 0.02 * (-1.2 * t).exp() - 0.0011 * (t - 3.0).max(0.0) - wobble.abs() * 0.5;
        run.push_epoch(&[loss, accuracy], Some(&[val_loss, val_accuracy]));
    }
    run.elapsed = Some(Duration::from_millis(1300 * epochs as u64));
    run.epochs_elapsed = Duration::from_millis(1300 * epochs as u64);
    run
}

fn completed(mut run: Run) -> Run {
    run.stop = Some("completed".into());
    run
}

/// Every state that a chart must be able to show, with a name for its files.
fn gallery() -> Vec<(&'static str, Run)> {
    let names = || vec!["loss".to_owned(), "accuracy".to_owned()];
    let mut live = overfitting(20);
    live.train
        .iter_mut()
        .chain(&mut live.validation)
        .for_each(|values| values.truncate(6));
    live.epochs_elapsed = Duration::from_millis(7800);
    live.elapsed = Some(Duration::from_millis(8300));
    let (loss, accuracy) = (live.train[0][5], live.train[1][5]);
    let trace = (1..=5)
        .map(|k| {
            (
                k * 4,
                vec![loss - 0.004 * k as f64, accuracy + 0.002 * k as f64],
            )
        })
        .collect();
    live.running = Some(Running {
        epoch: 6,
        step: 20,
        trace,
    });

    let mut first = Run::new(5, 0, 469, names());
    first.elapsed = Some(Duration::from_millis(900));
    let trace = (1..=9)
        .map(|k| {
            (
                k * 35,
                vec![1.2 / (k as f64).sqrt(), 0.62 + 0.03 * k as f64],
            )
        })
        .collect();
    first.running = Some(Running {
        epoch: 0,
        step: 315,
        trace,
    });

    let mut mnist = Run::new(5, 0, 469, names());
    for (loss, accuracy) in [
        (0.2566, 0.9261),
        (0.1035, 0.9692),
        (0.0682, 0.9797),
        (0.0497, 0.9851),
        (0.0373, 0.9889),
    ] {
        mnist.push_epoch(&[loss, accuracy], None);
    }
    mnist.elapsed = Some(Duration::from_millis(6400));
    mnist.epochs_elapsed = Duration::from_millis(6400);

    let mut one = Run::new(1, 0, 469, names());
    one.push_epoch(&[0.2566, 0.9261], Some(&[0.1391, 0.9588]));
    one.elapsed = Some(Duration::from_millis(1310));

    let mut batches = Run::new(1, 0, 469, names());
    let falling = |step: usize| {
        vec![
            0.2 + 2.1 / (step as f64).sqrt(),
            0.93 - 0.8 / (step as f64).sqrt(),
        ]
    };
    batches.running = Some(Running {
        epoch: 0,
        step: 460,
        trace: (1..=92).map(|k| (k * 5, falling(k * 5))).collect(),
    });
    let batches_live = batches.clone();
    batches.push_epoch(&falling(469), Some(&[0.1391, 0.9588]));
    batches.elapsed = Some(Duration::from_millis(1310));

    let mut nan = Run::new(10, 0, 30, names());
    nan.push_epoch(&[0.69, 0.55], Some(&[0.68, 0.58]));
    nan.push_epoch(&[0.95, 0.52], Some(&[1.31, 0.51]));
    nan.running = Some(Running {
        epoch: 2,
        step: 12,
        trace: vec![(6, vec![2.1, 0.5]), (12, vec![f64::NAN, 0.5])],
    });
    nan.elapsed = Some(Duration::from_millis(2100));
    nan.stop = Some(
        "nan: the loss was NaN after batch 12 of epoch 3; a smaller learning rate may help".into(),
    );

    let mut early = overfitting(20);
    early
        .train
        .iter_mut()
        .chain(&mut early.validation)
        .for_each(|values| values.truncate(8));
    early.stop = Some("early stopping: val_loss has not improved for 4 epochs".into());

    let mut interrupted = live.clone();
    interrupted.stop = Some("interrupted".into());

    let mut decades = Run::new(40, 0, 10, vec!["loss".into()]);
    for epoch in 0..40 {
        let fall = 50.0 * (-0.3 * epoch as f64).exp();
        decades.push_epoch(&[fall + 0.002], Some(&[fall * 1.2 + 0.03]));
    }
    let mut three = overfitting(12);
    three.metrics.push("mean_absolute_error".into());
    three.train.push(three.train[0].clone());
    three.validation.push(three.validation[0].clone());
    let mut nothing = Run::new(5, 0, 10, names());
    nothing.elapsed = Some(Duration::from_millis(12));
    nothing.stop = Some("interrupted".into());

    let mut noisy = overfitting(500);
    let mut seed = 7_u32;
    for values in noisy.train.iter_mut().chain(&mut noisy.validation) {
        for value in values {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value += (f64::from(seed) / f64::from(u32::MAX) - 0.5) * 0.06;
        }
    }
    vec![
        ("imdb", completed(overfitting(20))),
        ("imdb-live", live),
        ("first-epoch", first),
        ("mnist", completed(mnist)),
        ("one", completed(one)),
        ("one-batches", completed(batches)),
        ("one-batches-live", batches_live),
        ("nan", nan),
        ("early", early),
        ("interrupted", interrupted),
        ("decades", completed(decades)),
        ("three", completed(three)),
        ("nothing", nothing),
        ("epochs-100", completed(overfitting(100))),
        ("epochs-500", completed(noisy)),
    ]
}

#[test]
fn every_chart_is_well_formed_and_described() {
    for (name, run) in gallery() {
        let plot = Plot::curves(run);
        let svg = plot.svg();
        let document = roxmltree::Document::parse(&svg)
            .unwrap_or_else(|error| panic!("{name}: {error}\n{svg}"));
        let root = document.root_element();
        let child = |tag: &str| {
            root.children()
                .find(|node| node.has_tag_name(tag))
                .and_then(|node| node.text())
        };
        assert!(
            child("title").is_some_and(|title| title.contains("oss")),
            "{name} has no title"
        );
        assert!(
            child("desc").is_some_and(|text| text.contains(&plot.text())),
            "{name} is not described"
        );
        assert!(
            !svg.contains("NaN\"") && !svg.contains("inf"),
            "{name} has a coordinate that is no number"
        );
    }
}

#[test]
fn everything_lies_within_the_card() {
    for (name, run) in gallery() {
        for width in [WIDTH, 480] {
            let svg = Plot::curves(run.clone()).width(width).svg();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let (_, height) = curves::size(&run, width);
            for node in document
                .descendants()
                .filter(|node| node.has_tag_name("text"))
            {
                let number = |key| node.attribute(key).unwrap().parse::<f64>().unwrap() / 10.0;
                let size = number("font-size");
                let text = node.text().unwrap().trim();
                let taken = canvas::text_width(text, size);
                let left = match node.attribute("text-anchor").unwrap() {
                    "start" => number("x"),
                    "middle" => number("x") - taken / 2.0,
                    _ => number("x") - taken,
                };
                let inside = left >= 0.0 && left + taken <= f64::from(width) + 0.5;
                assert!(
                    inside,
                    "{name} at {width}: {text:?} spans {left} to {}",
                    left + taken
                );
                assert!(
                    number("y") > 0.0 && number("y") < f64::from(height),
                    "{name}: {text:?}"
                );
            }
        }
    }
}

#[test]
fn a_fit_without_a_point_has_no_axes_and_says_once_why() {
    let nan = "nan in the loss at batch 1 of 30 in epoch 1";
    for (reason, values) in [
        ("interrupted", None),
        ("an error", None),
        (nan, Some(f64::NAN)),
    ] {
        let mut run = Run::new(5, 0, 30, vec!["loss".into(), "accuracy".into()]);
        run.running = values.map(|value| Running {
            epoch: 0,
            step: 1,
            trace: vec![(1, vec![value; 2])],
        });
        assert!(
            !run.is_blank(),
            "while it runs there is room for what comes"
        );
        run.elapsed = Some(Duration::from_millis(12));
        run.stop = Some(reason.to_owned());
        for width in [WIDTH, 480] {
            let plot = Plot::curves(run.clone()).width(width);
            let svg = plot.svg();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let texts: Vec<&str> = document
                .descendants()
                .filter(|node| node.has_tag_name("text"))
                .filter_map(|node| node.text())
                .map(str::trim)
                .collect();
            let stopped = format!("stopped: {reason}");
            assert_eq!(texts[..2], ["0 epochs", "in 12 ms"]);
            // Where there is little room it is shortened; the text twin has it whole.
            let said = texts[2].trim_end_matches('…');
            assert!(texts.len() == 3 && stopped.starts_with(said), "{texts:?}");
            assert!(width < WIDTH || said == stopped);
            assert!(curves::size(&run, width).1 < 60 && !svg.contains("panel"));
            assert_eq!(
                plot.text(),
                format!("0 epochs in 12 ms.\nStopped: {reason}.")
            );
        }
    }
}

#[test]
fn the_names_of_curves_stand_apart_where_both_end_at_an_edge() {
    let mut run = Run::new(30, 0, 10, vec!["loss".into(), "accuracy".into()]);
    for epoch in 0..30 {
        let loss = 0.7 * (-0.5 * f64::from(epoch)).exp();
        run.push_epoch(&[loss, 1.0 - loss], Some(&[loss * 1.01, 1.0 - loss * 1.01]));
    }
    for width in [400, 700, 1200] {
        let svg = Plot::curves(completed(run.clone())).width(width).svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let heights = |name: &str| -> Vec<f64> {
            let texts = document
                .descendants()
                .filter(|node| node.has_tag_name("text"));
            let named = texts.filter(|node| node.text().unwrap_or("").trim() == name);
            named
                .map(|node| node.attribute("y").unwrap().parse().unwrap())
                .collect()
        };
        let (training, validation) = (heights("training"), heights("validation"));
        assert_eq!((training.len(), validation.len()), (2, 2), "{width}");
        for (one, other) in training.iter().zip(&validation) {
            // Ten units to a pixel.
            assert!((one - other).abs() >= 130.0, "{width}: {one} and {other}");
        }
    }
}

#[test]
fn a_png_has_twice_the_size() {
    let png = Plot::curves(completed(overfitting(3))).png();
    assert_eq!(&png[1..4], b"PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let (width, height) = curves::size(&overfitting(3), WIDTH);
    assert_eq!((number(16), number(20)), (2 * width, 2 * height));
}

#[test]
fn names_cannot_break_out_of_the_drawing() {
    let mut run = Run::new(1, 0, 1, vec!["a<b & \"c\" \u{1}".into()]);
    run.push_epoch(&[1.0], None);
    let svg = Plot::curves(run).svg();
    assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
}

#[test]
fn a_history_makes_the_chart_again() {
    use crate::callbacks::Logs;
    let mut history = History::new(2);
    for (loss, validation) in [(0.5, 0.6), (0.3, 0.4), (0.2, 0.5)] {
        history.push(&Logs::from(vec![
            ("loss".to_owned(), loss),
            ("val_loss".to_owned(), validation),
        ]));
    }
    history.finish("completed", None, 1.0);
    assert_eq!(
        history.plot().text(),
        "Epoch 3 of 5: loss 0.5000, val_loss 0.6000\n\
         Epoch 4 of 5: loss 0.3000, val_loss 0.4000\n\
         Epoch 5 of 5: loss 0.2000, val_loss 0.5000\n\
         Best val_loss 0.4000 at epoch 4."
    );
}

#[test]
fn a_plot_is_saved_as_its_name_says() {
    let folder = std::env::temp_dir().join(format!("dlcore-plot-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plot = Plot::curves(completed(overfitting(2)));
    plot.save(folder.join("a.txt")).unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.join("a.txt")).unwrap(),
        plot.text()
    );
    let error = plot.save(folder.join("a.pdf")).unwrap_err().to_string();
    assert!(error.contains("expected .svg, .png or .txt"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn curves_are_smoothed_and_the_best_epoch_marked_as_asked() {
    let plain = Plot::curves(completed(overfitting(20)));
    assert!(plain.svg().contains("best ") && !plain.svg().contains("smoothed"));
    assert!(plain.text().contains("Best val_loss"));
    let smooth = plain.clone().smoothing(0.9);
    // Faint raw points beside the line.
    assert!(smooth.svg().matches("<circle").count() > plain.svg().matches("<circle").count());
    let unmarked = |epochs: usize| {
        let mut run = completed(overfitting(epochs));
        run.options.mark_best = false;
        Plot::curves(run)
    };
    assert!(!unmarked(20).svg().contains("best ") && !unmarked(20).text().contains("Best"));
    let smoothed = |plot: Plot| plot.svg().contains("smoothed");
    assert!(!smoothed(unmarked(20)) && smoothed(unmarked(20).smoothing(0.9)));
    assert!(smoothed(unmarked(400)) && !smoothed(unmarked(400).smoothing(0.0)));
}

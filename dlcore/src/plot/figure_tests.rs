//! Every kind of figure at every width: well formed, described, inside its card, no text over another.

use super::figure::Figure;
use super::*;
use crate::callbacks::Logs;
use crate::classical::{DecisionTreeClassifier, GaussianNB, SVC};
use crate::layers::{Dense, Dropout};
use crate::models::Sequential;
use crate::{Tensor, datasets, set_seed};

/// A figure at a width: SVG, alternative text, text twin, PNG.
type Made = (String, String, String, Box<dyn Fn() -> Vec<u8>>);
type At = Box<dyn Fn(u32) -> Made>;

fn case<F: Figure + Clone + 'static>(
    figure: F,
    width: fn(F, u32) -> F,
    made: fn(&F) -> (String, String, String),
    png: fn(&F) -> Vec<u8>,
) -> At {
    Box::new(move |pixels| {
        let figure = width(figure.clone(), pixels);
        let (svg, alt, text) = made(&figure);
        (svg, alt, text, Box::new(move || png(&figure)))
    })
}

macro_rules! cases {
    ($($name:literal: $type:ident = $figure:expr;)*) => {
        vec![$((
            $name,
            case::<$type>($figure, $type::width, |f| (f.svg(), f.alt(), f.text()), $type::png),
        )),*]
    };
}

fn history(values: &[f64]) -> History {
    let mut history = History::new(0);
    for &value in values {
        history.push(&Logs::from(vec![
            ("loss".to_owned(), 0.8 * value),
            ("val_loss".to_owned(), value),
        ]));
    }
    history.finish("completed", None, 1.0);
    history
}

/// Every kind, as it mostly is and at its limits.
fn gallery() -> Vec<(&'static str, At)> {
    set_seed(5);
    let (x, y) = datasets::make_moons(120, 0.2, 1);
    let (many_x, many_y) = datasets::make_blobs(400, 12, 0.6, 3);
    let mut svc = SVC::new();
    svc.fit(&x, &y).unwrap();
    let mut bayes = GaussianNB::new();
    bayes.fit(&many_x, &many_y).unwrap();
    let model = Sequential::new()
        .add(Dense::new(8).activation("tanh").input_shape([2]))
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation("relu"))
        .add(Dense::new(1).activation("sigmoid"));
    let truth: Vec<i64> = (0..500).map(|i| i % 10).collect();
    let guess: Vec<i64> = (0..500)
        .map(|i| if i % 7 == 0 { (i + 3) % 10 } else { i % 10 })
        .collect();
    let wide: Vec<i64> = (0..2000).map(|i| i % 46).collect();
    let (truth, guess, wide) = (Tensor::from(truth), Tensor::from(guess), Tensor::from(wide));
    let clothes = "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot";
    let small = history(&[0.6, 0.4, 0.3, 0.28, 0.31, 0.37]);
    let large = history(&[0.5, 0.3, 0.35, 0.5]);
    let long: Vec<f64> = (0..5000)
        .map(|i| 100.0 * (-0.002 * f64::from(i)).exp())
        .collect();
    let way: Vec<f64> = (0..30)
        .flat_map(|i| [-1.5 + 0.09 * f64::from(i), 1.0])
        .collect();
    let way = Tensor::from_shape_vec_f64([30, 2], way).unwrap();
    let away = Tensor::from([[0.0, 0.0], [50.0, 50.0], [f32::NAN, 1.0]]);
    let valley = |x: f64, y: f64| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    let digits = Tensor::uniform([12, 28, 28], 0.0, 1.0);
    let twelve = Tensor::from((0..12).collect::<Vec<i64>>());
    let name =
        "a name <that> is & longer than any sensible person would ever give to one of several runs";
    cases! {
        "confusion": ConfusionMatrix = confusion_matrix(&truth, &guess).unwrap();
        "confusion with names": ConfusionMatrix =
            confusion_matrix(&truth, &guess).unwrap().labels(clothes.split(' '));
        "confusion of 46": ConfusionMatrix = confusion_matrix(&wide, &wide).unwrap();
        "confusion of one": ConfusionMatrix =
            confusion_matrix(&Tensor::from([3]), &Tensor::from([3])).unwrap();
        "scatter": Scatter = scatter(&x, &y).unwrap().labels(["upper", "lower"]).x_label("x₁").y_label("x₂");
        "scatter of 12 classes": Scatter = scatter(&many_x, &many_y).unwrap();
        "scatter of far numbers": Scatter =
            scatter(&Tensor::from([1e6, 2e6, 3.5e6]), &Tensor::from([1e-6, 5e-6, 2e-6])).unwrap();
        "scatter of one": Scatter = scatter(&Tensor::from([1.0]), &Tensor::from([1.0])).unwrap();
        "boundary": DecisionBoundary = decision_boundary(&svc, &x, &y).unwrap().y_label("height");
        "boundary of a model": DecisionBoundary = decision_boundary(&model, &x, &y).unwrap();
        "boundary of 12 classes": DecisionBoundary = decision_boundary(&bayes, &many_x, &many_y).unwrap();
        "histogram": Histogram = histogram(&Tensor::normal([2000], 0.0, 1.0)).unwrap().x_label("weight");
        "histogram of one": Histogram = histogram(&Tensor::from([2.5, f32::NAN])).unwrap();
        "histogram of lengths": Histogram = histogram(&Tensor::randint([900], 0, 12)).unwrap();
        "bars": Bars = bars(["one", name, "three"], &Tensor::from([0.5, 0.25, 0.75])).unwrap().x_label("share");
        "bars below zero": Bars = bars(["a", "b"], &Tensor::from([-12345.0, 0.001])).unwrap();
        "curves": Curves = small.compare("16 units", [("4 units", &large)]).unwrap();
        "curves of long names": Curves =
            curves([(name, &long), ("b", &long), ("c", &long), ("d", &long), ("e", &long)]).unwrap();
        "curves of one value": Curves = curves([("only", vec![0.3])]).unwrap();
        "images": Images = images(&digits).unwrap().labels(&twelve).unwrap()
            .predictions(&Tensor::from(vec![1_i64; 12])).unwrap();
        "images with names": Images = images(&digits).unwrap().labels(&twelve).unwrap().names(clothes.split(' '));
        "images bare": Images = images(&Tensor::uniform([3, 20, 60, 3], 0.0, 1.0)).unwrap();
        "surface": Surface = surface(valley, (-2.0, 2.0), (-1.0, 3.0)).unwrap()
            .path("SGD", &way).unwrap().path("away", &away).unwrap().x_label("w₁").y_label("w₂");
        "surface with holes": Surface = surface(|x, y| (x * y).ln(), (-1.0, 1.0), (-1e-7, 1e-7)).unwrap();
        "linear map": LinearMap = linear_map(&Tensor::from([[0.866, -0.5], [0.5, 0.866]])).unwrap();
        "linear map that flattens": LinearMap = linear_map(&Tensor::from([[1.0, 2.0], [0.5, 1.0]])).unwrap();
        "linear map far": LinearMap =
            linear_map(&Tensor::from([[-1234.5, 20.0, 3.0], [0.0, 900.0, -7000.0]])).unwrap();
        "paper ball": PaperBall = paper_ball(&model, &x, &y).unwrap().labels(["a", "b"]);
    }
}

/// A text of a drawing: what it says, and its box in pixels.
fn texts(document: &roxmltree::Document<'_>) -> Vec<(String, [f64; 4])> {
    let boxed = |node: roxmltree::Node<'_, '_>| {
        let number = |key| node.attribute(key).unwrap().parse::<f64>().unwrap() / 10.0;
        let text = node.text().unwrap_or_default().trim().to_owned();
        let size = number("font-size");
        let bold = node.attribute("font-weight") == Some("bold");
        let taken = canvas::text_width(&text, size) * if bold { 1.1 } else { 1.0 };
        let left = match node.attribute("text-anchor").unwrap() {
            "start" => number("x"),
            "middle" => number("x") - taken / 2.0,
            _ => number("x") - taken,
        };
        let (y, half) = (number("y"), 0.45 * size);
        assert!(size >= 10.5, "{text:?} is too small: {size}");
        (text, [left, y - half, left + taken, y + half])
    };
    document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .map(boxed)
        .collect()
}

#[test]
fn every_figure_is_described_and_legible_at_every_width() {
    let mut problems = Vec::new();
    for (name, at) in gallery() {
        for width in [320, 400, 560, 800, 1200] {
            let (svg, alt, text, _) = at(width);
            let document =
                roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{name}: {e}\n{svg}"));
            let root = document.root_element();
            let child = |tag: &str| {
                let node = root.children().find(|node| node.has_tag_name(tag));
                node.and_then(|node| node.text().map(str::to_owned))
                    .unwrap_or_default()
            };
            assert!(text.starts_with(&child("title")), "{name}");
            assert!(
                child("desc").starts_with(&alt) && text.contains(&alt),
                "{name}: {alt}"
            );
            assert!(
                !svg.contains("NaN\"") && !svg.contains("inf"),
                "{name} has no place for something"
            );
            let number = |key| root.attribute(key).unwrap().parse::<f64>().unwrap();
            let (right, bottom) = (number("width"), number("height"));
            assert_eq!(right, f64::from(width), "{name}");
            let texts = texts(&document);
            assert!(!texts.is_empty(), "{name}");
            let place = format!("{name} at {width}");
            for (index, (words, [x0, y0, x1, y1])) in texts.iter().enumerate() {
                if !(*x0 >= 0.0 && *y0 >= 0.0 && *x1 <= right + 0.5 && *y1 <= bottom + 0.5) {
                    problems.push(format!(
                        "{place}: {words:?} at {x0}, {y0} to {x1}, {y1} is outside"
                    ));
                }
                for (other, b) in &texts[..index] {
                    let beside = *x0 >= b[2] - 0.5 || b[0] >= *x1 - 0.5;
                    let below = *y0 >= b[3] - 0.5 || b[1] >= *y1 - 0.5;
                    if !beside && !below {
                        problems.push(format!("{place}: {words:?} lies over {other:?}"));
                    }
                }
            }
            if svg.len() > 600_000 {
                problems.push(format!("{place}: {} bytes", svg.len()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_figure_has_a_png_of_twice_its_size() {
    for (name, at) in gallery() {
        let (svg, _, _, png) = at(400);
        let png = png();
        assert_eq!(&png[1..4], b"PNG", "{name}");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        let height = svg
            .split("height=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert_eq!(
            (number(16), number(20)),
            (800, 2 * height.parse::<u32>().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn the_words_give_the_main_figures() {
    let (truth, guess) = (
        Tensor::from([0, 0, 1, 1, 1, 2]),
        Tensor::from([0, 1, 1, 1, 0, 2]),
    );
    let matrix = confusion_matrix(&truth, &guess)
        .unwrap()
        .labels(["cat", "dog", "frog"]);
    assert_eq!(
        matrix.text(),
        "Confusion matrix\n\
         Confusion matrix of 6 predictions in 3 classes: 4 of 6 are right, 66.7 % right. \
         The most frequent mistake: cat taken for dog, 1 time.\n\
         cat: 1 of 2 right, 1 as dog\n\
         dog: 2 of 3 right, 1 as cat\n\
         frog: 1 of 1 right"
    );
    assert_eq!(
        matrix.counts(),
        Tensor::from([[1, 1, 0], [1, 2, 0], [0, 0, 1]])
    );

    let rows = Tensor::from([[0.9, 0.1], [0.2, 0.8]]);
    let alt = confusion_matrix(&Tensor::from([0, 1]), &rows)
        .unwrap()
        .alt();
    assert!(alt.contains("2 of 2 are right"), "{alt}");
    let shares = Tensor::from([[0.9], [0.2]]);
    let alt = confusion_matrix(&Tensor::from([0, 1]), &shares)
        .unwrap()
        .alt();
    assert!(alt.contains("0 of 2 are right"), "{alt}");

    let runs = history(&[0.6, 0.4, 0.5])
        .compare("a", [("b", &history(&[0.9, 0.8]))])
        .unwrap();
    assert_eq!(
        runs.alt(),
        "val_loss by epoch of 2 runs: a is best at epoch 2 with 0.4000 and ends at 0.5000; \
         b is best at epoch 2 with 0.8000 and ends at 0.8000."
    );
    let loss = runs.metric("loss").unwrap().text();
    assert!(
        loss.contains("epoch 3: a 0.4000\n") || loss.ends_with("epoch 3: a 0.4000"),
        "{loss}"
    );

    let bowl = surface(|x, y| x * x + y * y, (-1.0, 1.0), (-1.0, 1.0)).unwrap();
    let way = Tensor::from([[0.5, 0.0], [0.0, 0.0]]);
    let alt = bowl.path("SGD", &way).unwrap().alt();
    assert!(
        alt.contains("SGD goes in 1 step from (0.5, 0) at 0.25"),
        "{alt}"
    );

    let turn = linear_map(&Tensor::from([[0.0, -2.0], [1.0, 0.0]]))
        .unwrap()
        .alt();
    assert!(
        turn.contains("(1, 0) goes to (0, 1) and (0, 1) to (-2, 0)"),
        "{turn}"
    );
    assert!(turn.contains("areas become 2 times as large"), "{turn}");
}

#[test]
fn a_histogram_counts_every_value_once() {
    let (counts, edges) = histogram(&Tensor::from([0, 1, 1, 3])).unwrap().counts();
    assert_eq!(
        (counts, edges),
        (vec![1, 2, 0, 1], vec![-0.5, 0.5, 1.5, 2.5, 3.5])
    );
    let (counts, edges) = histogram(&Tensor::uniform([1000], 2.0, 4.0))
        .unwrap()
        .bins(7)
        .counts();
    assert_eq!((counts.iter().sum::<usize>(), edges.len()), (1000, 8));
}

#[test]
fn a_boundary_follows_the_decisions() {
    // A tree of one question: one straight line, at the threshold.
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.1, 0.4]]);
    let y = Tensor::from([0_i64, 0, 1, 1, 1]);
    let mut tree = DecisionTreeClassifier::new().max_depth(1);
    tree.fit(&x, &y).unwrap();
    let figure = decision_boundary(&tree, &x, &y).unwrap();
    assert!(
        figure
            .alt()
            .contains("100.0 % of 5 points lie on their own side"),
        "{}",
        figure.alt()
    );
    let text = figure.text();
    let map: Vec<&str> = text.lines().filter(|line| line.starts_with('.')).collect();
    assert_eq!(map.len(), 15, "{text}");
    assert!(
        map.iter()
            .all(|line| *line == map[0] && line.ends_with('#')),
        "{text}"
    );
}

#[test]
fn what_cannot_be_drawn_is_refused_in_words() {
    let words = [
        scatter(&Tensor::zeros([20_001]), &Tensor::zeros([20_001])).map(|_| ()),
        scatter(&Tensor::zeros([3, 3]), &Tensor::zeros([3])).map(|_| ()),
        scatter(&Tensor::from([f32::NAN]), &Tensor::from([1.0])).map(|_| ()),
        images(&Tensor::zeros([101, 28, 28])).map(|_| ()),
        images(&Tensor::zeros([4, 784])).map(|_| ()),
        images(&Tensor::zeros([1, 2, 4000])).map(|_| ()),
        confusion_matrix(
            &Tensor::arange(0.0, 60.0, 1.0),
            &Tensor::arange(0.0, 60.0, 1.0),
        )
        .map(|_| ()),
        confusion_matrix(&Tensor::from([0, 1]), &Tensor::from([0])).map(|_| ()),
        histogram(&Tensor::from([f32::NAN])).map(|_| ()),
        bars(["a"], &Tensor::from([1.0, 2.0])).map(|_| ()),
        curves([("nothing", Vec::new())]).map(|_| ()),
        history(&[1.0])
            .compare("a", [])
            .unwrap()
            .metric("acc")
            .map(|_| ()),
        surface(|_, _| f64::NAN, (0.0, 1.0), (0.0, 1.0)).map(|_| ()),
        surface(|x, _| x, (1.0, 0.0), (0.0, 1.0)).map(|_| ()),
        linear_map(&Tensor::zeros([3, 3])).map(|_| ()),
        decision_boundary(&SVC::new(), &Tensor::zeros([2, 2]), &Tensor::from([0, 1])).map(|_| ()),
    ];
    let expected = [
        "20001 points are more than the 20000",
        "expected points [n, 2], got [3, 3]",
        "NaN at position 0 has no place",
        "x.slice(..25)",
        "x.reshape([-1, 28, 28])",
        "sides of at most 512 pixels",
        "60 classes are more than the 50",
        "got 2 and 1",
        "none of 1 value is finite",
        "1 name and values [2]",
        "got 0 for \"nothing\"",
        "run \"a\": unknown metric",
        "finite nowhere",
        "a range of x that ascends, got 1 to 0",
        "expected a matrix [2, 2]",
        "call fit(&x, &y)? first",
    ];
    for (result, expected) in words.into_iter().zip(expected) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} without {expected:?}");
    }
}

#[test]
fn colours_hold_for_colour_blind_eyes() {
    // H. Brettel's and G. Machado's matrices for protanopia and deuteranopia, on linear light.
    let kinds = [
        [
            [0.152, 1.053, -0.205],
            [0.115, 0.786, 0.099],
            [-0.004, -0.048, 1.052],
        ],
        [
            [0.367, 0.861, -0.228],
            [0.280, 0.673, 0.047],
            [-0.012, 0.043, 0.969],
        ],
    ];
    let linear = |part: u8| (f64::from(part) / 255.0).powf(2.2);
    for kind in kinds {
        let seen = |color: canvas::Color| {
            let light = [linear(color.0), linear(color.1), linear(color.2)];
            kind.map(|row| {
                row.iter()
                    .zip(light)
                    .map(|(a, b)| a * b)
                    .sum::<f64>()
                    .max(0.0)
                    .powf(1.0 / 2.2)
            })
        };
        // The first four are the ones that are used most; further ones differ in shape too.
        for dark in [false, true] {
            let shown = |index: usize| match dark {
                true => theme::twin(palette::COLORS[index]),
                false => palette::COLORS[index],
            };
            for (a, b) in (0..4).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let parts = seen(shown(a)).into_iter().zip(seen(shown(b)));
                let apart = parts.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                assert!(apart > 0.15, "colours {a} and {b}, dark {dark}: {apart}");
            }
        }
    }
}

#[test]
fn values_have_no_best_unless_asked() {
    let slope = vec![-1.0, 1.5, 2.1];
    let plain = curves([("slope", &slope)]).unwrap();
    assert!(
        plain.alt().ends_with("slope ends at 2.1000."),
        "{}",
        plain.alt()
    );
    let marked = plain.mark_best(true);
    assert!(marked.alt().contains("best at step 1"), "{}", marked.alt());
}

#[test]
fn counts_have_no_decimals() {
    let figure = bars(["earn", "acq"], &Tensor::from([3159, 1949])).unwrap();
    assert!(figure.svg().contains("\n3159\n"), "{}", figure.svg());
    assert!(figure.alt().contains("earn with 3159;"), "{}", figure.alt());
}

#[test]
fn the_diagonal_is_drawn_as_far_as_both_coordinates_reach() {
    let figure = |x: [f32; 2], y: [f32; 2]| scatter(&Tensor::from(x), &Tensor::from(y)).unwrap();
    let lines = |figure: Scatter| figure.svg().matches("<polyline").count();
    let drawn = |x, y| lines(figure(x, y).diagonal()) > lines(figure(x, y));
    assert!(drawn([0.0, 2.0], [1.0, 3.0]));
    assert!(
        !drawn([0.0, 1.0], [2.0, 3.0]),
        "they have nothing in common"
    );
}

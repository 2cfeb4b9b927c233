//! Every kind of plot, as SVG, PNG and words, with pages that show them on a light and on a dark ground: `index.html` and
//! `dark.html` as a notebook does, `widths.html` and `widths-dark.html` each at 400, 700 and 1200 pixels.
//!
//!     cargo run --release -p dlcore --example gallery -- OUT_DIR
//!
//! Prints how long each classifier takes to fit and to draw. With DLCORE_DATA set the digits are MNIST's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dlcore::prelude::*;

/// A figure in the gallery: its name, its alternative text and its words.
struct Shown {
    name: String,
    alt: String,
    text: String,
    narrow: bool,
}

struct Gallery {
    folder: PathBuf,
    shown: Vec<Shown>,
}

/// The widths in pixels at which nothing may lie over anything else; the first is for narrow windows, too.
const WIDTHS: [u32; 3] = [400, 700, 1200];

/// Saves a figure at its own width and at others.
macro_rules! add {
    ($gallery:expr, $name:literal, $figure:expr) => {{
        let figure = $figure;
        let at = |ending: &str| $gallery.folder.join(format!("{}{ending}", $name));
        for ending in [".svg", ".png", ".txt"] {
            figure.save(at(ending))?;
        }
        $gallery.shown.push(Shown {
            name: $name.to_owned(),
            alt: figure.alt(),
            text: figure.text(),
            narrow: true,
        });
        for width in WIDTHS {
            figure
                .clone()
                .width(width)
                .save(at(&format!("-{width}.svg")))?;
        }
    }};
}

impl Gallery {
    /// A drawing that has one width only.
    fn drawing(&mut self, name: &str, svg: &str, text: &str) -> Result<()> {
        let path = self.folder.join(format!("{name}.svg"));
        std::fs::write(&path, svg).map_err(|source| Error::Io {
            context: format!("writing {}", path.display()),
            source,
        })?;
        self.shown.push(Shown {
            name: name.to_owned(),
            alt: text.lines().next().unwrap_or_default().to_owned(),
            text: text.to_owned(),
            narrow: false,
        });
        Ok(())
    }
}

fn main() -> Result<()> {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cargo run --release -p dlcore --example gallery -- OUT_DIR");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder).map_err(|source| Error::Io {
        context: format!("making {}", folder.display()),
        source,
    })?;
    set_seed(1);
    let mut gallery = Gallery {
        folder,
        shown: Vec::new(),
    };
    data(&mut gallery)?;
    classifiers(&mut gallery)?;
    training(&mut gallery)?;
    descent(&mut gallery)?;
    digits(&mut gallery)?;
    pages(&gallery.folder, &gallery.shown)
}

fn data(gallery: &mut Gallery) -> Result<()> {
    let (x, y) = datasets::make_blobs(300, 4, 1.2, 8);
    add!(
        gallery,
        "scatter",
        plot::scatter(&x, &y)?
            .title("Four blobs")
            .x_label("x₁")
            .y_label("x₂")
    );
    let weights = Tensor::normal([5000], 0.0, 0.05);
    add!(
        gallery,
        "histogram",
        plot::histogram(&weights)?
            .title("Weights of a layer")
            .x_label("weight")
    );
    let ramp = Tensor::arange(0.0, 4096.0, 1.0).reshape([64, 64]) / 4096.0;
    let wave = plot::image(&(ramp * 12.0).sin());
    gallery.drawing("image", &wave.svg(), &wave.text())?;
    let (a, b) = (Value::new(2.0).label("a"), Value::new(-3.0).label("b"));
    let sum = (&a * &b + Value::new(10.0).label("c")).label("sum");
    let loss = sum.tanh().label("loss");
    loss.backward();
    gallery.drawing("value-graph", &loss.graph().svg(), &loss.graph().text())?;
    for (name, matrix) in [
        ("rotation", Tensor::from([[0.866, -0.5], [0.5, 0.866]])),
        ("shear", Tensor::from([[1.0, 0.8], [0.0, 1.0]])),
    ] {
        let title = format!("A grid under a {name}");
        match name {
            "shear" => add!(
                gallery,
                "linear-map-shear",
                plot::linear_map(&matrix)?.title(&title)
            ),
            _ => add!(
                gallery,
                "linear-map-rotation",
                plot::linear_map(&matrix)?.title(&title)
            ),
        }
    }
    Ok(())
}

/// Fits a classifier, draws it, and says how long that took.
macro_rules! fitted {
    ($gallery:expr, $name:literal, $make:expr, $data:expr, $scores:expr) => {{
        let (x, y, test_x, test_y) = $data;
        let begun = Instant::now();
        let mut classifier = $make;
        classifier.fit(x, y)?;
        let fit = begun.elapsed();
        let figure = plot::decision_boundary(&classifier, x, y)?;
        figure.svg();
        println!(
            "{:28} fit {:6.1} ms, drawn after {:6.1} ms, test accuracy {:.3}",
            $name,
            fit.as_secs_f64() * 1e3,
            begun.elapsed().as_secs_f64() * 1e3,
            classifier.score(test_x, test_y)?
        );
        $scores.push(($name, classifier.score(test_x, test_y)?));
        add!($gallery, $name, figure);
    }};
}

fn classifiers(gallery: &mut Gallery) -> Result<()> {
    let (x, y) = datasets::make_moons(300, 0.25, 3);
    let (test_x, test_y) = datasets::make_moons(1000, 0.25, 4);
    let data = (&x, &y, &test_x, &test_y);
    let mut scores: Vec<(&str, f64)> = Vec::new();
    fitted!(
        gallery,
        "boundary-naive-bayes",
        GaussianNB::new(),
        data,
        scores
    );
    fitted!(
        gallery,
        "boundary-logistic-regression",
        LogisticRegression::new(),
        data,
        scores
    );
    fitted!(
        gallery,
        "boundary-svc-linear",
        SVC::new().kernel("linear"),
        data,
        scores
    );
    fitted!(gallery, "boundary-svc-rbf", SVC::new(), data, scores);
    fitted!(
        gallery,
        "boundary-decision-tree",
        DecisionTreeClassifier::new().random_state(0),
        data,
        scores
    );
    fitted!(
        gallery,
        "boundary-random-forest",
        RandomForestClassifier::new().random_state(0),
        data,
        scores
    );
    fitted!(
        gallery,
        "boundary-gradient-boosting",
        GradientBoostingClassifier::new().random_state(0),
        data,
        scores
    );
    let (names, values): (Vec<&str>, Vec<f64>) = scores.into_iter().unzip();
    let names = names
        .into_iter()
        .map(|name| name.trim_start_matches("boundary-").replace('-', " "));
    let figure = plot::bars(names, &Tensor::from_shape_vec_f64([values.len()], values)?)?;
    add!(
        gallery,
        "bars",
        figure
            .title("Two moons: test accuracy")
            .x_label("share of 1000 points predicted rightly")
    );
    let (x, y) = datasets::make_classification(300, 4, 2);
    let mut forest = RandomForestClassifier::new()
        .random_state(0)
        .min_samples_leaf(5);
    forest.fit(&x, &y)?;
    add!(
        gallery,
        "boundary-four-classes",
        plot::decision_boundary(&forest, &x, &y)?.labels(["a", "b", "c", "d"])
    );
    Ok(())
}

fn training(gallery: &mut Gallery) -> Result<()> {
    let (x, y) = datasets::make_circles(300, 0.08, 0.4, 1);
    let network = |units: usize, epochs: usize| -> Result<(Sequential, History)> {
        let mut model = Sequential::new()
            .add(Dense::new(units).activation("tanh").input_shape([2]))
            .add(Dense::new(units).activation("tanh"))
            .add(Dense::new(2).activation("tanh"))
            .add(Dense::new(1).activation("sigmoid"));
        model.compile(
            Adam::new().learning_rate(0.02),
            "binary_crossentropy",
            ["accuracy"],
        )?;
        let fit = Fit::epochs(epochs)
            .batch_size(32)
            .validation_split(0.25)
            .verbose(0);
        let history = model.fit(&x, &y.cast(DType::F32), fit)?;
        Ok((model, history))
    };
    let ((model, large), (_, small)) = (network(8, 60)?, network(2, 60)?);
    add!(
        gallery,
        "compare",
        large.compare("8 units", [("2 units", &small)])?
    );
    add!(
        gallery,
        "boundary-network",
        plot::decision_boundary(&model, &x, &y)?.title("A circle in a circle, by a network")
    );
    add!(
        gallery,
        "paper-ball",
        plot::paper_ball(&model, &x, &y)?.title("A paper ball, layer by layer")
    );
    for ending in ["svg", "png", "txt"] {
        let path = gallery.folder.join(format!("history.{ending}"));
        large.plot().save(path)?;
    }
    for width in WIDTHS {
        let path = gallery.folder.join(format!("history-{width}.svg"));
        large.plot().width(width).save(path)?;
    }
    let text = large.plot().text();
    gallery.shown.push(Shown {
        name: "history".to_owned(),
        alt: text.lines().next().unwrap_or_default().to_owned(),
        text,
        narrow: true,
    });
    gallery.drawing("model", &model.plot().svg(), &model.plot().text())?;
    let branched = branched()?;
    gallery.drawing(
        "model-branched",
        &branched.plot().svg(),
        &branched.plot().text(),
    )
}

/// Two inputs, a shared layer, two outputs.
fn branched() -> Result<Model> {
    let (question, answer) = (Input::named("question", [32]), Input::named("answer", [32]));
    let embedding = LayerRef::new(Embedding::new(1000, 16).name("words"));
    let both =
        [&question, &answer].map(|words| Bidirectional::new(LSTM::new(8)).on(&embedding.on(words)));
    let joined = Concatenate::new().on([&both[0], &both[1]]);
    let hidden = Dense::new(32).activation("relu").on(&joined);
    let fits = Dense::new(1).activation("sigmoid").name("fits").on(&hidden);
    let topic = Dense::new(20)
        .activation("softmax")
        .name("topic")
        .on(&joined);
    Model::new([&question, &answer], [&fits, &topic])
}

/// Plain descent and descent with momentum in Rosenbrock's valley.
fn descent(gallery: &mut Gallery) -> Result<()> {
    let valley = |x: f64, y: f64| (1.0 - x).powi(2) + 5.0 * (y - x * x).powi(2);
    let slope = |x: f64, y: f64| {
        (
            -2.0 * (1.0 - x) - 20.0 * x * (y - x * x),
            10.0 * (y - x * x),
        )
    };
    let way = |rate: f64, momentum: f64| {
        let (mut at, mut speed) = ((-1.4, 0.4), (0.0, 0.0));
        let mut points = vec![at.0, at.1];
        for _ in 0..60 {
            let (dx, dy) = slope(at.0, at.1);
            speed = (
                momentum * speed.0 - rate * dx,
                momentum * speed.1 - rate * dy,
            );
            at = (at.0 + speed.0, at.1 + speed.1);
            points.extend([at.0, at.1]);
        }
        Tensor::from_shape_vec_f64([61, 2], points).expect("as many numbers as were made")
    };
    let figure = plot::surface(valley, (-2.0, 2.0), (-1.0, 3.0))?
        .path("SGD", &way(0.02, 0.0))?
        .path("momentum 0.8", &way(0.01, 0.8))?;
    add!(
        gallery,
        "surface",
        figure
            .title("Two ways down a valley")
            .x_label("w₁")
            .y_label("w₂")
    );
    Ok(())
}

/// The first digits of MNIST where they are at hand, else blots.
fn digits(gallery: &mut Gallery) -> Result<()> {
    let (x, y) = match std::env::var_os("DLCORE_DATA") {
        Some(_) => {
            let mnist = datasets::mnist::load()?;
            (
                mnist.train_images.slice(..2000),
                mnist.train_labels.slice(..2000),
            )
        }
        None => (
            Tensor::uniform([2000, 28, 28], 0.0, 1.0),
            Tensor::randint([2000], 0, 10),
        ),
    };
    let rows = x.reshape([-1, 784]).cast(DType::F32) / 255.0;
    let (train, test) = (rows.slice(..1500), rows.slice(1500..));
    let mut regression = LogisticRegression::new().max_iter(30);
    regression.fit(&train, &y.slice(..1500))?;
    let predicted = regression.predict(&test)?;
    let figure = plot::images(&x.slice(1500..1530))?.labels(&y.slice(1500..1530))?;
    let figure = figure.predictions(&predicted.slice(..30))?;
    add!(
        gallery,
        "digits",
        figure.title("Digits, by logistic regression")
    );
    add!(
        gallery,
        "confusion",
        plot::confusion_matrix(&y.slice(1500..), &predicted)?
    );
    let names = [
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "boot",
    ];
    let figure = plot::confusion_matrix(&y.slice(1500..), &predicted)?.labels(names);
    add!(
        gallery,
        "confusion-names",
        figure.title("The same with names")
    );
    Ok(())
}

/// The pages: alike but for their ground.
fn pages(folder: &Path, shown: &[Shown]) -> Result<()> {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;")
    };
    for (page, scheme) in [("index.html", "light"), ("dark.html", "dark")] {
        let mut html = format!(
            "<!doctype html><html lang=\"en\" style=\"color-scheme:{scheme}\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Gallery, {scheme}</title>\
             <style>body{{font:14px sans-serif;margin:16px}}figure{{margin:0 12px 24px 0;display:inline-block;vertical-align:top}}img{{max-width:100%}}</style>\n"
        );
        for Shown {
            name,
            alt,
            text,
            narrow,
        } in shown
        {
            let source = match narrow {
                true => {
                    format!(
                        "<source media=\"(max-width:600px)\" srcset=\"{name}-{}.svg\">",
                        WIDTHS[0]
                    )
                }
                false => String::new(),
            };
            let _ = writeln!(
                html,
                "<figure><picture>{source}<img src=\"{name}.svg\" alt=\"{}\"></picture>\
                 <details><summary>{name} in words</summary><pre>{}</pre></details></figure>",
                escape(alt),
                escape(text)
            );
        }
        std::fs::write(folder.join(page), html).map_err(|source| Error::Io {
            context: format!("writing {page}"),
            source,
        })?;
    }
    for (page, scheme) in [("widths.html", "light"), ("widths-dark.html", "dark")] {
        let mut html = format!(
            "<!doctype html><html lang=\"en\" style=\"color-scheme:{scheme}\"><meta charset=\"utf-8\"><title>Gallery, {scheme}</title>\n"
        );
        for Shown { name, narrow, .. } in shown {
            let sizes = if *narrow { &WIDTHS[..] } else { &[] };
            let pictures = sizes.iter().map(|width| format!("{name}-{width}.svg"));
            for picture in pictures.chain([format!("{name}.svg")]) {
                let _ = writeln!(html, "<img src=\"{picture}\" alt=\"{picture}\">");
            }
        }
        std::fs::write(folder.join(page), html).map_err(|source| Error::Io {
            context: format!("writing {page}"),
            source,
        })?;
    }
    println!("{} figures in {}", shown.len(), folder.display());
    Ok(())
}

//! What a person is offered and told before rust-analyzer is there.

use super::*;
use crate::engine::Variable;

/// A small crate in the shape of dlcore.
fn library() -> (tempfile::TempDir, Names) {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("src/dlcore/src");
    let write = |path: &str, text: &str| {
        let path = source.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "lib.rs",
        "pub mod tensor; pub mod plot; pub mod layers; pub mod data; pub mod models; mod secret; pub mod prelude;
         #[doc(hidden)] pub mod cell; #[cfg(test)] pub mod fixtures; pub use tensor::Tensor;",
    );
    write("cell.rs", "pub fn run() {}");
    write(
        "prelude.rs",
        "pub use crate::{tensor::{Tensor, Tensor as Array}, plot, data::{self}, models::{Model, Fit, History}};
         pub use crate::layers::*;",
    );
    write("secret.rs", "pub fn inner() {}");
    write(
        "tensor/mod.rs",
        "//! Boxes of numbers.\n/// Numbers in a box.\npub struct Tensor { data: u8 }
         impl Tensor {
             /// In another shape.
             pub fn reshape(&self, shape: u8) -> Tensor {} pub fn zeros() -> Self {} pub fn try_sum(&self) -> Result<Tensor> {}
             fn hidden(&self) {} pub(crate) fn internal(&self) {} #[doc(hidden)] pub fn cell(&self) {}
             #[cfg(test)] pub fn only_tests(&self) {}
         }
         pub struct Other; impl Other { pub fn rest(&self) {} }",
    );
    write(
        "plot/mod.rs",
        "mod image; mod live; pub(crate) use live::escape; pub use image::{Image, image}; use super::secret::inner;
         pub use crate::secret::inner as outer;",
    );
    write(
        "plot/image.rs",
        "/// A picture.\npub struct Image { pub width: usize, size: u8 } /// Draws one.\npub fn image(of: &Tensor) -> Image {} fn private() {}",
    );
    write("plot/live.rs", "pub fn escape() {} pub struct LiveFit;");
    write(
        "data.rs",
        "pub mod mnist { pub struct Mnist { pub images: Tensor, kept: u8 } pub fn load() -> Result<Mnist> {} fn fetch() {} }",
    );
    write(
        "models/mod.rs",
        "pub struct Fit { pub(super) epochs: usize } pub struct History;
         impl Fit { /// So many.\n pub fn epochs(epochs: usize) -> Fit {} pub fn batch_size(mut self, size: usize) -> Self {} }
         pub struct Model; impl Model {
             pub fn new() -> Model {} pub fn add(self, layer: impl Into<Layer>) -> Model {}
             /// Trains.\n pub fn fit(&mut self, x: &Tensor, fit: Fit) -> Result<History> {}
         }",
    );
    write(
        "layers/mod.rs",
        "mod made; pub use made::Conv;
         pub struct Front; impl std::ops::Deref for Front { type Target = Dense; fn deref(&self) -> &Dense { &self.0 } }
         pub const NAMES: &[&str] = &[\"relu\", \"selu\"];
         macro_rules! settings { ($layer:ident, $prefix:literal) => { impl $layer {
            #[doc = concat!(\"Counted from `\", $prefix, \"`.\")] pub fn name(mut self, name: &str) -> $layer { self }
         } }; }
         pub trait Layer { /// So many weights.\n fn count(&self) -> usize; }
         pub trait Call: Layer { fn on(self, of: u8) -> Symbol {} } impl<T: Layer + 'static> Call for T {}
         pub struct Symbol; impl Layer for Dense { fn count(&self) -> usize { 1 } }
         pub struct Dense; settings!(Dense, \"dense\"); other!(Dense);
         impl Dense { /// A layer of so many units.\n pub fn new(units: usize) -> Dense {} }",
    );
    write(
        "layers/made.rs",
        "macro_rules! conv { ($(#[$doc:meta])* $layer:ident, $prefix:literal) => { $(#[$doc])* pub struct $layer;
            settings!($layer, $prefix); impl $layer { pub fn new() -> $layer {} pub(crate) fn config() {} } }; }
         conv! { /// Slides.\n Conv, \"conv\" }",
    );
    let names = Names::of_library(home.path());
    (home, names)
}

fn view() -> SessionView {
    let variable = |name: &str, type_name: &str| Variable {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        mutable: name == "model",
    };
    SessionView {
        items: vec![
            "fn settle() -> Tensor {}".to_owned(),
            "struct Mine { depth: Tensor }".to_owned(),
            "impl Mine { fn dig(&self) -> Mine {} }".to_owned(),
        ],
        crates: vec![],
        variables: vec![
            variable("sé", "Tensor"),
            variable("model", "Model"),
            variable("mine", "Mine"),
        ],
    }
}

fn texts(found: &Completions) -> Vec<&str> {
    found.matches.iter().map(|m| m.text.as_str()).collect()
}

/// The names offered at the end of a cell; `?` when nothing is known there.
fn offered(names: &Names, code: &str) -> String {
    match names.complete(&view(), code, code.len()) {
        Known::All(found) | Known::Some(found) => texts(&found).join(" "),
        Known::Nothing => "?".to_owned(),
    }
}

#[test]
fn names_of_session_library_and_language() {
    let (_home, names) = library();
    let code = "let é = s";
    let Known::Some(found) = names.complete(&view(), code, code.len()) else {
        panic!("names in scope are known");
    };
    assert_eq!(texts(&found), ["sé", "settle", "self", "static", "struct"]);
    assert_eq!((found.start, found.end), (8, 9));
    assert_eq!(offered(&names, "A"), "Array");
    assert_eq!(offered(&names, "Con"), "Conv");
    assert_eq!(offered(&names, "0..se"), "settle self");
    for nothing in ["// se", "let x = 12", "f(\"se", "let s = r#\"se"] {
        assert_eq!(offered(&names, nothing), "", "{nothing}");
    }
}

#[test]
fn methods_after_a_dot_follow_the_chain_of_calls() {
    let (_home, names) = library();
    let tensor = "reshape try_sum";
    for (code, expected) in [
        ("sé\n  .", tensor),
        ("sé.re", "reshape"),
        ("sé.reshape(1).", tensor),
        ("sé.try_sum()?.", tensor),
        ("(sé.reshape(1) / 255.0).", tensor),
        ("settle().", tensor),
        ("Tensor::zeros().", tensor),
        ("Dense::new(10).name(\"a\").", "name count on"),
        ("Front.", "?"),
        ("Conv::new().", "name"),
        ("Model::new().add(Dense::new(1)).f", "fit"),
        (
            "let m = Model::new()\n    .add(Dense::new(2).",
            "name count on",
        ),
        (
            "let mut net = Model::new().add(Dense::new(1));\nnet.f",
            "fit",
        ),
        ("let y = &sé * 2.0 + 1.0; y.", tensor),
        ("let y: Vec<u8> = f(); y.", "?"),
        ("let set = data::mnist::load()?;\nset.", "images"),
        ("let set = data::mnist::load()?;\nset.images.", tensor),
        ("data::mnist::load().unwrap().im", "images"),
        ("mine.", "depth dig"),
        ("mine.dig().depth.", tensor),
        ("Fit::epochs(3).b", "batch_size"),
        ("f().re", "?"),
        ("x.", "?"),
    ] {
        assert_eq!(offered(&names, code), expected, "{code}");
    }
}

#[test]
fn paths_lead_into_types_and_modules_and_only_to_what_is_public() {
    let (_home, names) = library();
    for (code, expected) in [
        ("Tensor::z", "zeros"),
        ("Tensor::", "reshape try_sum zeros"),
        ("Array::z", "zeros"),
        ("plot::", "Image image outer"),
        ("data::", "mnist"),
        ("data::mnist::", "Mnist load"),
        (
            "use dlcore::",
            "Tensor data layers models plot prelude tensor",
        ),
        ("Conv::", "name new"),
        ("Mine::", "dig"),
        ("Nowhere::", "?"),
        ("std::", "?"),
    ] {
        assert_eq!(offered(&names, code), expected, "{code}");
    }
    let whole = |code: &str| matches!(names.complete(&view(), code, code.len()), Known::All(_));
    assert!(whole("plot::") && !whole("Tensor::"));
    let hides = |code: &str, name: &str, kind: &str| {
        let hides = names.hides(&view(), code, code.len());
        hides(&Match {
            text: name.to_owned(),
            kind: kind.to_owned(),
            label: name.to_owned(),
        })
    };
    for (code, name, kind, hidden) in [
        ("sé.", "data", "instance", true),
        ("sé.", "internal", "function", true),
        ("sé.", "cell", "function", true),
        ("sé.", "reshape", "function", false),
        ("sé.", "to_string", "function", false),
        ("Fit::epochs(3).", "epochs", "instance", true),
        ("Fit::", "epochs", "function", false),
        ("data::mnist::load()?.", "images", "instance", false),
    ] {
        assert_eq!(hides(code, name, kind), hidden, "{code}{name}");
    }
}

#[test]
fn what_the_library_says_of_its_names() {
    let (_home, names) = library();
    let say = |code: &str| names.describe(&view(), code, code.len());
    for (code, expected) in [
        (
            "Tensor",
            "struct Tensor\n\nNumbers in a box.\n\nMade by: `zeros`.\n\nMethods: `reshape`, `try_sum`.",
        ),
        (
            "Fit",
            "struct Fit\n\nMade by: `epochs`.\n\nMethods: `batch_size`.",
        ),
        (
            "plot::Image",
            "struct Image {\n    width: usize,\n    // and private ones\n}\n\nA picture.",
        ),
        (
            "plot::image",
            "fn image(of: &Tensor) -> Image\n\nDraws one.",
        ),
        (
            "Tensor::reshape",
            "fn reshape(&self, shape: u8) -> Tensor\n\nIn another shape.",
        ),
        (
            "sé.reshape",
            "fn reshape(&self, shape: u8) -> Tensor\n\nIn another shape.",
        ),
        (
            "model.fit",
            "fn fit(&mut self, x: &Tensor, fit: Fit) -> Result<History>\n\nTrains.",
        ),
        (
            "Dense::name",
            "fn name(self, name: &str) -> Dense\n\nCounted from `dense`.",
        ),
        (
            "Conv::name",
            "fn name(self, name: &str) -> Conv\n\nCounted from `conv`.",
        ),
        (
            "Conv",
            "struct Conv\n\nSlides.\n\nMade by: `new`.\n\nMethods: `name`.",
        ),
        (
            "Dense::new(1).count",
            "fn count(&self) -> usize\n\nSo many weights.",
        ),
        (
            "dlcore::tensor",
            "mod tensor\n\nBoxes of numbers.\n\nIn it: `Other`, `Tensor`.",
        ),
    ] {
        assert_eq!(say(code).as_deref(), Some(expected), "{code}");
    }
    assert!(say("Front::name").is_some());
    assert_eq!(names.library.choices("layers"), ["relu", "selu"]);
}

#[test]
fn names_in_modules_are_found_by_their_end() {
    let (_home, names) = library();
    assert_eq!(offered(&names, "im"), "impl");
    assert_eq!(offered(&names, "ima"), "plot::image");
    assert_eq!(offered(&names, "load"), "data::mnist::load");
    assert_eq!(offered(&names, "Othe"), "dlcore::tensor::Other");
    // Neither does a name begin so, but one holds it.
    assert_eq!(offered(&names, "nist"), "data::mnist::Mnist data::mnist");
    assert_eq!(offered(&names, "zzz"), "");
    let (path, text) = names.elsewhere("image").unwrap();
    assert_eq!(path, "plot::image");
    assert!(text.ends_with("Draws one."), "{text}");
    assert_eq!(names.elsewhere("Tensor").map(|(path, _)| path), None);
    assert_eq!(names.near("imgae"), ["plot::Image", "plot::image"]);
    assert!(names.near("tensr").contains(&"Tensor".to_owned()));
    assert!(names.near("unheard").is_empty());
}

#[test]
fn the_source_of_what_is_written_somewhere() {
    let (_home, names) = library();
    let source = |code: &str| names.source(&view(), code, code.len());
    assert_eq!(
        source("sé.reshape").as_deref(),
        Some("/// In another shape.\npub fn reshape(&self, shape: u8) -> Tensor {}")
    );
    assert_eq!(
        source("Mine").as_deref(),
        Some("struct Mine { depth: Tensor }")
    );
    assert_eq!(source("Conv::name"), None);
    assert_eq!(source("plot"), None);
}

#[test]
fn what_the_session_says_of_its_names() {
    let (_home, names) = library();
    let say = |code: &str| names.describe(&view(), code, code.len());
    assert_eq!(
        say("x + sé").as_deref(),
        Some("let sé: Tensor\n\nNumbers in a box.")
    );
    assert_eq!(say("model").as_deref(), Some("let mut model: Model"));
    assert_eq!(say("settle").as_deref(), Some("fn settle() -> Tensor"));
    assert_eq!(say("x.settle"), None);
    assert_eq!(say("nothing"), None);
}

#[test]
fn within_parentheses_the_function_is_asked_about() {
    let (_home, names) = library();
    for (code, expected) in [
        ("model.fit(|", "model.fit"),
        ("model.fit(&s|é, ", "model.fit"),
        ("model.fit(&sé, |)?;", "model.fit"),
        ("Dense::new(1|0)", "Dense::new"),
        ("Dense::ne|w(10)", "Dense::new"),
        ("Model::new().add(Den|se::new(1))", "Model::new().add(Dense"),
        ("f(sé.resh|ape(1))", "f(sé.reshape"),
        ("println!(\"{}\", s|é)", "println!(\"{}\", sé"),
        ("model|", "model"),
        ("model.fit(&sé, Fit::epochs(1))|", ""),
        ("( |)", ""),
    ] {
        let at = code.find('|').unwrap();
        let code = code.replace('|', "");
        let end = names.asked(&view(), &code, at);
        assert_eq!(end.map_or("", |end| &code[..end]), expected, "{code}");
    }
}

/// The library as it is: whoever adds to it by a macro that is not understood here hears of it.
#[test]
fn all_of_dlcore_is_known() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dlcore/src");
    let names = Names {
        library: Library::read(&source),
    };
    let prelude: Vec<&str> = names.library.prelude().map(|(name, _)| name).collect();
    assert!(prelude.len() > 100, "{prelude:?}");
    for name in prelude {
        let text = names.describe(&view(), name, name.len());
        let text = text.unwrap_or_else(|| panic!("{name} of the prelude is not known"));
        assert!(text.contains("\n\n"), "{name} has no documentation: {text}");
        assert!(
            !text.contains("pub(") && !text.contains("crate::"),
            "{text}"
        );
    }
    let has = |code: &str, expected: &[&str], not: &[&str]| {
        let offered = offered(&names, code);
        let offered: Vec<&str> = offered.split(' ').collect();
        for name in expected {
            assert!(offered.contains(name), "{code} lacks {name}: {offered:?}");
        }
        for name in not {
            assert!(!offered.contains(name), "{code} has {name}: {offered:?}");
        }
    };
    has(
        "datasets::",
        &["imdb", "mnist"],
        &["fetch", "npz", "pickle"],
    );
    has("read_c", &["files::read_csv"], &[]);
    has("csv", &["files::read_csv", "files::ReadCsv"], &[]);
    has("layers::", &["Dense", "Layer"], &[]);
    has("preprocessing::", &["to_categorical", "pad_sequences"], &[]);
    assert_eq!(names.near("readcsv")[0], "files::ReadCsv");
    assert_eq!(names.elsewhere("read_csv").unwrap().0, "files::read_csv");
    let of_fit = names.describe(&view(), "Fit", 3).unwrap();
    assert!(
        of_fit.contains("Methods: ") && of_fit.contains("`batch_size`"),
        "{of_fit}"
    );
    has(
        "plot::",
        &["image", "Image"],
        &["escape", "ValueNode", "WIDTH", "run", "LiveFit"],
    );
    has(
        "Dense::new(10).",
        &["activation", "use_bias", "on", "input_shape"],
        &["compile", "from_config"],
    );
    has(
        "Dense::new(10).activation(\"relu\").",
        &["activation"],
        &["fit"],
    );
    has(
        "Conv2D::new(32, 3).padding(\"same\").",
        &["activation", "strides", "name"],
        &[],
    );
    has("MaxPooling2D::new(2).", &["padding", "input_shape"], &[]);
    has("LSTM::new(32).", &["return_sequences", "dropout"], &[]);
    has("Adam::new().", &["learning_rate", "clipnorm"], &[]);
    has("Metric::", &["accuracy", "precision"], &[]);
    has(
        "Fit::epochs(5).",
        &["batch_size", "validation_split"],
        &["shuffled"],
    );
    has(
        "model.",
        &["fit", "evaluate", "predict", "summary"],
        &["handle"],
    );
    has(
        "let mut net = Sequential::new()\n    .add(Dense::new(8));\nnet.",
        &["fit", "summary"],
        &[],
    );
    has(
        "let h = model.fit(&x, &y, Fit::epochs(1))?; h.",
        &["plot", "get"],
        &[],
    );
    has(
        "datasets::mnist::load()?.",
        &["train_images", "test_labels"],
        &[],
    );
    has(
        "datasets::mnist::load()?.train_images.",
        &["reshape", "slice"],
        &[],
    );
}

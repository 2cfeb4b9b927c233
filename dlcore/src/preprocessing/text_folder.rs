//! Texts of a folder, each in a file: Keras's `text_dataset_from_directory`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{Chosen, Directory, Sought};
use crate::files::whole;
use crate::{DType, Error, Result, Tensor, names};

const LABEL_MODES: [&str; 4] = ["int", "categorical", "binary", "none"];

const TEXTS: Sought = Sought {
    what: "texts",
    keras: "files",
    endings: &[".txt"],
    others: &[".csv", ".html", ".json", ".md", ".pdf", ".xml"],
};

/// The settings of [`text_dataset_from_directory`], with Keras's defaults.
///
/// ```
/// use dlcore::preprocessing::TextFolder;
/// let settings = TextFolder::new().validation_split(0.2).subset("training").seed(1337);
/// ```
#[derive(Clone, Debug)]
pub struct TextFolder {
    label_mode: String,
    class_names: Vec<String>,
    max_length: Option<usize>,
    chosen: Chosen,
}

impl Default for TextFolder {
    fn default() -> Self {
        TextFolder::new()
    }
}

impl TextFolder {
    /// Keras's defaults.
    pub fn new() -> TextFolder {
        TextFolder {
            label_mode: "int".to_owned(),
            class_names: Vec::new(),
            max_length: None,
            chosen: Chosen::new(),
        }
    }

    /// What the labels are: `"int"` class numbers `[samples]`, `I32`; `"categorical"` rows `[samples, classes]`;
    /// `"binary"` 0 or 1 as `[samples, 1]`, `F32`; `"none"` nothing, `[samples, 0]` (`"int"`).
    pub fn label_mode(mut self, label_mode: &str) -> TextFolder {
        self.label_mode = label_mode.to_owned();
        self
    }

    /// The folders that are classes, in the order of their numbers (all, in alphabetical order). Others are
    /// left out, such as IMDB's `unsup`.
    pub fn class_names<const N: usize>(mut self, class_names: [&str; N]) -> TextFolder {
        self.class_names = class_names.map(str::to_owned).to_vec();
        self
    }

    /// How many characters of a text are kept (all).
    pub fn max_length(mut self, max_length: usize) -> TextFolder {
        self.max_length = Some(max_length);
        self
    }

    /// Whether the texts come in another order than that of their paths (true).
    pub fn shuffle(mut self, shuffle: bool) -> TextFolder {
        self.chosen.shuffle = shuffle;
        self
    }

    /// What the order is drawn from, and with it which texts are for validation: the same ones as in Keras
    /// (from [`set_seed`](crate::set_seed)).
    pub fn seed(mut self, seed: u32) -> TextFolder {
        self.chosen.seed = Some(seed);
        self
    }

    /// The share of texts for validation; [`TextFolder::subset`] says which part is meant (none).
    pub fn validation_split(mut self, share: f64) -> TextFolder {
        self.chosen.validation_split = Some(share);
        self
    }

    /// `"training"` or `"validation"`.
    pub fn subset(mut self, subset: &str) -> TextFolder {
        self.chosen.subset = Some(subset.to_owned());
        self
    }
}

impl From<&TextFolder> for TextFolder {
    fn from(settings: &TextFolder) -> TextFolder {
        settings.clone()
    }
}

/// The texts of a folder with their labels; cheap to clone.
#[derive(Clone, Debug)]
pub struct TextDataset {
    texts: Arc<Vec<String>>,
    labels: Tensor,
    class_names: Arc<Vec<String>>,
    paths: Arc<Vec<PathBuf>>,
}

/// The texts (`.txt`) in a folder that has a folder for each class, as `keras.utils.text_dataset_from_directory`;
/// here all of them at once rather than batch by batch, ready for a [`Tokenizer`](super::Tokenizer).
///
/// ```no_run
/// use dlcore::prelude::*;
/// let settings = TextFolder::new().validation_split(0.2).seed(1337);
/// let train = text_dataset_from_directory("aclImdb/train", settings.clone().subset("training"))?;
/// let val = text_dataset_from_directory("aclImdb/train", settings.subset("validation"))?;
/// let mut tokenizer = Tokenizer::new().num_words(10_000);
/// tokenizer.fit_on_texts(train.texts());
/// let (x_train, y_train) = (tokenizer.texts_to_matrix(train.texts(), "binary")?, train.labels());
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`] if there are no such folders, no texts in them, or one that is not UTF-8; [`Error::Value`] for
/// settings that cannot be.
pub fn text_dataset_from_directory(
    directory: impl AsRef<Path>,
    settings: impl Into<TextFolder>,
) -> Result<TextDataset> {
    of_directory(directory.as_ref(), &settings.into())
}

fn of_directory(directory: &Path, settings: &TextFolder) -> Result<TextDataset> {
    const OPERATION: &str = "text_dataset_from_directory";
    if !LABEL_MODES.contains(&settings.label_mode.as_str()) {
        let message = names::unknown("label_mode", &settings.label_mode, &LABEL_MODES);
        return Err(Error::Value(format!("{OPERATION}: {message}")));
    }
    settings.chosen.check(OPERATION)?;
    let Directory { class_names, files } =
        Directory::read(directory, &settings.class_names, &TEXTS)?;
    if settings.label_mode == "binary" && class_names.len() != 2 {
        return Err(Error::Value(format!(
            "{OPERATION}: label_mode \"binary\" is for 2 classes, found {}: {}",
            class_names.len(),
            class_names.join(", ")
        )));
    }
    let (paths, numbers): (Vec<PathBuf>, Vec<usize>) =
        settings.chosen.of(directory, files)?.into_iter().unzip();
    let texts: Result<Vec<String>> = paths.iter().map(|path| read(path, settings)).collect();
    let numbers: Vec<i64> = numbers.into_iter().map(|number| number as i64).collect();
    let labels = Tensor::from(numbers);
    let labels = match settings.label_mode.as_str() {
        "categorical" => labels.try_one_hot(class_names.len())?,
        "binary" => labels.cast(DType::F32).try_reshape([paths.len(), 1])?,
        "none" => Tensor::zeros([paths.len(), 0]),
        _ => labels.cast(DType::I32),
    };
    Ok(TextDataset {
        texts: Arc::new(texts?),
        labels,
        class_names: Arc::new(class_names),
        paths: Arc::new(paths),
    })
}

/// The text in a file.
fn read(path: &Path, settings: &TextFolder) -> Result<String> {
    let mut text = String::from_utf8(whole::read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        whole::error(
            path,
            format!("byte {at}: the text is not UTF-8; save the file as UTF-8"),
        )
    })?;
    if let Some((end, _)) = settings
        .max_length
        .and_then(|length| text.char_indices().nth(length))
    {
        text.truncate(end);
    }
    Ok(text)
}

impl TextDataset {
    /// The texts, in the order in which they were put.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Their labels, as [`TextFolder::label_mode`] says.
    pub fn labels(&self) -> Tensor {
        self.labels.clone()
    }

    /// The names of the classes, in the order of their numbers.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The files of the texts.
    pub fn file_paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    /// Seven texts in two classes, and files that are none.
    fn folder() -> Folder {
        let folder = Folder::new();
        for (class, names) in [("neg", "a b c d"), ("pos", "a b c"), (".hidden", "a")] {
            std::fs::create_dir(folder.file(class)).unwrap();
            for name in names.split(' ') {
                let path = folder.file(class).join(format!("{name}.txt"));
                std::fs::write(path, format!("{class} {name} é")).unwrap();
            }
        }
        std::fs::write(folder.file("pos").join("notes.md"), "no text").unwrap();
        folder
    }

    #[test]
    fn texts_and_labels_belong_together() {
        let folder = folder();
        let all = text_dataset_from_directory(folder.file(""), TextFolder::new()).unwrap();
        assert_eq!(all.class_names(), ["neg", "pos"]);
        assert_eq!((all.texts().len(), all.labels().shape()), (7, &[7][..]));
        for (text, label) in all.texts().iter().zip(all.labels().to_vec()) {
            assert!(text.starts_with(["neg", "pos"][label as usize]), "{text}");
        }
        let short = TextFolder::new()
            .shuffle(false)
            .max_length(7)
            .label_mode("binary");
        let short = text_dataset_from_directory(folder.file(""), short).unwrap();
        assert_eq!(short.texts()[..2], ["neg a é", "neg b é"]);
        assert_eq!(short.labels().shape(), [7, 1]);
        let one = TextFolder::new().class_names(["pos"]);
        assert_eq!(
            text_dataset_from_directory(folder.file(""), one)
                .unwrap()
                .texts()
                .len(),
            3
        );
    }

    /// `keras.utils.text_dataset_from_directory` of the same folder, by its `file_paths`.
    #[test]
    fn the_split_is_that_of_keras() {
        let folder = folder();
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/parity/fixtures/adapted.json"
        );
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for subset in ["training", "validation"] {
            let settings = TextFolder::new()
                .validation_split(0.3)
                .subset(subset)
                .seed(5);
            let found = text_dataset_from_directory(folder.file(""), settings).unwrap();
            let relative = |path: &PathBuf| {
                let below = path.strip_prefix(folder.file("")).unwrap();
                below.to_string_lossy().into_owned()
            };
            let found: Vec<String> = found.file_paths().iter().map(relative).collect();
            let expected: Vec<String> =
                serde_json::from_value(json["text_folder"][subset].clone()).unwrap();
            assert_eq!(found, expected, "{subset}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        let folder = folder();
        let error = |settings: TextFolder| {
            let found = text_dataset_from_directory(folder.file(""), settings);
            found.unwrap_err().to_string()
        };
        assert!(error(TextFolder::new().label_mode("ints")).contains("did you mean \"int\"?"));
        assert!(error(TextFolder::new().validation_split(0.2)).contains("go together"));
        let unseeded = TextFolder::new().validation_split(0.2).subset("training");
        assert!(error(unseeded).contains("needs a seed"));
        assert!(error(TextFolder::new().class_names(["sad"])).contains("found neg, pos"));
        std::fs::write(folder.file("pos").join("b.txt"), b"caf\xe9").unwrap();
        let latin = error(TextFolder::new());
        assert!(
            latin.contains("b.txt: byte 3: the text is not UTF-8"),
            "{latin}"
        );
    }
}

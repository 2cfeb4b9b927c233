//! Event files for TensorBoard.

mod events;

use std::path::{Path, PathBuf};

use super::{Callback, Control, Logs, Trainable};
use crate::Result;
use events::EventFile;

/// Writes losses, metrics and the learning rate of each epoch for TensorBoard
/// (`tensorboard --logdir logs`).
///
/// As Keras does: what training measured goes to the folder `train`, what validation measured to
/// `validation`, both as `epoch_loss`, `epoch_accuracy`, …, which share a chart; steps are epochs, counted
/// from 0. Each epoch is in the file when it is over.
///
/// ```
/// use dlcore::callbacks::TensorBoard;
/// let callback = TensorBoard::new("logs/first");
/// ```
pub struct TensorBoard {
    folder: PathBuf,
    train: Option<EventFile>,
    validation: Option<EventFile>,
}

impl TensorBoard {
    /// Writes below the folder `log_dir`, which is made where it is missing. Runs are told apart by
    /// their folders.
    pub fn new(log_dir: impl AsRef<Path>) -> Self {
        Self::below(log_dir.as_ref())
    }

    fn below(folder: &Path) -> Self {
        TensorBoard {
            folder: folder.to_owned(),
            train: None,
            validation: None,
        }
    }

    fn write(&mut self, epoch: usize, logs: &Logs, learning_rate: f64) -> Result<()> {
        let mut measured = vec![];
        let mut validated = vec![];
        for (name, value) in logs.iter() {
            match name.strip_prefix("val_") {
                Some(name) => validated.push((format!("epoch_{name}"), value)),
                None => measured.push((format!("epoch_{name}"), value)),
            }
        }
        measured.push(("epoch_learning_rate".to_string(), learning_rate));
        let train = file(&mut self.train, &self.folder, "train")?;
        train.scalars(epoch as u64, &measured)?;
        if !validated.is_empty() {
            let validation = file(&mut self.validation, &self.folder, "validation")?;
            validation.scalars(epoch as u64, &validated)?;
        }
        Ok(())
    }
}

/// The file, begun where it was not yet.
fn file<'a>(
    file: &'a mut Option<EventFile>,
    folder: &Path,
    part: &str,
) -> Result<&'a mut EventFile> {
    match file {
        Some(file) => Ok(file),
        None => Ok(file.insert(EventFile::create(&folder.join(part))?)),
    }
}

impl Callback for TensorBoard {
    fn train_begin(&mut self, _: &mut dyn Trainable) {
        (self.train, self.validation) = (None, None);
    }

    fn epoch_begin(&mut self, _: usize, _: &mut dyn Trainable) -> Control {
        file(&mut self.train, &self.folder, "train")
            .map(|_| ())
            .into()
    }

    fn epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        self.write(epoch, logs, model.learning_rate()).into()
    }

    fn train_end(&mut self, _: &mut dyn Trainable) {
        (self.train, self.validation) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Folder, Model, run};
    use super::events::read;
    use super::*;

    fn events(folder: &Path) -> Vec<(u64, String, f32)> {
        let mut files = std::fs::read_dir(folder).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "one training writes one file");
        assert!(
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .contains(".tfevents.")
        );
        read(&std::fs::read(file).unwrap())
    }

    #[test]
    fn training_and_validation_stand_in_folders_of_their_own() {
        let folder = Folder::new("tensorboard");
        let mut board = TensorBoard::new(folder.path("logs"));
        let mut model = Model::new();
        board.train_begin(&mut model);
        for (epoch, loss) in [0.5, 0.25].into_iter().enumerate() {
            assert_eq!(board.epoch_begin(epoch, &mut model), Control::Continue);
            let logs = vec![
                ("loss".to_string(), loss),
                ("val_loss".to_string(), 2.0 * loss),
            ];
            assert_eq!(
                board.epoch_end(epoch, &Logs::from(logs), &mut model),
                Control::Continue
            );
        }
        let tags = |events: &[(u64, String, f32)]| -> Vec<String> {
            events
                .iter()
                .map(|(step, tag, value)| format!("{step} {tag} {value}"))
                .collect()
        };
        // Read while training still runs.
        assert_eq!(
            tags(&events(&folder.path("logs/train"))),
            [
                "0 epoch_loss 0.5",
                "0 epoch_learning_rate 0.1",
                "1 epoch_loss 0.25",
                "1 epoch_learning_rate 0.1"
            ]
        );
        assert_eq!(
            tags(&events(&folder.path("logs/validation"))),
            ["0 epoch_loss 1", "1 epoch_loss 0.5"]
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_ends_training_before_its_first_batch() {
        let folder = Folder::new("tensorboard-refused");
        std::fs::write(folder.path("file"), "").unwrap();
        let mut board = TensorBoard::new(folder.path("file/logs"));
        let ended = run(&mut board, &mut Model::new(), "loss", &[0.5]);
        assert!(matches!(ended, Some((0, Control::Fail(_)))), "{ended:?}");
    }
}

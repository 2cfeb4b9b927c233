//! Finding NVIDIA's libraries when they are first needed.

use std::path::{Path, PathBuf};

use libloading::Library;

/// A library, and where its makers put it.
pub(super) struct Sought {
    /// What it is, for people.
    pub(super) what: &'static str,
    /// Its file names, the best one first.
    pub(super) names: &'static [&'static str],
    /// The folder of NVIDIA's Python package that has it: `site-packages/nvidia/<package>/lib`.
    pub(super) package: Option<&'static str>,
}

pub(super) const DRIVER: Sought = Sought {
    what: "the NVIDIA driver",
    names: &["libcuda.so.1", "libcuda.so"],
    package: None,
};

pub(super) const COMPILER: Sought = Sought {
    what: "CUDA's run-time compiler NVRTC",
    names: &[
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so.11.2",
        "libnvrtc.so",
    ],
    package: Some("cuda_nvrtc"),
};

pub(super) const BLAS: Sought = Sought {
    what: "CUDA's matrix library cuBLAS",
    names: &[
        "libcublas.so.13",
        "libcublas.so.12",
        "libcublas.so.11",
        "libcublas.so",
    ],
    package: Some("cublas"),
};

impl Sought {
    /// Opens every one that is found in turn until `fits` takes it.
    ///
    /// # Errors
    /// What was looked for and where, and why what was found could not be used.
    pub(super) fn open<T>(
        &self,
        fits: impl FnMut(Library, &Path) -> Result<T, String>,
    ) -> Result<T, String> {
        self.open_in(&self.folders(), fits)
    }

    fn open_in<T>(
        &self,
        folders: &[PathBuf],
        mut fits: impl FnMut(Library, &Path) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut problems = Vec::new();
        let by_name = self.names.iter().map(PathBuf::from);
        let in_folders = folders
            .iter()
            .flat_map(|folder| self.names.iter().map(move |name| folder.join(name)))
            .filter(|path| path.exists());
        for path in by_name.chain(in_folders) {
            // SAFETY: the library's own initialisers run, as for whoever uses the card on this machine.
            let opened = unsafe { Library::new(&path) };
            let tried = match opened {
                Ok(library) => fits(library, &path),
                Err(error) => {
                    // The loader's own words are behind libloading's.
                    let error = match std::error::Error::source(&error) {
                        Some(words) => words.to_string(),
                        None => error.to_string(),
                    };
                    if error.contains("cannot open shared object file") {
                        continue;
                    }
                    Err(error)
                }
            };
            match tried {
                Ok(result) => return Ok(result),
                Err(problem) => problems.push(format!("{}: {problem}", path.display())),
            }
        }
        if !problems.is_empty() {
            return Err(format!(
                "{} was found but cannot be used ({})",
                self.what,
                problems.join("; ")
            ));
        }
        Err(self.missing(folders))
    }

    fn missing(&self, folders: &[PathBuf]) -> String {
        let path = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
        let mut places = vec![format!("the loader's path (LD_LIBRARY_PATH={path:?})")];
        places.extend(folders.iter().map(|folder| folder.display().to_string()));
        format!(
            "{} was not found: looked for {} in {}",
            self.what,
            self.names.join(", "),
            places.join(", ")
        )
    }

    /// Where it may be beside the loader's path: the toolkit's folders, then those of Python's packages.
    fn folders(&self) -> Vec<PathBuf> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let Some(package) = self.package else {
            return vec![PathBuf::from("/usr/lib/wsl/lib")];
        };
        let mut folders = Vec::new();
        let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable);
        for toolkit in toolkits.chain([PathBuf::from("/usr/local/cuda")]) {
            folders.push(toolkit.join("lib64"));
        }
        let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"];
        for environment in environments.into_iter().filter_map(variable) {
            folders.push(environment.join("lib"));
            let pythons = std::fs::read_dir(environment.join("lib"));
            for python in pythons.into_iter().flatten().flatten() {
                let installed = python.path().join("site-packages/nvidia").join(package);
                if installed.is_dir() {
                    folders.push(installed.join("lib"));
                }
            }
        }
        folders.dedup();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Sought = Sought {
        what: "a library",
        names: &["libdlcore-nothing.so.1", "libdlcore-nothing.so"],
        package: None,
    };

    #[test]
    fn what_is_missing_is_said_with_names_and_places() {
        let folder = PathBuf::from("/nowhere/at/all");
        let error = NOTHING.open_in(&[folder], |_, _| Ok(())).unwrap_err();
        for part in [
            "a library was not found",
            "libdlcore-nothing.so.1, libdlcore-nothing.so",
            "LD_LIBRARY_PATH",
            "/nowhere/at/all",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_said_to_be_damaged() {
        let folder = std::env::temp_dir().join(format!("dlcore-library-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(NOTHING.names[0]), b"not a library").unwrap();
        let error = NOTHING.open_in(std::slice::from_ref(&folder), |_, _| Ok(()));
        std::fs::remove_dir_all(&folder).unwrap();
        let error = error.unwrap_err();
        assert!(error.contains("was found but cannot be used"), "{error}");
    }
}

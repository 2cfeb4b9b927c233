//! Installing and removing. Whatever fails, what was there before still works: the new source
//! takes the old one's place only together with what is built of it, the program and the
//! kernelspec come last.

use super::files::{make_dir, read_tree, remove_dir, write_tree, write_whole};
use super::places::Places;
use crate::engine::{Cleared, warm};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const LOGOS: [(&str, &[u8]); 3] = [
    (
        "logo-32x32.png",
        include_bytes!("../../logos/logo-32x32.png"),
    ),
    (
        "logo-64x64.png",
        include_bytes!("../../logos/logo-64x64.png"),
    ),
    ("logo-svg.svg", include_bytes!("../../logos/logo-svg.svg")),
];

/// Installs this program, dlcore's source, dlcore built for the present compiler, the kernelspec.
pub fn install(places: &Places, source: Option<&Path>) -> Result<()> {
    // Read first: building takes minutes, in which a developer's next build may take the file away.
    let program = this_program()?;
    let repository = find_repository(source)?;
    make_dir(&places.home)?;
    let _alone = lock(&places.home)?;
    mend(&places.home)?;
    let source = prepare_source(&places.home, &repository)?;
    put_source(&places.home, &source)?;

    write_whole(&places.program(), &program, 0o755)?;
    write_kernelspec(places)?;
    println!("installed {}", places.kernelspec.display());
    Ok(())
}

/// This program's own file, even where another has taken its name since.
fn this_program() -> Result<Vec<u8>> {
    let running = Path::new("/proc/self/exe");
    if let Ok(content) = fs::read(running) {
        return Ok(content);
    }
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    fs::read(&program).with_context(|| format!("cannot read {}", program.display()))
}

/// Removes what [`install`] made, what the kernel kept in the cache, and directories left empty; says
/// what goes before it does, since much takes a moment, and what stays.
pub fn uninstall(places: &Places) -> Result<()> {
    let jupyter = places.home.join("jupyter");
    let parts = [
        ("the kernelspec", &places.kernelspec),
        ("the JupyterLab that was installed beside it", &jupyter),
        ("the program and what was built for it", &places.home),
    ];
    let mut found = false;
    for (what, place) in parts {
        if place.exists() {
            println!("removing {what} in {}", place.display());
            remove_dir(place)?;
            found = true;
        }
    }
    if !found {
        println!("nothing is installed in {}", places.home.display());
        return Ok(());
    }
    match crate::engine::clear_cache().context("cannot clear the cache directory")? {
        Cleared::Nothing => {}
        Cleared::Removed(cache) => println!("removed what sessions kept in {}", cache.display()),
        Cleared::InUse(cache) => {
            println!("kept {}: a session is still running", cache.display());
        }
    }
    for made in [&places.kernelspec, &places.home] {
        for above in made.ancestors().skip(1).take(4) {
            // Succeeds for empty ones only.
            if fs::remove_dir(above).is_err() {
                break;
            }
        }
    }
    if let Some(data) = dirs::cache_dir().map(|cache| cache.join("dlcore"))
        && data.is_dir()
    {
        println!("kept the data sets in {}", data.display());
    }
    if let Some(history) = crate::session::history_directory()
        && history.is_dir()
    {
        println!("kept the history of your cells in {}", history.display());
    }
    Ok(())
}

fn find_repository(given: Option<&Path>) -> Result<PathBuf> {
    let is_repository = |dir: &Path| dir.join("dlcore/Cargo.toml").is_file();
    if let Some(dir) = given {
        ensure!(
            is_repository(dir),
            "{} is not the repository: it holds no dlcore/Cargo.toml",
            dir.display()
        );
        return Ok(dir.to_owned());
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    match built_in {
        Some(dir) if is_repository(dir) => Ok(dir.to_owned()),
        _ => bail!("the repository is not where this program was built; name it with --source DIR"),
    }
}

/// The files of `home/src`: dlcore in a workspace of its own, with the lock file cut to it.
fn prepare_source(home: &Path, repository: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let staging = tempfile::Builder::new()
        .prefix(".source-")
        .tempdir_in(home)
        .with_context(|| format!("cannot write to {}", home.display()))?;
    let root = staging.path();
    write_tree(
        &root.join("dlcore"),
        &read_tree(&repository.join("dlcore"))?,
    )?;
    let manifest = fs::read_to_string(repository.join("Cargo.toml"))
        .with_context(|| format!("cannot read the manifest of {}", repository.display()))?;
    let manifest = workspace_of_dlcore(&manifest);
    write_whole(&root.join("Cargo.toml"), manifest.as_bytes(), 0o644)?;
    let lock = fs::read(repository.join("Cargo.lock"))
        .with_context(|| format!("{} has no Cargo.lock", repository.display()))?;
    write_whole(&root.join("Cargo.lock"), &lock, 0o644)?;
    cut_lock_file(root)?;
    read_tree(root)
}

/// The workspace's manifest with dlcore as its only member; profiles and lints stay.
fn workspace_of_dlcore(manifest: &str) -> String {
    let mut kept = String::new();
    let mut in_members = false;
    for line in manifest.lines() {
        let starts = ["members", "default-members"].iter().any(|key| {
            line.split('=')
                .next()
                .is_some_and(|left| left.trim() == *key)
        });
        if starts && line.trim_start().starts_with("members") {
            kept.push_str("members = [\"dlcore\"]\n");
        }
        if !starts && !in_members {
            kept.push_str(line);
            kept.push('\n');
        }
        if starts || in_members {
            in_members = !line.contains(']');
        }
    }
    kept
}

/// Lets cargo drop the packages that only the kernel needs, so that `--locked` builds hold.
fn cut_lock_file(root: &Path) -> Result<()> {
    let cut = |more: &[&str]| {
        Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--all-features"])
            .args(more)
            .current_dir(root)
            .output()
            .context("cannot run cargo; install Rust with rustup, and see that `cargo` is on PATH")
    };
    // Without the network when everything is here already, as it is after a build.
    if cut(&["--offline"])?.status.success() {
        return Ok(());
    }
    let online = cut(&[])?;
    ensure!(
        online.status.success(),
        "cargo cannot resolve dlcore's dependencies: {}",
        String::from_utf8_lossy(&online.stderr).trim()
    );
    Ok(())
}

/// Two installers would take each other's files away.
fn lock(home: &Path) -> Result<File> {
    let path = home.join(".install.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => bail!(
            "another rust-dl install is at work in {}; wait for it",
            home.display()
        ),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Takes back what a killed run left: the old source returns, half a new one goes.
fn mend(home: &Path) -> Result<()> {
    let (place, previous) = (home.join("src"), home.join(".src-previous"));
    if previous.exists() {
        remove_dir(&place)?;
        fs::rename(&previous, &place)?;
    }
    for entry in fs::read_dir(home)?.flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b".source-")
        {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Puts the source in place and builds it; on failure the old one comes back.
fn put_source(home: &Path, source: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let (place, previous) = (home.join("src"), home.join(".src-previous"));
    let same = place.is_dir() && read_tree(&place).is_ok_and(|present| present == *source);
    if same {
        return build(home);
    }
    let staging = tempfile::Builder::new()
        .prefix(".source-")
        .tempdir_in(home)?;
    let new = staging.path().join("src");
    write_tree(&new, source)?;
    if place.exists() {
        fs::rename(&place, &previous)?;
    }
    fs::rename(&new, &place)?;
    let built = build(home);
    if built.is_err() && previous.exists() {
        fs::rename(&place, &new)?;
        fs::rename(&previous, &place)?;
    } else {
        remove_dir(&previous)?;
    }
    built
}

fn build(home: &Path) -> Result<()> {
    let toolchain = warm::warm(home, &mut |line| eprintln!("    {line}"))?;
    println!("dlcore is built for {}", toolchain.compiler_name());
    Ok(())
}

fn write_kernelspec(places: &Places) -> Result<()> {
    let spec = json!({
        "argv": [places.program(), "run", "{connection_file}"],
        "display_name": "Rust (deep learning)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {},
        "metadata": {"debugger": false, "rust_dl": {"version": env!("CARGO_PKG_VERSION")}},
    });
    let mut text = serde_json::to_string_pretty(&spec)?;
    text.push('\n');
    for (name, content) in LOGOS {
        write_whole(&places.kernelspec.join(name), content, 0o644)?;
    }
    // Last: a directory without it is no kernelspec.
    write_whole(
        &places.kernelspec.join("kernel.json"),
        text.as_bytes(),
        0o644,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_everything_but_its_other_members() {
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\n  \"dlcore\",\n  \"kernel\",\n]\n\
                        default-members = [\"dlcore\", \"kernel\"]\n\n[profile.release]\ndebug = 1\n";
        assert_eq!(
            workspace_of_dlcore(manifest),
            "[workspace]\nresolver = \"3\"\nmembers = [\"dlcore\"]\n\n[profile.release]\ndebug = 1\n"
        );
    }

    #[test]
    fn a_program_whose_file_is_gone_still_has_its_content() {
        let place = tempfile::tempdir().unwrap();
        let copy = place.path().join("copy");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        // The copy takes its own file away, and then looks at itself.
        if std::env::var_os("RUST_DL_TEST_COPY").is_some() {
            fs::remove_file(std::env::current_exe().unwrap()).unwrap();
            assert!(this_program().unwrap().starts_with(b"\x7fELF"));
            return;
        }
        let ran = Command::new(&copy)
            .args([
                "--exact",
                "cli::install::tests::a_program_whose_file_is_gone_still_has_its_content",
            ])
            .env("RUST_DL_TEST_COPY", "1")
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stdout)
        );
        assert!(!copy.exists());
    }

    #[test]
    fn a_killed_run_is_mended() {
        let home = tempfile::tempdir().unwrap();
        for path in ["src/new", ".src-previous/old", ".source-x/half"] {
            write_whole(&home.path().join(path), b"", 0o644).unwrap();
        }
        let alone = lock(home.path()).unwrap();
        assert!(lock(home.path()).is_err());
        mend(home.path()).unwrap();
        drop(alone);
        let left = read_tree(home.path()).unwrap();
        assert_eq!(left.keys().collect::<Vec<_>>(), [Path::new("src/old")]);
    }

    #[test]
    fn the_kernelspec_is_what_jupyter_reads() {
        let prefix = tempfile::tempdir().unwrap();
        let places = Places::below(prefix.path()).unwrap();
        write_kernelspec(&places).unwrap();
        let text = fs::read_to_string(places.kernelspec.join("kernel.json")).unwrap();
        let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(spec["argv"][0], json!(places.program()));
        assert_eq!(spec["argv"][2], "{connection_file}");
        assert_eq!(spec["interrupt_mode"], "message");
        assert_eq!(fs::read_dir(&places.kernelspec).unwrap().count(), 4);
    }

    #[test]
    fn removing_leaves_nothing_of_its_own_and_keeps_what_is_others() {
        let prefix = tempfile::tempdir().unwrap();
        let places = Places::below(prefix.path()).unwrap();
        write_kernelspec(&places).unwrap();
        write_whole(&places.program(), b"x", 0o755).unwrap();
        let other = prefix
            .path()
            .join("share/jupyter/kernels/other/kernel.json");
        write_whole(&other, b"{}", 0o644).unwrap();
        remove_dir(&places.kernelspec).unwrap();
        remove_dir(&places.home).unwrap();
        assert!(other.exists() && !places.kernelspec.exists() && !places.home.exists());
    }
}

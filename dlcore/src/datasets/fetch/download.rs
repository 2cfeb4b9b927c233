//! One file over HTTP: resumed where it stopped, whole before it gets its name.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};

use super::progress::Progress;
use super::{File, sha256};
use crate::interrupt;

/// A connection may break this often without a byte in between.
const ATTEMPTS: usize = 3;
/// No file of a data set comes near.
const MAX_BYTES: u64 = 4 << 30;

type Step<T> = Result<T, String>;

/// Fetches `address` to `path`, and compares its checksum.
///
/// What arrives is kept beside `path`, ending in `.part`, and taken up again by the next call.
pub(super) fn download(file: &File, address: &str, path: &Path) -> Step<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let part = path.with_file_name(format!("{}.part", file.name));
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", part.display());
    let mut target = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&part)
        .map_err(failed)?;
    wait_for(&target, &interrupt::requested).map_err(failed)?;
    if path.is_file() && sha256(path).is_ok_and(|sum| sum == file.sha256) {
        return Ok(());
    }
    let mut progress = Progress::start(file.name, address);
    let outcome = fetch(address, &mut target, &mut progress);
    progress.finish();
    outcome?;
    verify(file, address, &part)?;
    target.sync_all().map_err(failed)?;
    fs::rename(&part, path)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Two notebooks may want the same file: the second waits, and finds it there. An interrupt ends
/// the wait.
pub(super) fn wait_for(target: &fs::File, stop: &dyn Fn() -> bool) -> std::io::Result<()> {
    loop {
        match target.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) if stop() => {
                return Err(std::io::Error::other(
                    "interrupted while another program fetches the same file",
                ));
            }
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Fetches until the file is whole, or no attempt gets any further.
fn fetch(address: &str, target: &mut fs::File, progress: &mut Progress) -> Step<()> {
    let agent = agent(address);
    let mut failures = 0;
    loop {
        let before = length(target)?;
        match attempt(&agent, address, target, progress) {
            Ok(()) => return Ok(()),
            Err(Stop::Final(message)) => return Err(message),
            Err(Stop::Broken(message)) => {
                failures = if length(target)? > before {
                    0
                } else {
                    failures + 1
                };
                if failures >= ATTEMPTS {
                    return Err(message);
                }
            }
        }
    }
}

/// Why an attempt ended: for good, or so that another may get further.
enum Stop {
    Final(String),
    Broken(String),
}

fn attempt(
    agent: &ureq::Agent,
    address: &str,
    target: &mut fs::File,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let have = length(target).map_err(Stop::Final)?;
    let mut request = agent.get(address);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let response = request.call().map_err(|error| no_answer(&error))?;
    let status = response.status();
    let start = match status {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(have) => have,
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if have > 0 => {
            // What is here is not the beginning of what is there.
            target
                .set_len(0)
                .map_err(|error| Stop::Final(error.to_string()))?;
            return Err(Stop::Broken(format!("the server has no byte {have}")));
        }
        status if status.is_server_error() => {
            return Err(Stop::Broken(format!("the server answered {status}")));
        }
        status => return Err(Stop::Final(format!("{address} answered {status}"))),
    };
    let rest = response.headers().get(header::CONTENT_LENGTH);
    let rest: Option<u64> = rest.and_then(|length| length.to_str().ok()?.parse().ok());
    let whole = rest.map(|rest| start + rest);
    if whole.is_some_and(|whole| whole > MAX_BYTES) {
        return Err(Stop::Final(
            "the server announces more bytes than any data set has".to_owned(),
        ));
    }
    target
        .set_len(start)
        .map_err(|error| Stop::Final(error.to_string()))?;
    target
        .seek(SeekFrom::End(0))
        .map_err(|error| Stop::Final(error.to_string()))?;
    progress.begin(start, whole);
    copy(&mut response.into_body().into_reader(), target, progress)?;
    let have = length(target).map_err(Stop::Final)?;
    match whole {
        Some(whole) if have < whole => Err(Stop::Broken(format!(
            "the connection ended after {have} of {whole} bytes"
        ))),
        _ => Ok(()),
    }
}

fn copy(body: &mut impl Read, target: &mut fs::File, progress: &mut Progress) -> Result<(), Stop> {
    let mut buffer = vec![0; 1 << 16];
    let mut have = length(target).map_err(Stop::Final)?;
    loop {
        if interrupt::requested() {
            return Err(Stop::Final(
                "the download was interrupted; run it again to go on".to_owned(),
            ));
        }
        let read = match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) => {
                return Err(Stop::Broken(format!(
                    "the connection broke after {have} bytes: {error}"
                )));
            }
        };
        have += read as u64;
        if have > MAX_BYTES {
            return Err(Stop::Final(
                "the server sends more bytes than any data set has".to_owned(),
            ));
        }
        target
            .write_all(&buffer[..read])
            .map_err(|error| Stop::Final(format!("the disk refuses: {error}")))?;
        progress.at(have);
    }
}

/// Compares the checksum; what does not match is not kept.
fn verify(file: &File, address: &str, part: &Path) -> Step<()> {
    let found = sha256(part).map_err(|error| error.to_string())?;
    if found == file.sha256 {
        return Ok(());
    }
    let _ = fs::remove_file(part);
    Err(format!(
        "expected SHA-256 {}, as is published, but {address} gave a file with {found}",
        file.sha256
    ))
}

fn length(target: &fs::File) -> Step<u64> {
    target
        .metadata()
        .map(|metadata| metadata.len())
        .map_err(|error| error.to_string())
}

/// The first byte of a partial answer: `Content-Range: bytes 100-199/200`.
fn range_start<B>(response: &Response<B>) -> Option<u64> {
    let range = response
        .headers()
        .get(header::CONTENT_RANGE)?
        .to_str()
        .ok()?;
    range
        .strip_prefix("bytes ")?
        .split_once('-')?
        .0
        .parse()
        .ok()
}

fn no_answer(error: &ureq::Error) -> Stop {
    let message = format!("no answer ({error})");
    match error {
        // Without a network, or with a name that does not exist, another attempt changes nothing.
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => {
            Stop::Final(message)
        }
        _ => Stop::Broken(message),
    }
}

fn agent(address: &str) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .user_agent(concat!("dlcore/", env!("CARGO_PKG_VERSION")));
    if address.starts_with("http://127.0.0.1") || address.starts_with("http://localhost") {
        // A mirror on this machine is not reached through a proxy.
        config = config.proxy(None);
    }
    config.build().new_agent()
}

//! One file over HTTP: resumed where it stopped, whole before it gets its name.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};

use super::progress::{self, Progress};
use super::{File, sha256};

/// A connection may break this often without a byte in between.
const ATTEMPTS: usize = 3;
/// No file of a data set comes near.
const MAX_BYTES: u64 = 4 << 30;

/// How often a wait looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

type Step<T> = Result<T, String>;

/// Fetches `address` to `path`, and compares its checksum, unless `interrupted` says so before.
///
/// What arrives is kept beside `path`, ending in `.part`, and taken up again by the next call.
pub(super) fn download(
    file: &File,
    address: &str,
    path: &Path,
    interrupted: &dyn Fn() -> bool,
) -> Step<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let part = beside(path);
    let Some(mut target) = claim(file, path, &part, interrupted)? else {
        return Ok(());
    };
    let mut progress = Progress::start(file.name, address);
    let outcome = fetch_whole(
        file,
        address,
        &part,
        &mut target,
        &mut progress,
        interrupted,
    );
    progress.finish();
    outcome?;
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    target.sync_all().map_err(failed)?;
    fs::rename(&part, path).map_err(failed)
}

/// Where the beginning of a file is kept.
fn beside(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

/// The unfinished file, for this program alone; `None` if another has just fetched the whole one.
fn claim(
    file: &File,
    path: &Path,
    part: &Path,
    interrupted: &dyn Fn() -> bool,
) -> Step<Option<fs::File>> {
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", part.display());
    loop {
        let target = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(part)
            .map_err(failed)?;
        wait_for(&target, file.name, interrupted).map_err(failed)?;
        let ours = is_at(&target, part);
        if path.is_file() && sha256(path).is_ok_and(|sum| sum == file.sha256) {
            if ours {
                let _ = fs::remove_file(part);
            }
            return Ok(None);
        }
        if ours {
            return Ok(Some(target));
        }
        // Whoever held it before has removed it: what is written into it would never be seen, and what
        // now has its name belongs to another.
    }
}

/// Whether an open file is the one at this path.
fn is_at(file: &fs::File, path: &Path) -> bool {
    let number = |found: fs::Metadata| (found.dev(), found.ino());
    let there = fs::metadata(path).ok().map(number);
    there.is_some() && there == file.metadata().ok().map(number)
}

/// Two notebooks may want the same file: the second waits, and finds it there. An interrupt ends
/// the wait.
fn wait_for(target: &fs::File, name: &str, interrupted: &dyn Fn() -> bool) -> std::io::Result<()> {
    let mut told = false;
    loop {
        match target.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) if interrupted() => {
                return Err(std::io::Error::other(
                    "interrupted while another program fetches the same file",
                ));
            }
            Err(fs::TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut told, true) {
                    progress::waiting(name);
                }
                thread::sleep(LOOK);
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Fetches, and compares the checksum; what does not match is not kept. What was begun earlier may
/// have been of another file, or damaged: then everything is fetched once more.
fn fetch_whole(
    file: &File,
    address: &str,
    part: &Path,
    target: &mut fs::File,
    progress: &mut Progress,
    interrupted: &dyn Fn() -> bool,
) -> Step<()> {
    let mut resumed = length(target)? > 0;
    loop {
        fetch(address, target, progress, interrupted)?;
        let found = sha256(part).map_err(|error| error.to_string())?;
        if found == file.sha256 {
            return Ok(());
        }
        if !std::mem::take(&mut resumed) {
            let _ = fs::remove_file(part);
            return Err(format!(
                "expected SHA-256 {}, as is published, but {address} gave a file with {found}",
                file.sha256
            ));
        }
        target.set_len(0).map_err(|error| error.to_string())?;
    }
}

/// Fetches until the file is whole, or no attempt gets any further.
fn fetch(
    address: &str,
    target: &mut fs::File,
    progress: &mut Progress,
    interrupted: &dyn Fn() -> bool,
) -> Step<()> {
    let agent = agent(address);
    let mut failures = 0;
    loop {
        let before = length(target)?;
        let news = ask(&agent, address, before);
        match attempt(&news, address, target, progress, interrupted) {
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

/// What comes from the server.
enum News {
    Answer(Answer),
    Bytes(Vec<u8>),
    End,
    Failed(Stop),
}

/// The head of an answer.
struct Answer {
    status: StatusCode,
    /// The first byte that comes, of a partial answer.
    start: Option<u64>,
    /// How many bytes come.
    rest: Option<u64>,
}

/// Asks for the file from byte `have` on, in a thread of its own: a server that says nothing keeps
/// nobody from interrupting.
fn ask(agent: &ureq::Agent, address: &str, have: u64) -> Receiver<News> {
    let (sender, news) = sync_channel(4);
    let mut request = agent.get(address);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    thread::spawn(move || match request.call() {
        Ok(response) => tell(response, &sender),
        Err(error) => drop(sender.send(News::Failed(no_answer(&error)))),
    });
    news
}

/// Passes on what the server sends, as long as somebody wants it.
fn tell(response: Response<ureq::Body>, sender: &SyncSender<News>) {
    let rest = response.headers().get(header::CONTENT_LENGTH);
    let answer = Answer {
        status: response.status(),
        start: range_start(&response),
        rest: rest.and_then(|length| length.to_str().ok()?.parse().ok()),
    };
    let mut wanted = sender.send(News::Answer(answer)).is_ok();
    let mut body = response.into_body().into_reader();
    while wanted {
        let mut buffer = vec![0; 1 << 16];
        let news = match body.read(&mut buffer) {
            Ok(0) => News::End,
            Ok(read) => {
                buffer.truncate(read);
                News::Bytes(buffer)
            }
            Err(error) => News::Failed(Stop::Broken(format!("the connection broke: {error}"))),
        };
        wanted = matches!(news, News::Bytes(_));
        wanted &= sender.send(news).is_ok();
    }
}

/// The next news, unless an interrupt comes first.
fn next(news: &Receiver<News>, interrupted: &dyn Fn() -> bool) -> Result<News, Stop> {
    loop {
        if interrupted() {
            return Err(Stop::Final(
                "the download was interrupted; run it again to go on".to_owned(),
            ));
        }
        match news.recv_timeout(LOOK) {
            Ok(News::Failed(stop)) => return Err(stop),
            Ok(news) => return Ok(news),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Stop::Broken("the connection ended".to_owned()));
            }
        }
    }
}

fn attempt(
    news: &Receiver<News>,
    address: &str,
    target: &mut fs::File,
    progress: &mut Progress,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), Stop> {
    let have = length(target).map_err(Stop::Final)?;
    let News::Answer(answer) = next(news, interrupted)? else {
        return Err(Stop::Broken("the server did not answer".to_owned()));
    };
    let start = match answer.status {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if answer.start == Some(have) => have,
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if have > 0 => {
            // What is here is not the beginning of what is there.
            cut(target, 0)?;
            return Err(Stop::Broken(format!("the server has no byte {have}")));
        }
        status if status.is_server_error() => {
            return Err(Stop::Broken(format!("the server answered {status}")));
        }
        status => return Err(Stop::Final(format!("{address} answered {status}"))),
    };
    let whole = answer.rest.map(|rest| start.saturating_add(rest));
    if whole.is_some_and(|whole| whole > MAX_BYTES) {
        return Err(Stop::Final(
            "the server announces more bytes than any data set has".to_owned(),
        ));
    }
    cut(target, start)?;
    progress.begin(start, whole);
    let have = copy(news, target, start, progress, interrupted)?;
    match whole {
        Some(whole) if have < whole => Err(Stop::Broken(format!(
            "the connection ended after {have} of {whole} bytes"
        ))),
        _ => Ok(()),
    }
}

/// Lets go of all but the first bytes, and goes to their end.
fn cut(target: &mut fs::File, length: u64) -> Result<(), Stop> {
    let failed = |error: std::io::Error| Stop::Final(error.to_string());
    if target.metadata().map_err(failed)?.len() != length {
        target.set_len(length).map_err(failed)?;
    }
    target.seek(SeekFrom::End(0)).map(drop).map_err(failed)
}

/// Writes what comes; how much is there in the end.
fn copy(
    news: &Receiver<News>,
    target: &mut fs::File,
    start: u64,
    progress: &mut Progress,
    interrupted: &dyn Fn() -> bool,
) -> Result<u64, Stop> {
    let mut have = start;
    while let News::Bytes(bytes) = next(news, interrupted)? {
        have += bytes.len() as u64;
        if have > MAX_BYTES {
            return Err(Stop::Final(
                "the server sends more bytes than any data set has".to_owned(),
            ));
        }
        target.write_all(&bytes).map_err(|error| {
            Stop::Final(format!(
                "the disk refuses: {error}; DLCORE_CACHE=DIR names another place for data sets"
            ))
        })?;
        progress.at(have);
    }
    Ok(have)
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

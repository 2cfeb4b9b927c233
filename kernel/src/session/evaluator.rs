//! The thread that owns the engine, and what the session says to it and hears from it.

use crate::engine::{Answer, CellError, Engine, Event, Outcome, SessionView, Timing};
use anyhow::Result;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How many events may wait between the cell and the notebook before the cell waits too. Each may
/// be a full read of a pipe, 64 KiB.
const QUEUE: usize = 16;

/// What can be done to an engine from any thread while it works.
#[derive(Clone)]
pub struct Reach {
    /// Stops what it is doing.
    pub stop: Arc<dyn Fn() + Send + Sync>,
    /// Answers a question of the running cell.
    pub answer: Arc<dyn Fn(u64, Answer) + Send + Sync>,
}

/// What a session needs of an engine.
pub trait Evaluate {
    /// Compiles and runs one cell; see [`Engine::evaluate`].
    fn evaluate(&mut self, code: &str, cell: u32, sink: &mut dyn FnMut(Event))
    -> (Outcome, Timing);
    /// Between cells: returns when `woken` can be read or something has happened that nobody asked
    /// for, which goes to `sink`; true when that has changed what is defined. See [`Engine::idle`].
    fn idle(&mut self, woken: &UnixStream, sink: &mut dyn FnMut(Event)) -> bool;
    /// What the session has defined so far.
    fn view(&self) -> SessionView;
    /// See [`crate::engine::Interrupter`].
    fn reach(&self) -> Reach;
}

impl Evaluate for Engine {
    fn evaluate(
        &mut self,
        code: &str,
        cell: u32,
        sink: &mut dyn FnMut(Event),
    ) -> (Outcome, Timing) {
        Engine::evaluate(self, code, cell, sink)
    }

    fn idle(&mut self, woken: &UnixStream, sink: &mut dyn FnMut(Event)) -> bool {
        Engine::idle(self, woken, sink)
    }

    fn view(&self) -> SessionView {
        Engine::view(self)
    }

    fn reach(&self) -> Reach {
        let (interrupter, answerer) = (self.interrupter(), self.interrupter());
        Reach {
            stop: Arc::new(move || interrupter.interrupt()),
            answer: Arc::new(move |number, answer| answerer.answer(number, answer)),
        }
    }
}

/// What the engine's thread reports.
#[derive(Debug)]
pub enum Update {
    /// A line about the engine's start.
    Progress(String),
    /// Output of the cell that runs.
    Event(Event),
    /// Output that came when no cell ran: of a thread that an earlier one started.
    Late(Event),
    /// What is defined has changed when no cell ran.
    View(SessionView),
    /// A cell is over.
    Done(Box<Done>),
}

/// How a cell ended.
#[derive(Debug)]
pub struct Done {
    /// Which job: answers to a job that was given up are passed over.
    pub job: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the time went.
    pub timing: Timing,
    /// What is defined now; `None` when there is no engine.
    pub view: Option<SessionView>,
}

/// The way to the engine's thread, which sleeps where it also hears of the cell process.
struct Jobs {
    queue: std_mpsc::Sender<Job>,
    /// Closed with the queue, which wakes the thread too.
    wake: UnixStream,
}

struct Job {
    id: u64,
    code: String,
    cell: u32,
    hold: Arc<Hold>,
}

/// Who has a job that was submitted: nobody yet, the engine, or nobody any more.
#[derive(Default)]
struct Hold(AtomicU8);

impl Hold {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const GIVEN_UP: u8 = 2;

    /// The engine takes the job; false when it was given up before.
    fn take(&self) -> bool {
        self.pass_to(Hold::TAKEN)
    }

    /// The session gives the job up; false when the engine has it already.
    fn give_up(&self) -> bool {
        self.pass_to(Hold::GIVEN_UP)
    }

    fn pass_to(&self, holder: u8) -> bool {
        self.0
            .compare_exchange(Hold::WAITING, holder, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

/// What can be done to a running cell from any task.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<InterruptState>,
}

#[derive(Default)]
struct InterruptState {
    /// Set while an engine is up.
    reach: Mutex<Option<Reach>>,
    /// Whether a cell is with the engine or waits for it.
    running: AtomicBool,
    /// Wakes a cell that waits for an engine that is still starting.
    waiting: Notify,
    /// Tells the session that the running cell was interrupted.
    pressed: Notify,
}

impl Interrupt {
    /// Stops the running cell; does nothing when none runs.
    pub fn interrupt(&self) {
        if !self.shared.running.load(Ordering::SeqCst) {
            return;
        }
        self.shared.pressed.notify_one();
        match self.reach() {
            Some(reach) => (reach.stop)(),
            None => self.shared.waiting.notify_one(),
        }
    }

    /// Returns when the running cell is interrupted.
    pub async fn pressed(&self) {
        self.shared.pressed.notified().await;
    }

    /// Forgets an interrupt that came when its cell was just over.
    pub async fn forget(&self) {
        tokio::select! {
            biased;
            () = self.pressed() => {}
            () = std::future::ready(()) => {}
        }
    }

    fn reach(&self) -> Option<Reach> {
        lock(&self.shared.reach).clone()
    }
}

/// The engine's thread, seen from the session.
pub struct Evaluator {
    jobs: Option<Jobs>,
    updates: mpsc::Receiver<Update>,
    interrupt: Interrupt,
    thread: Option<JoinHandle<()>>,
    last_job: u64,
}

impl Evaluator {
    /// Starts the thread, which starts the engine at once; `start` is called again for the next
    /// cell when it failed.
    pub fn spawn<E, S>(start: S) -> Evaluator
    where
        E: Evaluate,
        S: FnMut(&mut dyn FnMut(&str)) -> Result<E> + Send + 'static,
    {
        let (queue, work) = std_mpsc::channel();
        let (wake, woken) = UnixStream::pair().expect("the system makes one more socket");
        for end in [&wake, &woken] {
            end.set_nonblocking(true).expect("a socket can do this");
        }
        let (reports, updates) = mpsc::channel(QUEUE);
        let interrupt = Interrupt::default();
        let shared = interrupt.clone();
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .stack_size(crate::session::DEEP_STACK)
            .spawn(move || serve(start, &work, &woken, &reports, &shared))
            .expect("the system starts one thread");
        Evaluator {
            jobs: Some(Jobs { queue, wake }),
            updates,
            interrupt,
            thread: Some(thread),
            last_job: 0,
        }
    }

    /// A handle that stops the running cell.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Hands a cell to the engine; its updates come from [`Evaluator::next`].
    pub fn submit(&mut self, code: &str, cell: u32) -> Running {
        self.last_job += 1;
        let hold = Arc::new(Hold::default());
        self.interrupt.shared.running.store(true, Ordering::SeqCst);
        let job = Job {
            id: self.last_job,
            code: code.to_owned(),
            cell,
            hold: hold.clone(),
        };
        if let Some(jobs) = &self.jobs {
            // The thread ends only when this sender does.
            let _ = jobs.queue.send(job);
            // A socket that is full of these wakes it just as well.
            let _ = (&jobs.wake).write(&[1]);
        }
        Running {
            job: self.last_job,
            hold,
        }
    }

    /// What happens between two cells. May be dropped and called again.
    pub async fn idle(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            None => std::future::pending().await,
        }
    }

    /// What the engine reports next for this cell. Ends with [`Update::Done`].
    pub async fn next(&mut self, running: &Running) -> Update {
        let update = loop {
            let update = tokio::select! {
                biased;
                () = self.interrupt.shared.waiting.notified() => {
                    if running.hold.give_up() {
                        Some(Update::Done(Box::new(running.interrupted())))
                    } else {
                        // The engine came up in between and has the cell.
                        if let Some(reach) = self.interrupt.reach() {
                            (reach.stop)();
                        }
                        continue;
                    }
                }
                update = self.updates.recv() => update,
            };
            match update {
                Some(Update::Done(done)) if done.job != running.job => {}
                Some(update) => break update,
                None => break Update::Done(Box::new(running.lost())),
            }
        };
        if matches!(update, Update::Done(_)) {
            self.interrupt.shared.running.store(false, Ordering::SeqCst);
        }
        update
    }

    /// Answers a question of the running cell.
    pub fn answer(&self, number: u64, answer: Answer) {
        if let Some(reach) = self.interrupt.reach() {
            (reach.answer)(number, answer);
        }
    }

    /// Ends the engine: a cell that runs is stopped, first kindly, then not.
    pub async fn shut_down(mut self) {
        self.jobs = None;
        // Whatever is still sent must not keep the thread waiting for a reader.
        self.updates.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        for pause in [0, 500, 1000, 1000, 1000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if thread.is_finished() {
                let _ = thread.join();
                return;
            }
            if let Some(reach) = self.interrupt.reach() {
                (reach.stop)();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("rust-dl: the engine did not stop in time");
    }
}

/// A cell that was submitted.
pub struct Running {
    job: u64,
    hold: Arc<Hold>,
}

impl Running {
    fn interrupted(&self) -> Done {
        self.failed(
            "Interrupted",
            "stopped while the kernel was still starting; the cell has not run",
        )
    }

    fn lost(&self) -> Done {
        self.failed(
            "EngineLost",
            "the kernel's engine has stopped; restart the kernel",
        )
    }

    fn failed(&self, ename: &str, evalue: &str) -> Done {
        Done {
            job: self.job,
            outcome: Outcome::Failed(plain_error(ename, evalue)),
            timing: Timing::default(),
            view: None,
        }
    }
}

/// An error whose traceback is its one sentence.
pub fn plain_error(ename: &str, evalue: &str) -> CellError {
    CellError {
        ename: ename.to_owned(),
        evalue: evalue.lines().next().unwrap_or_default().to_owned(),
        traceback: vec![format!("\x1b[1m{ename}\x1b[0m: {evalue}")],
    }
}

fn serve<E, S>(
    mut start: S,
    work: &std_mpsc::Receiver<Job>,
    woken: &UnixStream,
    reports: &mpsc::Sender<Update>,
    interrupt: &Interrupt,
) where
    E: Evaluate,
    S: FnMut(&mut dyn FnMut(&str)) -> Result<E>,
{
    let mut start = |reports: &mpsc::Sender<Update>| -> Result<E> {
        let engine = start(&mut |line| {
            let _ = reports.blocking_send(Update::Progress(line.to_owned()));
        })?;
        *lock(&interrupt.shared.reach) = Some(engine.reach());
        Ok(engine)
    };
    let mut engine = start(reports);
    loop {
        let job = match work.try_recv() {
            Ok(job) => job,
            Err(std_mpsc::TryRecvError::Disconnected) => break,
            Err(std_mpsc::TryRecvError::Empty) => {
                idle(engine.as_mut().ok(), woken, reports);
                continue;
            }
        };
        if engine.is_err() && job.id > 1 {
            engine = start(reports);
        }
        if !job.hold.take() {
            continue;
        }
        let done = match &mut engine {
            Ok(engine) => run(engine, &job, reports),
            Err(error) => Done {
                job: job.id,
                outcome: Outcome::Failed(plain_error("EngineStart", &not_started(error))),
                timing: Timing::default(),
                view: None,
            },
        };
        let _ = reports.blocking_send(Update::Done(Box::new(done)));
    }
    *lock(&interrupt.shared.reach) = None;
}

/// Sleeps until there may be a job, and passes on what happens meanwhile.
fn idle<E: Evaluate>(engine: Option<&mut E>, woken: &UnixStream, reports: &mpsc::Sender<Update>) {
    match engine {
        Some(engine) => {
            let changed = engine.idle(woken, &mut |event| {
                let _ = reports.blocking_send(Update::Late(event));
            });
            if changed {
                let _ = reports.blocking_send(Update::View(engine.view()));
            }
        }
        None => wait_for(woken),
    }
    let mut woken = woken;
    let mut bytes = [0; 64];
    while woken.read(&mut bytes).is_ok_and(|read| read > 0) {}
}

/// Returns when there is something to read.
pub fn wait_for(woken: &UnixStream) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::NONE);
}

fn run(engine: &mut impl Evaluate, job: &Job, reports: &mpsc::Sender<Update>) -> Done {
    let (outcome, timing) = engine.evaluate(&job.code, job.cell, &mut |event| {
        let _ = reports.blocking_send(Update::Event(event));
    });
    Done {
        job: job.id,
        outcome,
        timing,
        view: Some(engine.view()),
    }
}

fn not_started(error: &anyhow::Error) -> String {
    format!(
        "the kernel's engine could not start: {error:#}\n\
         Run `rust-dl doctor` in a terminal for what is missing, then run the cell again."
    )
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

//! A daemon that runs while a test looks at it.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{SECRETS, World};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// `rosterd run`, killed when it goes out of scope.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it, and waits until it is up.
    pub fn start(world: &World) -> Service {
        Service::start_with(world, |_| {})
    }

    pub fn start_with(world: &World, more: impl FnOnce(&mut Command)) -> Service {
        let log = world.home.path().join("daemon.log");
        let file = std::fs::File::create(&log).expect("a log");
        let mut command = world.command(&["run"]);
        command.stdout(Stdio::null()).stderr(file);
        more(&mut command);
        let child = command.spawn().expect("rosterd starts");
        let service = Service { child, log };
        service.says("is up");
        service
    }

    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).expect("the log can be read");
        for secret in SECRETS {
            assert!(!log.contains(secret), "a secret in the log: {log}");
        }
        assert!(!log.contains("panicked"), "{log}");
        log
    }

    /// Waits until the log has a text.
    #[track_caller]
    pub fn says(&self, text: &str) {
        eventually(
            || self.log().contains(text),
            || format!("'{text}' in:\n{}", self.log()),
        );
    }

    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end, and says the exit code and how long it took.
    pub fn ended(mut self) -> (i32, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                self.log();
                let by_signal = || -status.signal().expect("a code or a signal");
                return (status.code().unwrap_or_else(by_signal), began.elapsed());
            }
            assert!(began.elapsed() < SOON, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it in peace.
    #[track_caller]
    pub fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.ended().0, 0);
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        assert_eq!(self.ended().0, -9);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks again and again until something is so.
#[track_caller]
pub fn eventually(mut is_so: impl FnMut() -> bool, what: impl Fn() -> String) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "waited for {}", what());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The runs so far, the newest first.
#[track_caller]
pub fn runs(world: &World) -> Vec<Value> {
    let runs = world.json(&["runs", "--format", "json"]);
    runs.as_array().expect("a list").clone()
}

/// Waits until there are so many runs.
#[track_caller]
pub fn wait_for_runs(world: &World, count: usize) -> Vec<Value> {
    eventually(
        || runs(world).len() >= count,
        || format!("{count} runs, there are {:#?}", runs(world)),
    );
    runs(world)
}

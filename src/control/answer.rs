//! What the daemon answers on one connection. All of it blocks: each has a thread of its own.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::{Answer, Board, Hello, Purpose, VERSION, Welcome};
use crate::answers::devices::{Change, Mdm, Noting};
use crate::answers::{self, AnswerError, approval, named_policy};
use crate::clock;
use crate::frames;
use crate::plan::Asked;
use crate::store::{Way, remote};
use crate::sync::{Conductor, Intent, Run, RunError, Ticket};

/// How long a connection may take to say what it is for. Commands say so at once; what only
/// holds the door open must not keep others out.
const HELLO: Duration = Duration::from_secs(5);

/// How much of a plan goes into one message.
const PART: usize = 1024 * 1024;

/// What an answer may need.
pub(super) struct Host {
    pub conductor: Conductor,
    pub board: Arc<Board>,
}

impl Host {
    /// Hears what a connection is for, and answers it to its end.
    pub fn answer(&self, runtime: &Handle, stream: &mut UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(HELLO))?;
        let Some(hello) = frames::read::<Hello>(stream)? else {
            return Ok(());
        };
        stream.set_read_timeout(None)?;
        if hello.version != VERSION {
            let text = format!(
                "the daemon is {VERSION}, this command is {}; restart the daemon, or use its program",
                hello.version
            );
            return frames::write(stream, &Welcome::Refused(text));
        }
        let settings = self.board.settings.borrow().clone();
        frames::write(stream, &Welcome::Settings(settings))?;
        match hello.purpose {
            Purpose::Store => {
                let store = self.conductor.sync().store.clone();
                remote::serve(store.engine(), stream)
            }
            Purpose::Run { asked, intent } => self.run(runtime, stream, asked, intent),
            Purpose::Planned => {
                let planned = self.board.planned.borrow().clone();
                frames::write(stream, &planned)
            }
            Purpose::ScimLog { source, most } => {
                let sync = self.conductor.sync();
                let bodies = sync
                    .inboxes
                    .get(&source)
                    .is_some_and(|inbox| inbox.log.bodies);
                let shown = self.board.inspector.show(&source, most, bodies);
                frames::write(stream, &shown)
            }
            Purpose::Check => {
                let sync = self.conductor.sync();
                frames::write(stream, &runtime.block_on(sync.check()))
            }
            Purpose::Drift { portals, then } => {
                let sync = self.conductor.sync();
                let report = sync.drift(&portals, then, clock::now());
                frames::write(stream, &report.map_err(|error| chain(&error)))
            }
            Purpose::Held { portal } => {
                let held = self.conductor.sync().held(&portal);
                frames::write(stream, &held.map_err(|error| chain(&error)))
            }
            Purpose::Discard { run } => {
                let sync = self.conductor.sync();
                let discarded = approval::discard(&sync, &run, Way::Command, clock::now());
                let discarded = discarded.map(|_| ()).map_err(|error| chain(&error));
                frames::write(stream, &discarded)
            }
            Purpose::ChangeDevice { portal, change } => {
                let changed = self.change_device(&portal, change);
                frames::write(stream, &changed.map_err(|error| chain(&error)))
            }
        }
    }

    fn change_device(&self, portal: &str, change: Change) -> Result<(), AnswerError> {
        let sync = self.conductor.sync();
        let names = sync.portals.iter().map(|portal| portal.name.as_str());
        answers::known("portal", names, portal)?;
        let noting = Noting {
            log: &sync.audit,
            by: Way::Command,
            at: clock::now(),
        };
        for rules in sync.portals.iter().filter(|rules| rules.name == portal) {
            let mdm = Mdm::new(&sync.store, portal, rules.kind, named_policy(rules))?;
            mdm.change(change.clone(), &noting)?;
        }
        Ok(())
    }

    fn run(
        &self,
        runtime: &Handle,
        stream: &mut UnixStream,
        asked: Asked,
        intent: Intent,
    ) -> io::Result<()> {
        let _in_runtime = runtime.enter();
        let ticket = match self.conductor.ask(asked, intent) {
            Ok(ticket) => ticket,
            Err(busy) => return frames::write(stream, &Answer::Failed(vec![busy.to_string()])),
        };
        let run = match runtime.block_on(tell_steps(ticket, stream))? {
            Ok(run) => run,
            Err(error) => return frames::write(stream, &Answer::Failed(chain(&*error))),
        };
        frames::write(stream, &Answer::Ended { moved: run.moved })?;
        write_plan(&run, stream)?;
        frames::write(stream, &Answer::Whole)
    }
}

/// Passes the steps on as they come, until the run ends.
async fn tell_steps(
    ticket: Ticket,
    stream: &mut UnixStream,
) -> io::Result<Result<Arc<Run>, Arc<RunError>>> {
    let mut steps = ticket.steps();
    let finished = ticket.finished();
    tokio::pin!(finished);
    loop {
        let step = steps.borrow_and_update().clone();
        frames::write(stream, &Answer::Step(step))?;
        tokio::select! {
            outcome = &mut finished => return Ok(outcome),
            changed = steps.changed() => if changed.is_err() {
                return Ok(finished.await);
            },
        }
    }
}

fn write_plan(run: &Run, stream: &mut UnixStream) -> io::Result<()> {
    let mut parts = io::BufWriter::with_capacity(PART, Parts(stream));
    run.plan.write(&mut parts).map_err(io::Error::other)?;
    parts.flush()
}

struct Parts<'a>(&'a mut UnixStream);

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(PART)];
        frames::write(self.0, &Answer::Part(part.to_vec()))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts
}

//! `rosterd events`: what subscribers are told, and telling them again.

use std::sync::Arc;

use jiff::Timestamp;

use crate::answers::events::{self, Listed};
use crate::app;
use crate::clock;
use crate::config::{Loaded, TargetKind};
use crate::targets::events::{Outbox, Replay};

use super::{Exit, Output, Usage, table};

#[derive(clap::Args)]
pub struct Of {
    /// The target of kind events; may be left out where there is one.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum State {
    Waiting,
    Dead,
    Delivered,
}

#[derive(clap::Subcommand)]
pub enum Args {
    /// Lists events and what became of them, in their order.
    List {
        #[command(flatten)]
        of: Of,
        /// Only those after this event, by its id or sequence number.
        #[arg(long, value_name = "EVENT")]
        after: Option<String>,
        /// The most events.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
        /// Only those of which this became.
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// Has events delivered once more, with the ids they had.
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Replay {
        #[command(flatten)]
        of: Of,
        /// From this event on, by its id or sequence number.
        #[arg(long, value_name = "EVENT", group = "which")]
        from: Option<String>,
        /// Those that happened at this time or later.
        #[arg(long, value_name = "TIME", group = "which")]
        since: Option<Timestamp>,
        /// Those that were given up.
        #[arg(long, group = "which")]
        dead: bool,
    },
    /// Posts a signed event that says nothing, now.
    Test {
        #[command(flatten)]
        of: Of,
    },
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let (Args::List { of, .. } | Args::Replay { of, .. } | Args::Test { of }) = &args;
    let names = events::targets(&loaded.settings);
    let target = events::target(&names, of.target.as_deref());
    let target = target.map_err(|error| Usage(error.to_string()))?.to_owned();
    let format = of.format;
    match args {
        Args::List {
            after,
            limit,
            state,
            ..
        } => list(loaded, &target, after.as_deref(), limit, state, format),
        Args::Replay {
            from, since, dead, ..
        } => replay(loaded, &target, from.as_deref(), since, dead, format).await,
        Args::Test { .. } => test(loaded, &target, format).await,
    }
}

fn list(
    loaded: &Loaded,
    target: &str,
    after: Option<&str>,
    limit: usize,
    wanted: Option<State>,
    format: Output,
) -> anyhow::Result<Exit> {
    let store = app::open_store(loaded)?.store;
    let after = match after {
        Some(after) => events::place(&store, target, after)?,
        None => 0,
    };
    let wanted = wanted.map(|state| match state {
        State::Waiting => "waiting",
        State::Dead => "dead",
        State::Delivered => "delivered",
    });
    let mut found = Vec::new();
    for event in events::events(&store, target, after) {
        if found.len() >= limit {
            break;
        }
        let event = event?;
        let delivery = events::delivery(&store, target, event.sequence)?;
        if wanted.is_none_or(|state| state == delivery.state) {
            found.push(Listed { event, delivery });
        }
    }
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&found)?),
        Output::Text => {
            let rows: Vec<Vec<String>> = found.into_iter().map(row).collect();
            let heading = [
                "sequence", "event", "id", "portal", "at", "state", "attempts", "error",
            ];
            table::print(&heading, &rows);
        }
    }
    Ok(Exit::Done)
}

/// Whom an event is about is people's data, and in the JSON only.
fn row(listed: Listed) -> Vec<String> {
    let Listed { event, delivery } = listed;
    vec![
        event.sequence.to_string(),
        event.event.to_owned(),
        event.id,
        event.directory_id,
        event.created_at.to_string(),
        delivery.state.to_owned(),
        delivery
            .attempts
            .map_or_else(String::new, |attempts| attempts.to_string()),
        delivery.error.unwrap_or_default(),
    ]
}

async fn replay(
    loaded: &Loaded,
    target: &str,
    from: Option<&str>,
    since: Option<Timestamp>,
    dead: bool,
    format: Output,
) -> anyhow::Result<Exit> {
    let opened = app::open_store(loaded)?;
    let which = match (from, since, dead) {
        (Some(from), ..) => Replay::From(events::place(&opened.store, target, from)?),
        (_, Some(since), _) => Replay::Since(since),
        _ => Replay::Dead,
    };
    let daemon = opened.daemon.is_some();
    let outbox = Arc::new(outbox(loaded, target, opened.store)?);
    let count = {
        let outbox = outbox.clone();
        tokio::task::spawn_blocking(move || outbox.replay(which, clock::now())).await??
    };
    if !daemon {
        app::targets::drain(vec![outbox]).await?;
    }
    match format {
        Output::Json => println!("{}", serde_json::json!({ "replayed": count })),
        Output::Text => println!("replayed: {count}"),
    }
    Ok(Exit::Done)
}

async fn test(loaded: &Loaded, target: &str, format: Output) -> anyhow::Result<Exit> {
    let options = app::targets::outbox(target, settings(loaded, target)?)?;
    let tried = options.receiver.try_out(clock::now()).await;
    let host = options.receiver.host();
    match (tried, format) {
        (Ok(id), Output::Json) => {
            println!("{}", serde_json::json!({ "delivered": true, "id": id }));
        }
        (Ok(id), Output::Text) => println!("{host} took the event {id}"),
        (Err(refusal), _) => anyhow::bail!("target '{target}': {}", refusal.why),
    }
    Ok(Exit::Done)
}

fn settings<'a>(loaded: &'a Loaded, target: &str) -> Result<&'a crate::config::Events, Usage> {
    let targets = loaded.settings.targets.iter();
    let found = targets.filter(|(name, _)| name.as_str() == target);
    let kinds = found.map(|(_, target)| &target.kind);
    let mut events = kinds.filter_map(|kind| match kind {
        TargetKind::Events(events) => Some(&**events),
        _ => None,
    });
    let missing = || Usage(format!("there is no target '{target}' of kind events"));
    events.next().ok_or_else(missing)
}

fn outbox(loaded: &Loaded, target: &str, store: crate::store::Store) -> anyhow::Result<Outbox> {
    let options = app::targets::outbox(target, settings(loaded, target)?)?;
    Ok(Outbox::new(store, options))
}

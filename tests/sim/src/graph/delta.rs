//! The protocol of delta queries, the same for users and groups.
//!
//! A round is a walk: either over all objects (the first round) or over a stretch of the change
//! log. Each link is a ticket that says where the walk stands and what was asked for at its
//! beginning; the server remembers nothing. The delta link's place in the log is taken when the
//! round begins, so what changes during the round is delivered, perhaps again, in the next one.

use serde::{Deserialize, Serialize};

use super::denied::Denied;
use super::paging;
use crate::call::Call;
use crate::clock::Millis;
use crate::ids;
use crate::reply::Reply;
use crate::settings::{Expiry, Settings};

/// What a link carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    /// `users` or `groups`: a ticket of one is no good for the other.
    pub of: String,
    pub stage: Stage,
    /// Where in the log the next round begins.
    pub since: usize,
    pub select: Option<String>,
    pub ids: Vec<String>,
    pub page: u32,
    pub epoch: u32,
    pub issued: Millis,
}

/// Where a round stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Stage {
    /// All objects; groups are passed over several times, a piece of each large one at a time.
    First { pass: u32, at: u32 },
    /// A stretch of the log.
    Log { at: usize, to: usize },
    /// Between rounds.
    Rest,
}

/// What to do with a request.
pub enum Step {
    Walk(Ticket),
    /// Only a delta link, from now on.
    Latest(Ticket),
}

/// Reads the request: a new round, a link of one, or `latest`. `log_end` is as far as the log is
/// visible.
pub fn begin(
    of: &str,
    call: &Call,
    settings: &Settings,
    epoch: u32,
    log_end: usize,
    now: Millis,
) -> Result<Step, Denied> {
    if let Some(token) = call.option("$skiptoken") {
        let ticket = read(of, token, call, settings, epoch, now)?;
        if matches!(ticket.stage, Stage::Rest) {
            return Err(Denied::stale_page());
        }
        return Ok(Step::Walk(ticket));
    }
    let fresh = |stage| -> Result<Ticket, Denied> {
        Ok(Ticket {
            of: of.to_owned(),
            stage,
            since: log_end,
            select: call.option("$select").map(str::to_owned),
            ids: ids_of(call)?,
            page: 0,
            epoch,
            issued: now,
        })
    };
    match call.option("$deltatoken") {
        None | Some("") => Ok(Step::Walk(fresh(Stage::First { pass: 0, at: 0 })?)),
        Some("latest") => Ok(Step::Latest(fresh(Stage::Rest)?)),
        Some(token) => {
            let mut ticket = read(of, token, call, settings, epoch, now)?;
            if !matches!(ticket.stage, Stage::Rest) {
                return Err(Denied::bad_request("Badly formed token."));
            }
            ticket.stage = Stage::Log {
                at: ticket.since,
                to: log_end.max(ticket.since),
            };
            ticket.since = log_end.max(ticket.since);
            ticket.page = 0;
            ticket.issued = now;
            Ok(Step::Walk(ticket))
        }
    }
}

fn read(
    of: &str,
    token: &str,
    call: &Call,
    settings: &Settings,
    epoch: u32,
    now: Millis,
) -> Result<Ticket, Denied> {
    let ticket = ids::open::<Ticket>(token)
        .filter(|ticket| ticket.of == of)
        .ok_or_else(|| Denied::bad_request("Badly formed token."))?;
    let ends = ticket.issued + settings.delta_token_lifetime_s * 1_000;
    if ticket.epoch != epoch || now >= ends {
        return Err(expired(of, settings, call, ticket.select.as_deref()));
    }
    Ok(ticket)
}

fn expired(of: &str, settings: &Settings, call: &Call, select: Option<&str>) -> Denied {
    match settings.delta_expiry {
        Expiry::SyncStateNotFound => Denied::new(
            400,
            "syncStateNotFound",
            "The sync state generation is not found; begin a new synchronization.",
        ),
        Expiry::GoneBare => Denied::new(410, "resyncRequired", "Resync required."),
        Expiry::Gone => gone(of, settings, call, select),
    }
}

/// 410 with a `Location` where a new round begins.
pub fn gone(of: &str, settings: &Settings, call: &Call, select: Option<&str>) -> Denied {
    let mut denied = Denied::new(
        410,
        "SyncStateNotFound",
        "The tenant was moved; start over.",
    );
    let mut location = format!("{}?$deltatoken=", address(of, settings, call));
    if let Some(select) = select {
        location.push_str("&$select=");
        location.push_str(select);
    }
    denied.headers.push(("Location".to_owned(), location));
    denied
}

fn ids_of(call: &Call) -> Result<Vec<String>, Denied> {
    let Some(text) = call.option("$filter") else {
        return Ok(Vec::new());
    };
    let ids = crate::expr::parse(text)
        .and_then(|expr| expr.only_ids())
        .ok_or_else(|| Denied::unsupported("Delta can only be filtered by id."))?;
    if ids.len() > 50 {
        return Err(Denied::bad_request(
            "Too many ids in the filter; at most 50.",
        ));
    }
    Ok(ids)
}

fn address(of: &str, settings: &Settings, call: &Call) -> String {
    format!("{}/v1.0/{of}/{}", call.base, settings.delta_spelling)
}

impl Ticket {
    /// Whether this page stays empty though the round is not over.
    pub fn is_blank(&self, settings: &Settings) -> bool {
        let every = settings.delta_empty_every;
        every > 0 && self.page % every.max(2) == every.max(2) - 1
    }

    /// Whether an object is among those asked for.
    pub fn wants(&self, id: ids::Guid) -> bool {
        self.ids.is_empty()
            || self
                .ids
                .iter()
                .any(|text| ids::Guid::parse(text) == Some(id))
    }
}

/// A page of a round: the items, and the stage it goes on with, or none when the round is over.
pub fn page(
    call: &Call,
    settings: &Settings,
    mut ticket: Ticket,
    items: &[u8],
    next: Option<Stage>,
) -> Reply {
    let address = address(&ticket.of, settings, call);
    let context = ticket.of.clone();
    let (name, token_name) = match next {
        Some(_) => ("@odata.nextLink", "$skiptoken"),
        None => ("@odata.deltaLink", "$deltatoken"),
    };
    ticket.page += 1;
    ticket.stage = next.unwrap_or(Stage::Rest);
    let link = format!("{address}?{token_name}={}", ids::seal(&ticket));
    paging::collection(call, &context, None, Some((name, link)), items)
}

/// Where the visible part of a log ends; changes younger than the lag are not in it.
pub fn visible<T>(log: &[T], at: impl Fn(&T) -> Millis, settings: &Settings, now: Millis) -> usize {
    if settings.delta_lag_ms == 0 {
        return log.len();
    }
    log.partition_point(|entry| at(entry) + settings.delta_lag_ms <= now)
}

/// Appends an `@removed` item.
pub fn removed(id: ids::Guid, reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    id.write(out);
    out.extend_from_slice(b"\",\"@removed\":{\"reason\":\"");
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\"}}");
}

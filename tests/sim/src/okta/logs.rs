//! `/logs`, the System Log.
//!
//! A polling query (no `until`, ascending) goes by the order in which events were stored and
//! always has a next link, also when there is nothing to show. A bounded query goes by time and
//! ends.

use super::event::Event;
use super::org::Org;
use super::page::{self, Cursor};
use super::{Outcome, error};
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::expr::{self, Answer, Case, Expr};
use crate::json;
use crate::reply::Reply;

const DAY: Millis = 86_400_000;

/// A page of events.
pub fn answer(org: &Org, call: &Call, now: Millis) -> Outcome {
    let limit = match call.option("limit").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(limit)) if limit <= 1_000 => limit,
        Some(_) => return Err(error(400, "E0000001", "Api validation failed: limit")),
    };
    let moment = |name: &str| -> Result<Option<Millis>, Reply> {
        match call.option(name) {
            None => Ok(None),
            Some(text) => clock::parse(text)
                .map(Some)
                .ok_or_else(|| error(400, "E0000001", &format!("Api validation failed: {name}"))),
        }
    };
    let until = moment("until")?;
    let since = moment("since")?.unwrap_or(until.unwrap_or(now).saturating_sub(7 * DAY));
    if since + 180 * DAY < now {
        return Err(error(
            400,
            "E0000001",
            "Api validation failed: since is too far back",
        ));
    }
    let filter = match call.option("filter") {
        None => None,
        Some(text) => Some(
            expr::parse(text)
                .filter(|expr| !expr.negates())
                .ok_or_else(|| error(400, "E0000053", &format!("Invalid filter: {text}")))?,
        ),
    };
    let descending = call
        .option("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("descending"));
    let words = call.option("q").map(str::to_lowercase);
    let fits = |place: usize| {
        let event = &org.log[place];
        filter
            .as_ref()
            .is_none_or(|expr| matches(event, place, expr))
            && words.as_ref().is_none_or(|word| mentions(event, word))
    };
    let first = org.log.partition_point(|event| event.published < since);
    let start = match page::cursor(call)? {
        None => None,
        Some(Cursor::At(at)) => Some(at as usize),
        Some(Cursor::Behind(..)) => {
            return Err(error(400, "E0000054", "The after cursor is not valid"));
        }
    };
    let mut out = Vec::new();
    let mut show = |place: usize| {
        json::comma(&mut out);
        json::value_into(&org.log[place].show(place), &mut out);
    };
    if until.is_none() && !descending {
        let mut shown = 0;
        let mut place = start.unwrap_or(first);
        while place < org.log.len() && shown < limit {
            if fits(place) {
                show(place);
                shown += 1;
            }
            place += 1;
        }
        return Ok(page::page(call, out, Some(Cursor::At(place as u32)), limit));
    }
    let end = until.map_or(org.log.len(), |until| {
        org.log.partition_point(|event| event.published < until)
    });
    let mut places: Vec<usize> = (first.min(end)..end).filter(|&place| fits(place)).collect();
    if descending {
        places.reverse();
    }
    let start = start.unwrap_or(0);
    for &place in places.iter().skip(start).take(limit) {
        show(place);
    }
    let more = start + limit < places.len();
    let next = more.then_some(Cursor::At((start + limit) as u32));
    Ok(page::page(call, out, next, limit))
}

fn mentions(event: &Event, word: &str) -> bool {
    event.kind.contains(word)
        || event.targets.iter().any(|target| {
            target.name.to_lowercase().contains(word)
                || target.alternate.to_lowercase().contains(word)
        })
}

fn matches(event: &Event, place: usize, expr: &Expr) -> bool {
    let all = |of: fn(&super::event::Target) -> &str| {
        Answer::Many(
            event
                .targets
                .iter()
                .map(|target| of(target).to_owned())
                .collect(),
        )
    };
    expr.holds(Case::Ignored, &|field| match field {
        "eventType" => Answer::Text(event.kind.into()),
        "published" => Answer::Time(event.published),
        "uuid" => Answer::Text(event.uuid(place).into()),
        "outcome.result" => Answer::Text("SUCCESS".into()),
        "severity" => Answer::Text("INFO".into()),
        "target.id" => all(|target| &target.id),
        "target.type" => all(|target| target.kind),
        "target.alternateId" => all(|target| &target.alternate),
        "target.displayName" => all(|target| &target.name),
        _ => Answer::Missing,
    })
}

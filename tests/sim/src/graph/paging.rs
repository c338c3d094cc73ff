//! Page sizes, page links and the envelope of collections.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::denied::Denied;
use crate::call::Call;
use crate::ids;
use crate::json;
use crate::reply::Reply;

/// The content type of every Graph answer.
pub const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// What a page link remembers; the options ride in the link beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Skip {
    at: u32,
}

/// `$top`, between 1 and 999; 100 if absent.
pub fn top(call: &Call) -> Result<u32, Denied> {
    match call.option("$top") {
        None => Ok(100),
        Some(text) => match text.parse::<u32>() {
            Ok(top) if (1..=999).contains(&top) => Ok(top),
            _ => Err(Denied::page_size()),
        },
    }
}

/// Where this page starts.
pub fn start(call: &Call) -> Result<u32, Denied> {
    if call.option("$skip").is_some() {
        return Err(Denied::unsupported(
            "'$skip' is not supported by the service.",
        ));
    }
    match call.option("$skiptoken") {
        None => Ok(0),
        Some(token) => ids::open::<Skip>(token)
            .map(|skip| skip.at)
            .ok_or_else(Denied::stale_page),
    }
}

/// The link to the page that starts at a position, with the options of this one.
pub fn next_link(call: &Call, at: u32) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &call.query {
        if !name.eq_ignore_ascii_case("$skiptoken") {
            query.append_pair(name, value);
        }
    }
    query.append_pair("$skiptoken", &ids::seal(&Skip { at }));
    let path = call.target.split('?').next().unwrap_or_default();
    format!("{}{path}?{}", call.base, query.finish().replace("%24", "$"))
}

/// A collection: context, optional count, optional link, and the ready items.
pub fn collection(
    call: &Call,
    context: &str,
    count: Option<usize>,
    link: Option<(&str, String)>,
    items: &[u8],
) -> Reply {
    let mut out = Vec::with_capacity(items.len() + 512);
    out.extend_from_slice(b"{\"@odata.context\":");
    json::string(&format!("{}/v1.0/$metadata#{context}", call.base), &mut out);
    if let Some(count) = count {
        out.extend_from_slice(format!(",\"@odata.count\":{count}").as_bytes());
    }
    if let Some((name, link)) = link {
        json::name(name, &mut out);
        json::string(&link, &mut out);
    }
    out.extend_from_slice(b",\"value\":[");
    out.extend_from_slice(items);
    out.extend_from_slice(b"]}");
    Reply::bytes(200, JSON, Bytes::from(out))
}

/// Whether the request asks for the eventually consistent index, which allows more queries.
pub fn is_advanced(call: &Call) -> bool {
    call.header("consistencylevel")
        .is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
        && call
            .option("$count")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A bare number, for `$count`.
pub fn number(call: &Call, count: usize) -> Result<Reply, Denied> {
    let eventual = call
        .header("consistencylevel")
        .is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
    if !eventual {
        return Err(Denied::new(
            400,
            "Request_BadRequest",
            "$count is not currently supported without the ConsistencyLevel header set to eventual.",
        ));
    }
    Ok(Reply::bytes(200, "text/plain", count.to_string().into()))
}

/// Refuses what needs the advanced mode when it was not asked for.
pub fn check_filter(call: &Call, expr: &crate::expr::Expr) -> Result<(), Denied> {
    let ends = expr
        .tests()
        .iter()
        .any(|test| test.op == crate::expr::Op::EndsWith);
    let advanced = expr.negates() || ends || call.option("$orderby").is_some();
    if advanced && !is_advanced(call) {
        return Err(Denied::unsupported(
            "The specified filter needs the header ConsistencyLevel: eventual and $count=true.",
        ));
    }
    Ok(())
}

/// Reads `$filter`, if there is one.
pub fn filter(call: &Call) -> Result<Option<crate::expr::Expr>, Denied> {
    let Some(text) = call.option("$filter") else {
        if call.option("$search").is_some() && !is_advanced(call) {
            return Err(Denied::unsupported(
                "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
            ));
        }
        return Ok(None);
    };
    let expr = crate::expr::parse(text)
        .ok_or_else(|| Denied::bad_request(format!("Invalid filter clause: '{text}'.")))?;
    check_filter(call, &expr)?;
    Ok(Some(expr))
}

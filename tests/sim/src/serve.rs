//! The way of a request through the server: count, wait, spoil, answer, compress, send.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::call::Call;
use crate::faults::{Kind, Trouble};
use crate::reply::Reply;
use crate::spoil::{self, Vendor};
use crate::wire::Cord;
use crate::world::World;
use crate::{applivery, clock, control, graph, okta, provider};

/// The largest request body taken: a bulk control request.
const LARGEST_BODY: usize = 256 << 20;

/// The application that serves a world.
pub fn app(world: Arc<World>) -> Router {
    Router::new().fallback(handle).with_state(world)
}

async fn handle(
    State(world): State<Arc<World>>,
    ConnectInfo(cord): ConnectInfo<Cord>,
    request: Request,
) -> Result<Response, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Ok(send(Reply::empty(413), body_of(Bytes::new(), None)));
    };
    let host = head
        .headers
        .get("host")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("127.0.0.1");
    let base = format!("http://{host}");
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let call = Call::new(head.method, target, head.headers, body, base);
    if call.path.starts_with("/sim/") {
        let reply = tokio::task::block_in_place(|| controlled(&world, &call));
        let body = reply.body.clone();
        return Ok(send(reply, body_of(body, None)));
    }
    let class = class(&call);
    world.stats.begin();
    let latency = world.settings().latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let trouble = world
        .faults
        .pick(call.method.as_str(), &call.path, &call.target, class);
    if let Some(trouble) = &trouble {
        world.stats.note(|stats| stats.faults += 1);
        if trouble.kind == Kind::Stall {
            tokio::time::sleep(Duration::from_millis(trouble.ms.unwrap_or(30_000))).await;
        }
    }
    let work = || match &trouble {
        Some(trouble) => spoil::inner(&world, &call, trouble, || answer(&world, &call)),
        None => answer(&world, &call),
    };
    // Creating a subscription waits for the client's own hook.
    let mut reply = if class == "graph.subscriptions.write" {
        tokio::task::block_in_place(work)
    } else {
        work()
    };
    let vendor = Vendor::of(&call.path);
    compress(&world, &call, vendor, &mut reply);
    if vendor == Vendor::Okta {
        reply = reply.with("date", clock::http_date(world.clock.now()));
    }
    world.stats.end(class, reply.status, reply.body.len());
    if trouble
        .as_ref()
        .is_some_and(|trouble| trouble.kind == Kind::ResetConn)
    {
        cord.pull();
    }
    let body = body_of(reply.body.clone(), trouble.as_ref());
    Ok(send(reply, body))
}

/// The endpoint class of a request.
fn class(call: &Call) -> &'static str {
    if call.path.starts_with(graph::ROOT) {
        graph::class(&call.method, &call.path)
    } else if call.path.ends_with("/oauth2/v2.0/token") {
        "graph.token"
    } else if call.path == "/metadata/identity/oauth2/token" {
        "graph.imds"
    } else if call.path.starts_with(provider::ROOT) {
        provider::class(&call.method, &call.path)
    } else if Vendor::of(&call.path) == Vendor::Okta {
        okta::class(&call.path)
    } else if call.path.starts_with(applivery::ROOT) {
        applivery::class(&call.method, &call.path)
    } else {
        "other"
    }
}

fn answer(world: &World, call: &Call) -> Reply {
    let parts = call.parts("");
    match parts.as_slice() {
        ["v1.0", ..] => graph::answer(world, call),
        ["v1", "organizations", ..] => applivery::answer(world, call),
        ["api", "v1", ..] => okta::answer(world, call),
        ["scim", ..] => provider::answer(&world.provider, call),
        ["oauth2", "v1", "token"] if call.method == Method::POST => okta::token(world, call),
        ["metadata", "identity", "oauth2", "token"] => graph::token::managed_identity(world, call),
        [tenant, "oauth2", "v2.0", "token"] if call.method == Method::POST => {
            graph::token::answer(world, call, tenant)
        }
        _ => Reply::json(
            404,
            &json!({"error": {"code": "NotFound", "message": "No such path."}}),
        ),
    }
}

/// Answers a control request.
fn controlled(world: &World, call: &Call) -> Reply {
    let body = if call.body.is_empty() {
        Value::Null
    } else {
        match call.json() {
            Some(body) => body,
            None => return Reply::json(400, &json!({"error": "the body is not JSON"})),
        }
    };
    match control::answer(world, &call.method, &call.path, body) {
        Ok(value) => Reply::json(200, &value),
        Err((status, why)) => Reply::json(status, &json!({"error": why})),
    }
}

fn compress(world: &World, call: &Call, vendor: Vendor, reply: &mut Reply) {
    let wanted = match vendor {
        Vendor::Graph => world.settings().graph_gzip,
        Vendor::Okta => world.settings().okta_gzip,
        Vendor::Applivery | Vendor::Scim => false,
    };
    let accepted = call
        .header("accept-encoding")
        .is_some_and(|value| value.contains("gzip"));
    // Below a packet's size there is nothing to gain.
    if !wanted || !accepted || reply.body.len() < 1_024 {
        return;
    }
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(reply.body.len() / 4),
        Compression::fast(),
    );
    if encoder.write_all(&reply.body).is_ok()
        && let Ok(packed) = encoder.finish()
    {
        reply.body = packed.into();
        reply
            .headers
            .push(("content-encoding".to_owned(), "gzip".to_owned()));
        reply
            .headers
            .push(("vary".to_owned(), "Accept-Encoding".to_owned()));
    }
}

/// The body on the wire: whole, cut in the middle, or dripping.
fn body_of(bytes: Bytes, trouble: Option<&Trouble>) -> (Body, usize) {
    let length = bytes.len();
    let body = match trouble.map(|trouble| trouble.kind) {
        Some(Kind::Drop) => {
            let half = bytes.slice(..length / 2);
            // The pause lets the first half leave before the connection breaks.
            let cut = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            };
            let start = futures::stream::once(async { Ok::<_, std::io::Error>(half) });
            Body::from_stream(start.chain(futures::stream::once(cut)))
        }
        Some(Kind::Drip) => {
            let pause = Duration::from_millis(trouble.and_then(|one| one.ms).unwrap_or(50));
            let piece = (length / 20).max(1);
            let pieces: Vec<Bytes> = (0..length)
                .step_by(piece)
                .map(|at| bytes.slice(at..(at + piece).min(length)))
                .collect();
            Body::from_stream(futures::stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, Infallible>(piece)
            }))
        }
        _ => Body::from(bytes),
    };
    (body, length)
}

fn send(reply: Reply, (body, length): (Body, usize)) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    if reply.status != 204 {
        headers.insert("content-length", HeaderValue::from(length));
    }
    response
}

//! `POST /$batch`: up to twenty requests in one, each charged and refused on its own.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::denied::Denied;
use crate::call::Call;
use crate::reply::Reply;
use crate::spoil;
use crate::world::World;

/// Answers a batch. The answers come in another order than the requests.
pub fn answer(world: &World, call: &Call) -> Reply {
    match run(world, call) {
        Ok(reply) => reply,
        Err(denied) => denied.reply(call, world.clock.now()),
    }
}

fn run(world: &World, call: &Call) -> Result<Reply, Denied> {
    if call.method != Method::POST {
        return Err(Denied::new(405, "BadRequest", "A batch is posted."));
    }
    let body = call
        .json()
        .ok_or_else(|| Denied::new(400, "BadRequest", "Invalid batch payload."))?;
    let requests = body["requests"]
        .as_array()
        .ok_or_else(|| Denied::new(400, "BadRequest", "'requests' is missing."))?;
    if requests.len() > 20 {
        return Err(Denied::new(
            400,
            "BadRequest",
            "Number of batch request steps exceeds the maximum value of 20.",
        ));
    }
    let mut statuses: HashMap<String, u64> = HashMap::new();
    let mut answers: Vec<Value> = Vec::new();
    for request in requests {
        let id = match &request["id"] {
            Value::String(id) if !id.is_empty() => id.clone(),
            _ => return Err(Denied::new(400, "BadRequest", "A request has no id.")),
        };
        if statuses.contains_key(&id) {
            return Err(Denied::new(
                400,
                "BadRequest",
                format!("The id '{id}' is used twice."),
            ));
        }
        let needs = request["dependsOn"].as_array().cloned().unwrap_or_default();
        let failed = needs
            .iter()
            .filter_map(Value::as_str)
            .any(|need| statuses.get(need).is_none_or(|status| *status >= 400));
        let answer = if failed {
            json!({"id": id, "status": 424, "headers": {}, "body": {"error": {
                "code": "FailedDependency", "message": "A request this one depends on failed."}}})
        } else {
            step(world, call, request, &id)
        };
        statuses.insert(id, answer["status"].as_u64().unwrap_or(500));
        answers.push(answer);
    }
    answers.reverse();
    Ok(Reply::json(200, &json!({"responses": answers})))
}

fn step(world: &World, call: &Call, request: &Value, id: &str) -> Value {
    let method = request["method"]
        .as_str()
        .and_then(|name| name.to_ascii_uppercase().parse::<Method>().ok())
        .unwrap_or(Method::GET);
    let url = request["url"].as_str().unwrap_or_default();
    let target = format!("{}/{}", super::ROOT, url.trim_start_matches('/'));
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name = name.parse::<HeaderName>();
        let value = value.as_str().map(HeaderValue::from_str);
        if let (Ok(name), Some(Ok(value))) = (name, value) {
            headers.insert(name, value);
        }
    }
    let body = match &request["body"] {
        Value::Null => bytes::Bytes::new(),
        body => body.to_string().into(),
    };
    let inner = Call::new(method, &target, headers, body, call.base.clone());
    let class = super::class(&inner.method, &inner.path);
    let trouble = world
        .faults
        .pick(inner.method.as_str(), &inner.path, &inner.target, class);
    let reply = match trouble {
        Some(trouble) => {
            world.stats.note(|stats| stats.faults += 1);
            spoil::inner(world, &inner, &trouble, || super::charged(world, &inner))
        }
        None => super::charged(world, &inner),
    };
    world.stats.begin();
    world.stats.end(class, reply.status, 0);
    let headers: serde_json::Map<String, Value> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    json!({"id": id, "status": reply.status, "headers": headers, "body": body})
}

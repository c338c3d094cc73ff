//! `/sim/…`: what tests use to see and move the server. It needs no token, costs nothing and is
//! never spoiled by faults.

use axum::http::Method;
use serde_json::{Value, json};

use crate::faults::Rule;
use crate::world::World;
use crate::{applivery, graph, okta, provider};

/// JSON, or a status and why.
pub type Answer = Result<Value, (u16, String)>;

/// A refusal of what was asked.
pub fn fail(why: impl Into<String>) -> (u16, String) {
    (400, why.into())
}

/// Answers a control request; `path` is the decoded path with `/sim` in front.
pub fn answer(world: &World, method: &Method, path: &str, body: Value) -> Answer {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .skip(1)
        .collect();
    match (method.as_str(), parts.as_slice()) {
        (_, ["graph", rest @ ..]) => graph::control::answer(world, method, rest, body),
        (_, ["applivery", rest @ ..]) => applivery::control::answer(world, method, rest, body),
        (_, ["okta", rest @ ..]) => okta::control::answer(world, method, rest, body),
        (_, ["scim", rest @ ..]) => provider::control::answer(&world.provider, method, rest, body),
        ("GET", ["stats"]) => {
            serde_json::to_value(world.stats.read()).map_err(|error| fail(error.to_string()))
        }
        ("DELETE", ["stats"]) => {
            world.stats.reset();
            Ok(json!({}))
        }
        ("GET", ["settings"]) => {
            serde_json::to_value(&*world.settings()).map_err(|error| fail(error.to_string()))
        }
        ("POST", ["settings"]) => {
            let merged = world.settings().merged(&body).map_err(fail)?;
            world.change_settings(merged);
            Ok(json!({}))
        }
        ("GET", ["faults"]) => {
            serde_json::to_value(world.faults.list()).map_err(|error| fail(error.to_string()))
        }
        ("POST", ["faults"]) => {
            let list = if body.is_array() { body } else { json!([body]) };
            let rules: Vec<Rule> =
                serde_json::from_value(list).map_err(|error| fail(error.to_string()))?;
            world.faults.add(rules);
            Ok(json!({}))
        }
        ("DELETE", ["faults"]) => {
            world.faults.clear();
            Ok(json!({}))
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

//! `rosterd-bench scim`: what the SCIM endpoint takes in and gives out, durable writes over the
//! loopback, beside a bare handler of the same HTTP library in the same run.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use axum::routing::any;
use serde_json::{Value, json};

use crate::Place;
use crate::load::{self, Load, Request};

#[derive(clap::Args)]
pub struct Scim {
    /// How many users there are, and are created.
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// How many requests are sent for each row that reads or patches.
    #[arg(long, default_value_t = 30_000)]
    requests: u64,
    /// How many connections send them.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Make all but the last ten thousand users by bulk requests, which is not measured.
    #[arg(long)]
    fill: bool,
    /// `state.cache` of the daemon.
    #[arg(long, default_value = "64MiB")]
    cache: String,
    #[command(flatten)]
    place: Place,
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The size of the group whose members change.
const MEMBERS: u64 = 10_000;

pub async fn run(ask: Scim) -> anyhow::Result<()> {
    let bin = ask.place.bin()?;
    let (work, _removed) = ask.place.work()?;
    let daemon = Daemon::start(&bin, &work, &ask.cache)?;
    let (address, token) = (daemon.address.clone(), daemon.token.clone());
    let connections = ask.connections;
    let mut rows = Vec::new();
    let mut row = |what: &str, load: Load| {
        rows.push(vec![
            what.to_owned(),
            format!("{:.0}", load.per_second),
            format!("{:.1}", load.median.as_secs_f64() * 1000.0),
            format!("{:.1}", load.p99.as_secs_f64() * 1000.0),
        ]);
    };
    let bare = bare_handler().await?;
    let ceiling = load::run(&bare, "", connections, ask.requests, 200, |_| {
        ("GET", "/".to_owned(), String::new())
    });
    row("a bare handler, GET", ceiling.await?);
    let ceiling = load::run(&bare, "", connections, ask.requests, 200, |n| {
        ("POST", "/".to_owned(), user(n).to_string())
    });
    row("a bare handler, POST", ceiling.await?);

    let created = match ask.fill {
        true => {
            let filled = ask.users.saturating_sub(MEMBERS);
            fill(&daemon, filled).await?;
            daemon.rests()?;
            ask.users - filled
        }
        false => ask.users,
    };
    let first = ask.users - created;
    let load = load::run(&address, &token, connections, created, 201, move |n| {
        ("POST", path("/Users"), user(first + n).to_string())
    });
    row("create a user", load.await?);
    // A run makes their accounts meanwhile and after.
    daemon.rests()?;

    let ids = Arc::new(ids(&daemon, MEMBERS.min(ask.users)).await?);
    let by_id = ids.clone();
    let load = load::run(&address, &token, connections, ask.requests, 200, move |n| {
        let id = &by_id[(n * 7919) as usize % by_id.len()];
        ("GET", path(&format!("/Users/{id}")), String::new())
    });
    row("read a user by id", load.await?);
    let users = ask.users;
    // Among many the first look-up of each meets what is not in the daemon's memory.
    for what in ["find a user by userName", "find the same users again"] {
        let load = load::run(&address, &token, connections, ask.requests, 200, move |n| {
            let name = format!("user{}%40bench.example", (n * 7919) % users);
            let filter = format!("userName%20eq%20%22{name}%22");
            (
                "GET",
                path(&format!("/Users?filter={filter}")),
                String::new(),
            )
        });
        row(what, load.await?);
    }

    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let group = json!({ "schemas": [GROUP], "displayName": "All", "members": members });
    let group = daemon.call("POST", "/Groups", group).await?;
    let group = group["id"].as_str().context("a group's id")?.to_owned();
    let load = load::run(&address, &token, connections, ask.requests, 204, move |n| {
        member(&group, &ids[(n / 2) as usize % ids.len()], n % 2 == 1)
    });
    row(
        &format!("add or remove one of {MEMBERS} members"),
        load.await?,
    );

    println!(
        "{} users, {connections} connections, durable writes\n",
        ask.users
    );
    println!("| request | per second | median ms | p99 ms |\n| --- | --- | --- | --- |");
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    Ok(())
}

fn path(below: &str) -> String {
    format!("/scim/push/v2{below}")
}

fn user(n: u64) -> Value {
    let name = format!("user{n}@bench.example");
    json!({
        "schemas": [USER], "userName": name, "externalId": format!("ext-{n}"), "active": true,
        "name": { "givenName": format!("Given{n}"), "familyName": format!("Family{n}") },
        "displayName": format!("Given{n} Family{n}"),
        "emails": [{ "primary": true, "type": "work", "value": name }],
    })
}

fn member(group: &str, id: &str, joins: bool) -> Request {
    let operation = match joins {
        true => json!({ "op": "Add", "path": "members", "value": [{ "value": id }] }),
        false => json!({ "op": "Remove", "path": "members", "value": [{ "value": id }] }),
    };
    let body = json!({ "Operations": [operation] }).to_string();
    ("PATCH", path(&format!("/Groups/{group}")), body)
}

/// Users that are there already, a thousand a request.
async fn fill(daemon: &Daemon, users: u64) -> anyhow::Result<()> {
    let mut from = 0;
    while from < users {
        let until = (from + 1000).min(users);
        let operations: Vec<Value> = (from..until)
            .map(|n| json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(n) }))
            .collect();
        daemon
            .call("POST", "/Bulk", json!({ "Operations": operations }))
            .await?;
        from = until;
    }
    Ok(())
}

/// The ids of the first users.
async fn ids(daemon: &Daemon, count: u64) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    while (ids.len() as u64) < count {
        let start = ids.len() + 1;
        let below = format!("/Users?attributes=id&count=1000&startIndex={start}");
        let page = daemon.call("GET", &below, Value::Null).await?;
        let found = page["Resources"].as_array().context("a page")?;
        let found = found.iter().filter_map(|user| user["id"].as_str());
        let before = ids.len();
        ids.extend(found.map(str::to_owned));
        if ids.len() == before {
            bail!("there are fewer users than were made");
        }
    }
    ids.truncate(count as usize);
    Ok(ids)
}

/// Serves a fixed answer of the size of a user's.
async fn bare_handler() -> anyhow::Result<String> {
    let answer = user(1).to_string();
    let handler = move |_body: axum::body::Bytes| {
        let answer = answer.clone();
        async move { answer }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(
        async move { axum::serve(listener, Router::new().route("/", any(handler))).await },
    );
    Ok(address)
}

/// rosterd with one source that is pushed and one portal; it ends with this value.
struct Daemon {
    process: Child,
    program: PathBuf,
    settings: PathBuf,
    address: String,
    token: String,
    http: reqwest::Client,
}

impl Daemon {
    fn start(bin: &Path, work: &Path, cache: &str) -> anyhow::Result<Daemon> {
        let settings = work.join("scim.toml");
        let state = work.join("scim-state");
        std::fs::File::create(&settings)?.write_all(
            format!(
                "[state]\npath = {:?}\ncache = \"{cache}\"\n[server]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"info\"\n[sources.push]\nkind = \"scim\"\n[targets.local]\nkind = \"local\"\n[portals.app]\nkind = \"directory\"\ntarget = \"local\"\nsources = [\"push\"]\n[safety]\nmax_membership_removals = 1000000\n",
                state.display().to_string()
            )
            .as_bytes(),
        )?;
        let program = bin.join("rosterd");
        let mut process = Command::new(&program)
            .args(["run", "-c"])
            .arg(&settings)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let log = process.stderr.take().context("the daemon's log")?;
        let mut lines = BufReader::new(log).lines();
        let address = loop {
            let line = lines.next().context("the daemon ended")??;
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.split_whitespace().next().unwrap_or(rest).to_owned();
            }
        };
        // Read on, or the daemon would wait for somebody who does.
        std::thread::spawn(move || lines.for_each(drop));
        let mut daemon = Daemon {
            process,
            program,
            settings,
            address,
            token: String::new(),
            http: reqwest::Client::new(),
        };
        let made = daemon
            .command(&["token", "create", "--source", "push", "--format", "json"])
            .output()?;
        let made: Value = serde_json::from_slice(&made.stdout).context("a token")?;
        daemon.token = made["token"].as_str().context("a token")?.to_owned();
        Ok(daemon)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("-c").arg(&self.settings);
        command
    }

    /// Waits until everybody who was pushed has what the rules give them: a run that is asked for
    /// now begins when the one that goes on has ended.
    fn rests(&self) -> anyhow::Result<()> {
        let mut run = self.command(&["sync"]);
        let run = run.stdout(Stdio::null()).stderr(Stdio::null()).status();
        anyhow::ensure!(run?.success(), "a run does not end well");
        Ok(())
    }

    async fn call(&self, method: &str, below: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("http://{}{}", self.address, path(below));
        let mut request = self
            .http
            .request(method.parse()?, url)
            .bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {below} was answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

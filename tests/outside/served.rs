//! The daemon as a process, and its HTTP side as a client sees it. Every answer of the API is
//! held to the API's own description.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::service::Service;
use crate::world::{SECRETS, World};

pub const TOKEN: &str = "sim-admin-token";

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Served {
    pub service: Service,
    pub base: String,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    description: OnceLock<Description>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a header is text"))
    }

    /// A problem document of this status; its detail.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], "about:blank", "{problem}");
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}

/// What a daemon that does not come up said, and its exit code.
pub fn refused(world: &World, server: &str) -> (i32, String) {
    let mut command = world.command(&["run"]);
    with_server(world, server, &mut command);
    let output = command.output().expect("rosterd starts");
    let text = String::from_utf8(output.stderr).expect("it is text");
    (output.status.code().expect("it ended with a code"), text)
}

/// Gives rosterd these lines of `[server]` beside its settings.
fn with_server(world: &World, server: &str, command: &mut Command) {
    let file = world.home.path().join("server.toml");
    std::fs::write(&file, format!("[server]\n{server}\n")).expect("it can be written");
    // Files that are named behind the command stand in for those before it.
    command.arg("-c").arg(world.config()).arg("-c").arg(file);
    command.env("SIM_ADMIN_TOKEN", TOKEN);
}

impl Served {
    /// With the admin token.
    pub fn start(world: &World) -> Served {
        Served::with(world, "admin_token = { env = \"SIM_ADMIN_TOKEN\" }")
    }

    /// With these lines of `[server]`.
    pub fn with(world: &World, server: &str) -> Served {
        let service = Service::start_with(world, |command| with_server(world, server, command));
        let mut served = Served {
            service,
            base: String::new(),
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
            client: client(),
            description: OnceLock::new(),
        };
        served.base = served.wait_for("it listens", |served| {
            let log = served.service.log();
            let at = log.find("listening on http")? + "listening on ".len();
            log[at..].split_whitespace().next().map(str::to_owned)
        });
        served
    }

    /// Asks again and again until there is an answer.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, ask: impl Fn(&Served) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(
                Instant::now() < end,
                "waited for {what}; it said:\n{}",
                self.service.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A request, as it is put together.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request and reads its answer, whoever it is from.
    #[track_caller]
    pub fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                text: response.text().await?,
            })
        });
        let answer = answer.expect("an answer");
        for secret in SECRETS.into_iter().chain([TOKEN]) {
            assert!(!answer.text.contains(secret), "a secret in {}", answer.text);
        }
        answer
    }

    /// Sends a request with the token, and holds its answer to the description.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.send(request);
        self.description().check(method, path, &answer);
        answer
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    /// A run that is waited for: its plan.
    #[track_caller]
    pub fn sync(&self, mut ask: Value) -> Value {
        ask["wait"] = json!(true);
        self.call("POST", "/api/v1/sync", Some(ask)).is(200).json()
    }

    /// Every item of a list, page by page.
    #[track_caller]
    pub fn pages(&self, path: &str, limit: usize, go_on: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path_of_page = format!("{path}?limit={limit}");
        loop {
            let page = self.get(&path_of_page).is(200).json();
            let items = page["items"].as_array().expect("a page has items");
            assert!(items.len() <= limit);
            all.extend(items.iter().cloned());
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            assert_eq!(items.len(), limit, "a page that is not the last is full");
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            path_of_page = format!("{path}?limit={limit}&{go_on}={next}");
        }
    }

    /// Runs something async with the client.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn description(&self) -> &Description {
        self.description.get_or_init(|| {
            let request = self.request("GET", "/api/v1/openapi.json");
            let answer = self.send(request.bearer_auth(TOKEN)).is(200);
            Description::new(answer.json())
        })
    }

    /// Ends it as the service manager would; its exit code.
    pub fn stop(self) -> i32 {
        self.service.signal("TERM");
        self.service.ended().0
    }
}

/// A client that takes any certificate, and tells which.
pub fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .tls_info(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build();
    client.expect("a client")
}

/// The API's description, and what of it was seen.
pub struct Description {
    document: Value,
    seen: Mutex<BTreeSet<String>>,
}

impl Description {
    fn new(document: Value) -> Description {
        assert!(
            document["openapi"]
                .as_str()
                .expect("a version")
                .starts_with("3.1")
        );
        Description {
            document,
            seen: Mutex::default(),
        }
    }

    /// Every operation with every status that it names, but for `default`.
    pub fn operations(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (path, methods) in self.document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                for status in operation["responses"]
                    .as_object()
                    .expect("responses")
                    .keys()
                {
                    if status != "default" {
                        all.insert(format!("{} {path} {status}", method.to_uppercase()));
                    }
                }
            }
        }
        all
    }

    pub fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().expect("no panic").clone()
    }

    #[track_caller]
    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().expect("there is a first part");
        let paths = self.document["paths"].as_object().expect("paths");
        let Some(template) = paths.keys().find(|template| fits(template, path)) else {
            assert_eq!(answer.status, 404, "{path} is not described");
            return;
        };
        let Some(operation) = paths[template].get(method.to_lowercase()) else {
            assert_eq!(answer.status, 405, "{method} {path} is not described");
            return;
        };
        let status = answer.status.to_string();
        let described = operation["responses"].get(&status);
        if described.is_some() {
            let seen = format!("{method} {template} {status}");
            self.seen.lock().expect("no panic").insert(seen);
        }
        let described = described.unwrap_or(&operation["responses"]["default"]);
        let kind = answer
            .header("content-type")
            .split(';')
            .next()
            .expect("a part");
        let Some(contents) = described["content"].as_object() else {
            assert_eq!(answer.text, "", "{method} {path} {status} has no body");
            return;
        };
        let content = contents
            .get(kind)
            .unwrap_or_else(|| panic!("{method} {path} {status} may not be {kind}"));
        if !kind.ends_with("json") {
            return;
        }
        // References lead from the root of the document, so it goes along.
        let mut schema = content["schema"].clone();
        schema["components"] = self.document["components"].clone();
        let schema = jsonschema::draft202012::new(&schema).expect("a schema");
        let found = answer.json();
        let faults: Vec<String> = schema
            .iter_errors(&found)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{method} {path} {status}: {faults:#?}");
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut open, mut parts) = (template.split('/'), path.split('/'));
    loop {
        match (open.next(), parts.next()) {
            (None, None) => return true,
            (Some(name), Some(_)) if name.starts_with('{') => {}
            (Some(name), Some(part)) if name == part => {}
            _ => return false,
        }
    }
}

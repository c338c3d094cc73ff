//! A browser that a test looks through. It watches what the browser complains about, and is
//! gone when the test is.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::served::{PATIENCE, Served, TOKEN};

/// What to do where there is no browser.
const MISSING: &str =
    "tests/browser needs Chromium and chromedriver: 'bash tests/setup-browser.sh' installs them";

/// The places where Chromium may be, by how it is packaged.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Reports what a page's policy refuses, before anything of the page runs.
const WATCH: &str = "addEventListener('securitypolicyviolation', event => console.error(\
                     `policy violated: ${event.violatedDirective} ${event.blockedURI}`))";

pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    base: String,
    // What goes last is below: the driver, then the profile, caches and what else it leaves.
    _driver: Driver,
    _home: tempfile::TempDir,
}

/// The process that drives Chromium, ended when it goes out of scope.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A size of the window, and whether it is a phone's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screen {
    Desk,
    Phone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

impl Browser {
    /// A fresh browser for a daemon's console. Nobody is logged in.
    pub fn open(served: &Served) -> Browser {
        let home = tempfile::tempdir().expect("a temporary directory");
        let (driver, port) = start_driver(home.path());
        let runtime = Runtime::new().expect("a runtime");
        let capabilities = capabilities(home.path());
        let connected = runtime.block_on(
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}")),
        );
        let browser = Browser {
            runtime,
            client: Some(connected.expect("Chromium starts")),
            _driver: driver,
            base: served.base.clone(),
            _home: home,
        };
        browser.devtools("Page.enable", json!({}));
        let watch = json!({ "source": WATCH });
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", watch);
        browser
    }

    /// A browser with somebody logged in, at the overview.
    pub fn logged_in(served: &Served) -> Browser {
        let browser = Browser::open(served);
        browser.go("/login");
        browser.fill("input[name=admin_token]", TOKEN);
        browser.click("main button");
        browser.is_at("/");
        browser
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is there until the end")
    }

    #[track_caller]
    fn done<T>(&self, what: &str, work: impl Future<Output = Result<T, CmdError>>) -> T {
        match self.runtime.block_on(work) {
            Ok(done) => done,
            Err(error) => panic!("{what}: {error}\n{}", self.text()),
        }
    }

    /// The text of the page, for whoever has to find out why a test fails.
    fn text(&self) -> String {
        let script = "return location.href + '\\n' + document.body.innerText";
        let text = self.runtime.block_on(self.client().execute(script, vec![]));
        text.map_or_else(
            |error| error.to_string(),
            |text| text.as_str().unwrap_or_default().to_owned(),
        )
    }

    #[track_caller]
    pub fn go(&self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.done(path, self.client().goto(&url));
    }

    /// The path and query that the browser is at.
    pub fn path(&self) -> String {
        let url = self.done("the address", self.client().current_url());
        let query = url.query().map(|query| format!("?{query}"));
        format!("{}{}", url.path(), query.unwrap_or_default())
    }

    #[track_caller]
    pub fn is_at(&self, path: &str) {
        self.wait(&format!("to be at {path}"), || self.path() == path);
    }

    /// Asks again and again until something is so.
    #[track_caller]
    pub fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "waited {what}; {}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page has a text.
    #[track_caller]
    pub fn says(&self, text: &str) {
        self.wait(&format!("for '{text}'"), || self.text().contains(text));
    }

    /// Whether there is such a thing on the page.
    pub fn has(&self, selector: &str) -> bool {
        !self
            .done(selector, self.client().find_all(Locator::Css(selector)))
            .is_empty()
    }

    #[track_caller]
    pub fn click(&self, selector: &str) {
        let found = self.done(selector, self.client().find(Locator::Css(selector)));
        self.done(selector, found.click());
    }

    #[track_caller]
    pub fn follow(&self, link: &str) {
        let found = self.done(link, self.client().find(Locator::LinkText(link)));
        self.done(link, found.click());
    }

    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let found = self.done(selector, self.client().find(Locator::Css(selector)));
        self.done(selector, found.clear());
        self.done(selector, found.send_keys(text));
    }

    /// The text of the first thing that fits.
    #[track_caller]
    pub fn text_of(&self, selector: &str) -> String {
        let found = self.done(selector, self.client().find(Locator::Css(selector)));
        self.done(selector, found.text())
    }

    /// Presses a key where the focus is.
    #[track_caller]
    pub fn press(&self, key: Key) {
        self.type_in(&String::from(char::from(key)));
    }

    /// Types where the focus is.
    #[track_caller]
    pub fn type_in(&self, text: &str) {
        let focus = self.done("the focus", self.client().active_element());
        self.done("typing", focus.send_keys(text));
    }

    /// Runs a script as the driver, whom no page's policy binds.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        self.done("a script", self.client().execute(script, vec![]))
    }

    pub fn show_as(&self, screen: Screen, scheme: Scheme) {
        let (width, height, scale) = match screen {
            Screen::Desk => (1280, 800, 1),
            Screen::Phone => (390, 844, 2),
        };
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale,
            "mobile": screen == Screen::Phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme.as_str() });
        let media = json!({ "features": [feature] });
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// Leaves a picture of the whole page in target/screenshots.
    pub fn picture(&self, name: &str) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", whole);
        let taken = taken["data"].as_str().expect("a picture");
        let picture = STANDARD.decode(taken).expect("base64");
        let folder = screenshots();
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("it can be written");
    }

    /// What the browser complained about since it was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" }));
        let lines = log.as_array().expect("a list").iter();
        let grave = lines.filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        grave
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Nothing was complained about.
    #[track_caller]
    pub fn is_content(&self) {
        assert_eq!(
            self.complaints(),
            Vec::<String>::new(),
            "at {}",
            self.path()
        );
    }

    /// A page that was answered with an error: that is logged, and nothing else.
    #[track_caller]
    pub fn complains_of_status(&self, status: u16) {
        let complaints = self.complaints();
        let said = format!("status of {status}");
        let all = complaints.iter().all(|line| line.contains(&said));
        assert!(all && !complaints.is_empty(), "{complaints:?}");
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("goog/cdp/execute", body)
    }

    fn command(&self, path: &'static str, body: Value) -> Value {
        self.done(path, self.client().issue_cmd(Extension { path, body }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // One that hangs is killed with its driver; one that is gone already is closed.
            let patience = Duration::from_secs(10);
            let closed = async { tokio::time::timeout(patience, client.close()).await };
            self.runtime.block_on(closed).ok();
        }
    }
}

/// A command of Chromium's own.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.expect("there is a session");
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// The driver, on a port that it finds for itself.
fn start_driver(home: &Path) -> (Driver, u16) {
    let driver = Command::new("chromedriver")
        .arg("--port=0")
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect(MISSING);
    let mut driver = Driver(driver);
    let out = driver.0.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let port = line.split("successfully on port ").nth(1)?;
        port.trim_end_matches('.').parse().ok()
    });
    let port = port.expect("chromedriver says where it listens");
    // What else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port)
}

fn capabilities(home: &Path) -> Map<String, Value> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let browser = BROWSERS.iter().find_map(|name| {
        let mut places = std::env::split_paths(&paths).map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    });
    let profile = home.join("profile");
    let options = json!({
        "binary": browser.expect(MISSING),
        // In a container there is neither a user to become nor much shared memory.
        "args": [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
            "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
            // A frame that is painted by a process of its own is not in every picture.
            "--disable-features=IsolateSandboxedIframes",
            format!("--user-data-dir={}", profile.display()),
        ],
    });
    let capabilities = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    capabilities.as_object().expect("it is one").clone()
}

/// Beside what cargo builds.
fn screenshots() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_rosterd"));
    let target = program.ancestors().nth(2).expect("target/PROFILE/rosterd");
    target.join("screenshots")
}

//! Somebody who subscribed to events: takes them, fails, hangs, goes away and comes back, and
//! keeps a picture of what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What came in one request.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub body: Value,
    /// Whether it was answered with 2xx.
    pub taken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Takes,
    Says(&'static str),
    /// Nothing, until the subscriber goes away.
    Hangs,
}

type Answers = dyn Fn(usize, &Value) -> Answer + Send + Sync;

pub struct Subscriber {
    pub address: SocketAddr,
    answers: Arc<Answers>,
    came: Arc<Mutex<Vec<Delivery>>>,
    open: Option<Open>,
}

struct Open {
    stop: Sender<()>,
    stopped: Receiver<()>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Subscriber {
    /// `answers` says how each request is answered: counted from nothing, and its body.
    pub fn open(answers: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static) -> Subscriber {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let mut subscriber = Subscriber {
            address: listener.local_addr().expect("an address"),
            answers: Arc::new(answers),
            came: Arc::default(),
            open: None,
        };
        subscriber.listen(listener);
        subscriber
    }

    pub fn takes_all() -> Subscriber {
        Subscriber::open(|_, _| Answer::Takes)
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Everything that came so far.
    pub fn came(&self) -> Vec<Delivery> {
        self.came.lock().expect("no panic").clone()
    }

    pub fn taken(&self) -> Vec<Delivery> {
        let came = self.came().into_iter();
        came.filter(|delivery| delivery.taken).collect()
    }

    /// Nobody listens any more, and who waits for an answer hears the end.
    pub fn goes_away(&mut self) {
        if let Some(open) = self.open.take() {
            open.stop.send(()).ok();
            // It waits in accept.
            TcpStream::connect(self.address).ok();
            open.stopped.recv().ok();
            for connection in open.connections.lock().expect("no panic").drain(..) {
                connection.shutdown(std::net::Shutdown::Both).ok();
            }
        }
    }

    pub fn comes_back(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is free again");
        self.listen(listener);
    }

    fn listen(&mut self, listener: TcpListener) {
        let (stop, stopping) = channel();
        let (ended, stopped) = channel();
        let connections: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        self.open = Some(Open {
            stop,
            stopped,
            connections: connections.clone(),
        });
        let (answers, came) = (self.answers.clone(), self.came.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.try_recv().is_ok() {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let again = stream.try_clone().expect("a connection");
                connections.lock().expect("no panic").push(again);
                let (answers, came) = (answers.clone(), came.clone());
                std::thread::spawn(move || serve(stream, &*answers, &came));
            }
            drop(listener);
            ended.send(()).ok();
        });
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.goes_away();
    }
}

/// Answers one request. None if the connection ends before it is whole.
fn serve(stream: TcpStream, answers: &Answers, came: &Mutex<Vec<Delivery>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let method = line.split(' ').next()?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or("0", |text| text);
    let mut bytes = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut bytes).ok()?;
    let mut answer = Answer::Takes;
    if method == "POST" {
        let text = String::from_utf8(bytes).expect("it is UTF-8");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let mut came = came.lock().expect("no panic");
        answer = answers(came.len(), &body);
        came.push(Delivery {
            headers,
            text,
            body,
            taken: answer == Answer::Takes,
        });
    }
    let status = match answer {
        Answer::Takes => "204 No Content",
        Answer::Says(status) => status,
        Answer::Hangs => {
            stream.read_to_end(&mut Vec::new()).ok();
            return None;
        }
    };
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.get_mut().write_all(answer.as_bytes()).ok()
}

/// What a subscriber knows from events alone: accounts by email, groups with their members.
#[derive(Default, PartialEq, Debug)]
pub struct Picture {
    pub users: BTreeMap<String, Value>,
    pub groups: BTreeMap<String, String>,
    pub members: BTreeSet<(String, String)>,
    seen: BTreeMap<String, u64>,
}

impl Picture {
    /// Takes events in, each once by its id, and sees that those of one object come in order.
    pub fn of(taken: &[Delivery]) -> Picture {
        let mut picture = Picture::default();
        let mut ids = BTreeSet::new();
        for delivery in taken {
            let body = &delivery.body;
            if ids.insert(crate::world::text(&body["id"])) {
                picture.take(body);
            }
        }
        picture
    }

    #[track_caller]
    fn take(&mut self, body: &Value) {
        let data = &body["data"];
        let id = crate::world::text(&data["id"]);
        let sequence = body["sequence"].as_u64().expect("a number");
        let last = self.seen.insert(id.clone(), sequence);
        assert!(last < Some(sequence), "{sequence} after {last:?} of {id}");
        let group = data["group"]["id"].as_str().map(str::to_owned);
        let member = |group: Option<String>| (group.expect("a group"), id.clone());
        match body["event"].as_str().expect("a kind") {
            "user.created" | "user.updated" => {
                self.users.insert(id, data.clone());
            }
            "user.deleted" => {
                assert!(self.users.remove(&id).is_some(), "{id} was not there");
                self.members.retain(|(_, user)| *user != id);
            }
            "group.created" | "group.updated" => {
                let name = crate::world::text(&data["name"]);
                self.groups.insert(id, name);
            }
            "group.deleted" => {
                assert!(self.groups.remove(&id).is_some(), "{id} was not there");
                self.members.retain(|(group, _)| *group != id);
            }
            "group.user_added" => {
                assert!(self.users.contains_key(&id), "{id} joins and is not there");
                assert!(self.members.insert(member(group)), "it is a member already");
            }
            "group.user_removed" => {
                assert!(self.members.remove(&member(group)), "it is no member");
            }
            other => panic!("{other} is no event"),
        }
    }

    /// Emails, whether active, and names of groups, sorted: as exports have them.
    pub fn accounts(&self) -> Vec<(String, bool, Vec<String>)> {
        let users = self.users.iter().map(|(id, user)| {
            let members = self.members.iter().filter(|(_, user)| user == id);
            let mut groups: Vec<String> = members
                .map(|(group, _)| self.groups[group].clone())
                .collect();
            groups.sort();
            let email = crate::world::text(&user["email"]).to_lowercase();
            (email, user["active"] == true, groups)
        });
        let mut accounts: Vec<_> = users.collect();
        accounts.sort();
        accounts
    }
}

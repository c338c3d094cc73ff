//! Who looks at the console: the admin token is given once, and a cookie stands for it.
//!
//! Sessions are in memory, end with the daemon, after twelve hours, or when the token is
//! another. The cookie is out of reach of scripts and of other sites' requests, and a change
//! needs the session's own token beside it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::layout;
use crate::server::door::{self, Door};
use crate::server::problem::Problem;
use crate::server::{Access, Shared};

const COOKIE_NAME: &str = "rosterd_session";

/// A working day.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// More than there are operators; beyond it the oldest session ends.
const MOST: usize = 256;

/// Who is logged in, by the digest of their cookie.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<blake3::Hash, Session>>);

struct Session {
    form_token: String,
    begun: Instant,
    /// The admin token that opened it.
    mark: Option<blake3::Hash>,
}

/// Whoever sent a request, and the token that their forms carry.
#[derive(Clone)]
pub struct Visitor {
    pub form_token: String,
}

impl Visitor {
    /// Passes a form that this session's page sent.
    pub fn check(&self, form: &Form) -> Result<(), Problem> {
        let given = form.0.get("token").map_or("", String::as_str);
        match blake3::hash(given.as_bytes()) == blake3::hash(self.form_token.as_bytes()) {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "this form is not of your session; go back, load the page again, and send it once more",
            )),
        }
    }
}

impl Sessions {
    /// Begins a session; its cookie, and its visitor.
    fn begin(&self, mark: Option<blake3::Hash>) -> (String, Visitor) {
        let (cookie, form_token) = (secret(), secret());
        let mut sessions = self.all();
        sessions.retain(|_, session| session.begun.elapsed() < LASTS);
        if sessions.len() >= MOST
            && let Some(oldest) = sessions
                .iter()
                .min_by_key(|(_, session)| session.begun)
                .map(|(name, _)| *name)
        {
            sessions.remove(&oldest);
        }
        let session = Session {
            form_token: form_token.clone(),
            begun: Instant::now(),
            mark,
        };
        sessions.insert(blake3::hash(cookie.as_bytes()), session);
        (cookie, Visitor { form_token })
    }

    fn visitor(&self, headers: &HeaderMap, door: &Door) -> Option<Visitor> {
        let name = blake3::hash(cookie(headers)?.as_bytes());
        let sessions = self.all();
        let session = sessions.get(&name)?;
        let good = session.begun.elapsed() < LASTS
            && session.mark == door.mark()
            && !matches!(door, Door::Closed);
        good.then(|| Visitor {
            form_token: session.form_token.clone(),
        })
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            self.all().remove(&blake3::hash(cookie.as_bytes()));
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<blake3::Hash, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 bits that nobody guesses.
fn secret() -> String {
    blake3::Hash::from_bytes(rand::random())
        .to_hex()
        .to_string()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).into_iter();
    all.filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}

fn set_cookie(access: &Access, value: &str, seconds: u64) -> String {
    let secure = match access.tls {
        Some(_) => "; Secure",
        None => "",
    };
    format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Lets in whoever has a session, and shows everybody else the way.
pub async fn visitors(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let access = shared.access();
    if let Door::Open = access.door
        && let Err(problem) = door::from_this_machine(request.headers())
    {
        return layout::problem(&problem, None);
    }
    if let Some(visitor) = shared.sessions.visitor(request.headers(), &access.door) {
        request.extensions_mut().insert(visitor);
        return next.run(request).await;
    }
    let reads = request.method() == Method::GET;
    match access.door {
        Door::Closed => layout::problem(&door::closed(), None),
        Door::Open if reads => {
            let (cookie, visitor) = shared.sessions.begin(None);
            request.extensions_mut().insert(visitor);
            let answer = next.run(request).await;
            let cookie = set_cookie(&access, &cookie, LASTS.as_secs());
            ([(SET_COOKIE, cookie)], answer).into_response()
        }
        _ if reads => Redirect::to("/login").into_response(),
        _ => {
            let detail = "your session has ended; log in and try again";
            layout::problem(&Problem::new(StatusCode::FORBIDDEN, detail), None)
        }
    }
}

pub async fn login_page(State(shared): State<Shared>) -> Response {
    match shared.access().door {
        Door::Token(_) => form(StatusCode::OK, None),
        Door::Open => Redirect::to("/").into_response(),
        Door::Closed => layout::problem(&door::closed(), None),
    }
}

pub async fn login(State(shared): State<Shared>, given: Form) -> Response {
    let access = shared.access();
    let token = given.0.get("admin_token").map_or("", String::as_str);
    if !access.door.opens_with(token.trim()) {
        tracing::warn!("somebody gave the console a wrong token");
        return form(
            StatusCode::UNAUTHORIZED,
            Some("This is not the admin token."),
        );
    }
    let (cookie, _) = shared.sessions.begin(access.door.mark());
    let cookie = set_cookie(&access, &cookie, LASTS.as_secs());
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

pub async fn logout(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if let Err(problem) = visitor.check(&form) {
        return layout::problem(&problem, Some(&visitor));
    }
    shared.sessions.end(&headers);
    let cookie = set_cookie(&shared.access(), "", 0);
    ([(SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

fn form(status: StatusCode, wrong: Option<&str>) -> Response {
    let content = html! {
        form.login method="post" action="/login" {
            h1 { "Log in" }
            @if let Some(wrong) = wrong {
                p.wrong role="alert" { (wrong) }
            }
            label { "Admin token"
                input type="password" name="admin_token" required autofocus autocomplete="current-password";
            }
            button { "Log in" }
        }
    };
    layout::page(status, "Log in", None, content)
}

/// The fields of a form.
pub struct Form(pub HashMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Form, Response> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let problem = Problem::new(rejection.status(), rejection.body_text());
                layout::problem(&problem, None)
            })?;
        Ok(Form(
            url::form_urlencoded::parse(&body).into_owned().collect(),
        ))
    }
}

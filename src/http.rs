//! One HTTP request and what came back.
//!
//! # Why
//! As `curl` without options does it: a redirect is an answer and is not followed unless the request says so (`curl -L`), a
//! status is never a failure of the request, nothing is sent a second time, and proxies come from the environment, except for this machine, which no proxy
//! could reach. Every request makes its own connection: a probe that reuses one does not see that new ones are refused.
//! Whatever a server sends, no more than [`MAX_BODY`] is kept.
//!
//! The client is built by the first request, so that a machine without a store of root certificates loses `https://` and
//! nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url, redirect, retry};
use serde_json::Value;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// How long a request may take where it does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A request to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Absolute, `http://` or `https://`.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body as JSON, with its content type.
    pub json: Option<Value>,
    /// The body as text, where there is no `json`.
    pub body: Option<String>,
    /// From the first packet to the last byte of the body.
    pub timeout: Duration,
    /// How many redirects are followed; the answer is the one after them. With none, a redirect is the answer.
    pub redirects: u32,
}

impl Request {
    /// A `GET` of `url`, with nothing more.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            json: None,
            body: None,
            timeout: DEFAULT_TIMEOUT,
            redirects: 0,
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// By name in small letters; a header sent more than once has its values joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The body as JSON, where it is that.
    pub json: Option<Value>,
    /// From the first packet to the last byte of the body, in milliseconds. Not by the clock on the wall, which jumps.
    pub elapsed_ms: u64,
}

/// Why there is no answer. It names the host and port and never the rest of the URL, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing listens there.
    #[error("{to} refused the connection: is the service running and listening there?")]
    Refused {
        /// Host and port.
        to: String,
    },
    /// The name is not known.
    #[error("the name of {to} could not be resolved ({why}): check the host in the URL and this machine's DNS")]
    Dns {
        /// Host and port.
        to: String,
        /// What the resolver said.
        why: String,
    },
    /// No trust between the two ends.
    #[error("no secure connection to {to} ({why}): check the certificate, its chain and the clocks")]
    Tls {
        /// Host and port.
        to: String,
        /// What was wrong.
        why: String,
    },
    /// No whole answer in time.
    #[error("{to} did not answer within {} ms: it is slow, or something on the way drops packets", .after.as_millis())]
    Timeout {
        /// Host and port.
        to: String,
        /// The time it was given.
        after: Duration,
    },
    /// More body than is read.
    #[error("{to} sent more than {MAX_BODY} bytes: ask for something smaller, such as a health endpoint")]
    TooLarge {
        /// Host and port.
        to: String,
    },
    /// One redirect after the other.
    #[error("{to} redirects more than the {redirects} times that are followed: ask for the address it ends at")]
    Redirects {
        /// Host and port.
        to: String,
        /// How many are followed.
        redirects: u32,
    },
    /// Not a URL this can fetch.
    #[error("not a URL that can be fetched ({why}): write it whole, as in https://example.com/health")]
    BadUrl {
        /// What is wrong with it.
        why: String,
    },
    /// Something else in the request is wrong; nothing was sent.
    #[error("the request cannot be sent: {why}")]
    BadRequest {
        /// What is wrong with it.
        why: String,
    },
    /// The connection broke, or what came over it was not HTTP.
    #[error("the connection to {to} broke ({why}): retry, and look at the service's own log")]
    Broken {
        /// Host and port.
        to: String,
        /// What was seen.
        why: String,
    },
}

/// Sends requests. Cheap to make; the first request pays.
#[derive(Debug, Default)]
pub struct Http {
    clients: RefCell<BTreeMap<(Route, u32), Built>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    /// Straight to this machine.
    Direct,
    /// By whatever proxy the environment names.
    ByEnvironment,
}

/// A client, and what it cannot be trusted with.
#[derive(Debug)]
struct Built {
    client: Result<reqwest::Client, String>,
    no_roots: Option<String>,
}

impl Http {
    /// A sender that has not built anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// A [`Failure`] where there is no answer; a status such as 500 is an answer.
    pub async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let url = parsed(&request.url)?;
        let to = place(&url);
        let outgoing = self.client(&url, &to, request.redirects)?.request(method(&request.method)?, url);
        let outgoing = outgoing.timeout(request.timeout);
        let outgoing = outgoing.headers(headers(&request.headers)?);
        let outgoing = match (&request.json, &request.body) {
            (Some(json), _) => outgoing.json(json),
            (None, Some(body)) => outgoing.body(body.clone()),
            (None, None) => outgoing,
        };
        let started = Instant::now();
        let failed = |error: reqwest::Error| failure(&error, to.clone(), request);
        let mut answer = outgoing.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Failure::TooLarge { to });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: answer.status().as_u16(),
            headers: joined(answer.headers()),
            json: serde_json::from_slice(&body).ok(),
            body: String::from_utf8_lossy(&body).into_owned(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn client(&self, url: &Url, to: &str, redirects: u32) -> Result<reqwest::Client, Failure> {
        let route = if is_loopback(url) { Route::Direct } else { Route::ByEnvironment };
        let mut clients = self.clients.borrow_mut();
        let built = clients.entry((route, redirects)).or_insert_with(|| built(route, redirects));
        if let (Some(why), "https") = (&built.no_roots, url.scheme()) {
            return Err(Failure::Tls { to: to.to_owned(), why: format!("this machine's root certificates: {why}") });
        }
        built.client.clone().map_err(|why| Failure::BadRequest { why })
    }
}

fn built(route: Route, redirects: u32) -> Built {
    // An error says that a provider is already there, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match options(route, redirects).build() {
        Ok(client) => Built { client: Ok(client), no_roots: None },
        Err(error) => {
            let plain = options(route, redirects).tls_certs_only([]).build();
            Built { client: plain.map_err(|error| innermost(&error)), no_roots: Some(innermost(&error)) }
        }
    }
}

fn options(route: Route, redirects: u32) -> reqwest::ClientBuilder {
    let redirects = match redirects {
        0 => redirect::Policy::none(),
        some => redirect::Policy::limited(usize::try_from(some).unwrap_or(usize::MAX)),
    };
    let options = reqwest::Client::builder()
        .user_agent(concat!("hotfix/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .retry(retry::never())
        .pool_max_idle_per_host(0);
    match route {
        Route::Direct => options.no_proxy(),
        Route::ByEnvironment => options,
    }
}

fn parsed(url: &str) -> Result<Url, Failure> {
    let parsed = Url::parse(url).map_err(|error| Failure::BadUrl { why: error.to_string() })?;
    match parsed.scheme() {
        "http" | "https" if parsed.has_host() => Ok(parsed),
        scheme => Err(Failure::BadUrl { why: format!("{scheme}: is neither http: nor https:") }),
    }
}

fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.');
    let named = host == "localhost" || host.ends_with(".localhost");
    named || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn method(name: &str) -> Result<Method, Failure> {
    let bad = |_| Failure::BadRequest { why: format!("{name:?} is not a method: write GET, POST, PUT, …") };
    Method::from_bytes(name.to_ascii_uppercase().as_bytes()).map_err(bad)
}

fn headers(given: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let bad =
            |what| Failure::BadRequest { why: format!("the {what} of the header {name:?} is not allowed in HTTP") };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        headers.append(key, HeaderValue::from_str(value).map_err(|_| bad("value"))?);
    }
    Ok(headers)
}

fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = joined.entry(name.as_str().to_owned()).or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&value);
    }
    joined
}

fn failure(error: &reqwest::Error, to: String, request: &Request) -> Failure {
    let why = innermost(error);
    if error.is_timeout() {
        Failure::Timeout { to, after: request.timeout }
    } else if error.is_redirect() {
        Failure::Redirects { to, redirects: request.redirects }
    } else if error.is_builder() {
        Failure::BadRequest { why }
    } else if chain(error).any(is_tls) {
        Failure::Tls { to, why }
    } else if chain(error).any(is_refused) {
        Failure::Refused { to }
    } else if error.is_dns() || chain(error).any(|error| error.to_string() == "dns error") {
        Failure::Dns { to, why }
    } else {
        Failure::Broken { to, why }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| error.source())
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    // An `io::Error` gives the source of what it wraps for its own: look inside.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The last of the sources: it says what happened, and has no URL in it.
fn innermost(error: &reqwest::Error) -> String {
    match chain(error).last() {
        Some(last) if last.source().is_none() && !last.is::<reqwest::Error>() => last.to_string(),
        _ => "no reason given".to_owned(),
    }
}

//! Requests in an environment of their own: proxies and root certificates. Each test runs itself again for that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use hotfix::http::{Failure, Http, Request};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Set in the process that a test starts of itself.
const INSIDE: &str = "HOTFIX_TEST_INSIDE";
const PROXIES: [&str; 8] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// Whether this is the process that a test started of itself.
pub(super) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the test `name` again, in an environment with these variables and no other proxies.
#[track_caller]
pub(super) fn inside(name: &str, env: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    PROXIES.iter().for_each(|name| _ = command.env_remove(name));
    let ran = command.env(INSIDE, "1").envs(env.iter().copied()).output().unwrap();
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

async fn in_an_environment_without_roots_and_with_a_dead_proxy() {
    let server = MockServer::start().await;
    Mock::given(path("/")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let http = Http::new();
    assert_eq!(http.send(&Request::get(server.uri())).await.unwrap().status, 200);
    let to = server.address().to_string();
    let failure = http.send(&Request::get(format!("https://{to}/"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Tls { .. }), "{failure:?}");
    let failure = http.send(&Request::get("http://shop.invalid/")).await.unwrap_err();
    assert_eq!(failure, Failure::Refused { to: "shop.invalid:80".to_owned() }, "by way of the proxy");
}

#[tokio::test]
async fn no_roots_leave_http_and_no_proxy_is_asked_for_this_machine() {
    if is_inside() {
        return in_an_environment_without_roots_and_with_a_dead_proxy().await;
    }
    let dead = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    let rootless = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let name = "environment::no_roots_leave_http_and_no_proxy_is_asked_for_this_machine";
    inside(name, &[dead, rootless].concat());
}

/// A proxy that answers 200 to whatever it is asked, and the first line of each request.
fn proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut request).unwrap_or(0) > 2 {}
            let answer = if request.starts_with("CONNECT") { "HTTP/1.1 502 No" } else { "HTTP/1.1 200 OK" };
            let _ = write!(stream, "{answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = sender.send(request.lines().next().unwrap_or_default().to_owned());
        }
    });
    (at, lines)
}

async fn in_an_environment_with_a_proxy() {
    let http = Http::new();
    assert_eq!(http.send(&Request::get("http://shop.invalid/health?deep=1")).await.unwrap().status, 200);
    let failure = http.send(&Request::get("https://shop.invalid/")).await.unwrap_err();
    assert!(matches!(failure, Failure::Broken { .. }), "{failure:?}");
    for near in ["http://near.invalid/", "http://api.near.invalid/", "https://near.invalid/"] {
        let failure = http.send(&Request::get(near)).await.unwrap_err();
        assert!(matches!(failure, Failure::Dns { .. }), "{near}: {failure:?}");
    }
}

#[tokio::test]
async fn proxies_are_those_of_the_environment_and_no_proxy_takes_hosts_out() {
    if is_inside() {
        return in_an_environment_with_a_proxy().await;
    }
    let name = "environment::proxies_are_those_of_the_environment_and_no_proxy_takes_hosts_out";
    for [plain, secure, without] in
        [["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"], ["http_proxy", "https_proxy", "no_proxy"]]
    {
        let (at, lines) = proxy();
        inside(name, &[(plain, &at), (secure, &at), (without, "near.invalid")]);
        let asked: Vec<_> = lines.try_iter().collect();
        assert_eq!(asked, ["GET http://shop.invalid/health?deep=1 HTTP/1.1", "CONNECT shop.invalid:443 HTTP/1.1"]);
    }
}

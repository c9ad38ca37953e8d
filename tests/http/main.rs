//! Requests against servers on this machine, good ones and bad ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod environment;
mod tls;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hotfix::http::{Failure, Http, MAX_BODY, Request, Response};
use serde_json::json;
use wiremock::matchers::{body_json, body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn send(request: &Request) -> Result<Response, Failure> {
    Http::new().send(request).await
}

/// A server that takes one connection, reads what there is of the request and leaves the rest to `answer`.
fn serve(answer: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        answer(stream);
    });
    to.to_string()
}

#[tokio::test]
async fn the_answer_has_status_headers_and_json() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201)
        .append_header("X-Batch", "one")
        .append_header("X-Batch", "two")
        .set_body_json(json!({"ok": true}));
    let asked = Mock::given(method("POST")).and(path("/login")).and(body_json(json!({"email": "a@b.c"})));
    asked.and(header("x-token", "t")).respond_with(answer).mount(&server).await;
    let request = Request {
        method: "post".to_owned(),
        headers: vec![("X-Token".to_owned(), "t".to_owned())],
        json: Some(json!({"email": "a@b.c"})),
        ..Request::get(format!("{}/login", server.uri()))
    };
    let response = send(&request).await.unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(response.headers["x-batch"], "one, two");
    assert_eq!(response.json, Some(json!({"ok": true})));
    assert_eq!(response.body, r#"{"ok":true}"#);
}

#[tokio::test]
async fn a_status_is_never_a_failure_and_a_redirect_is_an_answer() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(302).append_header("Location", "/elsewhere");
    Mock::given(path("/old")).respond_with(moved).expect(1).mount(&server).await;
    let broken = ResponseTemplate::new(503).set_body_string("down");
    let asked = Mock::given(path("/down")).and(method("PUT")).and(body_string("plain"));
    asked.respond_with(broken).expect(1).mount(&server).await;
    let http = Http::new();
    let response = http.send(&Request::get(format!("{}/old", server.uri()))).await.unwrap();
    assert_eq!((response.status, response.headers["location"].as_str()), (302, "/elsewhere"));
    let put = Request { method: "PUT".to_owned(), body: Some("plain".to_owned()), ..Request::get("") };
    let response = http.send(&Request { url: format!("{}/down", server.uri()), ..put }).await.unwrap();
    assert_eq!((response.status, response.json), (503, None));
    assert_eq!(response.body, "down");
}

#[tokio::test]
async fn redirects_are_followed_as_often_as_the_request_says() {
    let server = MockServer::start().await;
    for (from, to) in [("/1", "/2"), ("/2", "/3"), ("/loop", "/loop")] {
        let moved = ResponseTemplate::new(302).append_header("Location", to);
        Mock::given(path(from)).respond_with(moved).mount(&server).await;
    }
    Mock::given(path("/3")).and(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let http = Http::new();
    let ask = |at: &str, redirects| Request { redirects, ..Request::get(format!("{}{at}", server.uri())) };
    assert_eq!(http.send(&ask("/1", 2)).await.unwrap().status, 200);
    let post = Request { method: "POST".to_owned(), ..ask("/1", 2) };
    assert_eq!(http.send(&post).await.unwrap().status, 200, "what was posted is fetched, as `curl -L` does");
    let to = server.address().to_string();
    for (at, redirects) in [("/1", 1), ("/loop", 5)] {
        let failure = http.send(&ask(at, redirects)).await.unwrap_err();
        assert_eq!(failure, Failure::Redirects { to: to.clone(), redirects });
    }
    assert_eq!(http.send(&ask("/1", 0)).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_no_service_that_is_down() {
    let failure = send(&Request::get("http://shop.invalid/")).await.unwrap_err();
    assert!(matches!(&failure, Failure::Dns { to, .. } if to == "shop.invalid:80"), "{failure:?}");
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout() {
    let to = serve(|mut stream| {
        // Until the other end hangs up.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let after = Duration::from_millis(50);
    let failure = send(&Request { timeout: after, ..Request::get(format!("http://{to}/")) }).await.unwrap_err();
    assert_eq!(failure, Failure::Timeout { to, after });
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_a_timeout_or_broken() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let to = serve(move |mut stream| {
        stream.write_all(half.as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let after = Duration::from_millis(50);
    let failure = send(&Request { timeout: after, ..Request::get(format!("http://{to}/")) }).await.unwrap_err();
    assert_eq!(failure, Failure::Timeout { to, after });
    let to = serve(move |mut stream| stream.write_all(half.as_bytes()).unwrap());
    let failure = send(&Request::get(format!("http://{to}/"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Broken { .. }), "{failure:?}");
}

#[tokio::test]
async fn an_endless_body_is_bounded() {
    let to = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        while stream.write_all(&piece).is_ok() {}
    });
    assert_eq!(send(&Request::get(format!("http://{to}/"))).await, Err(Failure::TooLarge { to }));
}

#[tokio::test]
async fn a_body_of_the_greatest_length_is_read_whole() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_bytes(vec![b'x'; MAX_BODY]);
    Mock::given(path("/")).respond_with(answer).mount(&server).await;
    assert_eq!(send(&Request::get(server.uri())).await.unwrap().body.len(), MAX_BODY);
}

#[tokio::test]
async fn a_closed_port_is_refused_and_the_url_is_not_repeated() {
    // A port that no listener is ever given by chance.
    let to = "127.0.0.1:1".to_owned();
    let failure = send(&Request::get(format!("http://{to}/secret?token=s3cret"))).await.unwrap_err();
    assert_eq!(failure, Failure::Refused { to: to.clone() });
    assert!(failure.to_string().contains(&to) && !failure.to_string().contains("s3cret"));
}

#[tokio::test]
async fn plain_text_where_tls_is_wanted_is_no_secure_connection() {
    let to = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let failure = send(&Request::get(format!("https://{to}/"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Tls { .. }), "{failure:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_anything_is() {
    for url in ["", "/health", "ftp://example.com/", "http://"] {
        let failure = send(&Request::get(url)).await.unwrap_err();
        assert!(matches!(failure, Failure::BadUrl { .. }), "{url:?}: {failure:?}");
    }
    let request = Request::get("http://127.0.0.1:1/");
    let bad = [
        Request { method: "NO GOOD".to_owned(), ..request.clone() },
        Request { headers: vec![("X".to_owned(), "a\nb".to_owned())], ..request.clone() },
        Request { headers: vec![("X Y".to_owned(), "a".to_owned())], ..request },
    ];
    for request in bad {
        let failure = send(&request).await.unwrap_err();
        assert!(matches!(failure, Failure::BadRequest { .. }), "{failure:?}");
    }
}

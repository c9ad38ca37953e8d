//! Secure connections, to a server with certificates made for it.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hotfix::http::{Failure, Http, Request};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::environment::{inside, is_inside};
use super::serve;

fn openssl(dir: &Path, words: &str) {
    let ran = Command::new("openssl").args(words.split(' ')).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// A root `ca.pem`, and `localhost.pem` and `other.pem` that it vouches for, with their keys.
fn certificates() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir.path(), &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=root"));
    for name in ["localhost", "other"] {
        std::fs::write(dir.path().join("names"), format!("subjectAltName=DNS:{name}\n")).unwrap();
        openssl(dir.path(), &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial";
        openssl(dir.path(), &format!("x509 -req -in {name}.csr {by} -days 2 -extfile names -out {name}.pem"));
    }
    dir
}

/// A server that shows this certificate and answers once. Its address by name.
fn secure(dir: &Path, name: &str) -> String {
    let path = |ending: &str| dir.join(format!("{name}.{ending}"));
    let certificate = CertificateDer::from_pem_file(path("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        // A client that does not trust it hangs up.
        if stream.read(&mut [0; 4096]).is_ok() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    format!("localhost:{port}")
}

async fn fetch(to: &str) -> Result<String, Failure> {
    let request = Request { timeout: Duration::from_secs(20), ..Request::get(format!("https://{to}/")) };
    Http::new().send(&request).await.map(|response| response.body)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_no_secure_connection() {
    let dir = certificates();
    let to = secure(dir.path(), "localhost");
    let failure = fetch(&to).await.unwrap_err();
    assert!(matches!(&failure, Failure::Tls { to: at, .. } if *at == to), "{failure:?}");
}

/// On other systems the roots are those of the system alone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn whom_the_roots_vouch_for_is_trusted_under_their_own_name() {
    if is_inside() {
        let dir = PathBuf::from(std::env::var_os("SSL_CERT_FILE").unwrap());
        let dir = dir.parent().unwrap();
        assert_eq!(fetch(&secure(dir, "localhost")).await.unwrap(), "ok");
        let failure = fetch(&secure(dir, "other")).await.unwrap_err();
        assert!(matches!(failure, Failure::Tls { .. }), "{failure:?}");
        assert!(failure.to_string().contains("localhost"), "{failure}");
        return;
    }
    let dir = certificates();
    let roots = dir.path().join("ca.pem");
    let name = "tls::whom_the_roots_vouch_for_is_trusted_under_their_own_name";
    inside(name, &[("SSL_CERT_FILE", roots.to_str().unwrap())]);
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_is_a_timeout() {
    let to = serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let after = Duration::from_millis(50);
    let request = Request { timeout: after, ..Request::get(format!("https://{to}/")) };
    assert_eq!(Http::new().send(&request).await, Err(Failure::Timeout { to, after }));
}

//! As much of HTTP/1.1 as the drill speaks: one message each way on a connection, its body of a stated length.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head that is read, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Longest body that is read, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// A request or a response: its first line and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A request for `path`, with a JSON body unless that is empty.
    pub(crate) fn request(method: &str, path: &str, body: &str) -> Self {
        Self { start: format!("{method} {path} HTTP/1.1"), content_type: JSON.to_owned(), body: body.into() }
    }

    /// A response with `status`, such as `200 OK`.
    pub(crate) fn response(status: &str, content_type: &str, body: String) -> Self {
        Self { start: format!("HTTP/1.1 {status}"), content_type: content_type.to_owned(), body: body.into_bytes() }
    }

    /// The method and the path of a request, the query left out.
    pub(crate) fn target(&self) -> (&str, &str) {
        let mut words = self.start.split(' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        (method, path.split('?').next().unwrap_or_default())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.split(' ').nth(1)?.parse().ok()
    }
}

/// The media type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Reads one message.
///
/// # Errors
/// Where the connection fails, ends early, or what comes is no message within the limits.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Message> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_LIMIT {
            return Err(invalid("the head of the message is too long"));
        }
        more(stream, &mut bytes).await?;
    };
    let text = std::str::from_utf8(&bytes[..head]).map_err(|_| invalid("the head of the message is not text"))?;
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let (mut length, mut content_type) = (0_usize, JSON.to_owned());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| invalid("the length of the body is no number"))?;
        } else if name.eq_ignore_ascii_case("content-type") {
            value.trim().clone_into(&mut content_type);
        }
    }
    if length > BODY_LIMIT {
        return Err(invalid("the body of the message is too long"));
    }
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        more(stream, &mut body).await?;
    }
    body.truncate(length);
    Ok(Message { start, content_type, body })
}

/// Writes one message, and says that no other follows.
///
/// # Errors
/// Where the connection fails.
pub(crate) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, message: &Message) -> io::Result<()> {
    let Message { start, content_type, body } = message;
    let length = body.len();
    let head = format!(
        "{start}\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Sends `request` to a port of this machine and reads what it answers.
///
/// # Errors
/// Where nobody listens, the connection fails, or the answer is no message.
pub(crate) async fn exchange(port: u16, request: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    write(&mut stream, request).await?;
    read(&mut stream).await
}

async fn more<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

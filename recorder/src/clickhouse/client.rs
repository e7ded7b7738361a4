//! [`ClickHouse`]: the server's HTTP interface, one request a connection. Plain HTTP: a server elsewhere is reached through a tunnel or a proxy
//! that speaks TLS.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// A server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClickHouse {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
    answer_within: Duration,
}

/// What a server, or the way to it, answers.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// Not a URL of a server.
    #[error("{url:?}: give it as http://user:password@host:8123 ({what})")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong.
        what: &'static str,
    },
    /// It cannot be reached, or the connection broke: what was sent may or may not be there.
    #[error("cannot reach ClickHouse at {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// It refused.
    #[error("ClickHouse refused ({status}): {message}")]
    Refused {
        /// Status of HTTP.
        status: u16,
        /// Its words, the first line.
        message: String,
    },
    /// Its schema is not the one that this program writes.
    #[error("{what}; nothing was written: run `spinward clickhouse migrate`, or mend the table")]
    Schema {
        /// Table, column, what it is and what it should be.
        what: String,
    },
    /// An answer that cannot be understood.
    #[error("ClickHouse answered {answer:?} to {query}")]
    Answer {
        /// The answer.
        answer: String,
        /// What was asked.
        query: String,
    },
    /// The session on the server is another one than this.
    #[error("{table}: the server has row {found} of the session, its journal gives {given} rows")]
    Ahead {
        /// The table.
        table: &'static str,
        /// Last row there.
        found: u64,
        /// Rows here.
        given: u64,
    },
    /// It was away, and has not all that it had acknowledged before.
    #[error(
        "{table}: the server came back with {found} rows of the session, it had acknowledged {acknowledged}: load again what it has lost"
    )]
    Behind {
        /// The table.
        table: &'static str,
        /// Last row there now.
        found: u64,
        /// Last row that was there.
        acknowledged: u64,
    },
    /// Whoever looks on has ended it. What was acknowledged before is there.
    #[error("stopped before all was loaded")]
    Stopped,
}

impl ClickHouseError {
    /// Whether it may go away by itself: the server is not there, or says that it is overloaded or out of memory.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // 202 too many queries, 241 memory limit, 252 too many parts, 209 and 210 network, 159 timeout.
            Self::Refused { status, message } => {
                *status >= 500
                    && ["Code: 202.", "Code: 241.", "Code: 252.", "Code: 209.", "Code: 210.", "Code: 159."]
                        .iter()
                        .any(|code| message.contains(code))
            }
            Self::Url { .. }
            | Self::Schema { .. }
            | Self::Answer { .. }
            | Self::Ahead { .. }
            | Self::Behind { .. }
            | Self::Stopped => false,
        }
    }
}

impl ClickHouse {
    /// From `http://[user[:password]@]host[:port]`; database `database`.
    ///
    /// # Errors
    /// [`ClickHouseError::Url`].
    pub fn new(url: &str, database: &str) -> Result<Self, ClickHouseError> {
        let wrong = |what| ClickHouseError::Url { url: url.to_owned(), what };
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("it must begin with http://"))?;
        let rest = rest.trim_end_matches('/');
        let (login, address) = rest.rsplit_once('@').map_or(("default", rest), |(login, at)| (login, at));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong("the port is no number"))?),
            None => (address, 8123),
        };
        let is_name =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if host.is_empty() || host.contains('/') {
            return Err(wrong("the host is missing, or a path follows it"));
        }
        if !is_name(database) {
            return Err(wrong("a database has letters, digits and _ only"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            answer_within: ANSWER_TIMEOUT,
        })
    }

    /// A URL without its login, fit to be shown; any other text as it is.
    pub fn without_login(text: &str) -> String {
        let Some((before, rest)) = text.split_once("http://") else { return text.to_owned() };
        rest.rsplit_once('@')
            .map_or_else(|| text.to_owned(), |(_, address)| format!("{before}http://{address}"))
    }

    /// With another login than the URL's.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), ..self }
    }

    /// A server that has not answered by then counts as away. Default 300 s.
    #[must_use]
    pub fn answering_within(self, answer_within: Duration) -> Self {
        Self { answer_within, ..self }
    }

    /// The database that it writes to.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Asks; the answer as text.
    ///
    /// # Errors
    /// [`ClickHouseError::Unreachable`] and [`ClickHouseError::Refused`].
    pub fn query(&self, sql: &str) -> Result<String, ClickHouseError> {
        // The answer is complete, or it is an error: never the first half of one.
        self.post("/?wait_end_of_query=1", &[sql.as_bytes()])
    }

    /// A whole number as the answer.
    ///
    /// # Errors
    /// As [`ClickHouse::query`]; also an answer that is none.
    pub fn number(&self, sql: &str) -> Result<u64, ClickHouseError> {
        let answer = self.query(sql)?;
        answer.trim().parse().map_err(|_| ClickHouseError::Answer { answer, query: sql.to_owned() })
    }

    /// Inserts `body`, as `sql` says it is.
    ///
    /// # Errors
    /// As [`ClickHouse::query`]. After [`ClickHouseError::Unreachable`] the rows may be there.
    pub fn insert(&self, sql: &str, settings: &[(&str, &str)], body: &[u8]) -> Result<(), ClickHouseError> {
        let mut path = format!("/?wait_end_of_query=1&query={}", encoded(sql));
        for (name, value) in settings {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
        self.post(&path, &[body]).map(drop)
    }

    fn post(&self, path: &str, body: &[&[u8]]) -> Result<String, ClickHouseError> {
        let answer = self
            .exchange(path, body)
            .map_err(|source| ClickHouseError::Unreachable { address: self.address(), source })?;
        let refused = |status, message: &str| ClickHouseError::Refused {
            status,
            message: message.lines().next().unwrap_or("").to_owned(),
        };
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ended before its body");
            return Err(ClickHouseError::Unreachable { address: self.address(), source });
        };
        let status: u16 =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| refused(0, head))?;
        if status == 200 { Ok(body.to_owned()) } else { Err(refused(status, body)) }
    }

    fn exchange(&self, path: &str, body: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            let mut stream = match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(self.answer_within))?;
            stream.set_write_timeout(Some(self.answer_within))?;
            let bytes: usize = body.iter().map(|part| part.len()).sum();
            // HTTP/1.0: the answer is not chunked and ends with the connection.
            let head = format!(
                "POST {path} HTTP/1.0\r\nHost: {}\r\nX-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n\
                 Content-Length: {bytes}\r\n\r\n",
                self.host, self.user, self.password
            );
            stream.write_all(head.as_bytes())?;
            for part in body {
                // A server that refuses at once closes before all is sent; its answer says why.
                if stream.write_all(part).is_err() {
                    break;
                }
            }
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            return Ok(answer);
        }
        Err(last)
    }
}

/// As a part of a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// As a string of SQL.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_user_password_host_and_port() {
        let server = ClickHouse::new("http://desk:se@cret@db:9123/", "hft").unwrap();
        assert_eq!((server.user.as_str(), server.password.as_str()), ("desk", "se@cret"));
        assert_eq!(server.address(), "db:9123");
        assert_eq!(ClickHouse::new("http://db", "hft").unwrap().address(), "db:8123");
        for wrong in ["db:8123", "https://db", "http://", "http://db:x", "http://db/hft"] {
            assert!(ClickHouse::new(wrong, "hft").is_err(), "{wrong}");
        }
        assert!(ClickHouse::new("http://db", "hft; DROP").is_err());
    }

    #[test]
    fn a_login_is_not_shown() {
        let shown = |text| ClickHouse::without_login(text);
        assert_eq!(shown("http://desk:se@cret@db:9123"), "http://db:9123");
        assert_eq!(shown("--clickhouse=http://desk:x@db"), "--clickhouse=http://db");
        assert_eq!((shown("http://db:1"), shown("a@b")), ("http://db:1".to_owned(), "a@b".to_owned()));
    }

    #[test]
    fn text_is_quoted_for_urls_and_sql() {
        assert_eq!(encoded("a b'%"), "a%20b%27%25");
        assert_eq!(quoted(r"it's \ so"), r"'it\'s \\ so'");
    }
}

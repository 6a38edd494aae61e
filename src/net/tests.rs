//! Connections against real peers: socket pairs, and a rustls client over loopback.

use super::*;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A directory of one test, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("mailnook-net-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { certificate: self.0.join("cert.pem"), key: self.0.join("key.pem") }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Most tests end by themselves; one that hangs is wrong.
fn run<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(async { timeout(Duration::from_secs(20), future).await.expect("the test hangs") })
}

/// Both futures, at the same time.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    smol::future::zip(a, b).await
}

#[test]
fn lines_come_in_order_whatever_the_pieces() {
    run(async {
        let (mut connection, mut peer) = pair();
        peer.write_all(b"one\r\ntwo\nthr").await.unwrap();
        assert_eq!(connection.line(100).await.unwrap(), b"one");
        assert!(connection.line_is_buffered());
        assert_eq!(connection.line(100).await.unwrap(), b"two");
        assert!(!connection.line_is_buffered());
        // Cancelled while half a line is there: nothing is lost.
        assert!(timeout(Duration::from_millis(20), connection.line(100)).await.is_none());
        peer.write_all(b"ee\r\nlost").await.unwrap();
        assert_eq!(connection.line(100).await.unwrap(), b"three");
        drop(peer);
        assert!(matches!(connection.line(100).await, Err(ReadError::Closed)));
    });
}

#[test]
fn a_long_line_is_refused_and_the_next_one_is_read() {
    run(async {
        let (mut connection, mut peer) = pair();
        let (read, ()) = both(connection.line(8192), async {
            peer.write_all(&vec![b'x'; 300_000]).await.unwrap();
            peer.write_all(b"\r\nNOOP\r\n").await.unwrap();
        })
        .await;
        assert!(matches!(read, Err(ReadError::TooLong)));
        assert_eq!(connection.line(8192).await.unwrap(), b"NOOP");
    });
}

#[test]
fn raw_octets_follow_a_line() {
    run(async {
        let (mut connection, mut peer) = pair();
        peer.write_all(b"BDAT 3\r\nabcNOOP\r\n").await.unwrap();
        assert_eq!(connection.line_crlf(100).await.unwrap(), b"BDAT 3");
        assert_eq!(connection.fill().await.unwrap(), b"abcNOOP\r\n");
        connection.consume(3);
        assert_eq!(connection.line_crlf(100).await.unwrap(), b"NOOP");
        drop(peer);
        assert!(matches!(connection.fill().await, Err(ReadError::Closed)));
    });
}

#[test]
fn a_large_answer_waits_for_its_reader() {
    run(async {
        let (mut connection, mut peer) = pair();
        let body: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let (sent, received) = both(
            async {
                connection.send(&body).await?;
                assert!(connection.queued() < OUT_HIGH);
                connection.flush().await
            },
            async {
                let mut received = vec![0; body.len()];
                peer.read_exact(&mut received).await.unwrap();
                received
            },
        )
        .await;
        sent.unwrap();
        assert_eq!(received, body);
        assert_eq!(connection.queued(), 0);
    });
}

#[test]
fn a_peer_that_takes_nothing_times_out() {
    run(async {
        let (mut connection, _peer) = pair();
        connection.set_write_timeout(Duration::from_millis(50));
        let block = vec![0; 64 * 1024];
        for _ in 0..100 {
            match connection.send(&block).await {
                Ok(()) => {}
                Err(ReadError::Timeout) => return,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("all taken");
    });
}

#[test]
fn last_words_arrive_although_input_is_unread() {
    run(async {
        let listener = Listener::new(Socket::tcp("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
        let address = listener.address().unwrap();
        let mut peer = smol::net::TcpStream::connect(address).await.unwrap();
        let mut connection = listener.accept().await;
        peer.write_all(&vec![b'x'; 100_000]).await.unwrap();
        connection.queue(b"421 bye\r\n");
        let ((), text) = both(connection.close(), async {
            let mut text = String::new();
            peer.read_to_string(&mut text).await.unwrap();
            drop(peer);
            text
        })
        .await;
        assert_eq!(text, "421 bye\r\n");
    });
}

fn client_config(certificate: &Path, version: &'static rustls::SupportedProtocolVersion) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

type ClientStream<S> = futures_rustls::client::TlsStream<S>;

async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Arc<rustls::ClientConfig>,
    name: &str,
    stream: S,
) -> std::io::Result<ClientStream<S>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    futures_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// A handshake over loopback and a line each way, then the orderly end.
async fn converse(tls: &TlsAcceptor, config: &Arc<rustls::ClientConfig>, name: &str) -> rustls::HandshakeKind {
    let listener = Listener::new(Socket::tcp("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
    let address = listener.address().unwrap();
    let server = async {
        let mut connection = listener.accept().await;
        connection.start_tls(tls).await.unwrap();
        assert!(connection.is_tls());
        assert!(connection.start_tls(tls).await.is_err());
        assert!(connection.is_tls());
        let line = connection.line(1000).await.unwrap();
        connection.queue(&line);
        connection.queue(b"\r\n");
        connection.queue(connection.tls_description().unwrap().as_bytes());
        connection.close().await;
    };
    let client = async {
        let stream = smol::net::TcpStream::connect(address).await.unwrap();
        let mut stream = connect(config, name, stream).await.unwrap();
        stream.write_all(b"hello\r\n").await.unwrap();
        let mut text = String::new();
        // An end without close_notify would be an error here.
        stream.read_to_string(&mut text).await.unwrap();
        let session = stream.get_ref().1;
        let version = session.protocol_version().unwrap().as_str().unwrap().replace('_', ".");
        assert_eq!(text, format!("hello\r\n{version}"));
        session.handshake_kind().unwrap()
    };
    both(server, client).await.1
}

#[test]
fn tls_1_2_and_1_3_with_resumption_and_every_name() {
    run(async {
        let directory = Directory::new();
        let files = directory.files();
        let names = ["mail.example.org".to_owned(), "192.0.2.7".to_owned(), "localhost".to_owned()];
        assert!(files.create_missing(&names).unwrap());
        assert!(!files.create_missing(&names).unwrap());
        let tls = TlsAcceptor::open(files.clone()).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = Arc::new(client_config(&files.certificate, version));
            let first = converse(&tls, &config, "mail.example.org").await;
            assert_eq!(first, rustls::HandshakeKind::Full);
            let second = converse(&tls, &config, "mail.example.org").await;
            assert_eq!(second, rustls::HandshakeKind::Resumed);
            for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7"] {
                converse(&tls, &config, name).await;
            }
            for offered in ["imap", "pop3"] {
                let mut config = client_config(&files.certificate, version);
                config.alpn_protocols = vec![b"unknown".to_vec(), offered.into()];
                converse(&tls, &Arc::new(config), "localhost").await;
            }
        }
    });
}

#[test]
fn the_key_is_private_and_half_a_pair_is_refused() {
    let directory = Directory::new();
    let files = directory.files();
    files.create_missing(&[]).unwrap();
    let metadata = std::fs::metadata(&files.key).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    std::fs::remove_file(&files.key).unwrap();
    let error = files.create_missing(&[]).unwrap_err().to_string();
    assert!(error.contains("key.pem is missing"), "{error}");
}

/// A first start that loses its power half-way must not keep the next from starting.
#[test]
fn a_pair_that_was_cut_off_is_completed() {
    let (first, second) = (Directory::new(), Directory::new());
    let (files, others) = (first.files(), second.files());
    files.create_missing(&[]).unwrap();
    let aside = first.0.join("cert.pem.new");
    std::fs::rename(&files.certificate, &aside).unwrap();
    assert!(files.create_missing(&[]).unwrap());
    assert!(TlsAcceptor::open(files.clone()).is_ok() && !aside.exists());
    // What belongs to another key is no rest of it.
    others.create_missing(&[]).unwrap();
    std::fs::remove_file(&files.certificate).unwrap();
    std::fs::copy(&others.certificate, &aside).unwrap();
    assert!(files.create_missing(&[]).unwrap_err().to_string().contains("cert.pem is missing"));
    // Neither has its name: a new pair is made.
    std::fs::remove_file(&files.key).unwrap();
    assert!(files.create_missing(&[]).unwrap());
    assert!(TlsAcceptor::open(files).is_ok());
}

#[test]
fn unusable_files_are_named_with_the_reason() {
    let (first, second) = (Directory::new(), Directory::new());
    let (files, others) = (first.files(), second.files());
    files.create_missing(&[]).unwrap();
    others.create_missing(&[]).unwrap();
    let open = |certificate: &Path, key: &Path| {
        let files = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        TlsAcceptor::open(files).unwrap_err().to_string()
    };
    let error = open(&files.certificate, &others.key);
    assert!(error.contains("does not belong to the certificate"), "{error}");
    let error = open(&files.key, &files.key);
    assert!(error.contains("key.pem holds no certificate"), "{error}");
    let error = open(&files.certificate, &files.certificate);
    assert!(error.contains("cert.pem holds no private key"), "{error}");
    let error = open(&first.0.join("none.pem"), &files.key);
    assert!(error.contains("cannot read") && error.contains("none.pem"), "{error}");
    std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n").unwrap();
    let error = open(&files.certificate, &files.key);
    assert!(error.contains("cert.pem is damaged"), "{error}");
}

#[test]
fn reload_takes_the_new_certificate_and_keeps_the_old_one_when_it_is_broken() {
    run(async {
        let directory = Directory::new();
        let files = directory.files();
        files.create_missing(&[]).unwrap();
        let tls = TlsAcceptor::open(files.clone()).unwrap();
        let old_client = Arc::new(client_config(&files.certificate, &rustls::version::TLS13));
        let old_fingerprint = tls.fingerprint();
        assert!(!tls.reload_if_changed());

        // A session that lives through all of it.
        let (mut connection, peer) = pair();
        let (started, stream) = both(connection.start_tls(&tls), connect(&old_client, "localhost", peer)).await;
        started.unwrap();
        let mut stream = stream.unwrap();

        let good = std::fs::read(&files.certificate).unwrap();
        std::fs::write(&files.certificate, b"broken").unwrap();
        assert!(!tls.reload_if_changed());
        assert!(!tls.reload_if_changed());
        assert!(tls.reload().is_err());
        assert_eq!(tls.fingerprint(), old_fingerprint);
        converse(&tls, &old_client, "localhost").await;
        std::fs::write(&files.certificate, good).unwrap();
        assert!(tls.reload_if_changed());

        std::fs::remove_file(&files.certificate).unwrap();
        std::fs::remove_file(&files.key).unwrap();
        assert!(!tls.reload_if_changed());
        files.create_missing(&[]).unwrap();
        assert!(tls.reload_if_changed());
        assert_ne!(tls.fingerprint(), old_fingerprint);
        let new_client = Arc::new(client_config(&files.certificate, &rustls::version::TLS13));
        converse(&tls, &new_client, "localhost").await;

        stream.write_all(b"still here\r\n").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(connection.line(100).await.unwrap(), b"still here");
    });
}

#[test]
fn commands_injected_before_the_handshake_are_thrown_away() {
    run(async {
        let directory = Directory::new();
        let files = directory.files();
        files.create_missing(&[]).unwrap();
        let tls = TlsAcceptor::open(files.clone()).unwrap();
        let config = Arc::new(client_config(&files.certificate, &rustls::version::TLS12));
        let (mut connection, mut peer) = pair();
        peer.write_all(b"STARTTLS\r\nINJECTED\r\n").await.unwrap();
        assert_eq!(connection.line(100).await.unwrap(), b"STARTTLS");
        assert!(connection.line_is_buffered());
        connection.queue(b"OK\r\n");
        let (started, stream) = both(connection.start_tls(&tls), async {
            let mut ok = [0; 4];
            peer.read_exact(&mut ok).await.unwrap();
            connect(&config, "localhost", peer).await
        })
        .await;
        started.unwrap();
        assert!(!connection.line_is_buffered());
        let mut stream = stream.unwrap();
        stream.write_all(b"NOOP\r\n").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(connection.line(100).await.unwrap(), b"NOOP");
    });
}

#[test]
fn a_handshake_that_fails_or_hangs_ends_the_connection() {
    run(async {
        let directory = Directory::new();
        let files = directory.files();
        files.create_missing(&[]).unwrap();
        let tls = TlsAcceptor::open(files).unwrap();
        let (mut connection, mut peer) = pair();
        peer.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        assert!(matches!(connection.start_tls(&tls).await, Err(ReadError::Io(_))));
        assert!(matches!(connection.line(10).await, Err(ReadError::Closed)));
        connection.close().await;

        let (mut connection, _peer) = pair();
        assert!(timeout(Duration::from_millis(30), connection.start_tls(&tls)).await.is_none());
        assert!(matches!(connection.line(10).await, Err(ReadError::Closed)));
    });
}

#[test]
fn a_large_answer_passes_tls_with_back_pressure() {
    run(async {
        let directory = Directory::new();
        let files = directory.files();
        files.create_missing(&[]).unwrap();
        let tls = TlsAcceptor::open(files.clone()).unwrap();
        let config = Arc::new(client_config(&files.certificate, &rustls::version::TLS13));
        let (mut connection, peer) = pair();
        let (started, stream) = both(connection.start_tls(&tls), connect(&config, "localhost", peer)).await;
        started.unwrap();
        let mut stream = stream.unwrap();
        let body = vec![b'z'; 500_000];
        let (sent, ()) = both(
            async {
                connection.send(&body).await?;
                connection.flush().await
            },
            async {
                let mut received = vec![0; body.len()];
                stream.read_exact(&mut received).await.unwrap();
                assert_eq!(received, body);
            },
        )
        .await;
        sent.unwrap();
    });
}

#[test]
fn a_port_in_use_is_named() {
    run(async {
        let listener = Listener::new(Socket::tcp("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
        let address: SocketAddr = listener.address().unwrap();
        let error = Socket::tcp(address).unwrap_err().to_string();
        assert_eq!(error, format!("cannot listen on {address}: another process uses this address"));
        let error = Socket::tcp("192.0.2.1:0".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("this machine does not have this address"), "{error}");
    });
}

#[test]
fn a_unix_socket_has_its_mode_and_replaces_a_stale_file_only() {
    run(async {
        let directory = Directory::new();
        let path = directory.0.join("lmtp.sock");
        let stale = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(stale);
        let listener = Listener::new(Socket::unix(&path, 0o660).unwrap()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let (mut peer, mut connection) =
            both(async { smol::net::unix::UnixStream::connect(&path).await.unwrap() }, listener.accept()).await;
        assert!(connection.peer().is_local());
        peer.write_all(b"LHLO x\r\n").await.unwrap();
        assert_eq!(connection.line_crlf(100).await.unwrap(), b"LHLO x");

        let error = Socket::unix(&path, 0o660).unwrap_err().to_string();
        assert!(error.contains("another process listens there"), "{error}");
        drop(listener);
        assert!(!path.exists());

        std::fs::write(&path, b"a file").unwrap();
        let error = Socket::unix(&path, 0o660).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"a file");
        let error = Socket::unix(&directory.0.join("none/lmtp.sock"), 0o660).unwrap_err().to_string();
        assert!(error.contains("the directory does not exist"), "{error}");
    });
}

//! Signals, and the timer that looks for a new certificate.

use super::SERVING;
use super::systemd::Manager;
use crate::net::TlsAcceptor;
use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;
use std::time::Duration;

/// How often the certificate's files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(5);

/// Catches from now on what [`until_stopped`] waits for, and SIGXFSZ: at a limit of the file size a write then fails,
/// instead of ending the process.
///
/// # Errors
/// The system refuses.
pub(super) fn catch() -> std::io::Result<Signals> {
    Signals::new([Signal::Term, Signal::Int, Signal::Hup, Signal::Xfsz])
}

/// Completes on SIGTERM and SIGINT. On SIGHUP, and when the files change, the certificate is read again.
pub(super) async fn until_stopped(mut signals: Signals, tls: &TlsAcceptor, manager: &Manager) {
    let caught = async {
        while let Some(signal) = signals.next().await {
            match signal {
                Ok(Signal::Hup) => {
                    manager.reloading();
                    manager.ready(reload(tls));
                }
                Ok(Signal::Xfsz) => log::error!("a file would be larger than this process may make it (ulimit -f)"),
                Ok(signal) => {
                    log::info!("ending on {}", if signal == Signal::Int { "SIGINT" } else { "SIGTERM" });
                    return;
                }
                Err(error) => log::warn!("a signal was lost: {error}"),
            }
        }
    };
    future::or(caught, watch(tls)).await;
}

async fn watch(tls: &TlsAcceptor) {
    loop {
        async_io::Timer::after(CERTIFICATE_INTERVAL).await;
        tls.reload_if_changed();
    }
}

/// Reads the certificate again; what to tell of it.
fn reload(tls: &TlsAcceptor) -> &'static str {
    match tls.reload() {
        Ok(()) => {
            log::info!("tls: certificate read again on SIGHUP, sha256 {}", tls.fingerprint());
            SERVING
        }
        Err(error) => {
            log::error!("tls: the new certificate cannot be used, the old one stays: {error}");
            "Serving with the old certificate: the new one cannot be used, see the log"
        }
    }
}

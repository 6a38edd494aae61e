//! Work that takes long and blocks (a password hash, a check of the whole store) on a thread of its own, so that the
//! executor's threads go on serving sessions meanwhile.

use super::call::Failure;
use super::exit;
use smol::lock::Semaphore;

/// Limit: such threads at the same time; the next ones wait.
static THREADS: Semaphore = Semaphore::new(2);

/// Runs `work` on its own thread and gives its result.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let _slot = THREADS.acquire().await;
    let (sender, receiver) = smol::channel::bounded(1);
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        // The receiver is gone only where the client is.
        let _gone = sender.try_send(work());
    });
    if let Err(error) = thread {
        log::error!("admin: no thread for a command: {error}");
        return Err(Failure::new(exit::TEMPORARY, "the server has no thread left; try again later"));
    }
    // Nothing comes where the work panicked; the panic is in the log.
    receiver.recv().await.map_err(|_| Failure::new(exit::SOFTWARE, "internal error; the log says more"))
}

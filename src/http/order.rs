//! Who may call is answered before what he sent: 401 and 403 come before 422.
//!
//! The framework asks all extractors of a handler at once and answers the first refusal that is ready. Reading a
//! session takes a database look, a malformed body is refused at once, so a stranger would be told about his JSON.

use actix_web::{HttpMessage, HttpRequest};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Held while a caller is being recognised; dropping it lets the other extractors go on.
pub struct Recognising(Arc<Semaphore>);

#[derive(Clone)]
struct Waiting(Arc<Semaphore>);

impl Recognising {
    /// Makes the extractors that come after this one wait.
    pub fn begin(req: &HttpRequest) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        req.extensions_mut().insert(Waiting(gate.clone()));
        Self(gate)
    }
}

impl Drop for Recognising {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends when nobody is being recognised any more; at once where nobody was.
pub(super) fn recognised(req: &HttpRequest) -> impl Future<Output = ()> + use<> {
    let gate = req.extensions().get::<Waiting>().cloned();
    async move {
        if let Some(Waiting(gate)) = gate {
            // Closing is the signal; no permit is ever given.
            gate.acquire().await.err();
        }
    }
}

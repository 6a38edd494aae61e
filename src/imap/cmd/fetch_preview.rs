//! PREVIEW (RFC 8970): the first words of a message.
//!
//! They are made anew each time from the beginning of one part or two, which costs no more than a short header. So LAZY makes
//! no difference, and NIL is never told.

use crate::imap::reply::Failure;
use crate::mailbox::Message;
use crate::message::Part;
use crate::message::decode::{CharsetDecoder, Transfer};
use crate::message::preview::{Preview, is_html, text_parts};
use smol::future::yield_now;

/// Limit: octets read for one preview. Style sheets may stand before the words of HTML.
const READ_MAX: u64 = 64 * 1024;
/// Octets read at a time.
const PIECE: u64 = 4 * 1024;

/// The preview; empty where the message has no text that can be read.
///
/// # Errors
/// NO where the message cannot be read.
pub async fn preview(message: &Message) -> Result<String, Failure> {
    for part in text_parts(&message.record().structure()) {
        let words = words(message, &part).await?;
        if !words.is_empty() {
            return Ok(words);
        }
    }
    Ok(String::new())
}

/// The first words of a part; none where its encoding is not known.
async fn words(message: &Message, part: &Part<'_>) -> Result<String, Failure> {
    let Some(mut transfer) = Transfer::new(part.encoding) else { return Ok(String::new()) };
    let mut charset = CharsetDecoder::new(part.parameter("charset"));
    let mut preview = if is_html(part) { Preview::of_html() } else { Preview::of_plain() };
    let end = part.body.end.min(part.body.start.saturating_add(READ_MAX));
    let mut at = part.body.start;
    let (mut octets, mut text) = (Vec::new(), String::new());
    while at < end && !preview.is_full() {
        let max = usize::try_from((end - at).min(PIECE)).unwrap_or(usize::MAX);
        let piece = message.read(message.prefix_len().saturating_add(at), max)?;
        if piece.is_empty() {
            break;
        }
        at = at.saturating_add(piece.len() as u64);
        octets.clear();
        transfer.push(&piece, &mut octets);
        if at >= end {
            transfer.finish(&mut octets);
        }
        text.clear();
        charset.push(&octets, at >= end, &mut text);
        preview.push(&text);
        yield_now().await;
    }
    Ok(preview.finish())
}

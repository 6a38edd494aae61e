//! A QR code (ISO/IEC 18004) in a terminal: two modules in each character, one above the other.

use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white around the code (§9.1).
const QUIET: i32 = 4;

/// The code of a text. With `colours` it is black on white whatever the terminal's colours are; without, the blocks
/// are the white, for a light text on a dark ground.
pub(super) fn drawing(text: &str, colours: bool) -> Result<String, String> {
    let code =
        QrCode::encode_text(text, QrCodeEcc::Low).map_err(|_| "the settings are too long for a QR code".to_owned())?;
    let range = -QUIET..code.size() + QUIET;
    let mut drawing = String::new();
    for y in range.clone().step_by(2) {
        if colours {
            drawing.push_str("\x1b[30;107m");
        }
        for x in range.clone() {
            // Below the last row of an odd number there is nothing to be drawn.
            let (upper, lower) = (code.get_module(x, y), code.get_module(x, y + 1));
            drawing.push(match (upper, lower) {
                (dark, same) if dark == same => {
                    if dark == colours {
                        '\u{2588}'
                    } else {
                        ' '
                    }
                }
                (dark, _) => {
                    if dark == colours {
                        '\u{2580}'
                    } else {
                        '\u{2584}'
                    }
                }
            });
        }
        if colours {
            drawing.push_str("\x1b[0m");
        }
        drawing.push('\n');
    }
    Ok(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of a drawing, without what is around them.
    fn modules(drawing: &str, colours: bool) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawing.lines() {
            let line = line.trim_start_matches("\x1b[30;107m").trim_end_matches("\x1b[0m");
            let drawn = |c: char, half: char| c == '\u{2588}' || c == half;
            for half in ['\u{2580}', '\u{2584}'] {
                rows.push(line.chars().map(|c| drawn(c, half) == colours).collect::<Vec<_>>());
            }
        }
        rows
    }

    #[test]
    fn both_drawings_are_the_code() {
        let text = "IMAP: mail.example.org, port 993, SSL/TLS";
        let code = QrCode::encode_text(text, QrCodeEcc::Low).expect("fits");
        for colours in [false, true] {
            let modules = modules(&drawing(text, colours).expect("fits"), colours);
            for (y, row) in modules.iter().enumerate() {
                for (x, dark) in row.iter().enumerate() {
                    let place = |at: usize| i32::try_from(at).expect("is small") - QUIET;
                    assert_eq!(*dark, code.get_module(place(x), place(y)), "{x} {y}");
                }
            }
            assert!(modules.len() >= usize::try_from(code.size() + 2 * QUIET).expect("is positive"));
        }
        assert!(drawing(&"x".repeat(3_000), true).is_err());
    }
}

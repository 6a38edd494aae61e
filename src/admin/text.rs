//! Numbers as people read them, tables, and words for shells.

use std::path::Path;

/// Octets with a unit, such as `12.3 MB`.
#[must_use]
pub fn octets(octets: u64) -> String {
    let (factor, unit) = match octets {
        0..1_000 => return format!("{octets} B"),
        1_000..1_000_000 => (1_000, "KB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        _ => (1_000_000_000_000, "TB"),
    };
    format!("{}.{} {unit}", octets / factor, octets % factor * 10 / factor)
}

/// Seconds as `3 d 4 h`, `5 min` or `6 s`.
pub(super) fn seconds(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A moment in the zone of this machine, such as `2026-11-25 13:40`.
pub(super) fn moment(seconds: i64) -> String {
    let utc = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    utc.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M").to_string()
}

/// `1 message`, `2 messages`, `no messages`; the word's plural takes an s or, for a final x, es.
pub(super) fn count(number: u64, word: &str) -> String {
    let ending = if word.ends_with('x') { "es" } else { "s" };
    match number {
        0 => format!("no {word}{ending}"),
        1 => format!("1 {word}"),
        _ => format!("{number} {word}{ending}"),
    }
}

/// Rows with columns of equal width; the first row is the heading.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A path as one word for a shell.
#[must_use]
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(octets(999), "999 B");
        assert_eq!(octets(12_345_678), "12.3 MB");
        assert_eq!(octets(u64::MAX), "18446744.0 TB");
        assert_eq!(seconds(59), "59 s");
        assert_eq!(seconds(3_700), "1 h 1 min");
        assert_eq!(seconds(90_000), "1 d 1 h");
        assert_eq!(
            [count(0, "mailbox"), count(1, "message"), count(2, "mailbox")],
            ["no mailboxes", "1 message", "2 mailboxes"]
        );
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["user", "size"]), row(["a", "5"])]), "user  size\na     5\n");
    }

    #[test]
    fn paths_are_quoted_for_shells() {
        assert_eq!(shell_word("/a-b/c_d.e".as_ref()), "/a-b/c_d.e");
        assert_eq!(shell_word("/a b/it's".as_ref()), "'/a b/it'\\''s'");
    }
}

//! Asks for a name in `.local` by multicast DNS (RFC 6762), as telephones and computers in the home network do. A static
//! binary cannot use the system's plug-in for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// Where everybody listens (RFC 6762 §3).
pub const GROUP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353));

/// How long answers may take. Responders wait up to 120 ms (RFC 6762 §6), telephones and boards at times longer.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Limit: octets of an answer (RFC 6762 §17).
const ANSWER_MAX: usize = 9_000;

/// Limit: records of an answer that are looked at.
const RECORDS_MAX: u16 = 64;

/// Limit: labels of a name, the jumps of its compression included.
const LABELS_MAX: usize = 128;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
/// The class IN without the bit that tells to flush caches (RFC 6762 §10.2).
const CLASS_IN: u16 = 1;

/// The addresses that `name` has; none where nobody answers in time. `group` is [`GROUP`], except in tests.
///
/// # Errors
/// There is no network to ask in.
pub fn look_up(name: &str, group: SocketAddr) -> io::Result<Vec<IpAddr>> {
    // From a port of our own: answers come to us alone (RFC 6762 §6.7).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.send_to(&query(name)?, group)?;
    let deadline = Instant::now() + PATIENCE;
    let mut answer = vec![0; ANSWER_MAX];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Vec::new());
        }
        socket.set_read_timeout(Some(left))?;
        let length = match socket.recv(&mut answer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        let addresses = answer.get(..length).and_then(|answer| addresses(answer, name)).unwrap_or_default();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
    }
}

fn query(name: &str) -> io::Result<Vec<u8>> {
    // No identifier, no flags, two questions.
    let mut octets = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    for kind in [TYPE_A, TYPE_AAAA] {
        for label in name.trim_end_matches('.').split('.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
            octets.push(length.ok_or_else(|| io::Error::other("it is not a host name"))?);
            octets.extend(label.as_bytes());
        }
        octets.push(0);
        octets.extend(kind.to_be_bytes());
        octets.extend(CLASS_IN.to_be_bytes());
    }
    Ok(octets)
}

/// The addresses that an answer gives to `name`; None where it is no answer.
fn addresses(answer: &[u8], name: &str) -> Option<Vec<IpAddr>> {
    let mut reader = Reader { octets: answer, at: 0 };
    let (_identifier, flags) = (reader.u16()?, reader.u16()?);
    let is_response = flags & 0x8000 != 0;
    let (questions, records) = (reader.u16()?, reader.u16()?);
    let (_authorities, _additional) = (reader.u16()?, reader.u16()?);
    if !is_response {
        return None;
    }
    for _ in 0..questions.min(RECORDS_MAX) {
        reader.name()?;
        reader.take(4)?;
    }
    let mut found = Vec::new();
    for _ in 0..records.min(RECORDS_MAX) {
        let owner = reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()? & 0x7fff);
        reader.take(4)?;
        let length = reader.u16()?;
        let data = reader.take(usize::from(length))?;
        if class != CLASS_IN || !owner.eq_ignore_ascii_case(name.trim_end_matches('.')) {
            continue;
        }
        match kind {
            TYPE_A => found.extend(<[u8; 4]>::try_from(data).ok().map(IpAddr::from)),
            TYPE_AAAA => found.extend(<[u8; 16]>::try_from(data).ok().map(IpAddr::from)),
            _ => {}
        }
    }
    Some(found)
}

struct Reader<'o> {
    octets: &'o [u8],
    at: usize,
}

impl<'o> Reader<'o> {
    fn take(&mut self, count: usize) -> Option<&'o [u8]> {
        let end = self.at.checked_add(count)?;
        let octets = self.octets.get(self.at..end)?;
        self.at = end;
        Some(octets)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name with its compression (RFC 1035 §4.1.4).
    fn name(&mut self) -> Option<String> {
        let mut labels: Vec<String> = Vec::new();
        let mut behind = None;
        for _ in 0..LABELS_MAX {
            let [length] = *self.take(1)? else { return None };
            match length {
                0 => {
                    self.at = behind.unwrap_or(self.at);
                    return Some(labels.join("."));
                }
                1..=63 => labels.push(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned()),
                0xc0..=0xff => {
                    let [low] = *self.take(1)? else { return None };
                    behind = behind.or(Some(self.at));
                    self.at = usize::from(length & 0x3f) << 8 | usize::from(low);
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The answer of a responder that repeats no question: one address, its name, and one by a reference to that name.
    fn answer() -> Vec<u8> {
        let mut octets = vec![0, 0, 0x84, 0, 0, 0, 0, 3, 0, 0, 0, 0];
        octets.extend(b"\x03pi5\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\xc0\xa8\x01\x09");
        octets.extend(b"\x05other\xc0\x10\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x01");
        octets.extend(b"\xc0\x0c\0\x1c\x80\x01\0\0\0\x78\0\x10\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x07");
        octets
    }

    #[test]
    fn a_responder_is_heard() {
        let responder = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let group = responder.local_addr().expect("bound");
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            let (length, from) = responder.recv_from(&mut question).expect("asks");
            assert!(question[..length].starts_with(b"\0\0\0\0\0\x02\0\0\0\0\0\0\x03Pi5\x05local\0\0\x01\0\x01"));
            responder.send_to(b"nonsense", from).expect("sends");
            responder.send_to(&answer(), from).expect("sends");
        });
        let found = look_up("Pi5.local", group).expect("a network");
        assert_eq!(found, ["192.168.1.9", "fe80::7"].map(|address| address.parse::<IpAddr>().expect("an address")));
        thread.join().expect("answers");
        assert!(look_up("a..local", group).is_err());
    }

    #[test]
    fn endless_names_end() {
        let mut looped = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        looped.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04aaaa");
        assert_eq!(addresses(&looped, "a.local"), None);
    }

    proptest! {
        #[test]
        fn damage_does_not_panic(at in 0_usize..100, octet: u8, cut in 0_usize..120) {
            let mut damaged = answer();
            if let Some(place) = damaged.get_mut(at) {
                *place = octet;
            }
            damaged.truncate(cut);
            let _ = addresses(&damaged, "pi5.local");
        }
    }
}

//! What the kernel tells of the network: addresses of this machine, and who listens where.

use super::Probe;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Limit: processes that are searched for the owner of a port.
const PROCESSES_MAX: usize = 2_000;

/// A TCP port that somebody listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub address: SocketAddr,
    pub inode: String,
}

/// Every TCP port that somebody listens on.
pub(super) fn listening(probe: &Probe) -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|path| probe.read(path));
    tables.flat_map(|table| table.lines().skip(1).filter_map(row).collect::<Vec<_>>()).collect()
}

fn row(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, LISTEN, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
    let (ip, port) = local.split_once(':')?;
    let address = SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?);
    Some(Listening { address, inode: (*inode).to_owned() })
}

/// An address as words of the machine's own order, in hexadecimal. Every processor that mailnook runs on is little-endian.
fn address(text: &str) -> Option<IpAddr> {
    let mut octets = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        octets.extend(word.to_le_bytes());
    }
    let four = <[u8; 4]>::try_from(octets.as_slice()).ok().map(IpAddr::from);
    four.or_else(|| <[u8; 16]>::try_from(octets.as_slice()).ok().map(IpAddr::from))
}

/// The name of the process that has a socket; None where it cannot be seen.
pub(super) fn process(probe: &Probe, inode: &str) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    let numbers = probe.list("/proc").into_iter().filter(|name| name.bytes().all(|octet| octet.is_ascii_digit()));
    let owner = numbers.take(PROCESSES_MAX).find(|number| {
        let folder = format!("/proc/{number}/fd");
        let files = probe.list(&folder);
        files.iter().any(|file| probe.link(&format!("{folder}/{file}")).as_deref() == Some(socket.as_str()))
    })?;
    probe.read(&format!("/proc/{owner}/comm"))
}

/// The addresses of this machine; None where the kernel does not tell.
pub(super) fn own_addresses(probe: &Probe) -> Option<Vec<IpAddr>> {
    let trie = probe.read("/proc/net/fib_trie")?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["|--", address] => last = address.parse().ok(),
            ["/32", "host", "LOCAL"] => addresses.extend(last.map(IpAddr::V4)),
            _ => {}
        }
    }
    let six = probe.read("/proc/net/if_inet6").unwrap_or_default();
    addresses.extend(six.lines().filter_map(|line| {
        let digits = line.split_whitespace().next().filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
    }));
    addresses.sort_unstable();
    addresses.dedup();
    Some(addresses)
}

/// Whether an address means something in the home network alone.
pub(super) fn is_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_loopback() || four.is_private() || four.is_link_local(),
        IpAddr::V6(six) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_addresses_are_read() {
        let line =
            "   0: 0100007F:0477 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100";
        let found = row(line).expect("listens");
        assert_eq!((found.address.to_string().as_str(), found.inode.as_str()), ("127.0.0.1:1143", "4711"));
        assert_eq!(row(&line.replace(" 0A ", " 01 ")), None);
        let six = address("00000000000000000000000001000000").expect("an address");
        assert_eq!(six, IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(address("0100"), None);
    }
}

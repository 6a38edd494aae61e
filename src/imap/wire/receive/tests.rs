use super::*;
use crate::imap::wire::frame::{COMMAND_MAX, COMMAND_MAX_BEFORE_LOGIN};
use crate::net::pair;
use crate::types::{Flags, SystemFlags};
use smol::future::{block_on, or, poll_once};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the input makes of this input, and what it wrote meanwhile.
fn receive_all(octets: &[u8], max: usize) -> (Vec<Received>, Vec<u8>) {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        let mut all = Vec::new();
        let write = async {
            client.write_all(octets).await.unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            std::future::pending::<()>().await;
        };
        let read = async {
            while let Ok(received) = input.command(&mut connection, max).await {
                let end = matches!(received, Received::Bye(_));
                all.push(received);
                if end {
                    break;
                }
            }
        };
        or(read, write).await;
        drop(connection);
        let mut output = Vec::new();
        let _ = client.read_to_end(&mut output).await;
        (all, output)
    })
}

fn texts(received: &[Received]) -> Vec<String> {
    received
        .iter()
        .map(|received| match received {
            Received::Command(tag, command) => format!("{tag} {command:?}"),
            Received::Refused(error) => {
                let mut out = Vec::new();
                error.write(&mut out);
                String::from_utf8(out).unwrap().trim_end().to_owned()
            }
            Received::Bye(text) => format!("BYE {text}"),
        })
        .collect()
}

#[test]
fn reads_pipelined_commands_and_literals() {
    let input = b"a NOOP\r\nb LOGIN {4}\r\nanna {2+}\r\npw\r\nc noop\n";
    let (received, output) = receive_all(input, COMMAND_MAX);
    assert_eq!(texts(&received), ["a Noop", "b Login { user: [97, 110, 110, 97], password: (secret) }", "c Noop"]);
    assert_eq!(output, b"+ OK\r\n");
}

#[test]
fn refuses_a_large_literal_before_it_is_sent() {
    let (received, output) = receive_all(b"a LOGIN {9000}\r\nb NOOP\r\n", COMMAND_MAX_BEFORE_LOGIN);
    assert_eq!(texts(&received), ["a BAD [TOOBIG] the literal is too large", "b Noop"]);
    assert_eq!(output, b"");
}

#[test]
fn swallows_a_large_literal_that_comes_anyway() {
    let mut input = b"a LOGIN {100000+}\r\n".to_vec();
    input.extend(vec![b'\n'; 100_000]);
    input.extend(b" {3+}\r\nabc\r\nb NOOP\r\n");
    let (received, _) = receive_all(&input, COMMAND_MAX);
    assert_eq!(texts(&received), ["a BAD [TOOBIG] the literal is too large", "b Noop"]);
}

#[test]
fn ends_the_session_at_a_huge_literal() {
    for size in ["16777217", "99999999999999999999999"] {
        let input = format!("a LOGIN {{{size}+}}\r\n");
        let (received, _) = receive_all(input.as_bytes(), COMMAND_MAX);
        assert_eq!(texts(&received), ["BYE [TOOBIG] the literal is too large"]);
    }
}

#[test]
fn stays_in_step_after_a_long_line() {
    for max in [COMMAND_MAX_BEFORE_LOGIN, COMMAND_MAX] {
        for end in ["\r\n", " {5+}\r\na1 X\n\r\n", " {7}\r\n", " {0+}\r\n\r\n"] {
            let mut input = b"a SEARCH ".to_vec();
            input.extend(vec![b'('; 100_000]);
            input.extend(end.as_bytes());
            input.extend(b"b NOOP\r\n");
            let (received, _) = receive_all(&input, max);
            assert_eq!(texts(&received), ["a BAD the command is too long", "b Noop"], "{end:?}");
        }
    }
}

#[test]
fn finds_the_announcement_that_straddles_the_limit() {
    for padding in 8_100..8_200 {
        let mut input = b"a SEARCH ".to_vec();
        input.extend(vec![b'x'; padding]);
        input.extend(b" {8+}\r\nb NOOP\r\n x\r\nc NOOP\r\n");
        let (received, _) = receive_all(&input, COMMAND_MAX_BEFORE_LOGIN);
        let texts = texts(&received);
        assert_eq!(texts.len(), 2, "{padding}: {texts:?}");
        assert_eq!(texts[1], "c Noop", "{padding}");
    }
}

#[test]
fn ends_the_session_at_an_endless_line() {
    let (received, _) = receive_all(&vec![b'x'; 17 * 1024 * 1024], COMMAND_MAX);
    assert_eq!(texts(&received), ["BYE the command is endless"]);
}

#[test]
fn an_append_that_is_not_understood_stays_in_step() {
    let input = b"a APPEND (x) {8+}\r\nb NOOP\r\n\r\nc APPEND x {8}\r\n";
    let (received, output) = receive_all(input, COMMAND_MAX);
    let texts = texts(&received);
    assert_eq!(texts[0], "a BAD the mailbox name is missing");
    assert!(texts[1].starts_with("c Append"), "{texts:?}");
    assert_eq!(output, b"");
}

/// Found by the fuzz target `imap_receive`: the CR of a literal was taken for that of a line end.
#[test]
fn a_literal_keeps_its_last_cr() {
    let (received, _) = receive_all(b"a LOGIN x {2+}\r\ny\r\nb NOOP {1+}\r\n\r\nc NOOP\r\n", COMMAND_MAX);
    let password = |received: &Received| match received {
        Received::Command(_, Command::Login { password, .. }) => password.0.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(password(&received[0]), b"y\r");
    assert_eq!(texts(&received)[1..], ["b BAD the arguments are not valid", "c Noop"]);
}

#[test]
fn one_blank_line_is_forgiven() {
    let (received, _) = receive_all(b"\r\na NOOP\r\n\r\n\r\nb NOOP\r\n", COMMAND_MAX);
    assert_eq!(texts(&received), ["a Noop", "* BAD the line is empty", "b Noop"]);
}

#[test]
fn loses_nothing_when_dropped_between_octets() {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        let octets = b"a LOGIN {4}\r\nanna {2+}\r\npw\r\nb NOOP\r\n";
        let mut all = Vec::new();
        for octet in octets {
            assert!(poll_once(input.command(&mut connection, COMMAND_MAX)).await.is_none());
            client.write_all(&[*octet]).await.unwrap();
            // The reactor may need several turns to see the octet.
            let mut turns = 0;
            while turns < 3 {
                match poll_once(input.command(&mut connection, COMMAND_MAX)).await {
                    Some(received) => all.push(received.unwrap()),
                    None => smol::future::yield_now().await,
                }
                turns += 1;
            }
        }
        while all.len() < 2 {
            all.push(input.command(&mut connection, COMMAND_MAX).await.unwrap());
        }
        assert_eq!(texts(&all)[1], "b Noop");
        assert!(input.is_idle());
    });
}

#[test]
fn streams_an_append_between_its_borders() {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        client.write_all(b"a APPEND {5}\r\n").await.unwrap();
        let mut ask = [0; 6];
        or(
            async {
                let _ = input.command(&mut connection, COMMAND_MAX).await;
                panic!("the mailbox is not complete");
            },
            async { client.read_exact(&mut ask).await.unwrap() },
        )
        .await;
        client.write_all(b"inbox (\\Seen) {3}\r\n").await.unwrap();
        let received = input.command(&mut connection, COMMAND_MAX).await.unwrap();
        let Received::Command(_, Command::Append { mailbox, message: AppendMessage { literal, .. } }) = received else {
            panic!("{received:?}")
        };
        assert_eq!((mailbox.as_str(), literal), ("INBOX", Literal { size: 3, non_synchronizing: false }));
        input.accept_message(&mut connection, literal).await.unwrap();
        client.read_exact(&mut ask).await.unwrap();
        assert_eq!(&ask, CONTINUE);
        client.write_all(b"x\r\n\r\nb NOOP\r\n").await.unwrap();
        while connection.fill().await.unwrap().len() < 3 {}
        connection.consume(3);
        assert_eq!(input.finish_append_line(&mut connection).await.unwrap(), AppendEnd::Complete);
        let received = input.command(&mut connection, COMMAND_MAX).await.unwrap();
        assert_eq!(texts(&[received]), ["b Noop"]);
    });
}

#[test]
fn discards_messages_that_nobody_wants() {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        client
            .write_all(b"a APPEND x {3+}\r\nabc\r\nb APPEND x {3+}\r\nabc (\\Seen) {2+}\r\nab\r\nc APPEND x {9+}\r\n")
            .await
            .unwrap();
        for (max, end) in [(9, AppendEnd::Complete), (99, AppendEnd::More)] {
            let received = input.command(&mut connection, COMMAND_MAX).await.unwrap();
            let Received::Command(_, Command::Append { message: AppendMessage { literal, .. }, .. }) = received else {
                panic!("{received:?}")
            };
            assert_eq!(input.discard_message(&mut connection, literal, max).await.unwrap(), end);
        }
        let received = input.command(&mut connection, COMMAND_MAX).await.unwrap();
        let Received::Command(_, Command::Append { message: AppendMessage { literal, .. }, .. }) = received else {
            panic!("{received:?}")
        };
        client.write_all(b"123").await.unwrap();
        let end = input.discard_message(&mut connection, literal, 8).await.unwrap();
        assert!(matches!(end, AppendEnd::Bye(_)));
    });
}

#[test]
fn what_stands_behind_a_message() {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        let lines: &[u8] = b"\r\n (\\Seen) {3}\r\n  \r\n ~{2+}\r\n {1}x\r\n (\\Foo) {2+}\r\nab\r\n\0\r\nx NOOP\r\n";
        client.write_all(lines).await.unwrap();
        let mut next = Vec::new();
        for _ in 0..4 {
            next.push(input.next_message(&mut connection, false).await.unwrap());
        }
        let message = |flags, size, non_synchronizing, binary| {
            let literal = Literal { size, non_synchronizing };
            AppendNext::Message(AppendMessage { flags, date: None, literal, binary, utf8: false })
        };
        let seen = Flags { system: SystemFlags::SEEN, ..Flags::default() };
        assert_eq!(next.remove(0), AppendNext::Complete);
        assert_eq!(next.remove(0), message(seen, 3, false, false));
        assert_eq!(next.remove(0), AppendNext::Complete);
        assert_eq!(next.remove(0), message(Flags::default(), 2, true, true));
        // No literal, a literal that is swallowed with the rest of its command, and an octet that is never allowed.
        for _ in 0..3 {
            let next = input.next_message(&mut connection, false).await.unwrap();
            assert!(matches!(next, AppendNext::Refused(_)), "{next:?}");
        }
        let received = input.command(&mut connection, COMMAND_MAX).await.unwrap();
        assert_eq!(texts(&[received]), ["x Noop"]);
    });
}

#[test]
fn utf8_data_ends_with_its_parenthesis() {
    let (mut connection, mut client) = pair();
    block_on(async {
        let mut input = Receiver::new();
        let lines: &[u8] = b")\r\n) (\\Seen) UTF8 (~{3+}\r\n\r\n ) {3}\r\n) {2+}\r\nab\r\n";
        client.write_all(lines).await.unwrap();
        let mut next = async || input.next_message(&mut connection, true).await.unwrap();
        assert_eq!(next().await, AppendNext::Complete);
        let AppendNext::Message(message) = next().await else { panic!("another message") };
        assert!(message.utf8 && message.binary && message.literal.size == 3);
        // No parenthesis, and a space before it.
        assert!(matches!(next().await, AppendNext::Refused(_)));
        assert!(matches!(next().await, AppendNext::Refused(_)));
        let AppendNext::Message(message) = next().await else { panic!("another message") };
        assert!(!message.utf8 && message.literal.size == 2);
    });
}

#[test]
fn continuation_lines() {
    let (mut connection, mut client) = pair();
    block_on(async {
        client.write_all(b"done \r\nxxxxxxxxxxx\r\n*\r\n").await.unwrap();
        let mut input = Receiver::new();
        let line = input.continuation(&mut connection, 10).await.unwrap().unwrap();
        assert!(is_done(&line.0));
        assert_eq!(input.continuation(&mut connection, 10).await.unwrap(), None);
        let line = input.continuation(&mut connection, 10).await.unwrap().unwrap();
        assert_eq!(line.0, b"*");
    });
}

use super::*;
use proptest::prelude::*;

fn attempt(user: u8, address: u8, password: u8) -> Try {
    Try {
        user: UserKey::test(user),
        address: AddressKey::V4([192, 0, 2, address]),
        credential: Credential::test(u16::from_be_bytes([user, password])),
    }
}

/// Begins and ends an attempt at once; the answer's delay.
fn run(throttle: &mut Throttle, now: Instant, attempt: &Try, end: End) -> Duration {
    match throttle.begin(now, attempt) {
        Admission::Check { before, on_failure, counted } => {
            throttle.end(now, attempt, counted, end);
            if end == End::Success { before } else { on_failure }
        }
        Admission::KnownWrong { delay } | Admission::Refuse { delay } => delay,
    }
}

#[test]
fn delays_double_up_to_the_longest() {
    let delays: Vec<u128> = (0..9).map(|failures| delay(failures).as_millis()).collect();
    assert_eq!(delays, [0, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    assert_eq!(delay(u32::MAX), LONGEST_DELAY);
}

#[test]
fn the_first_failure_is_cheap_and_further_ones_grow() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    let delays: Vec<u128> =
        (0..5).map(|password| run(&mut throttle, now, &attempt(1, 1, password), End::Wrong).as_millis()).collect();
    assert_eq!(delays, [500, 1000, 2000, 4000, 8000]);
}

#[test]
fn other_users_and_addresses_are_not_delayed() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for password in 0..8 {
        run(&mut throttle, now, &attempt(1, 1, password), End::Wrong);
    }
    assert_eq!(run(&mut throttle, now, &attempt(2, 2, 1), End::Success), Duration::ZERO);
    // The user is delayed from other addresses, the address for other users.
    assert_eq!(run(&mut throttle, now, &attempt(1, 3, 9), End::Wrong), LONGEST_DELAY);
    assert_eq!(run(&mut throttle, now, &attempt(3, 1, 9), End::Wrong), LONGEST_DELAY);
}

#[test]
fn the_same_wrong_password_counts_once() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for minute in 0..500 {
        let later = now + Duration::from_secs(minute);
        assert_eq!(run(&mut throttle, later, &attempt(1, 1, 1), End::Wrong).as_millis(), 500);
    }
    assert!(matches!(throttle.begin(now, &attempt(1, 1, 1)), Admission::KnownWrong { .. }));
    // After a day it is tried again.
    assert!(matches!(
        throttle.begin(now + WRONG_FOR + Duration::from_secs(500), &attempt(1, 1, 1)),
        Admission::Check { .. }
    ));
}

#[test]
fn equal_attempts_at_the_same_time_count_once_and_do_not_delay_each_other() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for _ in 0..8 {
        let Admission::Check { before, .. } = throttle.begin(now, &attempt(1, 1, 1)) else { panic!() };
        assert_eq!(before, Duration::ZERO);
    }
    assert_eq!(throttle.users.failures(now, &UserKey::test(1)), 1);
    throttle.end(now, &attempt(1, 1, 1), true, End::Success);
    for _ in 0..7 {
        throttle.end(now, &attempt(1, 1, 1), false, End::Success);
    }
    assert_eq!(throttle.users.failures(now, &UserKey::test(1)), 0);
}

#[test]
fn different_attempts_at_the_same_time_count_before_they_are_decided() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    let mut last = Duration::ZERO;
    for password in 0..6 {
        let Admission::Check { before, .. } = throttle.begin(now, &attempt(1, 1, password)) else { panic!() };
        assert!(before >= last);
        last = before;
    }
    assert_eq!(last.as_millis(), 8000);
}

#[test]
fn success_forgives_what_this_address_failed_for_this_user() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for password in 0..4 {
        run(&mut throttle, now, &attempt(1, 1, password), End::Wrong);
        run(&mut throttle, now, &attempt(1, 2, password + 4), End::Wrong);
    }
    run(&mut throttle, now, &attempt(1, 1, 15), End::Success);
    assert_eq!(throttle.addresses.failures(now, &attempt(1, 1, 0).address), 0);
    // The guesser elsewhere keeps all of his.
    assert_eq!(throttle.addresses.failures(now, &attempt(1, 2, 0).address), 4);
    assert_eq!(throttle.users.failures(now, &UserKey::test(1)), 4);
}

#[test]
fn an_address_in_good_standing_is_not_locked_out_by_others() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    run(&mut throttle, now, &attempt(1, 1, 0), End::Success);
    for address in 2..200 {
        for password in 1..15 {
            run(&mut throttle, now, &attempt(1, address, password), End::Wrong);
        }
    }
    // Guesses for other users from the same address (a shared one) do not matter either.
    for user in 2..60 {
        run(&mut throttle, now, &attempt(user, 1, 1), End::Wrong);
    }
    assert!(matches!(throttle.begin(now, &attempt(99, 1, 1)), Admission::Refuse { .. }));
    assert_eq!(run(&mut throttle, now, &attempt(1, 1, 0), End::Success), Duration::ZERO);
    // Guessing from there costs the standing, and then everything counts again.
    for password in 1..15 {
        run(
            &mut throttle,
            now,
            &Try { credential: Credential::test(60000 + password), ..attempt(1, 1, 0) },
            End::Wrong,
        );
    }
    assert!(matches!(throttle.begin(now, &attempt(1, 1, 0)), Admission::Refuse { .. }));
}

#[test]
fn an_address_with_many_failures_is_refused_without_a_hash_and_recovers() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    let mut checked = 0;
    for user in 0..200 {
        if let Admission::Check { .. } = throttle.begin(now, &attempt(user, 1, 1)) {
            checked += 1;
        }
    }
    assert_eq!(checked, ADDRESS_REFUSED_FROM);
    let later = now + FORGET_AFTER * (COUNTED_MAX - ADDRESS_REFUSED_FROM + 1);
    assert!(matches!(throttle.begin(later, &attempt(201, 1, 1)), Admission::Check { .. }));
}

#[test]
fn failures_are_forgotten_one_by_one() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for password in 0..4 {
        run(&mut throttle, now, &attempt(1, 1, password), End::Wrong);
    }
    let user = UserKey::test(1);
    assert_eq!(throttle.users.failures(now + FORGET_AFTER, &user), 3);
    assert_eq!(throttle.users.failures(now + FORGET_AFTER * 3, &user), 1);
    assert_eq!(throttle.users.failures(now + FORGET_AFTER * 4, &user), 0);
}

#[test]
fn undecided_attempts_are_taken_back_and_abandoned_ones_are_not() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    run(&mut throttle, now, &attempt(1, 1, 1), End::Undecided);
    assert_eq!(throttle.users.failures(now, &UserKey::test(1)), 0);
    run(&mut throttle, now, &attempt(1, 1, 1), End::Abandoned);
    run(&mut throttle, now, &attempt(1, 1, 1), End::Abandoned);
    assert_eq!(throttle.users.failures(now, &UserKey::test(1)), 2);
}

#[test]
fn addresses_are_ipv4_hosts_and_ipv6_networks() {
    let key = |text: &str| AddressKey::from(Some(text.parse::<IpAddr>().unwrap()));
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    assert_ne!(key("192.0.2.2"), key("192.0.2.1"));
    assert_eq!(AddressKey::from(None), AddressKey::Local);
}

#[test]
fn tables_are_bounded_and_swept() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    for number in 0..6000_u16 {
        let [high, low] = number.to_be_bytes();
        let attempt = Try {
            user: UserKey::test(low),
            address: AddressKey::V4([10, 0, high, low]),
            credential: Credential::test(number),
        };
        run(&mut throttle, now + Duration::from_millis(number.into()), &attempt, End::Wrong);
    }
    assert_eq!(throttle.addresses.entries.len(), ADDRESSES_MAX);
    assert_eq!(throttle.attempts.entries.len(), ATTEMPTS_MAX);
    throttle.sweep(now + WRONG_FOR * 2);
    assert_eq!(throttle.addresses.entries.capacity(), 0);
    assert_eq!(throttle.attempts.entries.capacity(), 0);
}

proptest! {
    /// Whatever happens: no delay is longer than the longest, the first attempt of an unknown
    /// user from an unknown address is never delayed, and counters never exceed their limits.
    #[test]
    fn delays_and_counters_stay_within_bounds(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, 0..8_u8, 0..4_u8, 0..300_u64), 0..200)
    ) {
        let (mut throttle, mut now) = (Throttle::new(), Instant::now());
        for (user, address, password, end, seconds) in steps {
            now += Duration::from_secs(seconds);
            let attempt = attempt(user, address, password);
            let end = [End::Success, End::Wrong, End::Undecided, End::Abandoned][usize::from(end)];
            prop_assert!(run(&mut throttle, now, &attempt, end) <= LONGEST_DELAY);
            prop_assert!(throttle.users.failures(now, &attempt.user) <= USER_COUNTED_MAX);
            prop_assert!(throttle.addresses.failures(now, &attempt.address) <= COUNTED_MAX);
            if end == End::Success {
                let fresh = Try { credential: Credential::test(60000), ..attempt };
                let standing = throttle.standings.get(now, &(attempt.user, attempt.address)).is_some();
                if let (true, Admission::Check { before, counted, .. }) = (standing, throttle.begin(now, &fresh)) {
                    prop_assert_eq!(before, delay(throttle.pairs.failures(now, &(attempt.user, attempt.address)).saturating_sub(1)));
                    throttle.end(now, &fresh, counted, End::Undecided);
                }
            }
        }
        let stranger = attempt(200, 200, 1);
        let admission = throttle.begin(now, &stranger);
        prop_assert_eq!(admission, Admission::Check { before: Duration::ZERO, on_failure: FIRST_DELAY, counted: true });
    }
}

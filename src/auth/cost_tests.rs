use super::*;

const GIB: u64 = 1 << 30;

/// What is chosen by a board that needs so many microseconds for each MiB and pass, and what it tried on the way.
fn board(micros: u64, free: u64, concurrent: u32) -> (Chosen, Vec<Rung>) {
    let mut tried = Vec::new();
    let chosen = choose(free, concurrent, &mut |rung| {
        tried.push(rung);
        Some(Duration::from_micros(micros * u64::from(rung.0) * u64::from(rung.1)))
    });
    (chosen, tried)
}

fn rung(chosen: &Chosen) -> Rung {
    (chosen.memory / MIB, chosen.passes)
}

#[test]
fn the_strongest_that_is_fast_enough_is_chosen() {
    for (micros, expected) in [
        (1_000, (64, 3)),
        (3_200, (64, 2)),
        (7_000, (64, 1)),
        (10_000, (46, 1)),
        (13_000, (19, 2)),
        (13_500, (12, 3)),
        (14_000, (7, 5)),
        (16_000, (7, 4)),
        (30_000, (7, 2)),
        (60_000, (7, 1)),
        // Too slow for anything: not below that, and it is told.
        (142_000, (7, 1)),
    ] {
        let (chosen, tried) = board(micros, GIB, 1);
        assert_eq!(rung(&chosen), expected, "{micros}");
        assert_eq!(tried, [SAMPLE, SAMPLE, expected], "{micros}");
        assert_eq!(chosen.time, Some(Duration::from_micros(micros * u64::from(expected.0 * expected.1))));
        assert_eq!(chosen.is_below_floor(), expected.0 * expected.1 < 35, "{expected:?}");
    }
}

#[test]
fn all_hashes_together_take_a_quarter_of_the_free_memory() {
    for (free_mib, concurrent, expected) in
        [(256, 1, (64, 3)), (255, 1, (46, 1)), (255, 4, (12, 3)), (40, 1, (9, 4)), (28, 1, (7, 5)), (27, 1, (4, 8))]
    {
        let (chosen, _) = board(1_000, free_mib << 20, concurrent);
        assert_eq!(rung(&chosen), expected, "{free_mib} {concurrent}");
    }
    // There is no less than that, and it is below what is asked for.
    for free in [0, 15 << 20] {
        let (chosen, _) = board(1_000, free, 1);
        assert!(rung(&chosen) == SMALLEST && chosen.is_below_floor(), "{chosen}");
    }
    assert_eq!(rung(&board(1_000, GIB, u32::MAX).0), SMALLEST);
}

#[test]
fn a_trial_that_disappoints_leads_further_down() {
    // Small ones run in the cache of the processor, large ones do not.
    let mut tried = Vec::new();
    let chosen = choose(GIB, 1, &mut |rung: Rung| {
        tried.push(rung);
        Some(Duration::from_millis(u64::from(rung.0 * rung.1) * if rung.0 > 16 { 9 } else { 2 }))
    });
    assert_eq!((rung(&chosen), tried), ((46, 1), vec![SAMPLE, SAMPLE, (64, 3), (46, 1)]));

    // It never tries longer than that, and then goes by what it knows.
    let mut trials = 0;
    let chosen = choose(GIB, 1, &mut |_| {
        trials += 1;
        Some(Duration::from_millis(if trials <= 2 { 4 } else { 600 }))
    });
    assert_eq!(trials, 2 + TRIALS_MAX);
    assert_eq!(rung(&chosen), (64, 1));

    // Memory that is not there.
    assert_eq!(choose(GIB, 1, &mut |_| None), Chosen::of(SMALLEST, None));
    let chosen = choose(GIB, 1, &mut |rung| (rung.0 <= 46).then_some(Duration::from_millis(4)));
    assert_eq!(rung(&chosen), (46, 1));
}

#[test]
fn the_strongest_comes_first_and_the_floor_is_in_the_ladder() {
    let strengths: Vec<u32> = LADDER.iter().map(|rung| rung.0 * rung.1).collect();
    assert!(strengths.is_sorted_by(|a, b| a >= b), "{strengths:?}");
    assert!(FLOOR.iter().all(|rung| LADDER.contains(rung)) && LADDER.contains(&SMALLEST));
    let below: Vec<Rung> = LADDER.into_iter().filter(|rung| Chosen::of(*rung, None).is_below_floor()).collect();
    assert_eq!(below, LADDER[8..]);
}

fn auto() -> config::Auth {
    config::Auth { argon2_auto: true, ..config::Auth::default() }
}

#[test]
fn it_is_measured_once_and_when_somebody_asks() {
    let directory = std::env::temp_dir().join(format!("mailnook-cost-{}", std::process::id()));
    let _absent = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join(FILE);
    let cost = Cost::open(&auto(), &directory);
    assert!(cost.is_auto() && cost.known().is_none());
    let chosen = cost.get();
    assert!(cost.known() == Some(chosen) && chosen.time.is_some());

    fs::write(&file, "m=9216 t=4 ms=77\n").unwrap();
    assert_eq!(cost.get(), chosen, "it is read at start only");
    let kept = Cost::open(&auto(), &directory);
    assert_eq!(kept.get(), Chosen { memory: 9216, passes: 4, time: Some(Duration::from_millis(77)) });
    let again = kept.measure();
    assert_eq!(Cost::open(&auto(), &directory).known().map(|chosen| rung(&chosen)), Some(rung(&again)));

    // The configuration decides where it has numbers, and nothing is written.
    fs::remove_file(&file).unwrap();
    let fixed = Cost::open(&config::Auth { argon2_auto: false, argon2_memory: 64, ..auto() }, &directory);
    assert!(!fixed.is_auto() && fixed.get().memory == 64 && fixed.get().time.is_none());
    assert!(fixed.measure().time.is_some() && fixed.get().memory == 64 && !file.exists());

    for damaged in
        ["", "m=1", "m=9216 t=4", "m=9216 t=0 ms=1", "m=1023 t=1 ms=1", "m=99999999 t=1 ms=1", "m=a t=1 ms=?"]
    {
        fs::write(&file, damaged).unwrap();
        assert_eq!(Cost::open(&auto(), &directory).known(), None, "{damaged:?}");
    }
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn it_is_told_in_words() {
    let chosen = Chosen::of((19, 2), Some(Duration::from_micros(121_900)));
    assert_eq!(chosen.to_string(), "Argon2id with 19 MiB and 2 passes, 121 ms a hash");
    let weak = Chosen { memory: 64, passes: 1, time: None };
    let expected = "Argon2id with 64 KiB and 1 pass, below OWASP's least (7 MiB and 5 passes, or as strong)";
    assert_eq!(weak.to_string(), expected);
    for (memory, passes, below) in
        [(7 * MIB, 5, false), (7 * MIB - 1, 50, true), (8 * MIB, 4, true), (46 * MIB, 1, false)]
    {
        assert_eq!(Chosen { memory, passes, time: None }.is_below_floor(), below, "{memory} {passes}");
    }
}

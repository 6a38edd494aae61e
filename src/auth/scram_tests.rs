use super::*;
use proptest::prelude::*;

fn parse(message: &str) -> Result<ClientFirst, SaslError> {
    ClientFirst::parse(message.as_bytes())
}

fn salt(text: &str) -> [u8; 16] {
    STANDARD.decode(text).unwrap().try_into().unwrap()
}

#[test]
fn the_example_of_rfc_7677() {
    let keys = derive(b"pencil", salt("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096).unwrap();
    let first = parse("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    assert_eq!((first.user.as_str(), &first.flag), ("user", &BindingFlag::Unsupported));
    let (message, challenged) = first.challenge_with(keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    assert_eq!(message, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    let last =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let fits = Verdict::Fits(DeviceId::MAIN, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned());
    assert_eq!(challenged.verify(last.as_bytes(), b""), Ok(fits));
    assert_eq!(challenged.verify(last.as_bytes(), b"x"), Ok(Verdict::WrongBinding));
    let wrong = last.replace("p=dHz", "p=eHz");
    assert_eq!(challenged.verify(wrong.as_bytes(), b""), Ok(Verdict::WrongProof));
    // biws is "n,,", eSws is "y,,": the header cannot be changed on the way.
    let changed = last.replace("c=biws", "c=eSws");
    assert_eq!(challenged.verify(changed.as_bytes(), b""), Ok(Verdict::WrongBinding));
    for bad in [
        "",
        "c=biws",
        "r=x,c=biws,p=AAAA",
        &last.replace("r=rOpr", "r=sOpr"),
        &last.replace(",p=", ",p=!"),
        &last.replace("VQ=", ""),
        &last.replace("c=biws", "c=biw"),
        &format!("m=x,{last}"),
    ] {
        assert_eq!(challenged.verify(bad.as_bytes(), b""), Err(SaslError::Syntax), "{bad}");
    }
}

#[test]
fn first_messages() {
    let first = parse("p=tls-exporter,a=a=2Cb=3D,n=a=2Cb=3D,r=abc,x=later").unwrap();
    assert_eq!(first.flag, BindingFlag::Type("tls-exporter".to_owned()));
    assert_eq!((first.user.as_str(), first.nonce.as_str()), ("a,b=", "abc"));
    assert_eq!(
        (first.header.as_str(), first.bare.as_str()),
        ("p=tls-exporter,a=a=2Cb=3D,", "n=a=2Cb=3D,r=abc,x=later")
    );
    assert_eq!(parse("y,,n=anna,r=x").unwrap().flag, BindingFlag::NotOffered);
    // SASLprep: a soft hyphen goes, a Roman numeral becomes letters (RFC 4013 §3).
    assert_eq!(parse("n,,n=I\u{ad}X,r=x").unwrap().user, "IX");
    assert_eq!(parse("n,,n=\u{2168},r=x").unwrap().user, "IX");
    assert_eq!(parse("n,a=bert,n=anna,r=x"), Err(SaslError::Authorization));
    for bad in [
        "",
        "n",
        "n,",
        "n,,",
        "x,,n=a,r=b",
        "N,,n=a,r=b",
        "p=,,n=a,r=b",
        "n,,n=,r=b",
        "n,,n=a",
        "n,,n=a,r=",
        "n,,n=a,r=\u{e4}",
        "n,,n=a,r=a b",
        "n,,m=x,n=a,r=b",
        "n,,r=b,n=a",
        "n,,n=a=,r=b",
        "n,,n=a=2c,r=b",
        "n,,n=a=4,r=b",
        "n,b=x,n=a,r=b",
        "n,,n=\u{7},r=b",
    ] {
        assert_eq!(parse(bad), Err(SaslError::Syntax), "{bad}");
    }
}

#[test]
fn passwords_are_prepared() {
    let keys = |password: &str| derive(password.as_bytes(), [1; 16], 4096);
    assert_eq!(keys("I\u{ad}X"), keys("\u{2168}"));
    assert_ne!(keys("IX"), keys("ix"));
    assert_eq!(keys("\u{7}"), None);
    assert_eq!(keys("\u{ad}"), None);
    assert_eq!(derive(b"\xff", [1; 16], 4096), None);
}

#[test]
fn decoys_are_constant_for_a_name_and_different_from_each_other() {
    let decoy = |secret: &[u8], name: &str| decoy(secret, name);
    assert_eq!(decoy(b"1", "nobody").salt, decoy(b"1", "NOBODY@example.org").salt);
    assert_ne!(decoy(b"1", "nobody").salt, decoy(b"1", "nemo").salt);
    assert_ne!(decoy(b"1", "nobody").salt, decoy(b"2", "nobody").salt);
    assert_eq!(decoy(b"1", "nobody").iterations, super::keys(b"secret", None).unwrap().iterations);
}

proptest! {
    #[test]
    fn any_message_is_survived(octets in prop::collection::vec(any::<u8>(), 0..64), text in "[nyp],(a=[a-c=2D]{0,4})?,n=.{0,4},r=.{0,4}") {
        let _ = ClientFirst::parse(&octets);
        let _ = ClientFirst::parse(text.as_bytes());
        let first = parse("n,,n=user,r=x").unwrap();
        let challenged = first.challenge_with(decoy(b"", "user"), "y").1;
        let _ = challenged.verify(&octets, &[]);
    }
}

//! The client's side of SCRAM-SHA-256, written from RFC 5802 §3 and §5 alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// A client in the middle of an exchange.
pub struct Scram {
    password: String,
    header: String,
    binding: Vec<u8>,
    bare: String,
    nonce: String,
    signature: Vec<u8>,
}

impl Scram {
    /// `flag` is `n`, `y` or `p=` and a type of channel binding, with its data.
    pub fn new(user: &str, password: &str, flag: &str, binding: &[u8]) -> Self {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        Self {
            password: password.to_owned(),
            header: format!("{flag},,"),
            binding: binding.to_vec(),
            bare: format!("n={user},r={nonce}"),
            nonce,
            signature: Vec::new(),
        }
    }

    pub fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.header, self.bare))
    }

    pub fn last(&mut self, challenge: &str) -> String {
        let challenge = String::from_utf8(STANDARD.decode(challenge).expect("base64")).expect("UTF-8");
        let mut attributes = challenge.split(',');
        let mut value = |name| attributes.next().and_then(|text| text.strip_prefix(name)).expect("an attribute");
        let (nonce, salt, iterations) = (value("r="), value("s="), value("i="));
        assert!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len(), "{challenge}");
        let iterations: u32 = iterations.parse().expect("a number");
        assert!(iterations >= 4096, "{challenge}");
        let salted = pbkdf2(self.password.as_bytes(), &STANDARD.decode(salt).expect("base64"), iterations);
        let client_key = hmac(&salted, b"Client Key");
        let stored_key = Sha256::digest(&client_key);
        let bound = [self.header.as_bytes(), &self.binding].concat();
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(bound));
        let auth_message = format!("{},{challenge},{without_proof}", self.bare);
        let client_signature = hmac(&stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
        self.signature = hmac(&hmac(&salted, b"Server Key"), auth_message.as_bytes());
        STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Whether the server knows the password, too.
    pub fn trusts(&self, last: &str) -> bool {
        let last = String::from_utf8(STANDARD.decode(last).expect("base64")).expect("UTF-8");
        last == format!("v={}", STANDARD.encode(&self.signature))
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut last = hmac(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = last.clone();
    for _ in 1..iterations {
        last = hmac(password, &last);
        sum.iter_mut().zip(&last).for_each(|(a, b)| *a ^= b);
    }
    sum
}

#[test]
fn the_example_of_rfc_7677() {
    let mut client = Scram::new("user", "pencil", "n", b"");
    assert_eq!(STANDARD.decode(client.first()).expect("base64"), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let last = client.last(&STANDARD.encode(challenge));
    let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert!(STANDARD.decode(last).expect("base64").ends_with(proof.as_bytes()));
    assert!(client.trusts(&STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
}

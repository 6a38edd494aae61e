//! One SASL exchange (RFC 4422 §3): challenges and responses of a mechanism, from the first to the login.

use super::sasl::{self, Mechanism, SaslError};
use super::scram::{BindingFlag, Challenged, ClientFirst, Verdict};
use super::{Attempt, AuthError, Authenticator, LoggedIn, Proof};
use crate::net::{ChannelBindings, Connection, Peer};
use crate::store::{Login, ScramKeys};
use crate::types::DeviceId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Instant;

/// Asked by LOGIN; clients look at neither.
const LOGIN_USER: &str = "Username:";
const LOGIN_PASSWORD: &str = "Password:";

/// The connection on which somebody wants to log in.
pub struct Client {
    peer: Peer,
    protocol: &'static str,
    tls: bool,
    bindings: ChannelBindings,
}

impl Client {
    /// The client of this connection; `protocol` is for the log.
    #[must_use]
    pub fn new(connection: &Connection, protocol: &'static str) -> Self {
        let bindings = connection.channel_bindings();
        Self { peer: *connection.peer(), protocol, tls: connection.is_tls(), bindings }
    }

    fn attempt<'a>(&'a self, user: &'a str, password: &'a [u8]) -> Attempt<'a> {
        Attempt { user, password, peer: &self.peer, protocol: self.protocol, tls: self.tls }
    }
}

/// What comes next in an exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge, which is in base64 already (it may be empty), and go on with the client's response.
    Challenge(String),
    /// The exchange is over.
    LoggedIn(LoggedIn),
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// The client does not follow the mechanism.
    Sasl(SaslError),
    /// The login did not succeed.
    Auth(AuthError),
}

impl From<SaslError> for ExchangeError {
    fn from(error: SaslError) -> Self {
        Self::Sasl(error)
    }
}

impl From<AuthError> for ExchangeError {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

/// An exchange under way. It ends with [`Step::LoggedIn`] or the first error.
pub struct Exchange<'a> {
    authenticator: &'a Authenticator,
    client: Client,
    state: State,
}

enum State {
    Plain,
    LoginUser,
    LoginPassword {
        user: String,
    },
    Scram {
        plus: bool,
    },
    ScramProof(Box<Proving>),
    /// The server's signature was sent; the client's empty response says that it was right.
    ScramDone(LoggedIn),
    Over,
}

/// Between the server's first message and the client's last one.
struct Proving {
    user: String,
    login: Option<Login>,
    challenged: Challenged,
    /// The data of the channel binding that the client asked for.
    binding: Vec<u8>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(authenticator: &'a Authenticator, mechanism: Mechanism, client: Client) -> Self {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::ScramSha256 => State::Scram { plus: false },
            Mechanism::ScramSha256Plus => State::Scram { plus: true },
        };
        Self { authenticator, client, state }
    }

    /// Takes the client's response as it stands on the wire, at most [`sasl::RESPONSE_MAX`] octets; None at the beginning
    /// where there is no initial one. Whether passwords may be sent at all was decided before.
    ///
    /// # Errors
    /// See [`ExchangeError`]; those of a login come late, as [`Authenticator::login`] says.
    pub async fn step(&mut self, response: Option<&[u8]>) -> Result<Step, ExchangeError> {
        let Some(response) = response else {
            let challenge = if matches!(self.state, State::LoginUser) { LOGIN_USER } else { "" };
            return Ok(challenge_of(challenge));
        };
        let message = sasl::decode(response)?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => {
                let credentials = sasl::plain(&message)?;
                self.login(&credentials.user, &credentials.password).await
            }
            State::LoginUser => {
                let user = String::from_utf8(message).map_err(|_| SaslError::Syntax)?;
                self.state = State::LoginPassword { user };
                Ok(challenge_of(LOGIN_PASSWORD))
            }
            State::LoginPassword { user } => self.login(&user, &message).await,
            State::Scram { plus } => self.scram_first(&message, plus).await,
            State::ScramProof(proving) => self.scram_final(&message, *proving).await,
            State::ScramDone(logged_in) if message.is_empty() => {
                Authenticator::log_success(&self.client.attempt(&logged_in.name, b""), &logged_in);
                Ok(Step::LoggedIn(logged_in))
            }
            State::ScramDone(_) | State::Over => Err(SaslError::Syntax.into()),
        }
    }

    async fn login(&self, user: &str, password: &[u8]) -> Result<Step, ExchangeError> {
        Ok(Step::LoggedIn(self.authenticator.login(self.client.attempt(user, password)).await?))
    }

    /// The client-first-message: says whose password is to be proved, and to what connection the proof is bound.
    async fn scram_first(&mut self, message: &[u8], plus: bool) -> Result<Step, ExchangeError> {
        let arrived = Instant::now();
        let first = ClientFirst::parse(message)?;
        let binding = match &first.flag {
            BindingFlag::Type(name) if plus => self.client.bindings.get(name).ok_or(SaslError::Syntax)?.to_vec(),
            BindingFlag::NotOffered if !plus && !self.client.bindings.is_empty() => {
                // We do offer it: somebody on the way took that out of our list (RFC 5802 §6).
                let attempt = self.client.attempt(&first.user, b"");
                let login = self.authenticator.find(&attempt)?;
                let error = self.authenticator.prove(arrived, &attempt, login, Proof::WrongBinding).await.err();
                return Err(error.unwrap_or(AuthError::BadCredentials).into());
            }
            BindingFlag::Unsupported | BindingFlag::NotOffered if !plus => Vec::new(),
            _ => return Err(SaslError::Syntax.into()),
        };
        let user = first.user.clone();
        let login = self.authenticator.find(&self.client.attempt(&user, b""))?;
        let decoy = self.authenticator.decoy(&user);
        let (keys, devices) = candidates(login.as_ref(), decoy);
        let (challenge, challenged) = first.challenge(keys, devices).map_err(|_| AuthError::Temporary)?;
        self.state = State::ScramProof(Box::new(Proving { user, login, challenged, binding }));
        Ok(challenge_of(&challenge))
    }

    /// The client-final-message.
    async fn scram_final(&mut self, message: &[u8], proving: Proving) -> Result<Step, ExchangeError> {
        let arrived = Instant::now();
        let Proving { user, login, challenged, binding } = proving;
        let (proof, signature) = match challenged.verify(message, &binding)? {
            Verdict::Fits(device, signature) => (Proof::Fits(device), signature),
            Verdict::WrongProof => (Proof::Wrong, String::new()),
            Verdict::WrongBinding => (Proof::WrongBinding, String::new()),
        };
        let attempt = self.client.attempt(&user, b"");
        // The password may have been changed or taken away since the challenge.
        let now = self.authenticator.find(&attempt)?;
        let proof = match proof {
            Proof::Fits(device) if keys_of(now.as_ref(), device) != keys_of(login.as_ref(), device) => Proof::Wrong,
            proof => proof,
        };
        let logged_in = self.authenticator.prove(arrived, &attempt, now, proof).await?;
        self.state = State::ScramDone(logged_in);
        Ok(challenge_of(&signature))
    }
}

/// The keys of a device's password, or of the main one.
fn keys_of(login: Option<&Login>, device: DeviceId) -> Option<&ScramKeys> {
    let login = login?;
    if !device.is_device() {
        return login.scram.as_ref();
    }
    login.devices.iter().find(|(id, _)| *id == device)?.1.scram.as_ref()
}

/// The keys that a proof may have been made with. The main password's say the salt; without them a device's do, and
/// nothing fits their place.
fn candidates(login: Option<&Login>, decoy: ScramKeys) -> (ScramKeys, Vec<(DeviceId, ScramKeys)>) {
    let Some(login) = login else { return (decoy, Vec::new()) };
    let devices = || login.devices.iter().filter_map(|(id, device)| Some((*id, device.scram.as_ref()?)));
    let keys = login.scram.clone().unwrap_or_else(|| match devices().next() {
        Some((_, first)) => ScramKeys { salt: first.salt, iterations: first.iterations, ..decoy },
        None => decoy,
    });
    let alike = devices().filter(|(_, other)| other.salt == keys.salt && other.iterations == keys.iterations);
    let alike = alike.map(|(id, keys)| (id, keys.clone())).collect();
    (keys, alike)
}

fn challenge_of(text: &str) -> Step {
    Step::Challenge(STANDARD.encode(text))
}

//! What is asked for, and its fields in a request.

/// What `client-settings` is to show and make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsWish {
    /// For this device, which is there already.
    pub device: Option<String>,
    /// For this device, which is to be made.
    pub new_device: Option<String>,
    /// The user's address, where there are several.
    pub address: Option<String>,
    /// The outgoing server, `HOST:PORT`.
    pub smtp: Option<String>,
    /// The user name at that server.
    pub smtp_user: Option<String>,
    /// A file for Thunderbird.
    pub autoconfig: bool,
    /// A file for Apple's Mail.
    pub profile: bool,
    /// What a QR code is to say.
    pub code: bool,
}

const YES: &str = "yes";
const NO: &str = "no";

impl SettingsWish {
    /// The fields of a request, from the third on.
    pub(in crate::admin) fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        for value in [&self.device, &self.new_device, &self.address, &self.smtp, &self.smtp_user] {
            fields.extend([if value.is_some() { YES } else { NO }, value.as_deref().unwrap_or_default()]);
        }
        fields.extend([self.autoconfig, self.profile, self.code].map(|on| if on { YES } else { NO }));
        fields
    }

    /// What `fields` made; None: it did not.
    pub(in crate::admin) fn of(fields: &[&str]) -> Option<Self> {
        let flag = |text: &str| match text {
            YES => Some(true),
            NO => Some(false),
            _ => None,
        };
        let [values @ .., autoconfig, profile, code] = fields else { return None };
        let (values, rest) = values.as_chunks::<2>();
        let mut values = values.iter();
        let mut value = || {
            let [there, value] = values.next()?;
            flag(there).map(|there| there.then(|| (*value).to_owned()))
        };
        let wish = Self {
            device: value()?,
            new_device: value()?,
            address: value()?,
            smtp: value()?,
            smtp_user: value()?,
            autoconfig: flag(autoconfig)?,
            profile: flag(profile)?,
            code: flag(code)?,
        };
        (values.next().is_none() && rest.is_empty()).then_some(wish)
    }
}
